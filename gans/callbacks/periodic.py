"""When a callback looks, at which points, and how it writes what it sees."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from divergences.checks import entries, whole_number
from divergences.random_streams import Streams
from gans.modules import AdversarialModule

MOST = 10_000
"""Observations of one run, but for the first and the last."""


def log_members(logger: Any, values: Mapping[str, Tensor], step: int) -> None:
    """Write each value's member mean, and its range over members in the group ``band/``."""
    scalars = {}
    for tag, of_member in values.items():
        scalars[tag] = float(of_member.mean())
        if len(of_member) > 1:
            scalars[f"band/{tag}/min"] = float(of_member.min())
            scalars[f"band/{tag}/max"] = float(of_member.max())
    logger.log_metrics(scalars, step=step)


def is_last(trainer: pl.Trainer) -> bool:
    """Whether the iteration that just ended was the run's last."""
    return trainer.is_last_batch or trainer.global_step == trainer.max_steps


class Periodic(pl.Callback):
    """Observes before the first iteration, every ``every`` iterations and after the last.

    What was seen is part of a checkpoint, so a resumed run logs each observation once. A run that
    is so long that it would be observed more than :data:`MOST` times is observed less often, and
    says so: logs are bounded.

    Arguments:
        every: Iterations between observations, at least 1.
    """

    def __init__(self, every: int):
        self.every = whole_number("every", every)
        self._seen = -1

    def cadence(self, iterations: int) -> int:
        """Iterations between observations of a run of that length, a multiple of ``every``."""
        return self.every * max(1, math.ceil(iterations / (self.every * MOST)))

    @abstractmethod
    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        """Look at the module and log what is seen at ``trainer.global_step``."""

    def _observe(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.logger is None or trainer.global_step == self._seen:
            return
        assert isinstance(module, AdversarialModule)
        module.check_finite()  # or an observer would stumble over what training left behind
        self._seen = trainer.global_step
        module.critic.eval()
        self.observe(trainer, module)
        module.critic.train()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, AdversarialModule)
        cadence = self.cadence(pl_module.iterations)
        if cadence != self.every:
            rank_zero_warn(
                f"{type(self).__name__} looks every {cadence} iterations instead of every "
                f"{self.every}: {pl_module.iterations} iterations would be more than {MOST} looks"
            )
        if trainer.global_step == 0:
            self._observe(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        assert isinstance(pl_module, AdversarialModule)
        due = trainer.global_step % self.cadence(pl_module.iterations) == 0
        if due or is_last(trainer):
            self._observe(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._observe(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self._seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        (self._seen,) = entries(type(self).__name__, state_dict, "seen")


@torch.no_grad()
def held_out(module: AdversarialModule, n: int, purpose: str) -> tuple[Tensor, Tensor, Streams]:
    """At most ``n`` real and fake points that depend on seed, purpose and iteration only."""
    streams = Streams(
        module.seeds,
        f"{purpose} at {module.global_step}",
        module.device,
        module.streams.dtype,
        ahead=1,  # these streams are used once
    )
    real = module.target.held_out(streams, n)
    return real, module.generator.draw(streams, real.shape[1]), streams
