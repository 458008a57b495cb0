"""What a monitor measures: real and generated points, the critic, and the networks' gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.parameter import Parameter

from divergences.random_streams import Streams
from gans.generator_module import GeneratorModule
from gans.networks import evaluating
from gans.objectives import Objective
from gans.targets.gaussian_mixtures import Modes
from gans.targets.images import Pixels

Measured = TypeVar("Measured")
POOL = 2000
"""Points that stand for the real law, where they can be drawn without end."""


class HeldOut(NamedTuple):
    """Points of both sides, ``(K, n, d)``, and the streams they were drawn from."""

    real: Tensor
    fake: Tensor
    streams: Streams


class Game(ABC):
    """K generators, perhaps with critics, as they are after one iteration.

    What a game lacks is ``None`` or empty; monitors then leave out what depends on it.

    Attributes:
        seeds: One per member.
        iteration: Iterations so far; held-out points depend on it.
        critic: From points ``(K, n, d)`` to scores ``(K, n, 1)``, or ``None``.
        objective: What critic and generator minimise, or ``None``.
    """

    seeds: tuple[int, ...]
    iteration: int
    critic: Callable[[Tensor], Tensor] | None = None
    objective: Objective | None = None
    _found: dict[str, Any]

    @abstractmethod
    def real(self, n: int, streams: Streams) -> Tensor:
        """Points of the real law, ``(K, n, d)``."""

    def again(self, n: int, streams: Streams) -> Tensor:
        """Other points of the real law than :meth:`real` has given from these streams."""
        return self.real(n, streams)

    @abstractmethod
    def fake(self, n: int, streams: Streams) -> Tensor:
        """Generated points, ``(K, n, d)``."""

    def probe(self, n: int) -> Tensor:
        """Generated points from the same noise whenever this is asked, ``(K, n, d)``."""
        return self.fake(n, Streams(self.seeds, "probe", ahead=1))

    def pool(self) -> Tensor:
        """Real points that all looks compare generated ones with, ``(K, N, d)``."""
        return self.real(POOL, Streams(self.seeds, "pool", ahead=1))

    @abstractmethod
    def networks(self) -> Iterable[nn.Module]:
        """Every network that is asked, so that all are asked in evaluation mode."""

    def streams(self, purpose: str) -> Streams:
        """Random numbers that depend on seed, purpose and iteration only."""
        return Streams(self.seeds, f"{purpose} at {self.iteration}", ahead=1)

    def groups(self) -> dict[str, Iterable[Parameter]]:
        """Parameters by the name that their gradient's norm is logged under."""
        return {}

    def reported(self) -> dict[str, Tensor]:
        """Curves that the game itself offers, such as its losses."""
        return {}

    def laws(self) -> tuple[Distribution, Distribution] | None:
        """The real and the generated law where both are known exactly."""
        return None

    def modes(self) -> Modes | None:
        """The real law's modes where it has them."""
        return None

    def pictures(self) -> Pixels | None:
        """The real law where its points are pictures."""
        return None

    def averaged(self) -> Game | None:
        """The same game with the moving average of the generators, where there is one."""
        return None

    def once(self, what: str, measure: Callable[[], Measured]) -> Measured:
        """What that finds out when it is first asked for: this game is that of one iteration."""
        self._found = getattr(self, "_found", {})
        if what not in self._found:
            self._found[what] = measure()
        return self._found[what]

    def scores(self, points: Tensor) -> Tensor:
        """The critic's scores, ``(K, n)``."""
        assert self.critic is not None
        return self.critic(points).squeeze(-1)

    def described(self, points: Tensor) -> Tensor:
        """What divergences are estimated from: the points, or features of them, ``(K, n, f)``."""
        return points

    @torch.no_grad()
    def held_out(self, n: int, purpose: str) -> HeldOut:
        """At most ``n`` real points per member, and as many generated ones."""
        streams = self.streams(purpose)
        real = self.real(n, streams)
        return HeldOut(real, self.fake(real.shape[1], streams), streams)


@final
class AdversarialGame(Game):
    """One of our modules as it stands.

    Arguments:
        module: The module.
        generator: Another generator than the module's own, such as its moving average.
    """

    def __init__(self, module: GeneratorModule, generator: Any = None):
        self.module = module
        self.seeds, self.iteration = module.seeds, module.global_step
        self.critic, self.objective = module.players().get("critic"), module.objective
        self.generator = module.generator if generator is None else generator

    def real(self, n: int, streams: Streams) -> Tensor:
        return self.module.target.held_out(streams, n)

    def probe(self, n: int) -> Tensor:
        return self.fake(n, self._on_device(Streams(self.seeds, "probe", ahead=1)))

    def pool(self) -> Tensor:
        return self.real(POOL, self._on_device(Streams(self.seeds, "pool", ahead=1)))

    def again(self, n: int, streams: Streams) -> Tensor:
        return self.module.target.draw(streams, n)

    def fake(self, n: int, streams: Streams) -> Tensor:
        return self.generator.draw(streams, n)

    def networks(self) -> Iterable[nn.Module]:
        averaged = self.module.generator_ema
        return [*self.module.players().values(), *([averaged] if averaged else [])]

    def streams(self, purpose: str) -> Streams:
        return self._on_device(super().streams(purpose))

    def _on_device(self, streams: Streams) -> Streams:
        streams.device, streams.dtype = self.module.device, self.module.streams.dtype
        return streams

    def groups(self) -> dict[str, Iterable[Parameter]]:
        players = {**self.module.players(), "generator": self.generator}
        return {name: player.parameters() for name, player in players.items()}

    def reported(self) -> dict[str, Tensor]:
        found = {f"generator/{name}": read for name, read in self.generator.readings().items()}
        return found | {f"loss/{name}": losses for name, losses in self.module.last.items()}

    def laws(self) -> tuple[Distribution, Distribution] | None:
        law = self.generator.law()
        return None if law is None else (self.module.target, law)

    def modes(self) -> Modes | None:
        return self.module.target if isinstance(self.module.target, Modes) else None

    def pictures(self) -> Pixels | None:
        return self.module.target if isinstance(self.module.target, Pixels) else None

    def averaged(self) -> AdversarialGame | None:
        generator = self.module.generator_ema
        return None if generator is None else AdversarialGame(self.module, generator)


def held_out(module: GeneratorModule, n: int, purpose: str) -> HeldOut:
    """``n`` real and fake points per member that depend on seed, purpose and iteration only."""
    game = AdversarialGame(module)
    with evaluating(game.networks()):
        return game.held_out(n, purpose)
