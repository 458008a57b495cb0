"""Two games over their training iterations, side by side; a script draws the samples."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

from scripts.report.charts import Axis, Series, chart, line
from scripts.report.figures import Figures
from scripts.report.markup import escape, number, read_json, same_length, table

FIGURE = "training"
CANVAS = 480


def section(path: Path, figures: Figures) -> str:
    """The scrubber, its curves, and the figure that stands for it on paper.

    Raises:
        ValueError: If a list of the file does not have one entry per iteration.
    """
    data = read_json(path)
    steps = len(data["iterations"])
    for game in data["games"]:
        check(game, steps, data["side"], str(path))
    label = "Both games at some of their iterations."
    figure = figures.show(FIGURE, label) if FIGURE in figures.names else ""
    games = "\n".join(panel(i, data) for i in range(len(data["games"])))
    last = number(data["iterations"][-1])
    return f"""<section id="training-section" class="widget" aria-labelledby="training-title">
<h2 id="training-title">Two games, iteration by iteration</h2>
<p>Rings: the target. Dots: what the generator makes. The shade is the critic's surface, and each
arrow shows where the generator's loss pulls a sample there: its length is the strength of the
pull, relative to the strongest tenth in that game. Where nothing pulls, only a point is left.</p>
<div class="control" hidden>
<button type="button" id="play">Play</button>
<label for="iteration">iteration</label>
<input type="range" id="iteration" min="0" max="{steps - 1}" step="1" value="{steps - 1}"
 aria-valuetext="iteration {last}">
<output for="iteration" id="iteration-now" aria-live="off">{last}</output>
</div>
<div class="games">
{games}
</div>
<div class="static">{figure}</div>
<details><summary>All curves as a table</summary><div id="training-table">{numbers(data)}</div>
</details>
<script type="application/json" id="training-data">{embedded(data)}</script>
</section>
"""


def check(game: dict[str, Any], steps: int, side: int, where: str) -> None:
    """One entry per iteration everywhere, one shade per cell, one arrow per point."""
    lengths = {key: len(game[key]) for key in ("samples", "surface", "low", "high")}
    lengths |= {curve["name"]: len(curve["values"]) for curve in game["curves"]}
    lengths["arrows"] = len(game["arrows"]["vectors"])
    same_length(f"{where}, {game['name']}", lengths, steps)
    shades = {f"surface {i}": len(frame) for i, frame in enumerate(game["surface"])}
    same_length(f"{where}, {game['name']}", shades, side * side)
    arrows = {f"arrows {i}": len(frame) for i, frame in enumerate(game["arrows"]["vectors"])}
    same_length(f"{where}, {game['name']}", arrows, 2 * len(game["arrows"]["points"]))


def panel(index: int, data: dict[str, Any]) -> str:
    """One game: its canvas and its curves, on the axes that all games share."""
    game = data["games"][index]
    left, right, bottom, top = data["extent"]
    height = round(CANVAS * (top - bottom) / (right - left))
    last = len(data["iterations"]) - 1
    first, final = (f"iteration {number(data['iterations'][i])}" for i in (0, last))
    curves = ""
    for i, curve in enumerate(game["curves"]):
        log = curve.get("log", False)
        shared = chain.from_iterable(other["curves"][i]["values"] for other in data["games"])
        axis = Axis(list(shared), log)
        drawn = [Series(curve["values"], f"tone-{i + 1}", line)]
        label = f"{game['name']}: {curve['name']}"
        curves += (
            f'<p class="curve">{escape(curve["name"])}{", log scale" * log}'
            '<span class="value">: <output for="iteration" aria-live="off" '
            f'data-column="{column(data, index, i)}">{number(curve["values"][last])}</output>'
            "</span></p>"
            f"{chart(drawn, axis, (first, final), last, label)}"
        )
    return f"""<div class="game"><h3>{escape(game["name"])}</h3>
<canvas width="{CANVAS}" height="{height}" data-game="{index}" role="img" hidden
 aria-label="{escape(game["name"])}: target, samples, surface and gradients"></canvas>
<p class="shades" hidden><span class="swatch shade-low"></span>
<output for="iteration" aria-live="off" data-shade="low">{number(game["low"][last])}</output>
to <span class="swatch shade-high"></span>
<output for="iteration" aria-live="off" data-shade="high">{number(game["high"][last])}</output>
on the surface</p>
{curves}</div>"""


def column(data: dict[str, Any], game: int, curve: int) -> int:
    """Where a curve stands in the table of all of them."""
    return 1 + sum(len(g["curves"]) for g in data["games"][:game]) + curve


def numbers(data: dict[str, Any]) -> str:
    """Every curve of every game by iteration."""
    curves = [(game, curve) for game in data["games"] for curve in game["curves"]]
    return table(
        ["iteration", *(escape(f"{game['name']}: {curve['name']}") for game, curve in curves)],
        [
            [number(iteration), *(number(curve["values"][i]) for _, curve in curves)]
            for i, iteration in enumerate(data["iterations"])
        ],
        label="all curves by iteration",
        numeric=range(len(curves) + 1),
    )


def embedded(data: dict[str, Any]) -> str:
    """What the script draws, as JSON that no text in it can break out of."""
    games = [
        {key: game[key] for key in ("samples", "surface", "arrows")}
        | {end: [number(value) for value in game[end]] for end in ("low", "high")}
        for game in data["games"]
    ]
    drawn = {key: data[key] for key in ("iterations", "target", "extent", "side")}
    text = json.dumps(drawn | {"games": games}, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")
