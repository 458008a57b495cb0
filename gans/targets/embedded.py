"""A target of few dimensions laid into a space of many."""

import math
from typing import Self, final

from torch import Size, Tensor
from torch.distributions import constraints
from torch.nn.functional import pad

from divergences.checks import whole_number
from gans.targets.base import NoiseSource, Target


@final
class Embedded(Target):
    """Another target's points with zeros for all further coordinates.

    The map keeps distances, so two embedded laws are as far apart as the laws themselves, in
    every divergence. What changes is what surrounds them: a generator into many dimensions misses
    the plane almost surely, and the supports stay disjoint until the end of training.

    Arguments:
        base: The target to embed.
        dimension: Of the space around it, at least that of ``base``.

    Raises:
        ValueError: If ``dimension`` is too small.

    Example:
        >>> from gans.targets import Gaussian
        >>> Embedded(Gaussian(3.0), 4).mean
        tensor([3., 0., 0., 0.])
    """

    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)

    def __init__(self, base: Target, dimension: int, validate_args: bool | None = None):
        own = base.event_shape[0]
        if whole_number("Embedded: dimension", dimension) < own:
            raise ValueError(f"Embedded: points of {own} dimensions do not fit into {dimension}")
        self.base, self.dimension = base, dimension
        super().__init__(base.batch_shape, Size([dimension]), validate_args)

    def _embed(self, points: Tensor) -> Tensor:
        return pad(points, (0, self.dimension - points.shape[-1]))

    @property
    def mean(self) -> Tensor:
        return self._embed(self.base.mean)

    @property
    def variance(self) -> Tensor:
        return self._embed(self.base.variance)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to the base's own measure; ``-inf`` outside its space."""
        own = self.base.event_shape[0]
        outside = (value[..., own:] != 0).any(-1)
        return self.base.log_prob(value[..., :own]).masked_fill(outside, -math.inf)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return self.base.noise(source, *shape)

    def push(self, *noise: Tensor) -> Tensor:
        return self._embed(self.base.push(*noise))

    def _parameters(self) -> dict[str, Tensor]:
        return self.base._parameters()

    def _shared(self) -> dict[str, Tensor]:
        return self.base._shared()

    def _with_parameters(self, parameters: dict[str, Tensor], batch_shape: Size) -> Self:
        return type(self)(self.base._with_parameters(parameters, batch_shape), self.dimension)
