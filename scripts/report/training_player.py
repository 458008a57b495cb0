"""Two games over their training iterations, side by side; a script draws the samples."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scripts.report.charts import Axis, Chart, Series, line
from scripts.report.embedded_figures import Figures
from scripts.report.markup import number, same_length
from scripts.report.rendering import HERE, render

FIGURE = "training"
CANVAS = 480


class Training:
    """The scrubber over ``data/training.json``, and the figure that stands for it on paper.

    Raises:
        ValueError: If a list of the file does not have one entry per iteration.
    """

    place, called = "training-section", "Watch two games"

    def __init__(self, data: Mapping[str, Any], path: Path) -> None:
        self.data, self.steps = data, len(data["iterations"])
        left, right, bottom, top = data["extent"]
        if not (left < right and 0.01 < (top - bottom) / (right - left) < 100):
            raise ValueError(
                f"{path}: extent = {data['extent']} is no window (left, right, bottom, top); "
                "run the argument that writes this file again"
            )
        self.script = Markup((HERE / "training.js").read_text(encoding="utf-8"))
        curves = [len(game["curves"]) for game in data["games"]]
        same_length(str(path), {f"game {i}": n for i, n in enumerate(curves)}, curves[0])
        for game in data["games"]:
            check(game, self.steps, data["side"], str(path))

    def section(self, figures: Figures) -> Markup:
        """The scrubber, its curves and their table."""
        data = self.data
        left, right, bottom, top = data["extent"]
        curves = [(game, curve) for game in data["games"] for curve in game["curves"]]
        made = render(
            "training.html",
            figures=figures,
            shown=FIGURE,
            steps=self.steps,
            last=number(data["iterations"][-1]),
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
        """One game: its curves, on the axes that all games share."""
        games, iterations = self.data["games"], self.data["iterations"]
        game, last = games[index], self.steps - 1
        ends = (f"iteration {number(iterations[0])}", f"iteration {number(iterations[last])}")
        before = sum(len(other["curves"]) for other in games[:index])
        curves = []
        for i, curve in enumerate(game["curves"]):
            log = curve.get("log", False)
            axis = Axis(list(chain.from_iterable(g["curves"][i]["values"] for g in games)), log)
            series = [Series(curve["values"], f"tone-{i + 1}", line)]
            curves.append(
                {
                    "name": curve["name"],
                    "log": log,
                    "column": 1 + before + i,
                    "last": number(curve["values"][last]),
                    "chart": Chart(series, axis, ends, last, f"{game['name']}: {curve['name']}"),
                }
            )
        low, high = (number(game[end][last]) for end in ("low", "high"))
        return {"name": game["name"], "low": low, "high": high, "curves": curves}

    def drawn(self) -> dict[str, Any]:
        """What the script draws."""
        games = [
            {key: game[key] for key in ("samples", "surface", "arrows")}
            | {end: [number(value) for value in game[end]] for end in ("low", "high")}
            for game in self.data["games"]
        ]
        return {k: self.data[k] for k in ("iterations", "target", "extent", "side")} | {
            "games": games
        }


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
