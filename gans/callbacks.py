"""What is watched while the players train: divergences, gradients, the critic, pictures of both.

Everything is measured on fresh held-out points, on a fixed cadence, and written with the
generator iteration as its x-axis. Held-out points depend on seed and iteration alone, so watching
a run more or less often does not change it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.parameter import Parameter

from divergences import exact
from divergences.interface import Estimator
from divergences.lipschitz import input_gradient, lipschitz_audit
from divergences.metrics import DivergenceMetric
from divergences.neighbours import NearestNeighbours, RossJS
from divergences.networks import member_norms
from divergences.streams import Streams
from divergences.transport import EarthMover
from gans.figures import draw_state
from gans.modules import AdversarialModule

SHOWN = {"W1": "divergence/w1_EarthMover", "JS": "divergence/js_RossJS"}
"""The two numbers in the progress bar and in the HParams table."""


def log_members(logger: Any, values: Mapping[str, Tensor], step: int) -> None:
    """Write each value's member mean, and its range over members in the group ``band/``."""
    scalars = {}
    for tag, of_member in values.items():
        scalars[tag] = float(of_member.mean())
        if len(of_member) > 1:
            scalars[f"band/{tag}/min"] = float(of_member.min())
            scalars[f"band/{tag}/max"] = float(of_member.max())
    logger.log_metrics(scalars, step=step)


