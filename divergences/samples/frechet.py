"""Fréchet distance between the normal laws with the samples' means and covariances."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.samples.few_points import LEAST_OF_SQUARES, Sum
from divergences.samples.random_halves import halves
from divergences.samples.units import coarse, in_own_unit, times_two_to


@final
@dataclass(frozen=True)
class FrechetDistance(Estimator):
    r"""Fréchet distance of normal fits, in the squared unit of the data; "FID" on features.

    .. math:: \|\mu_x - \mu_y\|^2
        + \operatorname{tr}\bigl(\Sigma_x + \Sigma_y - 2 (\Sigma_x \Sigma_y)^{1/2}\bigr)

    The square of W2 between normal laws with these means and covariances, whatever the laws are.
    The value is too large by about c/n in expectation. The interval's lower end allows for that,
    by the value of half as many points; a warning says where the bias is not small. The stderr is
    that of the influence function.

    References:
        | GANs Trained by a Two Time-Scale Update Rule (Heusel et al., 2017), equation (6)
        | https://arxiv.org/abs/1706.08500
        | Effectively Unbiased FID (Chong and Forsyth, 2020)
        | https://arxiv.org/abs/1911.07023

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than 4.

    Example:
        >>> x = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]])
        >>> round(float(FrechetDistance()(x, 2 * x + 3).value), 3)  # 9, and 4/3 of (2 - 1)²
        10.333
    """

    quantity: ClassVar[str] = "frechet"
    bound: ClassVar[Bound] = "none"
    rate: ClassVar[float | None] = 0.5

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=4)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        a, b, exponent = in_own_unit(x.detach(), y.detach())
        value, (of_x, of_y) = _distance(a, b)
        far = [abs(_with_one_moved(*pair) - value) * len(pair[0]) for pair in ((a, b), (b, a))]
        error = Sum(of_x, of_y, far=far)
        stderr = math.sqrt(float(error.variance))
        fewer = []
        for one, other in zip(halves(a, 0), halves(b, 1), strict=True):
            fewer.append(_distance(one, other)[0])
        bias = max(sum(fewer) / len(fewer) - value, 0.0)  # of n points: that of n/2 is twice it
        spread = abs(fewer[0] - fewer[1]) / 2
        low = value - 2 * bias - error.reach * max(stderr, spread if bias > stderr else 0.0)
        high = value + error.reach * stderr + error.reach**2 * (_curved(a) + _curved(b))
        notes = error.rests_on_few(LEAST_OF_SQUARES)
        if bias > error.reach * stderr:
            excess = float(times_two_to(2 * exponent, a.new_tensor(bias)))
            notes += (
                f"biased upward by about {excess:.3g}: "
                "half as many points read so much more; compare only values of as many points",
            )
        numbers = [times_two_to(2 * exponent, a.new_tensor(t)) for t in (value, stderr, low, high)]
        lost = numbers[3].to(x.dtype) < torch.finfo(x.dtype).tiny < value
        if lost or not all(bool(t.to(x.dtype).isfinite()) for t in numbers):
            raise ValueError(f"the distance is beyond the range of {x.dtype}: change the unit")
        value_, stderr_, low_, high_ = (t.to(x.dtype) for t in numbers)
        found = Estimate(value_, stderr_, (low_, high_), self.bound, (len(x), len(y)))
        length = float(times_two_to(exponent, a.new_tensor(math.sqrt(max(stderr, 0.0)))))
        return replace(found, warnings=notes + coarse(x, y, length))


def _distance(a: Tensor, b: Tensor) -> tuple[float, tuple[Tensor, Tensor]]:
    """The distance, and the influence of every point on it."""
    mean = a.mean(0) - b.mean(0)
    deviations = a - a.mean(0), b - b.mean(0)
    first, second = (z.T @ z / (len(z) - 1) for z in deviations)
    maps = _transport(first, second), _transport(second, first)
    cross = float((maps[0] @ first).diagonal().sum())
    value = float(mean @ mean + first.diagonal().sum() + second.diagonal().sum()) - 2 * cross
    eye = torch.eye(len(first), dtype=a.dtype)
    signs = 1.0, -1.0
    of_x, of_y = (
        ((z @ (eye - m)) * z).sum(1) + 2 * sign * (z @ mean)
        for z, m, sign in zip(deviations, maps, signs, strict=True)
    )
    return value, (of_x, of_y)


def _curved(a: Tensor) -> float:
    """Variance of the mean along the widest direction, at most, and of the root mean square.

    Where laws are nearly equal the distance is a sum of squares, and a value that is low by chance
    comes with a standard error that is too low. These squares are what the upper end has to allow.
    """
    deviations = a - a.mean(0)
    squares = deviations.square().sum(1)
    size = float(squares.mean())
    if size == 0:
        return 0.0
    covariance = deviations.T @ deviations / (len(a) - 1)
    widest = float(torch.linalg.matrix_norm(covariance))
    return (widest + float(squares.var()) / (4 * size)) / len(a)


def _with_one_moved(a: Tensor, b: Tensor) -> float:
    """The distance if one point of the first sample lay where the farthest of the second does."""
    farthest = b[torch.linalg.vector_norm(b - a[0], dim=1).argmax()]
    return _distance(torch.cat([farthest[None], a[1:]]), b)[0]


def _transport(first: Tensor, second: Tensor) -> Tensor:
    """The linear map that takes a normal law of one covariance to that of the other."""
    values, vectors = torch.linalg.eigh(first)
    values = values.clamp_min(0)
    seen = values > 1e-12 * values.amax()
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = torch.where(seen, values, 1.0).rsqrt() * seen
    back = (vectors * inverse) @ vectors.T
    inner, turned = torch.linalg.eigh(root @ second @ root)
    middle = (turned * inner.clamp_min(0).sqrt()) @ turned.T
    return back @ middle @ back
