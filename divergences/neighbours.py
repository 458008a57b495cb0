"""KL divergence from distances to nearest neighbours, and what all such estimators share.

No network, no grid. They share a stderr from the influence of every single point, an interval
that also covers the bias, and a look at the supports, since a density is what the formulas assume.

The bias of a nearest-neighbour estimate depends on ``k / n`` alone, so the change from ``2k`` to
``k`` neighbours is the change from ``n / 2`` to ``n`` points, on the same sample and for free. It
gives the interval its bias term, and shows a KL that grows like log n because it is infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import digamma
from torch import Tensor

from divergences.interface import Bound, Estimate, Estimator, each_member

Array = NDArray[np.floating]
Reading = tuple[float, list[Array]]  # a value, and each point's influence on it, per sample

FEW = 4  # times k: effective number of points of y below which they are too few
OUT_OF_REACH = 0.2  # share of P's points without points of Q around them that means "diverging"
DUPLICATES = 0.01  # share of coincident points that float32 rounding can explain


def as_points(sample: Tensor) -> Array:
    return sample.detach().cpu().double().numpy()


def _rank(sample: Array, resolution: float) -> int:
    """Dimension of the smallest affine subspace that holds all points, up to ``resolution``."""
    spread = np.linalg.svd(sample - sample.mean(0), compute_uv=False) / math.sqrt(len(sample))
    return int((spread > resolution).sum())


def joint_dimension(x: Tensor, y: Tensor) -> tuple[int, bool]:
    """Dimension of the affine subspace of both samples, and whether each of them fills it.

    Where they do not, their laws are mutually singular if each has a density on its own
    subspace. With fewer points than dimensions nothing can be said, and nothing is.
    """
    a, b = as_points(x), as_points(y)
    if min(len(a), len(b)) <= a.shape[1] + 1:
        return a.shape[1], True
    pooled = np.concatenate([a, b])
    resolution = 8 * torch.finfo(x.dtype).eps * float(np.abs(pooled).max())
    joint = _rank(pooled, resolution)
    return joint, _rank(a, resolution) == joint == _rank(b, resolution)


def k_nearest(points: Array, queries: Array, k: int) -> tuple[Array, NDArray[np.intp]]:
    """Distances to and indices of the ``k`` nearest ``points``, leaving out the query itself."""
    own = int(points is queries)
    distances, indices = KDTree(points).query(queries, k=k + own)
    return np.reshape(distances, (len(queries), -1))[:, own:], np.reshape(
        indices, (len(queries), -1)
    )[:, own:]


def refuse_ties(nearest: Array, kth: Array, where: str) -> None:
    coincident = int((nearest == 0).sum())
    if (kth == 0).any() or coincident > max(1, DUPLICATES * len(nearest)):
        raise ValueError(
            f"{coincident} of {len(nearest)} points coincide with {where}: nearest-neighbour "
            "estimates need a density, which has no ties. Draw in float64, remove the duplicates "
            "(torch.unique(x, dim=0)), or add noise well below the scale of interest; for "
            "discrete data use divergences.discrete"
        )


def thin(distances: Array, k: int, dimension: int) -> tuple[str, ...]:
    """A warning where distances grow with the neighbour's order as on a thinner set."""
    expected = float(digamma(2 * k) - digamma(k))
    growth = float(np.log(distances[:, 2 * k - 1] / distances[:, k - 1]).mean())
    if expected > 0.6 * dimension * growth:
        return ()
    seen = expected / growth
    return (
        f"the points lie as if in {seen:.1f} dimensions, not {dimension}: on a curve or surface "
        "the formula's value is off by the ratio of the two, in clumps of fewer than "
        f"{2 * k} points it is meaningless",
    )


def from_influences(
    near: Reading,
    far: Reading,
    rate: float,
    like: Tensor,
    slack: float = 0.0,
) -> Estimate:
    """Estimate from the values at ``k`` and ``2k`` neighbours and each point's influence on them.

    With a bias of ``c (k / n)**rate`` the value without bias is ``value + factor (near - far)``.
    The interval reaches from 1.96 standard errors beyond the value to 1.96 standard errors beyond
    this extrapolation, and ``slack`` further.
    """

    def stderr(influences: list[Array]) -> float:
        return math.sqrt(sum(i.var(ddof=1) / len(i) for i in influences))

    factor = 1 / (2**rate - 1)
    value, error = near[0], stderr(near[1])
    best = value + factor * (value - far[0])
    best_error = stderr([a + factor * (a - b) for a, b in zip(near[1], far[1], strict=True)])
    ends = (
        min(value - 1.959964 * error, best - 1.959964 * best_error) - slack,
        max(value + 1.959964 * error, best + 1.959964 * best_error) + slack,
    )
    low, high = (like.new_tensor(end) for end in ends)
    return Estimate(like.new_tensor(value), like.new_tensor(error), ci=(low, high))


def known(value: float, reason: str, like: Tensor) -> Estimate:
    exact = like.new_tensor(value)
    return Estimate(exact, torch.zeros_like(exact), ci=(exact, exact), warnings=(reason,))


def known_apart(value: float, meaning: str, like: Tensor) -> Estimate:
    """The value between laws on different subspaces, with a warning that says when it holds."""
    reason = "x and y lie in different affine subspaces (lines, planes): if each has a density "
    return known(value, f"{reason}there, {meaning}", like)


