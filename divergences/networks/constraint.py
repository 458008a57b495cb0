"""What holds a critic: a constraint has hooks for its weights, its loss and its steps."""

from abc import ABC
from typing import final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from divergences.networks.layers import Linear
from divergences.random_streams import Streams


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
