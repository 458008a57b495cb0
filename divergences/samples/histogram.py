"""Divergences of two samples counted on one shared grid. Up to three dimensions.

The grid's edges are quantiles of the pooled points: no increasing map of an axis changes a value.
A grid can only lower a divergence, and counting noise can only raise its plug-in value. Each
estimator corrects for the second in its own way. What the first may cost is judged from a grid of
half the resolution: twice what that one loses goes into the upper end of the interval. Where x
and y differ within the cells by more than chance and the interval allow, a warning says so.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import xlogy
from torch import Tensor

from divergences.checks import LARGEST, whole_number
from divergences.estimate import QUANTITIES, Bound, Estimate, Estimator, Z, each_member
from divergences.samples.few_points import Sum
from divergences.samples.quantile_grid import MOST_BINS, Cells, QuantileGrid
from divergences.samples.random_halves import halves, random_order
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
                "one may read as much more; give more bins or more points",
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
        estimate = Estimate(
            x.new_tensor(value), x.new_tensor(stderr), (x.new_tensor(low), x.new_tensor(high))
        )
        return replace(estimate, bound=self.bound, n=(len(x), len(y)), warnings=notes)

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


def _sampling_error(terms: Terms, cells: Cells) -> tuple[float, float]:
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
    split = [[z.numpy() for z in halves(torch.from_numpy(s), k)] for k, s in enumerate(samples)]
    counts = [
        np.stack([whole, *map(cells.count, parts)])
        for whole, parts in zip(cells.counts, split, strict=True)
    ]
    sizes = [np.array([[len(s)], [len(s) // 2], [len(s) // 2]]) for s in samples]
    (a, b), one = counts, np.ones_like(counts[0])
    of_x = np.stack([np.maximum(a - one, 0), a, a + one, a, a])
    of_y = np.stack([b, b, b, np.maximum(b - one, 0), b + one])
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


@final
@dataclass(frozen=True)
class HistogramKL(HistogramEstimator):
    r"""KL(P||Q) of two samples on a shared grid, in nats, with ½ added to every count.

    .. math:: \sum_c \tilde p_c \log\frac{\tilde p_c}{\tilde q_c}, \qquad
        \tilde p_c = \frac{n_c + 1/2}{n + C/2}

    over the ``C`` cells that either sample occupies. The ½ is Krichevsky and Trofimov's (Laplace
    smoothing adds 1). Without it KL is infinite as soon as one point of ``x`` has no ``y`` in its
    cell; where that is so the interval has no upper end, and a warning says it if the ½ decides
    the value. Its lower end allows for the second-order bias
    :math:`(C - 1)/2n + \sum_c p_c (1 - q_c) / 2 m q_c`.

    References:
        | The performance of universal encoding (Krichevsky and Trofimov, 1981)
        | https://doi.org/10.1109/TIT.1981.1056331

    Arguments:
        bins: Even number of cells along each axis; ``2 n^(1/(d + 2))``, rounded up, if not given.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 4, or there
            are more than 3 dimensions.

    Example:
        >>> x, y = torch.tensor([[0.0], [0], [0], [1]]), torch.tensor([[0.0], [1], [1], [1]])
        >>> HistogramKL(bins=2)(x, y).value  # 3.5/5 log 3.5/1.5 + 1.5/5 log 1.5/3.5
        tensor(0.3389)
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "none"
    _curvature: ClassVar[float] = 4.0

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        found = super()._one(x, y)
        if not _reaches_beyond(x, y):
            return found
        return replace(found, ci=(found.ci[0], torch.full_like(found.value, math.inf)))

    def _value(self, cells: Cells) -> float:
        return float(self._terms(*cells.counts, len(cells.x), len(cells.y)).sum())

    def _rises(self, value: float, js: float) -> float:
        return 8 * js  # 4 times where densities are alike, and more where they are not

    def _added_by_counting(self, cells: Cells) -> float:
        n, m, (of_x, of_y) = len(cells.x), len(cells.y), cells.counts
        occupied = [np.count_nonzero(count) - 1 for count in (of_x, of_y)]
        return occupied[0] / (2 * n) + occupied[1] / (2 * m)

    def _read(self, cells: Cells) -> Reading:
        n, m, (of_x, of_y), value = len(cells.x), len(cells.y), cells.counts, self._value(cells)
        p, q = _smoothed(of_x, n), _smoothed(of_y, m)
        bias = (cells.many - 1) / (2 * n) + float((p * (1 - q) / q).sum()) / (2 * m)
        alone = int(of_x[of_y == 0].sum())
        (stderr, reach), notes = _sampling_error(self._terms, cells), ()
        if math.log(4) * alone / n > reach * stderr:  # what 1/8 in place of 1/2 would add
            notes = (
                f"{alone} of {n} points of x lie in cells without a point of y: the counts "
                "alone would give an infinite KL, what is added to them decides the value",
            )
        high = math.inf if alone else value
        return Reading(value, stderr, reach, value - bias, high, notes)

    @staticmethod
    def _terms(of_x: Array, of_y: Array, n: Sizes, m: Sizes) -> Array:
        p, q = _smoothed(of_x, n), _smoothed(of_y, m)
        return p * np.log(p / q)


