"""Points along a curve in the plane, with normal noise across it."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Size, Tensor
from torch.distributions import Normal, constraints

from gans.targets.base import Target, finite

NODES = 1000
"""Points of the curve that stand for all of it in the density; their spacing must stay below the
noise's standard deviation, which ``SwissRoll`` sees to."""


@final
class SwissRoll(Target):
    r"""The planar swiss roll: :math:`\tfrac{1}{7.5}(t\cos t, t\sin t)` plus normal noise.

    :math:`t` is uniform on :math:`[\tfrac{3}{2}\pi, \tfrac{9}{2}\pi]`, as in scikit-learn's
    ``make_swiss_roll`` without its height. Density, mean and variance are those of 1000 midpoints
    of that interval, which differ from the integral by less than rounding.

    References:
        | Improved Training of Wasserstein GANs (Gulrajani et al., 2017), Section 4 and the
          authors' toy code: standard deviation .25 before the division by 7.5
        | https://arxiv.org/abs/1704.00028

    Arguments:
        scale: Standard deviation of the noise, at least .01.

    Raises:
        ValueError: If ``scale`` is smaller than the density's nodes can resolve.

    Example:
        >>> SwissRoll().mean.round(decimals=3)
        tensor([0.2670, 0.0280])
    """

    arg_constraints = {"scale": constraints.positive}
    support = constraints.independent(constraints.real, 1)

    def __init__(self, scale: Tensor | float = 0.25 / 7.5, validate_args: bool | None = None):
        (self.scale,) = finite("SwissRoll", scale=scale)
        if (self.scale < 0.01).any():
            raise ValueError(
                f"SwissRoll: scale = {float(self.scale.min()):g} must be at least .01"
            )
        super().__init__(self.scale.shape, Size([2]), validate_args)

    @staticmethod
    def _curve(uniform: Tensor) -> Tensor:
        t = 1.5 * math.pi * (1 + 2 * uniform)
        return torch.stack([t * t.cos(), t * t.sin()], -1) / 7.5

    def _nodes(self) -> Tensor:
        steps = torch.arange(NODES, device=self.scale.device, dtype=self.scale.dtype)
        return self._curve((steps + 0.5) / NODES)

    @property
    def mean(self) -> Tensor:
        return self._nodes().mean(0).expand(*self.batch_shape, 2)

    @property
    def variance(self) -> Tensor:
        return self._nodes().var(0, correction=0) + self.scale.square()[..., None]

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to area."""
        if self._validate_args:
            self._validate_sample(value)
        scale, points = self.scale[..., None, None], value[..., None, :]
        parts = [  # not all nodes at once, for the sake of memory
            Normal(nodes, scale).log_prob(points).sum(-1).logsumexp(-1)
            for nodes in self._nodes().split(50)
        ]
        return torch.stack(parts).logsumexp(0) - math.log(NODES)

    def _noise(self, source: Any, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape), source.randn(*shape, 2)

    def _push(self, *noise: Tensor) -> Tensor:
        uniform, normal = noise
        return self._curve(uniform) + self.scale[..., None] * normal
