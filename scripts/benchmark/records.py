"""Pieces of work that each leave a record, done in worker processes and kept."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from scripts.files import plain, write_atomically
from scripts.lab import start_worker


class Kept(Protocol):
    """A piece of work with a record of its own."""

    @property
    def file(self) -> str:
        """Name of its record."""
        ...


def run_all(
    wanted: Sequence[Kept], work: Callable[..., dict[str, Any]], out: Path, workers: int
) -> list[dict[str, Any]]:
    """Do what has no record yet; the records of all, as they were written."""
    records = out / "cells"
    missing = [piece for piece in wanted if not (records / piece.file).is_file()]
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
            record = plain(future.result())
            write_atomically(records / running[future].file, json.dumps(record, indent=1))
    return [json.loads((records / piece.file).read_text()) for piece in wanted]


def kept(out: Path) -> list[dict[str, Any]]:
    """All records of a folder, whichever command wrote them, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted((out / "cells").glob("*.json"))]
