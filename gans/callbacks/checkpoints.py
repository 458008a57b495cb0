"""Checkpoints that survive whatever stops the run, and signals that stop it in order."""

import io
import os
import pickle
import signal
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.loggers import TensorBoardLogger

from divergences.whole_files import atomically
from gans.callbacks.best import Best, newly_measured
from gans.callbacks.checkpoint_digests import broken, sealed
from gans.callbacks.one_fit import OneFit
from gans.callbacks.periodic import is_last
from gans.generator_module import GeneratorModule
from gans.runtime.files import clear_partial

NEEDED = {"state_dict": dict, "global_step": int, "optimizer_states": list, "streams": dict}
"""What a checkpoint of an :class:`gans.GeneratorModule` cannot do without."""
GRACE = 20.0
"""Seconds that an iteration may take to end when the run is asked to stop."""
_TIMED = hasattr(signal, "setitimer")  # not on Windows


class Interrupted(BaseException):
    """The run was asked to stop; ``signal`` says by what, the message what was saved.

    No ``Exception``: it can be raised inside what tries one thing, and then another.
    """

    def __init__(self, message: str, received: signal.Signals):
        super().__init__(message)
        self.signal = received


def damage(path: Path) -> str | None:
    """What is wrong with the checkpoint, or ``None``: read whole, checksums and all, run nothing.

    Example:
        >>> damage(Path("nowhere.ckpt"))
        'no such file'
    """
    if not path.is_file():
        return "no such file"
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()  # torch itself does not compare the checksums
        if wrong is not None:
            return f"checksum of {wrong} is wrong"
        content = torch.load(path, map_location="cpu", weights_only=True)
    except zipfile.BadZipFile:
        return f"truncated, or no checkpoint ({path.stat().st_size} bytes)"
    except pickle.UnpicklingError:
        return "it would run code on loading, which is refused"
    except Exception as error:  # what torch says of bytes that are no checkpoint can be anything
        return f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
    return _misfit(content, path.stem)


def _misfit(content: Any, name: str) -> str | None:
    """What a checkpoint lacks, or says of itself that cannot be."""
    if not isinstance(content, dict):
        return f"it holds a {type(content).__name__}, not the state of a run"
    for key, kind in NEEDED.items():
        if key not in content:
            return f"it has no {key!r}"
        if not isinstance(content[key], kind):
            return f"its {key!r} is a {type(content[key]).__name__}"
    step = content["global_step"]
    if not 0 <= step < 2**63 or (name.isdecimal() and int(name) != step):
        return f"it is of iteration {step:.6g}, and its name says another"
    if not _counts(content.get("loops")):
        return "the counts of its loops are no whole numbers"
    return "it was changed after it was written" if broken(content) else None


def _counts(loops: Any) -> bool:
    """Whether all numbers in Lightning's state of its loops count something; others never end."""
    if isinstance(loops, (dict, list)):
        return all(map(_counts, loops.values() if isinstance(loops, dict) else loops))
    return not isinstance(loops, (int, float)) or (isinstance(loops, int) and 0 <= loops < 2**63)


def numbered(folder: Path) -> list[Path]:
    """The folder's checkpoints by iteration, newest first."""
    found = [path for path in folder.glob("*.ckpt") if path.stem.isdecimal()]
    return sorted(found, key=lambda path: int(path.stem), reverse=True)


def newest_good(
    folder: Path, tell: Callable[[str], object], known: Mapping[Path, str] = MappingProxyType({})
) -> Path | None:
    """The checkpoint to continue from, or ``None`` if the folder has none at all.

    Arguments:
        folder: Where the checkpoints are.
        tell: Called with a sentence about each one that is passed over.
        known: What is known to be wrong with some of them.

    Raises:
        ValueError: If there are checkpoints and all are damaged.
    """
    checkpoints = numbered(folder)
    for path in checkpoints:
        reason = known.get(path) or damage(path)
        if reason is None:
            return path
        before = "; trying the one before" if path != checkpoints[-1] else ""
        tell(f"{path} is damaged: {reason}{before}")
    if checkpoints:
        number = len(checkpoints)
        them = "the only checkpoint" if number == 1 else f"all {number} checkpoints"
        said = f"{them} in {folder} {'is' if number == 1 else 'are'} damaged"
        raise ValueError(f"{said}; start again in another folder")
    return None


