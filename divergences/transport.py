"""Wasserstein distances between samples, exactly, and what plans between samples share.

They are differentiable in both samples. The gradient is the envelope theorem's: that of the cost
at the optimal plan held fixed, with no solver in the graph. Distances between coincident points
have gradient 0.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import ot
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from divergences.interface import Bound, Estimate, Estimator, each_member

DENSE = 2048 * 2048  # pairs up to which a cost matrix is faster than computing costs on the fly
FLOOR_POINTS = 256  # points per half that the floor is measured on


class Coupling(NamedTuple):
    """An optimal plan, as pairs ``(i, j)`` with weights, and its dual potentials."""

    i: Tensor
    j: Tensor
    weight: Tensor
    u: Tensor
    v: Tensor


def check_order(order: int) -> None:
    if order not in (1, 2):
        raise ValueError(f"order = {order}: only W1 and W2 are implemented")


def _costs(x: Tensor, y: Tensor, order: int) -> Tensor:
    """Distance between matching points to the power ``order``; gradient 0 where they coincide."""
    difference = x - y
    return (
        difference.square().sum(-1) if order == 2 else torch.linalg.vector_norm(difference, dim=-1)
    )


def root(mean_cost: Tensor, order: int) -> Tensor:
    """The distance that a mean cost stands for; gradient 0, not infinite, at 0."""
    if order == 1:
        return mean_cost
    positive = mean_cost > 0
    return torch.where(positive, torch.where(positive, mean_cost, 1.0).sqrt(), 0.0)


def _raise_what_pot_warns(solve: Any, *args: Any, **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, log = solve(*args, **options, log=True)
    messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    if log["warning"]:
        messages.append(log["warning"])
    if messages:
        raise RuntimeError(
            f"no optimal plan found ({messages[0]}); raise max_iterations = "
            f"{options['numItermax']}, or use fewer points"
        )
    return log


def linear_program(x: Tensor, y: Tensor, order: int, max_iterations: int) -> Coupling:
    """Optimal plan between ``(n, d)`` and ``(m, d)``, by the network simplex method."""
    a, b = (sample.detach().cpu().double().numpy() for sample in (x, y))
    # the simplex method compares costs with absolute tolerances, so bring them to order 1
    centre = np.concatenate([a, b]).mean(0)
    scale = max(np.abs(a - centre).max(), np.abs(b - centre).max()) or 1.0
    a, b = (a - centre) / scale, (b - centre) / scale
    metric = "euclidean" if order == 1 else "sqeuclidean"
    if len(a) * len(b) <= DENSE:
        costs = cdist(a, b, metric)
        log = _raise_what_pot_warns(
            ot.lp.emd2, [], [], costs, numItermax=max_iterations, return_matrix=True
        )
        i, j = np.nonzero(log["G"])
        weight = log["G"][i, j]
    else:
        log = _raise_what_pot_warns(
            ot.lp.emd2_lazy, a, b, metric=metric, numItermax=max_iterations
        )
        plan = log["G"].tocoo()
        i, j, weight = plan.row, plan.col, plan.data
    potentials = (scale**order * log[name] for name in "uv")
    return Coupling(*(torch.as_tensor(t).to(x.device) for t in (i, j, weight, *potentials)))


def _staircase(n: int, m: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Cells and weights of the monotone plan between ``n`` and ``m`` sorted points.

    All ``n + m - 1`` cells of the path are listed, so that consecutive ones share a row or a
    column; where both end at once one of them has weight 0.
    """
    ends = torch.cat([torch.arange(1, n) * m, torch.arange(1, m) * n])
    ends, event = ends.sort(stable=True)
    right = (event < n - 1).long()
    start = torch.zeros(1, dtype=torch.long)
    i, j = (torch.cat([start, step.cumsum(0)]) for step in (right, 1 - right))
    edges = torch.cat([start, ends, torch.tensor([n * m])])
    return i.to(device), j.to(device), (edges.diff().double() / (n * m)).to(device)


