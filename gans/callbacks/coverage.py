"""Which modes the generator covers, live and averaged, while training."""

from __future__ import annotations

from typing import final

import pytorch_lightning as pl
import torch

from divergences.streams import Streams
from gans.callbacks.periodic import Periodic, log_members
from gans.metrics import ModeCoverage
from gans.modules import AdversarialModule
from gans.targets.modes import Modes

LOGGED = ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width")


@final
class Coverage(Periodic):
    """Modes covered, share of high quality, mode KL and width, where the target has modes.

    Logs ``modes/...`` of the live generator and, where the module keeps an average of its weights,
    ``modes_ema/...`` of that: they are two models, and an average can be far ahead of the live
    weights. Of targets without modes nothing is logged.

    Arguments:
        every: Iterations between observations.
        n: Generated points per member; 2500 is what published tables use.
    """

    def __init__(self, every: int = 500, n: int = 2500):
        super().__init__(every)
        if n < 1:
            raise ValueError(f"n = {n} must be at least 1 point")
        self.n = n

    @torch.no_grad()
    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        if not isinstance(module.target, Modes):
            return
        metric = ModeCoverage.of(module.target, sync_on_compute=False)
        values = {}
        for group, generator in (("modes", module.generator), ("modes_ema", module.generator_ema)):
            if generator is None:
                continue
            name = f"{group} at {module.global_step}"
            streams = Streams(module.seeds, name, module.device, module.streams.dtype, ahead=1)
            metric.reset()
            metric.update(generator.draw(streams, self.n))
            read = metric.compute()
            values |= {f"{group}/{key}": read[key].view(len(module.seeds)) for key in LOGGED}
        log_members(trainer.logger, values, trainer.global_step)
