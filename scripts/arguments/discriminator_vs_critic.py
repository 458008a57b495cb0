r"""Two Gaussians seen by a discriminator and by a critic: the paper's Figure 2.

The data are N(0, 1), the generator makes N(8, 1). A discriminator separates them perfectly: it
is 1 on one side, 0 on the other, and flat where the fakes are. A 1-Lipschitz critic cannot do
better than a straight line of slope -1, which points every fake, near or far, towards the data.

Source: Wasserstein GAN (Arjovsky et al., 2017), Figure 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from divergences import Constraint, Critic, Discriminator, SpectralNorm, Unconstrained
from divergences.learned.base import Fit, Learned
from divergences.networks.slopes import input_gradient
from gans import Gaussian
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band

SEEDS = 8  # at least
FAR, NEAR = 8.0, 1.0
"""Distances between the means: nothing in common, and most of it."""
SIDE = 3.0  # standard deviations beyond either mean that curves and line fits cover
FLAT = 1e-3
"""A slope of D that counts as none: a logit of 7 away from the boundary gives it."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How long discriminators and critics train, and how many steps without a constraint."""

    steps: int = 1500
    unconstrained: int = 300


PROFILES = {"quick": Settings(), "paper": Settings(steps=10_000, unconstrained=1000)}


def line(distance: float, points: int = 221) -> Tensor:
    """Where networks are read: from three deviations before one mean to three behind the other."""
    return torch.linspace(-SIDE, distance + SIDE, points)


def fitted(estimator: Learned, distance: float, seeds: Sequence[int]) -> Fit:
    return estimator.fit(Gaussian(0.0), Gaussian(distance), seeds)


def discriminator(distance: float, seeds: Sequence[int], steps: int) -> dict[str, Tensor]:
    """D along the line, its slope at the fake mean, and the saturating gradient at that mean.

    With logit f, D' = D (1 - D) f', and the derivative of E log(1 - D) in the mean is -E[D f'].
    """
    fit = fitted(Discriminator(steps=steps), distance, seeds)
    grid = line(distance).expand(len(seeds), -1)[..., None]
    at_mean = torch.full((len(seeds), 1, 1), distance)
    fakes = distance + torch.special.ndtri((torch.arange(1024) + 0.5) / 1024)
    fakes = fakes.expand(len(seeds), -1)[..., None]

    def slope(points: Tensor) -> Tensor:
        return input_gradient(fit.network, points).squeeze(-1).double()

    def probability(points: Tensor) -> Tensor:
        return torch.sigmoid(fit.scores(points).double())

    def steepness(points: Tensor) -> Tensor:
        inside = probability(points)
        return (inside * (1 - inside) * slope(points)).abs()

    return {
        "curve": probability(grid),
        "steepness": steepness(grid),
        "slope": steepness(at_mean).squeeze(-1),
        "gradient": (probability(fakes) * slope(fakes)).mean(-1).abs(),
    }


def critic(
    constraint: Constraint, distance: float, seeds: Sequence[int], steps: int
) -> dict[str, Tensor]:
    """The critic along the line, and the straight line nearest to it: slope and R^2."""
    fit = fitted(Critic(steps=steps, constraint=constraint), distance, seeds)
    x = line(distance)
    points = x.expand(len(seeds), -1)[..., None]
    curve = fit.scores(points).double()
    steepness = input_gradient(fit.network, points).squeeze(-1).abs().double()
    return {"curve": curve, "steepness": steepness, **straight_line(x.double(), curve)}


