"""What a callback has measured belongs to one fit; the next one begins with nothing."""

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl


class OneFit(pl.Callback):
    """Forgets what it has measured when another fit begins: of another trainer or module.

    A trainer that goes on with the same module goes on with what was measured. What a checkpoint
    holds is loaded afterwards.
    """

    _fit: tuple[int, int] | None = None

    @abstractmethod
    def forget(self) -> None:
        """Begin with nothing measured."""

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        if stage != "fit":
            return
        fit = id(trainer), id(pl_module)  # both are alive where batches are counted on
        if self._fit != fit or trainer.fit_loop.epoch_loop.total_batch_idx < 0:
            self.forget()
        self._fit = fit
