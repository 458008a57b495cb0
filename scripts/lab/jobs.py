"""Where an argument runs its experiments: an executor, a progress bar, an output folder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


@dataclass
class Lab:
    """Submits experiments and keeps one progress bar over all of them.

    Attributes:
        executor: Runs experiments; anything of the standard ``Executor`` interface.
        out: Folder of everything that is left behind.
        bar: The progress bar, in nominal seconds of work.
        seeds: How many seeds each experiment uses, unless its claim asks for more.
    """

    executor: Executor
    out: Path
    bar: tqdm
    seeds: int = 5

    def submit(self, cost: float, experiment: Callable[..., T], *args: Any) -> Future[T]:
        """Start ``experiment(*args)``; ``cost`` is its nominal share of the bar, in seconds."""
        self.bar.total += cost
        self.bar.refresh()
        future = self.executor.submit(experiment, *args)
        future.add_done_callback(lambda _: self.bar.update(cost))
        return future

    def folder(self, name: str) -> str:
        """Where the TensorBoard run ``name`` goes."""
        return str(self.out / "tensorboard" / name)
