"""What a discriminator measures on the points it was trained on, and on others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.optim import Adam

from divergences import Discriminator, Streams
from scripts.lab.claims import QUALIFIED, Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band

LOG2 = math.log(2)
FAR = 3.0
"""Distance of two laws between which there is something to read."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How long is trained, and on how many points.

    Attributes:
        steps: Training steps of the discriminators that are compared with D*.
        memory_steps: Training steps of those that see a fixed sample.
        sizes: Sizes of these samples, at least two, increasing.
        repeats: Independent pairs of samples behind each earth mover's distance.
    """

    steps: int = 1_000
    memory_steps: int = 1_000
    sizes: tuple[int, ...] = (32, 128, 512)
    repeats: int = 20


@final
@dataclass(frozen=True)
class StandardNormal:
    """A normal law of unit variance in any dimension, its mean on the first axis."""

    dimension: int
    mean: float = 0.0

    def draw(self, streams: Streams, n: int) -> Tensor:
        points = streams.randn(n, self.dimension)
        points[..., 0] += self.mean
        return points


def samples(seeds: Sequence[int], n: int, gap: float) -> tuple[Tensor, Tensor]:
    """A sample of either law in the plane, ``(K, n, 2)`` each."""
    streams = Streams(seeds, "fixed sample")
    return StandardNormal(2).draw(streams, n), StandardNormal(2, gap).draw(streams, n)


@final
@dataclass(frozen=True)
class Whole:
    """A fixed sample, all of it at every step: the plain descent that finds the optimum on it."""

    points: Tensor

    def draw(self, streams: Streams, n: int) -> Tensor:
        return self.points


def memorise(
    seeds: Sequence[int], steps: int, n: int, gap: float, fresh: bool
) -> dict[str, Tensor]:
    """JS read on n fixed points a side, and on others, by a discriminator trained on the former.

    Arguments:
        seeds: One per member.
        steps: Training steps.
        n: Points of each sample.
        gap: Distance of the laws; 0 for P = Q.
        fresh: Train on fresh points instead, so that the fixed ones are new to it.
    """
    p, q = StandardNormal(2), StandardNormal(2, gap)
    x, y = samples(seeds, n, gap)
    sources = (p, q) if fresh else (Whole(x), Whole(y))
    fast = partial(Adam, lr=3e-3, fused=True)  # the default rate takes several times as long
    fit = Discriminator(steps=steps, batch=n, optimizer=fast).fit(*sources, seeds)
    return {"fixed": fit.estimate(x, y).value, "others": fit.held_out(p, q).value}


def stopped(seeds: Sequence[int], steps: int, n: int) -> Tensor:
    """JS that the estimator, which stops early, finds on n points a side at P = Q."""
    estimator = Discriminator(steps=steps, seeds=tuple(seeds))
    return estimator(*samples(seeds, n, 0.0)).value


def experiments(settings: Settings) -> dict[str, Job]:
    seeds, least, steps = range(settings.seeds), min(settings.sizes), settings.memory_steps
    return {
        **{
            f"{n} points": Job(1.5 + n / 128, memorise, seeds, steps, n, 0.0, False)
            for n in reversed(settings.sizes)
        },
        "fresh points": Job(2, memorise, seeds, steps, least, 0.0, True),
        "fresh points, laws apart": Job(2, memorise, seeds, steps, least, FAR, True),
        "stopped early": Job(3, stopped, seeds, steps, 2 * least),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claim ``finite-data``."""
    found, steps = {n: results[f"{n} points"] for n in settings.sizes}, settings.memory_steps
    fresh, apart = results["fresh points"], results["fresh points, laws apart"]
    claim = finite_data_claim(found, fresh, apart, results["stopped early"], steps)
    figure = reading_figure(found, fresh, steps)
    return Findings(claims=[claim], figures={"optimal_discriminator_finite_data": figure})


def finite_data_claim(
    found: dict[int, dict[str, Tensor]],
    fresh: dict[str, Tensor],
    apart: dict[str, Tensor],
    early: Tensor,
    steps: int,
) -> Claim:
    def told_apart(where: str, js: Tensor) -> Check:
        return Check.all_at_least(f"{where}, least seed", 0.95 * LOG2, js)

    def nothing(where: str, js: Tensor) -> Check:
        return Check.all_at_most(f"{where}, largest seed", 0, js)

    few, many = min(found), max(found)
    seeds = len(fresh["fixed"])
    return Claim(
        id="finite-data",
        source="Arora et al. 2017, arXiv 1703.00573, Lemma 1; Arjovsky & Bottou 2017, "
        "arXiv 1701.04862, Theorem 2.1, for two samples",
        statement="Trained on a fixed sample of each law, a discriminator measures log 2 on it "
        "even where P = Q; on other points it measures no divergence.",
        expected=QUALIFIED,
        equation=r"\mathrm{JS}(P_n, P'_n) = \log 2 \quad \mathrm{but} \quad \mathrm{JS}(P, P) = 0",
        checks=[
            told_apart(f"n = {few}: JS read on the points trained on", found[few]["fixed"]),
            *(nothing(f"n = {n}: JS read on others", js["others"]) for n, js in found.items()),
        ],
        controls=[
            told_apart(f"fresh points at every step: JS read on {few}", fresh["fixed"]),
            nothing(f"laws {FAR:g} apart: JS read on others", apart["others"]),
        ],
        limits=[
            Check.at_most(
                f"n = {many}, as many steps: JS read on the points trained on",
                LOG2 / 2,
                found[many]["fixed"],
            )
        ],
        n_seeds=seeds,
        figure="optimal_discriminator_finite_data",
        note=f"Normal laws in the plane, {steps} steps. It is a race of memory against training: "
        "two samples have no point in common, so log 2 is always there to be learnt, and more "
        "points take longer. On other points a discriminator that has learnt its own by heart "
        f"does worse than a coin: {found[few]['others'].mean():.2g} at n = {few}. The "
        "estimators of this package stop training where points kept back say so, and read on a "
        f"half they have not trained on: {early.mean():.2g} at {2 * few} points.",
    )


@captioned
def reading_figure(
    found: dict[int, dict[str, Tensor]], fresh: dict[str, Tensor], steps: int
) -> Figure:
    """Both distributions are the same, so that the truth is 0. The upper curve is measured on the
    points trained on, the lower one on others.
    """
    figure, axes = drawing(7.4, 3.8)
    sizes = list(found)
    for key, colour, label in (
        ("fixed", Colour.JS, "on the points trained on"),
        ("others", Colour.FIRST, "on other points"),
    ):
        with_band(axes, sizes, torch.stack([found[n][key] for n in sizes]), colour, label)
    axes.axhline(LOG2, color=Colour.TRAP, lw=1, ls="--", label="log 2: told apart without error")
    axes.axhline(0, color=Colour.EXACT, lw=1, ls=":", label="exact: JS = 0, since P = Q")
    label = f"{sizes[0]} points, trained on fresh ones"
    axes.plot(sizes[0], fresh["fixed"].mean(), "s", color=Colour.TRAP, ms=6, label=label)
    axes.set(xlabel="points of each sample", xscale="log", ylabel="JS read, nats")
    axes.set_title(f"P = Q, and what a discriminator makes of it in {steps} steps")
    axes.set_yscale("symlog", linthresh=0.75)
    lowest = min(float(js["others"].min()) for js in found.values())
    ticks = [0.5, 0, -0.5, *(-(2.0**k) for k in range(12) if 2**k < -lowest)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    axes.legend(fontsize=9, loc="lower right")
    return figure
