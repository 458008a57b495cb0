"""Wasserstein distances between samples, exactly, and what plans between samples share.

They are differentiable in both samples. The gradient is the envelope theorem's: that of the cost
at the optimal plan held fixed, with no solver in the graph. Distances between coincident points
have gradient 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

import torch
from torch import Tensor

from divergences.checks import boolean, whole_number
from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.samples.few_points import LEAST, LEAST_OF_SQUARES, Sum
from divergences.samples.plans import costs, linear_program, matched, monotone
from divergences.samples.random_halves import halves
from divergences.samples.units import coarse, in_own_unit, times_two_to

MOST_PAIRS = 20_000 * 20_000  # about a quarter of an hour of one core
FLOOR_POINTS = 256  # points per half that the floor is measured on
UNPROVEN = 1e-6  # of a plan's cost, by which it may be above the optimum without a warning


def check_order(order: int) -> None:
    if whole_number("order", order) > 2:
        raise ValueError(f"order = {order}: only W1 and W2 are implemented")


def root(mean_cost: Tensor, order: int) -> Tensor:
    """The distance that a mean cost stands for; gradient 0, not infinite, at 0."""
    if order == 1:
        return mean_cost
    positive = mean_cost > 0
    return torch.where(positive, torch.where(positive, mean_cost, 1.0).sqrt(), 0.0)


def least_of(order: int) -> int:
    """Fewest points for an interval of the distance."""
    return LEAST if order == 1 else LEAST_OF_SQUARES


def counted_once(variance: Tensor, read: Tensor, floor: Tensor) -> Tensor:
    """That variance less what pairs of points explain, which it counts twice (Efron and Stein).

    Where laws are equal pairs explain all of it, and half is left. Where a distance is twice its
    floor single points explain nearly all.

    Arguments:
        variance: That of an optimal cost over samples, from its potentials.
        read: The distance.
        floor: What it is between samples of equal laws; ``nan`` if not measured.
    """
    share = torch.where(read > floor, (floor / read) ** 4, 1.0)
    return variance * (1 - share.masked_fill(floor.isnan(), 0.0) / 2)


def floor_from_halves(
    x: Tensor,
    y: Tensor,
    read: Callable[[Tensor, Tensor], Tensor],
    rate: float,
    most: int,
) -> Tensor:
    """What is read between samples of equal laws of the sizes of ``x`` and ``y``; ``nan`` if few.

    Arguments:
        x: Points of shape ``(n, d)``.
        y: Points of shape ``(m, d)``.
        read: The quantity between two samples, of shape ``()``.
        rate: It falls with the sizes to this power.
        most: Points per half.
    """
    n, m = len(x), len(y)
    if min(n, m) < 4:
        return x.new_tensor(math.nan)
    floors = []
    for which, sample in enumerate((x, y)):
        first, second = halves(sample, which, most)
        sizes = (1 / n + 1 / m) / (2 / len(first))
        floors.append(read(first, second) * sizes**rate)
    return torch.stack(floors).mean()


def estimate_of(
    mean_cost: Tensor,
    error: Sum,
    order: int,
    floor: Tensor,
    like: Tensor,
    exponent: int,
    of_lines: Tensor | float = 0.0,
) -> Estimate:
    """Distance with its interval, whose lower end allows for the bias that the floor shows.

    Arguments:
        mean_cost: Mean of distances to the power ``order``, in a unit of ``2**exponent``.
        error: Of the mean cost, from its potentials.
        floor: What the distance is between samples of equal laws; where it was not measured the
            interval begins below 0.
        like: A sample, for the dtype of the result.
        exponent: Of the unit.
        of_lines: Variance that the choice of projections adds.

    Raises:
        ValueError: If the distance is beyond the range of that dtype.
    """
    value = root(mean_cost, order)
    read, reach = value.detach(), error.reach
    variance = counted_once(error.variance, read, floor) + of_lines
    # a value low by chance is near its floor: the upper end takes nothing off
    stderr, most = variance.sqrt(), (error.variance + of_lines).sqrt()
    beyond = reach * most
    if order == 2:  # delta method for the root
        stderr = torch.where(read > 0, stderr / (2 * read), 0.0)
        beyond = torch.where(read > 0, beyond / (2 * read), beyond.sqrt())
    # matching samples of equal laws costs the floor; a shift adds to it at right angles at worst
    told_apart = read - reach * stderr > 1.1 * floor  # never where there is no floor
    least = torch.where(told_apart, (read**2 - floor**2).clamp_min(0).sqrt(), 0.0)
    low, high = least - reach * stderr, read + beyond
    value, stderr, floor, low, high, off = (
        times_two_to(exponent, t) for t in (value, stderr, floor, low, high, read - least)
    )
    notes = ()
    if off > reach * stderr and not floor.isnan():
        reason = "by up to" if told_apart else "and cannot be told from 0; it may be off by"
        notes = (
            f"biased upward {reason} {float(off):.3g}: between samples of equal laws it "
            f"measures {float(floor):.3g}",
        )
    value, stderr, floor, low, high = (t.to(like.dtype) for t in (value, stderr, floor, low, high))
    if not value.isfinite():
        raise ValueError(f"the distance is beyond the range of {like.dtype}: change the unit")
    return Estimate(value, stderr, ci=(low, high), floor=floor, warnings=notes)


@final
@dataclass(frozen=True)
class EarthMover(Estimator):
    r"""Wasserstein distance between two samples, exactly, in the unit of the data.

    .. math::
        W_p(P_n, Q_m)^p = \min_\pi \sum_{ij} \pi_{ij} \|x_i - y_j\|^p
        = \max_{u_i + v_j \le \|x_i - y_j\|^p} \frac1n \sum_i u_i + \frac1m \sum_j v_j

    Exact for the samples: the cost of the plan is compared with the dual value of its potentials,
    and a warning is given if they differ by more than a millionth. Of the laws the samples come
    from it is an overestimate, in expectation, by up to ``floor``: its value between two
    samples of the same law. In more than about four
    dimensions the floor hides most of what there is to see. It is measured between halves of
    ``x`` and of ``y``, rescaled to the full sizes by :math:`n^{-1/\max(2, d)}`, shown, and never
    subtracted: where the laws are apart the bias is far smaller. A warning says when the bias may
    exceed the sampling error, and the interval's lower end allows for it.

    The stderr is :math:`\sqrt{\mathrm{var}(u)/n + \mathrm{var}(v)/m}` with the dual potentials,
    less the share of it that pairs of points explain: half near the floor, little from twice the
    floor on. Between equal laws the stderr is 1.2 (line) to 1.4 times (plane) the spread over
    samples; without a floor nothing is taken off, and it is up to 1.75 times the spread.
    For W2 it is that of the square divided by :math:`2 W_2`. The interval covers more than 95 %
    where the laws are so close that the bias decides its lower end.

    References:
        | Central limit theorems for empirical transportation cost in general dimension
          (del Barrio and Loubes, 2019), Theorem 4.1
        | https://arxiv.org/abs/1705.01299
        | POT: Python Optimal Transport (Flamary et al., 2021)
        | https://jmlr.org/papers/v22/20-451.html

    Arguments:
        order: 1 for W1, 2 for W2.
        floor: Measure the floor, at the cost of two more problems of up to 256 points each.
            Without it, and of fewer than 4 points, the interval begins below 0.
        max_iterations: Of the network simplex method.
        most_pairs: More pairs of points than this are refused before any work; 400 million take
            about a quarter of an hour. On the line there is no limit.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, ``order`` is not 1 or 2, there are
            too many pairs, or the distance is beyond the range of the dtype.
        RuntimeError: If the solver did not reach the optimum.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
        >>> EarthMover(floor=False)(x, x + torch.tensor([3.0, 0.0])).value
        tensor(3.)
    """

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "upper"
    rate: ClassVar[float | None] = 0.5

    order: int = 1
    floor: bool = True
    max_iterations: int = 10_000_000
    most_pairs: int = MOST_PAIRS

    def __post_init__(self) -> None:
        check_order(self.order)
        boolean("floor", self.floor)
        whole_number("max_iterations", self.max_iterations)
        whole_number("most_pairs", self.most_pairs)
        if self.order == 2:  # only the square of W2 is convex, hence an upper bound
            object.__setattr__(self, "quantity", "w2")
            object.__setattr__(self, "bound", "none")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _plan(self, x: Tensor, y: Tensor) -> Transport:
        if x.shape[1] == 1:
            return Transport(*monotone(x[:, 0], y[:, 0], self.order))
        plan = linear_program(x, y, self.order, self.max_iterations)
        cost = x.new_tensor(plan.cost)
        if x.requires_grad or y.requires_grad:  # the envelope theorem's graph
            cost = (plan.weight * costs(x[plan.i], y[plan.j], self.order)).sum()
        return Transport(cost, plan.u, plan.v, plan.gap)

    @torch.no_grad()
    def _floor(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.floor:
            return x.new_tensor(math.nan)
        d = x.shape[1]
        most = FLOOR_POINTS if d > 1 else len(x) + len(y)
        return floor_from_halves(x, y, self._between_halves, 1 / max(2, d), most)

    def _between_halves(self, first: Tensor, second: Tensor) -> Tensor:
        if first.shape[1] > 1:
            return root(self._plan(first, second).mean_cost, self.order)
        return root(matched(first[:, 0], second[:, 0], self.order), self.order)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        if x.shape[1] > 1 and len(x) * len(y) > self.most_pairs:
            raise ValueError(
                f"{len(x)} x {len(y)} points are {len(x) * len(y):.2g} pairs, more than "
                f"most_pairs = {self.most_pairs:.2g}: take fewer points, Sliced, or raise it"
            )
        a, b, exponent = in_own_unit(x, y)
        mean_cost, u, v, gap = self._plan(a, b)
        floor = self._floor(a.detach(), b.detach())
        error = Sum.between(u, v)
        estimate = estimate_of(mean_cost, error, self.order, floor, x, exponent)
        rounded = coarse(x, y, float(estimate.stderr), float(estimate.value.detach()))
        notes = estimate.warnings + error.rests_on_few(least_of(self.order)) + rounded
        if gap > UNPROVEN * (cost := float(mean_cost.detach())):
            share = min(gap / cost, 1.0)
            notes += (f"the plan found may cost up to {share:.1%} more than the best one",)
        return replace(estimate, bound=self.bound, n=(len(x), len(y)), warnings=notes)


class Transport(NamedTuple):
    """Mean cost of a plan, its potentials, and the most by which a better plan could cost less."""

    mean_cost: Tensor
    u: Tensor
    v: Tensor
    gap: float = 0.0
