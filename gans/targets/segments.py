"""The parallel segments: supports that part, and a distance that is smooth all the same."""

import math
from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.exact import js_divergence, kl_divergence, total_variation, wasserstein
from divergences.exact.evaluation import result_dtype, rounded
from gans.targets.base import NoiseSource, Target, finite


class _OnSegment(constraints.Constraint):
    """Points of the plane with first coordinate theta and second in [0, 1]."""

    event_dim = 1

    def __init__(self, theta: Tensor):
        self.theta = theta

    def check(self, value: Tensor) -> Tensor:
        x, y = value.unbind(-1)
        return (x == self.theta) & (y >= 0) & (y <= 1)


@final
class ParallelSegments(Target):
    r"""Uniform on the vertical unit segment :math:`\{\theta\} \times [0, 1]` of the plane.

    Two of them are the example on which everything parts: for :math:`\theta \ne \theta'` KL is
    infinite both ways, JS is :math:`\log 2`, total variation 1, and
    :math:`W_p = |\theta - \theta'|` for every order p; at equality all are 0.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Example 1
        | https://arxiv.org/abs/1701.07875

    Arguments:
        theta: Where the segment stands, of shape ``batch_shape``.

    Raises:
        ValueError: If theta is NaN or infinite.

    Example:
        >>> home, away = ParallelSegments(0.0), ParallelSegments(torch.tensor([0.0, -0.5]))
        >>> js_divergence(home, away)
        tensor([0.0000, 0.6931])
        >>> wasserstein(home, away)
        tensor([0.0000, 0.5000])
    """

    arg_constraints = {"theta": constraints.real}
    has_rsample = True

    def __init__(self, theta: Tensor | float, validate_args: bool | None = None):
        (self.theta,) = finite("ParallelSegments", theta=theta)
        super().__init__(self.theta.shape, Size([2]), validate_args)

    @property
    def support(self) -> constraints.Constraint:  # pyright: ignore
        return _OnSegment(self.theta)

    @property
    def mean(self) -> Tensor:
        return torch.stack([self.theta, torch.full_like(self.theta, 0.5)], -1)

    @property
    def variance(self) -> Tensor:
        return torch.stack([self.theta * 0, torch.full_like(self.theta, 1 / 12)], -1)

    def entropy(self) -> Tensor:
        """Entropy with respect to length on the segment: that of the unit interval, 0 nats."""
        return torch.zeros_like(self.theta)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to *length on the segment*: 0 on it, ``-inf`` off it.

        The law has no density on the plane, and two segments have none in common, which is why
        no formula that divides densities can tell how far apart they are.
        """
        inside = self.support.check(value)
        return torch.zeros_like(value[..., 0]).masked_fill(~inside, -math.inf)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return (source.rand(*shape),)

    def push(self, *noise: Tensor) -> Tensor:
        (height,) = noise
        return torch.stack([self.theta.expand_as(height), height], -1)


@kl_divergence.register(ParallelSegments, ParallelSegments)
def _segments_kl(p: ParallelSegments, q: ParallelSegments) -> Tensor:
    parted = p.theta != q.theta
    dtype = result_dtype(p.theta, q.theta)
    return torch.zeros_like(parted, dtype=dtype).masked_fill(parted, math.inf)


@js_divergence.register(ParallelSegments, ParallelSegments)
def _segments_js(p: ParallelSegments, q: ParallelSegments) -> Tensor:
    return math.log(2) * total_variation(p, q)


@total_variation.register(ParallelSegments, ParallelSegments)
def _segments_tv(p: ParallelSegments, q: ParallelSegments) -> Tensor:
    return (p.theta != q.theta).to(p.theta.dtype)


@wasserstein.register(ParallelSegments, ParallelSegments)
def _segments_wasserstein(p: ParallelSegments, q: ParallelSegments, order: float) -> Tensor:
    gap = p.theta.double() - q.theta.double()
    return rounded(gap.abs(), result_dtype(p.theta, q.theta))
