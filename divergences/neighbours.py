"""KL and Jensen-Shannon divergence from distances to nearest neighbours. No network, no grid.

What all three estimators share: a stderr from the influence of every single point, an interval
that also covers the bias, and a look at the supports, since a density is what the formulas assume.

The bias of a nearest-neighbour estimate depends on ``k / n`` alone, so the change from ``2k`` to
``k`` neighbours is the change from ``n / 2`` to ``n`` points, on the same sample and for free. It
gives the interval its bias term, and shows a KL that grows like log n because it is infinite.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import digamma, gammaln
from torch import Tensor

from divergences.interface import (
    Bound,
    Estimate,
    Estimator,
    check_samples,
    each_member,
    stack_members,
)

Array = NDArray[np.floating]
Reading = tuple[float, list[Array]]  # a value, and each point's influence on it, per sample

FEW = 4  # times k: effective number of points of y below which they are too few
SMOOTH_UP_TO = 4  # dimensions up to which the bias of an entropy falls as fast as its noise
OUT_OF_REACH = 0.2  # share of P's points without points of Q around them that means "diverging"
DUPLICATES = 0.01  # share of coincident points that float32 rounding can explain


def _points(sample: Tensor) -> Array:
    return sample.detach().cpu().double().numpy()


def _rank(sample: Array, resolution: float) -> int:
    """Dimension of the smallest affine subspace that holds all points, up to ``resolution``."""
    spread = np.linalg.svd(sample - sample.mean(0), compute_uv=False) / math.sqrt(len(sample))
    return int((spread > resolution).sum())


def _dimension(x: Tensor, y: Tensor) -> tuple[int, bool]:
    """Dimension of the affine subspace of both samples, and whether each of them fills it.

    Where they do not, their laws are mutually singular if each has a density on its own
    subspace. With fewer points than dimensions nothing can be said, and nothing is.
    """
    a, b = _points(x), _points(y)
    if min(len(a), len(b)) <= a.shape[1] + 1:
        return a.shape[1], True
    pooled = np.concatenate([a, b])
    resolution = 8 * torch.finfo(x.dtype).eps * float(np.abs(pooled).max())
    joint = _rank(pooled, resolution)
    return joint, _rank(a, resolution) == joint == _rank(b, resolution)


def _neighbours(points: Array, queries: Array, k: int) -> tuple[Array, NDArray[np.intp]]:
    """Distances to and indices of the ``k`` nearest ``points``, leaving out the query itself."""
    own = int(points is queries)
    distances, indices = KDTree(points).query(queries, k=k + own)
    return np.reshape(distances, (len(queries), -1))[:, own:], np.reshape(
        indices, (len(queries), -1)
    )[:, own:]


def _refuse_ties(nearest: Array, kth: Array, where: str) -> None:
    coincident = int((nearest == 0).sum())
    if (kth == 0).any() or coincident > max(1, DUPLICATES * len(nearest)):
        raise ValueError(
            f"{coincident} of {len(nearest)} points coincide with {where}: nearest-neighbour "
            "estimates need a density, which has no ties. Draw in float64, remove the duplicates "
            "(torch.unique(x, dim=0)), or add noise well below the scale of interest; for "
            "discrete data use divergences.discrete"
        )


def _thin(distances: Array, k: int, dimension: int) -> tuple[str, ...]:
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


def _from_influences(
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


@cache
def _entropy_bias(n: int, d: int, k: int) -> float:
    """How far the entropy of ``n`` standard normal points in ``d`` dimensions reads off, in size.

    The points' mean of -log p, whose expectation is the entropy, has most of the same noise.
    """
    points = np.random.default_rng(0).standard_normal((n, d))
    rho, _ = _neighbours(points, points, k)
    read = d * float(np.log(rho[:, k - 1]).mean()) + float(digamma(n) - digamma(k)) + _log_ball(d)
    return abs(read - float((points**2).sum(1).mean()) / 2 - d / 2 * math.log(2 * math.pi))


def _log_ball(d: int) -> float:
    """Logarithm of the volume of the unit ball."""
    return d / 2 * math.log(math.pi) - float(gammaln(d / 2 + 1))


def _known(value: float, reason: str, like: Tensor) -> Estimate:
    exact = like.new_tensor(value)
    return Estimate(exact, torch.zeros_like(exact), ci=(exact, exact), warnings=(reason,))


def _check_k(k: int) -> None:
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
        _check_k(self.k)

    def __call__(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=2 * self.k + 1)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        k, n, m, size = self.k, len(x), len(y), (len(x), len(y))
        a, b = _points(x), _points(y)
        rho, _ = _neighbours(a, a, 2 * k)
        nu, nearest = _neighbours(b, a, 2 * k)
        _refuse_ties(rho[:, 0], rho[:, k - 1], "another point of x")
        _refuse_ties(nu[:, 0], nu[:, k - 1], "a point of y")
        d, share_support = _dimension(x, y) if self.check_support else (a.shape[1], True)
        if not share_support:
            reason = (
                "x and y lie in different affine subspaces (lines, planes): if each has a density "
                "there, KL is infinite"
            )
            return replace(_known(math.inf, reason, x), n=size)

        def read(j: int) -> Reading:
            terms = d * np.log(nu[:, j - 1] / rho[:, j - 1])
            # p/q at y: how many of the x count it among their j nearest, over how many should
            ratio = np.bincount(nearest[:, :j].ravel(), minlength=m) * (m / (n * j))
            return float(terms.mean()) + math.log(m / (n - 1)), [terms, -ratio]

        near, far = read(k), read(2 * k)
        rate = min(1 / 3, 2 / d)
        estimate = replace(_from_influences(near, far, rate, x), n=size)
        return self._judge(estimate, near, far, rate, _thin(rho, k, d))

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


@final
@dataclass(frozen=True)
class KnownDensity(Estimator):
    r"""KL(P||q) from one sample of P and the log-density of Q, in nats.

    .. math::
        -\hat H_k(x) - \frac1n \sum_i \log q(x_i), \qquad
        \hat H_k(x) = \psi(n) - \psi(k) + \log c_d + \frac{d}{n} \sum_i \log \rho_k(i)

    with :math:`\hat H_k` the Kozachenko-Leonenko entropy, :math:`c_d` the volume of the unit ball
    and :math:`\rho_k(i)` the distance from :math:`x_i` to its k-th neighbour. Sees what two
    samples cannot: a mode of P that Q lacks costs its full price. For a GAN with a known target
    density it reads KL(generated||real).

    Above four dimensions the bias outlasts the noise and changes its sign with n, so that no
    change from ``k`` to ``2k`` neighbours shows it. There the interval is widened by what the
    same method misses on a normal sample of the same size and dimension.

    Called as ``estimator(x)``. A second sample is accepted, so that the estimator can stand in
    a list beside two-sample ones, and is not looked at.

    References:
        | Estimating mutual information (Kraskov, Stögbauer and Grassberger, 2004), equation (20)
        | https://arxiv.org/abs/cond-mat/0305641
        | Sample estimate of the entropy of a random vector (Kozachenko and Leonenko, 1987)

    Arguments:
        log_prob: Log-density of Q with respect to volume in ``d`` dimensions, mapping points
            ``(..., d)`` to ``(...)``.
        k: Neighbours. More of them mean less variance and more bias.

    Raises:
        TypeError: If the sample is not a floating-point tensor.
        ValueError: If points coincide, are fewer than ``2k + 1``, or ``log_prob`` returns the
            wrong shape, NaN or ``+inf``.

    Example:
        >>> from torch.distributions import MultivariateNormal
        >>> x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
        >>> q = MultivariateNormal(torch.tensor([2.0, 0.0]), torch.eye(2))
        >>> bool((KnownDensity(q.log_prob)(x).value - 2).abs() < 0.2)
        True
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "none"
    rate: ClassVar[float | None] = 0.5
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/cond-mat/0305641",)

    log_prob: Callable[[Tensor], Tensor]
    k: int = 5

    def __post_init__(self) -> None:
        _check_k(self.k)

    def __call__(self, x: Tensor, y: Tensor | None = None) -> Estimate:
        start = time.perf_counter()
        points, _ = check_samples(x, x, at_least=2 * self.k + 1)
        log_q = self.log_prob(x.detach())
        if log_q.shape != x.shape[:-1]:
            raise ValueError(
                f"log_prob maps {tuple(x.shape)} to {tuple(log_q.shape)}; expected "
                f"{tuple(x.shape[:-1])}, one number per point"
            )
        impossible = int((log_q.isnan() | log_q.isposinf()).sum())
        if impossible:
            raise ValueError(f"log_prob is NaN or +inf at {impossible} of {log_q.numel()} points")
        pairs = zip(points, log_q.reshape(points.shape[:-1]), strict=True)
        estimates = [replace(self._one(*pair), n=(x.shape[-2], 0)) for pair in pairs]
        return stack_members(estimates, x.ndim == 3, time.perf_counter() - start)

    def _one(self, x: Tensor, log_q: Tensor) -> Estimate:
        a, k, (n, d) = _points(x), self.k, x.shape
        rho, nearest = _neighbours(a, a, 2 * k)
        _refuse_ties(rho[:, 0], rho[:, k - 1], "another point of x")
        if _dimension(x, x)[0] < d:
            return _known(math.inf, f"x lies in less than {d} dimensions, q does not", x)
        outside = int(log_q.isneginf().sum())
        if outside:
            return _known(math.inf, f"q is zero at {outside} of {n} points of x", x)
        cross = -_points(log_q)

        def read(j: int) -> Reading:
            terms = cross - d * np.log(rho[:, j - 1])
            # second order, but not small: a point is also the neighbour of others
            others = np.bincount(nearest[:, :j].ravel(), minlength=n) / j
            return terms.mean() - float(digamma(n) - digamma(j)) - _log_ball(d), [terms + others]

        slack = _entropy_bias(n, d, k) if d > SMOOTH_UP_TO else 0.0
        estimate = _from_influences(read(k), read(2 * k), min(1 / 2, 2 / d), x, slack)
        return replace(estimate, warnings=_thin(rho, k, d))


