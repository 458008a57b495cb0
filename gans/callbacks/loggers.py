"""Where readings and figures go: every logger of a trainer, whatever its class, else files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from divergences.whole_files import atomically
from gans.monitors.readings import Reading, scalars


def log(trainer: pl.Trainer, readings: Mapping[str, Reading], step: int) -> None:
    """The same scalars to every logger, and to callbacks that monitor one, by its tag.

    Such as Lightning's ``EarlyStopping``; its own monitors of learning rates do the same.
    """
    numbers = scalars(readings)
    trainer.callback_metrics.update({t: torch.tensor(x) for t, x in numbers.items()})
    for logger in trainer.loggers:
        logger.log_metrics(numbers, step=step)


def log_figure(trainer: pl.Trainer, name: str, figure: Figure, step: int) -> None:
    """The figure to every logger that takes one; a PNG file under ``figures/`` if none does.

    TensorBoard has ``add_figure``, Weights & Biases ``log_image``, MLflow ``log_figure``.
    """
    taken = [_taken(logger, name, figure, step) for logger in trainer.loggers]
    if not any(taken) and trainer.is_global_zero:
        folder = Path(trainer.log_dir or trainer.default_root_dir) / "figures"
        atomically(folder / _file(name, step), figure.savefig)


def _file(name: str, step: int) -> str:
    return f"{name.replace(' ', '_').replace('/', '_')}_{step:06d}.png"


def _taken(logger: Any, name: str, figure: Figure, step: int) -> bool:
    experiment = logger.experiment
    if hasattr(experiment, "add_figure"):
        experiment.add_figure(name, figure, step)
    elif hasattr(logger, "log_image"):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        logger.log_image(key=name, images=[np.asarray(canvas.buffer_rgba())], step=step)
    elif hasattr(experiment, "log_figure") and hasattr(logger, "run_id"):
        file = _file(name, step)
        experiment.log_figure(logger.run_id, figure, file)
    else:
        return False
    return True
