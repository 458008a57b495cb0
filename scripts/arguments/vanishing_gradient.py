r"""The better the discriminator, the smaller the generator's gradient.

A generator is held fixed and a discriminator trained against it; now and then the generator's
gradient through it is looked at, on the same noise each time. Where the two supports cannot
overlap, on curves in the plane or in 32 dimensions, the saturating gradient falls like a power of
the steps. Where they do overlap it settles: it is then the gradient of a JS that is not flat.

Source: Towards Principled Methods for Training Generative Adversarial Networks (Arjovsky &
Bottou, 2017), Theorem 2.4 and Figure 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import SGD, Adam

from divergences import MLP, Critic, Discriminator, SpectralNorm, Streams
from divergences.learned.base import Learned
from divergences.networks.layers import member_norms
from gans import NoiseGenerator, Objective, Ring, Saturating, VanillaGAN, Wasserstein
from scripts.lab.claims import QUALIFIED, Check, Claim, Findings, means
from scripts.lab.fixed_generator import (
    Pair,
    blurred,
    generator_gradient,
    geometric_band,
    looks,
    random_generator,
    random_generator_32,
    segments,
)
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, legends
from scripts.lab.training import quiet_trainer

SOURCE = "Arjovsky & Bottou 2017, arXiv 1701.04862"
SEEDS = 8  # at least
ORDERS = 2.0
"""Decades that "falls by orders of magnitude", in the plural, stands for."""
SEGMENTS = "segments, theta = 1"
PLAIN = "segments, plain SGD on D"
RING = "random generator, ring"
RING_32 = "random generator, ring in R^32"
PRETRAINED = "pretrained generator, ring"
BLURRED = "random generator, ring, both with noise"
CRITIC = "critic, random generator, ring"


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How long the opponents train.

    Attributes:
        steps: Of the discriminator or critic.
        pretraining: Iterations of the GAN that makes the pretrained generator.
        looks: How often the gradient is looked at, at log-spaced steps.
        points: Fake points under each look.
    """

    steps: int = 3000
    pretraining: int = 1000
    looks: int = 36
    points: int = 1024


PROFILES = {"quick": Settings(), "paper": Settings(steps=20_000, pretraining=8000, looks=60)}


def along_training(
    opponent: Learned, objective: Objective, pair: Pair, seeds: Sequence[int], settings: Settings
) -> dict[str, Tensor]:
    """Norm of the generator's gradient at each look, ``(seeds, looks)``, and the last reading.

    The reading is what the opponent says on fresh points at the end: JS or W1, ``(seeds,)``.
    """
    at, seen = set(looks(settings.steps, settings.looks)), []

    def observe(step: int, network: nn.Module) -> None:
        if step in at:
            again = Streams(seeds, "look")  # the same points at every look
            found = generator_gradient(
                network, pair, objective.generator_loss, again, settings.points
            )
            seen.append(member_norms(found).double())

    pair.generator.requires_grad_(False)
    fit = opponent.fit(pair.real, pair.fake, seeds, observe)
    reading = fit.held_out(pair.real, pair.fake).value
    return {"norm": torch.stack(seen, -1), "reading": reading.double()}


def against_discriminator(
    make: Callable[[Sequence[int]], Pair],
    optimizer: Callable[..., torch.optim.Optimizer],
    seeds: Sequence[int],
    settings: Settings,
) -> dict[str, Tensor]:
    opponent = Discriminator(steps=settings.steps, optimizer=optimizer)
    return along_training(opponent, Saturating(), make(seeds), seeds, settings)


def against_critic(seeds: Sequence[int], settings: Settings) -> dict[str, Tensor]:
    opponent = Critic(steps=settings.steps, constraint=SpectralNorm())
    return along_training(opponent, Wasserstein(), random_generator(seeds), seeds, settings)


def after_pretraining(seeds: Sequence[int], settings: Settings) -> dict[str, Tensor]:
    """The same against generators that a GAN has first trained on the ring."""
    adam = partial(Adam, lr=1e-3, betas=(0.5, 0.9), fused=True)
    game = VanillaGAN(
        target=Ring(),
        generator=partial(NoiseGenerator, hidden=(64, 64)),
        critic=partial(MLP, hidden=(64, 64)),
        generator_optimizer=adam,
        critic_optimizer=adam,
        iterations=settings.pretraining,
        seeds=seeds,
    )
    quiet_trainer().fit(game)
    pair = Pair(Ring(), game.generator, game.generator)
    opponent = Discriminator(steps=settings.steps)
    return along_training(opponent, Saturating(), pair, seeds, settings)


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = range(max(settings.seeds, SEEDS))
    adam, sgd = partial(Adam, lr=1e-3, fused=True), partial(SGD, lr=0.1)
    return {
        PRETRAINED: Job(18, after_pretraining, seeds, settings),
        CRITIC: Job(18, against_critic, seeds, settings),
        RING_32: Job(14, against_discriminator, random_generator_32, adam, seeds, settings),
        RING: Job(10, against_discriminator, random_generator, adam, seeds, settings),
        BLURRED: Job(11, against_discriminator, blurred, adam, seeds, settings),
        SEGMENTS: Job(8, against_discriminator, segments, adam, seeds, settings),
        PLAIN: Job(8, against_discriminator, segments, sgd, seeds, settings),
    }


