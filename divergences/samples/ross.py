"""Jensen-Shannon divergence from nearest neighbours, as the information in a point's label."""

import math
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import digamma
from torch import Tensor

from divergences.checks import boolean, whole_number
from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.samples.common_space import CommonSpace
from divergences.samples.neighbour_distances import (
    FLATTENED,
    Array,
    Reading,
    clumped,
    from_influences,
    k_nearest,
    known_apart,
    no_estimate,
    refuse_ties,
    stderr_of,
    threads_for,
)

UNEQUAL = 0.15  # difference of two shares that are equal, from which the value is off by much
MEANINGLESS = 0.5  # the same, from which it says nothing
SURE = 4.0  # standard errors that such a difference has at least
GROWS = 3.0  # standard errors by which the value grows as balls shrink, from which it does
BY_MUCH = 0.25  # share of the value that it may then lack


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

    If one law is much narrower than the other, in many dimensions, balls of one label hold all of
    the other. The value is then too low, with a warning, or ``nan``, with the reason.

    Where densities jump, balls that cross a jump make the value too low. From three dimensions on
    that decays as slowly as :math:`n^{-1/d}`: the interval reaches up to the value without it, and
    is too wide for smooth laws. A warning says where it is large.

    With unequal sizes ``min(n, m)`` points of each are used, those of the larger sample picked at
    random with a fixed seed, with a warning: all of them would give the information at label
    weights ``n : m``, which is not JS.

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
        >>> import torch
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

    k: int = 3
    check_support: bool = True

    def __post_init__(self) -> None:
        whole_number("k", self.k)
        boolean("check_support", self.check_support)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=2 * self.k + 1)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        k, n, size = self.k, min(len(x), len(y)), (len(x), len(y))
        warnings = ()
        if len(x) != len(y):
            warnings = (f"only {n} points of each sample used, for equal weights",)
            x, y = (_some(points, n) for points in (x, y))
        space = CommonSpace.of(x, y)
        samples = space.x, space.y
        own = [k_nearest(points, points, 2 * k) for points in samples]
        for (distances, _), name in zip(own, "xy", strict=True):
            refuse_ties(distances[:, 0], distances[:, k - 1], f"another point of {name}")
        if self.check_support and not space.share_support:
            return replace(known_apart(math.log(2), "JS is log 2", x), n=size)
        if space.dimension == 0:
            return replace(no_estimate(FLATTENED, x), n=size)
        for (distances, _), name in zip(own, "xy", strict=True):
            warnings += clumped(distances, name)
        warnings += space.doubts(np.concatenate([distances[:, k - 1] for distances, _ in own]))

        # for each sample: pairs (i, j), j of the other label and nearer than i's 2k-th of its own
        strangers = []
        for c, (distances, _) in enumerate(own):
            inside = KDTree(samples[1 - c]).query_ball_point(
                samples[c],
                distances[:, 2 * k - 1],
                return_sorted=False,
                workers=threads_for(n),
            )
            i = np.repeat(np.arange(n), np.fromiter(map(len, inside), np.intp, n))
            j = np.fromiter(chain.from_iterable(inside), np.intp, len(i))
            strangers.append((i, j, np.linalg.norm(samples[c][i] - samples[1 - c][j], axis=1)))
        i, _, apart = strangers[0]
        nearest = np.ones(n)
        nearest[i[apart == 0]] = 0
        refuse_ties(nearest, np.ones(n), "a point of y")

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

        shares = [
            _share_of_the_other(max(k, 2), distances, i, apart)
            for (distances, _), (i, _, apart) in zip(own, strangers, strict=True)
        ]
        warnings += _unequal(*shares)
        # rule of three: an overlap of less than 3 in 2n may show no point at all
        unseen = 3 * math.log(2) / (2 * n)
        near, far, d = read(k), read(2 * k), space.dimension
        at_jumps = min(1 / 2, 1 / d)  # the share of points whose ball crosses a jump
        estimate = from_influences(near, far, min(1 / 2, 2 / d), x, unseen, at_jumps)
        warnings += _low(near, far, at_jumps)
        if abs(shares[0].mean() - shares[1].mean()) > MEANINGLESS:
            estimate = no_estimate(warnings[-1], x)
        return replace(estimate, n=size, warnings=warnings)


def _share_of_the_other(k: int, distances: Array, i: NDArray[np.intp], apart: Array) -> Array:
    """Density of the other law over the sum of both at each point of a sample, without bias.

    Arguments:
        k: Neighbours of a point's own label, at least 2.
        distances: Those of the nearest ones, ``(n, 2k)``.
        i: Points that have points of the other label near them.
        apart: How far from each other these are.
    """
    within = i[apart < distances[i, k - 1]]
    return 1 - (k - 1) / (k - 1 + np.bincount(within, minlength=len(distances)))


def _unequal(of_y: Array, of_x: Array) -> tuple[str, ...]:
    r"""A warning where the means of :math:`q/(p+q)` over P and :math:`p/(p+q)` over Q differ.

    Both are :math:`\int pq / (p + q)`. Of a narrow law in many dimensions nearly all points are
    nearer to those of the other than these are to one another, and the sums of counts are off.
    """
    gap = float(of_y.mean() - of_x.mean())
    noise = math.sqrt(float(of_y.var() / len(of_y) + of_x.var() / len(of_x)))
    if abs(gap) <= max(UNEQUAL, SURE * noise):
        return ()
    return (
        f"biased: by the neighbours, x lies in y to {100 * float(of_y.mean()):.0f} % and y in x "
        f"to {100 * float(of_x.mean()):.0f} %, where equal shares are certain: one law is too "
        "narrow for so few points in so many dimensions; use C2ST, or more points",
    )


def _low(near: Reading, far: Reading, rate: float) -> tuple[str, ...]:
    """A warning where the value still grows as the balls shrink, as where they cross jumps."""
    growth = near[0] - far[0]
    noise = stderr_of([a - b for a, b in zip(near[1], far[1], strict=True)])
    more = growth / (2**rate - 1)
    if growth <= GROWS * noise or more <= BY_MUCH * abs(near[0]):
        return ()
    return (
        f"biased: the value grows by {growth:.2g} nats as the balls around points shrink to half "
        f"their volume, and may be low by {more:.2g} or more, as where densities jump between "
        "points; give more points",
    )


def _some(points: Tensor, n: int) -> Tensor:
    """``n`` of the points whatever their order means, all of them if there are no more."""
    if len(points) == n:
        return points
    picked = np.random.default_rng(0).permutation(len(points))[:n]
    return points[np.sort(picked).tolist()]
