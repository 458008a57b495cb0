r"""JS seen by a discriminator of slope at most L: its value in closed form, and as a program.

.. math:: \mathrm{JS}_L(P, Q) = \max_{\|f\|_{Lip} \le L} \log 2
    + \tfrac12 E_P[\log \sigma(f)] + \tfrac12 E_Q[\log \sigma(-f)]

Two points, or two parallel segments, a distance t apart. With s(z) = log(1 + exp(z)), which is
convex and increasing, and a = f(x) and b = f(y) at a pair of points that lie opposite,

.. math:: s(-a) + s(b) \ge 2 s\left(\tfrac{b - a}{2}\right) \ge 2 s(-L t / 2).

The mean over all pairs is the objective, so JS_L is at most
:math:`\log 2 - \log(1 + e^{-Lt/2})`. The plane that is Lt/2 on the one, -Lt/2 on the other, has
slope L and attains it. The derivative in t is :math:`\tfrac L2 \sigma(-Lt/2)`: L/4 at t = 0, so
that there is a kink in theta as W1 has one, and it vanishes for Lt >> 1.

For any two laws the same step over the pairs of a coupling says that JS_L is at most the least
mean of that function of the distance. And as log sigma has a second derivative between -1/4 and 0,
:math:`L W_1/4 - L^2 D^2/32 \le \mathrm{JS}_L \le \min(\mathrm{JS}, L W_1/4)` on a set of diameter
D. Where log p/q exists and is L-Lipschitz, JS_L is JS.

Sources: Zhou et al. 2019, arXiv 1902.05687, and Qin et al. 2018, arXiv 1811.09567, on what the
constraint does; the closed form and the bounds are derived here.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize_scalar
from scipy.sparse import coo_array, csr_array, diags_array, hstack, vstack
from scipy.spatial.distance import cdist
from scipy.special import expit
from torch import Tensor

LOG2 = math.log(2)
CUTS = 60  # rounds of tangents, of which about fifteen are needed
Array = NDArray[np.float64]


def limited_js(distance: Tensor, slope: Tensor | float) -> Tensor:
    """JS_L of two points, or of two parallel segments, in nats; differentiable.

    All digits are right where it is next to 0, too.

    Example:
        >>> limited_js(torch.tensor([0.0, 0.5, 100.0]), slope=2.0)
        tensor([0.0000, 0.2191, 0.6931])
    """
    return -torch.log1p(torch.expm1(-slope * distance.abs() / 2) / 2)


def limited_js_slope(distance: Tensor, slope: Tensor | float) -> Tensor:
    """Derivative of :func:`limited_js` in the distance, from the right at 0.

    Example:
        >>> limited_js_slope(torch.tensor([0.0, 2.0]), slope=2.0)
        tensor([0.5000, 0.1192])
    """
    return slope / 2 * torch.sigmoid(-slope * distance.abs() / 2)


def between_two_points(distance: float, slope: float) -> float:
    """JS_L of two points by a search in one dimension.

    The constraint binds, so f is c + Lt/2 on the one and c - Lt/2 on the other; the objective is
    concave in c, which is searched for.
    """
    half = slope * distance / 2

    def loss(c: float) -> float:
        return float(np.logaddexp(0, -c - half) + np.logaddexp(0, c - half)) / 2

    found: Any = minimize_scalar(loss, bracket=(-1.0, 0.7), tol=1e-12)
    return LOG2 - float(found.fun)


def program(points: Array, p: Array, q: Array, slope: float) -> tuple[float, float]:
    """Bounds on JS_L of two laws on the same points, from below and above, 5e-10 apart.

    The loss of each point is convex in f there. A linear program puts the largest of some tangents
    in its place, which can only help f; the loss at the solution bounds the optimum from the other
    side, and its tangents join the program.

    Arguments:
        points: Shape ``(n, d)``.
        p, q: Probabilities of the points.
        slope: L.

    Raises:
        RuntimeError: If the bounds do not meet.
    """
    n = len(points)
    distances = cdist(points, points)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    ones, row = np.ones(len(i)), np.arange(len(i))
    steps = coo_array((np.r_[ones, -ones], (np.r_[row, row], np.r_[i, j])), (len(i), 2 * n))
    rows, limits = [csr_array(steps)], [slope * distances[i, j]]

    weight = (p + q) / 2
    share_of_p = np.divide(p, p + q, out=np.full(n, 0.5), where=weight > 0)

    def loss(f: Array) -> Array:
        return share_of_p * np.logaddexp(0, -f) + (1 - share_of_p) * np.logaddexp(0, f)

    def add_tangents(f: Array) -> None:
        # loss(f) + loss'(f) (g - f) - s <= 0
        derivative = expit(f) - share_of_p
        rows.append(csr_array(hstack([diags_array(derivative), diags_array(-np.ones(n))])))
        limits.append(derivative * f - loss(f))

    for share in np.linspace(-1, 1, 9):
        add_tangents(np.full(n, min(slope * distances.max(), 40.0) * share))
    cost = np.r_[np.zeros(n), weight]
    bounds = [(None, None)] * n + [(0, None)] * n
    exact = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    low = -math.inf
    for _ in range(CUTS):
        solved = linprog(cost, vstack(rows), np.concatenate(limits), bounds=bounds, options=exact)
        if solved.x is None:
            raise RuntimeError(f"the linear program was not solved: {solved.message}")
        f = solved.x[:n]
        steepest = np.max((f[i] - f[j]) / distances[i, j])
        f = f * min(1.0, slope / steepest) if steepest > 0 else f
        low = max(low, LOG2 - float(weight @ loss(f)))
        high = LOG2 - float(solved.fun)
        if high - low <= 5e-10:
            return low, high
        add_tangents(f)
    raise RuntimeError(f"after {CUTS} rounds JS_L is only known to lie in [{low}, {high}]")
