"""Generators with a leading member axis: what turns noise into points."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from divergences.checks import each, positive_number, whole_number
from divergences.networks.layers import MLP
from divergences.random_streams import Streams
from gans.targets import ParallelSegments


class Generator(nn.Module, ABC):
    """Pushes noise of shape ``(K, n, *)`` to points of shape ``(K, n, d)``."""

    @abstractmethod
    def noise(self, streams: Streams, n: int) -> Tensor:
        """Noise for ``n`` points per member."""

    def draw(self, streams: Streams, n: int) -> Tensor:
        """Points of shape ``(K, n, d)`` from fresh noise."""
        return self(self.noise(streams, n))

    def law(self) -> Distribution | None:
        """The distribution of its points where that is known exactly, else ``None``."""
        return None

    def readings(self) -> dict[str, Tensor]:
        """Parameters worth a curve of their own: name to values of shape ``(K,)``."""
        return {}


@final
class Packed(nn.Module):
    """A critic of several points at once (PacGAN), from ``(K, n, d)`` to ``(K, n / pack, 1)``.

    A pack of generated points shows at once that they all come from one mode.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018)
        | https://arxiv.org/abs/1712.04086

    Arguments:
        streams: The members' random streams.
        in_features: Dimension of one point.
        out_features: Scores per pack.
        pack: Points per pack, at least 1.
        network: Makes the network, from streams and the dimensions of a pack and of its scores.

    Example:
        >>> Packed(Streams([0]), 2, 1, pack=4)(torch.zeros(1, 12, 2)).shape
        torch.Size([1, 3, 1])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        pack: int = 2,
        network: Callable[[Streams, int, int], nn.Module] = MLP,
    ):
        super().__init__()
        self.pack = whole_number("pack", pack)
        self.network = network(streams, pack * in_features, out_features)

    def forward(self, points: Tensor) -> Tensor:
        members, n, d = points.shape
        if n % self.pack:
            raise ValueError(f"{n} points do not make packs of {self.pack}")
        return self.network(points.reshape(members, n // self.pack, self.pack * d))


@final
class NoiseGenerator(Generator):
    """A network on standard normal noise, with fair coins beside it if wanted.

    What a continuous network makes of normal noise is connected: between two modes of the target
    there are always points of neither. ``bits`` coins of -1 and 1 cut the noise into ``2**bits``
    pieces, which can go to different modes without a bridge.

    References:
        | Disconnected Manifold Learning for Generative Adversarial Networks (Khayatkhoei et al.,
          2018), Section 2
        | https://arxiv.org/abs/1806.00880
        | Learning disconnected manifolds: a no GAN's land (Tanielian et al., 2020), which bounds
          the share of points on the modes
        | https://arxiv.org/abs/2006.04596

    Arguments:
        streams: The members' random streams.
        dimension: Of the points it makes.
        latent: Dimension of the normal noise.
        hidden: Widths of the hidden layers.
        network: Makes the network, from streams, the dimension of the noise with its coins,
            ``dimension`` and ``hidden``; a multilayer perceptron with ReLU by default.
        bits: How many coins.

    Raises:
        ValueError: If ``latent`` is below 1 or ``bits`` below 0.

    Example:
        >>> streams = Streams([0])
        >>> noise = NoiseGenerator(streams, 2, latent=1, bits=3).noise(streams, 100)
        >>> noise.shape, noise[..., 1:].unique().tolist()
        (torch.Size([1, 100, 4]), [-1.0, 1.0])
    """

    def __init__(
        self,
        streams: Streams,
        dimension: int,
        latent: int = 2,
        hidden: Sequence[int] = (128, 128),
        network: Callable[[Streams, int, int, Sequence[int]], nn.Module] = MLP,
        bits: int = 0,
    ):
        super().__init__()
        self.latent = whole_number("latent", latent)
        self.bits = whole_number("bits", bits, least=0)
        self.network = network(streams, latent + bits, dimension, hidden)

    def noise(self, streams: Streams, n: int) -> Tensor:
        normal = streams.randn(n, self.latent)
        if not self.bits:
            return normal
        coins = 2 * (streams.rand(n, self.bits) < 0.5).to(normal) - 1
        return torch.cat([normal, coins], dim=-1)

    def forward(self, noise: Tensor) -> Tensor:
        return self.network(noise)


@final
class SegmentGenerator(Generator):
    r"""The one-parameter generator of WGAN's Example 1: :math:`g_\theta(z) = (\theta, z)`.

    Its law is exactly :class:`~gans.ParallelSegments`, so every divergence of it from a
    target segment is known at every step of training.

    Arguments:
        streams: The members' random streams.
        dimension: Of the points it makes; must be 2.
        theta: Where each member starts: one number, or one per member.
    """

    def __init__(
        self, streams: Streams, dimension: int = 2, theta: float | Sequence[float] | Tensor = 1.0
    ):
        super().__init__()
        if dimension != 2:
            raise ValueError(f"SegmentGenerator makes points of the plane, not of R^{dimension}")
        start = ParallelSegments(torch.as_tensor(theta, dtype=torch.get_default_dtype())).theta
        if start.ndim > 1 or (start.ndim == 1 and len(start) != len(streams)):
            raise ValueError(
                f"theta of shape {tuple(start.shape)} for {len(streams)} members: give one "
                "number, or one per seed"
            )
        self.theta = nn.Parameter(start.expand(len(streams)).clone())

    def noise(self, streams: Streams, n: int) -> Tensor:
        return streams.rand(n)

    def forward(self, noise: Tensor) -> Tensor:
        return torch.stack([self.theta[:, None].expand_as(noise), noise], -1)

    def law(self) -> ParallelSegments:
        return ParallelSegments(self.theta.detach(), validate_args=False)

    def readings(self) -> dict[str, Tensor]:
        return {"theta": self.theta.detach()}


@final
class LabelledGenerator(Generator):
    r"""A network on normal noise and a class, for targets whose points hold their class.

    A class is drawn, given to the network as 1 beside the noise, with 0 for the others, and put
    behind the pixels that the network makes, as :class:`~gans.Images` with ``label_scale`` does.
    A critic of such points judges pictures and classes together: both players know the class.

    References:
        | Conditional Generative Adversarial Nets (Mirza & Osindero, 2014), Equation 2
        | https://arxiv.org/abs/1411.1784

    Arguments:
        streams: The members' random streams.
        dimension: Of the points it makes, their class included.
        classes: How many there are, at least 2.
        label_scale: The target's distance between points of different classes, greater than 0.
        latent: Dimension of the normal noise.
        hidden: Widths of the hidden layers.
        network: Makes the network, from streams, ``latent + classes``, the number of pixels and
            ``hidden``; a multilayer perceptron with ReLU by default.
        weights: Relative frequencies of the classes; equal by default.

    Raises:
        ValueError: If a number is out of range, points have no room for the classes, or weights
            are not one positive number for each class.

    Example:
        >>> points = LabelledGenerator(Streams([0]), 66, 2, 3.0).draw(Streams([0]), 5)
        >>> points = points.detach()
        >>> points.shape, torch.cdist(points[..., 64:], points[..., 64:]).max().round()
        (torch.Size([1, 5, 66]), tensor(3.))
    """

    weights: Tensor

    def __init__(
        self,
        streams: Streams,
        dimension: int,
        classes: int,
        label_scale: float,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128),
        network: Callable[[Streams, int, int, Sequence[int]], nn.Module] = MLP,
        weights: Sequence[float] | None = None,
    ):
        super().__init__()
        self.classes = whole_number("classes", classes, least=2)
        self.label_scale = positive_number("label_scale", label_scale)
        self.latent = whole_number("latent", latent)
        if dimension <= classes:
            raise ValueError(
                f"LabelledGenerator: points of {dimension} dimensions have no room for {classes} "
                "classes behind the pixels; does the target have label_scale?"
            )
        shares = each("weights", weights or [1.0] * classes, positive_number)
        if len(shares) != classes:
            raise ValueError(f"weights: {len(shares)} for {classes} classes; give one each")
        total = torch.tensor(shares, dtype=torch.float64).cumsum(0)
        self.register_buffer("weights", (total / total[-1]).to(streams.dtype))
        self.network = network(streams, latent + classes, dimension - classes, hidden)

    def noise(self, streams: Streams, n: int) -> Tensor:
        uniform = streams.rand(n)
        label = torch.bucketize(uniform, self.weights, right=True).clamp(max=self.classes - 1)
        own = torch.nn.functional.one_hot(label, self.classes).to(uniform)
        return torch.cat([streams.randn(n, self.latent), own], -1)

    def forward(self, noise: Tensor) -> Tensor:
        own = noise[..., self.latent :] * (self.label_scale / math.sqrt(2))
        return torch.cat([self.network(noise), own], -1)
