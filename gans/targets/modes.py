"""Mixtures of equal normal modes in the plane: the ring and the grid."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, final

import torch
from torch import Size, Tensor
from torch.distributions import Normal, constraints

from gans.targets.base import Target, finite


class Modes(Target):
    """Equal isotropic normal modes of standard deviation ``scale`` around fixed centres."""

    scale: Tensor
    support = constraints.independent(constraints.real, 1)

    @property
    @abstractmethod
    def centres(self) -> Tensor:
        """Centres of the modes, shape ``(*batch_shape, M, d)``."""

    @property
    def mean(self) -> Tensor:
        return self.centres.mean(-2)

    @property
    def variance(self) -> Tensor:
        return self.centres.var(-2, correction=0) + self.scale.square()[..., None]

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to area (volume in d dimensions)."""
        if self._validate_args:
            self._validate_sample(value)
        scale = self.scale[..., None, None]
        per_axis = Normal(self.centres, scale).log_prob(value[..., None, :])
        return per_axis.sum(-1).logsumexp(-1) - math.log(self.centres.shape[-2])

    def _noise(self, source: Any, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape), source.randn(*shape, self.event_shape[0])

    def _push(self, *noise: Tensor) -> Tensor:
        uniform, normal = noise
        modes = self.centres.shape[-2]
        which = (uniform * modes).long().clamp(max=modes - 1)[..., None, None]
        centres = self.centres.expand(*uniform.shape, modes, -1)
        chosen = centres.gather(-2, which.expand(*uniform.shape, 1, centres.shape[-1])).squeeze(-2)
        return chosen + self.scale[..., None] * normal


@final
class Ring(Modes):
    r"""Equal normal modes on a circle, at angles :math:`2\pi k / M`, ``k = 0 .. M - 1``.

    All M modes are distinct. (Several published rings space M points over the *closed* circle and
    so draw the first mode twice.) A perfect sampler puts 98.89 % of its points within three
    standard deviations of a centre.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
          Section 4.1: 8 modes, radius 1, standard deviation .01
        | https://arxiv.org/abs/1712.04086

    Arguments:
        radius: Of the circle, greater than 0.
        scale: Standard deviation of each mode, greater than 0.
        modes: How many, at least 1.

    Example:
        >>> Ring(modes=4).centres.round(decimals=3) + 0.0
        tensor([[ 1.,  0.],
                [ 0.,  1.],
                [-1.,  0.],
                [ 0., -1.]])
    """

    arg_constraints = {"radius": constraints.positive, "scale": constraints.positive}

    def __init__(
        self,
        radius: Tensor | float = 1.0,
        scale: Tensor | float = 0.01,
        modes: int = 8,
        validate_args: bool | None = None,
    ):
        if modes < 1:
            raise ValueError(f"Ring: modes = {modes} must be at least 1")
        self.radius, self.scale = finite("Ring", radius=radius, scale=scale)
        self.modes = modes
        super().__init__(self.radius.shape, Size([2]), validate_args)

    @property
    def centres(self) -> Tensor:
        angle = torch.arange(self.modes, device=self.radius.device) * (2 * math.pi / self.modes)
        circle = torch.stack([angle.cos(), angle.sin()], -1).to(self.radius)
        return self.radius[..., None, None] * circle


@final
class Grid(Modes):
    r"""Equal normal modes on a square lattice centred at the origin.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
          Section 4.1: 5 x 5 modes at -4, -2, 0, 2, 4, standard deviation .05
        | https://arxiv.org/abs/1712.04086

    Arguments:
        spacing: Distance between neighbouring centres, greater than 0.
        scale: Standard deviation of each mode, greater than 0.
        side: Modes along each axis, at least 1.

    Example:
        >>> Grid().centres.shape, Grid().centres.amax()
        (torch.Size([25, 2]), tensor(4.))
    """

    arg_constraints = {"spacing": constraints.positive, "scale": constraints.positive}

    def __init__(
        self,
        spacing: Tensor | float = 2.0,
        scale: Tensor | float = 0.05,
        side: int = 5,
        validate_args: bool | None = None,
    ):
        if side < 1:
            raise ValueError(f"Grid: side = {side} must be at least 1")
        self.spacing, self.scale = finite("Grid", spacing=spacing, scale=scale)
        self.side = side
        super().__init__(self.spacing.shape, Size([2]), validate_args)

    @property
    def centres(self) -> Tensor:
        along = torch.arange(self.side, device=self.spacing.device) - (self.side - 1) / 2
        lattice = torch.cartesian_prod(along, along).to(self.spacing)
        return self.spacing[..., None, None] * lattice
