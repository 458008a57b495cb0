"""Where a generator with the single parameter theta ends up under each game."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.optim import SGD, Adam, RMSprop

from divergences import GradientPenalty, LipschitzPenalty, SpectralNorm, WeightClipping
from gans import WGAN, AdversarialModule, NonSaturating, Saturating, SegmentGenerator, VanillaGAN
from scripts.arguments.segments.common import HOME, SOURCE, Settings
from scripts.lab.claims import FAILS, Check, Claim, Findings, in_table
from scripts.lab.jobs import Job, Results
from scripts.lab.plotting import Colour, captioned, drawing
from scripts.lab.training import train

SEEDS = 8
START = 1.0

OPTIMAL = "saturating, D kept optimal"
ONE_STEP = "saturating, 1 D step"
FIVE_STEPS = "saturating, 5 D steps"
ADAM = "saturating, D kept optimal, Adam on theta"
NON_SATURATING = "non-saturating, 5 D steps"
ONE_SIDED = "WGAN, one-sided penalty"
TWO_SIDED = "WGAN, two-sided penalty"
SPECTRAL = "WGAN, spectral norm"
CLIP_SGD = "WGAN, clipping, SGD on theta"
CLIP_RMS = "WGAN, clipping, RMSprop on theta"

_D = partial(Adam, lr=1e-3, fused=True)
# a critic must follow a moving generator: with momentum theta circles 0 at a distance of .05
_CRITIC = partial(Adam, lr=1e-3, betas=(0.0, 0.9), fused=True)
_SATURATING = partial(VanillaGAN, objective=Saturating(), critic_optimizer=_D)
_WGAN = partial(WGAN, critic_optimizer=_CRITIC, generator_optimizer=partial(SGD, lr=0.01))
_CLIP = partial(WGAN, constraint=WeightClipping(0.01))
_SGD = partial(SGD, lr=0.05)

GAMES: dict[str, tuple[float, Callable[..., AdversarialModule]]] = {
    OPTIMAL: (40, partial(_SATURATING, warmup=3000, n_critic=25, generator_optimizer=_SGD)),
    FIVE_STEPS: (8, partial(_SATURATING, n_critic=5, generator_optimizer=_SGD)),
    ONE_STEP: (4, partial(_SATURATING, n_critic=1, generator_optimizer=_SGD)),
    ADAM: (
        40,
        partial(_SATURATING, warmup=3000, n_critic=25, generator_optimizer=partial(Adam, lr=0.01)),
    ),
    NON_SATURATING: (
        8,
        partial(
            VanillaGAN,
            objective=NonSaturating(),
            critic_optimizer=_D,
            n_critic=5,
            generator_optimizer=partial(SGD, lr=0.005),
        ),
    ),
    ONE_SIDED: (14, partial(_WGAN, constraint=LipschitzPenalty(10.0))),
    TWO_SIDED: (14, partial(_WGAN, constraint=GradientPenalty(10.0))),
    SPECTRAL: (14, partial(_WGAN, constraint=SpectralNorm())),
    CLIP_SGD: (8, partial(_CLIP, generator_optimizer=_SGD)),
    CLIP_RMS: (8, partial(_CLIP, generator_optimizer=partial(RMSprop, lr=5e-3))),
}
"""Name to (nominal seconds, what makes the module)."""


class Trajectory(pl.Callback):
    """Keeps theta after every generator iteration."""

    def __init__(self) -> None:
        self.thetas: list[Tensor] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.thetas.append(pl_module.generator.theta.detach().clone())


def walk(folder: str, game: Callable[..., AdversarialModule], iterations: int) -> Tensor:
    """Train theta from 1; where it was, shape ``(seeds, iterations + 1)``."""
    module = game(
        target=HOME,
        generator=partial(SegmentGenerator, theta=START),
        seeds=range(SEEDS),
        iterations=iterations,
    )
    trajectory = Trajectory()
    train(module, folder, trajectory)
    return torch.stack([torch.full((SEEDS,), START), *trajectory.thetas], -1).double()


def experiments(settings: Settings) -> dict[str, Job]:
    logs = "tensorboard/segments/"
    return {
        name: Job(cost, walk, game, settings.iterations, folder=logs + name.replace(", ", "-"))
        for name, (cost, game) in GAMES.items()
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``seg-train-sat``, ``seg-train-w`` and ``seg-train-ns``."""
    walks = {name: results[name] for name in GAMES}
    return Findings(
        claims=[saturating_claim(walks), wasserstein_claim(walks), non_saturating_claim(walks)],
        figures={"segments_training": trajectories(walks)},
        tables={"segments_training": by_game(walks)},
    )


