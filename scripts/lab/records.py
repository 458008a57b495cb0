"""Pieces of work that each leave a record, done in worker processes and kept."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, TypedDict

from tqdm import tqdm

from scripts.lab.checked_files import Damaged, load_record, unless_damaged, write_record
from scripts.lab.workers import start_worker


class Kept(Protocol):
    """A piece of work with a record of its own."""

    @property
    def file(self) -> str:
        """Name of its record."""
        ...


def run_all(
    wanted: Sequence[Kept], work: Callable[..., dict[str, Any]], out: Path, workers: int
) -> list[dict[str, Any]]:
    """Do what has no record yet; the records of all, as they were written.

    A record that is damaged is named and set aside, and its work done again.
    """
    records = out / "cells"
    missing = [piece for piece in wanted if read(records / piece.file) is None]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=start_worker) as executor:
        running = {executor.submit(work, piece): piece for piece in missing}
        progress = tqdm(
            as_completed(running),
            total=len(wanted),
            initial=len(wanted) - len(missing),
            desc="records",
            file=sys.stderr,
        )
        for future in progress:
            keep(records / running[future].file, future.result())
    return [load(records / piece.file) for piece in wanted]


def kept(out: Path) -> list[dict[str, Any]]:
    """All records of a folder, whichever command wrote them, in the order of their names."""
    found = [read(path) for path in sorted((out / "cells").glob("*.json"))]
    return [record for record in found if record is not None]


class Written(TypedDict):
    """A record with the name of its file, so that it is known where it was moved."""

    file: str
    record: dict[str, Any]


def keep(path: Path, record: dict[str, Any]) -> None:
    """Write a record, whole or not at all."""
    write_record(path, {"file": path.name, "record": record})


def load(path: Path) -> dict[str, Any]:
    """The record of a file.

    Raises:
        Damaged: If it is not what was written there.
    """
    written = load_record(path, Written)
    if written["file"] != path.name:
        raise Damaged(path, f"it is the record {written['file']}")
    return written["record"]


def read(path: Path) -> dict[str, Any] | None:
    """The record of a file, ``None`` if there is none; a damaged one is set aside."""
    return unless_damaged(path, load)
