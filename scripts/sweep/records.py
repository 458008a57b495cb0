"""The folder of a sweep: a record, curves and a TensorBoard run for each setting and seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.files import plain, write_atomically
from scripts.locks import LOCK, locked
from scripts.sweep.board import write_run
from scripts.sweep.job import Outcome
from scripts.sweep.plan import Setting


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

    def check(self) -> None:
        """Refuse a folder that holds something else than a sweep."""
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"--out {self.path} is a file; name a folder")
        ours = (self.path / "records").is_dir()
        there = self.path.iterdir() if self.path.is_dir() else ()
        if not ours and any(path.name != LOCK for path in there):
            raise ValueError(
                f"--out {self.path} exists and holds something else; name a new folder"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one sweep at a time writes here, see :func:`scripts.locks.locked`."""
        with locked(self.path):
            (self.path / "records").mkdir(exist_ok=True)
            yield

    def read(self, setting: Setting, seed: int) -> dict[str, Any] | None:
        """The record of a run, ``None`` if there is none that can be read.

        Raises:
            ValueError: If it belongs to another configuration.
        """
        path = self.record_of(setting, seed)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            made_of = record["complete"], record["seed"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if made_of != (setting.complete, seed):
            raise ValueError(
                f"{path} was made under another configuration than its name says; move it away"
            )
        return record

    def curves(self, setting: Setting, seed: int) -> dict[str, Any]:
        """Steps, seconds and values of a run that has a record."""
        return json.loads(self.curves_of(setting, seed).read_text(encoding="utf-8"))

    def keep(self, setting: Setting, outcome: Outcome) -> None:
        """Write curves, TensorBoard run and, last, the record."""
        final = outcome.curves.final()
        write_atomically(
            self.curves_of(setting, outcome.seed), json.dumps(plain(asdict(outcome.curves)))
        )
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
        write_atomically(
            self.record_of(setting, outcome.seed), json.dumps(plain(record), indent=1)
        )
