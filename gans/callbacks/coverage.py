"""Which modes the generator covers, live and averaged, while training."""

from __future__ import annotations

from typing import final

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from divergences.answers import Answers
from divergences.checks import whole_number
from divergences.random_streams import Streams
from gans.callbacks.periodic import Periodic, log_members
from gans.mode_metrics import ModeCoverage
from gans.modules import AdversarialModule
from gans.targets.gaussian_mixtures import Modes

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
        self.n = whole_number("n", n)
        self._answers = Answers(rank_zero_warn)

    @torch.no_grad()
    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        values = modes_seen(module, self.n, self._answers)
        log_members(trainer.logger, values, trainer.global_step)


@torch.no_grad()
def modes_seen(module: AdversarialModule, n: int, answers: Answers) -> dict[str, Tensor]:
    """What is logged of the modes, of ``n`` points per member; of a target without, nothing.

    Nothing, too, where the target's modes overlap, so that none can be told covered: ``answers``
    then says so.
    """
    target = module.target
    if not isinstance(target, Modes):
        return {}
    metric = answers("modes", lambda: ModeCoverage.of(target, sync_on_compute=False), None)
    values = {}
    for group, generator in (("modes", module.generator), ("modes_ema", module.generator_ema)):
        if generator is None or metric is None:
            continue
        name = f"{group} at {module.global_step}"
        streams = Streams(module.seeds, name, module.device, module.streams.dtype, ahead=1)
        metric.reset()
        metric.update(generator.draw(streams, n))
        read = metric.compute()
        values |= {f"{group}/{key}": read[key].view(len(module.seeds)) for key in LOGGED}
    return values
