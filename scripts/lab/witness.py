"""What a game is watched by: its own reading, exact transport, a fresh opinion, its modes."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, final

import pytorch_lightning as pl
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.optim import Adam

from divergences.answers import Answers
from divergences.learned.base import Empirical
from divergences.learned.discriminators import Discriminator
from divergences.random_streams import Streams
from divergences.samples.earth_mover import EarthMover
from gans.callbacks import held_out
from gans.mode_metrics import ModeCoverage
from gans.modules import AdversarialModule
from gans.targets import Modes

POINTS, FEW = 4080, 480
"""Held-out points for critics, and how many of them exact transport is given; both in packs of 2
to 5."""


class Looks(pl.Callback):
    """Looks after the first generator step, when the critic is warm, and then every so often.

    What has been read goes into checkpoints, so that a run that is continued has all of it.

    Arguments:
        every: Generator iterations between looks.
    """

    NAMES: ClassVar[tuple[str, ...]]

    def __init__(self, every: int):
        self.every = every
        self.iterations: list[int] = []
        self._readings: list[Tensor] = []

    def is_due(self, iteration: int) -> bool:
        return iteration == 1 or iteration % self.every == 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if self.is_due(trainer.global_step):
            self.iterations.append(trainer.global_step)
            self._readings.append(self.look(pl_module))

    @abstractmethod
    def look(self, module: AdversarialModule) -> Tensor:
        """What is read now, of shape ``(names, members)``."""

    @property
    def readings(self) -> dict[str, Tensor]:
        """Each of ``NAMES``, of shape ``(members, looks)``."""
        return dict(zip(self.NAMES, torch.stack(self._readings, -1).unbind(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        return {"iterations": list(self.iterations), "readings": list(self._readings)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.iterations, self._readings = state_dict["iterations"], state_dict["readings"]


@final
class Witness(Looks):
    """Keeps, per member and look, what a game is judged by while it is played.

    ``own`` is what the players' own critic reads, ``transport`` exact transport between samples,
    ``fresh`` JS as a discriminator trained from scratch reads it, and ``pull`` the mean size of
    the pull that the generator's loss gives to its points. What has no answer is NaN.

    Arguments:
        every: Generator iterations between looks.
        fresh_steps: Training of the fresh discriminator.
    """

    NAMES = ("own", "transport", "fresh", "pull")

    def __init__(self, every: int, fresh_steps: int = 200):
        super().__init__(every)
        self.fresh_steps = fresh_steps
        self._answers = Answers()

    def look(self, module: AdversarialModule) -> Tensor:
        real, fake, _ = held_out(module, POINTS, "witness")
        with torch.no_grad():
            own = module.objective.estimate(module.scores(real), module.scores(fake)).value
        few, none = (real[:, :FEW], fake[:, :FEW]), torch.full((len(real),), math.nan)
        transport = self._answers("transport", lambda: EarthMover(floor=False)(*few).value, none)
        fresh = self._answers("fresh", lambda: self.fresh_js(real, fake, module.seeds), none)
        pull = pulls(module, fake[:, :FEW]).norm(dim=-1).mean(-1)
        return torch.stack([r.double() for r in (own, transport, fresh, pull)])

    def fresh_js(self, real: Tensor, fake: Tensor, seeds: Sequence[int]) -> Tensor:
        """JS from a discriminator of its own: trained on one half, read on the other."""
        discriminator = Discriminator(
            steps=self.fresh_steps, optimizer=partial(Adam, lr=3e-3, fused=True)
        )
        (x, x_held), (y, y_held) = real.chunk(2, dim=1), fake.chunk(2, dim=1)
        return discriminator.fit(Empirical(x), Empirical(y), seeds).estimate(x_held, y_held).value


@final
class ModesSeen(Looks):
    """Counts modes and samples of high quality; for targets with modes.

    Arguments:
        every: Generator iterations between looks.
        n: Generated points per member.
    """

    NAMES = ("covered_1", "covered_20", "high_quality")

    def __init__(self, every: int, n: int = 2500):
        super().__init__(every)
        self.n = n

    def look(self, module: AdversarialModule) -> Tensor:
        assert isinstance(module.target, Modes)
        streams = Streams(module.seeds, f"modes at {module.global_step}", ahead=1)
        metric = ModeCoverage.of(module.target)
        metric.update(points_of(module.generator, streams, self.n))
        read = metric.compute()
        return torch.stack([read[name].reshape(-1).double() for name in self.NAMES])


@torch.no_grad()
def points_of(generator: nn.Module, streams: Streams, n: int) -> Tensor:
    """What a generator makes when it is not learning: normalised as it has been on average."""
    learning = generator.training
    points = generator.eval().draw(streams, n)  # pyright: ignore
    generator.train(learning)
    return points


def pulls(module: AdversarialModule, points: Tensor) -> Tensor:
    """Where the generator's loss would move a generated point, per point: minus its gradient."""
    points = points.detach().requires_grad_(True)
    real = None
    if module.objective.pairs:
        real = module.scores(held_out(module, points.shape[1], "pulls")[0]).detach()
    loss = module.objective.generator_loss(module.scores(points), real)
    return -points.shape[1] * torch.autograd.grad(loss.sum(), points)[0]


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation over the looks, one per member."""
    rows = zip(a.numpy(), b.numpy(), strict=True)
    return torch.tensor([spearmanr(x, y).statistic for x, y in rows], dtype=torch.float64)  # pyright: ignore
