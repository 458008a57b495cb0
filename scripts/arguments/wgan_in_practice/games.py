"""The games that are followed through training, and what is looked at on the way."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.optim import Adam, RMSprop

import gans
from divergences import MLP, EarthMover, LipschitzPenalty, SpectralNorm, WeightClipping
from gans.callbacks import InMemory
from gans.monitors import AdversarialGame, descent_at, held_out
from scripts.lab.jobs import CommonSettings
from scripts.lab.training import train
from scripts.lab.training_monitors import CriticAgainstTransport

SIDE, ARROWS, EXTENT, SHOWN = 28, 11, 1.6, 200
"""Resolution of the critic's surface, arrows along a side, half-width of the picture, points."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Generator iterations, how often to look, steps of the fresh discriminators, widths."""

    iterations: int = 240
    every: int = 20
    fresh_steps: int = 200
    hidden: tuple[int, ...] = (64, 64)
    last_points: int = 1500


PLANE: gans.Target = gans.Ring()
SPACE: gans.Target = gans.Embedded(gans.Ring(), 32)
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
GAMES: dict[str, tuple[float, Callable[..., gans.AdversarialModule]]] = {
    PENALTY: (45, partial(gans.WGAN, PLANE, LipschitzPenalty(10.0), **_CLOSE)),
    PENALTY_32: (48, partial(gans.WGAN, SPACE, LipschitzPenalty(10.0), **_CLOSE)),
    SPECTRAL_32: (45, partial(gans.WGAN, SPACE, SpectralNorm(), **_CLOSE)),
    CLIPPING: (30, partial(gans.WGAN, PLANE, WeightClipping(0.01), **_CLIPPED)),
    SATURATING: (35, partial(gans.VanillaGAN, PLANE, gans.Saturating(), **_CLOSE)),
    USUAL: (25, partial(gans.VanillaGAN, PLANE, gans.NonSaturating(), critic_optimizer=_SLOW)),
}
"""Name to (nominal seconds, what makes the module)."""


@final
class Film(pl.Callback):
    """Keeps a picture of the first member with each measurement."""

    def __init__(self, measured: InMemory):
        self.measured = measured
        self.frames: list[dict[str, list[Any]]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if self.measured.is_due(trainer.global_step):
            self.frames.append(frame(pl_module, held_out(pl_module, SHOWN, "film")[1]))


@torch.no_grad()
def frame(module: gans.AdversarialModule, fake: Tensor) -> dict[str, list[Any]]:
    """The first member's points, its critic's scores on a lattice, and what pulls there.

    Of more than two dimensions: the plane of the first two, in which the ring lies.
    """
    members, more = len(module.seeds), fake.shape[-1] - 2

    def lattice(count: int) -> Tensor:
        along = torch.linspace(-EXTENT, EXTENT, count)
        rows = torch.cartesian_prod(along, along).flip(-1)  # the first coordinate runs fastest
        return pad(rows, (0, more)).expand(members, -1, -1)

    with torch.enable_grad():
        arrows = descent_at(AdversarialGame(module), lattice(ARROWS))
    return {
        "samples": fake[0, :, :2].tolist(),
        "surface": module.scores(lattice(SIDE))[0].tolist(),
        "arrows": arrows[0, :, :2].tolist(),
        "points": lattice(ARROWS)[0, :, :2].tolist(),
    }


def follow(
    folder: str, game: Callable[..., gans.AdversarialModule], seeds: int, settings: Settings
) -> dict[str, Any]:
    """Train and measure; readings are of shape ``(members, looks)``."""
    module = game(
        generator=partial(gans.NoiseGenerator, hidden=settings.hidden),
        critic=partial(MLP, hidden=settings.hidden),
        generator_optimizer=_SLOW,
        seeds=range(seeds),
        iterations=settings.iterations,
    )
    measured = InMemory(CriticAgainstTransport(settings.fresh_steps), settings.every, first=True)
    film = Film(measured)
    train(module, folder, measured, film)
    real, fake, streams = held_out(module, settings.last_points, "last")
    again = module.target.draw(streams, settings.last_points)
    exact = EarthMover(floor=False)
    with torch.no_grad():
        dual = module.objective.estimate(module.scores(real), module.scores(fake)).value
    return {
        "iterations": measured.iterations,
        "frames": film.frames,
        **measured.readings,
        "last": {
            "own": dual.double(),
            "transport": exact(real, fake).value.double(),
            "floor": exact(real, again).value.double(),
        },
    }
