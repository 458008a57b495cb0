"""The colours, panels, legends and the seed band that figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

EXACT, TRAP = "#222222", "#b0a08a"
"""What is exact and of no quantity; what misleads."""
JS_COLOUR, W1_COLOUR, LIMITED_COLOUR = "#c8501e", "#1f5fa8", "#7d3fa3"
KL_COLOUR, TV_COLOUR = "#6d6f2a", "#8c5a78"
OWN_COLOUR, PULL_COLOUR, SAMPLE_COLOUR = "#2c7a5b", "#8a6a1f", "#b3315f"
"""The critic's own value, the gradient at the generated points, and these points."""
FIRST, SECOND = "#0e7c86", "#bf4f8f"
"""Set-ups and whatever else has no colour of its own."""


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
