"""Losses and their gradients: step by step with autograd, or as one compiled program."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch.distributions import Distribution
from torch.func import functional_call, grad_and_value

from divergences.networks.recorded_passes import RecordedPasses
from divergences.networks.slopes import input_gradient
from divergences.random_streams import Streams

Loss = Callable[..., Tensor]
"""From a network, random streams and points to a loss per member, ``(K,)``."""


@final
class Autograd:
    """Losses of a network, whose gradients are left in its parameters' ``grad``.

    Arguments:
        network: Whose parameters are trained.
        loss: Called with the network, the streams and the points.
    """

    def __init__(self, network: nn.Module, loss: Loss):
        self.network, self.loss = network, loss

    def __call__(self, streams: Streams, *points: Tensor) -> Tensor:
        with RecordedPasses(self.network.parameters()) as passes:
            losses = self.loss(self.network, streams, *points)
        # not Lightning's manual_backward: its hooks would run several times per iteration
        passes.backward(losses.sum())
        return losses.detach()


@final
class Compiled:
    """The same by a program that ``torch.compile`` makes of the loss and its gradients.

    What stands between the matrix products is fused: the narrower the network, the more there is
    of it. Compiling takes a C++ compiler and a quarter of a minute to a whole one for each number
    of members and points.
    Results equal those of :class:`Autograd` up to rounding.

    The loss is evaluated once beforehand, to see what random numbers it asks for: they are drawn
    outside the program.

    Arguments:
        network: Whose parameters are trained.
        loss: Called with the network, the streams and the points.

    Raises:
        ValueError: At the first call, if evaluating the loss changes one of the network's buffers,
            as spectral normalisation and batch normalisation do.
        RuntimeError: At the first call, if the loss cannot be compiled here; says why.
    """

    def __init__(self, network: nn.Module, loss: Loss):
        self.network, self.loss = network, loss
        self.input_gradient = _InputGradient(network)
        self.asked: list[tuple[str, tuple[int, ...]]] | None = None
        checks = Distribution._validate_args
        self.program = torch.compile(  # pyright: ignore  # its overloads lack the last one
            self._losses_and_gradients, dynamic=False, fullgraph=True, isolate_recompiles=True
        )
        Distribution.set_default_validate_args(checks)  # which compiling turns off for everyone

    def __call__(self, streams: Streams, *points: Tensor) -> Tensor:
        if self.asked is None:
            self.asked = self._rehearse(points)
        numbers = [getattr(streams, kind)(*shape) for kind, shape in self.asked]
        parameters = {name: p.detach() for name, p in self.network.named_parameters()}
        try:
            with torch.no_grad():
                losses, gradients = self.program(parameters, numbers, points)
        except TorchDynamoException as error:
            raise RuntimeError(
                f"compile_from: {type(self.network).__name__} cannot be compiled here, leave it "
                f"out: {str(error).strip().splitlines()[0]}"
            ) from error
        for name, parameter in self.network.named_parameters():
            # fused optimizers take a gradient's layout to be its parameter's without looking
            parameter.grad = gradients[name].contiguous()
        return losses

    def _losses_and_gradients(
        self, parameters: dict[str, Tensor], numbers: list[Tensor], points: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        def total(parameters: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            network = _With(parameters, self.network, self.input_gradient)
            losses = self.loss(network, _Given(numbers), *points)
            return losses.sum(), losses

        gradients, (_, losses) = grad_and_value(total, has_aux=True)(parameters)
        return losses, gradients

    def _rehearse(self, points: tuple[Tensor, ...]) -> list[tuple[str, tuple[int, ...]]]:
        before = {name: b._version for name, b in self.network.named_buffers()}
        asked = _Asked(points[0])
        self.loss(self.network, asked, *points)
        for name, buffer in self.network.named_buffers():
            if buffer._version != before[name]:
                raise ValueError(
                    f"compile_from: evaluating the loss changes the buffer '{name}' of a "
                    f"{type(self.network).__name__}, so it cannot be compiled; leave it out"
                )
        return asked.asked


class _InputGradient(nn.Module):
    """A network's slopes as what a module returns, so that parameters can be given to it."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return input_gradient(self.network, x, create_graph=True)


class _With:
    """A network with parameters that are not its own."""

    def __init__(
        self, parameters: dict[str, Tensor], network: nn.Module, input_gradient: _InputGradient
    ):
        self.network, self.slopes = network, input_gradient
        self.parameters = parameters
        self.of_slopes = {f"network.{name}": p for name, p in parameters.items()}

    def __call__(self, x: Tensor) -> Tensor:
        return functional_call(self.network, self.parameters, (x,))

    def get_buffer(self, name: str) -> Tensor:
        return self.network.get_buffer(name)

    def input_gradient(self, x: Tensor) -> Tensor:
        return functional_call(self.slopes, self.of_slopes, (x,))


class _Asked:
    """Streams that note what they are asked for, and give numbers of no meaning."""

    def __init__(self, like: Tensor):
        self.like, self.asked = like, []

    def rand(self, *shape: int) -> Tensor:
        self.asked.append(("rand", shape))
        return self.like.new_full((len(self.like), *shape), 0.5)

    def randn(self, *shape: int) -> Tensor:
        self.asked.append(("randn", shape))
        return self.like.new_full((len(self.like), *shape), 0.5)


class _Given:
    """Streams that hand out what has been drawn."""

    def __init__(self, numbers: list[Tensor]):
        self.numbers = iter(numbers)

    def rand(self, *shape: int) -> Tensor:
        return next(self.numbers)

    randn = rand
