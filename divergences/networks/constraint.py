"""What holds a critic: a constraint has hooks for its weights, its loss and its steps."""

from abc import ABC
from collections.abc import Callable
from contextlib import nullcontext
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from divergences.networks.layers import Linear
from divergences.random_streams import Streams


def input_gradient(
    critic: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False
) -> Tensor:
    """Gradient of each point's score with respect to that point, shape ``(K, n, d)``.

    Arguments:
        critic: From points ``(K, n, d)`` to scores ``(K, n, 1)``. Where it has a method of this
            name that gives something else than ``None``, that is taken.
        x: The points.
        create_graph: Whether the gradient is to be differentiated with respect to the critic's
            parameters, as a penalty on slopes is.
    """
    in_closed_form = getattr(critic, "input_gradient", None)
    if in_closed_form is not None:
        with nullcontext() if create_graph else torch.no_grad():
            written_out = in_closed_form(x)
        if written_out is not None:
            return written_out
    if torch.compiler.is_compiling():  # derives a derivative's derivative by itself
        return torch.func.grad(lambda points: critic(points).sum())(x)
    if not x.requires_grad:
        x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        scores = critic(x)
        (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=create_graph)
    return gradient


def interpolates(real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
    """Points on the segments between pairs of real and fake points, one coefficient per pair.

    Raises:
        ValueError: If there are not as many of one as of the other.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"points of shape {tuple(real.shape)} and {tuple(fake.shape)}: segments join pairs of "
            "points; give as many of one as of the other, e.g. x[:, :n]"
        )
    epsilon = streams.rand(real.shape[1], 1)
    return epsilon * real + (1 - epsilon) * fake


class Constraint(ABC):  # noqa: B024  # hooks, each of them optional
    """What is done to a critic: to its network, its loss, its gradients, and after each step."""

    @property
    def certified(self) -> bool:
        """Whether every linear layer of the critic is 1-Lipschitz whatever it has learnt."""
        return False

    @property
    def bounds_slope(self) -> bool:
        """Whether it keeps a critic's slope from growing without end."""
        return True

    @property
    def moves_weights(self) -> bool:
        """Whether :meth:`project` moves parameters, so that what held of them need not hold."""
        return type(self).project is not Constraint.project

    def parametrize(self, critic: nn.Module) -> None:
        """Change the network before training, once."""

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        """What is added to each member's loss, shape ``(K,)``."""
        return real.new_zeros(len(real))

    def limit(self, critic: nn.Module) -> None:
        """Change the parameters' gradients, before each optimizer step."""

    def project(self, critic: nn.Module) -> None:
        """Move the parameters back into the allowed set, after each optimizer step."""


@final
class Unconstrained(Constraint):
    """No constraint: right for a discriminator, and a critic without one diverges."""

    @property
    def bounds_slope(self) -> bool:
        return False


def affine_layers(constraint: str, critic: nn.Module) -> list[Linear]:
    """The layers that a constraint on weight matrices is about.

    Raises:
        ValueError: If there are none, so that nothing would be constrained.
    """
    layers = [m for m in critic.modules() if isinstance(m, Linear)]
    if not layers:
        raise ValueError(
            f"{constraint}: a {type(critic).__name__} has no layer as divergences.MLP has, so "
            "nothing would be constrained; build it of those, or use a gradient penalty"
        )
    bounded = (Linear, parametrize.ParametrizationList)
    for part in critic.modules():
        if next(part.parameters(recurse=False), None) is not None and not isinstance(
            part, bounded
        ):
            raise ValueError(
                f"{constraint}: the {type(part).__name__} in a {type(critic).__name__} would not "
                "be constrained, and its slope has no bound; leave it out, build the critic of "
                "layers as divergences.MLP has, or use a gradient penalty"
            )
    return layers


def check_separate(constraint: str, critic: nn.Module) -> None:
    """Refuse a critic whose score of a point depends on the rest of the batch.

    Raises:
        ValueError: If there is batch normalisation in it.
    """
    for part in critic.modules():
        if isinstance(part, _BatchNorm) or getattr(part, "mixes_points", False):
            raise ValueError(
                f"{constraint}: with the {type(part).__name__} in it a {type(critic).__name__}'s "
                "score of a point depends on the rest of the batch, so that a point has no slope "
                "of its own to be penalised; leave it out, or normalise each point by itself"
            )
