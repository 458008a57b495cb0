"""Games on scikit-learn's digits, and what is measured while they are played."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Adam

import divergences as dv
import gans
from divergences.learned.sources import Empirical
from gans.callbacks import InMemory
from gans.monitors import Game, Monitor, Readings, critic_value, held_out
from gans.monitors.picture_quality import copies, pictures_of_training
from gans.networks import points_of
from scripts.arguments.vanishing_gradient import along_training
from scripts.lab.fixed_generator import Pair
from scripts.lab.jobs import CommonSettings
from scripts.lab.mode_table_settings.stacked_digits import DIGITS
from scripts.lab.training import quiet_trainer

NOISE = 0.5
"""Standard deviation of the noise on each pixel under which supports overlap."""
PLANE = 16
"""Dimension of the subspace of the pair that is known to be disjoint."""
SHOWN = 12
"""Pictures of the first seed that are kept at each look."""
POOL = 4096
"""Pictures per side and member that fresh discriminators are trained on."""
WARM = 100
"""Steps of a critic before the generator's first, as in the released code of WGAN."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How long games, opponents and fresh discriminators train.

    Attributes:
        iterations: Of the WGAN.
        gan_iterations: Of the GAN, which takes one step of the critic where the WGAN takes five.
        count: Looks at each game behind the first.
        fresh_steps: Of the fresh discriminators.
        transported: Pictures per side that exact transport is given.
        steps: Of opponents of a generator that stands still.
        looks: At the gradient through them.
        points: Generated pictures under each of these looks.
        stacked: Iterations on three digits at once.
        counted: Pictures whose combinations are counted.
        channels: Of the generator's convolutions.
        hidden: Widths of critics and discriminators.
    """

    iterations: int = 480
    gan_iterations: int = 960
    count: int = 6
    fresh_steps: int = 300
    transported: int = 300
    steps: int = 600
    looks: int = 20
    points: int = 512
    stacked: int = 1000
    counted: int = 5000
    channels: tuple[int, ...] = (32, 16)
    hidden: tuple[int, ...] = (128, 128)


@cache
def digits() -> gans.Images:
    return gans.Images("digits")


def as_made(points: Tensor, streams: dv.Streams) -> Tensor:
    return points


def rounded(points: Tensor, streams: dv.Streams) -> Tensor:
    return digits().rounded(points)


def noisy(points: Tensor, streams: dv.Streams) -> Tensor:
    return points + NOISE * streams.randn(*points.shape[1:])


VIEWS = {"js": as_made, "js_rounded": rounded, "js_noisy": noisy}


@torch.enable_grad()
def views_of(
    training: Sequence[Tensor], held: Sequence[Tensor], seeds: Sequence[int], settings: Settings
) -> dict[str, Tensor]:
    """JS by fresh discriminators in each view, one number per member.

    Arguments:
        training: What discriminators are trained on: digits of training, each several times with
            new dequantisation, and generated pictures.
        held: What they are judged on: held-out digits, and other generated pictures.
        seeds: One per member.
        settings: How long discriminators train.
    """
    adam = partial(Adam, lr=1e-3, fused=True)
    common: Any = {"hidden": settings.hidden, "optimizer": adam, "cooldown": 0.5}
    found = {}
    for name, view in VIEWS.items():
        streams = dv.Streams(seeds, name, ahead=1)
        real, fake = (Empirical(view(points, streams)) for points in training)
        fit = dv.Discriminator(steps=settings.fresh_steps, **common).fit(real, fake, seeds)
        sides = [view(points, streams) for points in held]
        found[name] = fit.estimate(*sides).value.double()
    return found


@final
class FreshViews(Monitor):
    """The critic's own value beside exact transport and JS of fresh discriminators.

    ``own`` is what the game's critic measures on held-out digits and ``own_training`` on those of
    training. ``transport`` is exact transport between held-out and generated pictures. Its
    ``excess`` is what is left of it without half of that between two samples of either law, which
    has mean 0 where the laws are equal.

    References:
        | Faster Wasserstein Distance Estimation with the Sinkhorn Divergence (Chizat et al., 2020)
        | https://arxiv.org/abs/2006.08172

    Arguments:
        settings: How many pictures and steps.
    """

    def __init__(self, settings: Settings):
        self.settings = settings

    @torch.no_grad()
    def read(self, game: Game) -> Readings:
        law, streams = digits(), game.streams("views")
        n, few = len(law.kept_back), self.settings.transported
        held, real = game.real(n, streams), game.again(POOL, streams)
        fake, again, pool = game.fake(2 * n + POOL, streams).split([n, n, POOL], 1)
        transport = dv.EarthMover(floor=False)
        between, *within = (
            transport(a[:, :few], b[:, :few]).value.double()
            for a, b in ((held, fake), (held, real), (fake, again))
        )
        return {
            "own": critic_value(game, held, fake).value.double(),
            "own_training": critic_value(game, real, fake).value.double(),
            "transport": between,
            "excess": between - sum(within) / 2,
            "pictures": fake[:, :SHOWN],
            **views_of((real, pool), (held, again), game.seeds, self.settings),
        }


def disjoint(seeds: Sequence[int], settings: Settings) -> dict[str, Tensor]:
    """What fresh discriminators find between digits and their projections to a subspace.

    Dequantised digits have a density and a subspace has no volume: JS is log 2, exactly.
    """
    law, streams = digits(), dv.Streams(seeds, "disjoint")
    middle = law.points.mean(0)
    axes = torch.linalg.svd(law.points - middle, full_matrices=False)[2][:PLANE]

    def flat(points: Tensor) -> Tensor:
        return (points - middle) @ axes.T @ axes + middle

    real, others = law.draw(streams, 2 * POOL).chunk(2, 1)
    held, flattened = law.held_out(streams, len(law.kept_back)).chunk(2, 1)
    return views_of((real, flat(others)), (held, flat(flattened)), seeds, settings)


def wgan(**more: Any) -> gans.AdversarialModule:
    adam = partial(Adam, betas=(0.0, 0.9), fused=True)
    return gans.WGAN(
        digits(),
        dv.LipschitzPenalty(10.0),
        critic_optimizer=partial(adam, lr=2e-3),
        generator_optimizer=partial(adam, lr=1e-3),
        warmup=WARM,
        **more,
    )


def gan(**more: Any) -> gans.AdversarialModule:
    adam = partial(Adam, lr=3e-4, betas=(0.5, 0.999), fused=True)
    return gans.VanillaGAN(digits(), generator_optimizer=adam, critic_optimizer=adam, **more)


def networks(settings: Settings, seeds: Sequence[int], iterations: int) -> dict[str, Any]:
    """What both games have in common.

    Without batch normalisation in the generator the GAN learns next to nothing in this time.
    """
    network = partial(gans.UpConvolutions, shape=digits().image_shape)
    return {
        "generator": partial(
            gans.NoiseGenerator, latent=32, hidden=settings.channels, network=network
        ),
        "critic": partial(dv.MLP, hidden=settings.hidden, activation=torch.nn.LeakyReLU),
        "batch_size": 64,
        "seeds": seeds,
        "iterations": iterations,
    }


def follow(
    game: Callable[..., gans.AdversarialModule],
    iterations: int,
    seeds: Sequence[int],
    settings: Settings,
) -> dict[str, Any]:
    """Train and measure; readings are of shape ``(members, looks)``."""
    module = game(**networks(settings, seeds, iterations))
    every = max(1, iterations // settings.count)
    views = InMemory(FreshViews(settings), every, first=True)
    quiet_trainer(callbacks=[views]).fit(module)
    law, found = digits(), dict(views.readings)
    real, fake = (law.rounded(points) for points in held_out(module, 600, "last")[:2])
    return {
        "iterations": views.iterations,
        "shown": found.pop("pictures")[0].movedim(-1, 0),
        **found,
        "precision": dv.Precision()(real, fake).value.double(),
        "recall": dv.Recall()(real, fake).value.double(),
        "copies": torch.stack([copies(one, pictures_of_training(law)) for one in fake]),
    }


def standing_still(epochs: int, seeds: Sequence[int], settings: Settings) -> dict[str, Tensor]:
    """The gradient of a generator that a GAN has trained for so long, through new opponents."""
    batches = math.ceil(len(digits().points) / 64)
    module = gan(**networks(settings, seeds, epochs * batches))
    quiet_trainer().fit(module)
    pair = Pair(digits(), module.generator.eval(), module.generator)
    common: Any = {"steps": settings.steps, "hidden": settings.hidden}
    through = {
        "discriminator": (dv.Discriminator(**common), gans.Saturating()),
        "critic": (dv.Critic(constraint=dv.LipschitzPenalty(10.0), **common), gans.Wasserstein()),
    }
    return {
        name: along_training(opponent, objective, pair, seeds, settings)["norm"]  # pyright: ignore
        for name, (opponent, objective) in through.items()
    }


def stacked(row: str, seeds: Sequence[int], settings: Settings) -> dict[str, Tensor]:
    """Combinations of three digits among generated pictures, counted twice on different noise."""
    module = DIGITS.module(row, "stacked_digits", seeds, settings.stacked)
    quiet_trainer().fit(module)
    streams, digits = dv.Streams(seeds, "stacked"), DIGITS.mixtures["stacked_digits"]
    counted, again = (
        digits.judged(points_of(module.generator, streams, settings.counted)) for _ in range(2)
    )
    names = {"modes": "covered_1", "recognised": "high_quality"}
    found = {ours: counted[name].double() for ours, name in names.items()}
    return found | {"again": again["covered_1"].double()}
