"""What a sweep measures of each member, at one cadence."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import pytorch_lightning as pl

from divergences import Estimator
from divergences.checks import whole_number
from gans.callbacks import Periodic
from gans.monitors import (
    CoveredModes,
    CriticSlope,
    DivergenceEstimates,
    Game,
    Monitor,
    PlayerGradients,
    value,
)
from gans.monitors.tags import LOG2


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
        self.monitors: tuple[Monitor, ...] = (
            DivergenceEstimates(n, estimators),
            PlayerGradients(n),
            CriticSlope(n),
            CoveredModes(whole_number("samples", samples)),
        )
        self._step: list[int] = []
        self._seconds: list[float] = []
        self._read: list[dict[str, list[float]]] = []

    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        found = {tag: r for monitor in self.monitors for tag, r in monitor.read(game).items()}
        self._step.append(trainer.global_step)
        self._seconds.append(time.perf_counter())
        members = len(game.seeds)
        self._read.append({tag: value(r).expand(members).tolist() for tag, r in found.items()})

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
            for k in range(len(self._read[0][LOG2]))
        ]
