"""A lower bound on W1 from two samples: the potential of one half, read on the other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from divergences.checks import whole_number
from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.pair_distances import pair_distances
from divergences.samples.earth_mover import MOST_PAIRS
from divergences.samples.few_points import Sum
from divergences.samples.plans import linear_program
from divergences.samples.random_halves import random_order
from divergences.samples.units import coarse, in_own_unit, times_two_to

AT_ONCE = 2**20  # distances in memory at a time, 8 MB


@final
@dataclass(frozen=True)
class HeldOutDual(Estimator):
    r"""Lower bound on W1 from two samples, in the unit of the data, without training.

    .. math::
        E_P[f] - E_Q[f] \le W_1(P, Q), \qquad f(z) = \max_i u_i - \|z - x_i\|

    Exact transport between one half of each sample, chosen at random but the same in each call,
    gives a potential u; f extends it to all of space with slope 1, and its means are taken over
    the other halves, which it has not seen. Then the halves change places, and the two readings
    are averaged. Their errors are independent where both potentials follow the laws, and alike
    where each follows the chance in its half, which the other reads: the standard error allows for
    that by how well the potentials agree, and the interval starts where it would if the errors
    were the same. Where laws are apart by a fraction of their width, the potentials change from
    sample to sample, which the standard error leaves out: there it is .71 to .77 of the spread,
    and the interval, whose upper end is open, still holds W1.

    Together with :class:`~divergences.EarthMover` it brackets W1: transport between
    samples is too long, in expectation, and this too short. The bracket is narrow in the plane and
    wide in many dimensions, where neither sample lets W1 be known. What is read may be negative.

    References:
        | Extension of range of functions (McShane, 1934), Theorem 1
        | https://doi.org/10.1090/S0002-9904-1934-05978-0
        | Optimal Transport: Old and New (Villani, 2009), Remark 6.5, for the duality
        | https://doi.org/10.1007/978-3-540-71050-9

    Arguments:
        max_iterations: Of the network simplex method.
        most_pairs: More pairs of points than this are refused before any work.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 4, there
            are too many pairs, or the distance is beyond the range of the dtype.
        RuntimeError: If the solver did not reach the optimum.

    Example:
        >>> points = torch.rand(400, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:200], points[200:] + torch.tensor([3.0, 0.0])
        >>> estimate = HeldOutDual()(x, y)
        >>> estimate.bound, bool((estimate.value - 3).abs() < 0.1)
        ('lower', True)
    """

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "lower"

    max_iterations: int = 10_000_000
    most_pairs: int = MOST_PAIRS

    def __post_init__(self) -> None:
        whole_number("max_iterations", self.max_iterations)
        whole_number("most_pairs", self.most_pairs)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=4)

    @torch.no_grad()
    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        if len(x) * len(y) > self.most_pairs:
            raise ValueError(
                f"{len(x)} x {len(y)} points are {len(x) * len(y):.2g} pairs, more than "
                f"most_pairs = {self.most_pairs:.2g}: take fewer points, or raise it"
            )
        a, b, exponent = in_own_unit(x, y)
        halves = list(zip(_halves(a, 0), _halves(b, 1), strict=True))
        potentials = [self._potential(*half) for half in halves]
        seen = [
            [potential(z) for z in half]
            for potential, half in zip(potentials, halves[::-1], strict=True)
        ]
        value = torch.stack([on_x.mean() - on_y.mean() for on_x, on_y in seen]).mean()
        errors = [Sum.between(on_x, -on_y) for on_x, on_y in seen]
        first, second = (error.variance.sqrt() for error in errors)
        shared = 1 - _correlation(potentials, (a, b)).square()
        stderr = (first.square() + second.square() + 2 * shared * first * second).sqrt() / 2
        low = value - max(error.reach for error in errors) * (first + second) / 2
        value, stderr, low = (times_two_to(exponent, t).to(x.dtype) for t in (value, stderr, low))
        if not value.isfinite():
            raise ValueError(f"the distance is beyond the range of {x.dtype}: change the unit")
        terms = (torch.cat([z - z.mean() for z in side]) for side in zip(*seen, strict=True))
        notes = Sum(*terms).rests_on_few() + coarse(x, y, float(stderr))
        ends, size = (low, torch.full_like(value, math.inf)), (len(x), len(y))
        return Estimate(value, stderr, ends, self.bound, size, warnings=notes)

    def _potential(self, x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
        u = linear_program(x, y, 1, self.max_iterations).u
        chunk = max(1, AT_ONCE // len(x))
        return lambda z: torch.cat([
            (u - pair_distances(some, x)).amax(1) for some in z.split(chunk)
        ])  # fmt: skip


def _halves(points: Tensor, sample: int) -> tuple[Tensor, ...]:
    """At random, since the order of points may mean something, as in a sorted file."""
    return points[random_order(len(points), sample).to(points.device)].tensor_split(2)


def _correlation(
    potentials: Sequence[Callable[[Tensor], Tensor]], sides: tuple[Tensor, Tensor]
) -> Tensor:
    """Of both potentials over the points within each side; 0 where negative or one is constant."""
    covariances = [torch.cov(torch.stack([f(z) for f in potentials])) for z in sides]
    c = covariances[0] + covariances[1]
    scale = (c[0, 0] * c[1, 1]).sqrt()
    return torch.where(scale > 0, c[0, 1] / scale, 0.0).clamp(0, 1)
