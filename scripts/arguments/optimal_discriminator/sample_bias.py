"""What the earth mover's distance measures between two samples of the same law."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

from divergences import EarthMover, Streams
from scripts.arguments.optimal_discriminator.finite_sample import Settings, StandardNormal
from scripts.lab.claims import QUALIFIED, Check, Claim, Findings, in_table, standard_error
from scripts.lab.jobs import Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band

SIZES = (64, 256, 1024)
DIMENSIONS = (1, 2, 4, 8, 16)
GAPS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
"""Distances of the laws in the plane at which samples of ``MIDDLE`` points are compared."""
MIDDLE = 256
SAME = [(d, n) for d in reversed(DIMENSIONS) for n in reversed(SIZES)]
"""Dimensions and sizes of samples of one law, the longest experiments first."""
WRONG = ((1, MIDDLE), (2, 1024))
"""Of the controls: samples of two laws."""
NOMINAL = {64: 0.003, 256: 0.015, 1024: 0.35}
"""Seconds that one pair takes in two or more dimensions; on the line there is nothing to solve."""


def readings(repeats: int, dimension: int, n: int, gap: float = 0.0) -> dict[str, Tensor]:
    """Distances between independent samples of normal laws, and the floors they come with."""
    seeds = range(repeats)
    x = StandardNormal(dimension).draw(Streams(seeds, "first sample"), n)
    y = StandardNormal(dimension, gap).draw(Streams(seeds, "second sample"), n)
    found = EarthMover(floor=n == MIDDLE)(x.double(), y.double())
    return {"W1": found.value, "floor": found.floor}


def floor_on_a_line(n: int) -> float:
    r"""The expected W1 of two samples of n points of the standard normal law.

    W1 is the area between the two distribution functions. At each x their difference has
    variance 2 F (1 - F) / n and, for large n, a normal law, whose mean absolute value is
    :math:`\sqrt{2 / \pi}` standard deviations.
    """
    area, _ = quad(lambda x: math.sqrt(norm.cdf(x) * norm.sf(x)), -12, 12)
    return math.sqrt(4 / (math.pi * n)) * area


def fall(few: Tensor, many: Tensor) -> tuple[float, float]:
    """The ratio of the means, and its standard error by the delta method."""
    ratio = float(many.mean() / few.mean())
    relative = [float(standard_error(v) / v.mean()) for v in (few, many)]
    return ratio, ratio * math.hypot(*relative)


def experiments(settings: Settings) -> dict[str, Job]:
    seeds, repeats = settings.seeds, settings.repeats
    times = {
        (d, n): 10 * repeats if d == 1 else seeds if n == max(SIZES) and d > 2 else repeats
        for d, n in SAME
    }
    return {
        **{
            f"same law, {d}-D, n = {n}": Job(NOMINAL[n] * k if d > 1 else 0.5, readings, k, d, n)
            for (d, n), k in times.items()
        },
        **{f"plane, {gap} apart": Job(1, readings, repeats, 2, MIDDLE, gap) for gap in GAPS},
        **{f"{d}-D, n = {n}, 1 apart": Job(1, readings, seeds, d, n, 1.0) for d, n in WRONG},
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claim ``sample-floor``."""
    floors = {(d, n): results[f"same law, {d}-D, n = {n}"]["W1"] for d, n in SAME}
    apart = {gap: results[f"plane, {gap} apart"] for gap in GAPS}
    wrong = {(d, n): results[f"{d}-D, n = {n}, 1 apart"]["W1"] for d, n in WRONG}
    return Findings(
        claims=[floor_claim(floors, apart, wrong)],
        figures={"optimal_discriminator_floor": floor_figure(floors, apart)},
        tables={"sample_floor": table(floors)},
    )