def check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k = {k}: at least one neighbour is needed")


@final
@dataclass(frozen=True)
class NearestNeighbours(Estimator):
    r"""KL(P||Q) from two samples, by distances to the k-th nearest neighbour, in nats.

    .. math::
        \frac{d}{n} \sum_i \log \frac{\nu_k(i)}{\rho_k(i)} + \log \frac{m}{n - 1}

    with :math:`\rho_k(i)` the distance from :math:`x_i` to its k-th neighbour among the other
    :math:`x`, :math:`\nu_k(i)` among the :math:`y`. May be negative.

    No sample can show KL that comes from where P has mass and Q has no points. The estimate then
    grows by up to log 2 (times d over the dimension of P's support) with each doubling of the
    points, and carries a warning that begins with ``"diverging"``; with ``"biased"`` where it
    grows less but by much for its size, with ``"few"`` where few of the :math:`y` are neighbours
    of most :math:`x`. Where the two samples lie in different affine subspaces, as parallel
    segments do, the value is ``inf``, with a warning.

    The stderr is that of the influence function, :math:`\log p/q` at the :math:`x` and
    :math:`-p/q` at the :math:`y`; the interval also covers a bias that decays as slowly as
    :math:`n^{-1/3}` (:math:`n^{-2/d}` above six dimensions), as it does where P has the heavier
    tail.

    References:
        | Divergence Estimation for Multidimensional Densities Via k-Nearest-Neighbor Distances
          (Wang, Kulkarni and Verdú, 2009), equation (5)
        | https://doi.org/10.1109/TIT.2009.2016060

    Arguments:
        k: Neighbours. More of them mean less variance and more bias.
        check_support: Look for different affine subspaces first. Without it parallel segments
            are treated as any other sample, and the estimate grows like log n.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points coincide, or a sample has fewer than ``2k + 1``.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x = torch.rand(1000, 2, generator=draw, dtype=torch.float64)
        >>> y = 2 * torch.rand(1000, 2, generator=draw, dtype=torch.float64)
        >>> bool((NearestNeighbours()(x, y).value - math.log(4)).abs() < 0.2)
        True
        >>> segment = torch.cat([torch.zeros(1000, 1, dtype=torch.float64), x[:, :1]], 1)
        >>> NearestNeighbours()(segment, segment + torch.tensor([0.1, 0.0])).value
        tensor(inf, dtype=torch.float64)
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "none"
    rate: ClassVar[float | None] = 0.5
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1109/TIT.2009.2016060",)

    k: int = 5
    check_support: bool = True

    def __post_init__(self) -> None:
        check_k(self.k)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=2 * self.k + 1)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        k, n, m, size = self.k, len(x), len(y), (len(x), len(y))
        a, b = as_points(x), as_points(y)
        rho, _ = k_nearest(a, a, 2 * k)
        nu, nearest = k_nearest(b, a, 2 * k)
        refuse_ties(rho[:, 0], rho[:, k - 1], "another point of x")
        refuse_ties(nu[:, 0], nu[:, k - 1], "a point of y")
        d, share_support = joint_dimension(x, y) if self.check_support else (a.shape[1], True)
        if not share_support:
            return replace(known_apart(math.inf, "KL is infinite", x), n=size)

        def read(j: int) -> Reading:
            terms = d * np.log(nu[:, j - 1] / rho[:, j - 1])
            # p/q at y: how many of the x count it among their j nearest, over how many should
            ratio = np.bincount(nearest[:, :j].ravel(), minlength=m) * (m / (n * j))
            return float(terms.mean()) + math.log(m / (n - 1)), [terms, -ratio]

        near, far = read(k), read(2 * k)
        rate = min(1 / 3, 2 / d)
        estimate = replace(from_influences(near, far, rate, x), n=size)
        return self._judge(estimate, near, far, rate, thin(rho, k, d))

    def _judge(
        self,
        estimate: Estimate,
        near: Reading,
        far: Reading,
        rate: float,
        warnings: tuple[str, ...],
    ) -> Estimate:
        """Warn where the value grows too much with n, or few points of y stand for all of P."""
        ratio = near[1][1]
        effective = float(ratio.sum() ** 2 / (ratio**2).sum())
        if effective < FEW * self.k:
            warnings += (
                f"few: the neighbours of x are as concentrated as if y had {effective:.0f} points "
                f"of its {len(ratio)}; value and error rest on those",
            )
        growth = near[0] - far[0]
        terms = near[1][0] - far[1][0]
        noise = float(terms.std(ddof=1)) / math.sqrt(len(terms))
        more = growth / (2**rate - 1)
        if growth > OUT_OF_REACH * math.log(2) + 3 * noise:
            warnings += (
                f"diverging: the estimate grows by {growth:.2g} nats with each doubling of the "
                "points (by log 2 = 0.69 where no support is shared): KL is probably infinite, or "
                "far above what these points can show",
            )
            unbounded = torch.full_like(estimate.value, math.inf)
            estimate = replace(estimate, ci=(estimate.ci[0], unbounded))
        elif growth > 2 * noise and more > abs(near[0]) / 3:
            warnings += (
                f"biased: the estimate grows by {growth:.2g} nats with each doubling of the "
                f"points, and may be low by {more:.2g} or more",
            )
        return replace(estimate, warnings=warnings)
