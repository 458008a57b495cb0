"""TensorBoard's layout and the run's final numbers."""

from collections.abc import Mapping
from typing import Any, final

import pytorch_lightning as pl
from torch.utils.tensorboard.summary import hparams

from gans.callbacks.js_and_w1_curves import Glance
from gans.callbacks.logged_measurements import Coverage, Divergences
from gans.callbacks.loggers import log
from gans.callbacks.one_fit import OneFit
from gans.callbacks.periodic import is_last
from gans.generator_module import GeneratorModule
from gans.monitors import tags
from gans.targets.gaussian_mixtures import Modes


def _lines(*patterns: str) -> list[Any]:
    return ["Multiline", list(patterns)]


def _band(tag: str, ends: tuple[str, str]) -> list[Any]:
    return ["Margin", [tag, *(f"range/{tag}/{end}" for end in ends)]]


def dashboard(
    members: int, quantity: str | None, modes: bool = False
) -> dict[str, dict[str, list[Any]]]:
    """TensorBoard's custom-scalar layout: what belongs together in one chart.

    Arguments:
        members: How many there are.
        quantity: What the critic measures; ``None`` where there is no critic.
        modes: Whether modes are counted.
    """
    any_divergence = "^" + tags.divergence("{}_.*")
    layout: dict[str, dict[str, list[Any]]] = {
        "divergence": {
            "JS against log 2": _lines(any_divergence.format("js"), f"^{tags.LOG2}$"),
            "W1 against the exact value": _lines(any_divergence.format("w1")),
            "KL": _lines(any_divergence.format("kl")),
        },
        "gradient": {
            "norms": _lines(f"^{tags.gradient('(?!.*_log10$).*')}"),
            "norms, log10": _lines(f"^{tags.gradient('.*_log10$')}"),
        },
        "critic": {
            "slope between the supports": _lines(
                *(f"^{tag}$" for tag in (tags.SLOPE_MAX, tags.SLOPE_MEAN))
            ),
            "dual value, raw and by slope": _lines(
                *(f"^{tag}$" for tag in (tags.DUAL, tags.DUAL_NORMALISED))
            ),
        },
        "loss": {"both players": _lines(r"^loss/.*")},
    }
    if modes:
        layout["modes"] = {
            "covered": _lines(r"^modes(_ema)?/covered_.*"),
            "share of high quality": _lines(r"^modes(_ema)?/high_quality$"),
            "width over the target's": _lines(r"^modes(_ema)?/core_width$"),
        }
    layout["95 % intervals"] = {
        name: _band(tag, ("low", "high"))
        for name, tag in (
            ("W1, from above", tags.W1_UPPER),
            ("JS", tags.JS),
        )
    }
    if members > 1:
        layout["members: mean and range"] = {
            name: _band(tag, ("min", "max"))
            for name, tag in (
                ("W1", tags.W1_UPPER),
                ("JS", tags.JS),
                ("critic's reading", quantity and tags.read_by_critic(quantity)),
                ("generator gradient, log10", f"{tags.gradient('generator')}_log10"),
            )
            if tag is not None
        }
    return layout


def write_layout(loggers: list[Any], layout: Mapping[str, Any]) -> None:
    """The layout to every logger that takes one."""
    for logger in loggers:
        if hasattr(logger.experiment, "add_custom_scalars"):
            logger.experiment.add_custom_scalars(layout)


def _announce(writer: Any, settings: Mapping[str, Any]) -> None:
    """The run's row in the HParams table; its final numbers appear in it when they are logged."""
    final = dict.fromkeys((f"final/{tag}" for tag in tags.SHOWN), 0.0)
    for summary in hparams(dict(settings), final):
        writer.file_writer.add_summary(summary)


@final
class Dashboard(OneFit):
    """Writes the dashboard layout when training starts, and at its end the final numbers.

    They stand in the HParams table of TensorBoard; other loggers get the settings alone. A figure
    of JS and W1 over all iterations is drawn at the end, and each time that looks have become four
    times as many.

    Arguments:
        divergences: Whose last values become ``final/...``; ``None`` for none.
        settings: What the HParams table shows of the run beside target, objective and constraint,
            name to value.
    """

    def __init__(
        self,
        divergences: Divergences | None = None,
        settings: Mapping[str, Any] | None = None,
    ):
        self.divergences, self.settings = divergences, dict(settings or {})
        self.forget()

    def forget(self) -> None:
        self.glance = Glance("generator iteration")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step > 0 or not isinstance(pl_module, GeneratorModule):
            return  # a resumed run has them already
        self._remember(trainer)
        covered = any(isinstance(c, Coverage) for c in trainer.callbacks)  # pyright: ignore
        modes = covered and isinstance(pl_module.target, Modes)
        quantity = None if pl_module.objective is None else pl_module.objective.quantity
        layout = dashboard(len(pl_module.seeds), quantity, modes)
        write_layout(trainer.loggers, layout)
        players = ("target", "objective", "constraint")
        there = {name: getattr(pl_module, name, None) for name in players}
        of_run = {name: type(one).__name__ for name, one in there.items() if one is not None}
        for logger in list[Any](trainer.loggers):
            logger.log_hyperparams(of_run | self.settings)
            if hasattr(logger.experiment, "add_hparams") and trainer.is_global_zero:
                _announce(logger.experiment, of_run | self.settings)

    def _remember(self, trainer: pl.Trainer) -> bool:
        """Whether divergences were just measured; if so, they are remembered."""
        fresh = self.divergences is not None and self.divergences.is_fresh(trainer)
        if self.divergences is not None and fresh:
            self.glance.add(trainer.global_step, self.divergences.readings())
        return fresh

    def state_dict(self) -> dict[str, Any]:
        return {"glance": self.glance.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if "glance" in state_dict:  # checkpoints did not always have it
            self.glance.load_state_dict(state_dict["glance"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        if self.divergences is None:
            return
        if self._remember(trainer) and (self.glance.is_due or is_last(trainer)):
            self.glance.log(trainer, trainer.global_step)
        if not is_last(trainer):
            return
        last = self.divergences.latest
        final = {f"final/{tag}": last[name] for tag, name in tags.SHOWN.items() if name in last}
        log(trainer, final, trainer.global_step)
