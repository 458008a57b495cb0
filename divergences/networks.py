"""Networks with a leading member axis: K independent networks evaluated as one program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from divergences.streams import Streams


def member_norms(tensors: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of each member's share of the tensors, shape ``(K,)``.

    Example:
        >>> member_norms([torch.tensor([3.0, 0.0]), torch.tensor([[4.0], [1.0]])])
        tensor([5., 1.])
    """
    return torch.cat([t.reshape(len(t), -1) for t in tensors], dim=1).norm(dim=1)


@final
class Linear(nn.Module):
    r"""K affine maps :math:`y_k = x_k W_k + b_k`, from ``(K, n, in)`` to ``(K, n, out)``.

    Weights and biases start uniform on :math:`\pm 1/\sqrt{in}`, torch's own default, each
    member's from its own stream.

    Example:
        >>> Linear(2, 3, Streams([0, 1]))(torch.zeros(2, 5, 2)).shape
        torch.Size([2, 5, 3])
    """

    def __init__(self, in_features: int, out_features: int, streams: Streams):
        super().__init__()
        bound = in_features**-0.5
        self.weight = nn.Parameter(bound * (2 * streams.rand(in_features, out_features) - 1))
        self.bias = nn.Parameter(bound * (2 * streams.rand(1, out_features) - 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


@final
class MLP(nn.Sequential):
    """K multilayer perceptrons, from ``(K, n, in_features)`` to ``(K, n, out_features)``.

    Arguments:
        streams: The members' random streams; they set K and the initial weights.
        in_features: Dimension of the points that go in.
        out_features: Dimension of what comes out.
        hidden: Width of each hidden layer.
        activation: Class of the nonlinearity between layers.

    Example:
        >>> MLP(Streams([0, 1, 2]), 2, 1, hidden=(8, 8))(torch.zeros(3, 5, 2)).shape
        torch.Size([3, 5, 1])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (64, 64),
        activation: type[nn.Module] = nn.ReLU,
    ):
        widths = [in_features, *hidden, out_features]
        if min(widths) < 1:
            raise ValueError(f"layer widths {widths} must all be at least 1")
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise(widths):
            layers += [Linear(d_in, d_out, streams), activation()]
        super().__init__(*layers[:-1])


@final
class Whiten(nn.Module):
    r"""Shifts and divides each coordinate by a fixed mean and standard deviation per member.

    A discriminator reads densities, and :math:`p/(p+q)` does not care in which units the points
    come; its *training* does. On segments a distance .001 apart an MLP on raw inputs needs
    thousands of steps to notice that there are two of them.

    Arguments:
        points: Pooled points of shape ``(K, n, d)`` that set mean and standard deviation. A
            coordinate that never varies is only shifted.

    Example:
        >>> points = torch.tensor([[[0.0, 5.0], [2.0, 5.0]]])
        >>> Whiten(points)(points)
        tensor([[[-1.,  0.],
                 [ 1.,  0.]]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, points: Tensor):
        super().__init__()
        sd, mean = torch.std_mean(points, dim=1, keepdim=True, correction=0)
        # rounding of the mean alone leaves a constant coordinate with a spread of about eps
        constant = sd <= 4 * torch.finfo(points.dtype).eps * mean.abs()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", torch.where(constant, torch.ones_like(sd), sd))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale
