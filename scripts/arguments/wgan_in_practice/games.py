"""The games that are followed through training, and what is looked at on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Adam, RMSprop

from divergences.learned import Empirical
from divergences.lipschitz import LipschitzPenalty, SpectralNorm, WeightClipping
from divergences.networks import MLP
from divergences.neural import Discriminator
from divergences.transport import EarthMover
from gans.callbacks import held_out
from gans.modules import WGAN, AdversarialModule, VanillaGAN
from gans.networks import NoiseGenerator
from gans.objectives import NonSaturating, Saturating
from gans.targets import Embedded, Ring, Target
from scripts.lab import train

POINTS, FEW = 4096, 500
"""Held-out points for critics, and how many of them exact transport is given."""
SIDE, ARROWS, EXTENT = 28, 11, 1.6
"""Resolution of the critic's surface, arrows along a side, half-width of the picture."""


@dataclass(frozen=True)
class Settings:
    """Generator iterations, how often to look, steps of the fresh discriminators, widths."""

    iterations: int = 240
    every: int = 20
    fresh_steps: int = 200
    hidden: tuple[int, ...] = (64, 64)
    last_points: int = 1500


PLANE: Target = Ring()
SPACE: Target = Embedded(Ring(), 32)
_CRITIC = partial(Adam, lr=1e-3, betas=(0.0, 0.9), fused=True)
_SLOW = partial(Adam, lr=2e-4, betas=(0.5, 0.9), fused=True)
_CLOSE = {"n_critic": 10, "warmup": 600, "critic_optimizer": _CRITIC}
"""A critic that is kept close to its optimum."""
_CLIPPED = {"n_critic": 5, "warmup": 600, "critic_optimizer": partial(RMSprop, lr=5e-5)}

PENALTY = "WGAN, one-sided penalty"
PENALTY_32 = "WGAN, one-sided penalty, 32-D"
SPECTRAL_32 = "WGAN, spectral norm, 32-D"
CLIPPING = "WGAN, clipping at .01"
SATURATING = "GAN, saturating, D kept close to its optimum"
USUAL = "GAN, -log D, one D step"
GAMES: dict[str, tuple[float, Callable[..., AdversarialModule]]] = {
    PENALTY: (45, partial(WGAN, PLANE, LipschitzPenalty(10.0), **_CLOSE)),
    PENALTY_32: (48, partial(WGAN, SPACE, LipschitzPenalty(10.0), **_CLOSE)),
    SPECTRAL_32: (45, partial(WGAN, SPACE, SpectralNorm(), **_CLOSE)),
    CLIPPING: (30, partial(WGAN, PLANE, WeightClipping(0.01), **_CLIPPED)),
    SATURATING: (35, partial(VanillaGAN, PLANE, Saturating(), **_CLOSE)),
    USUAL: (25, partial(VanillaGAN, PLANE, NonSaturating(), critic_optimizer=_SLOW)),
}
"""Name to (nominal seconds, what makes the module)."""


class Witness(pl.Callback):
    """Looks after the first generator step, when the critic is warm, and then every so often.

    Each look keeps, per member: what the players' own critic reads, exact transport between
    samples, JS as a discriminator trained from scratch reads it, the mean size of the gradient
    that the generator's loss gives to its points; and of the first member a picture.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.iterations: list[int] = []
        self.readings: list[Tensor] = []
        self.frames: list[dict[str, list[Any]]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == 1 or trainer.global_step % self.settings.every == 0:
            self.iterations.append(trainer.global_step)
            self.look(pl_module)

    def look(self, module: AdversarialModule) -> None:
        real, fake, _ = held_out(module, POINTS, "witness")
        with torch.no_grad():
            own = module.objective.estimate(module.scores(real), module.scores(fake)).value
        transport = EarthMover(floor=False)(real[:, :FEW], fake[:, :FEW]).value
        fresh = self.fresh_js(real, fake, module.seeds)
        pull = pulls(module, fake[:, :FEW]).norm(dim=-1).mean(-1)
        self.readings.append(torch.stack([r.double() for r in (own, transport, fresh, pull)]))
        if fake.shape[-1] == 2:
            self.frames.append(frame(module, fake))

    def fresh_js(self, real: Tensor, fake: Tensor, seeds: Sequence[int]) -> Tensor:
        """JS from a discriminator of its own: trained on one half, read on the other."""
        discriminator = Discriminator(
            steps=self.settings.fresh_steps, optimizer=partial(Adam, lr=3e-3, fused=True)
        )
        (x, x_held), (y, y_held) = real.chunk(2, dim=1), fake.chunk(2, dim=1)
        return discriminator.fit(Empirical(x), Empirical(y), seeds).estimate(x_held, y_held).value


def pulls(module: AdversarialModule, points: Tensor) -> Tensor:
    """Where the generator's loss would move a generated point, per point: minus its gradient."""
    points = points.detach().requires_grad_(True)
    loss = points.shape[1] * module.objective.generator_loss(module.scores(points)).sum()
    return -torch.autograd.grad(loss, points)[0]


@torch.no_grad()
def frame(module: AdversarialModule, fake: Tensor) -> dict[str, list[Any]]:
    """The first member's points, its critic's scores on a lattice, and what pulls there."""
    members = len(module.seeds)

    def lattice(count: int) -> Tensor:
        along = torch.linspace(-EXTENT, EXTENT, count)
        rows = torch.cartesian_prod(along, along).flip(-1)  # the first coordinate runs fastest
        return rows.expand(members, -1, -1)

    with torch.enable_grad():
        arrows = pulls(module, lattice(ARROWS))
    return {
        "samples": fake[0, :250].tolist(),
        "surface": module.scores(lattice(SIDE))[0].tolist(),
        "arrows": arrows[0].tolist(),
        "points": lattice(ARROWS)[0].tolist(),
    }


def follow(
    folder: str, game: Callable[..., AdversarialModule], seeds: int, settings: Settings
) -> dict[str, Any]:
    """Train under a witness; readings are of shape ``(members, looks)``."""
    module = game(
        generator=partial(NoiseGenerator, hidden=settings.hidden),
        critic=partial(MLP, hidden=settings.hidden),
        generator_optimizer=_SLOW,
        seeds=range(seeds),
        iterations=settings.iterations,
    )
    witness = Witness(settings)
    train(module, folder, witness)
    own, transport, fresh, pull = torch.stack(witness.readings, -1).unbind()
    real, fake, streams = held_out(module, settings.last_points, "last")
    again = module.target.draw(streams, settings.last_points)
    exact = EarthMover(floor=False)
    with torch.no_grad():
        dual = module.objective.estimate(module.scores(real), module.scores(fake)).value
    return {
        "iterations": witness.iterations,
        "frames": witness.frames,
        "own": own,
        "transport": transport,
        "fresh": fresh,
        "pull": pull,
        "last": {
            "own": dual.double(),
            "transport": exact(real, fake).value.double(),
            "floor": exact(real, again).value.double(),
        },
    }
