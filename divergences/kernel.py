"""Energy distance and maximum mean discrepancy: cheap, smooth neighbours of Wasserstein's.

Both are :math:`E k(x, x') + E k(y, y') - 2 E k(x, y)` for a kernel ``k``, estimated without bias
by leaving out the pairs of a point with itself. May be negative. The variance is Hoeffding's, see
*Unbiased estimators for the variance of MMD estimators* (Sutherland and Deka, 2019, arXiv
1906.02104).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from divergences.checks import positive_number
from divergences.interface import Bound, Estimate, Estimator, each_member


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances, with gradient 0 where points coincide."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _interaction(kernel: Tensor, distinct: bool) -> Tensor:
    """Mean square of what the kernel of a pair is beyond the means of its row and column.

    Arguments:
        kernel: Of shape ``(n, m)``.
        distinct: Whether it is among the points of one sample, so that the diagonal is no pair.
    """
    n = len(kernel)
    if not distinct:
        rest = kernel - kernel.mean(1, keepdim=True) - kernel.mean(0) + kernel.mean()
        return rest.square().mean()
    off = 1 - torch.eye(n, dtype=kernel.dtype, device=kernel.device)
    means = (kernel * off).sum(1) / (n - 1)
    rest = off * (kernel - means[:, None] - means + means.mean())
    return rest.square().sum() / (n * (n - 1))


def _u_statistic(of_x: Tensor, of_y: Tensor, across: Tensor, like: Tensor) -> Estimate:
    """Estimate from the kernel among x ``(n, n)``, among y ``(m, m)`` and across ``(n, m)``.

    The stderr has both terms of the Hoeffding decomposition: that of single points, less the
    share of it that is noise, and that of pairs, which alone is left where the laws are equal.
    """
    n, m = across.shape
    own_x = (of_x.sum(1) - of_x.diagonal()) / (n - 1)
    own_y = (of_y.sum(1) - of_y.diagonal()) / (m - 1)
    value = own_x.mean() + own_y.mean() - 2 * across.mean()
    with torch.no_grad():
        pairs_x, pairs_y = _interaction(of_x, True), _interaction(of_y, True)
        mixed = _interaction(across, False)
        points_x = (own_x - across.mean(1)).var() - pairs_x / (n - 1) - mixed / m
        points_y = (own_y - across.mean(0)).var() - pairs_y / (m - 1) - mixed / n
        variance = 4 * (points_x.clamp_min(0) / n + points_y.clamp_min(0) / m + mixed / (n * m))
        variance += 2 * (pairs_x / (n * (n - 1)) + pairs_y / (m * (m - 1)))
    return Estimate(value.to(like), variance.sqrt().to(like), bound="exact", n=(n, m))


@final
@dataclass(frozen=True)
class EnergyDistance(Estimator):
    r"""Energy distance between two samples, in the unit of the data, without bias.

    .. math:: 2 E\|X - Y\| - E\|X - X'\| - E\|Y - Y'\|

    Zero only for equal laws. This is the square of what ``scipy.stats.energy_distance`` calls so,
    in any dimension.

    References:
        | Energy statistics: A class of statistics based on distances (Székely and Rizzo, 2013),
          equation (4)
        | https://doi.org/10.1016/j.jspi.2013.03.018

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than 2.

    Example:
        >>> EnergyDistance()(torch.zeros(3, 2), torch.tensor([[3.0, 4.0]] * 5)).value
        tensor(10.)
    """

    quantity: ClassVar[str] = "energy"
    bound: ClassVar[Bound] = "exact"
    rate: ClassVar[float | None] = 0.5
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1016/j.jspi.2013.03.018",)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        a, b = x.double(), y.double()
        return _u_statistic(-_distances(a, a), -_distances(b, b), -_distances(a, b), x)


@final
@dataclass(frozen=True)
class MMD(Estimator):
    r"""Squared maximum mean discrepancy between two samples under a Gaussian kernel, without bias.

    .. math:: E k(X, X') + E k(Y, Y') - 2 E k(X, Y), \qquad
        k(x, y) = \exp\left(-\frac{\|x - y\|^2}{2 h^2}\right)

    Between 0 and 2 for the laws; has no unit. Without a bandwidth, ``h`` is the median distance
    between points of the pooled sample (the median heuristic), so that values from different
    samples are not comparable; give one where they should be.

    References:
        | A Kernel Two-Sample Test (Gretton et al., 2012), equation (3) and section 8
        | https://jmlr.org/papers/v13/gretton12a.html

    Arguments:
        bandwidth: ``h``, in the unit of the data, or ``None`` for the median heuristic.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 2, the
            bandwidth is not positive, or none was given and the median distance is 0.

    Example:
        >>> MMD(bandwidth=1.0)(torch.zeros(3, 2), 100 * torch.ones(4, 2)).value
        tensor(2.)
    """

    quantity: ClassVar[str] = "mmd"
    bound: ClassVar[Bound] = "exact"
    rate: ClassVar[float | None] = 0.5
    references: ClassVar[tuple[str, ...]] = ("https://jmlr.org/papers/v13/gretton12a.html",)

    bandwidth: float | None = None

    def __post_init__(self) -> None:
        if self.bandwidth is not None:
            positive_number("bandwidth", self.bandwidth)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        pooled = torch.cat([x, y]).double()
        distances, n = _distances(pooled, pooled), len(x)
        h = None if self.bandwidth is None else float(self.bandwidth)
        if h is None:
            i, j = torch.triu_indices(len(pooled), len(pooled), offset=1, device=x.device)
            h = float(distances.detach()[i, j].median())
            if h == 0:
                raise ValueError(
                    "more than half of all pairs of points coincide, so their median distance is "
                    "0; give a bandwidth"
                )
        kernel = (-((distances / h) ** 2) / 2).exp()  # in units of h: its square may underflow
        return _u_statistic(kernel[:n, :n], kernel[n:, n:], kernel[:n, n:], x)
