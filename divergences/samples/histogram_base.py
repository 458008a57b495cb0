"""What estimators share that count two samples on one grid. Up to three dimensions.

The grid's edges are quantiles of the pooled points: no increasing map of an axis changes a value.
A grid can only lower a divergence, and counting noise can only raise its plug-in value. Each
estimator corrects for the second in its own way. What the first may cost is judged from a grid of
half the resolution: twice what that one loses goes into the upper end of the interval. Where x
and y differ within the cells by more than chance and the interval allow, a warning says so.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from divergences.checks import LARGEST, whole_number
from divergences.estimate import QUANTITIES, Estimate, Z
from divergences.estimator import Estimator, each_member
from divergences.samples.few_points import Sum
from divergences.samples.quantile_grid import MOST_BINS, Cells, QuantileGrid
from divergences.samples.random_halves import random_order
from divergences.samples.within_cells import PARTS, js_beyond_ends, js_within_cells

Array = NDArray[np.floating]
Sizes = int | NDArray[np.integer]

MOST_DIMENSIONS = 3
STEEP = 1 / 3  # of a KL that a grid of half the resolution loses, from which it is too coarse
FEWEST_ACROSS = 2.0  # cells that a cloud of points has to spread over in its narrowest direction


class Reading(NamedTuple):
    """What one grid shows: a value, its error, and the range sampling bias leaves for it."""

    value: float
    stderr: float
    reach: float  # standard errors to either side of an interval
    low: float
    high: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HistogramEstimator(Estimator):
    """What estimators on a shared grid have in common."""

    _curvature: ClassVar[float] = 0.0
    """How many times JS it is where laws are nearly equal: a value that is low by chance there
    comes with too low a standard error, and 8 JS nm / (n + m) is a square of a normal deviate."""

    bins: int | None = None

    def __post_init__(self) -> None:
        if self.bins is None:
            return
        if whole_number("bins", self.bins, least=-LARGEST, most=MOST_BINS) < 2 or self.bins % 2:
            raise ValueError(f"bins = {self.bins}: give an even number, at least 2")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=4)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        d = x.shape[1]
        if d > MOST_DIMENSIONS:
            raise ValueError(
                f"points have {d} dimensions, a grid has cells for at most {MOST_DIMENSIONS}; use "
                "a nearest-neighbour estimator"
            )
        bins = self.bins or 2 * math.ceil(min(len(x), len(y)) ** (1 / (d + 2)))
        fine = QuantileGrid.of(x, y, bins, PARTS)
        grid = fine.coarser(PARTS)
        cells, halved = grid.cells(), grid.coarser(2).cells()
        value, stderr, reach, low, high, notes = self._read(cells)
        coarse = self._value(halved)
        lost = max(value - coarse, 0.0)
        # the interval allows for it; of a smooth law a finer grid gives only a third as much more
        rise = min(lost, QUANTITIES[self.quantity].largest - value)
        by_counting = self._added_by_counting(cells) - self._added_by_counting(halved)
        steep = value - coarse - by_counting > max(STEEP * value, 2 * stderr)
        steep = steep and math.isinf(QUANTITIES[self.quantity].largest)
        if rise > 5 * stderr + (value - low) or steep:
            notes += (
                f"the grid is too coarse: half its resolution gives {lost:.3g} less, so a finer "
                "one may measure as much more; give more bins or more points",
            )
        if grid.cells_across < FEWEST_ACROSS and value < 0.9 * QUANTITIES[self.quantity].largest:
            notes += (
                "the columns nearly determine each other: the points lie in a strip that is "
                f"{grid.cells_across:.2g} cells wide, and what differs across it is not seen; "
                "rotate the points to their principal axes first",
            )
        high += 2 * lost
        allowed = high + Z * stderr - value
        low, high = low - reach * stderr, high + reach * stderr
        high += reach**2 * self._curvature * (1 / len(x) + 1 / len(y)) / 8
        unseen = max(js_within_cells(cells, fine), js_beyond_ends(cells, x, y))
        if self._rises(value, unseen) > allowed / 2:
            notes += (
                "the grid is too coarse: x and y differ within its cells, by a JS of "
                f"{unseen:.2g} or more; give more bins or more points",
            )
        if self._is_open(x, y):
            high = math.inf
        value, stderr, low, high = x.new_tensor([value, stderr, low, high]).unbind()
        return Estimate(value, stderr, (low, high), self.bound, (len(x), len(y)), warnings=notes)

    def _is_open(self, x: Tensor, y: Tensor) -> bool:
        """Whether the interval has no upper end."""
        return False

    def _added_by_counting(self, cells: Cells) -> float:
        """What the noise of counts adds to the value on average, about."""
        return 0.0

    @abstractmethod
    def _rises(self, value: float, js: float) -> float:
        """About how much this rises on a finer grid that makes JS larger by so much."""

    @abstractmethod
    def _value(self, cells: Cells) -> float:
        """The divergence between the cells' shares, corrected for the noise of counts."""

    @abstractmethod
    def _read(self, cells: Cells) -> Reading:
        """That value, its standard error, and what the noise of counts leaves open."""


Terms = Callable[[Array, Array, Sizes, Sizes], Array]


def sampling_error(terms: Terms, cells: Cells) -> tuple[float, float]:
    """Standard deviation over samples of a sum over cells, and how many of them an interval has.

    The jackknife, which leaves out one point at a time, counts twice what pairs of points explain
    (Efron and Stein, 1981). What single points explain is the covariance of a point's effects
    among either of two independent halves. The mean of the two counts everything once.

    All points of a cell have the same effect, so that no more than a sum over cells is needed.
    Where a sample has one cell only, one of its points counts as lying in another.

    Arguments:
        terms: Of each cell, from its counts ``(..., C)`` in both samples and their sizes
            ``(..., 1)``.
        cells: Those of all points.
    """
    samples = (cells.x, cells.y)
    counts = []
    for k, sample in enumerate(samples):
        order, size = random_order(len(sample), k).numpy(), len(sample) // 2
        halves = sample[order[:size]], sample[order[len(order) - size :]]
        counts.append(np.stack([cells.counts[k], *map(cells.count, halves)]))
    sizes = [np.array([[len(s)], [len(s) // 2], [len(s) // 2]]) for s in samples]
    a, b = counts
    of_x = np.stack([np.maximum(a - 1, 0), a, a + 1, a, a])
    of_y = np.stack([b, b, b, np.maximum(b - 1, 0), b + 1])
    less_x, now, more_x, less_y, more_y = terms(of_x, of_y, *sizes)
    effects, far, singles = [], [], []
    for own, count, less, more in ((cells.x, a, less_x, more_x), (cells.y, b, less_y, more_y)):
        n, size = count.sum(1)[:2]
        left_out, added = now - less, more - now  # by the last point in each cell, by one more
        left_out -= (count * left_out).sum(1, keepdims=True) / count.sum(1, keepdims=True)
        effects.append(torch.from_numpy((n - 1) * left_out[0, own]))
        far.append(n * float(np.abs(added[0] - added[0, own[0]]).max()))
        single = float((count[1:] * left_out[1:] * added[:0:-1]).sum()) * size / (2 * n)
        singles.append(math.inf if count[0, own[0]] == n else max(single, 0.0))
    error = Sum(*effects, far=far)
    jackknife = [float(part) for part in error.variances]
    variance = sum(jackknife) + sum(map(min, singles, jackknife))
    return math.sqrt(variance / 2), error.reach
