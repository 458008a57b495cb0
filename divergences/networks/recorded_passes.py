"""Passes through K rectified perceptrons that are walked back without a graph of operations.

Autograd notes each operation of a network by itself. The way back through a rectified perceptron
is known beforehand, and takes only what its rectifiers put out, so that they may work in place.
The operations on the way back are autograd's own, and so are its numbers, bit for bit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu_

Layers = Sequence[Any]
"""Affine layers, each with a weight ``(K, in, out)`` and a bias ``(K, 1, out)``."""


def rectified(layers: Layers, rectifier: float, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What affine layers with rectifiers between them make of ``x``, and what each was given."""
    inputs = [x]
    for layer in layers[:-1]:
        h = layer(inputs[-1])
        inputs.append(h.clamp_min_(0) if rectifier == 0 else leaky_relu_(h, rectifier))
    return layers[-1](inputs[-1]), inputs


def through_(gradient: Tensor, output: Tensor, rectifier: float) -> Tensor:
    """A gradient on the near side of a rectifier that put ``output`` out, in the same memory."""
    if rectifier == 0:
        to = torch.ops.aten.threshold_backward.grad_input
        return to(gradient, output, 0, grad_input=gradient)
    to = torch.ops.aten.leaky_relu_backward.grad_input
    return to(gradient, output, rectifier, True, grad_input=gradient)


class _OfThread(threading.local):
    """What records the passes of this thread."""

    recorder: RecordedPasses | None = None


_here = _OfThread()


@final
class _Pass:
    """A network's scores as a leaf of the loss's own graph, and the way back from there."""

    def __init__(self, layers: Layers, rectifier: float, x: Tensor):
        self.rectifier, self.x = rectifier, x
        self.weights = [layer.weight for layer in layers]
        self.biases = [layer.bias for layer in layers]
        self.versions = self._versions()
        with torch.no_grad():
            scores, self.inputs = rectified(layers, rectifier, x.detach())
        self.scores = scores.requires_grad_()

    def back(self, wanted: set[int]) -> None:
        """Add to the gradients of those that are wanted, by identity, and of the points."""
        if self._versions() != self.versions:
            raise RuntimeError(
                "points or weights were changed in place between the evaluation of a network and "
                "the gradient of the loss; change a clone of them"
            )
        g = self.scores.grad
        if g is None:  # the loss does not depend on these scores
            return
        for weight, bias in zip(reversed(self.weights), reversed(self.biases), strict=True):
            h = self.inputs.pop()  # its memory is free for the next gradient
            one = weight.shape[-1] == 1  # whose products are sums, see Linear
            if id(weight) in wanted:
                _add(weight, (g * h).sum(1, keepdim=True).mT if one else torch.bmm(h.mT, g))
            if id(bias) in wanted:
                _add(bias, g.sum(1, keepdim=True))
            if not self.inputs and not self.x.requires_grad:
                return
            g = g * weight.mT if one else torch.bmm(g, weight.mT)
            if self.inputs:
                through_(g, h, self.rectifier)
            else:
                _add(self.x, g)

    def _versions(self) -> list[int]:
        return [tensor._version for tensor in (self.x, *self.weights)]


def _add(to: Tensor, gradient: Tensor) -> None:
    to.grad = gradient if to.grad is None else to.grad.add_(gradient)


@final
class RecordedPasses:
    """Within it, rectified perceptrons record their passes; then it finds a loss's gradients.

    A pass is recorded where the points are data, or scores of an earlier pass; all else is left to
    autograd, which also finds the gradient of the loss with respect to the scores. Recorded scores
    may not be changed in place. A loss that takes gradients with respect to weights within itself,
    as consensus optimisation does, must evaluate the network at points that require a gradient;
    one that trains a network within itself does so under :func:`unrecorded`.

    Arguments:
        parameters: Whose gradients are wanted.

    Example:
        >>> from divergences.networks.layers import MLP
        >>> from divergences.random_streams import Streams
        >>> network, x = MLP(Streams([0]), 2, 1, hidden=(8,)), torch.ones(1, 4, 2)
        >>> with RecordedPasses(network.parameters()) as passes:
        ...     loss = network(x).square().mean()
        >>> passes.backward(loss)
        >>> written_out = [p.grad for p in network.parameters()]
        >>> expected = torch.autograd.grad(network(x).square().mean(), network.parameters())
        >>> all(torch.equal(a, b) for a, b in zip(written_out, expected))
        True
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self.parameters = [p for p in parameters if p.requires_grad]
        self._passes: list[_Pass] = []

    def __enter__(self) -> RecordedPasses:
        self._before, _here.recorder = _here.recorder, self
        return self

    def __exit__(self, *raised: Any) -> None:
        _here.recorder = self._before

    def backward(self, loss: Tensor) -> None:
        """Leave the gradient of a loss, of shape ``()``, in the parameters' ``grad``, alone."""
        for parameter in self.parameters:
            parameter.grad = None
        scores = [one.scores for one in self._passes]
        loss.backward(inputs=[*scores, *self.parameters])
        wanted = {id(parameter) for parameter in self.parameters}
        with torch.no_grad():
            while self._passes:
                self._passes.pop().back(wanted)

    def record(self, layers: Layers, rectifier: float, x: Tensor) -> Tensor | None:
        """The scores, or ``None`` where they are to be left to autograd."""
        if x.requires_grad and all(x is not one.scores for one in self._passes):
            return None
        self._passes.append(_Pass(layers, rectifier, x))
        return self._passes[-1].scores


@contextmanager
def unrecorded() -> Iterator[None]:
    """Passes are left to autograd, for a loss that trains a network within itself."""
    before, _here.recorder = _here.recorder, None
    try:
        yield
    finally:
        _here.recorder = before


def recorder() -> RecordedPasses | None:
    """What records passes at present, if anything."""
    return _here.recorder
