"""Two-sample U-statistics of a kernel, in memory that does not grow with the samples.

Nor does it with a gradient, for which every block of pairs is computed once more.

The value is :math:`E k(x, x') + E k(y, y') - 2 E k(x, y)` without the pairs of a point with
itself, its variance Hoeffding's, see *Unbiased estimators for the variance of MMD estimators*
(Sutherland and Deka, 2019, arXiv 1906.02104).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from divergences.checks import whole_number
from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.samples.few_points import Sum

AT_ONCE = 2**17  # pairs in memory at a time, 1 MB a matrix: it stays in a processor's cache
FEW = 32  # points a side whose kernel is typical
MOST_PAIRS = 20_000_000_000  # 100,000 points a side: some minutes of one core
LARGEST_PAIRS = 10**12  # that can be asked for: days of one core, but no more memory

Kernel = Callable[[Tensor, Tensor], Tensor]


class UStatistic(NamedTuple):
    """Value, its variance, its interval, and what explains them.

    Attributes:
        value: Of shape ``()``, differentiable once.
        variance: Of shape ``()``.
        of_pairs: The part of it that pairs of points add beyond single ones.
        ci: Lower and upper end of the 95 % interval.
        error: That of half the value, as a sum over single points.
        n: Sizes of the two samples.
    """

    value: Tensor
    variance: Tensor
    of_pairs: Tensor
    ci: tuple[Tensor, Tensor]
    error: Sum
    n: tuple[int, int]


class PairsEstimator(Estimator):
    """What estimators from a kernel between all pairs of points share.

    Arguments:
        most_pairs: More pairs of points than this, of both samples together, are refused.
    """

    bound: ClassVar[Bound] = "exact"
    rate: ClassVar[float | None] = 0.5

    most_pairs: int

    def __post_init__(self) -> None:
        whole_number("most_pairs", self.most_pairs, most=LARGEST_PAIRS)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._of_few_pairs, x, y)

    def _of_few_pairs(self, x: Tensor, y: Tensor) -> Estimate:
        points = len(x) + len(y)
        pairs = points * (points - 1) // 2
        if pairs > self.most_pairs:
            raise ValueError(
                f"{len(x)} and {len(y)} points have {pairs:.2g} pairs, more than most_pairs = "
                f"{self.most_pairs:.2g}: take fewer points, or raise it"
            )
        return self._one(x, y)

    @abstractmethod
    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        """From points ``(n, d)`` and ``(m, d)`` to shape ``()``."""


def u_statistic(kernel: Kernel, x: Tensor, y: Tensor) -> UStatistic:
    """Value and variance, from rows of the matrices of the kernel that are forgotten at once.

    The variance has both terms of the Hoeffding decomposition: that of single points, less the
    share of it that is noise, and that of pairs, which alone is left where the laws are equal.

    Between laws that are nearly equal the former grows as the value does, so a value that is low
    by chance comes with a variance that is too low. The interval holds all values from which this
    one is less than 1.96 standard errors away, more if these are known from few points
    (:class:`~divergences.samples.few_points.Sum`), with the variance of each: a score interval,
    as Wilson's of a share. It reaches at least as many standard errors of the value itself, and
    so holds 0 nearly always, not in 95 %, where the laws are equal.

    Arguments:
        kernel: From points ``(r, d)`` and ``(c, d)`` to a new matrix ``(r, c)``; symmetric.
        x: Of shape ``(n, d)``.
        y: Of shape ``(m, d)``.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [2.0]])
        >>> float(u_statistic(lambda a, b: -torch.cdist(a, b), points, points + 3).value)
        3.33...
    """
    found = _numbers(kernel, x.detach(), y.detach())
    if not (torch.is_grad_enabled() and (x.requires_grad or y.requires_grad)):
        return found
    value: Tensor = _WithGradient.apply(found.value, x, y, kernel)  # type: ignore[assignment]
    return found._replace(value=value)


class _WithGradient(torch.autograd.Function):
    """The value, whose gradient is added up block by block."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.kernel = kernel
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        found: list[Tensor | None] = []
        for wanted, own, other in zip(ctx.needs_input_grad[1:3], (x, y), (y, x), strict=True):
            if not wanted:
                found.append(None)
                continue
            among = _slopes(ctx.kernel, own, own, themselves=False)
            across = _slopes(ctx.kernel, own, other)
            n, m = len(own), len(other)
            found.append(slopes[0] * 2 * (among / (n * (n - 1)) - across / (n * m)))
        return (None, *found, None)