@final
@dataclass(frozen=True)
class RossJS(Estimator):
    r"""Jensen-Shannon divergence as the information between a point and its label, in nats.

    Pool both samples and label each point by where it came from. With equal sizes,
    :math:`\mathrm{JS}(P, Q) = I(\text{point}; \text{label})`, which is estimated by

    .. math:: \psi(2n) - \psi(n) + \psi(k) - \langle \psi(m_i) \rangle

    with :math:`m_i` the number of pooled points, itself included, nearer to point i than its k-th
    neighbour of its own label. May be negative; exceeds log 2 by :math:`1/(4n)` where the samples
    are apart. Needs no density, only that points do not coincide.

    Two samples whose supports are closer than their points' spacing look the same. Where they lie
    in different affine subspaces, as parallel segments do, the value is log 2, with a warning.

    With unequal sizes the first ``min(n, m)`` points of each are used, with a warning: all of
    them would give the information at label weights ``n : m``, which is not JS.

    References:
        | Mutual Information between Discrete and Continuous Data Sets (Ross, 2014), equation (2)
        | https://doi.org/10.1371/journal.pone.0087357

    Arguments:
        k: Neighbours. More of them mean less variance and more bias.
        check_support: Look for different affine subspaces first.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points coincide, or a sample has fewer than ``2k + 1``.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x = torch.rand(1000, 2, generator=draw, dtype=torch.float64)
        >>> y = torch.rand(1000, 2, generator=draw, dtype=torch.float64)
        >>> far, near = RossJS()(x, y + 2).value, RossJS()(x, y).value
        >>> bool((far - math.log(2)).abs() < 0.001), bool(near.abs() < 0.03)
        (True, True)
    """

    quantity: ClassVar[str] = "js"
    bound: ClassVar[Bound] = "none"
    rate: ClassVar[float | None] = 0.5
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1371/journal.pone.0087357",)

    k: int = 3
    check_support: bool = True

    def __post_init__(self) -> None:
        _check_k(self.k)

    def __call__(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=2 * self.k + 1)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        k, n, size = self.k, min(len(x), len(y)), (len(x), len(y))
        warnings = ()
        if len(x) != len(y):
            warnings = (f"only the first {n} points of each sample used, for equal weights",)
        x, y = x[:n], y[:n]
        samples = _points(x), _points(y)
        own = [_neighbours(points, points, 2 * k) for points in samples]
        for (distances, _), name in zip(own, "xy", strict=True):
            _refuse_ties(distances[:, 0], distances[:, k - 1], f"another point of {name}")
        if self.check_support and not _dimension(x, y)[1]:
            reason = (
                "x and y lie in different affine subspaces (lines, planes): if each has a density "
                "there, JS is log 2"
            )
            return replace(_known(math.log(2), reason, x), n=size)

        # for each sample: pairs (i, j), j of the other label and nearer than i's 2k-th of its own
        strangers = []
        for c, (distances, _) in enumerate(own):
            inside = KDTree(samples[1 - c]).query_ball_point(
                samples[c], distances[:, 2 * k - 1], return_sorted=False
            )
            i = np.repeat(np.arange(n), np.fromiter(map(len, inside), np.intp, n))
            j = np.fromiter(chain.from_iterable(inside), np.intp, len(i))
            strangers.append((i, j, np.linalg.norm(samples[c][i] - samples[1 - c][j], axis=1)))
        i, _, apart = strangers[0]
        nearest = np.ones(n)
        nearest[i[apart == 0]] = 0
        _refuse_ties(nearest, np.ones(n), "a point of y")

        def read(order: int) -> Reading:
            terms, influences = [], [np.zeros(n), np.zeros(n)]
            for c, ((distances, neighbours), (i, j, apart)) in enumerate(
                zip(own, strangers, strict=True)
            ):
                within = apart < distances[i, order - 1]
                i, j = i[within], j[within]
                count = np.bincount(i, minlength=n)
                m = order + count
                terms.append(digamma(2 * n) - digamma(n) + digamma(order) - digamma(m))
                # one more point shrinks the ball of its own label and fills that of the other
                shrinks = np.repeat(count / m / order, order)
                influences[c] += terms[c]
                influences[c] += np.bincount(neighbours[:, :order].ravel(), shrinks, n)
                influences[1 - c] -= np.bincount(j, 1 / m[i], n)
            return float(terms[0].mean() + terms[1].mean()) / 2, [i / 2 for i in influences]

        # rule of three: an overlap of less than 3 in 2n may show no point at all
        unseen = 3 * math.log(2) / (2 * n)
        estimate = _from_influences(read(k), read(2 * k), 1 / 2, x, slack=unseen)
        return replace(estimate, n=size, warnings=warnings)
