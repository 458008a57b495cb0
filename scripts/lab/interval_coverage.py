"""How often the estimators' intervals hold the truth, as a figure."""

import math
from typing import Any

from matplotlib.figure import Figure

from gans.runtime.escaping import as_label
from scripts.lab.plotting import captioned, drawing


def number(value: float | None) -> bool:
    """Whether there is a number, in a fresh record (NaN) or one read from JSON (null)."""
    return value is not None and not math.isnan(value)


@captioned
def coverage_figure(records: list[dict[str, Any]]) -> Figure:
    """Each dot is one estimator on one pair of distributions. Inside or to the right of the band
    its intervals hold the truth often enough.
    """
    rows = [r for r in records if number(r["coverage_unwarned"])]
    names = sorted({r["estimator"] for r in rows})
    figure, axes = drawing(8.5, 0.8 + 0.45 * max(1, len(names)))
    axes.axvspan(0.90, 0.99, color="#1d7f4e", alpha=0.15, lw=0, label="90 to 99 %")
    axes.axvline(0.95, color="#222222", lw=0.8, ls=":")
    sizes = sorted({r["n"] for r in rows})
    for i, size in enumerate(sizes):
        offset = 0.18 * (i - (len(sizes) - 1) / 2)
        for alarmed in (False, True):
            marks = [r for r in rows if r["n"] == size and (r["warned"] > 0.5) == alarmed]
            axes.scatter(
                [r["coverage_unwarned"] for r in marks],
                [names.index(r["estimator"]) + offset for r in marks],
                s=16,
                alpha=0.75,
                label=None if alarmed else f"n = {size}",
                edgecolors=f"C{i}",
                facecolors="none" if alarmed else f"C{i}",
            )
    axes.set_yticks(range(len(names)), list(map(as_label, names)))
    axes.set_xlabel(
        "share of intervals that hold the truth, where no warning came with them\n"
        "(hollow: most estimates of the cell did warn)"
    )
    axes.set_xlim(-0.02, 1.02)
    axes.legend(fontsize=8, loc="lower left")
    return figure
