"""Layers and initial weights that published networks need, with a leading member axis."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from divergences.networks.layers import Linear
from divergences.random_streams import Streams

N = TypeVar("N", bound=nn.Module)


@final
class BatchNorm(nn.Module):
    r"""Each member's features with mean 0 and variance 1 over its batch, then scaled and shifted.

    As ``torch.nn.BatchNorm1d`` with two differences. Members do not see each other. And the
    running mean and variance, which serve in ``eval()`` mode, follow batches that are learnt from:
    points that are drawn under ``no_grad``, for a critic or a picture, leave no trace.

    References:
        | Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
          Shift (Ioffe & Szegedy, 2015), Algorithm 1
        | https://arxiv.org/abs/1502.03167

    Arguments:
        features: Width of the layer.
        streams: The members' random streams; they set K.
        momentum: Weight of the latest batch in the running mean and variance.
        eps: Added to the variance.

    Example:
        >>> x = torch.tensor([[[0.0], [2.0]], [[10.0], [30.0]]])
        >>> BatchNorm(1, Streams([0, 1]))(x).detach().flatten()
        tensor([-1.0000,  1.0000, -1.0000,  1.0000])
    """

    running_mean: Tensor
    running_var: Tensor
    mixes_points = True

    def __init__(self, features: int, streams: Streams, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        members = len(streams)
        self.weight = nn.Parameter(torch.ones(members, features, dtype=streams.dtype))
        self.bias = nn.Parameter(torch.zeros(members, features, dtype=streams.dtype))
        self.register_buffer("running_mean", torch.zeros(members, features, dtype=streams.dtype))
        self.register_buffer("running_var", torch.ones(members, features, dtype=streams.dtype))

    def forward(self, x: Tensor) -> Tensor:
        members, n, features = x.shape
        learns = self.training and torch.is_grad_enabled()
        running = (self.running_mean.view(-1), self.running_var.view(-1))
        # members side by side as features of one batch
        normalised = functional.batch_norm(
            x.transpose(0, 1).reshape(n, members * features),
            *(running if learns or not self.training else (None, None)),
            self.weight.view(-1),
            self.bias.view(-1),
            self.training,
            self.momentum,
            self.eps,
        )
        return normalised.view(n, members, features).transpose(0, 1)


@final
class Maxout(nn.Module):
    """The largest of several affine maps, unit by unit, from ``(K, n, in)`` to ``(K, n, out)``.

    References:
        | Maxout Networks (Goodfellow et al., 2013), Section 3
        | https://arxiv.org/abs/1302.4389

    Arguments:
        in_features: Dimension of what goes in.
        out_features: Units.
        pieces: Affine maps per unit, at least 1.
        streams: The members' random streams.

    Example:
        >>> Maxout(2, 3, 5, Streams([0, 1]))(torch.zeros(2, 7, 2)).shape
        torch.Size([2, 7, 3])
    """

    def __init__(self, in_features: int, out_features: int, pieces: int, streams: Streams):
        super().__init__()
        if pieces < 1:
            raise ValueError(f"Maxout: pieces = {pieces} must be at least 1")
        self.pieces = pieces
        self.linear = Linear(in_features, pieces * out_features, streams)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(-1, (self.pieces, -1)).amax(-2)


@final
class MaxoutMLP(nn.Sequential):
    """K perceptrons whose hidden layers are maxout; arguments as for ``MLP``, and ``pieces``.

    Example:
        >>> MaxoutMLP(Streams([0]), 2, 1, hidden=(8, 8))(torch.zeros(1, 5, 2)).shape
        torch.Size([1, 5, 1])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (200, 200, 200),
        pieces: int = 5,
    ):
        widths = [in_features, *hidden]
        layers = [Maxout(*pair, pieces, streams) for pair in pairwise(widths)]
        super().__init__(*layers, Linear(widths[-1], out_features, streams))


@final
class BatchNormMLP(nn.Sequential):
    """K perceptrons with batch normalisation before each ReLU; arguments as for ``MLP``.

    Hidden layers have no bias of their own, as the normalisation would take it away again.

    Example:
        >>> BatchNormMLP(Streams([0]), 2, 2, hidden=(8, 8))(torch.zeros(1, 5, 2)).shape
        torch.Size([1, 5, 2])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (400, 400, 400, 400),
        momentum: float = 0.1,
        eps: float = 1e-5,
    ):
        widths = [in_features, *hidden]
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise(widths):
            linear = Linear(d_in, d_out, streams)
            zero = torch.zeros_like(linear.bias.data)
            del linear.bias
            linear.register_buffer("bias", zero)
            layers += [linear, BatchNorm(d_out, streams, momentum, eps), nn.ReLU()]
        super().__init__(*layers, Linear(widths[-1], out_features, streams))


@torch.no_grad()
def normal(network: N, streams: Streams, scale: float) -> N:
    """The network with weights from :math:`N(0, s^2)` and biases at zero.

    Arguments:
        network: Whose affine layers are set.
        streams: The members' random streams.
        scale: Standard deviation s.
    """
    for layer in [m for m in network.modules() if isinstance(m, Linear)]:
        layer.weight.copy_(scale * streams.randn(*layer.weight.shape[1:]))
        layer.bias.zero_()
    return network


@torch.no_grad()
def orthogonal(network: N, streams: Streams, gain: float = 1.0) -> N:
    r"""The network with random orthonormal weights times ``gain`` and biases at zero.

    :math:`W^\top W = g^2 I`, or :math:`W W^\top` where a layer has fewer inputs than outputs.

    References:
        | Exact solutions to the nonlinear dynamics of learning in deep linear neural networks
          (Saxe et al., 2014), Section 3
        | https://arxiv.org/abs/1312.6120

    Arguments:
        network: Whose affine layers are set.
        streams: The members' random streams.
        gain: Singular value g of every weight matrix.

    Example:
        >>> layer = orthogonal(Linear(5, 2, Streams([0])), Streams([0]), gain=2.0)
        >>> w = layer.weight[0].detach()
        >>> torch.allclose(w.T @ w, 4 * torch.eye(2), atol=1e-5)
        True
    """
    for layer in [m for m in network.modules() if isinstance(m, Linear)]:
        wide, narrow = sorted(layer.weight.shape[1:], reverse=True)
        q, r = torch.linalg.qr(streams.randn(wide, narrow))
        # the signs make every orthonormal matrix equally likely
        q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
        layer.weight.copy_(gain * (q if layer.weight.shape[1] == wide else q.mT))
        layer.bias.zero_()
    return network
