"""KL divergence of two samples from distances to nearest neighbours. No network, no grid."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from divergences.checks import boolean, whole_number
from divergences.estimate import Bound, Estimate, Z
from divergences.estimator import Estimator, each_member
from divergences.samples.common_space import CommonSpace
from divergences.samples.finer_structure import finer_structure
from divergences.samples.heavier_tail import heavier_tail
from divergences.samples.log_ratio_model import Drift, DriftWithin
from divergences.samples.neighbour_distances import (
    FLAT,
    FLATTENED,
    Array,
    Reading,
    from_influences,
    k_nearest,
    known_apart,
    no_estimate,
    refuse_ties,
    seen_dimension,
    stderr_of,
    thin,
)

FEW = 4  # times k: effective number of points of y below which they are too few
OUT_OF_REACH = 0.2  # share of P's points without points of Q around them that means "diverging"
APART = 3.5  # log of the volume to the nearest y over that which holds 2k of the x
MISSED = 0.02  # share of the x so far from all y from which Q may lack a part of P
JUMP = math.log(1000)  # over k: gap between neighbours that chance explains once in so many
CLUMPED = 0.82  # of the dimension that distances among y show where it is in clumps
MOST_CLUMPED = 512  # points of y that are looked at for that, in 4 dimensions at most
UNSURE = 1 / 2  # share of a correction that may be wrong


@final
@dataclass(frozen=True)
class NearestNeighbours(Estimator):
    r"""KL(P||Q) from two samples, by distances to the k-th nearest neighbour, in nats.

    .. math::
        \frac{d}{n} \sum_i \log \frac{\nu_k(i)}{\rho_k(i)} + \log \frac{m}{n - 1}

    with :math:`\rho_k(i)` the distance from :math:`x_i` to its k-th neighbour among the other
    :math:`x`, :math:`\nu_k(i)` among the :math:`y`. May be negative.

    To this is added what the drift of log p/q within these balls costs, by a log-quadratic model
    of it (``log_ratio_model.py``), without which the value is far too low above three dimensions.
    Distances are taken in common coordinates (see :mod:`divergences.samples.common_space`): units,
    offsets, correlations, outliers and heavy tails do not matter. On a curve or surface its own
    dimension is taken for d, with a warning.

    No sample can show KL that comes from where P has mass and Q has no points. The estimate then
    grows by up to log 2 (times d over the dimension of P's support) with each doubling of the
    points, or some of P's points have many others around them and none of Q. It then carries a
    warning that begins with ``"diverging"``, and no correction; with ``"heavy"`` where P has the
    heavier tail, and points in it that lie farther out than Q is seen to reach; with ``"biased"``
    where it grows less but by much for its size, where another model of log p/q gives another
    value, or where only the nearest neighbours of P's points are more often of P; with ``"few"``
    where few of the :math:`y` are neighbours of most :math:`x`, or lie in clumps smaller than
    their neighbourhoods; with ``"rounded"`` where neighbours are as near as the spacing of their
    numbers.
    Where fewer than 2 % of P's points have none of Q around them, and where P has the heavier
    tail, the interval has no upper end.
    Where the two samples lie in different affine subspaces, as parallel segments do, the value is
    ``inf``, with a warning.

    The stderr is that of the influence function, :math:`\log p/q` at the :math:`x` and
    :math:`-p/q` at the :math:`y`, that of the model, and what one y fewer does where it is one of
    ``k`` in a part of its own. Of 512 points it is .75 to 1.2 times the spread over samples: .77
    in eight dimensions and on a ring of uneven modes, and less where only some samples are called
    diverging. The interval holds the truth more often than 95 % suggest, as it also covers a bias
    that decays as slowly as :math:`n^{-1/3}` (:math:`n^{-2/d}` above six dimensions), an error of
    half the correction, another model, and the value from twice the neighbours.

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

    k: int = 5
    check_support: bool = True

    def __post_init__(self) -> None:
        whole_number("k", self.k)
        boolean("check_support", self.check_support)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=2 * self.k + 1)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        k, n, m, size = self.k, len(x), len(y), (len(x), len(y))
        space = CommonSpace.of(x, y)
        a, b = space.x, space.y
        rho, among_x = k_nearest(a, a, 2 * k)
        nu, among_y = k_nearest(b, a, 2 * k)
        refuse_ties(rho[:, 0], rho[:, k - 1], "another point of x")
        refuse_ties(nu[:, 0], nu[:, k - 1], "a point of y")
        if self.check_support and not space.share_support:
            return replace(known_apart(math.inf, "KL is infinite", x), n=size)
        if space.dimension == 0:
            return replace(no_estimate(FLATTENED, x), n=size)
        d = space.dimension if self.check_support else a.shape[1]
        seen = seen_dimension(rho, k)
        warnings = space.doubts(rho[:, k - 1]) + thin(seen, d, k)
        if self.check_support and seen <= FLAT * d:
            d = max(round(seen), 1)
        jumps = _jumps(d * np.log(nu[:, k] / nu[:, k - 1]), among_y[:, :k], m)

        def read(j: int) -> Reading:
            terms = d * np.log(nu[:, j - 1] / rho[:, j - 1])
            # p/q at y: how many of the x count it among their j nearest, over how many should
            ratio = np.bincount(among_y[:, :j].ravel(), minlength=m) * (m / (n * j))
            return math.log(m / (n - 1)) + float(terms.mean()), [terms, -ratio - jumps]

        bare, bare_far = read(k), read(2 * k)
        emptied = float((nu[:, 0] > math.exp(APART / d) * rho[:, -1]).mean())
        diverging = _diverging(bare, bare_far) or _missed(emptied)
        near, far, bent = bare, bare_far, bare
        # where most of P lies beyond all y, no model can give log p/q
        drift = None if diverging else Drift.between(a, b)
        if drift is not None:

            def within(j: int, drift: Drift) -> DriftWithin:
                by_y = nu[:, j - 1] >= rho[:, j - 1]
                return drift.within(among_x[:, :j], among_y[:, :j], by_y)

            balls, other = within(k, drift), Drift.between(a, b, bent=True)
            by_models = balls.influences()

            def corrected(reading: Reading, balls: DriftWithin) -> Reading:
                added, (value, (of_x, of_y)) = balls.added(), reading
                influences: list[Array] = [of_x + added + by_models[0], of_y + by_models[1]]
                return value + float(added.mean()), influences

            near, far = corrected(bare, balls), corrected(bare_far, within(2 * k, drift))
            bent = corrected(bare, within(k, other)) if other else near
        rate = min(1 / 3, 2 / d)
        estimate = replace(from_influences(near, far, rate, x), n=size)
        estimate = _widened(estimate, near[0], bare[0], bent, far)
        heavy = () if diverging else heavier_tail(*space.with_tails())
        if diverging or emptied or heavy:
            unbounded = torch.full_like(estimate.value, math.inf)
            estimate = replace(estimate, ci=(estimate.ci[0], unbounded))
        warnings += _few(-bare[1][1] - jumps, k) + _clumped(b, d, k)
        warnings += diverging or heavy or _biased(near, far, bare, bent, rate)
        warnings += finer_structure(rho, nu, m, d)
        return replace(estimate, warnings=warnings)