def straight_line(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Least-squares slope and R^2 of each row of ``y`` against ``x``."""
    x, y = x - x.mean(), y - y.mean(-1, keepdim=True)
    slope = (x * y).sum(-1) / x.square().sum()
    left = (y - slope[:, None] * x).square().sum(-1)
    return {"slope": slope, "r2": 1 - left / y.square().sum(-1)}


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = range(max(settings.seeds, SEEDS))
    return {
        "critic": Job(8, critic, SpectralNorm(), FAR, seeds, settings.steps),
        "D": Job(4, discriminator, FAR, seeds, settings.steps),
        "D near": Job(4, discriminator, NEAR, seeds, settings.steps),
        "free": Job(1, critic, Unconstrained(), FAR, seeds, settings.unconstrained),
    }


def judge(seen: Results, settings: Settings) -> Findings:
    """Claim ``d-vs-critic``."""
    return Findings(
        claims=[two_views_claim(seen)], figures={"discriminator_vs_critic": two_views(seen)}
    )


def slope_check(name: str, seen: dict[str, Tensor]) -> Check:
    slope = seen["slope"]
    return Check.all_near(f"{name}: slope farthest from -1, any seed", -1, slope, 0.02)


def flat_checks(name: str, seen: dict[str, Tensor]) -> list[Check]:
    return [
        Check.all_at_most(f"{name}: {what}, largest of seeds", FLAT, seen[key])
        for key, what in (
            ("slope", "|D'| at the mean of the fakes"),
            ("gradient", "saturating gradient in the mean of the fakes"),
        )
    ]


def two_views_claim(seen: Results) -> Claim:
    r2 = seen["critic"]["r2"]
    far, near, free = (f"{FAR:g} apart", f"{NEAR:g} apart", seen["free"])
    return Claim(
        id="d-vs-critic",
        source="Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875, Figure 2",
        statement="Between two distant Gaussians a discriminator saturates and passes no "
        "gradient on; a Lipschitz critic is a line of slope 1 that gives the same gradient "
        "everywhere.",
        equation=r"\nabla_x D(x) \approx 0, \quad \nabla_x f(x) = -1 \quad x \sim P_g",
        checks=[
            slope_check(f"critic, {far}", seen["critic"]),
            Check.at_least("critic: R^2 of a straight line, least of seeds", 0.999, r2.min()),
            *flat_checks(f"D, {far}", seen["D"]),
        ],
        controls=[
            slope_check(f"critic without constraint, {far}", free),
            *flat_checks(f"D, {near}", seen["D near"]),
        ],
        n_seeds=len(r2),
        figure="discriminator_vs_critic",
        note="The slope is that of a line fitted from three standard deviations before one mean "
        "to three behind the other. A discriminator is flat because it can win: with the laws "
        f"{near} it passes a gradient of {seen['D near']['gradient'].mean():.2f} on. A critic "
        f"has slope 1 because it may not have more: without the constraint it is at "
        f"{free['slope'].mean():.0f} after a few hundred steps and on its way.",
    )


@captioned
def two_views(seen: Results) -> Figure:
    """Right, in the shaded region: the slope where the generated points are. That of the
    discriminator is almost 0 there, that of the critic is 1.
    """
    figure, (left, slopes) = drawing(9.6, 4.2, 1, 2)
    right = left.twinx()
    x = line(FAR).double()
    for mean, style, name in ((0.0, "-", "density of the data"), (FAR, "--", "of the fakes")):
        density = Normal(mean, 1.0).log_prob(x).exp()
        left.plot(x, density, color=Colour.EXACT, lw=1, ls=style, label=name)
        left.fill_between(x, density, color=Colour.TRAP, alpha=0.25, lw=0)
    best = torch.sigmoid(FAR * (FAR / 2 - x))  # p / (p + q) of two normal laws
    with_band(left, x.tolist(), seen["D"]["curve"].T, Colour.JS, "discriminator D")
    left.plot(x, best, color=Colour.EXACT, lw=1, ls=":", label="exact: p / (p + q), slope -1")
    critics = seen["critic"]["curve"]
    critics = critics - critics.mean(-1, keepdim=True)
    with_band(right, x.tolist(), critics.T, Colour.W1, "critic f, up to a constant")
    right.plot(x, FAR / 2 - x, color=Colour.EXACT, lw=1, ls=":")
    left.set(xlabel="x", ylabel="density, D", title="Two views of the same pair")
    right.set_ylabel("critic f", color=Colour.W1)
    handles = [*left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    left.legend(handles=handles, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.9))
    with_band(slopes, x.tolist(), seen["critic"]["steepness"].T, Colour.W1, "critic: |f'|")
    with_band(slopes, x.tolist(), seen["D"]["steepness"].T, Colour.JS, "discriminator: |D'|")
    exact = FAR * best * (1 - best)
    slopes.plot(x, exact, color=Colour.EXACT, lw=1, ls=":", label="exact: |D'| at the optimum")
    slopes.axvspan(FAR - 2, FAR + 2, color=Colour.TRAP, alpha=0.25, lw=0)
    slopes.text(FAR, 1e-12, "the fakes", ha="center", fontsize=8)
    slopes.set(xlabel="x", ylabel="slope", yscale="log", ylim=(1e-13, 30), title="Their slopes")
    slopes.legend(fontsize=8, loc="lower left")
    return figure
