"""What a protocol is: everything about a table but its seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from torch.optim.lr_scheduler import LRScheduler

from gans.generator_module import GeneratorModule
from gans.targets import Modes


@dataclass(frozen=True)
class Mixture:
    """A target, how long to train on it, and how many samples to judge the generator by."""

    target: Modes
    iterations: int
    samples: int = 2500


@dataclass(frozen=True)
class Protocol:
    """The rows of a table and what they have in common.

    Attributes:
        source: Where the settings come from, and where they differ from there.
        mixtures: Targets by name.
        rows: Makes a module, complete but for target, length, schedule and seeds, by name.
        schedule: Makes the learning-rate schedule from an optimizer and ``iterations``; constant
            rates by default.
    """

    source: str
    mixtures: Mapping[str, Mixture]
    rows: Mapping[str, Callable[..., GeneratorModule]]
    schedule: Callable[..., LRScheduler] | None = None

    def module(
        self, row: str, mixture: str, seeds: range, iterations: int | None = None
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
