"""Torch modules without a member axis as generator and critic of a run with one member."""

from abc import ABC
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn

from divergences.checks import shown, whole_number
from divergences.random_streams import Streams
from gans.networks.generators import Generator


class Plain(nn.Module, ABC):
    """Adds the member axis to a network that maps ``(n, d_in)`` to ``(n, d_out)``.

    The network itself is trained, not a copy of it. It keeps the weights that it came with,
    whatever the seed.
    """

    network: nn.Module

    def _adopt(
        self, network: nn.Module | Sequence[nn.Module], streams: Streams, d_in: int, d_out: int
    ) -> None:
        name = type(self).__name__
        if len(streams) != 1:
            raise ValueError(
                f"{name}: a torch module without a member axis serves one member, and there are "
                f"{len(streams)} seeds; give one, as seeds=[0], or layers with a member axis, as "
                "those of divergences.MLP"
            )
        if not isinstance(network, nn.Module):
            network = nn.Sequential(*network)
        self.network, self.d_out = network, d_out
        self._try(d_in)

    @torch.enable_grad()
    def _try(self, d_in: int) -> None:
        """Evaluate the network once, without a trace in what it normalises by."""
        training = {part: part.training for part in self.network.modules()}
        like = next(iter(self.network.parameters()), torch.zeros(()))
        generator = torch.Generator(like.device).manual_seed(0)
        points = torch.randn(1, 2, d_in, generator=generator, device=like.device).to(like.dtype)
        self.network.eval()
        try:
            made = self.network(points[0])
        except Exception as error:  # the user's own code may raise anything
            raise ValueError(
                f"{type(self).__name__}: {type(self.network).__name__} cannot take points of "
                f"shape (2, {d_in}): {type(error).__name__}: {error}"
            ) from error
        finally:
            for part, was in training.items():
                part.training = was

        self._check_learns(self._checked(made, 2))

    def _check_learns(self, made: Tensor) -> None:
        name = f"{type(self).__name__}: {type(self.network).__name__}"
        if not torch.isfinite(made).all():
            raise ValueError(f"{name} makes NaN or infinite numbers of normal points, untrained")
        parameters = list(self.network.parameters())
        if not any(p.requires_grad for p in parameters):
            raise ValueError(
                f"{name} has {len(parameters)} parameters and none that learns: set requires_grad "
                "of some"
            )
        if any(p.is_complex() for p in parameters):
            raise ValueError(f"{name} has complex parameters; make it of real ones")
        if not made.requires_grad:
            raise ValueError(
                f"{name} makes points without a gradient, so that it would not learn; it must "
                "not detach them, nor compute them under torch.no_grad()"
            )

    def forward(self, points: Tensor) -> Tensor:
        return self._checked(self.network(points[0]), points.shape[1])[None]

    def _checked(self, made: Any, n: int) -> Tensor:
        """What the network has made of n points, of shape ``(n, d_out)``."""
        if self.d_out == 1 and isinstance(made, Tensor) and made.shape == (n,):
            made = made[:, None]
        if not isinstance(made, Tensor) or made.shape != (n, self.d_out):
            found = tuple(made.shape) if isinstance(made, Tensor) else shown(made)
            raise ValueError(
                f"{type(self).__name__}: {type(self.network).__name__} makes {found} of {n} "
                f"points; it must be ({n}, {self.d_out})"
            )
        return made


@final
class PlainCritic(Plain):
    """A torch module from points ``(n, d)`` to scores ``(n, 1)`` or ``(n,)``, for one member.

    Arguments:
        streams: The member's random streams.
        in_features: Dimension of the points.
        out_features: Scores per point.
        network: The module, or layers to be put in sequence.

    Raises:
        ValueError: If there are several members, or the module does not take such points.

    Example:
        >>> critic = PlainCritic(Streams([0]), 2, 1, nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)))
        >>> critic(torch.zeros(1, 5, 2)).shape
        torch.Size([1, 5, 1])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        network: nn.Module | Sequence[nn.Module],
    ):
        super().__init__()
        self._adopt(network, streams, in_features, out_features)


@final
class PlainGenerator(Plain, Generator):
    """A torch module from normal noise ``(n, latent)`` to points ``(n, d)``, for one member.

    Arguments:
        streams: The member's random streams.
        dimension: Of the points.
        network: The module, or layers to be put in sequence.
        latent: Dimension of the noise.

    Raises:
        ValueError: If there are several members, or the module does not make such points.

    Example:
        >>> generator = PlainGenerator(Streams([0]), 2, nn.Linear(3, 2), latent=3)
        >>> generator.draw(Streams([0]), 5).shape
        torch.Size([1, 5, 2])
    """

    def __init__(
        self,
        streams: Streams,
        dimension: int,
        network: nn.Module | Sequence[nn.Module],
        latent: int,
    ):
        super().__init__()
        self.latent = whole_number("latent", latent)
        self._adopt(network, streams, self.latent, dimension)

    def noise(self, streams: Streams, n: int) -> Tensor:
        return streams.randn(n, self.latent)


def critic_factory(given: Callable[..., Any]) -> Callable[..., Any]:
    """What makes the critic; a torch module is the critic itself."""
    return partial(PlainCritic, network=given) if isinstance(given, nn.Module) else given


def generator_factory(given: Callable[..., Any]) -> Callable[..., Any]:
    """What makes the generator; a torch module is its network, as wide as its first layer.

    Raises:
        TypeError: If it is one of our generators, already made.
        ValueError: If it has no linear layer that says how much noise it takes.
    """
    if not isinstance(given, nn.Module):
        return given
    if isinstance(given, Generator):
        raise TypeError(
            f"generator = a {type(given).__name__} that is made already; give what makes it, as "
            f"functools.partial({type(given).__name__}, ...)"
        )
    latent = next((m.in_features for m in given.modules() if isinstance(m, nn.Linear)), None)
    if latent is None:
        raise ValueError(
            f"generator = a {type(given).__name__} without a linear layer, so its noise has no "
            "known dimension: give functools.partial(gans.PlainGenerator, network=..., latent=...)"
        )
    return partial(PlainGenerator, network=given, latent=latent)
