"""What a protocol is: everything about a table but its seeds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar, final

from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from gans import GeneratorModule, ModeCoverage, Modes, Target
from gans.figures import draw_state


class Benchmark(ABC):
    """A target, how long to train on it, and how many samples to judge the generator by."""

    iterations: int
    samples: int

    @property
    @abstractmethod
    def target(self) -> Target:
        """What is learnt."""

    @abstractmethod
    def judged(self, points: Tensor) -> dict[str, Tensor]:
        """Numbers of shape ``(K,)`` about generated points ``(K, n, d)``, by their names.

        Of modes with samples ``covered_1`` (at least 1) and ``covered_20``, their evenness
        ``mode_reverse_kl``, ``high_quality`` and ``core_width``; NaN what the target has not.
        """

    @abstractmethod
    def drawn(self, critic: nn.Module | None, real: Tensor, fake: Tensor) -> Figure:
        """Real and generated points of the first member."""


@final
@dataclass(frozen=True)
class Mixture(Benchmark):
    """A mixture of normal laws, whose modes are its components."""

    modes: Modes
    iterations: int
    samples: int = 2500

    @property
    def target(self) -> Modes:
        return self.modes

    def judged(self, points: Tensor) -> dict[str, Tensor]:
        metric = ModeCoverage.of(self.modes)
        metric.update(points)
        return {name: value.view(len(points)) for name, value in metric.compute().items()}

    def drawn(self, critic: nn.Module | None, real: Tensor, fake: Tensor) -> Figure:
        return draw_state(critic, real, fake)


Judged = TypeVar("Judged", bound=Benchmark, covariant=True)


@dataclass(frozen=True)
class Protocol(Generic[Judged]):
    """The rows of a table and what they have in common.

    Attributes:
        source: Where the settings come from, and where they differ from there.
        mixtures: Targets by name.
        rows: Makes a module, complete but for target, length, schedule and seeds, by name.
        schedule: Makes the learning-rate schedule from an optimizer and ``iterations``; constant
            rates by default.
    """

    source: str
    mixtures: Mapping[str, Judged]
    rows: Mapping[str, Callable[..., GeneratorModule]]
    schedule: Callable[..., LRScheduler] | None = None

    def module(
        self, row: str, mixture: str, seeds: Sequence[int], iterations: int | None = None
    ) -> GeneratorModule:
        """A row's module on a mixture, for all of its iterations or fewer."""
        on = self.mixtures[mixture]
        iterations = iterations or on.iterations
        return self.rows[row](
            target=on.target,
            scheduler=self.schedule and partial(self.schedule, iterations=iterations),
            iterations=iterations,
            seeds=seeds,
        )