class Periodic(pl.Callback):
    """Observes before the first iteration, every ``every`` iterations and after the last.

    Arguments:
        every: Iterations between observations, at least 1.
    """

    def __init__(self, every: int):
        if every < 1:
            raise ValueError(f"every = {every} must be at least 1 iteration")
        self.every = every
        self._seen = -1

    @abstractmethod
    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        """Look at the module and log what is seen at ``trainer.global_step``."""

    def _observe(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.logger is None or trainer.global_step == self._seen:
            return
        assert isinstance(module, AdversarialModule)
        self._seen = trainer.global_step
        module.critic.eval()
        self.observe(trainer, module)
        module.critic.train()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:
            self._observe(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        if trainer.global_step % self.every == 0:
            self._observe(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._observe(trainer, pl_module)


@torch.no_grad()
def held_out(module: AdversarialModule, n: int, purpose: str) -> tuple[Tensor, Tensor, Streams]:
    """``n`` real and fake points per member that depend on seed, purpose and iteration only."""
    streams = Streams(
        module.seeds,
        f"{purpose} at {module.global_step}",
        module.device,
        module.streams.dtype,
        ahead=1,  # these streams are used once
    )
    return module.target.draw(streams, n), module.generator.draw(streams, n), streams


def exact_divergences(p: Distribution, q: Distribution | None) -> dict[str, Tensor]:
    """KL both ways, JS, total variation and W1, as far as the pair of laws has them exactly."""
    if q is None:
        return {}
    known = {
        "kl": (exact.kl_divergence, p, q),
        "kl_reverse": (exact.kl_divergence, q, p),
        "js": (exact.js_divergence, p, q),
        "tv": (exact.total_variation, p, q),
        "w1": (exact.wasserstein, p, q),
    }
    return {
        name: divergence(first, second)
        for name, (divergence, first, second) in known.items()
        if divergence.knows(first, second)
    }


@final
class Divergences(Periodic):
    """Divergences of the generated from the real law: exact, from the critic, from samples.

    Logs ``divergence/js_exact`` and its like where the pair of laws has them,
    ``divergence/js_critic`` or ``w1_critic`` as the objective reads its critic, and one
    ``divergence/QUANTITY_ESTIMATOR`` per estimator on samples; ``divergence/w1_floor`` is what
    exact transport reads between two samples of the *target*. An infinite KL is logged as
    ``inf``, with ``divergence/kl_is_infinite`` beside it, because a chart cannot draw infinity.

    Arguments:
        every: Iterations between observations.
        n: Held-out points per side and member.
        estimators: What to estimate from samples.
    """

    def __init__(
        self,
        every: int = 200,
        n: int = 256,
        estimators: Sequence[Estimator] | None = None,
    ):
        super().__init__(every)
        self.n = n
        if estimators is None:
            estimators = (EarthMover(floor=False), RossJS(), NearestNeighbours())
        self.metrics = {
            f"{e.quantity}_{type(e).__name__}": DivergenceMetric(e) for e in estimators
        }
        self.latest: dict[str, Tensor] = {}
        self._floor: Tensor | None = None
        self._warned: set[str] = set()

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        real, fake, streams = held_out(module, self.n, "divergences")
        if self._floor is None:
            self._floor = EarthMover(floor=False)(real, module.target.draw(streams, self.n)).value
        values = {
            f"{name}_exact": value
            for name, value in exact_divergences(module.target, module.generator.law()).items()
        }
        if "kl_exact" in values:
            values["kl_is_infinite"] = torch.isinf(values["kl_exact"]).float()
        with torch.no_grad():
            read = module.objective.estimate(module.scores(real), module.scores(fake))
        values[f"{module.objective.quantity}_critic"] = read.value
        for name, metric in self.metrics.items():
            values[name] = self._read(name, metric, real, fake)
        values["w1_floor"] = self._floor
        values["log2"] = torch.full_like(self._floor, math.log(2))
        self.latest = {f"divergence/{name}": value for name, value in values.items()}
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

    def _read(self, name: str, metric: DivergenceMetric, real: Tensor, fake: Tensor) -> Tensor:
        """The metric's value, or NaN with a warning where the points do not allow one."""
        metric.reset()
        metric.update(real, fake)
        try:
            return metric.compute().view(len(real))  # torchmetrics squeezes one member away
        except ValueError as error:
            reason = f"{name} has no estimate: {error}"
        if reason not in self._warned:
            self._warned.add(reason)
            rank_zero_warn(reason)
        return torch.full((len(real),), math.nan)


def gradient_norms(parameters: Iterable[Parameter]) -> Tensor | None:
    """Norm of each member's gradient over all its parameters, or ``None`` before the first."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return member_norms(gradients) if gradients else None


@final
class Gradients(Periodic):
    """Losses and gradient norms of both players as the last iteration left them.

    Logs ``loss/critic`` and ``loss/generator``; ``gradient/generator`` and ``gradient/critic``,
    norms over all parameters of a member; ``gradient/input``, the mean norm of the critic's
    gradient at generated points, which is all a generator ever learns from; and log10 of each.

    Arguments:
        every: Iterations between observations.
        n: Generated points per member for ``gradient/input``.
    """

    def __init__(self, every: int = 20, n: int = 256):
        super().__init__(every)
        self.n = n

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        _, fake, _ = held_out(module, self.n, "gradients")
        norms = {
            "generator": gradient_norms(module.generator.parameters()),
            "critic": gradient_norms(module.critic.parameters()),
            "input": input_gradient(module.critic, fake).norm(dim=-1).mean(-1),
        }
        values = {
            f"generator/{name}": value for name, value in module.generator.readings().items()
        }
        for name, norm in norms.items():
            if norm is not None:
                values[f"gradient/{name}"] = norm
                values[f"gradient/{name}_log10"] = norm.log10()
        if module.last is not None:
            values["loss/critic"] = module.last.critic_loss
            values["loss/generator"] = module.last.generator_loss
        log_members(trainer.logger, values, trainer.global_step)


@final
class LipschitzAudit(Periodic):
    """How steep the critic is between the two supports, and what its dual value is worth.

    Logs ``critic/slope_max`` and ``critic/slope_mean``, input-gradient norms between real and
    generated points; ``critic/dual``, the raw difference of mean scores; and
    ``critic/dual_normalised``, the dual value divided by ``slope_max``.

    Arguments:
        every: Iterations between observations.
        n: Points per side and member.
    """

    def __init__(self, every: int = 200, n: int = 512):
        super().__init__(every)
        self.n = n

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        real, fake, streams = held_out(module, self.n, "audit")
        slopes = lipschitz_audit(module.critic, real, fake, streams)
        with torch.no_grad():
            dual = module.scores(real).mean(-1) - module.scores(fake).mean(-1)
        steepest = slopes.amax(-1)
        values = {
            "critic/slope_max": steepest,
            "critic/slope_mean": slopes.mean(-1),
            "critic/dual": dual,
            "critic/dual_normalised": dual / steepest,
        }
        log_members(trainer.logger, values, trainer.global_step)


@final
class Pictures(Periodic):
    """Real and generated points over the critic's surface and its gradient, as figures.

    Arguments:
        every: Iterations between figures; each costs about as much as a few hundred curves.
        n: Points per side.
        member: Which member is drawn.
    """

    def __init__(self, every: int = 1000, n: int = 512, member: int = 0):
        super().__init__(every)
        self.n, self.member = n, member

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        if not 0 <= self.member < len(module.seeds):
            raise ValueError(
                f"member = {self.member}: the run has members 0 to {len(module.seeds) - 1}"
            )
        real, fake, _ = held_out(module, self.n, "pictures")
        figure = draw_state(module.critic, real, fake, self.member)
        figure.suptitle(f"iteration {trainer.global_step}, seed {module.seeds[self.member]}")
        writer = trainer.logger.experiment  # pyright: ignore
        writer.add_figure("samples and critic", figure, trainer.global_step)


def _band(tag: str) -> list[Any]:
    return ["Margin", [tag, f"band/{tag}/min", f"band/{tag}/max"]]


def dashboard(members: int, quantity: str) -> dict[str, dict[str, list[Any]]]:
    """TensorBoard's custom-scalar layout: what belongs together in one chart."""
    layout: dict[str, dict[str, list[Any]]] = {
        "divergence": {
            "JS against log 2": ["Multiline", [r"^divergence/js_.*", r"^divergence/log2$"]],
            "W1 against its floor": ["Multiline", [r"^divergence/w1_.*"]],
            "KL": ["Multiline", [r"^divergence/kl_.*"]],
        },
        "gradient": {
            "norms": ["Multiline", [r"^gradient/(generator|critic|input)$"]],
            "norms, log10": ["Multiline", [r"^gradient/.*_log10$"]],
        },
        "critic": {
            "slope between the supports": ["Multiline", [r"^critic/slope_.*"]],
            "dual value, raw and by slope": ["Multiline", [r"^critic/dual.*"]],
        },
        "loss": {"both players": ["Multiline", [r"^loss/.*"]]},
    }
    if members > 1:
        layout["members: mean and range"] = {
            "W1": _band("divergence/w1_EarthMover"),
            "JS": _band("divergence/js_RossJS"),
            "critic's reading": _band(f"divergence/{quantity}_critic"),
            "generator gradient, log10": _band("gradient/generator_log10"),
        }
    return layout


@final
class Dashboard(pl.Callback):
    """Writes the dashboard layout when training starts, and the run's final numbers as HParams.

    Arguments:
        divergences: Whose last values become ``final/...``; ``None`` for none.
        settings: What the HParams table shows of the run, name to value.
    """

    def __init__(
        self,
        divergences: Divergences | None = None,
        settings: Mapping[str, Any] | None = None,
    ):
        self.divergences, self.settings = divergences, dict(settings or {})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, AdversarialModule)
        if trainer.logger is None:
            return
        layout = dashboard(len(pl_module.seeds), pl_module.objective.quantity)
        trainer.logger.experiment.add_custom_scalars(layout)  # pyright: ignore
        unknown = dict.fromkeys((f"final/{tag}" for tag in SHOWN), math.nan)
        trainer.logger.log_hyperparams(self.settings, unknown)  # pyright: ignore

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.logger is None or self.divergences is None:
            return
        last = self.divergences.latest
        final = {f"final/{tag}": last[name] for tag, name in SHOWN.items() if name in last}
        log_members(trainer.logger, final, trainer.global_step)
