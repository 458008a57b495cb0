"""The family of all L: from W1 / 4, per unit of slope, to JS."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist
from torch import Tensor

from divergences import discrete
from divergences.samples.network_simplex import solvers
from scripts.arguments.lipschitz_js.limited_slope import (
    LOG2,
    limited_js,
    limited_js_slope,
    program,
)
from scripts.arguments.lipschitz_js.trained import SLOPES, THETAS
from scripts.lab.claims import Check, Claim, standard_error
from scripts.lab.plotting import Colour, captioned, drawing

FLAT, STEEP = 1e-3, 1e3
SHARES = (1e-3, 0.01, 0.03, 0.1, 0.3, 1.01)
"""Slopes as shares of the steepest slope of log p/q."""
ATOMS = 10
DRAWN = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
WIDE = torch.linspace(-3, 3, 1201, dtype=torch.float64)


def random_laws(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the plane and two probability vectors on them, none of them zero."""
    random = np.random.default_rng(seed)
    points = random.standard_normal((ATOMS, 2))
    p, q = 0.9 * random.dirichlet(np.ones(ATOMS), size=2) + 0.1 / ATOMS
    return points, p, q


def families(seeds: Sequence[int]) -> dict[str, Tensor]:
    """JS_L of random laws at ``SHARES`` of the slope where it is JS, ``(seeds, shares)``."""
    found: dict[str, list[list[float]]] = {"slope": [], "value": [], "law": []}
    for seed in seeds:
        points, p, q = random_laws(seed)
        distance = cdist(points, points)
        ratio = np.log(p / q)
        steepness = np.abs(ratio[:, None] - ratio) / (distance + np.eye(ATOMS))
        slopes = [share * float(steepness.max()) for share in SHARES]
        ends = [program(points, p, q, slope) for slope in slopes]
        js = discrete.js_divergence(torch.as_tensor(p), torch.as_tensor(q))
        found["slope"].append(slopes)
        found["value"].append([(low + high) / 2 for low, high in ends])
        found["law"].append(
            [float(js), float(np.asarray(solvers().emd2(p, q, distance))), float(distance.max())]
        )
    return {key: torch.tensor(rows, dtype=torch.float64) for key, rows in found.items()}


def is_w1(who: str, per_slope: Tensor, w1: Tensor, bound: Tensor) -> Check:
    """``bound`` is what theory leaves between the two, as a tensor like them."""
    return Check.at_most(
        f"{who}: |4 JS_L / L - W1| / its bound L D^2 / 8, largest",
        1,
        ((4 * per_slope - w1).abs() / bound).max(),
    )


def is_js(who: str, value: Tensor, js: Tensor | float) -> Check:
    return Check.zero(f"{who}: JS_L - JS, farthest", value - js, 1e-9)


