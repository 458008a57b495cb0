"""Divergences of two samples counted on one shared grid. Up to three dimensions.

The grid's edges are quantiles of the pooled points: no increasing map of an axis changes a value.
A grid can only lower a divergence, and counting noise can only raise its plug-in value. Each
estimator corrects for the second in its own way. What the first may cost is judged from a grid of
half the resolution: twice what that one loses goes into the upper end of the interval.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

import torch
from torch import Tensor

from divergences.checks import LARGEST, whole_number
from divergences.interface import Bound, Estimate, Estimator, each_member
from divergences.transport import halves

MOST_DIMENSIONS = 3
MOST_BINS = 2**20  # along each axis, so that cells can be numbered in 64 bits
FEW_CELLS = 2**14  # up to which a table of them is faster than sorting


def _cells(x: Tensor, y: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Grid cell of each point, as integers ``(n, d)`` and ``(m, d)`` below ``bins``.

    The edges along each axis are quantiles of the pooled points in which both samples weigh the
    same, so that neither units nor far points matter. Equal values share a cell.
    """
    weight = torch.cat([torch.full((len(z),), 1 / len(z), dtype=torch.float64) for z in (x, y)])
    weight = weight.to(x.device)
    axes = torch.cat([x, y]).T.contiguous()
    cells = torch.stack([_by_quantiles(axis, weight, bins) for axis in axes], 1)
    return cells[: len(x)], cells[len(x) :]


def _by_quantiles(values: Tensor, weight: Tensor, bins: int) -> Tensor:
    """Number of the cell of each value, each with about the same weight, ties going together."""
    ordered, order = values.sort()
    if (ordered.diff() > 0).all():
        cells = torch.empty_like(order)
        cells[order] = _by_mass(weight[order], bins)
        return cells
    distinct, which = values.unique(return_inverse=True)
    if len(distinct) <= bins:
        return which * (bins - 1) // max(len(distinct) - 1, 1)  # a cell for each, far apart
    mass = torch.zeros(len(distinct), dtype=torch.float64, device=values.device)
    return _by_mass(mass.index_add(0, which, weight), bins)[which]


def _by_mass(mass: Tensor, bins: int) -> Tensor:
    middle = (mass.cumsum(0) - mass / 2) / 2  # both samples together weigh 2
    return (middle * bins).long().clamp(0, bins - 1)


def _label(x: Tensor, y: Tensor, bins: int) -> tuple[Tensor, Tensor, int]:
    """Number the cells that are occupied, and say how many there are."""
    place = bins ** torch.arange(x.shape[1], device=x.device)
    numbers = (torch.cat([x, y]) * place).sum(1)
    if bins ** x.shape[1] <= FEW_CELLS:
        rank = (numbers.bincount() > 0).cumsum(0)
        labels, cells = rank[numbers] - 1, int(rank[-1])
    else:
        distinct, labels = numbers.unique(return_inverse=True)
        cells = len(distinct)
    return labels[: len(x)], labels[len(x) :], cells


