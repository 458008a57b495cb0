"""Which checkpoint is best by an estimate, and which others cannot be told from it."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, final

import pytorch_lightning as pl

from divergences.checks import entries
from divergences.estimate import Z
from gans.callbacks.divergence_monitor import DivergenceMonitor
from gans.callbacks.logged_measurements import Divergences


class Measured(NamedTuple):
    """A mean over members with its standard error, and the iteration it was measured at."""

    step: int
    value: float
    stderr: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {Z * self.stderr:.2g}"


def newly_measured(trainer: pl.Trainer, tag: str) -> Measured | None:
    """What a monitor has just measured under that tag; ``None`` between looks.

    Raises:
        ValueError: If no monitor measures it.
    """
    callbacks: list[Any] = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
    monitors = [c for c in callbacks if isinstance(c, Divergences | DivergenceMonitor)]
    fresh = [monitor for monitor in monitors if monitor.is_fresh(trainer)]
    estimates = {name: e for monitor in fresh for name, e in monitor.estimates().items()}
    if tag in estimates:
        value, stderr = estimates[tag]
        of_mean = float(stderr.double().square().sum().sqrt()) / max(1, stderr.numel())
        return Measured(trainer.global_step, float(value.double().mean()), of_mean)
    if fresh or not monitors:
        measured = ", ".join(sorted(estimates)) or "none: there is no Divergences among callbacks"
        raise ValueError(
            f"checkpoint.monitor = {tag}: no monitor estimates that; estimates with an error are "
            f"{measured}"
        )
    return None


@final
class Best:
    """The least of a run's estimates, and those that cannot be told from it.

    Two estimates are told apart if they differ by more than 1.96 standard errors of their
    difference. Their errors are taken as independent. The least of many estimates is too small
    on average, because errors that make it small are chosen.

    Example:
        >>> best = Best("w1")
        >>> [best.consider(Measured(*m)) for m in [(1, 0.9, 0.1), (2, 0.5, 0.1), (3, 0.6, 0.1)]]
        [True, True, False]
        >>> print(best.sentence())
        best checkpoint by w1: iteration 2 (0.5 ± 0.2, the least of 3 estimates); iteration 3 ...
    """

    def __init__(self, tag: str):
        self.tag = tag
        self.all: list[Measured] = []

    @property
    def least(self) -> Measured | None:
        """The least estimate so far, the first of equal ones."""
        finite = [m for m in self.all if math.isfinite(m.value)]
        return min(finite, key=lambda measured: measured.value, default=None)

    def consider(self, measured: Measured) -> bool:
        """Add an estimate; whether it is the least so far."""
        self.all.append(measured)
        return self.least is measured

    def alike(self) -> list[Measured]:
        """Estimates after the least one that cannot be told from it."""
        least = self.least
        if least is None:
            return []
        return [
            m
            for m in self.all
            if m.step > least.step
            and m.value - least.value <= Z * math.hypot(m.stderr, least.stderr)
        ]

    def sentence(self) -> str | None:
        """Which checkpoint is best, and how many later ones cannot be told from it."""
        least = self.least
        if least is None:
            return None
        said = (
            f"best checkpoint by {self.tag}: iteration {least.step} ({least}, the least of "
            f"{len(self.all)} estimates)"
        )
        alike = self.alike()
        if len(alike) == 1:
            return f"{said}; iteration {alike[0].step} ({alike[0]}) cannot be told from it"
        if alike:
            return (
                f"{said}; {len(alike)} later ones, up to iteration {alike[-1].step} "
                f"({alike[-1]}), cannot be told from it"
            )
        later = any(m.step > least.step for m in self.all)
        return f"{said}; all later ones are larger beyond their errors" if later else said

    def state_dict(self) -> dict[str, Any]:
        return {"tag": self.tag, "all": [tuple(measured) for measured in self.all]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        tag, before = entries("Best", state, "tag", "all")
        if tag == self.tag:  # of another quantity nothing is known
            self.all = [Measured(*measured) for measured in before]
