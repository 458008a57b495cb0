"""A game trained quietly, and trained under the usual monitoring."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from gans import Coverage, Dashboard, Divergences, GeneratorModule, Gradients, LipschitzAudit


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


def train(module: GeneratorModule, folder: str, *callbacks: pl.Callback) -> None:
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
