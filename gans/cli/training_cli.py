"""A run from a parsed configuration: its folder, its checkpoints, and how it ends."""

import argparse
import shlex
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jsonargparse import SUPPRESS
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import TensorBoardLogger

from divergences.available_memory import lack_of_memory
from divergences.shown_text import one_line as one_text
from divergences.whole_files import write_atomically
from gans.callbacks import (
    MONITORS,
    AtomicCheckpointIO,
    Checkpoints,
    Dashboard,
    Divergences,
    OrderedLogger,
)
from gans.callbacks.checkpoints import damage, newest_good
from gans.cli import left_out, lightning_classes, trainer_settings
from gans.cli.allowed_classes import Vocabulary
from gans.cli.configuration import blamed_on_the_configuration
from gans.cli.fitting_memory import refuse_what_does_not_fit
from gans.cli.kept_settings import kept_settings
from gans.cli.plain_yaml import read
from gans.cli.short_settings import what_varies
from gans.monitors.w1_sentence import w1_bracket
from gans.runtime.escaping import printable, tell
from gans.runtime.locks import LOCK, locked
from gans.runtime.malloc import keep_memory
from gans.runtime.matmul_precision import take_accurate_products

OURS = (
    *(LOCK, "config.yaml", "hparams.yaml", "checkpoints", "events.out.tfevents.*", ".partial-*"),
    *("csv", "figures"),
)
"""What a run leaves in its folder."""


class Unfinished(ValueError):
    """A run has ended before its last iteration, and nobody has stopped it by a signal."""