def monotone(x: Tensor, y: Tensor, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cost of optimal 1-D plans, and their potentials, for ``(..., n)`` and ``(..., m)``.

    Along the path of the monotone plan a step to the right changes only ``u``, a step down only
    ``v``, each by the change in cost; for a convex cost these potentials are feasible.
    """
    i, j, weight = _staircase(x.shape[-1], y.shape[-1], x.device)
    (x, of_x), (y, of_y) = x.sort(-1), y.sort(-1)
    cost = _costs(x[..., i, None], y[..., j, None], order)
    change = cost.detach().diff(dim=-1)
    to_right = i.diff() == 1
    u = torch.zeros_like(x)
    v = cost[..., :1].detach().expand_as(y).clone()
    u[..., 1:] += (change * to_right).cumsum(-1)[..., to_right]
    v[..., 1:] += (change * ~to_right).cumsum(-1)[..., ~to_right]
    return (
        (cost * weight).sum(-1),
        torch.zeros_like(u).scatter(-1, of_x, u),
        torch.zeros_like(v).scatter(-1, of_y, v),
    )


def sampling_variance(u: Tensor, v: Tensor) -> Tensor:
    return u.var() / len(u) + v.var() / len(v)


def estimate_of(
    mean_cost: Tensor, variance: Tensor, order: int, floor: Tensor, like: Tensor
) -> Estimate:
    """Distance with its interval, whose lower end allows for the bias that the floor shows."""
    value = root(mean_cost, order)
    read, stderr = value.detach(), variance.sqrt()
    if order == 2:  # delta method for the root
        stderr = stderr / (2 * read)
    # matching samples of equal laws costs the floor; a shift adds to it at right angles at worst
    told_apart = read - 1.959964 * stderr > 1.1 * floor
    least = torch.where(told_apart, (read**2 - floor**2).clamp_min(0).sqrt(), 0.0)
    least = torch.where(floor.isnan(), read, least)
    ci = (least - 1.959964 * stderr, read + 1.959964 * stderr)
    notes = ()
    if read - least > 1.959964 * stderr:
        reason = "by up to" if told_apart else "and cannot be told from 0; it may be off by"
        notes = (
            f"biased upward {reason} {float(read - least):.3g}: between samples of equal laws it "
            f"reads {float(floor):.3g}",
        )
    low, high = (end.to(like.dtype) for end in ci)
    value, stderr, floor = (t.to(like.dtype) for t in (value, stderr, floor))
    return Estimate(value, stderr, ci=(low, high), floor=floor, warnings=notes)


@final
@dataclass(frozen=True)
class EarthMover(Estimator):
    r"""Wasserstein distance between two samples, exactly, in the unit of the data.

    .. math::
        W_p(P_n, Q_m)^p = \min_\pi \sum_{ij} \pi_{ij} \|x_i - y_j\|^p
        = \max_{u_i + v_j \le \|x_i - y_j\|^p} \frac1n \sum_i u_i + \frac1m \sum_j v_j

    Exact for the samples; of the laws they come from it is an overestimate, in expectation, by
    up to ``floor``: what it reads between two samples of the same law. In more than about four
    dimensions the floor hides most of what there is to see. It is measured between halves of
    ``x`` and of ``y``, rescaled to the full sizes by :math:`n^{-1/\max(2, d)}`, shown, and never
    subtracted: where the laws are apart the bias is far smaller. A warning says when the bias may
    exceed the sampling error, and the interval's lower end allows for it.

    The stderr is :math:`\sqrt{\mathrm{var}(u)/n + \mathrm{var}(v)/m}` with the dual potentials,
    and for W2 that of the square divided by :math:`2 W_2`.

    References:
        | Central limit theorems for empirical transportation cost in general dimension
          (del Barrio and Loubes, 2019), Theorem 4.1
        | https://arxiv.org/abs/1705.01299
        | POT: Python Optimal Transport (Flamary et al., 2021)
        | https://jmlr.org/papers/v22/20-451.html

    Arguments:
        order: 1 for W1, 2 for W2.
        floor: Measure the floor, at the cost of two more problems of 256 points each.
        max_iterations: Of the network simplex method.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or ``order`` is not 1 or 2.
        RuntimeError: If the solver did not reach the optimum.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
        >>> EarthMover(floor=False)(x, x + torch.tensor([3.0, 0.0])).value
        tensor(3.)
    """

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "upper"
    rate: ClassVar[float | None] = 0.5
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1705.01299",
        "https://jmlr.org/papers/v22/20-451.html",
    )

    order: int = 1
    floor: bool = True
    max_iterations: int = 10_000_000

    def __post_init__(self) -> None:
        check_order(self.order)
        if self.order == 2:  # only the square of W2 is convex, hence an upper bound
            object.__setattr__(self, "quantity", "w2")
            object.__setattr__(self, "bound", "none")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _mean_cost(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b = x.double(), y.double()
        if x.shape[1] == 1:
            return monotone(a[:, 0], b[:, 0], self.order)
        plan = linear_program(x, y, self.order, self.max_iterations)
        return (plan.weight * _costs(a[plan.i], b[plan.j], self.order)).sum(), plan.u, plan.v

    @torch.no_grad()
    def _floor(self, x: Tensor, y: Tensor) -> Tensor:
        n, m, d = len(x), len(y), x.shape[1]
        if not self.floor or min(n, m) < 4:
            return x.new_tensor(math.nan, dtype=torch.float64)
        readings = []
        for sample in (x, y):
            most = FLOOR_POINTS if d > 1 else len(sample)
            first, second = sample[0::2][:most], sample[1::2][:most]
            reading = root(self._mean_cost(first, second)[0], self.order)
            sizes = (1 / n + 1 / m) / (1 / len(first) + 1 / len(second))
            readings.append(reading * sizes ** (1 / max(2, d)))
        return torch.stack(readings).mean()

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        mean_cost, u, v = self._mean_cost(x, y)
        floor = self._floor(x, y)
        estimate = estimate_of(mean_cost, sampling_variance(u, v), self.order, floor, x)
        return replace(estimate, bound=self.bound, n=(len(x), len(y)))