def _jumps(gaps: Array, among_y: NDArray[np.intp], m: int) -> Array:
    """What each y does to the value beyond its share in the density, ``(m,)``.

    Without it the k-th distance of each x that has it among its k nearest grows to the next. If y
    is one of exactly k in a part of Q that lies apart, that reaches to another part.

    Arguments:
        gaps: Logarithm of the volume to the next neighbour over that to the k-th, of each x.
        among_y: Indices of the k nearest y, ``(n, k)``.
        m: How many y there are.
    """
    n, k = among_y.shape
    jumps = np.where(gaps > JUMP / k, gaps - 1 / k, 0.0)
    return np.bincount(among_y.ravel(), np.repeat(jumps, k), m) * (m / n)


def _widened(
    estimate: Estimate, value: float, bare: float, bent: Reading, far: Reading
) -> Estimate:
    """An interval that allows for an error of the correction, and for another correction.

    And for the value from twice the neighbours where that is larger, as where the y are few and
    lie in several modes.
    """
    low, high = estimate.ci
    doubt = UNSURE * abs(value - bare)
    reach = max(Z * stderr_of(bent[1]), doubt + Z * float(estimate.stderr))
    return replace(
        estimate,
        ci=(
            low.clamp(max=min(value, bent[0]) - reach),
            high.clamp(min=max(value, bent[0]) + reach).clamp(min=far[0] + Z * stderr_of(far[1])),
        ),
    )


