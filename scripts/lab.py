"""Where an argument runs its experiments: worker processes, a progress bar, an output folder."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tqdm import tqdm

from gans.callbacks import Coverage, Dashboard, Divergences, Gradients, LipschitzAudit
from gans.modules import AdversarialModule
from scripts.memory import keep_memory
from scripts.products import take_accurate_products

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


def start_worker() -> None:
    """Initialise a worker process: one thread, because parallelism comes from processes; quiet.

    Ctrl-C reaches every process of a terminal; workers leave it to the one that started them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_memory()
    take_accurate_products()
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    # minibatches come from the module, whose streams are in the checkpoint
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable")


def end_with_parent() -> None:
    """End this process when the one that started it has, killed or not: nobody takes its work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def quiet_trainer(**settings: Any) -> pl.Trainer:
    """A trainer through all of a module's iterations that shows and saves nothing of its own."""
    quiet: dict[str, Any] = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(**quiet | settings)


def train(module: AdversarialModule, folder: str, *callbacks: pl.Callback) -> None:
    """Train to the end under the usual monitoring, with TensorBoard logs in ``folder``."""
    divergences = Divergences(every=100)
    trainer = quiet_trainer(
        logger=TensorBoardLogger(folder, name="", version="", default_hp_metric=False),
        callbacks=[
            divergences,
            Gradients(every=10),
            LipschitzAudit(every=100),
            Coverage(every=500),
            Dashboard(divergences, {"run": Path(folder).name}),
            *callbacks,
        ],
        log_every_n_steps=1,
    )
    trainer.fit(module)
