"""Which modes of the target the generator covers."""

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn

from divergences.checks import whole_number
from divergences.failed_estimates import Answers
from gans.mode_metrics import ModeCoverage
from gans.monitors.game import Game
from gans.monitors.readings import Monitor, Readings

LOGGED = ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width")


@final
class CoveredModes(Monitor):
    """Modes covered, share of high quality, mode KL and width, where the target has modes.

    ``modes/...`` is of the live generator and ``modes_ema/...`` of its moving average, where it
    has one: they are two models. Nothing is measured where the target's modes overlap, so that
    none can be told covered; a warning then says so.

    Arguments:
        n: Generated points per member; 2500 is what published tables use.
        warn: Called once with each reason that nothing can be measured.
    """

    def __init__(self, n: int = 2500, warn: Callable[[str], object] = rank_zero_warn):
        self.n = whole_number("n", n)
        self._warn = warn
        self.forget()

    def forget(self) -> None:
        self._answers = Answers(self._warn)

    @torch.no_grad()
    def read(self, game: Game) -> Readings:
        target = game.modes()
        if target is None:
            return {}
        made = partial(ModeCoverage.of, target, sync_on_compute=False)
        metric = self._answers("modes", made, None)
        found = {}
        for group, played in (("modes", game), ("modes_ema", game.averaged())):
            if played is None or metric is None:
                continue
            metric.reset()
            metric.update(played.fake(self.n, game.streams(group)))
            read = metric.compute()
            found |= {f"{group}/{key}": read[key].view(len(game.seeds)) for key in LOGGED}
        return found
