"""Mixtures of isotropic normal modes: the ring and the grid, with equal weights or others."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Self, final

import torch
from torch import Size, Tensor
from torch.distributions import Normal, constraints

from divergences.checks import whole_number
from gans.targets.base import NoiseSource, Target, finite, widened
from gans.targets.representable import representable


class Modes(Target):
    """Isotropic normal modes of standard deviation ``scale`` around fixed centres.

    ``weights`` holds the probability of each, shape ``(M,)``.
    """

    scale: Tensor
    weights: Tensor
    support = constraints.independent(constraints.real, 1)

    @property
    @abstractmethod
    def centres(self) -> Tensor:
        """Centres of the modes, shape ``(*batch_shape, M, d)``."""

    @property
    def noise_dimension(self) -> int:
        """Dimensions that a mode fills: all, unless the modes lie in a subspace."""
        return self.event_shape[0]

    @property
    def mean(self) -> Tensor:
        return (self.weights[:, None] * self.centres).sum(-2)

    @property
    def variance(self) -> Tensor:
        centres, weights = self.centres.double(), self.weights.double()[:, None]
        mean = (weights * centres).sum(-2, keepdim=True)
        between = (weights * (centres - mean).square()).sum(-2)
        name = f"{type(self).__name__}: the variance"
        return representable(name, between + self._variance_within(), self.scale)

    def _variance_within(self) -> Tensor:
        """What the modes' own width adds to each coordinate's variance, in float64."""
        return self.scale.double().square()[..., None]

    def _relative_weights(self) -> Tensor:
        """Weights over the largest: exactly 1 where all are equal, unlike the weights' own sum."""
        return self.weights / self.weights.max()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to area (volume in d dimensions), computed in float64."""
        if self._validate_args:
            self._validate_sample(value)
        value = widened(value)
        dtype = torch.promote_types(value.dtype, self.scale.dtype)
        scale, relative = self.scale.double()[..., None], self._relative_weights().double()
        z = (value[..., None, :].double() - self.centres.double()) / scale[..., None]
        modes = Normal(0.0, 1.0).log_prob(z).sum(-1) - z.shape[-1] * scale.log() + relative.log()
        return (modes.logsumexp(-1) - relative.sum().log()).to(dtype)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape), source.randn(*shape, self.noise_dimension)

    @cached_property
    def _table(self) -> tuple[Tensor, Tensor]:
        """Where on [0, M] each mode but the first begins, and all centres, for every draw."""
        relative = self._relative_weights()
        edges = relative.cumsum(0)[:-1] * (len(self.weights) / relative.sum())
        return edges, self.centres.detach()

    def push(self, *noise: Tensor) -> Tensor:
        uniform, normal = noise
        edges, centres = self._table
        place = (uniform * len(self.weights)).contiguous()
        which = torch.bucketize(place, edges.to(place), right=True)
        if centres.ndim == 2:
            chosen = centres[which]
        else:
            each = centres.expand(*which.shape, *centres.shape[-2:])
            chosen = each.gather(
                -2, which[..., None, None].expand(*which.shape, 1, each.shape[-1])
            )
            chosen = chosen.squeeze(-2)
        return chosen + self.scale[..., None] * normal

    def _with_parameters(self, parameters: dict[str, Tensor], batch_shape: Size) -> Self:
        new = super()._with_parameters(parameters, batch_shape)
        vars(new).pop("_table", None)  # it was of the old parameters
        return new

    def _shared(self) -> dict[str, Tensor]:
        return {"weights": self.weights}


def mode_probabilities(
    target: str, weights: Sequence[float] | None, modes: int, like: Tensor
) -> Tensor:
    """Relative weights as probabilities of shape ``(modes,)``; equal ones for ``None``."""
    values = torch.as_tensor([1.0] * modes if weights is None else weights, dtype=torch.float64)
    if values.shape != (modes,):
        raise ValueError(
            f"{target}: weights of shape {tuple(values.shape)} for {modes} modes; give one each"
        )
    bad = values[~(torch.isfinite(values) & (values > 0))]
    if bad.numel():
        raise ValueError(
            f"{target}: weight {bad[0].item():g} is not a finite number greater than 0; to leave "
            "a mode out, describe a target without it"
        )
    probabilities = (values / values.sum()).to(like)
    if lost := values[probabilities == 0].tolist():
        raise ValueError(
            f"{target}: weight {lost[0]:g} is 0 beside the others in {like.dtype}; describe a "
            "target without that mode"
        )
    return probabilities


@final
class Ring(Modes):
    r"""Normal modes on a circle, at angles :math:`2\pi k / M`, ``k = 0 .. M - 1``.

    All M modes are distinct. (Several published rings space M points over the *closed* circle and
    so draw the first mode twice.) A perfect sampler puts 98.89 % of its points within three
    standard deviations of a centre.

    The unbalanced ring of Schreurs et al. is ``Ring(2.5, 0.05, weights=[0.05] * 4 + [1] * 4)``;
    that the four rare modes are neighbours is our reading.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
          Section 4.1: 8 modes, radius 1, standard deviation .01
        | https://arxiv.org/abs/1712.04086
        | Leverage Score Sampling for Complete Mode Coverage in Generative Adversarial Networks
          (Schreurs et al., 2021): radius 2.5, standard deviation .05, 4 of 8 modes at .05
        | https://arxiv.org/abs/2104.02373

    Arguments:
        radius: Of the circle, greater than 0.
        scale: Standard deviation of each mode, greater than 0.
        modes: How many, at least 1.
        weights: Relative weights of the modes in the order of ``centres``, each greater than 0;
            equal if ``None``.

    Raises:
        ValueError: If ``modes`` is below 1, a parameter is not finite or not positive, or
            ``weights`` are not ``modes`` positive finite numbers.

    Example:
        >>> Ring(modes=4).centres.round(decimals=3) + 0.0
        tensor([[ 1.,  0.],
                [ 0.,  1.],
                [-1.,  0.],
                [ 0., -1.]])
        >>> Ring(modes=4, weights=[1, 1, 1, 7]).weights
        tensor([0.1000, 0.1000, 0.1000, 0.7000])
    """

    arg_constraints = {"radius": constraints.positive, "scale": constraints.positive}

    def __init__(
        self,
        radius: Tensor | float = 1.0,
        scale: Tensor | float = 0.01,
        modes: int = 8,
        weights: Sequence[float] | None = None,
        validate_args: bool | None = None,
    ):
        modes = whole_number("Ring: modes", modes)
        self.radius, self.scale = finite("Ring", radius=radius, scale=scale)
        self.modes = modes
        self.weights = mode_probabilities("Ring", weights, modes, self.radius)
        super().__init__(self.radius.shape, Size([2]), validate_args)

    @property
    def centres(self) -> Tensor:
        angle = torch.arange(self.modes, device=self.radius.device) * (2 * math.pi / self.modes)
        circle = torch.stack([angle.cos(), angle.sin()], -1).to(self.radius)
        return self.radius[..., None, None] * circle


@final
class Grid(Modes):
    r"""Normal modes on a square lattice centred at the origin.

    The grid of 100 modes is ``Grid(spacing=1.0, scale=0.03, side=10)``, with centres at -4.5,
    -3.5, ..., 4.5 along each axis, as in the ParticleGAN benchmark. The unbalanced grid of
    Schreurs et al. is ``Grid(weights=[0.05] * 10 + [1] * 15)``; that the ten rare modes are its
    two leftmost columns is our reading.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
          Section 4.1: 5 x 5 modes at -4, -2, 0, 2, 4, standard deviation .05
        | https://arxiv.org/abs/1712.04086
        | Leverage Score Sampling for Complete Mode Coverage in Generative Adversarial Networks
          (Schreurs et al., 2021): spacing 2, standard deviation .05, 10 of 25 modes at .05
        | https://arxiv.org/abs/2104.02373
        | ParticleGAN (Garcia, 2025): 10 x 10 modes, spacing 1, standard deviation .03
        | https://github.com/255BITS/ParticleGAN

    Arguments:
        spacing: Distance between neighbouring centres, greater than 0.
        scale: Standard deviation of each mode, greater than 0.
        side: Modes along each axis, at least 1.
        weights: Relative weights of the ``side * side`` modes in the order of ``centres``
            (columns from left to right, each from bottom to top), each greater than 0; equal if
            ``None``.

    Raises:
        ValueError: If ``side`` is below 1, a parameter is not finite or not positive, or
            ``weights`` are not ``side * side`` positive finite numbers.

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
        weights: Sequence[float] | None = None,
        validate_args: bool | None = None,
    ):
        side = whole_number("Grid: side", side)
        self.spacing, self.scale = finite("Grid", spacing=spacing, scale=scale)
        self.side = side
        self.weights = mode_probabilities("Grid", weights, side * side, self.spacing)
        super().__init__(self.spacing.shape, Size([2]), validate_args)

    @property
    def centres(self) -> Tensor:
        along = torch.arange(self.side, device=self.spacing.device) - (self.side - 1) / 2
        lattice = torch.cartesian_prod(along, along).to(self.spacing)
        return self.spacing[..., None, None] * lattice
