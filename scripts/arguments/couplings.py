r"""Earth being moved: W1 is the least cost of all couplings, and the largest value of a dual.

A coupling of two laws is a joint law with these marginals: a plan that says how much earth goes
from where to where. W1 is the least mean distance over all of them,

.. math:: W_1(P, Q) = \inf_{\pi \in \Pi(P, Q)} E_\pi \|x - y\|
    = \max_{u(x) + v(y) \le \|x - y\|} E_P[u] + E_Q[v],

and every pair of potentials on the right bounds every plan on the left from below, so that equal
values prove both to be optimal. Between n points and n points:

- the plans' extreme points are the matchings (Birkhoff), so for six points all 720 are tried;
- the independent coupling costs the mean of all distances, which is also the mean over matchings;
- the entropic plan of strength epsilon costs at most :math:`\epsilon \log n` more than the least,
  because it minimises cost + epsilon KL(plan || independent), and for a matching that KL is log n.

Sources: article A4; Villani 2009, Theorem 5.10; Peyré & Cuturi 2019, arXiv 1803.00567,
Propositions 2.1 and 4.1.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from divergences import EarthMover, Streams
from divergences.pair_distances import pair_distances
from divergences.samples.plans import linear_program
from scripts.lab.claims import Check, Claim, Findings, in_table
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing

ENTROPIC = (1.0, 0.3, 0.1, 0.03)
"""Strengths of the entropy, in the unit of the points."""
DRAWN = 2  # the index of the one in the figure
EXTRA = 1e-3  # more than the least cost by this counts as more
FEW = 6  # points of which all matchings are tried


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Points of each law, and random matchings of them."""

    points: int = 24
    matchings: int = 2000


PROFILES = {"quick": Settings(), "paper": Settings(points=200, matchings=20_000)}


def two_heaps(seeds: Sequence[int], n: int) -> tuple[Tensor, Tensor]:
    """A round heap, and a ring that lies around it, ``(seeds, n, 2)`` each."""
    streams = Streams(seeds, "heaps", dtype=torch.float64)
    heap = 0.35 * streams.randn(n, 2)
    angle = 2 * math.pi * streams.rand(n)
    ring = torch.stack([angle.cos(), angle.sin()], -1) + 0.05 * streams.randn(n, 2)
    return heap, ring


def entropic_plan(costs: Tensor, epsilon: float) -> Tensor:
    """The plan that minimises cost + epsilon KL(plan || independent), by Sinkhorn's iteration."""
    import ot  # half a second, of which nobody else has use

    n, m = costs.shape
    options = {"method": "sinkhorn_log", "numItermax": 100_000, "stopThr": 1e-11}
    plan = ot.sinkhorn(np.full(n, 1 / n), np.full(m, 1 / m), costs.numpy(), epsilon, **options)
    return torch.as_tensor(plan)


def plans(x: Tensor, y: Tensor, matchings: int) -> dict[str, Tensor]:
    """What plans between ``(n, 2)`` and ``(n, 2)`` cost, and what the dual gives."""
    n = len(x)
    costs = pair_distances(x, y)
    best = linear_program(x, y, order=1, max_iterations=10**6)
    i, j = linear_sum_assignment(costs.numpy())
    shuffle = np.random.default_rng(0).permuted(np.tile(np.arange(n), (matchings, 1)), axis=1)
    random = costs[torch.arange(n), torch.as_tensor(shuffle)].mean(-1)
    entropic = [entropic_plan(costs, epsilon) for epsilon in ENTROPIC]
    few = costs[:FEW, :FEW]
    orders = itertools.permutations(range(FEW))
    all_of_few = [few[range(FEW), list(order)].mean() for order in orders]
    of_few = linear_program(x[:FEW], y[:FEW], order=1, max_iterations=10**6)
    return {
        "x": x,
        "y": y,
        "plan": torch.stack([best.i, best.j]),
        "exact": (best.weight * costs[best.i, best.j]).sum(),
        "library": EarthMover(floor=False)(x, y).value,
        "dual": best.u.mean() + best.v.mean(),
        "violation": (best.u[:, None] + best.v - costs).max(),
        "assignment": costs[i, j].mean(),
        "independent": costs.mean(),
        "random": random,
        "matching": torch.as_tensor(shuffle[0]),
        "entropic": torch.stack([(plan * costs).sum() for plan in entropic]),
        "entropic plan": entropic[DRAWN],
        "marginals": torch.stack(
            [(plan.sum(side) - 1 / n).abs().max() for plan in entropic for side in (0, 1)]
        ).max(),
        "all of few": torch.stack(all_of_few).min(),
        "best of few": torch.tensor(of_few.cost, dtype=torch.float64),
        # one law a single point: there is one coupling only
        "to a point": EarthMover(floor=False)(x, y[:1].expand(n, -1)).value,
        "to a point, independent": costs[:, :1].mean(),
    }