class SaveConfig(SaveConfigCallback):
    """Writes ``config.yaml`` into the run's folder, whole or not at all."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        path = Path(trainer.default_root_dir) / self.config_filename
        # where a run goes and what it continues is said anew each time
        saved = self.config.clone()
        saved.out = saved.ckpt_path = None
        lightning_classes.forget(saved.trainer, str(trainer.default_root_dir))
        write_atomically(path, self.parser.dump(saved, skip_none=False))


class TrainCLI(LightningCLI):
    """LightningCLI with the project's monitoring and one output folder per run."""

    def __init__(self, *args: Any, acts: argparse.Namespace, known: Vocabulary, **kwargs: Any):
        self.acts, self.known = acts, known
        self.resumed_at: int | None = None
        self.held = False
        self.unfit: dict[Path, str] = {}
        self.told: set[str] = set()
        super().__init__(*args, **kwargs)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        help = "folder of this run; only on the command line"
        parser.add_argument("--out", type=str | None, default=None, help=help)
        for name, monitor in MONITORS.items():
            parser.add_lightning_class_args(monitor, name)
            parser.add_argument(
                f"--{left_out.KEY}.{name}", type=bool, default=False, help=SUPPRESS
            )
        parser.add_lightning_class_args(Checkpoints, "checkpoint")

    def _parse_ckpt_path(self) -> None:
        """Nothing of the configuration comes from a checkpoint, least of all its classes."""

    def before_instantiate_classes(self) -> None:
        config = self.config[str(self.subcommand)]
        for path in config.config or []:
            tree = read(Path(str(path)))
            for sentence in kept_settings(tree.get("fit", tree), config, self.acts.arguments):
                self.tell_once(f"note: {sentence}")
        self.known.check({key: value for key, value in vars(config).items() if key != "config"})
        for name in ("out", "ckpt_path"):
            if config[name] is not None and getattr(self.acts, name) is None:
                raise ValueError(
                    f"{name} = {config[name]} is in a configuration; only the command line says "
                    f"so: --{name} {config[name]}"
                )
        lightning_classes.write_to(config.trainer, str(self.out_folder(config)))
        refuse_what_does_not_fit(config, self.acts.members)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        config = self.config[str(self.subcommand)]
        made = self.config_init[str(self.subcommand)].trainer.callbacks
        trainer_settings.check(config.trainer, made if isinstance(made, list) else [made])
        self.model.configure_optimizers()  # what is wrong with them leaves no folder
        out = self.out_folder(config)
        if rank_zero_only.rank == 0 and not self.held:  # the others write nothing
            self.acts.until_end.enter_context(locked(out))
            self.held = True
        self.prepare(out)
        if config.trainer.logger in (None, True):
            kwargs["logger"] = OrderedLogger(out, purge_step=self.resumed_at)
        kwargs["plugins"] = [AtomicCheckpointIO()]
        trainer = super().instantiate_trainer(default_root_dir=str(out), **kwargs)
        if config.trainer.strategy == "auto" and trainer.world_size > 1:
            raise ValueError(
                f"trainer.devices = {config.trainer.devices} are {trainer.world_size} processes, "
                "which share minibatches under --trainer.strategy gans.SharedBatch"
            )
        callbacks: list[Any] = trainer.callbacks  # pyright: ignore
        switched_off = tuple(MONITORS[name] for name in left_out.names(config))
        callbacks[:] = [c for c in callbacks if not isinstance(c, switched_off)]
        self.monitor = next((c for c in callbacks if isinstance(c, Divergences)), None)
        self.saver = next(c for c in callbacks if isinstance(c, Checkpoints))
        callbacks.insert(-1, Dashboard(self.monitor, what_varies(self.config_dump["model"])))
        return trainer

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        with blamed_on_the_configuration("be read"):
            super().parse_arguments(parser, args)

    def instantiate_classes(self) -> None:
        with blamed_on_the_configuration("be built"):
            super().instantiate_classes()

    def out_folder(self, config: Any) -> Path:
        """The run's folder, by name."""
        named = [Path(str(path)).stem for path in config.config or []]
        out = Path(self.acts.out or f"runs/{named[-1] if named else 'train'}")
        if out.exists() and not out.is_dir():
            raise FileExistsError(f"--out {out} is a file; name a folder")
        return out

    def prepare(self, out: Path) -> None:
        """See what the folder holds, now that no one else writes to it."""
        if self.acts.resume:
            if self.acts.ckpt_path:
                raise ValueError("--resume finds the checkpoint itself; leave --ckpt_path out")
            self.continue_run(out)
        elif self.acts.ckpt_path:
            reason = damage(Path(self.acts.ckpt_path))
            if reason is not None:
                raise ValueError(
                    f"--ckpt_path {self.acts.ckpt_path}: {reason}; the run's checkpoints are in "
                    f"{out / 'checkpoints'}, and --resume takes the newest good one"
                )
            self.continue_from(self.acts.ckpt_path)
        elif rank_zero_only.rank == 0 and any(path.name != LOCK for path in out.iterdir()):
            raise FileExistsError(
                f"--out {out} exists and is not empty; name another folder, delete it, or "
                "continue its run with --resume"
            )

    def continue_run(self, out: Path) -> None:
        """Take the newest good checkpoint of the run in ``out``; name those that are damaged."""
        foreign = [p for p in out.glob("*") if not any(p.match(pattern) for pattern in OURS)]
        if foreign:
            raise ValueError(f"--resume: {out} is no run of this command, it holds {foreign[0]}")
        self.check_unchanged(out / "config.yaml")
        path = newest_good(out / "checkpoints", self.tell_once, self.unfit)
        if path is None:
            self.resumed_at = 0  # what curves there are start again
        else:
            self.continue_from(path)

    def continue_from(self, path: str | Path) -> None:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        done, wanted = checkpoint["global_step"], self.model.iterations
        if done > wanted:
            raise ValueError(
                f"{done} iterations are done ({path}), and --model.iterations {wanted} are fewer: "
                f"ask for {done} or more, or start another run in another folder"
            )
        if done == wanted and not _was_last(checkpoint):
            raise ValueError(
                f"{done} iterations are done ({path}), of a run that was to go on: the looks and "
                f"figures of a last iteration are missing; ask for {done + 1} or more"
            )
        self.resumed_at = done + 1
        self.config_init[str(self.subcommand)]["ckpt_path"] = str(path)

    def check_unchanged(self, path: Path) -> None:
        """A run is continued with its own settings; only ``iterations`` may grow."""
        if not path.is_file():
            return
        try:
            before = _flat(read(path).get("model"))
            if "class_path" not in before:
                raise ValueError("it names no model")
        except ValueError as error:
            self.tell_once(f"{path} is damaged ({printable(error)}); settings are not compared")
            return
        now = _flat(self.config_dump["model"])
        for name in sorted({*before} | {*now}):
            old, new = before.get(name), now.get(name)
            if name != "init_args/iterations" and old != new:
                flag = "model." + name.replace("init_args/", "").replace("/", ".")
                raise ValueError(
                    f"--resume: --{flag} is {new} and was {old} in {path}; continue with the "
                    "run's own settings, or start another run in another folder"
                )

    def tell_once(self, what: str) -> None:
        """Say on stderr what has not been said before."""
        if what not in self.told:
            tell(one_text(what))
        self.told.add(what)

    def check_complete(self) -> None:
        """Refuse to call a run that something has ended early a run."""
        done, all_of_them = self.trainer.global_step, self.model.iterations
        if done < all_of_them:
            raise Unfinished(
                f"the run has ended after iteration {done} of {all_of_them}, by "
                f"--trainer.max_time {self.config_dump['trainer']['max_time']}; last checkpoint: "
                f"{self.saver.last_saved or 'none'}; --resume goes on where there is one, with a "
                "longer time for all of the run"
            )

    def tell_bracket(self) -> None:
        """Say what the run's last W1 is worth."""
        if self.monitor is None or not self.monitor.is_fresh(self.trainer):
            return  # of an earlier iteration, from a checkpoint, where nothing is logged any more
        said = w1_bracket(self.monitor.latest, self.monitor.stderr)
        if said is not None and self.trainer.is_global_zero:
            print(said)

    def fit(self, model: pl.LightningModule, ckpt_path: str | None = None, **rest: Any) -> None:
        keep_memory()
        products = take_accurate_products(self.trainer.strategy.root_device)
        if self.trainer.is_global_zero:
            folder = shlex.quote(printable(self.trainer.default_root_dir))
            curves = any(isinstance(logger, TensorBoardLogger) for logger in self.trainer.loggers)
            watch = f"; watch it with: tensorboard --logdir {folder}" if curves else ""
            print(f"this run is in {folder}{watch}")
            if self.acts.debug:
                print(products)
        try:
            self.trainer.fit(model, ckpt_path=ckpt_path, **{**rest, "weights_only": True})
            self.check_complete()
            self.tell_bracket()
        except Unfinished:
            raise
        except OSError as error:
            folder = Path(self.trainer.default_root_dir)
            raise OSError(f"{error} (writing to {folder}); {what_is_left(folder)}") from error
        except Exception as error:
            if self.saver.went_on or lack_of_memory(error):
                raise
            if ckpt_path is None:
                with blamed_on_the_configuration("be trained by one iteration"):
                    raise
            self.pass_over(Path(ckpt_path), error)

    def pass_over(self, path: Path, error: Exception) -> None:
        """A checkpoint with which the run does not go on is damaged, whatever is wrong with it."""
        reason = f"the run does not go on from it ({printable(error):.200})"
        if not self.acts.resume:
            raise ValueError(f"--ckpt_path {path}: {reason}") from error
        self.unfit[path] = reason
        self.instantiate_classes()
        self.fit(self.model, self.config_init[str(self.subcommand)].get("ckpt_path"))


def what_is_left(folder: Path) -> str:
    """What can be read back of a run that cannot write any more."""
    try:
        path = newest_good(folder / "checkpoints", lambda _: None)
    except (OSError, ValueError):
        path = None
    if path is None:
        return "no whole checkpoint can be read there"
    return f"{path} was read back and is whole: make room and continue with --resume"


def _was_last(checkpoint: dict[str, Any]) -> bool:
    """Whether its run was at its end; of one that does not say so, see :meth:`.pass_over`."""
    try:
        return checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["is_last_batch"]
    except (KeyError, TypeError):
        return True


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``{"a/b": value}`` of plain values, for the HParams table."""
    if not isinstance(config, dict):
        plain = isinstance(config, bool | int | float | str)
        return {prefix: config if plain else str(config)}
    items = ((f"{prefix}/{k}" if prefix else k, v) for k, v in config.items())
    return {key: value for name, inner in items for key, value in _flat(inner, name).items()}
