"""What a sweep reads of each member, at one cadence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from divergences.answers import Answers
from divergences.estimate import Estimator
from divergences.networks.lipschitz import input_gradient, lipschitz_audit
from gans.callbacks import Divergences, Periodic, gradient_norms, held_out
from gans.callbacks.coverage import modes_seen
from gans.modules import AdversarialModule


@dataclass
class Curves:
    """One member's readings: a column per tag, a row per observation.

    Attributes:
        step: Generator iteration of each observation.
        seconds: Since the first of them.
        values: Tag to readings, ``None`` where there was none yet.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    values: dict[str, list[float | None]] = field(default_factory=dict)

    def final(self) -> dict[str, float | None]:
        """The last of each."""
        return {tag: column[-1] for tag, column in self.values.items()}


@final
class Readings(Periodic):
    """Divergences, losses, gradients, slopes and covered modes of every member by itself.

    The tags are those of the training command's callbacks, which write the members' mean.

    Arguments:
        every: Iterations between observations.
        n: Held-out points per side and member.
        samples: Generated points per member for the coverage of modes.
        estimators: As for :class:`~gans.Divergences`.
    """

    def __init__(
        self,
        every: int = 100,
        n: int = 256,
        samples: int = 2500,
        estimators: Sequence[Estimator] | None = None,
    ):
        super().__init__(every)
        for name, count in (("n", n), ("samples", samples)):
            if count < 1:
                raise ValueError(f"{name} = {count} must be at least 1 point")
        self.n, self.samples = n, samples
        self.divergences = Divergences(every, n, estimators)
        self._answers = Answers(rank_zero_warn)
        self._step: list[int] = []
        self._seconds: list[float] = []
        self._read: list[dict[str, list[float]]] = []

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        self.divergences.observe(trainer, module)
        values = (
            self.divergences.latest
            | self._players(module)
            | self._slopes(module)
            | modes_seen(module, self.samples, self._answers)
        )
        self._step.append(trainer.global_step)
        self._seconds.append(time.perf_counter())
        members = len(module.seeds)
        self._read.append({tag: v.expand(members).tolist() for tag, v in values.items()})

    def curves(self) -> list[Curves]:
        """What was read so far, one entry per member."""
        seconds = [at - self._seconds[0] for at in self._seconds]
        tags = dict.fromkeys(tag for read in self._read for tag in read)
        return [
            Curves(
                self._step,
                seconds,
                {tag: [r[tag][k] if tag in r else None for r in self._read] for tag in tags},
            )
            for k in range(len(self._read[0]["divergence/log2"]))
        ]

    def _players(self, module: AdversarialModule) -> dict[str, Tensor]:
        """Losses and gradient norms as the last iteration left them."""
        values = {f"generator/{tag}": read for tag, read in module.generator.readings().items()}
        _, fake, _ = held_out(module, self.n, "gradients")
        norms = {
            "generator": gradient_norms(module.generator.parameters()),
            "critic": gradient_norms(module.critic.parameters()),
            "input": input_gradient(module.critic, fake).norm(dim=-1).mean(-1),
        }
        values |= {f"gradient/{tag}": norm for tag, norm in norms.items() if norm is not None}
        if module.last is not None:
            values["loss/critic"] = module.last.critic_loss
            values["loss/generator"] = module.last.generator_loss
        return values

    def _slopes(self, module: AdversarialModule) -> dict[str, Tensor]:
        real, fake, streams = held_out(module, self.n, "audit")
        slopes = lipschitz_audit(module.critic, real, fake, streams)
        return {"critic/slope_max": slopes.amax(-1), "critic/slope_mean": slopes.mean(-1)}
