"""The colours, panels, legends and the seed band that figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

EXACT, JS_COLOUR, W1_COLOUR, TRAP = "#222222", "#c8501e", "#1f5fa8", "#b0a08a"


def with_band(
    axes: Axes, x: Sequence[float], values: Tensor, colour: str, label: str, alpha: float = 1.0
) -> None:
    """Mean over seeds, the last dimension, with the range over seeds as a band."""
    axes.fill_between(x, values.amin(-1), values.amax(-1), color=colour, alpha=alpha / 4, lw=0)
    style = {"marker": "o", "ms": 3.5} if len(x) < 50 else {}  # many points are a line
    axes.plot(x, values.mean(-1), color=colour, lw=1.4, label=label, alpha=alpha, **style)


def drawing(
    width: float, height: float, rows: int = 1, columns: int = 1, **settings: Any
) -> tuple[Figure, Any]:
    """A figure of that many inches, and its panels as ``Figure.subplots`` gives them."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **settings)


def legends(*panels: Axes, loc: Any = "best") -> None:
    """A small legend in each panel."""
    for axes in panels:
        axes.legend(fontsize=8, loc=loc)