def claim(found: dict[str, Tensor]) -> Claim:
    """Claim ``lipschitz-limit``."""
    slope, value = found["slope"], found["value"]
    js, w1, diameter = found["law"].T
    flat, steep = limited_js(THETAS, FLAT) / FLAT, limited_js(THETAS, STEEP)
    bound, per_slope = FLAT * THETAS.square() / 8, value / slope
    above = (value - torch.minimum(js[:, None], slope * w1[:, None] / 4)).max()
    rise = per_slope.diff(dim=-1).max()
    random = f"random laws of {ATOMS} atoms"
    gap = 4 * value[:, 0] / slope[:, 0] / w1 - 1
    return Claim(
        id="lipschitz-limit",
        source="after Zhou et al. 2019, arXiv 1902.05687, and Qin et al. 2018, arXiv 1811.09567",
        statement="JS measured by a discriminator of slope at most L joins the two: divided by L "
        "it tends to W1 / 4 as L falls to 0, and it tends to JS as L grows.",
        checks=[
            is_w1(
                f"{random}, by program, L = {SHARES[0]:g} of the steepest log ratio",
                per_slope[:, 0],
                w1,
                slope[:, 0] * diameter.square() / 8,
            ),
            is_js(f"{random}, by program, L as steep as log p/q", value[:, -1], js),
            is_w1(f"segments, L = {FLAT:g}", flat, THETAS, bound),
            is_js(f"segments, L = {STEEP:g}", steep, LOG2),
            Check.at_most(f"{random}: JS_L - min(JS, L W1 / 4), largest", 1e-9, above),
            Check.at_least(f"{random}: growth with L, least", 0, value.diff(dim=-1).min()),
            Check.at_most(f"{random}: growth of JS_L / L with L, largest", 0, rise),
        ],
        controls=[
            is_w1(f"segments, L = {STEEP:g}", steep / STEEP, THETAS, bound),
            is_js(f"segments, L = {FLAT:g}", flat * FLAT, LOG2),
            is_js(f"{random}, a third as steep", value[:, -2], js),
        ],
        equation=r"\frac{L W_1}{4} - \frac{L^2 D^2}{32} \le \mathrm{JS}_L \le "
        r"\min\left(\mathrm{JS}, \frac{L W_1}{4}\right)",
        n_seeds=len(js),
        figure="lipschitz_js",
        note="D is the diameter of the support. JS is reached at a finite L where log p/q has a "
        "steepest slope, and never on the segments, where log 2 - JS_L falls like "
        "exp(-L|theta|/2). 4 JS_L / L is below W1 by "
        f"{-100 * gap.mean():.2g} % ± {100 * standard_error(gap):.2g} % at the least of the "
        "slopes.",
    )


@captioned
def of_the_family(trained: dict[str, Tensor]) -> Figure:
    """Left: each colour is a limit L on the slope. Middle: times 4 / L the curves with small L
    approach W1, dashed. Right: their derivatives. Points are trained discriminators.
    """
    figure, (whole, per_slope, gradient) = drawing(12.0, 4.2, 1, 3)
    colours = colormaps["viridis_r"](np.linspace(0.05, 0.95, len(DRAWN)))
    whole.axhline(LOG2, color=Colour.JS, lw=1.6, ls="--", label="JS: log 2, and 0 at 0")
    whole.plot([0], [0], "o", color=Colour.JS, mfc="none", ms=7)
    per_slope.plot(WIDE, WIDE.abs(), color=Colour.W1, lw=1.6, ls="--", label="W1")
    away = WIDE != 0
    for colour, slope in zip(colours, DRAWN, strict=True):
        value = limited_js(WIDE, slope)
        derivative = WIDE.sign() * limited_js_slope(WIDE, slope)
        whole.plot(WIDE, value, color=colour, lw=1.3, label=f"L = {slope:g}")
        per_slope.plot(WIDE, 4 * value / slope, color=colour, lw=1.3)
        gradient.plot(WIDE, (4 * derivative / slope).where(away, torch.nan), color=colour, lw=1.3)
    signs = WIDE.sign().where(away, torch.nan)
    gradient.plot(WIDE, signs, color=Colour.W1, lw=1.6, ls="--")
    gradient.axhline(0, color=Colour.JS, lw=1.2, ls="--")
    for k, slope in enumerate(SLOPES.tolist()):
        mean, near = trained["js"][k].mean(-1), trained["gradient"][k].mean(-1)
        mark = {"ls": "", "marker": "o", "ms": 4.5, "mec": Colour.EXACT, "mew": 0.6}
        mark["color"] = colours[DRAWN.index(slope)]
        name = "trained discriminators" if k == 0 else "_"
        whole.plot(THETAS, mean, label=name, **mark)
        per_slope.plot(THETAS, 4 * mean / slope, **mark)
        gradient.plot(THETAS, 4 * near / slope, **mark)
    whole.set(xlabel="theta", ylabel="nats", ylim=(-0.03, 0.78), title="JS of slope at most L")
    per_slope.set(xlabel="theta", title="times 4 / L: towards W1", ylim=(-0.1, 3.1))
    gradient.set(xlabel="theta", title="derivative, times 4 / L")
    handles, names = whole.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8)
    per_slope.legend(fontsize=8, loc="upper center")
    return figure
