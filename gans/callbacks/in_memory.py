"""What a monitor measures during training, kept in memory and in checkpoints."""

from typing import Any, final

import pytorch_lightning as pl
import torch
from torch import Tensor

from divergences.checks import entries, whole_number
from gans.callbacks.one_fit import OneFit
from gans.monitors.game import AdversarialGame
from gans.monitors.readings import Monitor, value
from gans.networks import evaluating


@final
class InMemory(OneFit):
    """Keeps what a monitor measures of one of our modules, every so many iterations.

    What was measured goes into checkpoints, so that a run that is continued has all of it.

    Arguments:
        monitor: What measures.
        every: Generator iterations between measurements.
        first: Whether to measure after the first iteration, too, when the critic is warm.
    """

    def __init__(self, monitor: Monitor, every: int, first: bool = False):
        self.monitor, self.every, self.first = monitor, whole_number("every", every), first
        self.forget()

    def forget(self) -> None:
        self.monitor.forget()
        self.iterations: list[int] = []
        self._found: list[dict[str, Tensor]] = []

    @property
    def state_key(self) -> str:
        return f"InMemory {type(self.monitor).__name__}"

    def is_due(self, iteration: int) -> bool:
        return (self.first and iteration == 1) or iteration % self.every == 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if self.is_due(trainer.global_step):
            game = AdversarialGame(pl_module)
            with evaluating(game.networks()):
                found = self.monitor.read(game)
            self.iterations.append(trainer.global_step)
            self._found.append({tag: value(reading) for tag, reading in found.items()})

    @property
    def readings(self) -> dict[str, Tensor]:
        """Each tag's numbers, of shape ``(members, measurements)``."""
        return {
            tag: torch.stack([found[tag] for found in self._found], -1) for tag in self._found[0]
        }

    def state_dict(self) -> dict[str, Any]:
        return {"iterations": list(self.iterations), "readings": list(self._found)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        name = type(self).__name__
        self.iterations, self._found = entries(name, state_dict, "iterations", "readings")
