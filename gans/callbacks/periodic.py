"""When a callback measures one of our modules."""

import math
from abc import abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_warn

from divergences.checks import entries, whole_number
from gans.callbacks.loggers import log
from gans.callbacks.one_fit import OneFit
from gans.generator_module import GeneratorModule
from gans.monitors.game import AdversarialGame, Game
from gans.monitors.readings import Monitor
from gans.networks import evaluating

MOST = 10_000
"""Observations of one run, but for the first and the last."""


def is_last(trainer: pl.Trainer) -> bool:
    """Whether the iteration that just ended was the run's last."""
    return trainer.is_last_batch or trainer.global_step == trainer.max_steps


class Periodic(OneFit):
    """Observes a run from time to time and after its last iteration.

    By default that is after ``first`` times 1, 4, 9, 16, ... iterations: closely while much
    changes, and twice as often in a run that is four times as long, so that observing costs the
    smaller a share the longer a run is. It depends on the count of iterations alone. What was seen
    is part of a checkpoint, so a resumed run logs each observation once. With ``every``, a run
    that is so long that it would be observed more than :data:`MOST` times is observed less often,
    and says so: logs are bounded. All networks are in evaluation mode while they are measured.

    Attributes:
        from_start: Whether it observes before the first iteration, too: what untrained generators
            make is worth a point of a curve, but no figure.
        first: Iterations before the next observation, if there is no ``every``.

    Arguments:
        every: Iterations between observations, at least 1; ``None`` for ever rarer ones.

    Raises:
        TypeError: If the trainer's module is none of :mod:`gans`.
    """

    from_start: ClassVar[bool] = True
    first: ClassVar[int] = 100

    def __init__(self, every: int | None = None):
        self.every = None if every is None else whole_number("every", every)
        self.forget()

    def forget(self) -> None:
        self._seen = -1

    def cadence(self, iterations: int) -> int | None:
        """Iterations between observations of a run of that length, a multiple of ``every``."""
        if self.every is None:
            return None
        return self.every * max(1, math.ceil(iterations / (self.every * MOST)))

    def is_due(self, iteration: int, iterations: int) -> bool:
        """Whether a run of that length is observed after an iteration, if it is not the last.

        Example:
            >>> from gans import Divergences
            >>> [i for i in range(1, 2000) if Divergences().is_due(i, 2000)]
            [100, 400, 900, 1600]
        """
        cadence = self.cadence(iterations)
        if cadence is None:
            return iteration == self.first * math.isqrt(iteration // self.first) ** 2
        return iteration % cadence == 0

    @abstractmethod
    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        """Measure the game and log what is found at ``trainer.global_step``."""

    def _ours(self, module: pl.LightningModule) -> GeneratorModule:
        if not isinstance(module, GeneratorModule):
            raise TypeError(
                f"{type(self).__name__} measures the modules of gans, and this is a "
                f"{type(module).__name__}: use gans.DivergenceMonitor"
            )
        return module

    def _observe(self, trainer: pl.Trainer, module: GeneratorModule) -> None:
        if trainer.logger is None or trainer.global_step == self._seen:
            return
        module.check_finite()  # or an observer would stumble over what training left behind
        self._seen = trainer.global_step
        game = AdversarialGame(module)
        with evaluating(game.networks()):
            self.observe(trainer, game)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module = self._ours(pl_module)
        cadence = self.cadence(module.iterations)
        if cadence != self.every:
            rank_zero_warn(
                f"{type(self).__name__} looks every {cadence} iterations instead of every "
                f"{self.every}: {module.iterations} iterations would be more than {MOST} looks"
            )
        if trainer.global_step == 0 and self.from_start:
            self._observe(trainer, module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        module = self._ours(pl_module)
        if self.is_due(trainer.global_step, module.iterations) or is_last(trainer):
            self._observe(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._observe(trainer, self._ours(pl_module))

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self._seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        (self._seen,) = entries(type(self).__name__, state_dict, "seen")


class Measured(Periodic):
    """Observes with a monitor, and logs all that it measures.

    Arguments:
        monitor: What measures.
        every: Iterations between observations, at least 1; ``None`` for ever rarer ones.
    """

    def __init__(self, monitor: Monitor, every: int | None = None):
        self.monitor = monitor
        super().__init__(every)

    def forget(self) -> None:
        super().forget()
        self.monitor.forget()

    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        log(trainer, self.monitor.read(game), trainer.global_step)
