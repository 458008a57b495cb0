"""Divergences of the generated from the real law, while training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor
from torch.distributions import Distribution

from divergences import exact
from divergences.answers import Answers
from divergences.checks import entries, whole_number
from divergences.estimate import Estimate, Estimator
from divergences.metrics import DivergenceMetric
from divergences.samples.earth_mover import EarthMover
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS
from gans.callbacks.periodic import Periodic, held_out, log_members
from gans.callbacks.trust import UPPER
from gans.modules import AdversarialModule

SHOWN = {"W1": UPPER, "JS": "divergence/js_RossJS"}
"""The two numbers in the progress bar and in the HParams table."""


def exact_divergences(
    p: Distribution, q: Distribution | None, answers: Answers | None = None
) -> dict[str, Tensor]:
    """KL both ways, JS, total variation and W1, as far as the pair of laws has them exactly.

    NaN, with a warning by ``answers``, where the pair has no answer at these parameters.
    """
    if q is None:
        return {}
    known = {
        "kl": (exact.kl_divergence, p, q),
        "kl_reverse": (exact.kl_divergence, q, p),
        "js": (exact.js_divergence, p, q),
        "tv": (exact.total_variation, p, q),
        "w1": (exact.wasserstein, p, q),
    }
    answers = answers or Answers()
    none = torch.full(torch.broadcast_shapes(p.batch_shape, q.batch_shape), math.nan)
    values = {
        name: answers(f"exact {name}", partial(_if_known, *pair), none)
        for name, pair in known.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _if_known(
    divergence: exact.ExactDivergence, p: Distribution, q: Distribution
) -> Tensor | None:
    return divergence(p, q) if divergence.knows(p, q) else None


@final
class Divergences(Periodic):
    """Divergences of the generated from the real law: exact, from the critic, from samples.

    Logs ``divergence/js_exact`` and its like where the pair of laws has them,
    ``divergence/js_critic`` or ``w1_critic`` as the objective reads its critic, and one
    ``divergence/QUANTITY_ESTIMATOR`` per estimator on samples; ``divergence/w1_floor`` is what
    exact transport reads between two samples of the *target*. By default W1 is bracketed:
    ``w1_HeldOutDual`` is too short and ``w1_EarthMover`` too long, in expectation. An infinite KL
    is logged as ``inf``, with ``divergence/kl_is_infinite`` beside it, because a chart cannot draw
    infinity. What an estimator has no answer for is NaN, with one warning for each reason.

    Arguments:
        every: Iterations between observations.
        n: Held-out points per side and member.
        estimators: What to estimate from samples.
    """

    def __init__(
        self,
        every: int = 250,
        n: int = 256,
        estimators: Sequence[Estimator] | None = None,
    ):
        super().__init__(every)
        self.n = whole_number("n", n)
        if estimators is None:
            estimators = (
                EarthMover(floor=False),
                HeldOutDual(),
                RossJS(),
                NearestNeighbours(),
            )
        # processes that share a run draw the same held-out points: nothing to merge
        self.metrics = {
            f"{e.quantity}_{type(e).__name__}": DivergenceMetric(e, sync_on_compute=False)
            for e in estimators
        }
        self.latest: dict[str, Tensor] = {}
        self.stderr: dict[str, Tensor] = {}
        self._floor: Tensor | None = None
        self._answers = Answers(rank_zero_warn)

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        real, fake, streams = held_out(module, self.n, "divergences")
        if self._floor is None:
            again = module.target.draw(streams, self.n)
            transport = partial(EarthMover(floor=False), real, again)
            self._floor = self._read("w1_floor", transport, real).value
        values = {
            f"{name}_exact": value
            for name, value in exact_divergences(
                module.target, module.generator.law(), self._answers
            ).items()
        }
        if "kl_exact" in values:
            values["kl_is_infinite"] = torch.isinf(values["kl_exact"]).float()
        critic = f"{module.objective.quantity}_critic"
        with torch.no_grad():
            scores = module.scores(real), module.scores(fake)
            read = {critic: self._read(critic, partial(module.objective.estimate, *scores), real)}
        for name, metric in self.metrics.items():
            read[name] = self._read(name, partial(_metric, metric, real, fake), real)
        values |= {name: estimate.value for name, estimate in read.items()}
        values["w1_floor"] = self._floor
        values["log2"] = torch.full_like(self._floor, math.log(2))
        self.latest = {f"divergence/{name}": value for name, value in values.items()}
        self.stderr = {f"divergence/{name}": estimate.stderr for name, estimate in read.items()}
        log_members(trainer.logger, self.latest, trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, *rest)
        if self._seen == trainer.global_step:
            for shown, name in SHOWN.items():
                if name in self.latest:
                    pl_module.log(
                        shown, float(self.latest[name].mean()), prog_bar=True, logger=False
                    )

    def state_dict(self) -> dict[str, Any]:
        mine = {"floor": self._floor, "latest": self.latest, "stderr": self.stderr}
        return super().state_dict() | mine

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._floor, self.latest = entries(type(self).__name__, state_dict, "floor", "latest")
        self.stderr = state_dict.get("stderr", {})  # checkpoints did not always have it

    def _read(self, name: str, ask: Callable[[], Estimate], real: Tensor) -> Estimate:
        """The estimate, one number per member; NaN where the points do not allow one."""
        none = torch.full((len(real),), math.nan)
        return self._answers(name, ask, Estimate(none, none))


def _metric(metric: DivergenceMetric, real: Tensor, fake: Tensor) -> Estimate:
    metric.reset()
    metric.update(real, fake)
    return metric.estimate()
