"""Slopes of K rectified perceptrons, and their derivative, written out.

A penalty on a critic's slope takes autograd two backward passes, the second through the graph of
the first. A rectified network is linear around almost every point, so that its slope is a product
of its weights without the rows that the point switches off, and one pass through that suffices.
"""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu_

from divergences.networks.recorded_passes import through_


def slopes(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], rectifier: float
) -> Tensor:
    r"""Gradient of each point's summed outputs with respect to that point.

    .. math::
        \nabla f(x) = W_1 D_1 W_2 D_2 \cdots W_L \mathbf 1

    where the diagonal :math:`D_i` has 1 where layer i's output is positive at x and the
    rectifier's slope elsewhere. Differentiable once with respect to the weights, equal to
    autograd's double backward up to rounding; the derivative with respect to points and biases is
    0 almost everywhere.

    Arguments:
        x: Shape ``(K, n, in)``.
        weights: One per layer, ``(K, in, out)``.
        biases: One per layer, ``(K, 1, out)``.
        rectifier: What the nonlinearity multiplies negative numbers by, not negative: 0 for ReLU.

    Returns:
        Shape ``(K, n, in)``.

    Example:
        >>> ones, none = [torch.ones(1, 1, 1)] * 2, [torch.zeros(1, 1, 1)] * 2
        >>> slopes(torch.tensor([[[2.0], [-3.0]]]), ones, none, rectifier=0.5)
        tensor([[[1.0000],
                 [0.5000]]])
    """
    if torch.compiler.is_compiling():  # which derives the same pass from the formula
        return _walk(x, weights, biases, rectifier)[0]
    return _Slopes.apply(rectifier, x, *weights, *biases)  # pyright: ignore


def _through(gradient: Tensor, output: Tensor, rectifier: float) -> Tensor:
    """A gradient on the other side of a rectifier, whose output says where it is linear."""
    return torch.ops.aten.leaky_relu_backward.default(gradient, output, rectifier, True)


def _walk(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], rectifier: float
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The slopes, what the rectifiers put out, and the gradients on their near sides."""
    outputs, h = [], x.detach()
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h = leaky_relu_(torch.baddbmm(bias.detach(), h, weight.detach()), rectifier)
        outputs.append(h)
    gradient = weights[-1].sum(-1, keepdim=True).mT.expand(-1, x.shape[1], -1)
    passed: list[Tensor] = []
    for output, weight in zip(reversed(outputs), reversed(weights[:-1]), strict=True):
        through = through_ if passed and not torch.compiler.is_compiling() else _through
        passed.insert(0, through(gradient, output, rectifier))
        gradient = torch.bmm(passed[0], weight.mT)
    return gradient, outputs, passed


@final
class _Slopes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rectifier: float, x: Tensor, *parameters: Tensor) -> Tensor:
        layers = len(parameters) // 2
        weights, biases = parameters[:layers], parameters[layers:]
        gradient, outputs, passed = _walk(x, weights, biases, rectifier)
        ctx.rectifier, ctx.layers, ctx.points = rectifier, layers, x.shape
        ctx.save_for_backward(*outputs, *passed, *weights)
        return gradient

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        hidden, saved = ctx.layers - 1, ctx.saved_tensors
        outputs, passed, weights = saved[:hidden], saved[hidden : 2 * hidden], saved[2 * hidden :]
        of_weights = []
        for output, after, weight in zip(outputs, passed, weights[:-1], strict=True):
            of_weights.append(torch.bmm(gradient.mT, after))
            gradient = through_(torch.bmm(gradient, weight), output, ctx.rectifier)
        of_weights.append(gradient.sum(1).unsqueeze(-1).expand_as(weights[-1]))
        of_points = gradient.new_zeros(ctx.points) if ctx.needs_input_grad[1] else None
        return None, of_points, *of_weights, *[None] * ctx.layers
