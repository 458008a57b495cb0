"""Figures of all looks: JS against log 2, and W1 against its exact value."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, final

import pytorch_lightning as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from divergences.checks import entries
from gans.callbacks.loggers import log_figure
from gans.monitors import tags
from gans.monitors.readings import Reading, scalars

TITLE = "at_a_glance"
"""Before all other tags in the alphabet, so that TensorBoard's first tab begins with it."""
FEWEST = 32
"""Looks before the first figure, but for the last one of a run."""


class Stroke(NamedTuple):
    """How a line is drawn: what may lie on other lines is thin or broken, so that those show."""

    colour: str
    style: str
    width: float


LINES = {
    "js": (
        "Jensen-Shannon divergence in nats",
        {
            tags.divergence("js_exact"): ("exact", Stroke("0.75", "-", 5.0)),
            tags.JS: ("from samples, 95 %", Stroke("#0072b2", "-", 1.6)),
            tags.read_by_critic("js"): ("by the discriminator", Stroke("#d55e00", "-o", 1.2)),
            tags.LOG2: ("log 2", Stroke("0.0", "--", 1.2)),
        },
    ),
    "w1": (
        "W1 in the unit of the data",
        {
            tags.W1_EXACT: ("exact", Stroke("0.75", "-", 5.0)),
            tags.W1_UPPER: ("from samples, too large", Stroke("#0072b2", "-", 1.6)),
            tags.W1_LOWER: ("from samples, too small", Stroke("#009e73", "-", 1.6)),
            tags.W1_CRITIC: ("by the critic", Stroke("#d55e00", "-o", 1.2)),
            tags.W1_FLOOR: ("between two real samples", Stroke("0.0", ":", 1.2)),
        },
    ),
}
"""Quantity to its title and, by tag, the labels and strokes of its lines."""


@final
class Glance:
    """Remembers what was measured at every look, and draws it.

    Arguments:
        counted: What the steps of looks count, such as ``batch``.
    """

    def __init__(self, counted: str) -> None:
        self.counted = counted
        self.steps: list[int] = []
        self.curves: dict[str, list[float]] = {}

    def add(self, step: int, readings: Mapping[str, Reading]) -> None:
        """Remember a look; one that was remembered before is replaced."""
        known = {tag for _, lines in LINES.values() for tag in lines}
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
        """Whether four times as many looks as at the last figure were taken."""
        times, rest = divmod(len(self.steps), FEWEST)
        return rest == 0 and times == 4 ** (times.bit_length() // 2)

    def log(self, trainer: pl.Trainer, step: int) -> None:
        """A figure of each quantity to every logger that takes figures, else to files."""
        for quantity in LINES:
            log_figure(trainer, f"{TITLE}/{quantity}", self.draw(quantity), step)

    def draw(self, quantity: str) -> Figure:
        """The lines of one quantity over iterations, as large as a card of TensorBoard."""
        figure = Figure(figsize=(4.6, 3.2))
        axes = figure.subplots()
        figure.subplots_adjust(left=0.11, right=0.98, bottom=0.13, top=0.92)
        title, lines = LINES[quantity]
        for tag, (label, stroke) in lines.items():
            if any(map(math.isfinite, self.curves.get(tag, []))):
                self._draw(axes, tag, label, stroke)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel(self.counted)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=9, framealpha=0.8)
        return figure

    def _draw(self, axes: Axes, tag: str, label: str, stroke: Stroke) -> None:
        colour, style, width = stroke
        curve = self.curves[tag]
        axes.plot(self.steps, curve, style, color=colour, label=label, lw=width, ms=3)
        ends = [self.curves.get(f"range/{tag}/{end}") for end in ("low", "high")]
        if tag == tags.JS and None not in ends:
            axes.fill_between(self.steps, *ends, color=colour, alpha=0.2, lw=0)  # pyright: ignore

    def state_dict(self) -> dict[str, Any]:
        return {"steps": list(self.steps), "curves": {t: list(c) for t, c in self.curves.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps, self.curves = entries("Glance", state, "steps", "curves")