@final
class AtomicCheckpointIO(CheckpointIO):
    """Writes a checkpoint whole or not at all, and reads tensors and plain values only."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        content = io.BytesIO()  # a full disk then fails in Python, with the system's reason
        torch.save(sealed(checkpoint), content)
        atomically(Path(path), lambda temporary: temporary.write_bytes(content.getbuffer()))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        return torch.load(path, map_location=map_location, weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


@final
class Checkpoints(OneFit, Checkpoint):
    """Saves the state every so many iterations, after the last, and when asked to stop.

    Files go to ``checkpoints/`` of the run, named after the iteration, with ``last.ckpt`` for the
    newest. Curves are on the disk before the checkpoint is, so that a run resumed from it has
    every point once. Checkpoints of later iterations than the one just saved belong to a
    continuation that was given up, and go.

    SIGINT and SIGTERM let the current iteration end, save, and raise :class:`Interrupted`; one
    that has not ended :data:`GRACE` seconds later, as in a long warm-up, is given up without
    saving. A second signal stops at once.

    With ``monitor`` there is ``best.ckpt``, too: the state at which an estimate was least. At the
    end a line says which iteration that is, and which later ones cannot be told from it.

    Attributes:
        went_on: Whether an iteration has ended since this process began.

    Arguments:
        every: Iterations between checkpoints.
        keep: How many are kept, the newest; at least 2, so that a damaged one has a predecessor.
        monitor: Tag of an estimate, such as ``divergence/w1_EarthMover``; the less, the better.

    Raises:
        ValueError: If ``every`` or ``keep`` is too small.
    """

    def __init__(self, every: int = 100, keep: int = 5, monitor: str | None = None):
        if every < 1:
            raise ValueError(f"every = {every} must be at least 1 iteration")
        if keep < 2:
            raise ValueError(
                f"keep = {keep} must be at least 2: if the newest checkpoint is damaged, the one "
                "before is used"
            )
        self.every, self.keep = every, keep
        self._monitor = monitor
        self.forget()
        self.went_on = False
        self._last_checkpoint_saved = ""  # under the name that Lightning's own callback has
        self._received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def forget(self) -> None:
        self.best = Best(self._monitor) if self._monitor else None

    @property
    def last_saved(self) -> str:
        """The checkpoint that this run was saved in last, or is continued from; may be empty."""
        return self._last_checkpoint_saved

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # a run may be made longer: its last iteration then was not the last
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if isinstance(pl_module, GeneratorModule):
            progress["is_last_batch"] = checkpoint["global_step"] >= pl_module.iterations

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last_checkpoint_saved = str(trainer.ckpt_path or "")
        if trainer.is_global_zero:
            clear_partial(self._folder(trainer))
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)
            if _TIMED:
                self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._give_up)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        said = self.best.sentence() if self.best else None
        if said is not None and trainer.is_global_zero:
            print(said)
        self._restore()  # before the trainer gives back the handlers that it found

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before and _TIMED:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._before.clear()

    def _stop(self, number: int, frame: Any) -> None:
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, signal.SIG_DFL)  # the second time, at once
        self._received = signal.Signals(number)
        if _TIMED:
            signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _give_up(self, number: int, frame: Any) -> None:
        if self._received is not None:
            raise Interrupted(
                f"stopped by {self._received.name} in an iteration that did not end within "
                f"{GRACE:g} s; last checkpoint: {self._last_checkpoint_saved or 'none yet'}",
                self._received,
            )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        self.went_on = True
        last = is_last(trainer)
        self._keep_best(trainer)
        stopped = self._received or trainer.should_stop  # by the trainer's max_time
        if stopped or last or trainer.global_step % self.every == 0:
            self._save(trainer)
        if self._received and not last:
            raise Interrupted(
                f"stopped by {self._received.name} after iteration {trainer.global_step}; state "
                f"saved in {self._last_checkpoint_saved}",
                self._received,
            )

    def _folder(self, trainer: pl.Trainer) -> Path:
        return Path(trainer.default_root_dir) / "checkpoints"

    def _keep_best(self, trainer: pl.Trainer) -> None:
        measured = newly_measured(trainer, self.best.tag) if self.best else None
        if self.best is not None and measured is not None and self.best.consider(measured):
            trainer.save_checkpoint(self._folder(trainer) / "best.ckpt", False)  # all of it

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.state_dict()} if self.best else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self.best is not None and "best" in state_dict:
            self.best.load_state_dict(state_dict["best"])

    def _save(self, trainer: pl.Trainer) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.flush()
        folder = self._folder(trainer)
        path = folder / f"{trainer.global_step:06d}.ckpt"
        trainer.save_checkpoint(path, weights_only=False)  # all of the state
        self._last_checkpoint_saved = str(path)
        if trainer.is_global_zero:
            atomically(folder / "last.ckpt", lambda temporary: os.link(path, temporary))
            behind = [p for p in numbered(folder) if int(p.stem) <= trainer.global_step]
            for old in {*numbered(folder)} - {*behind[: self.keep]}:
                old.unlink(missing_ok=True)
