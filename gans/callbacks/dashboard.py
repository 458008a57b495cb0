"""TensorBoard's layout and the run's final numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import pytorch_lightning as pl

from gans.callbacks.coverage import Coverage
from gans.callbacks.divergences import SHOWN, Divergences
from gans.callbacks.periodic import is_last, log_members
from gans.modules import AdversarialModule
from gans.targets.gaussian_mixtures import Modes


def _band(tag: str) -> list[Any]:
    return ["Margin", [tag, f"band/{tag}/min", f"band/{tag}/max"]]


def dashboard(members: int, quantity: str, modes: bool = False) -> dict[str, dict[str, list[Any]]]:
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
    if modes:
        layout["modes"] = {
            "covered": ["Multiline", [r"^modes(_ema)?/covered_.*"]],
            "share of high quality": ["Multiline", [r"^modes(_ema)?/high_quality$"]],
            "width over the target's": ["Multiline", [r"^modes(_ema)?/core_width$"]],
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
    """Writes the dashboard layout when training starts, and at its end the final numbers.

    They stand in the HParams table.

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

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, AdversarialModule)
        if trainer.logger is None or trainer.global_step > 0:  # a resumed run has them already
            return
        covered = any(isinstance(c, Coverage) for c in trainer.callbacks)  # pyright: ignore
        modes = covered and isinstance(pl_module.target, Modes)
        layout = dashboard(len(pl_module.seeds), pl_module.objective.quantity, modes)
        trainer.logger.experiment.add_custom_scalars(layout)  # pyright: ignore
        unknown = dict.fromkeys((f"final/{tag}" for tag in SHOWN), math.nan)
        trainer.logger.log_hyperparams(self.settings, unknown)  # pyright: ignore

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any
    ) -> None:
        if trainer.logger is None or self.divergences is None or not is_last(trainer):
            return
        last = self.divergences.latest
        final = {f"final/{tag}": last[name] for tag, name in SHOWN.items() if name in last}
        log_members(trainer.logger, final, trainer.global_step)
