"""Points along curves in the plane, with normal noise across them."""

import math
from abc import abstractmethod
from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import real_number
from gans.targets.base import NoiseSource, Target, finite, widened
from gans.targets.representable import representable

NODES = 1000
"""Points of the curve that stand for all of it in the density, mean and variance."""

AT_ONCE = 64  # points whose distances from all nodes fit a processor's cache
FARTHEST = 1e200  # deviations, at which squares overflow and no density is left

SMALLEST = 0.02
"""Least standard deviation of the noise. It exceeds the distance between neighbouring nodes, which
leaves a relative error of the density along the curve below 2 exp(-2 pi^2)."""


class Curve(Target):
    """A uniform parameter's place on a curve, plus normal noise of deviation ``scale``.

    Density, mean and variance are those of 1000 midpoints of the parameter's interval.
    """

    arg_constraints = {"scale": constraints.positive}
    support = constraints.independent(constraints.real, 1)

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None):
        name = type(self).__name__
        (self.scale,) = finite(name, scale=scale)
        if (self.scale < SMALLEST).any():
            raise ValueError(
                f"{name}: scale = {float(self.scale.min()):g} must be at least {SMALLEST}, "
                "which the density's nodes can resolve"
            )
        super().__init__(self.scale.shape, Size([2]), validate_args)

    @abstractmethod
    def _curve(self, uniform: Tensor) -> Tensor:
        """Points ``(..., 2)`` of the curve for parameters of shape ``(...)`` in [0, 1)."""

    def _nodes(self) -> Tensor:
        steps = torch.arange(NODES, device=self.scale.device, dtype=self.scale.dtype)
        return self._curve((steps + 0.5) / NODES)

    @property
    def mean(self) -> Tensor:
        return self._nodes().mean(0).expand(*self.batch_shape, 2)

    @property
    def variance(self) -> Tensor:
        along = self._nodes().double().var(0, correction=0)
        name = f"{type(self).__name__}: the variance"
        return representable(name, along + self.scale.double().square()[..., None], self.scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to area, computed in double precision."""
        if self._validate_args:
            self._validate_sample(value)
        value = widened(value)
        dtype, scale = torch.promote_types(value.dtype, self.scale.dtype), self.scale.double()
        # |z - node|^2 / 2 = |z|^2 / 2 + |node|^2 / 2 - z node, by products of matrices
        z = (value.double() / scale[..., None]).clamp(-FARTHEST, FARTHEST)
        points = z.reshape(-1, scale.numel(), 2).transpose(0, 1)
        nodes = self._nodes().double() / scale.reshape(-1, 1, 1)
        halves = nodes.square().sum(-1)[:, None] / 2
        parts = []
        for some in points.split(AT_ONCE, 1):
            logs = torch.baddbmm(-halves, some, nodes.mT)
            most = logs.detach().amax(-1, keepdim=True)
            # numbers below the normal ones are a hundred times as slow, and count for nothing
            total = (logs - most).clamp(min=-700).exp().sum(-1).log() + most[..., 0]
            parts.append(total - some.square().sum(-1) / 2)
        normalisation = math.log(2 * math.pi * NODES) + 2 * scale.log()
        logs = torch.cat(parts, 1).T.reshape(z.shape[:-1])
        return (logs - normalisation).to(dtype)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape), source.randn(*shape, 2)

    def push(self, *noise: Tensor) -> Tensor:
        uniform, normal = noise
        return self._curve(uniform) + self.scale[..., None] * normal


def _halves(uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Which half of [0, 1) a number lies in (0 or 1), and its place in that half, in [0, 1)."""
    second = (uniform >= 0.5).to(uniform)
    return second, 2 * uniform - second


@final
class SwissRoll(Curve):
    r"""The planar swiss roll: :math:`\tfrac{1}{7.5}(t\cos t, t\sin t)` plus normal noise.

    :math:`t` is uniform on :math:`[\tfrac{3}{2}\pi, \tfrac{9}{2}\pi]`, as in scikit-learn's
    ``make_swiss_roll`` without its height.

    References:
        | Improved Training of Wasserstein GANs (Gulrajani et al., 2017), Section 4 and the
          authors' toy code: standard deviation .25 before the division by 7.5
        | https://arxiv.org/abs/1704.00028

    Arguments:
        scale: Standard deviation of the noise, at least .02.

    Raises:
        ValueError: If ``scale`` is smaller than the density's nodes can resolve.

    Example:
        >>> SwissRoll().mean.round(decimals=3)
        tensor([0.2670, 0.0280])
    """

    def __init__(self, scale: Tensor | float = 0.25 / 7.5, validate_args: bool | None = None):
        super().__init__(scale, validate_args)

    def _curve(self, uniform: Tensor) -> Tensor:
        t = 1.5 * math.pi * (1 + 2 * uniform)
        return torch.stack([t * t.cos(), t * t.sin()], -1) / 7.5


@final
class TwoMoons(Curve):
    r"""Two interleaving half circles of radius 1, with normal noise.

    The upper, :math:`(\cos t, \sin t)`, and the lower,
    :math:`(1 - \cos t, \tfrac{1}{2} - \sin t)`, for :math:`t` uniform on :math:`[0, \pi]`, each
    with half of the mass: the layout of scikit-learn's ``make_moons``.

    References:
        | FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models
          (Grathwohl et al., 2019), the authors' toy data: noise .1 in these units, then twice the
          size and shifted, which this class leaves out
        | https://arxiv.org/abs/1810.01367

    Arguments:
        scale: Standard deviation of the noise, at least .02.

    Raises:
        ValueError: If ``scale`` is smaller than the density's nodes can resolve.

    Example:
        >>> TwoMoons().mean.round(decimals=3)
        tensor([0.5000, 0.2500])
    """

    def __init__(self, scale: Tensor | float = 0.1, validate_args: bool | None = None):
        super().__init__(scale, validate_args)

    def _curve(self, uniform: Tensor) -> Tensor:
        lower, place = _halves(uniform)
        t, side = math.pi * place, 1 - 2 * lower
        return torch.stack([lower + side * t.cos(), 0.5 * lower + side * t.sin()], -1)


@final
class Circles(Curve):
    r"""Two circles around the origin, of radius 1 and ``inner``, with normal noise.

    Each has half of the mass: the layout of scikit-learn's ``make_circles``.

    References:
        | FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models
          (Grathwohl et al., 2019), the authors' toy data: inner radius .5 and noise .08 in these
          units, then three times the size, which this class leaves out
        | https://arxiv.org/abs/1810.01367

    Arguments:
        inner: Radius of the inner circle, between 0 and 1.
        scale: Standard deviation of the noise, at least .02.

    Raises:
        ValueError: If ``inner`` does not lie between 0 and 1, or ``scale`` is smaller than the
            density's nodes can resolve.

    Example:
        >>> Circles(inner=0.6, scale=0.1).variance  # (1 + .36) / 4 + .01
        tensor([0.3500, 0.3500])
    """

    def __init__(
        self,
        inner: float = 0.5,
        scale: Tensor | float = 0.08,
        validate_args: bool | None = None,
    ):
        inner = real_number("Circles: inner", inner)
        if not 0 < inner < 1:
            raise ValueError(f"Circles: inner = {inner} must lie between 0 and 1")
        self.inner = inner
        super().__init__(scale, validate_args)

    def _curve(self, uniform: Tensor) -> Tensor:
        within, place = _halves(uniform)
        angle, radius = 2 * math.pi * place, 1 - (1 - self.inner) * within
        return radius[..., None] * torch.stack([angle.cos(), angle.sin()], -1)
