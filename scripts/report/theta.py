"""Two segments and a slider: the divergences between them at every theta that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scripts.report.charts import Axis, Chart, Series, dashes, dots
from scripts.report.embedded_figures import Figures
from scripts.report.markup import name_of, number, same_length, with_error
from scripts.report.rendering import HERE, render

TONES = ("tone-0", "tone-1", "tone-2", "tone-3")
HOME, UNIT = 200, 150  # where theta = 0 is drawn, and how long 1 is
LISTS = ("values", "stderr")
KINDS = ("exact", "measured", "gradients")


class Theta:
    """The slider over the records of ``data/segments.json``.

    Raises:
        ValueError: If a list does not have one entry per theta, or stands beside nothing.
    """

    place, called = "theta-section", "Move the segments"

    def __init__(self, data: Mapping[str, Any], path: Path) -> None:
        self.data = data
        self.script = Markup((HERE / "theta.js").read_text(encoding="utf-8"))
        rows = [row for kind in KINDS for row in data[kind]]
        lengths = {f"{r['name']}: {key}": len(r[key]) for r in rows for key in r if key in LISTS}
        same_length(str(path), lengths, len(data["thetas"]))
        names = [row["name"] for row in data["exact"]]
        for row in data["measured"]:
            if row["exact"] not in names:
                raise ValueError(
                    f"{path}: {row['name']} stands beside {row['exact']!r}, not in {names}; "
                    "run the argument that writes this file again"
                )

    def section(self, figures: Figures) -> Markup:
        """The table of all numbers; the script lets the slider pick one of its rows."""
        thetas: Sequence[float] = self.data["thetas"]
        start, column = len(thetas) - 1, 0
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        for kind in KINDS:
            for i, row in enumerate(self.data[kind]):
                column += 1  # of the table that an output repeats
                shown = {"column": column, "now": cell(row, start), "tone": tone(i)}
                rows[kind].append({**row, **shown})
        listed = [row for kind in KINDS for row in rows[kind]]
        made = render(
            "theta.html",
            thetas=thetas,
            start=start,
            home=HOME,
            unit=UNIT,
            curves=self.curves(start),
            rows=rows,
            head=["θ", *(name_of(row["name"]) for row in listed)],
            cells=[
                [number(theta), *(cell(row, i) for row in listed)]
                for i, theta in enumerate(thetas)
            ],
        )
        return Markup(made)

    def curves(self, step: int) -> Chart:
        """The finite distances over the slider's positions: exact as dashes, measured as dots."""
        exact, thetas = self.data["exact"], self.data["thetas"]
        series = [Series(row["values"], tone(i), dashes) for i, row in enumerate(exact)]
        names = [row["name"] for row in exact]
        series += [
            Series(row["values"], tone(names.index(row["exact"])), dots, row["stderr"])
            for row in self.data["measured"]
        ]
        axis = Axis([value for one in series for value in one.values])
        ends = (f"θ = {number(thetas[0])}", f"θ = {number(thetas[-1])}")
        label = "exact distances as dashes and measured ones as dots, over the positions of theta"
        return Chart(series, axis, ends, step, label)


def cell(row: Mapping[str, Any], step: int) -> str:
    return with_error(row["values"][step], row["stderr"][step] if "stderr" in row else None)


def tone(i: int) -> str:
    return TONES[i % len(TONES)]
