"""All looks at JS and W1 in one figure: JS against log 2, and W1 against its exact value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import pytorch_lightning as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from divergences.checks import entries
from gans.callbacks.sinks import log_figure
from gans.monitors import tags
from gans.monitors.readings import Reading, scalars

TITLE = "at_a_glance"
"""Before all other tags in the alphabet, so that TensorBoard's first tab begins with it."""
FEWEST = 8
"""Looks before the first figure, but for the last one of a run."""
LINES = {
    "JS in nats": {
        tags.LOG2: ("log 2, for separate laws", "0.3", "--"),
        tags.divergence("js_exact"): ("exact", "0.0", "-"),
        tags.JS: ("from samples, 95 %", "#0072b2", "-"),
        tags.read_by_critic("js"): ("by the discriminator", "#d55e00", "-"),
    },
    "W1 in the unit of the data": {
        tags.W1_FLOOR: ("between two real samples", "0.3", ":"),
        tags.W1_EXACT: ("exact", "0.0", "-"),
        tags.W1_UPPER: ("from samples, too large", "#0072b2", "-"),
        tags.W1_LOWER: ("from samples, too small", "#56b4e9", "-"),
        tags.W1_CRITIC: ("by the critic", "#d55e00", "-"),
    },
}
"""Chart to tag to its label, colour and stroke."""


@final
class Glance:
    """Remembers what was measured at every look, and draws it."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.curves: dict[str, list[float]] = {}

    def add(self, step: int, readings: Mapping[str, Reading]) -> None:
        """Remember a look; one that was remembered before is replaced."""
        known = {tag for chart in LINES.values() for tag in chart}
        now = scalars({tag: reading for tag, reading in readings.items() if tag in known})
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.curves = {tag: curve[:-1] for tag, curve in self.curves.items()}
        for tag in now:
            self.curves.setdefault(tag, [math.nan] * len(self.steps))
        for tag, curve in self.curves.items():
            curve.append(now.get(tag, math.nan))
        self.steps.append(step)

    @property
    def is_due(self) -> bool:
        """Whether twice as many looks as at the last figure were taken."""
        looks = len(self.steps)
        return looks >= FEWEST and looks & (looks - 1) == 0

    def log(self, trainer: pl.Trainer, step: int) -> None:
        """The figure to every logger that takes one, else to a file."""
        log_figure(trainer, TITLE, self.draw(), step)

    def draw(self) -> Figure:
        """JS on the left, W1 on the right, over iterations."""
        figure = Figure(figsize=(9.6, 3.4))
        figure.subplots_adjust(left=0.06, right=0.99, bottom=0.13, top=0.91, wspace=0.16)
        for axes, (title, lines) in zip(figure.subplots(1, 2), LINES.items(), strict=True):
            for tag, style in lines.items():
                if any(map(math.isfinite, self.curves.get(tag, []))):
                    self._draw(axes, tag, *style)
            axes.set_title(title, fontsize=10, loc="left")
            axes.set_xlabel("generator iteration", fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=8, framealpha=0.8)
        return figure

    def _draw(self, axes: Axes, tag: str, label: str, colour: str, stroke: str) -> None:
        axes.plot(self.steps, self.curves[tag], stroke, color=colour, label=label, lw=1.6)
        ends = [self.curves.get(f"range/{tag}/{end}") for end in ("low", "high")]
        if tag == tags.JS and None not in ends:
            axes.fill_between(self.steps, *ends, color=colour, alpha=0.2, lw=0)  # pyright: ignore

    def state_dict(self) -> dict[str, Any]:
        return {"steps": list(self.steps), "curves": {t: list(c) for t, c in self.curves.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps, self.curves = entries("Glance", state, "steps", "curves")