def floor_claim(
    floors: dict[tuple[int, int], Tensor],
    apart: dict[float, dict[str, Tensor]],
    wrong: dict[tuple[int, int], Tensor],
) -> Claim:
    def on_a_line(where: str, n: int, read: Tensor) -> Check:
        return Check.near(f"{where}, n = {n}: reading", floor_on_a_line(n), read)

    def falls(where: str, few: Tensor, many: Tensor) -> Check:
        ratio, error = fall(few, many)
        rate = math.sqrt(math.log(1024) / 1024 / (math.log(MIDDLE) / MIDDLE))
        return Check.near(f"{where}: n = 1024 over n = {MIDDLE}", rate, ratio, 3 * error, error)

    def not_below(where: str, read: Tensor) -> Check:
        return Check.at_least(f"{where}, at W1 = 1", 1 - 3 * float(standard_error(read)), read)

    def not_above(where: str, read: Tensor) -> Check:
        same = floors[2, MIDDLE]
        error = math.hypot(*(float(standard_error(v)) for v in (read, same)))
        bound = 1 + float(same.mean()) + 3 * error
        return Check.at_most(f"{where}, against 1 + floor", bound, read.mean(), error)

    one, two = apart[1.0], apart[2.0]
    corrected = one["W1"] - one["floor"]
    plane, high = floors[2, MIDDLE], floors[16, 1024]
    return Claim(
        id="sample-floor",
        source="Fournier & Guillin 2015, arXiv 1312.2128, Theorem 1; on the line: Bobkov & "
        "Ledoux 2019, 10.1090/memo/1259",
        statement="The earth mover's distance between two samples is, with enough points, W1 of "
        "their laws.",
        expected=QUALIFIED,
        equation=r"W_1(P, Q) \le E [W_1(P_n, Q_n)] \le W_1(P, Q) + E [W_1(P_n, P'_n)]",
        checks=[
            not_below(f"plane, n = {MIDDLE}: reading", one["W1"]),
            not_above(f"plane, n = {MIDDLE}: reading at W1 = 1", one["W1"]),
            *(on_a_line("line, same law", n, floors[1, n]) for n in SIZES),
            falls("plane, same law", plane, floors[2, 1024]),
        ],
        controls=[
            not_below(f"plane, n = {MIDDLE}: reading less its floor", corrected),
            not_above(f"plane, n = {MIDDLE}: reading at W1 = 2", two["W1"]),
            on_a_line("line, laws 1 apart", MIDDLE, wrong[1, MIDDLE]),
            falls("plane, laws 1 apart", one["W1"], wrong[2, 1024]),
        ],
        limits=[
            Check.at_least(f"plane, same law, n = {MIDDLE}: reading at W1 = 0", 0.1, plane),
            Check.at_least("16 dimensions, same law, n = 1024: reading at W1 = 0", 1, high),
        ],
        n_seeds=len(plane),
        figure="optimal_discriminator_floor",
        note="Between two samples of one law the distance is not 0 but a floor, which falls as "
        "n^(-1/2) on the line, a little slower in the plane, and hardly at all in many "
        f"dimensions. It must not be subtracted: a true 1 becomes {corrected.mean():.2f} "
        f"in the plane, while the reading itself is {one['W1'].mean():.2f}. Rates: "
        "sqrt(log n / n) in the plane; tolerance three standard errors over pairs of samples.",
    )


def table(floors: dict[tuple[int, int], Tensor]) -> list[dict[str, Any]]:
    return [
        {"dimension": d, "n": n, **in_table(floor=read), "repeats": len(read)}
        for (d, n), read in sorted(floors.items())
    ]


@captioned
def floor_figure(
    floors: dict[tuple[int, int], Tensor], apart: dict[float, dict[str, Tensor]]
) -> Figure:
    """Left: the distance between two samples of one law, which should be 0. Right: the straight
    line is the truth; subtracting the floor falls below it.
    """
    figure, (left, right) = drawing(7.4, 3.7, 1, 2)
    against_n(left, floors)
    gaps = list(apart)
    right.plot(
        [0, 2], [0, 2], color=Colour.EXACT, lw=1, ls=":", label="exact: W1 of the laws", zorder=3
    )
    raw = torch.stack([apart[gap]["W1"] for gap in gaps])
    less = raw - torch.stack([apart[gap]["floor"] for gap in gaps])
    with_band(right, gaps, raw, Colour.W1, "between samples")
    with_band(right, gaps, less, Colour.FIRST, "the floor subtracted")
    right.set(xlabel="W1 of the laws", ylabel="reading")
    right.set_title(f"In the plane, {MIDDLE} points each")
    right.legend(fontsize=9, loc="upper left")
    return figure


def against_n(axes: Axes, floors: dict[tuple[int, int], Tensor]) -> None:
    law = [floor_on_a_line(n) for n in SIZES]
    axes.plot(SIZES, law, color=Colour.EXACT, lw=1.4, ls=":", label="exact in 1-D", zorder=3)
    shades: Sequence[float] = torch.linspace(0.4, 1, len(DIMENSIONS)).tolist()
    for d, shade in zip(DIMENSIONS, shades, strict=True):
        read = [floors[d, n] for n in SIZES]
        mean = torch.stack([v.mean() for v in read])
        error = torch.stack([3 * standard_error(v) for v in read])
        look: dict[str, Any] = {"color": Colour.W1, "alpha": shade, "lw": 1.4, "fmt": "o-"}
        axes.errorbar(SIZES, mean, error, ms=3.5, capsize=3, **look)
        end, aside = (SIZES[-1], float(mean[-1])), (7, -3)
        axes.annotate(f"{d}-D", end, aside, textcoords="offset points", fontsize=9)
    axes.set(xlabel="points of each sample", xscale="log", yscale="log", xlim=(50, 2300))
    axes.set(ylabel="distance read at P = Q", title="Two samples of one law")
    axes.set_xticks(SIZES, [str(n) for n in SIZES])
    ticks = (0.05, 0.1, 0.2, 0.5, 1, 2, 4)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(fontsize=9, loc="lower left")
