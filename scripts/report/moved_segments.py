"""Two segments and two sliders: the divergences between them, exact and as they were measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from markupsafe import Markup

from scripts.lab.record_shapes import REMEDY
from scripts.report.embedded_figures import Figures
from scripts.report.markup import name_of, number, render, same_length, with_error

FIGURE = "segments"
KINDS = ("exact", "measured", "gradients")
QUANTITIES = (
    ("js", "JS", "Jensen–Shannon"),
    ("limited", "JS_L", "slope at most L"),
    ("w1", "W_1", "Wasserstein"),
    ("tv", "TV", "total variation"),
    ("kl", "KL(P_0‖P_θ)", "Kullback–Leibler"),
)
"""Colour, name and what the name stands for, of what the sliders move."""


@final
class MovedSegments:
    """The sliders over theta and L, beside the records of ``data/segments.json``.

    Arguments:
        data: The records.
        path: Where they are from.
        limited: Those of ``data/limited_slope.json``, if there are any.

    Raises:
        ValueError: If a list does not have one entry per theta, or stands beside nothing.
    """

    place, called = "segments-section", "Move the segments"
    scripts = ("browser/plot.js", "browser/segments.js")

    def __init__(
        self, data: Mapping[str, Any], path: Path, limited: Mapping[str, Any] | None = None
    ) -> None:
        self.data, self.limited = data, limited
        rows = [row for kind in KINDS for row in data[kind]]
        lengths = {
            f"{row['name']}: {key}": len(row[key])
            for row in rows
            for key in ("values", "stderr")
            if key in row
        }
        same_length(str(path), lengths, len(data["thetas"]))
        names = [row["name"] for row in data["exact"]]
        for row in [*data["measured"], *data["gradients"]]:
            if row["exact"] not in names:
                raise ValueError(
                    f"{path}: {row['name']} stands beside {row['exact']!r}, not in {names}; "
                    f"{REMEDY}"
                )
        if limited is None:
            return
        for key in ("js", "js_stderr", "gradient", "gradient_stderr"):
            where = f"{path.with_name('limited_slope.json')}, {key}"
            same_length(where, {"slopes": len(limited[key])}, len(limited["slopes"]))
            lengths = {f"slope {i}": len(row) for i, row in enumerate(limited[key])}
            same_length(where, lengths, len(limited["thetas"]))

    def section(self, figures: Figures) -> Markup:
        """The sliders, their charts and numbers, and the table of all that was measured."""
        listed = [row for kind in KINDS for row in self.data[kind]]
        names = [head(row["name"], kind) for kind in KINDS for row in self.data[kind]]
        made = render(
            "segments.html",
            quantities=[(colour, name_of(name), words) for colour, name, words in QUANTITIES],
            trained=[number(t) for t in sorted({abs(t) for t in self.data["thetas"]})],
            slopes=[number(L) for L in self.limited["slopes"]] if self.limited else [],
            figure=FIGURE if FIGURE in figures.names else None,
            drawn={
                "thetas": self.data["thetas"],
                "measured": self.by_quantity("measured"),
                "gradients": self.by_quantity("gradients"),
                "limited": self.limited,
            },
            head=["θ", *names],
            cells=[
                [number(theta), *(cell(row, i) for row in listed)]
                for i, theta in enumerate(self.data["thetas"])
            ],
        )
        return Markup(made)

    def by_quantity(self, kind: str) -> dict[str, Any]:
        """Values and standard errors of JS and W1, as the script draws them."""
        return {
            row["exact"].lower(): {"values": row["values"], "stderr": row["stderr"]}
            for row in self.data[kind]
        }


def head(name: str, kind: str) -> Markup:
    """What stands over a column of the table."""
    return Markup("{}{}").format("d/dθ of " if kind == "gradients" else "", name_of(name))


def cell(row: Mapping[str, Any], step: int) -> str:
    return with_error(row["values"][step], row["stderr"][step] if "stderr" in row else None)
