"""How heavy the tail of a sample is: whether its mean exists, and can be told from the sample."""

import math

import torch
from torch import Tensor

PRIOR, PRIOR_INDEX = 10, 0.5
"""As many observations draw the index to this."""


def tail_index(sizes: Tensor) -> Tensor:
    r"""The shape k of the generalised Pareto law that fits the largest of these.

    Moments of order :math:`1/k` and above are infinite: no variance from .5 on, no mean from 1.
    The largest :math:`\min(n / 5, 3 \sqrt n)` are fitted by the approximate posterior mean of
    Zhang and Stephens, drawn to .5 as by ten observations.

    Arguments:
        sizes: Nonnegative numbers, shape ``(n, K)``.

    Returns:
        Shape ``(K,)``; ``-inf`` where the largest are all alike or fewer than 5 can be fitted.

    References:
        | Pareto smoothed importance sampling (Vehtari et al., 2024), section 2
        | https://arxiv.org/abs/1507.02646
        | A new and efficient estimation method for the generalized Pareto distribution (Zhang and
          Stephens, 2009), https://doi.org/10.1198/tech.2009.08017

    Example:
        >>> even = (torch.arange(10_000).double() + 0.5) / 10_000
        >>> tail_index(torch.stack([even ** -1.0, -even.log(), even], 1))
        tensor([ 0.9764,  0.0215, -0.9235], dtype=torch.float64)
    """
    largest = _largest(sizes.double())
    if len(largest) and bool((_rounded(largest).diff(dim=0) == 0).double().mean(0).max() > 0.01):
        return torch.cat([_fitted(_largest(_spread(column))) for column in sizes.double().T])
    return _fitted(largest)


def tail_index_by_chance(n: int) -> float:
    """What :func:`tail_index` of ``n`` exponential numbers is below in 86 to 92 % of samples.

    Example:
        >>> round(tail_index_by_chance(512), 2), round(tail_index_by_chance(64), 2)
        (0.22, 0.46)
    """
    m = _how_many(n)
    return (PRIOR * PRIOR_INDEX + 1.5 * math.sqrt(m)) / (m + PRIOR)


def _how_many(n: int) -> int:
    return int(min(n / 5, 3 * math.sqrt(n)))


def _largest(sizes: Tensor) -> Tensor:
    """The threshold and what lies above it, ascending; nothing if that is fewer than 5."""
    m = _how_many(len(sizes))
    return sizes.topk(m + 1, dim=0).values.flip(0) if m >= 5 else sizes[:0]


def _rounded(sizes: Tensor) -> Tensor:
    """To 40 binary digits: equal terms may differ by the rounding of what they come from."""
    mantissa, exponent = torch.frexp(sizes)
    return torch.ldexp((mantissa * 2**40).round(), exponent - 40)


def _spread(column: Tensor) -> Tensor:
    """Positive sizes, equal ones spread evenly down to the next smaller: ``(n, 1)``.

    Of a law on the integers the tail would look like a few steps.
    """
    values, counts = _rounded(column).unique(return_counts=True)
    steps = values.diff(prepend=values[:1])
    rank = torch.arange(1, len(column) + 1) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    share = 1 - rank / counts.repeat_interleave(counts)
    spread = values.repeat_interleave(counts) - steps.repeat_interleave(counts) * share
    return spread[spread > 0][:, None]


def _fitted(largest: Tensor) -> Tensor:
    m = len(largest) - 1
    if m < 5:
        return torch.full(largest.shape[1:], -math.inf, dtype=torch.float64)
    over = largest[1:] - largest[0]
    alike = ~(over[-1] > 1e-12 * largest[-1])
    over = torch.where(alike, torch.linspace(0.1, 1, m, dtype=torch.float64)[:, None], over)
    over = over / over[-1]
    grid = 30 + int(math.sqrt(m))
    steps = 1 - (grid / (torch.arange(1, grid + 1, dtype=torch.float64) - 0.5)).sqrt()
    quartile = over[int(m / 4 + 0.5) - 1].clamp_min(1e-9)
    b = steps[:, None] / (3 * quartile) + 1
    shape = torch.stack([torch.log1p(-row * over).mean(0) for row in b])
    likelihood = m * ((-b / shape).log() - shape - 1)
    mean = (likelihood.softmax(0) * b).sum(0)
    k = torch.log1p(-mean * over).mean(0)
    return torch.where(alike, -math.inf, (m * k + PRIOR * PRIOR_INDEX) / (m + PRIOR))
