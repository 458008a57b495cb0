"""The pinwheel: stretched normal blades, bent by a rotation that grows with the radius."""

import math
from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import whole_number
from gans.targets.base import NoiseSource, Target, finite
from gans.targets.representable import representable

LARGEST_EXPONENT = 700.0
"""Beyond it the exponential overflows; where that matters, the angle is lost long before."""

ANGLE = 1e-6
"""Radians to which the place of a blade has to be known for a density."""


def _turned(points: Tensor, angle: Tensor) -> Tensor:
    """Points ``(..., 2)`` turned counter-clockwise by angles ``(...)``."""
    x, y = points.unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x - sin * y, sin * x + cos * y], -1)


@final
class Pinwheel(Target):
    r"""Bent blades around the origin, each a stretched normal law carried by an area-keeping map.

    A blade's points start as :math:`u \sim N((1, 0), \mathrm{diag}(\sigma_r^2, \sigma_t^2))` and
    are turned clockwise by :math:`2\pi k / M + \text{rate} \cdot e^{|u|}`. The angle depends on
    the radius alone, so the map is one to one with Jacobian determinant 1, and the density at x is
    the mean over blades of the normal density at x turned back. The published generator lets the
    angle depend on the first coordinate of u instead of its radius: nearly the same picture, but
    that map folds, and has no such density.

    References:
        | Composing graphical models with neural networks for structured representations and fast
          inference (Johnson et al., 2016), the authors' synthetic data: 5 blades, radial deviation
          .3, rate .25 (deviation across of .05, and all of it ten times the size)
        | https://arxiv.org/abs/1603.06277
        | FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models
          (Grathwohl et al., 2019), the authors' toy data: .1 across, twice the size
        | https://arxiv.org/abs/1810.01367

    Arguments:
        radial: Standard deviation along a blade, greater than 0.
        tangential: Standard deviation across it, greater than 0.
        rate: How strongly the blades bend; negative bends the other way.
        blades: How many, at least 3.

    Raises:
        ValueError: If there are fewer than three blades (the mean would not be the origin), a
            parameter is not finite or not positive, or blades turn so often where they end that
            double precision cannot tell where they are.

    Example:
        >>> Pinwheel().variance  # (1 + .3^2 + .1^2) / 2
        tensor([0.5500, 0.5500])
    """

    arg_constraints = {
        "radial": constraints.positive,
        "tangential": constraints.positive,
        "rate": constraints.real,
    }
    support = constraints.independent(constraints.real, 1)

    def __init__(
        self,
        radial: Tensor | float = 0.3,
        tangential: Tensor | float = 0.1,
        rate: Tensor | float = 0.25,
        blades: int = 5,
        validate_args: bool | None = None,
    ):
        blades = whole_number("Pinwheel: blades", blades, least=3)
        self.radial, self.tangential, self.rate = finite(
            "Pinwheel", radial=radial, tangential=tangential, rate=rate
        )
        self.blades = blades
        reach = 1 + 6 * (self.radial.double() + self.tangential.double())
        if (lost := self._lost(reach)).any():
            raise ValueError(
                f"Pinwheel: blades of radial {float(self.radial[lost][0]):g}, tangential "
                f"{float(self.tangential[lost][0]):g} and rate {float(self.rate[lost][0]):g} turn "
                "so often where they end that double precision cannot tell where they are; give "
                "smaller numbers"
            )
        super().__init__(self.radial.shape, Size([2]), validate_args)

    @property
    def mean(self) -> Tensor:
        return torch.zeros_like(self.radial)[..., None].expand(*self.batch_shape, 2)

    @property
    def variance(self) -> Tensor:
        square = (1 + self.radial.double().square() + self.tangential.double().square()) / 2
        square = representable("Pinwheel: the variance", square, self.radial)
        return square[..., None].expand(*self.batch_shape, 2)

    def _bend(self, radius: Tensor) -> Tensor:
        return self.rate.double() * radius.clamp(max=LARGEST_EXPONENT).exp()

    def _lost(self, radius: Tensor) -> Tensor:
        """Whether a blade has turned too often there to say in float64 where it is."""
        turned = self._bend(radius).abs() * (2 + radius)
        return turned * torch.finfo(torch.float64).eps > ANGLE

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to area, computed in double precision.

        Raises:
            ValueError: If a point lies so far out that its blade has turned too often for double
                precision to say where it is: at the default rate beyond a radius of 20, where the
                density has long been 0 in any precision.
        """
        if self._validate_args:
            self._validate_sample(value)
        dtype, value = torch.promote_types(value.dtype, self.radial.dtype), value.double()
        radius = torch.linalg.vector_norm(value, dim=-1)
        bend = self._bend(radius)
        lost = self._lost(radius).nonzero()
        if len(lost):
            far = radius.expand_as(bend)[tuple(lost[0])]
            raise ValueError(
                f"Pinwheel: at radius {float(far):g} a blade of rate "
                f"{float(self.rate.expand_as(bend)[tuple(lost[0])]):g} has turned so often that "
                "double precision cannot tell where it is; evaluate the density nearer to 0"
            )
        straight = _turned(value, bend)
        blades = torch.arange(self.blades, device=value.device) * (2 * math.pi / self.blades)
        along, across = _turned(straight[..., None, :], blades.to(straight)).unbind(-1)
        along = (along - 1) / self.radial[..., None]
        across = across / self.tangential[..., None]
        log_normal = -(along.square() + across.square()) / 2
        size = self.radial.double().log() + self.tangential.double().log()
        size = size + math.log(2 * math.pi * self.blades)
        return (log_normal.logsumexp(-1) - size).to(dtype)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape), source.randn(*shape, 2)

    def push(self, *noise: Tensor) -> Tensor:
        uniform, normal = (n.double() for n in noise)  # a scalar parameter would not widen them
        blade = (uniform * self.blades).floor().clamp(max=self.blades - 1)
        along = 1 + self.radial.double() * normal[..., 0]
        straight = torch.stack([along, self.tangential.double() * normal[..., 1]], -1)
        angle = 2 * math.pi / self.blades * blade + self._bend(straight.norm(dim=-1))
        return _turned(straight, -angle).to(torch.promote_types(self.radial.dtype, noise[1].dtype))