def _slopes(kernel: Kernel, x: Tensor, y: Tensor, themselves: bool = True) -> Tensor:
    """Derivatives in each x of the sum of its kernel with all y, ``(n, d)``.

    Without ``themselves`` the i-th x has no part with the i-th y.
    """
    slopes = torch.empty_like(x)
    for first, last in _rows(len(x), len(y)):
        rows = x[first:last].detach().requires_grad_()
        with torch.enable_grad():
            block = kernel(rows, y.detach())
            total = block.sum() if themselves else block.sum() - block.diagonal(first).sum()
            (slopes[first:last],) = torch.autograd.grad(total, rows)
    return slopes


def _numbers(kernel: Kernel, x: Tensor, y: Tensor) -> UStatistic:
    n, m = len(x), len(y)
    (own_x, pairs_x, itself_x), (own_y, pairs_y, itself_y) = (_among(kernel, z) for z in (x, y))
    across_x, across_y, mixed = _between(kernel, x, y)
    value = own_x.mean() + own_y.mean() - 2 * across_x.mean()
    error = Sum.between(own_x - across_x, own_y - across_y)
    among = 4 * mixed / (n * m) + 2 * (pairs_x / (n * (n - 1)) + pairs_y / (m * (m - 1)))
    alone = 4 * error.variance
    noise = 4 * ((pairs_x / (n - 1) + mixed / m) / n + (pairs_y / (m - 1) + mixed / n) / m)
    variance = torch.maximum(among + alone - noise, among / 2)
    with_themselves = value + (itself_x - own_x.mean()) / n + (itself_y - own_y.mean()) / m
    # the kernel's covariance has no larger eigenvalue than the root of the sum of their squares;
    # between a sample and a copy of it the ratio is one of two roundings
    most = 4 * (pairs_x.sqrt() / n + pairs_y.sqrt() / m)
    growth = torch.where(with_themselves > 0, alone / with_themselves, 0.0).minimum(most)
    half = error.reach * variance.sqrt()
    low, high = _score_interval(value, among, growth, error.reach)
    ci = (low.minimum(value - half), high.maximum(value + half))
    return UStatistic(value, variance, among, ci, error, (n, m))


def _score_interval(
    value: Tensor, variance: Tensor, growth: Tensor, reach: float
) -> tuple[Tensor, Tensor]:
    """All t with ``|value - t|`` at most ``reach`` roots of ``variance + growth * t``."""
    middle, beyond = value + reach**2 * growth / 2, growth * (value + reach**2 * growth / 4)
    half = reach * torch.maximum(variance + beyond, variance / 2).sqrt()
    return middle - half, middle + half


def _rows(n: int, m: int) -> Iterator[tuple[int, int]]:
    """First and last of the rows of an ``(n, m)`` matrix that are in memory at a time."""
    step = max(1, AT_ONCE // m)
    return ((first, min(first + step, n)) for first in range(0, n, step))


def _among(kernel: Kernel, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of each point's kernel with all others, the interaction, and the mean with themselves.

    The interaction is the mean square of what the kernel of two points is beyond the means of
    both, here from sums that take one pass over the blocks above the diagonal. They are sums of
    what the kernel is beyond a typical value, so that little cancels.
    """
    n = len(x)
    shift = _typical(kernel, x, x)
    total, squares, itself = x.new_zeros(n), x.new_zeros(()), x.new_zeros(())
    for first, last in _rows(n, n):
        block = kernel(x[first:last], x[first:]).sub_(shift)
        itself += block.diagonal().sum()
        block.diagonal().zero_()
        total[first:last] += block.sum(1)
        total[last:] += block[:, last - first :].sum(0)
        squares += 2 * _square(block) - _square(block[:, : last - first])
    means = total / (n - 1)
    half = means - means.mean() / 2  # of both points together it is the sum of their effects
    crossed = half.sum().square() - half.square().sum()
    rest = squares + 2 * ((n - 1) * (half.square() - 2 * half * means).sum() + crossed)
    return means + shift, rest.clamp_min(0) / (n * (n - 1)), itself / n + shift


def _between(kernel: Kernel, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of the kernel over y for each x, and over x for each y, and their interaction."""
    n, m = len(x), len(y)
    shift = _typical(kernel, x, y)
    of_x, of_y, squares = x.new_empty(n), y.new_zeros(m), x.new_zeros(())
    for first, last in _rows(n, m):
        block = kernel(x[first:last], y).sub_(shift)
        of_x[first:last] = block.sum(1) / m
        of_y += block.sum(0) / n
        squares += _square(block)
    effects = of_x.square().mean() + of_y.square().mean() - of_x.mean().square()
    return of_x + shift, of_y + shift, (squares / (n * m) - effects).clamp_min(0)


def _typical(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """About the middle of the kernel's values, which a single far point does not move."""
    return kernel(x[:FEW], y[:FEW]).median()


def _square(block: Tensor) -> Tensor:
    """The sum of its squares."""
    return torch.linalg.vector_norm(block).square()
