"""Callbacks that measure one of our modules every so often and log what they find."""

from collections.abc import Sequence
from typing import Any, final

import pytorch_lightning as pl
from torch import Tensor

from divergences.checks import entries, whole_number
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from gans.callbacks.loggers import log, log_figure
from gans.callbacks.periodic import Measured, Periodic
from gans.figures import draw_state
from gans.monitors import tags
from gans.monitors.covered_modes import CoveredModes
from gans.monitors.critic_slope import CriticSlope
from gans.monitors.divergences import DivergenceEstimates
from gans.monitors.game import Game
from gans.monitors.gradient_norms import PlayerGradients
from gans.monitors.readings import Reading, log10, value


@final
class Divergences(Measured):
    """Divergences of the generated from the real law: exact, from the critic, from samples.

    Logs ``divergence/js_exact`` and its like where the pair of laws has them,
    ``divergence/js_critic`` or ``w1_critic`` as the objective measures its critic, and one
    ``divergence/QUANTITY_ESTIMATOR`` per estimator on samples, with its 95 % interval as
    ``range/divergence/.../low`` and ``high``; ``divergence/w1_floor`` is that of exact transport
    between two samples of the *target*. By default W1 is bracketed: ``w1_HeldOutDual`` is too
    short and ``w1_EarthMover`` too long, in expectation. An infinite KL is logged as ``inf``, with
    ``flag/kl_is_infinite`` beside it, because a chart cannot draw infinity. What an
    estimator has no answer for is NaN, with one warning for each reason; its own warnings are
    shown once each.

    Arguments:
        every: Iterations between observations; after 100, 400, 900, ... iterations by default.
        n: Held-out points per side and member.
        estimators: What to estimate from samples.
    """

    def __init__(
        self, every: int | None = None, n: int = 256, estimators: Sequence[Estimator] | None = None
    ):
        super().__init__(DivergenceEstimates(n, estimators), every)

    def forget(self) -> None:
        super().forget()
        self.latest: dict[str, Tensor] = {}
        self.stderr: dict[str, Tensor] = {}
        self.ci: dict[str, tuple[Tensor, Tensor]] = {}

    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        found = self.monitor.read(game)
        self.latest = {tag: value(reading) for tag, reading in found.items()}
        estimates = {t: r for t, r in found.items() if isinstance(r, Estimate)}
        self.stderr = {tag: estimate.stderr for tag, estimate in estimates.items()}
        self.ci = {tag: estimate.ci for tag, estimate in estimates.items()}
        log(trainer, found, trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, *rest)
        if self._seen == trainer.global_step:
            for shown, name in tags.SHOWN.items():
                if name in self.latest:
                    pl_module.log(
                        shown, float(self.latest[name].mean()), prog_bar=True, logger=False
                    )

    def readings(self) -> dict[str, Reading]:
        """The last observation, by tag; what has an error as an estimate."""
        ends = self.ci
        estimates = {
            tag: Estimate(self.latest[tag], error, ci=ends.get(tag))  # pyright: ignore
            for tag, error in self.stderr.items()
        }
        return {**self.latest, **estimates}

    def is_fresh(self, trainer: pl.Trainer) -> bool:
        """Whether the last observation is of this iteration."""
        return self._seen == trainer.global_step

    def estimates(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Values and standard errors of the last observation, by tag."""
        return {t: (self.latest[t], error) for t, error in self.stderr.items()}

    def state_dict(self) -> dict[str, Any]:
        mine = {"latest": self.latest, "stderr": self.stderr}
        return super().state_dict() | self.monitor.state_dict() | mine

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.monitor.load_state_dict(state_dict)
        (self.latest,) = entries(type(self).__name__, state_dict, "latest")
        self.stderr = state_dict.get("stderr", {})  # checkpoints did not always have it


@final
class Gradients(Measured):
    """Losses and gradient norms of both players as the last iteration left them.

    Logs ``loss/critic`` and ``loss/generator``; ``gradient/generator`` and ``gradient/critic``,
    norms over all parameters of a member; ``gradient/input``, the mean norm of the critic's
    gradient at generated points, which is all a generator ever learns from; and log10 of each.

    Arguments:
        every: Iterations between observations.
        n: Generated points per member for ``gradient/input``.
    """

    def __init__(self, every: int = 100, n: int = 256):
        super().__init__(PlayerGradients(n), every)

    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        found = self.monitor.read(game)
        norms = {tag: norm for tag, norm in found.items() if tag.startswith("gradient/")}
        log(trainer, found | log10(norms), trainer.global_step)


@final
class LipschitzAudit(Measured):
    """How steep the critic is between the two supports, and what its dual value is worth.

    Logs ``critic/slope_max`` and ``critic/slope_mean``, input-gradient norms between real and
    generated points; ``critic/dual``, the raw difference of mean scores; and
    ``critic/dual_normalised``, the dual value divided by ``slope_max``.

    Arguments:
        every: Iterations between observations; after 200, 800, 1800, ... iterations by default.
        n: Points per side and member.
    """

    first = 200

    def __init__(self, every: int | None = None, n: int = 512):
        super().__init__(CriticSlope(n), every)


@final
class Coverage(Measured):
    """Modes covered, share of high quality, mode KL and width, where the target has modes.

    Logs ``modes/...`` of the live generator and, where the module keeps an average of its weights,
    ``modes_ema/...`` of that: they are two models, and an average can be far ahead of the live
    weights. Of targets without modes nothing is logged.

    Arguments:
        every: Iterations between observations; after 500, 2000, 4500, ... iterations by default.
            There is none before the first iteration.
        n: Generated points per member; 2500 is what published tables use.
    """

    first, from_start = 500, False

    def __init__(self, every: int | None = None, n: int = 2500):
        super().__init__(CoveredModes(n), every)


@final
class Pictures(Periodic):
    """Real and generated points over the critic's surface and its gradient, as figures.

    In three dimensions and more, their two first principal components.

    Arguments:
        every: Iterations between figures; after 1000, 4000, 9000, ... iterations by default.
            There is none before the first iteration. Each costs about as much as a look at all
            divergences of five members.
        n: Points per side.
        member: Which member is drawn.
    """

    first, from_start = 1000, False

    def __init__(self, every: int | None = None, n: int = 512, member: int = 0):
        super().__init__(every)
        self.n = whole_number("n", n)
        self.member = whole_number("member", member, least=0)

    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        if not 0 <= self.member < len(game.seeds):
            raise ValueError(
                f"member = {self.member}: the run has members 0 to {len(game.seeds) - 1}"
            )
        real, fake, _ = game.held_out(self.n, "pictures")
        title = f"iteration {trainer.global_step}, seed {game.seeds[self.member]}"
        figure = draw_state(game.critic, real, fake, self.member, title)
        log_figure(trainer, "samples and critic", figure, trainer.global_step)
