"""Density and coverage that no single point can dominate, as shares of good points."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaln, gammaln
from torch import Tensor

from divergences.estimate import Z
from divergences.pair_distances import pair_distances
from divergences.samples.coverage import AT_ONCE, Array, NeighbourBalls

GROUPS = 50  # of the points of a sample, that are left out one at a time
SPARE = 12  # neighbours beyond twice k: a fiftieth of the points is left out, never so many

FULL = 1e-13  # of the balls, what more points may add to and is not seen

Flags = NDArray[np.bool_]


class Near(NamedTuple):
    """The real points' neighbours, and the generated points among them.

    Attributes:
        index: Of the nearest other real points, nearest first, ``(n, q)``.
        distance: Theirs, ``(n, q)``.
        centre: Of each pair of a real and a generated point, ``(p,)``.
        point: The generated one, ``(p,)``.
        apart: Distance of the pair; only pairs nearer than the last neighbour are held.
    """

    index: NDArray[np.intp]
    distance: Array
    centre: NDArray[np.intp]
    point: NDArray[np.intp]
    apart: Array

    @classmethod
    def of(cls, x: Tensor, y: Tensor, k: int) -> Near:
        """From real points ``(n, d)`` and generated ones ``(m, d)``."""
        n, m = len(x), len(y)
        found: list[list[Tensor]] = [[], [], [], [], []]
        for first in range(0, n, step := max(1, AT_ONCE // max(n, m))):
            own = torch.arange(first, min(n, first + step))
            within = pair_distances(x[own], x)
            within[torch.arange(len(own)), own] = torch.inf
            near = within.topk(min(2 * k + SPARE, n - 1), largest=False, sorted=True)
            across = pair_distances(x[own], y)
            i, j = (across <= near.values[:, -1:]).nonzero(as_tuple=True)
            parts = near.indices, near.values, i + first, j, across[i, j]
            for held, part in zip(found, parts, strict=True):
                held.append(part)
        return cls(*(torch.cat(held).numpy() for held in found))

    def within(self, kept: Flags, k: int) -> tuple[Flags, Array]:
        """Which neighbours are the k nearest of those kept, and the distance of the last."""
        alive = kept[self.index]
        order = alive.cumsum(1)
        last = np.minimum((order < k).sum(1), self.distance.shape[1] - 1)
        return alive & (order <= k), self.distance[np.arange(len(last)), last]


@dataclass(frozen=True)
class ClippedBalls(NeighbourBalls):
    """What both estimators share: errors by leaving out groups of points."""

    per_neighbour: ClassVar[int] = 0  # errors of groups hold for few points, too

    def _read(self, x: Tensor, y: Tensor) -> tuple[float, list[Array], Array]:
        k, near = int(self.k), Near.of(x, y, int(self.k))
        everything = np.ones(len(x), bool), np.ones(len(y), bool)
        value = self.of_points(near, *everything, k)
        draw, changes = np.random.default_rng(0), []
        for side, kept in enumerate(everything):
            group = draw.permutation(len(kept)) % min(GROUPS, len(kept))
            count = int(group.max()) + 1
            without = []
            for each in range(count):
                left = list(everything)
                left[side] = group != each
                without.append(self.of_points(near, left[0], left[1], k))
            changes.append((np.array(without) - value) * ((count - 1) / count) ** 0.5)
        return value, changes, near.distance[:, k - 1 : k + 1].T

    @abstractmethod
    def of_points(self, near: Near, kept_x: Flags, kept_y: Flags, k: int) -> float:
        """The value from the points that are kept."""


@final
@dataclass(frozen=True)
class ClippedDensity(ClippedBalls):
    r"""Density with balls no larger than the median one and at most k counted for a point.

    .. math:: \frac{\mathrm{mean}_j \min(1, \frac1k \sum_i 1[\|y_j - x_i\| \le r_i])}
        {\mathrm{mean}_l \min(1, \frac1k \sum_{i \ne l} 1[\|x_l - x_i\| \le r_i])},
        \quad r_i = \min(r_k(x_i), \mathrm{median}_l\, r_k(x_l))

    1 between equal laws, and the share of good points if the others are far from the real ones.
    In the paper the value is capped at 1; here it is not, so that its mean between equal laws is
    1. It exceeds 1 where generated points keep to where real ones are dense.

    References:
        | Enhanced Generative Model Evaluation with Clipped Density and Coverage (Salvy et al.,
          2025); the formulas are those of the released code
        | https://arxiv.org/abs/2507.01761

    Arguments:
        k: Neighbours that a ball reaches.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than
            ``k + 3``.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (torch.randn(400, 2, generator=draw) for _ in range(2))
        >>> y[:100] += 50  # a quarter of the points is bad
        >>> found = ClippedDensity()(x, y)
        >>> bool(found.ci[0] < 0.75 < found.ci[1])
        True
    """

    quantity: ClassVar[str] = "clipped_density"

    def of_points(self, near: Near, kept_x: Flags, kept_y: Flags, k: int) -> float:
        members, reach = near.within(kept_x, k)
        reach = np.minimum(reach, np.median(reach[kept_x]))
        members &= (near.distance <= reach[:, None]) & kept_x[:, None]
        own = np.bincount(near.index[members], minlength=len(kept_x))[kept_x]
        inside = kept_x[near.centre] & (near.apart <= reach[near.centre])
        held = np.bincount(near.point[inside], minlength=len(kept_y))[kept_y]
        return float(np.minimum(held, k).mean() / np.minimum(own, k).mean())


@final
@dataclass(frozen=True)
class ClippedCoverage(ClippedBalls):
    r"""Share of good generated points that covers the real ones as these points do.

    .. math:: u = \mathrm{mean}_i \min\bigl(1, \tfrac1k \#\{j : \|y_j - x_i\| < r_k(x_i)\}\bigr)

    The value is the number of points of the real law that is expected to give u, over the number
    of generated points. A ball of n real points holds a share of the law that is Beta(k, n - k),
    whatever the law. Between whole numbers of points the value is interpolated, and beyond all of
    them continued with the last slope, where the released code rounds and caps at 1.

    References:
        | Enhanced Generative Model Evaluation with Clipped Density and Coverage (Salvy et al.,
          2025); the formulas are those of the released code
        | https://arxiv.org/abs/2507.01761

    Arguments:
        k: Neighbours that a ball reaches.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than
            ``k + 3``.

    Example:
        >>> x = torch.linspace(0, 1, 100)[:, None] ** 2
        >>> ClippedCoverage()(x, x + 100).value
        tensor(0.)
    """

    quantity: ClassVar[str] = "clipped_coverage"

    def of_points(self, near: Near, kept_x: Flags, kept_y: Flags, k: int) -> float:
        reach = near.within(kept_x, k)[1]
        inside = kept_y[near.point] & (near.apart < reach[near.centre])
        held = np.bincount(near.centre[inside], minlength=len(kept_x))[kept_x]
        u = float(np.minimum(held, k).mean()) / k
        return _share_of(u, expected_coverage(int(kept_x.sum()), int(kept_y.sum()), k))

    def _ends(self, value: float, stderr: float, n: tuple[int, int]) -> tuple[float, float]:
        """Those of u, as shares: where nearly all balls are full, u says little of the share."""
        expected, m = expected_coverage(*n, int(self.k)), n[1]
        at, first, step = _piece(math.floor(value * m), expected)
        u, slope = first + (value * m - at) * step, step * m
        half = max(Z * slope * stderr, 3 / n[0], slope * 3 / m)  # shares of balls, and of points
        return _share_of(u - half, expected), _share_of(u + half, expected)


def _share_of(u: float, expected: Array) -> float:
    """The share of the points from which u is expected, beyond 0 and 1 along a line."""
    at, first, step = _piece(int(np.searchsorted(expected, u)) - 1, expected)
    return (at + (u - first) / step) / (len(expected) - 1)


def _piece(at: int, expected: Array) -> tuple[int, float, float]:
    """The nearest number of points from which one more is seen, what it gives, and how much."""
    last = int(np.searchsorted(expected, expected[-1] - FULL))
    at = min(max(at, 0), max(last - 1, 0))
    return at, float(expected[at]), float(expected[at + 1] - expected[at])


def expected_coverage(n: int, m: int, k: int) -> Array:
    """The mean of the clipped coverage before calibration, of 0 to m points of the real law.

    Each of n balls holds a beta-binomial number of them, of which at most k count.

    Example:
        >>> expected_coverage(10, 2, 1)  # balls hold a tenth of the law
        array([0.        , 0.1       , 0.18181818])
    """
    points, few = np.arange(m + 1)[:, None], np.arange(k)
    possible = np.minimum(few, points)  # more points than there are have probability 0
    ways = gammaln(points + 1) - gammaln(possible + 1) - gammaln(points - possible + 1)
    share = np.exp(ways + betaln(k + possible, n - k + points - possible) - betaln(k, n - k))
    return 1 - ((k - few) * share * (few <= points)).sum(1) / k