def _diverging(near: Reading, far: Reading) -> tuple[str, ...]:
    growth, noise = _growth(near, far)
    if growth <= OUT_OF_REACH * math.log(2) + 3 * noise:
        return ()
    return (
        f"diverging: the estimate grows by {growth:.2g} nats with each doubling of the points (by "
        "log 2 = 0.69 where no support is shared): KL is probably infinite, or far above what "
        "these points can show",
    )


def _missed(share: float) -> tuple[str, ...]:
    """A warning where a share of the x have many of the x around them and no y at all."""
    if share <= MISSED:
        return ()
    return (
        f"diverging: {100 * share:.0f} % of the x have many others around them and no y anywhere "
        "near: if Q has no mass there KL is infinite, and how little it has cannot be seen",
    )


def _growth(near: Reading, far: Reading) -> tuple[float, float]:
    """What twice the points add to the value, and the standard error of that."""
    terms = near[1][0] - far[1][0]
    return near[0] - far[0], float(terms.std(ddof=1)) / math.sqrt(len(terms))


def _few(ratio: Array, k: int) -> tuple[str, ...]:
    effective = float(ratio.sum() ** 2 / (ratio**2).sum())
    if effective >= FEW * k:
        return ()
    return (
        f"few: the neighbours of x are as concentrated as if y had {effective:.0f} points of its "
        f"{len(ratio)}; value and error rest on those",
    )


def _clumped(y: Array, d: int, k: int) -> tuple[str, ...]:
    """A warning where neighbours of y leave the part of Q that they lie in.

    As where 64 points lie in eight modes, whose densities are then those of the whole.
    """
    if len(y) > MOST_CLUMPED or d > 4:
        return ()
    seen = seen_dimension(k_nearest(y, y, 2 * k)[0], k)
    if seen > CLUMPED * d:
        return ()
    return (
        f"few: the y lie as if in {seen:.1f} dimensions, not {d}, as in clumps of fewer than "
        f"{2 * k} points: neighbours are taken from several of them; give more y, or fewer "
        "neighbours (k)",
    )


def _biased(
    near: Reading, far: Reading, bare: Reading, bent: Reading, rate: float
) -> tuple[str, ...]:
    growth, noise = _growth(near, far)
    more = growth / (2**rate - 1)
    if growth > 2 * noise and more > abs(near[0]) / 3:
        return (
            f"biased: the estimate grows by {growth:.2g} nats with each doubling of the points, "
            f"and may be low by {more:.2g} or more",
        )
    stderr = stderr_of(near[1])
    for reading, share, errors in ((bare, 4 / 5, 1), (bent, 1 / 3, 1 / 2)):
        gap, noise = _growth(reading, near)
        if abs(gap) > max(share * abs(near[0]), errors * stderr) + noise:
            return (
                f"biased: points are so far apart that the estimate is {near[0]:.2g} or "
                f"{reading[0]:.2g}, as log p/q between them is taken to be",
            )
    return ()
