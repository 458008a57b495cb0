"""Convolutional generators and critics with a leading member axis, after DCGAN.

K members are K groups of a grouped convolution. Inside, maps have the shape
``(n, K, channels, rows, columns)``; from outside, points are the flat ``(K, n, d)`` of all other
networks.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, layer_norm

from divergences.checks import each, whole_number
from divergences.networks.layers import Linear
from divergences.random_streams import Streams
from gans.networks.published_layers import BatchNorm

KERNEL, STRIDE = 4, 2
"""DCGAN's: each layer halves or doubles rows and columns."""
OVERLAP = KERNEL // STRIDE
"""Square root of the number of patches that a pixel is in: the norm of cutting into patches."""


@final
class Convolution(nn.Module):
    r"""K convolutions of 4 x 4 pixels, two apart, which halve rows and columns.

    A convolution is an affine map of patches. The weight is a matrix from patches to channels, a
    :class:`~divergences.networks.layers.Linear`, so what constrains matrices constrains this
    layer. Cutting a picture into overlapping patches repeats each pixel at most four times and so
    lengthens differences up to twofold: patches are divided by 2, and the layer is at most as
    steep as its matrix.

    References:
        | Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
          Networks (Radford et al., 2016), Section 3
        | https://arxiv.org/abs/1511.06434

    Arguments:
        in_channels: Of the maps that go in.
        out_channels: Of those that come out.
        streams: The members' random streams.

    Example:
        >>> Convolution(3, 5, Streams([0, 1]))(torch.zeros(7, 2, 3, 8, 8)).shape
        torch.Size([7, 2, 5, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, streams: Streams):
        super().__init__()
        self.patches = Linear(in_channels * KERNEL**2, out_channels, streams)
        with torch.no_grad():  # starts as steep as torch's own convolution
            self.patches.weight.mul_(OVERLAP)

    def forward(self, maps: Tensor) -> Tensor:
        n, members, channels, rows, columns = maps.shape
        weight = self.patches.weight.mT / OVERLAP
        made = conv2d(
            maps.reshape(n, members * channels, rows, columns),
            weight.reshape(-1, channels, KERNEL, KERNEL),
            self.patches.bias.reshape(-1),
            STRIDE,
            padding=1,
            groups=members,
        )
        return made.unflatten(1, (members, -1))


@final
class UpConvolution(nn.Module):
    """K transposed convolutions of 4 x 4 pixels, which double rows and columns.

    Arguments:
        in_channels: Of the maps that go in.
        out_channels: Of those that come out.
        streams: The members' random streams.

    Example:
        >>> UpConvolution(5, 3, Streams([0, 1]))(torch.zeros(7, 2, 5, 4, 4)).shape
        torch.Size([7, 2, 3, 8, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, streams: Streams):
        super().__init__()
        bound = (in_channels * OVERLAP**2) ** -0.5  # as many numbers make one pixel
        size = (in_channels, out_channels * KERNEL**2)
        self.weight = nn.Parameter(bound * (2 * streams.rand(*size) - 1))
        self.bias = nn.Parameter(bound * (2 * streams.rand(out_channels) - 1))

    def forward(self, maps: Tensor) -> Tensor:
        n, members, channels, rows, columns = maps.shape
        made = conv_transpose2d(
            maps.reshape(n, members * channels, rows, columns),
            self.weight.reshape(members * channels, -1, KERNEL, KERNEL),
            self.bias.reshape(-1),
            STRIDE,
            padding=1,
            groups=members,
        )
        return made.unflatten(1, (members, -1))


@final
class PointNorm(nn.Module):
    """Each point's maps with mean 0 and variance 1, then scaled and shifted channel by channel.

    Layer normalisation. A point's score does not depend on the rest of its batch, so that a
    penalty may ask for its slope. The layer has no largest slope, so nothing that bounds a
    critic's slope by its matrices goes with it.

    References:
        | Layer Normalization (Ba et al., 2016), https://arxiv.org/abs/1607.06450
        | Improved Training of Wasserstein GANs (Gulrajani et al., 2017), Section 4, which
          recommends it under a gradient penalty, https://arxiv.org/abs/1704.00028

    Arguments:
        channels: Of the maps.
        streams: The members' random streams; they set K.

    Example:
        >>> PointNorm(2, Streams([0]))(torch.tensor([[[[[1.0]], [[3.0]]]]])).detach().flatten()
        tensor([-1.0000,  1.0000])
    """

    def __init__(self, channels: int, streams: Streams):
        super().__init__()
        size = (len(streams), channels, 1, 1)
        self.weight = nn.Parameter(torch.ones(size, dtype=streams.dtype))
        self.bias = nn.Parameter(torch.zeros(size, dtype=streams.dtype))

    def forward(self, maps: Tensor) -> Tensor:
        return layer_norm(maps, maps.shape[2:]) * self.weight + self.bias


@final
class ChannelNorm(nn.Module):
    """Batch normalisation of maps: each channel over all points and pixels, for generators.

    Arguments:
        channels: Of the maps.
        streams: The members' random streams; they set K.

    Example:
        >>> ChannelNorm(3, Streams([0, 1]))(torch.rand(7, 2, 3, 4, 4)).shape
        torch.Size([7, 2, 3, 4, 4])
    """

    def __init__(self, channels: int, streams: Streams):
        super().__init__()
        self.norm = BatchNorm(channels, streams)

    def forward(self, maps: Tensor) -> Tensor:
        n, members, channels, rows, columns = maps.shape
        flat = maps.permute(1, 0, 3, 4, 2).reshape(members, -1, channels)
        normalised = self.norm(flat).view(members, n, rows, columns, channels)
        return normalised.permute(1, 0, 4, 2, 3)


def _halved(name: str, shape: Sequence[int], times: int) -> tuple[int, int, int]:
    """Channels, and rows and columns once halved so many times."""
    if len(shape) != 3:
        raise ValueError(f"{name}: shape = {tuple(shape)}: give channels, rows and columns")
    channels, *sides = each(f"{name}: shape", shape, whole_number)
    for side in sides:
        if side % STRIDE**times:
            raise ValueError(
                f"{name}: a side of {side} pixels cannot be halved {times} times; give fewer "
                f"layers, or pictures whose sides are multiples of {STRIDE**times}"
            )
    return channels, sides[0] // STRIDE**times, sides[1] // STRIDE**times


@final
class Convolutions(nn.Module):
    r"""K critics of pictures, from points ``(K, n, in_features)`` to ``(K, n, out_features)``.

    Convolutions that halve rows and columns, then one affine map. What a point holds behind its
    pixels, such as its class, goes in as channels that are constant over the picture, divided by
    the root of the number of pixels so that they lengthen no difference. With
    :class:`~divergences.SpectralNorm` or :class:`~divergences.Orthogonal` every layer, and with
    ``LeakyReLU`` or ``MaxMin`` the whole critic, is 1-Lipschitz.

    Arguments:
        streams: The members' random streams.
        in_features: Dimension of the points.
        out_features: Dimension of what comes out.
        shape: Channels, rows and columns of a picture.
        hidden: Channels of each layer; rows and columns must be multiples of 2 to their number.
        activation: Class of the nonlinearity behind each layer.
        normalisation: Made of channels and streams, before each nonlinearity but the first:
            :class:`PointNorm`, or none, which is the default. No batch normalisation goes with a
            penalty on slopes.

    Raises:
        ValueError: If a picture does not fit the points or the layers.

    Example:
        >>> Convolutions(Streams([0, 1]), 64, 1, shape=(1, 8, 8))(torch.zeros(2, 5, 64)).shape
        torch.Size([2, 5, 1])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        shape: Sequence[int],
        hidden: Sequence[int] = (16, 32),
        activation: type[nn.Module] = nn.LeakyReLU,
        normalisation: type[nn.Module] | None = None,
    ):
        super().__init__()
        hidden = each("hidden", hidden, whole_number)
        channels, rows, columns = _halved("Convolutions", shape, len(hidden))
        self.shape = tuple(shape)
        behind = in_features - math.prod(self.shape)
        if behind < 0:
            raise ValueError(
                f"Convolutions: shape = {self.shape} are {math.prod(self.shape)} numbers, and "
                f"points have {in_features}"
            )
        self.layers = nn.ModuleList()
        widths = [channels + behind, *hidden]
        for number, (before, after) in enumerate(pairwise(widths)):
            norm = normalisation(after, streams) if normalisation and number else nn.Identity()
            layer = Convolution(before, after, streams)
            self.layers.append(nn.ModuleList([layer, norm, activation()]))
        self.last = Linear(widths[-1] * rows * columns, out_features, streams)

    def features(self, points: Tensor) -> Tensor:
        """What the last affine map is given, ``(K, n, f)``."""
        pixels = math.prod(self.shape)
        maps = points[..., :pixels].unflatten(-1, self.shape)
        if points.shape[-1] > pixels:
            rows, columns = self.shape[1:]
            constant = points[..., pixels:, None, None] / math.sqrt(rows * columns)
            maps = torch.cat([maps, constant.expand(-1, -1, -1, rows, columns)], 2)
        maps = maps.transpose(0, 1)
        for convolution, norm, activation in self.layers:  # pyright: ignore
            maps = norm(convolution(maps))
            # sorting activations work along the last axis
            maps = activation(maps.movedim(2, -1)).movedim(-1, 2)
        return maps.flatten(2).transpose(0, 1)

    def forward(self, points: Tensor) -> Tensor:
        return self.last(self.features(points))


@final
class UpConvolutions(nn.Module):
    """K networks from noise ``(K, n, in_features)`` to pictures in [-1, 1], ``(K, n, d)``.

    An affine map to small maps, then transposed convolutions that double rows and columns; a
    hyperbolic tangent at the end. For :class:`~gans.NoiseGenerator` and
    :class:`~gans.LabelledGenerator`, as their ``network``.

    Arguments:
        streams: The members' random streams.
        in_features: Dimension of the noise.
        out_features: Dimension of the points, the product of ``shape``.
        hidden: Channels before each layer; rows and columns must be multiples of 2 to their
            number.
        shape: Channels, rows and columns of a picture.
        normalisation: Made of channels and streams, before each nonlinearity: :class:`ChannelNorm`
            by default, :class:`PointNorm`, or ``None``.

    Raises:
        ValueError: If a picture does not fit the points or the layers.

    Example:
        >>> network = UpConvolutions(Streams([0, 1]), 16, 64, (32, 16), shape=(1, 8, 8))
        >>> network(torch.zeros(2, 5, 16)).shape
        torch.Size([2, 5, 64])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        hidden: Sequence[int],
        shape: Sequence[int],
        normalisation: type[nn.Module] | None = ChannelNorm,
    ):
        super().__init__()
        hidden = each("hidden", hidden, whole_number)
        if not hidden:
            raise ValueError("UpConvolutions: hidden is empty; give channels, such as (32, 16)")
        channels, rows, columns = _halved("UpConvolutions", shape, len(hidden))
        if math.prod(shape) != out_features:
            raise ValueError(
                f"UpConvolutions: shape = {tuple(shape)} are {math.prod(shape)} numbers, and "
                f"points have {out_features}"
            )
        self.small = (hidden[0], rows, columns)
        self.first = Linear(in_features, math.prod(self.small), streams)
        self.layers = nn.ModuleList()
        for before, after in pairwise([*hidden, channels]):
            norm = normalisation(before, streams) if normalisation else nn.Identity()
            layer = UpConvolution(before, after, streams)
            self.layers.append(nn.ModuleList([norm, nn.ReLU(), layer]))

    def forward(self, noise: Tensor) -> Tensor:
        maps = self.first(noise).unflatten(-1, self.small).transpose(0, 1)
        for norm, activation, convolution in self.layers:  # pyright: ignore
            maps = convolution(activation(norm(maps)))
        return maps.flatten(2).transpose(0, 1).tanh()
