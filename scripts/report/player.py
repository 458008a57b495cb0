"""Recorded games over their training iterations, two of them side by side, with their curves."""

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, final

from markupsafe import Markup

from scripts.report.embedded_figures import Figures
from scripts.report.markup import number, render, same_length

WIDTH, HEIGHT = 360, 104
LEFT, RIGHT, TOP, BOTTOM = 46, 354, 6, 88

Value = float | str | None


class Axis:
    """The upright axis, from the least to the largest value that can be drawn.

    A linear one starts at 0 unless something is well below.
    """

    def __init__(self, values: Sequence[Value], log: bool = False) -> None:
        self.log = log
        drawn = [v for v in map(self.place, values) if v is not None] or [1.0]
        if not log:
            drawn.append(0.0)
        self.low, self.high = min(drawn), max(drawn)
        if not log and -self.low < 0.02 * self.high:
            self.low = 0.0
        if self.low == self.high:
            self.high = self.low * 10 if log else self.low + 1

    def place(self, value: Value) -> float | None:
        """The value, if this axis has a place for it."""
        if not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return None if self.log and value <= 0 else float(value)

    def y(self, value: float) -> float:
        bend = math.log if self.log else float
        share = (bend(value) - bend(self.low)) / (bend(self.high) - bend(self.low))
        return BOTTOM - share * (BOTTOM - TOP)


def x(step: int, steps: int) -> float:
    return LEFT + (RIGHT - LEFT) * (step / (steps - 1) if steps > 1 else 0)


@dataclass(frozen=True)
class Chart:
    """A curve over steps, with a mark at the first that a script may move.

    Attributes:
        values: As the records have them.
        tone: CSS class that colours them.
        axis: The upright axis, which charts side by side may share.
        ends: What to write at the first and at the last step.
        label: What the chart shows, for those who hear the page.
    """

    values: Sequence[Value]
    tone: str
    axis: Axis
    ends: tuple[str, str]
    label: str
    box = (WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM)

    @property
    def path(self) -> str:
        return line(self.values, self.axis)

    @property
    def ticks(self) -> tuple[str, str]:
        """What stands at the upper and the lower end of the upright axis."""
        return tick(self.axis.high), tick(self.axis.low)

    @property
    def zero(self) -> float | None:
        """Where a line at 0 goes, if 0 lies within the axis."""
        return self.axis.y(0) if self.axis.low < 0 < self.axis.high else None


def tick(value: float) -> str:
    """What stands at an end of the upright axis, short enough for the space beside it."""
    text = number(value)
    return text if len(text) <= 6 else number(float(f"{value:.1g}"))


def line(values: Sequence[Value], axis: Axis) -> str:
    """A path that breaks where there is no number."""
    path, pen = "", "M"
    for step, value in enumerate(values):
        placed = axis.place(value)
        if placed is not None:
            path += f"{pen}{x(step, len(values)):.1f} {axis.y(placed):.1f}"
        pen = "M" if placed is None else "L"
    return path


FIGURE = "training"
CANVAS = 480
SHADES = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
TONES = ("js", "w1", "own", "pull")
"""Colours of the curves, in their order."""


@final
class Player:
    """The player of ``data/training.json``, and the figure that stands for it on paper.

    Raises:
        ValueError: If a list of the file does not have one entry per iteration.
    """

    place, called = "training-section", "Two recorded games"
    scripts = ("browser/picture.js", "browser/player.js")

    def __init__(self, data: Mapping[str, Any], path: Path) -> None:
        self.data, self.steps = data, len(data["iterations"])
        left, right, bottom, top = data["extent"]
        if not (left < right and 0.01 < (top - bottom) / (right - left) < 100):
            raise ValueError(
                f"{path}: extent = {data['extent']} is no window (left, right, bottom, top); "
                "run the argument that writes this file again"
            )
        curves = [len(game["curves"]) for game in data["games"]]
        same_length(str(path), {f"game {i}": n for i, n in enumerate(curves)}, curves[0])
        for game in data["games"]:
            check(game, self.steps, data["side"], str(path))

    def section(self, figures: Figures) -> Markup:
        """The player, the curves of all games and their table."""
        data = self.data
        left, right, bottom, top = data["extent"]
        curves = [(game, curve) for game in data["games"] for curve in game["curves"]]
        made = render(
            "player.html",
            figures=figures,
            shown=FIGURE,
            steps=self.steps,
            first=number(data["iterations"][0]),
            width=CANVAS,
            height=round(CANVAS * (top - bottom) / (right - left)),
            games=[self.game(i) for i in range(len(data["games"]))],
            head=["iteration", *(f"{game['name']}: {curve['name']}" for game, curve in curves)],
            cells=[
                [number(iteration), *(number(curve["values"][i]) for _, curve in curves)]
                for i, iteration in enumerate(data["iterations"])
            ],
            drawn=self.drawn(),
        )
        return Markup(made)

    def game(self, index: int) -> dict[str, Any]:
        """One game at the first step: its curves, on the axes that all games share."""
        games, iterations = self.data["games"], self.data["iterations"]
        game = games[index]
        ends = (f"iteration {number(iterations[0])}", f"iteration {number(iterations[-1])}")
        before = sum(len(other["curves"]) for other in games[:index])
        curves = []
        for i, curve in enumerate(game["curves"]):
            log = curve.get("log", False)
            axis = Axis(list(chain.from_iterable(g["curves"][i]["values"] for g in games)), log)
            tone, label = f"q-{TONES[i % len(TONES)]}", f"{game['name']}: {curve['name']}"
            curves.append(
                {
                    "name": curve["name"],
                    "log": log,
                    "column": 1 + before + i,
                    "now": number(curve["values"][0]),
                    "chart": Chart(curve["values"], tone, axis, ends, label),
                }
            )
        low, high = (number(game[end][0]) for end in ("low", "high"))
        return {"name": game["name"], "low": low, "high": high, "curves": curves}

    def drawn(self) -> dict[str, Any]:
        """What the script draws, with no more digits than can be seen."""
        games = [
            {
                "samples": [[round(v, 2) for v in frame] for frame in game["samples"]],
                "surface": ["".join(map(shade, frame)) for frame in game["surface"]],
                "arrows": {
                    "points": game["arrows"]["points"],
                    "vectors": [
                        [float(f"{v:.2g}") for v in frame] for frame in game["arrows"]["vectors"]
                    ],
                },
            }
            | {end: [number(value) for value in game[end]] for end in ("low", "high")}
            for game in self.data["games"]
        ]
        return {k: self.data[k] for k in ("target", "extent", "side")} | {
            "shades": SHADES,
            "games": games,
        }


def shade(value: float) -> str:
    """One of 64 characters for a shade from 0 to 255."""
    return SHADES[min(63, max(0, int(value) // 4))]


def check(game: Mapping[str, Any], steps: int, side: int, where: str) -> None:
    """One entry per iteration everywhere, one shade per cell, one arrow per point."""
    where = f"{where}, {game['name']}"
    lengths = {key: len(game[key]) for key in ("samples", "surface", "low", "high")}
    lengths |= {curve["name"]: len(curve["values"]) for curve in game["curves"]}
    lengths["arrows"] = len(game["arrows"]["vectors"])
    same_length(where, lengths, steps)
    shades = {f"surface {i}": len(frame) for i, frame in enumerate(game["surface"])}
    same_length(where, shades, side * side)
    arrows = {f"arrows {i}": len(frame) for i, frame in enumerate(game["arrows"]["vectors"])}
    same_length(where, arrows, 2 * len(game["arrows"]["points"]))