class Reading(NamedTuple):
    """What one grid shows: a value, its stderr, and the range sampling bias leaves for it."""

    value: float
    stderr: float
    low: float
    high: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HistogramEstimator(Estimator):
    """What estimators on a shared grid have in common."""

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
        a, b = _cells(x.detach(), y.detach(), bins)
        value, stderr, low, high, notes = self.read(*_label(a, b, bins))
        coarse = self.read(*_label(a // 2, b // 2, bins)).value
        lost = max(value - coarse, 0.0)
        # the interval allows for it; of a smooth law a finer grid reads only a third as much more
        if lost > 5 * stderr + (value - low):
            notes += (
                f"the grid is too coarse: half its resolution reads {lost:.3g} less, so a finer "
                "one may read as much more; give more bins or more points",
            )
        low, high = low - 1.959964 * stderr, high + 2 * lost + 1.959964 * stderr
        estimate = Estimate(
            x.new_tensor(value), x.new_tensor(stderr), (x.new_tensor(low), x.new_tensor(high))
        )
        return replace(estimate, bound=self.bound, n=(len(x), len(y)), warnings=notes)

    @abstractmethod
    def read(self, x: Tensor, y: Tensor, cells: int) -> Reading:
        """Read the divergence off the cells.

        Arguments:
            x: Number of the cell of each point of the first sample, ``(n,)``.
            y: Of each point of the second, ``(m,)``.
            cells: How many cells are occupied by either.
        """


def _shares(x: Tensor, y: Tensor, cells: int, added: float = 0.0) -> tuple[Tensor, Tensor]:
    """Share of each sample in every cell, ``added`` to each count first."""
    counts = (side.bincount(minlength=cells).double() + added for side in (x, y))
    p, q = (count / count.sum() for count in counts)
    return p, q


def _stderr(of_x: Tensor, of_y: Tensor) -> float:
    return math.sqrt(float(of_x.var() / len(of_x) + of_y.var() / len(of_y)))


Terms = Callable[[Tensor, Tensor, int, int], Tensor]


def _sampling_error(terms: Terms, x: Tensor, y: Tensor, cells: int) -> float:
    """Standard deviation over samples of a sum over cells.

    The jackknife, which leaves out one point at a time, counts twice what pairs of points explain
    (Efron and Stein, 1981). What single points explain is the covariance of a point's effects
    among either of two independent halves. The mean of the two counts everything once.

    Arguments:
        terms: Of each cell, from its counts ``(..., C)`` in both samples and their sizes.
        x: Number of the cell of each point of the first sample, ``(n,)``.
        y: Of each point of the second, ``(m,)``.
        cells: How many there are.
    """
    whole = _effects(terms, x, y, cells)
    pairs = list(zip(halves(x, len(x)), halves(y, len(y)), strict=True))
    parts = [_effects(terms, *pair, cells) for pair in pairs]
    variance = 0.0
    for side, sample in enumerate((x, y)):
        n, size = len(sample), len(sample) // 2
        jackknife = float(whole[0][side][sample].var()) * (n - 1) ** 2 / n
        single = 0.0
        for k in (0, 1):
            at = pairs[k][side]
            left_out, added = parts[k][0][side][at], parts[1 - k][1][side][at]
            single += float((left_out - left_out.mean()) @ added) * size / (2 * n)
        variance += (jackknife + min(max(single, 0.0), jackknife)) / 2
    return math.sqrt(variance)


def _effects(terms: Terms, x: Tensor, y: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """What the last point in each cell has added, and what one more would: ``(2, C)`` each."""
    a, b = (side.bincount(minlength=cells).double() for side in (x, y))
    one = torch.ones_like(a)
    of_x = torch.stack([a - one, a, a + one, a, a])
    of_y = torch.stack([b, b, b, b - one, b + one])
    less_x, now, more_x, less_y, more_y = terms(of_x, of_y, len(x), len(y))
    return torch.stack([now - less_x, now - less_y]), torch.stack([more_x - now, more_y - now])


@final
@dataclass(frozen=True)
class HistogramKL(HistogramEstimator):
    r"""KL(P||Q) of two samples on a shared grid, in nats, with ½ added to every count.

    .. math:: \sum_c \tilde p_c \log\frac{\tilde p_c}{\tilde q_c}, \qquad
        \tilde p_c = \frac{n_c + 1/2}{n + C/2}

    over the ``C`` cells that either sample occupies. The ½ is Krichevsky and Trofimov's (Laplace
    smoothing adds 1). Without it KL is infinite as soon as one point of ``x`` has no ``y`` in its
    cell; where that is so a warning says it and the interval has no upper end. Its lower end
    allows for the second-order bias :math:`(C - 1)/2n + \sum_c p_c (1 - q_c) / 2 m q_c`.

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
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1109/TIT.1981.1056331",)

    def read(self, x: Tensor, y: Tensor, cells: int) -> Reading:
        p, q = _shares(x, y, cells, added=0.5)
        value = float((p * (p / q).log()).sum())
        bias = (cells - 1) / (2 * len(x)) + float((p * (1 - q) / q).sum()) / (2 * len(y))
        alone = int((y.bincount(minlength=cells) == 0)[x].sum())
        notes = ()
        if alone:
            notes = (
                f"{alone} of {len(x)} points of x lie in cells without a point of y: the counts "
                "alone would give an infinite KL, what is added to them decides the value",
            )
        high = math.inf if alone else value
        stderr = _sampling_error(self._terms, x, y, cells)
        return Reading(value, stderr, value - bias, high, notes)

    @staticmethod
    def _terms(of_x: Tensor, of_y: Tensor, n: int, m: int) -> Tensor:
        cells = of_x.shape[-1]
        p, q = ((c + 0.5) / (size + cells / 2) for c, size in ((of_x, n), (of_y, m)))
        return p * (p / q).log()


@final
@dataclass(frozen=True)
class HistogramJS(HistogramEstimator):
    r"""Jensen-Shannon divergence of two samples on a shared grid, in nats, Miller-Madow corrected.

    :math:`H((p + q)/2) - H(p)/2 - H(q)/2`, each entropy raised by its first-order bias, half the
    sum over cells of the share's variance over the share: :math:`(C - 1)/2n` for a sample of
    ``n`` points in ``C`` cells. May be negative. That is too little where cells hold few points,
    so the interval's lower end goes down to the plug-in value less what it reads when the same
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
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1162/089976603321780272",)

    def read(self, x: Tensor, y: Tensor, cells: int) -> Reading:
        n, m = len(x), len(y)
        of_x, of_y = (side.bincount(minlength=cells).double() for side in (x, y))
        value = float(self._plug_in(of_x / n, of_y / m).sum())
        corrected = float(self._terms(of_x, of_y, n, m).sum()) + (1 / n + 1 / m) / 4
        low = min(corrected, value - self._noise(torch.cat([x, y]), n, cells))
        return Reading(corrected, _sampling_error(self._terms, x, y, cells), low, corrected)

    @staticmethod
    def _plug_in(p: Tensor, q: Tensor) -> Tensor:
        half = ((p + q) / 2).clamp_min(1e-300)  # also in cells without points
        return (torch.special.xlogy(p, p / half) + torch.special.xlogy(q, q / half)) / 2

    @classmethod
    def _terms(cls, of_x: Tensor, of_y: Tensor, n: int, m: int) -> Tensor:
        p, q = of_x / n, of_y / m
        variance = (p * (1 - p) / n + q * (1 - q) / m) / 4
        missing = variance / (p + q).clamp_min(1e-300) - (of_x.sign() / n + of_y.sign() / m) / 4
        return cls._plug_in(p, q) + missing

    @classmethod
    def _noise(cls, pooled: Tensor, n: int, cells: int, shuffles: int = 8) -> float:
        """What the counts read, uncorrected, when the same points are dealt out at random."""
        generator = torch.Generator(pooled.device).manual_seed(0)
        total = 0.0
        for _ in range(shuffles):
            order = torch.randperm(len(pooled), generator=generator, device=pooled.device)
            p, q = _shares(pooled[order[:n]], pooled[order[n:]], cells)
            total += float(cls._plug_in(p, q).sum())
        return total / shuffles


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
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1007/978-1-4613-0125-7",)

    def read(self, x: Tensor, y: Tensor, cells: int) -> Reading:
        of_x, of_y = x.new_empty(len(x)).double(), y.new_empty(len(y)).double()
        for part in (0, 1):
            p, q = _shares(x[1 - part :: 2], y[1 - part :: 2], cells)
            side = (p - q).sign() / 2
            of_x[part::2], of_y[part::2] = side[x[part::2]], -side[y[part::2]]
        value = float(of_x.mean() + of_y.mean())
        p, q = _shares(x, y, cells)
        plug_in = float((p - q).abs().sum()) / 2
        # both halves agree or err together, so their mean is no surer than either of them
        stderr = math.sqrt(2) * _stderr(of_x, of_y)
        return Reading(value, stderr, value, max(value, plug_in))
