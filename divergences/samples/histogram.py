"""KL, JS and total variation of two samples counted on one shared grid.

Counting noise can only raise a plug-in value; each estimator corrects for it in its own way. What
they share is in :mod:`divergences.samples.histogram_base`.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from scipy.special import xlogy
from torch import Tensor

from divergences.estimate import Bound
from divergences.samples.few_points import Sum
from divergences.samples.histogram_base import (
    Array,
    HistogramEstimator,
    Reading,
    Sizes,
    sampling_error,
)
from divergences.samples.quantile_grid import Cells
from divergences.samples.random_halves import random_order


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

    def _is_open(self, x: Tensor, y: Tensor) -> bool:
        return _reaches_beyond(x, y)

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
        (stderr, reach), notes = sampling_error(self._terms, cells), ()
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
        return Reading(value, *sampling_error(self._terms, cells), low, value)

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