def resting(walk: Tensor) -> Tensor:
    """Mean |theta| over the last fifth of the iterations, per seed."""
    return walk[:, -(walk.shape[-1] // 5) :].abs().mean(-1)


def arrival(walk: Tensor, within: float = 0.05) -> Tensor:
    """First iteration with |theta| below ``within``, per seed; infinite if there is none."""
    home = walk.abs() < within
    first = home.double().argmax(-1).double()
    return torch.where(home.any(-1), first, torch.inf)


def stays(name: str, walk: Tensor) -> Check:
    what = f"{name}: theta after {walk.shape[-1] - 1} iterations, mean of seeds"
    return Check.near(what, START, walk[:, -1], 1e-3)


def gets_home(name: str, walk: Tensor) -> Check:
    latest = arrival(walk).max()
    return Check.at_most(f"{name}: iterations until |theta| < .05, latest seed", 150, latest)


def is_lost(name: str, walk: Tensor) -> Check:
    return Check.at_least(f"{name}: resting |theta|, mean of seeds", 0.5, resting(walk))


def saturating_claim(walks: dict[str, Tensor]) -> Claim:
    farthest = (walks[OPTIMAL] - START).abs().max()
    return Claim(
        id="seg-train-sat",
        source=f"{SOURCE}, Example 1; Goodfellow et al. 2014, Theorem 1",
        statement="With the discriminator kept optimal, saturating training of theta stalls where "
        "it starts.",
        checks=[
            stays(OPTIMAL, walks[OPTIMAL]),
            Check.at_most("farthest that any seed ever was from its start", 1e-3, farthest),
        ],
        controls=[stays(ONE_SIDED, walks[ONE_SIDED]), stays(ONE_STEP, walks[ONE_STEP])],
        equation=r"\nabla_\theta \left( 2\,\mathrm{JS}(P_0, P_\theta) - 2 \log 2 \right) = 0 "
        r"\quad (\theta \ne 0)",
        n_seeds=SEEDS,
        figure="segments_training",
        note="It takes an optimal discriminator: with one step per iteration theta rests at "
        f"{resting(walks[ONE_STEP]).mean():.3f}. And it takes plain gradient descent: Adam on "
        "theta rescales the vanishing gradient and moves all the same, to a mean |theta| of "
        f"{resting(walks[ADAM]).mean():.2f}.",
    )


def wasserstein_claim(walks: dict[str, Tensor]) -> Claim:
    checks = []
    for name in (ONE_SIDED, SPECTRAL):
        rests = Check.at_most(
            f"{name}: resting |theta|, mean of seeds", 0.03, resting(walks[name])
        )
        checks += [gets_home(name, walks[name]), rests]
    lost = int((resting(walks[TWO_SIDED]) > 0.05).sum())
    return Claim(
        id="seg-train-w",
        source=f"{SOURCE}, Example 1",
        statement="WGAN training brings theta to 0 and keeps it there.",
        checks=checks,
        controls=[gets_home(OPTIMAL, walks[OPTIMAL])],
        equation=r"\nabla_\theta W_1(P_0, P_\theta) = \mathrm{sign}(\theta)",
        n_seeds=SEEDS,
        figure="segments_training",
        note="With the one-sided penalty the path is a straight line, "
        f"{arrival(walks[ONE_SIDED]).mean():.0f} iterations at a step of .01. The two-sided "
        f"penalty leaves {lost} of {SEEDS} seeds away from 0. Clipping at .01 gives a gradient "
        f"of .001: under SGD theta gets to {walks[CLIP_SGD][:, -1].mean():.2f}, under RMSprop, "
        f"which rescales it, to {resting(walks[CLIP_RMS]).mean():.4f}.",
    )


def non_saturating_claim(walks: dict[str, Tensor]) -> Claim:
    rest = resting(walks[NON_SATURATING])
    return Claim(
        id="seg-train-ns",
        source="A4, read off Example 1; against it Fedus et al. 2018, arXiv 1710.08446",
        statement="A GAN cannot learn the segments: where JS is flat there is no gradient.",
        expected=FAILS,
        checks=[is_lost(NON_SATURATING, walks[NON_SATURATING])],
        controls=[is_lost(OPTIMAL, walks[OPTIMAL])],
        equation=r"\mathrm{JS}(P_0, P_\theta) = \log 2 \quad (\theta \ne 0)",
        n_seeds=SEEDS,
        figure="segments_training",
        note="The flat JS belongs to an optimal discriminator. With five steps of an imperfect "
        f"one and the -log D loss, {int((rest < 0.05).sum())} of {SEEDS} seeds reach 0, and even "
        "the saturating loss does with one step.",
    )


def by_game(walks: dict[str, Tensor]) -> list[dict[str, Any]]:
    """One row per game: where theta ended and how long it took."""
    return [
        {
            "game": name,
            "seeds_home": int((resting(walk) < 0.05).sum()),
            "seeds": SEEDS,
            "median_arrival": float(arrival(walk).median()),
            **in_table(resting=resting(walk)),
        }
        for name, walk in walks.items()
    ]


@captioned
def trajectories(walks: dict[str, Tensor]) -> Figure:
    """Each line is a seed; theta should reach 0. Above: GANs. Below: WGANs."""
    figure, panels = drawing(11.0, 5.2, 2, 5, sharex=True, sharey=True)
    for (name, walk), panel in zip(walks.items(), panels.flat, strict=True):
        panel.axhline(0, color=Colour.EXACT, lw=0.8, ls=":")
        panel.plot(walk.T, color="#1f5fa8" if "WGAN" in name else "#c8501e", lw=0.8, alpha=0.8)
        panel.set_title(name.replace(", ", ",\n", 1), fontsize=8.5)
        panel.set_ylim(-0.6, 1.6)
    figure.supxlabel("generator iterations")
    figure.supylabel("theta (home is 0)")
    return figure