def measure(seeds: int, points: int, matchings: int) -> list[dict[str, Tensor]]:
    """:func:`plans` for each seed."""
    return [plans(x, y, matchings) for x, y in zip(*two_heaps(range(seeds), points), strict=True)]


def experiments(settings: Settings) -> dict[str, Job]:
    return {"plans": Job(3, measure, settings.seeds, settings.points, settings.matchings)}


def judge(results: Results, settings: Settings) -> Findings:
    """Claim ``couplings``."""
    found = results["plans"]
    seen = {
        key: torch.stack([one[key] for one in found])
        for key in found[0]
        if key not in ("plan", "entropic plan")
    }
    return Findings(
        claims=[claim(seen)],
        figures={"couplings": earth_moved(found[0])},
        tables={"couplings": by_plan(seen)},
    )


def costs_more(who: str, extra: Tensor) -> Check:
    return Check.at_least(f"{who}: cost above the least, smallest of seeds", EXTRA, extra.min())


def proves(what: str, gap: Tensor) -> Check:
    return Check.zero(f"{what}: farthest from the least cost", gap, 1e-9)


def claim(seen: dict[str, Tensor]) -> Claim:
    least, seeds, n = seen["exact"], len(seen["exact"]), seen["x"].shape[1]
    spread = seen["random"].std(-1) / math.sqrt(seen["random"].shape[-1])
    from_mean = ((seen["random"].mean(-1) - seen["independent"]) / spread).abs().max()
    at_random = "mean over random matchings from the independent coupling"
    violation, excess = seen["violation"].max(), seen["entropic"] - least[:, None]
    to_a_point = seen["to a point, independent"] - seen["to a point"]
    fall, share = -excess.diff(dim=-1).max(), excess / torch.tensor(ENTROPIC) / math.log(n)
    return Claim(
        id="couplings",
        source="A4; Villani 2009, Theorem 5.10",
        statement="W1 is the least E||x - y|| over all joint laws with the given marginals: other "
        "couplings cost more, and the least cost is the value of the Kantorovich dual.",
        checks=[
            proves("value of the dual", seen["dual"] - least),
            Check.at_most(
                "u(x) + v(y) - ||x - y||: largest, for the dual's potentials", 1e-12, violation
            ),
            proves("least of all matchings (SciPy's assignment)", seen["assignment"] - least),
            proves("W1 of the library", seen["library"] - least),
            Check.zero(
                f"least of all {math.factorial(FEW)} matchings of {FEW} points, from the optimum",
                seen["all of few"] - seen["best of few"],
                1e-12,
            ),
            costs_more("independent coupling", seen["independent"] - least),
            costs_more("random matchings, cheapest", seen["random"].amin(-1) - least),
            *(
                costs_more(f"entropic plan, epsilon = {epsilon:g}", excess[:, k])
                for k, epsilon in enumerate(ENTROPIC)
            ),
            Check.at_least(
                "entropic plans: how much the cost falls with each smaller epsilon, least", 0, fall
            ),
            Check.at_most("entropic plans: extra cost / (epsilon log n), largest", 1, share.max()),
            Check.at_most("entropic plans: error of the marginals", 1e-9, seen["marginals"].max()),
            Check.at_most(f"{at_random}, standard errors, farthest of seeds", 4, from_mean),
        ],
        controls=[
            costs_more("one law a single point, independent coupling", to_a_point),
            proves("potentials twice as steep", 2 * seen["dual"] - least),
            proves("independent coupling", seen["independent"] - least),
        ],
        equation=r"W_1(P, Q) = \inf_{\pi \in \Pi(P, Q)} E_{(x, y) \sim \pi} \|x - y\| "
        r"= \max_{u(x) + v(y) \le \|x - y\|} E_P[u] + E_Q[v]",
        n_seeds=seeds,
        figure="couplings",
        note="Where one law is a single point there is one coupling, and independence costs "
        "nothing. Entropic plans cost more than they must, by "
        + ", ".join(
            f"{value:.3g} at epsilon = {epsilon:g}"
            for epsilon, value in zip(ENTROPIC, excess.mean(0).tolist(), strict=True)
        )
        + "; what is called the Sinkhorn divergence takes that back by a third and fourth plan.",
    )


