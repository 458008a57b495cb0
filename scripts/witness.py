"""What a game is watched by: its own reading, exact transport, a fresh opinion, its modes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, final

import pytorch_lightning as pl
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.optim import Adam

from divergences.learned import Empirical
from divergences.neural import Discriminator
from divergences.streams import Streams
from divergences.transport import EarthMover
from gans.callbacks import held_out
from gans.metrics import ModeCoverage
from gans.modules import AdversarialModule
from gans.targets import Modes

POINTS, FEW = 4080, 480
"""Held-out points for critics, and how many of them exact transport is given; both in packs of 2
to 5."""
MODES_SEEN = ("covered_1", "covered_20", "high_quality")


@final
class Witness(pl.Callback):
    """Looks after the first generator step, when the critic is warm, and then every so often.

    Each look keeps, per member: what the players' own critic reads, exact transport between
    samples, JS as a discriminator trained from scratch reads it, and the mean size of the pull
    that the generator's loss gives to its points.

    Arguments:
        every: Generator iterations between looks.
        fresh_steps: Training of the fresh discriminator.
    """

    def __init__(self, every: int, fresh_steps: int = 200):
        self.every, self.fresh_steps = every, fresh_steps
        self.iterations: list[int] = []
        self._readings: list[Tensor] = []

    def is_due(self, iteration: int) -> bool:
        return iteration == 1 or iteration % self.every == 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if self.is_due(trainer.global_step):
            self.iterations.append(trainer.global_step)
            self.look(pl_module)

    def look(self, module: AdversarialModule) -> None:
        real, fake, _ = held_out(module, POINTS, "witness")
        with torch.no_grad():
            own = module.objective.estimate(module.scores(real), module.scores(fake)).value
        transport = EarthMover(floor=False)(real[:, :FEW], fake[:, :FEW]).value
        fresh = self.fresh_js(real, fake, module.seeds)
        pull = pulls(module, fake[:, :FEW]).norm(dim=-1).mean(-1)
        self._readings.append(torch.stack([r.double() for r in (own, transport, fresh, pull)]))

    def fresh_js(self, real: Tensor, fake: Tensor, seeds: Sequence[int]) -> Tensor:
        """JS from a discriminator of its own: trained on one half, read on the other."""
        discriminator = Discriminator(
            steps=self.fresh_steps, optimizer=partial(Adam, lr=3e-3, fused=True)
        )
        (x, x_held), (y, y_held) = real.chunk(2, dim=1), fake.chunk(2, dim=1)
        return discriminator.fit(Empirical(x), Empirical(y), seeds).estimate(x_held, y_held).value

    @property
    def readings(self) -> dict[str, Tensor]:
        """``own``, ``transport``, ``fresh`` and ``pull``, each of shape ``(members, looks)``."""
        names = ("own", "transport", "fresh", "pull")
        return dict(zip(names, torch.stack(self._readings, -1).unbind(), strict=True))


@final
class ModesSeen(pl.Callback):
    """Counts modes after the first generator step and then every so often; targets with modes.

    Arguments:
        every: Generator iterations between looks.
        n: Generated points per member.
    """

    def __init__(self, every: int, n: int = 2500):
        self.every, self.n = every, n
        self.iterations: list[int] = []
        self._readings: list[Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == 1 or trainer.global_step % self.every == 0:
            self.iterations.append(trainer.global_step)
            self._readings.append(self.look(pl_module))

    def look(self, module: AdversarialModule) -> Tensor:
        assert isinstance(module.target, Modes)
        streams = Streams(module.seeds, f"modes at {module.global_step}", ahead=1)
        metric = ModeCoverage.of(module.target)
        metric.update(points_of(module.generator, streams, self.n))
        read = metric.compute()
        return torch.stack([read[name].reshape(-1).double() for name in MODES_SEEN])

    @property
    def readings(self) -> dict[str, Tensor]:
        """``covered_1``, ``covered_20`` and ``high_quality``, of shape ``(members, looks)``."""
        return dict(zip(MODES_SEEN, torch.stack(self._readings, -1).unbind(), strict=True))


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
