"""The folder of a sweep: a record, curves and a TensorBoard run for each setting and seed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from gans.runtime.locks import locked
from scripts.lab.checked_files import Count, Damaged, Number, Seconds, load_record, write_record
from scripts.sweep.joint_training import TrainedMember
from scripts.sweep.plan import Setting
from scripts.sweep.tensorboard import write_run


class RunRecord(TypedDict):
    """What is kept of a run besides its curves."""

    setting: str
    axes: dict[str, str]
    seed: int
    readings: dict[str, Number]
    seconds: Seconds
    members: Count
    code: str
    config: dict[str, Any]
    complete: dict[str, Any]


class Drawn(TypedDict):
    """The curves of a run, a column per tag."""

    step: list[Count]
    seconds: list[float]
    values: dict[str, list[Number]]


@dataclass(frozen=True)
class Folder:
    """What a sweep leaves behind, under names that only depend on configuration and seed.

    A record is written last, so that a run with a record has everything else; all of it is
    written by the one process that runs the sweep, each file whole or not at all.
    """

    path: Path

    def record_of(self, setting: Setting, seed: int) -> Path:
        return self.path / "records" / f"{setting.key}-{seed}.json"

    def curves_of(self, setting: Setting, seed: int) -> Path:
        return self.path / "curves" / f"{setting.key}-{seed}.json"

    def run_of(self, setting: Setting, seed: int) -> Path:
        return self.path / "tensorboard" / setting.folder / f"seed-{seed}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one sweep at a time writes here, see :func:`gans.runtime.locks.locked`."""
        with locked(self.path):
            (self.path / "records").mkdir(exist_ok=True)
            yield

    def read(self, setting: Setting, seed: int) -> RunRecord | None:
        """The record of a run, ``None`` if there is none that can be read.

        Raises:
            ValueError: If it belongs to another configuration.
        """
        path = self.record_of(setting, seed)
        try:
            record = load_record(path, RunRecord)
        except (Damaged, OSError):
            return None
        if (record["complete"], record["seed"]) != (setting.complete, seed):
            raise ValueError(
                f"{path} was made under another configuration than its name says; move it away"
            )
        return record

    def curves(self, setting: Setting, seed: int) -> Drawn:
        """Steps, seconds and values of a run that has a record.

        Raises:
            Damaged: If they are not what was written.
        """
        path = self.curves_of(setting, seed)
        if not path.is_file():
            raise Damaged(path, "it is not there")
        curves = load_record(path, Drawn)
        steps = len(curves["step"])
        for column in (curves["seconds"], *curves["values"].values()):
            if len(column) != steps:
                raise Damaged(path, f"{len(column)} readings at {steps} steps")
        return curves

    def damaged(self, runs: Iterable[tuple[Setting, int]]) -> list[Damaged]:
        """What is there of these runs and is of no use; without its curves, a record is not."""
        found = []
        for setting, seed in runs:
            path = self.record_of(setting, seed)
            if not path.exists():
                continue
            try:
                load_record(path, RunRecord)
                self.curves(setting, seed)
            except IsADirectoryError:
                found.append(Damaged(path, "it is a folder"))
            except Damaged as one:
                if one.path.exists():
                    found.append(one)
                if one.path != path:
                    found.append(Damaged(path, one))
        return found

    def keep(self, setting: Setting, outcome: TrainedMember) -> None:
        """Write curves, TensorBoard run and, last, the record."""
        final = outcome.curves.final()
        write_record(self.curves_of(setting, outcome.seed), asdict(outcome.curves), None)
        settings = setting.axes | {"seed": outcome.seed}
        write_run(self.run_of(setting, outcome.seed), outcome.curves, settings, final)
        record = {
            "setting": setting.label,
            "axes": setting.axes,
            "seed": outcome.seed,
            "readings": final,
            "seconds": outcome.seconds,
            "members": outcome.members,
            "code": outcome.code,
            "config": setting.config,
            "complete": setting.complete,
        }
        write_record(self.record_of(setting, outcome.seed), record)