def by_plan(seen: dict[str, Tensor]) -> list[dict[str, Any]]:
    """One row per plan: mean cost over seeds."""
    columns = {
        "exact": seen["exact"],
        "dual": seen["dual"],
        "independent": seen["independent"],
        "random matchings, mean": seen["random"].mean(-1),
        "random matchings, cheapest": seen["random"].amin(-1),
    }
    columns |= {f"entropic, {e:g}": seen["entropic"][:, k] for k, e in enumerate(ENTROPIC)}
    return [{"plan": name, **in_table(cost=cost)} for name, cost in columns.items()]


def arrows(
    axes: Axes, one: dict[str, Tensor], i: Tensor, j: Tensor, weight: Tensor, colour: str
) -> None:
    """Arrows from points of x to points of y, the fainter the less earth they move."""
    x, y = one["x"], one["y"]
    share = weight * len(x)
    seen = share > 0.01
    look: Any = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.004, "headwidth": 5}
    look |= {"color": colour, "alpha": share[seen].clamp(max=1).tolist()}
    axes.quiver(*x[i[seen]].T, *(y[j] - x[i])[seen].T, **look)
    axes.plot(*x.T, "o", color=Colour.EXACT, ms=4)
    axes.plot(*y.T, "s", color=Colour.TRAP, ms=4, mec=Colour.EXACT, mew=0.6)


@captioned
def earth_moved(one: dict[str, Tensor]) -> Figure:
    """Four ways to move the same earth, each line a transport of probability. The cost stands
    above; only the last is W1.
    """
    figure, panels = drawing(11.0, 3.4, 1, 4, sharex=True, sharey=True)
    n = len(one["x"])
    every, each = torch.arange(n), torch.full((n,), 1 / n)
    pairs = torch.cartesian_prod(every, every).T
    entropic = f"entropic, epsilon = {ENTROPIC[DRAWN]:g}"
    drawn = [
        ("independent", one["independent"], pairs, torch.full((n * n,), 1 / n**2), Colour.TRAP),
        ("a random matching", one["random"][0], (every, one["matching"]), each, Colour.FIRST),
        (entropic, one["entropic"][DRAWN], pairs, one["entropic plan"].flatten(), Colour.SECOND),
        ("least cost: W1", one["exact"], one["plan"], each, Colour.W1),
    ]
    for axes, (name, cost, (i, j), weight, colour) in zip(panels, drawn, strict=True):
        arrows(axes, one, i, j, weight, colour)
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.set_title(f"{name}\nE||x - y|| = {float(cost):.3f}", fontsize=10)
    return figure