def _reaches_beyond(x: Tensor, y: Tensor) -> bool:
    """Whether an x is farther beyond all y along an axis than the middle half of y is long."""
    n = len(y)
    for a, b in zip(x.detach().cpu().numpy().T, y.detach().cpu().numpy().T, strict=True):
        ordered = np.sort(b)
        middle = ordered[min(3 * n // 4, n - 1)] - ordered[n // 4]
        if max(a.max() - ordered[-1], ordered[0] - a.min()) > middle:
            return True
    return False


def _smoothed(counts: Array, size: Sizes) -> Array:
    """Shares of the cells with one half added to each count."""
    return (counts + 0.5) / (size + counts.shape[-1] / 2)


@final
@dataclass(frozen=True)
class HistogramJS(HistogramEstimator):
    r"""Jensen-Shannon divergence of two samples on a shared grid, in nats, Miller-Madow corrected.

    :math:`H((p + q)/2) - H(p)/2 - H(q)/2`, each entropy raised by its first-order bias, half the
    sum over cells of the share's variance over the share: :math:`(C - 1)/2n` for a sample of
    ``n`` points in ``C`` cells. May be negative. That is too little where cells hold few points,
    so the interval's lower end goes down to the plug-in value less what it measures when the same
    points are dealt out to both samples at random.

    References:
        | Note on the bias of information estimates (Miller, 1955)
        | Estimation of Entropy and Mutual Information (Paninski, 2003), section 4
        | https://doi.org/10.1162/089976603321780272

    Arguments:
        bins: Even number of cells along each axis; ``2 n^(1/(d + 2))``, rounded up, if not given.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 4, or there
            are more than 3 dimensions.

    Example:
        >>> HistogramJS(bins=2)(torch.zeros(8, 1), torch.ones(8, 1)).value - math.log(2)
        tensor(0.)
    """

    quantity: ClassVar[str] = "js"
    bound: ClassVar[Bound] = "none"
    _curvature: ClassVar[float] = 1.0

    def _rises(self, value: float, js: float) -> float:
        return js

    def _value(self, cells: Cells) -> float:
        n, m = len(cells.x), len(cells.y)
        return float(self._terms(*cells.counts, n, m).sum()) + (1 / n + 1 / m) / 4

    def _read(self, cells: Cells) -> Reading:
        n, m, (of_x, of_y), value = len(cells.x), len(cells.y), cells.counts, self._value(cells)
        plug_in = float(self._plug_in(of_x / n, of_y / m).sum())
        low = min(value, plug_in - self._noise(cells))
        return Reading(value, *_sampling_error(self._terms, cells), low, value)

    @staticmethod
    def _plug_in(p: Array, q: Array) -> Array:
        half = np.maximum((p + q) / 2, 1e-300)  # also in cells without points
        return (xlogy(p, p / half) + xlogy(q, q / half)) / 2

    @classmethod
    def _terms(cls, of_x: Array, of_y: Array, n: Sizes, m: Sizes) -> Array:
        p, q = of_x / n, of_y / m
        variance = (p * (1 - p) / n + q * (1 - q) / m) / 4
        missing = variance / np.maximum(p + q, 1e-300)
        return cls._plug_in(p, q) + missing - (np.sign(of_x) / n + np.sign(of_y) / m) / 4

    @classmethod
    def _noise(cls, cells: Cells, shuffles: int = 8) -> float:
        """What the counts read, uncorrected, when the same points are dealt out at random."""
        generator = torch.Generator().manual_seed(0)
        pooled, n, m = np.concatenate([cells.x, cells.y]), len(cells.x), len(cells.y)
        total = sum(cells.counts)
        dealt = np.stack(
            [
                cells.count(pooled[torch.randperm(n + m, generator=generator).numpy()[:n]])
                for _ in range(shuffles)
            ]
        )
        return float(cls._plug_in(dealt / n, (total - dealt) / m).sum()) / shuffles


@final
@dataclass(frozen=True)
class HistogramTV(HistogramEstimator):
    r"""Total variation of two samples on a shared grid, from below: between 0 and 1.

    .. math:: \mathrm{TV}(P, Q) = \max_A P(A) - Q(A)

    The cells where P outweighs Q are chosen on one half of the points and weighed on the other,
    and the other way round. So the noise of the counts, which raises the plug-in value
    :math:`\frac12 \sum_c |p_c - q_c|`, cannot be mistaken for distance, and the expectation is
    never above TV. The interval reaches up to the plug-in value. May be negative.

    References:
        | Combinatorial Methods in Density Estimation (Devroye and Lugosi, 2001), chapter 5
        | https://doi.org/10.1007/978-1-4613-0125-7

    Arguments:
        bins: Even number of cells along each axis; ``2 n^(1/(d + 2))``, rounded up, if not given.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 4, or there
            are more than 3 dimensions.

    Example:
        >>> HistogramTV(bins=2)(torch.zeros(8, 1), torch.ones(8, 1)).value
        tensor(1.)
    """

    quantity: ClassVar[str] = "tv"
    bound: ClassVar[Bound] = "lower"

    def _rises(self, value: float, js: float) -> float:
        """With Pinsker's inequality, TV² <= 2 JS, as if it were an equation."""
        return math.sqrt(max(value, 0.0) ** 2 + 2 * js) - max(value, 0.0)

    def _value(self, cells: Cells) -> float:
        of_x, of_y = self._sides(cells)
        return float(of_x.mean() + of_y.mean())

    def _read(self, cells: Cells) -> Reading:
        of_x, of_y = self._sides(cells)
        value = float(of_x.mean() + of_y.mean())
        p, q = (count / count.sum() for count in cells.counts)
        plug_in = float(np.abs(p - q).sum()) / 2
        # both halves agree or err together, so their mean is no surer than either of them
        error = Sum(torch.from_numpy(of_x), torch.from_numpy(of_y), far=(1.0, 1.0))
        stderr = math.sqrt(2 * float(error.variance))
        return Reading(value, stderr, error.reach, value, max(value, plug_in))

    @staticmethod
    def _sides(cells: Cells) -> tuple[Array, Array]:
        """Half of +1 or -1 at each point, by whether its cell is chosen on the other half."""
        of_x, of_y = np.empty(len(cells.x)), np.empty(len(cells.y))
        orders = [random_order(len(z), k).numpy() for k, z in enumerate((cells.x, cells.y))]
        for part in (0, 1):
            chosen = [order[1 - part :: 2] for order in orders]
            p, q = (
                cells.count(z[at]) / len(at)
                for z, at in zip((cells.x, cells.y), chosen, strict=True)
            )
            side = np.sign(p - q) / 2
            i, j = (order[part::2] for order in orders)
            of_x[i], of_y[j] = side[cells.x[i]], -side[cells.y[j]]
        return of_x, of_y
