"""Target distributions that know their true distances.

Every target is a ``torch.distributions.Distribution`` whose ``batch_shape`` is the member axis:
``()`` for one law shared by all members, ``(K,)`` for a law per member. Besides the usual
contract each can ``draw`` from the members' own random streams.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, Self, final

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Normal, constraints
from torch.distributions.utils import broadcast_all

from divergences.exact import js_divergence, kl_divergence, total_variation, wasserstein
from divergences.streams import Streams


class Target(Distribution):
    """Points of dimension d, made from uniform and normal noise by a fixed map.

    A concrete target names its parameters in ``arg_constraints``; each is a tensor of
    ``batch_shape``.
    """

    # torch declares these two as properties and assigns class attributes to them itself
    arg_constraints: ClassVar[dict[str, constraints.Constraint]]  # pyright: ignore
    support: ClassVar[constraints.Constraint]  # pyright: ignore

    @abstractmethod
    def _noise(self, source: Any, *shape: int) -> tuple[Tensor, ...]:
        """Base noise with leading dimensions ``shape``, from ``torch`` or from a Streams."""

    @abstractmethod
    def _push(self, *noise: Tensor) -> Tensor:
        """Points ``(..., *batch_shape, d)`` from noise ``(..., *batch_shape, *)``."""

    def draw(self, streams: Streams, n: int) -> Tensor:
        """Points of shape ``(K, n, d)``, each member's from its own stream."""
        if self.batch_shape not in (Size(), Size([len(streams)])):
            raise ValueError(
                f"a target of batch_shape {tuple(self.batch_shape)} cannot serve {len(streams)} "
                f"members; give it batch_shape () or ({len(streams)},)"
            )
        noise = [t.movedim(0, 1) for t in self._noise(streams, n)]
        return self._push(*noise).movedim(0, 1)

    def sample(self, sample_shape: Size | tuple[int, ...] = Size()) -> Tensor:
        with torch.no_grad():
            return self._from_global_generator(sample_shape)

    def rsample(self, sample_shape: Size | tuple[int, ...] = Size()) -> Tensor:
        if not self.has_rsample:
            raise NotImplementedError(
                f"{type(self).__name__} picks a component at random, which has no derivative in "
                "its weights; use sample()"
            )
        return self._from_global_generator(sample_shape)

    def _from_global_generator(self, sample_shape: Size | tuple[int, ...]) -> Tensor:
        like = next(iter(self._parameters().values()))
        noise = self._noise(torch, *sample_shape, *self.batch_shape)
        return self._push(*[t.to(like) for t in noise])

    def _parameters(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self.arg_constraints}

    def _with_parameters(self, parameters: dict[str, Tensor], batch_shape: Size) -> Self:
        new: Any = self._get_checked_instance(type(self))
        new.__dict__.update(self.__dict__ | parameters)
        new._batch_shape = batch_shape
        return new

    def expand(self, batch_shape: Size | tuple[int, ...], _instance: Any = None) -> Self:
        batch_shape = Size(batch_shape)
        expanded = {name: t.expand(batch_shape) for name, t in self._parameters().items()}
        return self._with_parameters(expanded, batch_shape)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same law with its parameters on ``device``, as ``dtype`` if one is given."""
        moved = {name: t.to(device, dtype) for name, t in self._parameters().items()}
        return self._with_parameters(moved, self.batch_shape)


def _finite(target: str, **parameters: Tensor | float) -> tuple[Tensor, ...]:
    """The parameters as floating-point tensors of one shape, or an error naming the bad value."""
    for name, value in parameters.items():
        values = torch.as_tensor(value, dtype=torch.get_default_dtype())
        bad = values[~torch.isfinite(values)]
        if bad.numel():
            raise ValueError(f"{target}: {name} = {bad[0].item()} is not a finite number")
    return broadcast_all(*[v if isinstance(v, Tensor) else float(v) for v in parameters.values()])


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
        (self.theta,) = _finite("ParallelSegments", theta=theta)
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

    def _noise(self, source: Any, *shape: int) -> tuple[Tensor, ...]:
        return (source.rand(*shape),)

    def _push(self, *noise: Tensor) -> Tensor:
        (height,) = noise
        return torch.stack([self.theta.expand_as(height), height], -1)


@kl_divergence.register(ParallelSegments, ParallelSegments)
def _segments_kl(p: ParallelSegments, q: ParallelSegments) -> Tensor:
    gap = p.theta - q.theta
    return torch.zeros_like(gap).masked_fill(gap != 0, math.inf)


@js_divergence.register(ParallelSegments, ParallelSegments)
def _segments_js(p: ParallelSegments, q: ParallelSegments) -> Tensor:
    return math.log(2) * total_variation(p, q)


@total_variation.register(ParallelSegments, ParallelSegments)
def _segments_tv(p: ParallelSegments, q: ParallelSegments) -> Tensor:
    return (p.theta != q.theta).to(p.theta.dtype)


@wasserstein.register(ParallelSegments, ParallelSegments)
def _segments_wasserstein(p: ParallelSegments, q: ParallelSegments, order: float) -> Tensor:
    return (p.theta - q.theta).abs()


@final
class Gaussian(Target):
    r"""A normal law on the line, with points of shape ``(1,)`` so that networks can take them.

    Two of them are Figure 2 of the WGAN paper. KL, total variation, W1 and W2 are exact, through
    :class:`torch.distributions.Normal`.

    Arguments:
        loc: Mean, of shape ``batch_shape``.
        scale: Standard deviation, greater than 0.

    Example:
        >>> wasserstein(Gaussian(0.0, 1.0), Gaussian(3.0, 1.0))
        tensor(3.)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.independent(constraints.real, 1)
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ):
        self.loc, self.scale = _finite("Gaussian", loc=loc, scale=scale)
        super().__init__(self.loc.shape, Size([1]), validate_args)

    @property
    def normal(self) -> Normal:
        """The same law with scalar points."""
        return Normal(self.loc, self.scale)

    @property
    def mean(self) -> Tensor:
        return self.loc[..., None]

    @property
    def variance(self) -> Tensor:
        return self.scale.square()[..., None]

    def entropy(self) -> Tensor:
        return self.normal.entropy()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to length on the line."""
        return self.normal.log_prob(value.squeeze(-1))

    def _noise(self, source: Any, *shape: int) -> tuple[Tensor, ...]:
        return (source.randn(*shape),)

    def _push(self, *noise: Tensor) -> Tensor:
        return (self.loc + self.scale * noise[0])[..., None]


@kl_divergence.register(Gaussian, Gaussian)
def _gaussians_kl(p: Gaussian, q: Gaussian) -> Tensor:
    return kl_divergence(p.normal, q.normal)


@total_variation.register(Gaussian, Gaussian)
def _gaussians_tv(p: Gaussian, q: Gaussian) -> Tensor:
    return total_variation(p.normal, q.normal)


@wasserstein.register(Gaussian, Gaussian)
def _gaussians_wasserstein(p: Gaussian, q: Gaussian, order: float) -> Tensor:
    return wasserstein(p.normal, q.normal, order)


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
        self.radius, self.scale = _finite("Ring", radius=radius, scale=scale)
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
        self.spacing, self.scale = _finite("Grid", spacing=spacing, scale=scale)
        self.side = side
        super().__init__(self.spacing.shape, Size([2]), validate_args)

    @property
    def centres(self) -> Tensor:
        along = torch.arange(self.side, device=self.spacing.device) - (self.side - 1) / 2
        lattice = torch.cartesian_prod(along, along).to(self.spacing)
        return self.spacing[..., None, None] * lattice
