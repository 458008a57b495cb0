"""Two segments and a slider: the divergences between them at every theta that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.report.charts import Axis, Series, chart, dashes, dots
from scripts.report.markup import (
    escape,
    name_of,
    number,
    read_json,
    same_length,
    table,
    with_error,
)

TONES = ("tone-0", "tone-1", "tone-2", "tone-3")
HOME, UNIT = 200, 150  # where theta = 0 is drawn, and how long 1 is


def section(path: Path) -> str:
    """The table of all numbers; the script lets the slider pick one of its rows."""
    data = read_json(path)
    thetas = data["thetas"]
    rows = data["exact"] + data["measured"] + data["gradients"]
    lengths = {f"{r['name']}: {key}": len(r[key]) for r in rows for key in r if key in LISTS}
    same_length(str(path), lengths, len(thetas))
    names = [row["name"] for row in data["exact"]]
    for row in data["measured"]:
        if row["exact"] not in names:
            raise ValueError(
                f"{path}: {row['name']} stands beside {row['exact']!r}, not in {names}"
            )
    start = len(thetas) - 1
    everything = table(
        ["θ", *(name_of(row["name"]) for row in rows)],
        [[number(t), *(cell(row, i) for row in rows)] for i, t in enumerate(thetas)],
        label="all numbers by theta",
        numeric=range(len(rows) + 1),
    )
    return f"""<section id="theta-section" class="widget" aria-labelledby="theta-title">
<h2 id="theta-title">Move the segments apart</h2>
<p>P<sub>0</sub> is uniform on a unit segment at 0, P<sub>θ</sub> on its copy at θ. What each
distance says of the two, and what it tells a generator that could move θ.</p>
<div class="control" hidden>
<label for="theta">θ</label>
<input type="range" id="theta" min="0" max="{start}" step="1" value="{start}"
 aria-valuetext="θ = {number(thetas[start])}" data-thetas="{escape(" ".join(map(str, thetas)))}">
<output for="theta" id="theta-now">{number(thetas[start])}</output>
</div>
<div class="pair">
<div>{drawing(thetas, start)}{curves(data, start)}</div>
<div class="readout">{readout(data, start)}</div>
</div>
<details class="static" open><summary>All numbers as a table</summary>
<div id="theta-table">{everything}</div></details>
</section>
"""


LISTS = ("values", "stderr")


def cell(row: dict[str, Any], step: int) -> str:
    return with_error(row["values"][step], row["stderr"][step] if "stderr" in row else None)


def drawing(thetas: Sequence[float], step: int) -> str:
    """The two segments, P_theta in its place for this step."""
    return (
        '<svg class="drawing" viewBox="0 0 400 130" role="img" '
        'aria-label="two parallel segments, theta apart">'
        f'<path class="axis" d="M{HOME - UNIT * 1.2} 112H{HOME + UNIT * 1.2}"></path>'
        f'<path class="fixed" d="M{HOME} 15V105"></path>'
        f'<text x="{HOME - UNIT}" y="126" text-anchor="middle">−1</text>'
        f'<text x="{HOME}" y="126" text-anchor="middle">0</text>'
        f'<text x="{HOME + UNIT}" y="126" text-anchor="middle">1</text>'
        f'<text x="{HOME - 6}" y="104" text-anchor="end">P{index("0")}</text>'
        f'<g id="moving" data-unit="{UNIT}" transform="translate({UNIT * thetas[step]:.2f} 0)">'
        f'<path class="moving" d="M{HOME} 15V105"></path>'
        f'<text x="{HOME}" y="11" text-anchor="middle">P{index("θ")}</text></g></svg>'
    )


def index(text: str) -> str:
    return f'<tspan dy="3" font-size="75%">{text}</tspan>'


def curves(data: dict[str, Any], step: int) -> str:
    """The finite distances over the slider's positions, exact as dashes and measured as dots."""
    series = [Series(row["values"], tone(i), dashes) for i, row in enumerate(data["exact"])]
    names = [row["name"] for row in data["exact"]]
    series += [
        Series(row["values"], tone(names.index(row["exact"])), dots, row["stderr"])
        for row in data["measured"]
    ]
    axis = Axis([value for one in series for value in one.values])
    ends = (f"θ = {number(data['thetas'][0])}", f"θ = {number(data['thetas'][-1])}")
    label = "exact distances as dashes and measured ones as dots, over the positions of theta"
    return chart(series, axis, ends, step, label)


def tone(i: int) -> str:
    return TONES[i % len(TONES)]


def output(row: dict[str, Any], step: int, column: int) -> str:
    return f'<output for="theta" data-column="{column}">{cell(row, step)}</output>'


def readout(data: dict[str, Any], step: int) -> str:
    """The numbers of one step; each output names the column of the table that it repeats."""
    kinds = ("exact", "measured", "gradients")
    columns = iter(range(1, 1 + sum(len(data[kind]) for kind in kinds)))
    outputs = {
        kind: [(row, output(row, step, next(columns))) for row in data[kind]] for kind in kinds
    }
    rows = []
    for i, (exact, value) in enumerate(outputs["exact"]):
        swatch = f'<span class="swatch {tone(i)}"></span>'
        rows.append([f"{swatch}{name_of(exact['name'])}, exact", value])
        rows += [
            [f'<span class="inset">{name_of(row["name"])}</span>', measured]
            for row, measured in outputs["measured"]
            if row["exact"] == exact["name"]
        ]
    gradients = [[name_of(row["name"]), value] for row, value in outputs["gradients"]]
    return table(["distance", "value ± standard error"], rows, label="distances", numeric=[1]) + (
        table(
            ["gradient in θ", "value ± standard error"], gradients, label="gradients", numeric=[1]
        )
    )