def judge(seen: Results, settings: Settings) -> Findings:
    """Claim ``vanishing``."""
    steps = looks(settings.steps, settings.looks)
    return Findings(
        claims=[vanishing_claim(seen, steps)],
        figures={"vanishing_gradient": vanishing_figure(seen, steps)},
        tables={"vanishing_gradient": by_case(seen, steps)},
    )


def fallen(norms: Tensor) -> Tensor:
    """Decades from the largest to the last look, per seed."""
    return (norms.amax(-1) / norms[:, -1]).log10()


def exponent(norms: Tensor, steps: Sequence[int]) -> Tensor:
    """Least-squares slope of log norm against log step over the last decade, per seed."""
    at = torch.tensor(steps, dtype=torch.float64)
    late = at >= at[-1] / 10
    x, y = at[late].log(), norms[:, late].log()
    x = x - x.mean()
    return (y * x).sum(-1) / x.square().sum()


FALL = "decades from its peak to the last step, geometric mean of seeds"


def orders_check(name: str, seen: Results) -> Check:
    fall = fallen(seen[name]["norm"])
    return Check.at_least(f"{name}: {FALL}", ORDERS, fall)


def vanishing_claim(seen: Results, steps: Sequence[int]) -> Claim:
    power = exponent(seen[PLAIN]["norm"], steps)
    what = f"{PLAIN}: exponent over the last decade of steps"
    pretrained, js = fallen(seen[PRETRAINED]["norm"]), seen[PRETRAINED]["reading"]
    return Claim(
        id="vanishing",
        source=f"{SOURCE}, Theorem 2.4 and Figure 2; the exponent: Soudry et al. 2018, "
        "arXiv 1710.10345, and Lyu & Li 2020, arXiv 1906.05890",
        statement="With the generator fixed and the discriminator in training, the gradient of "
        "the saturating loss falls by orders of magnitude.",
        expected=QUALIFIED,
        equation=r"\| \nabla_\theta E_z \log(1 - D(g_\theta(z))) \| \le M \frac{\epsilon}"
        r"{1 - \epsilon}",
        checks=[
            *[orders_check(name, seen) for name in (RING, RING_32, SEGMENTS)],
            Check.at_most(what, -0.9, power),
            Check.at_least(what, -1.3, power),
        ],
        controls=[orders_check(name, seen) for name in (BLURRED, CRITIC)],
        limits=[Check.at_most(f"{PRETRAINED}: {FALL}", ORDERS, pretrained)],
        n_seeds=len(pretrained),
        figure="vanishing_gradient",
        note='"Orders of magnitude" is read as two decades or more. On separable data the '
        "logistic loss falls as 1 / steps under gradient descent, up to logarithms, and this "
        "gradient with it: there is no half-life, and decades per thousand steps depend on which "
        "thousand. A generator that has learnt part of the ring may overlap it in the plane, and "
        "then the discriminator cannot win: from seed to seed the gradient falls by "
        f"{pretrained.min():.1f} to {pretrained.max():.1f} decades, by "
        f"{pretrained[js.argmin()]:.1f} where the JS read at the end is least, {js.min():.3f}, "
        f"and by {pretrained[js.argmax()]:.1f} where it is most, {js.max():.3f}.",
    )


def by_case(seen: Results, steps: Sequence[int]) -> list[dict[str, Any]]:
    """A row per experiment, geometric means over seeds but for the reading."""
    norms = {name: found["norm"] for name, found in seen.items()}
    falls = {name: fallen(norm) for name, norm in norms.items()}
    return [
        {
            "case": name,
            "steps": steps[-1],
            "peak": float(norm.amax(-1).log().mean().exp()),
            "last": float(norm[:, -1].log().mean().exp()),
            "decades": float(falls[name].mean()),
            "decades_min": float(falls[name].min()),
            "decades_max": float(falls[name].max()),
            "exponent": float(exponent(norm, steps).mean()),
            **means(seen[name], "reading"),
        }
        for name, norm in norms.items()
    ]


@captioned
def vanishing_figure(seen: Results, steps: Sequence[int]) -> Figure:
    """Left: the gradient falls as the discriminator is trained, where the distributions do not
    overlap. Right: it stays where they do, or through a critic.
    """
    figure, (dying, staying) = drawing(9.6, 4.4, 1, 2, sharey=True)
    for axes, curves in (
        (dying, {RING: Colour.JS, RING_32: Colour.FIRST, SEGMENTS: Colour.TRAP}),
        (staying, {PRETRAINED: Colour.JS, BLURRED: Colour.TRAP, CRITIC: Colour.W1}),
    ):
        for name, colour in curves.items():
            geometric_band(axes, steps, seen[name]["norm"], colour, name)
        axes.set(xlabel="training steps of the opponent", xscale="log", yscale="log")
    plain = seen[PLAIN]["norm"]
    geometric_band(dying, steps, plain, Colour.TRAP, PLAIN, "--")
    late = torch.tensor([step for step in steps if step >= 30])
    line = 2 * plain[:, -1].log().mean().exp() * steps[-1] / late
    dying.plot(late, line, color=Colour.EXACT, lw=1, ls=":", label="slope of 1 / steps")
    dying.set(ylabel="norm of the generator's gradient", title="No overlap: it vanishes")
    staying.set(title="Overlap, or a critic: it can stay")
    legends(dying, staying, loc="lower left")
    return figure
