"""Uniform laws on a box and in a ball."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import whole_number
from gans.targets.base import NoiseSource, Target, widened
from gans.targets.representable import length, representable


@final
class Box(Target):
    r"""Uniform on the product of the intervals :math:`[-h_i, h_i]`; a side of 0 is flat.

    ``Box([0.0, 0.5, 0.0])`` is a unit segment in three dimensions, ``Box([2.5] * D)`` the cube
    that pairs of known transport start from.

    Arguments:
        half_sides: :math:`h_i \ge 0`, one per dimension.

    Raises:
        ValueError: If a half side is negative or not finite, or there is none.

    Example:
        >>> Box([2.0, 0.0]).variance
        tensor([1.3333, 0.0000])
    """

    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)
    has_rsample = True

    def __init__(self, half_sides: Sequence[float] | Tensor, validate_args: bool | None = None):
        sides = torch.as_tensor(half_sides, dtype=torch.get_default_dtype())
        if sides.ndim != 1 or len(sides) == 0:
            raise ValueError(
                f"Box: half_sides of shape {tuple(sides.shape)}; give one number per dimension"
            )
        bad = sides[~(torch.isfinite(sides) & (sides >= 0))]
        if bad.numel():
            raise ValueError(f"Box: half side {bad[0].item():g} must be finite, 0 or more")
        given = torch.as_tensor(half_sides, dtype=torch.float64)
        if lost := given[(sides == 0) & (given > 0)].tolist():
            raise ValueError(f"Box: half side {lost[0]:g} is 0 in {sides.dtype}; give 0 or more")
        self.half_sides = sides
        super().__init__(Size(), Size([len(sides)]), validate_args)

    @property
    def mean(self) -> Tensor:
        return torch.zeros_like(self.half_sides).expand(*self.batch_shape, -1)

    @property
    def variance(self) -> Tensor:
        sides = self.half_sides
        squares = representable(
            "Box: the variance", sides.double().square() / 3, sides, sides == 0
        )
        return squares.expand(*self.batch_shape, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to volume on the sides that are not flat."""
        value = widened(value)
        inside = (value.abs() <= self.half_sides).all(-1)
        sides = self.half_sides[self.half_sides > 0]
        volume = sides.log().sum() + len(sides) * math.log(2)
        return torch.where(inside, -volume, -torch.inf)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return (source.rand(*shape, len(self.half_sides)),)

    def push(self, *noise: Tensor) -> Tensor:
        return (2 * noise[0] - 1) * self.half_sides

    def _shared(self) -> dict[str, Tensor]:
        return {"half_sides": self.half_sides}


@final
class Ball(Target):
    """Uniform in the ball of a given radius around the origin of ``dimension`` dimensions.

    Arguments:
        radius: Greater than 0.
        dimension: At least 1.

    Raises:
        ValueError: If the radius is not finite and positive, or ``dimension`` is below 1.

    Example:
        >>> float(Ball(2.0, 2).variance.sum())  # R^2 D / (D + 2)
        2.0
    """

    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)
    has_rsample = True

    def __init__(self, radius: float, dimension: int, validate_args: bool | None = None):
        size = torch.as_tensor(radius, dtype=torch.get_default_dtype())
        if not (torch.isfinite(size) and size > 0):
            raise ValueError(f"Ball: radius = {float(size):g} must be a finite number above 0")
        dimension = whole_number("Ball: dimension", dimension)
        self.radius = size
        super().__init__(Size(), Size([dimension]), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.radius.new_zeros(*self.batch_shape, self.event_shape[0])

    @property
    def variance(self) -> Tensor:
        square = self.radius.double().square() / (self.event_shape[0] + 2)
        return self.mean + representable("Ball: the variance", square, self.radius)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to volume."""
        value = widened(value)
        d = self.event_shape[0]
        volume = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1) + d * self.radius.log()
        inside = length(value) <= self.radius
        return torch.where(inside, -volume, -torch.inf)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape, 1), source.randn(*shape, self.event_shape[0])

    def push(self, *noise: Tensor) -> Tensor:
        uniform, normal = noise
        direction = normal / torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
        return self.radius * uniform ** (1 / self.event_shape[0]) * direction

    def _shared(self) -> dict[str, Tensor]:
        return {"radius": self.radius}
