"""The colours and the seed band that every figure of the arguments shares."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

EXACT, JS_COLOUR, W1_COLOUR, TRAP = "#222222", "#c8501e", "#1f5fa8", "#b0a08a"


def with_band(
    axes: Axes, x: Sequence[float], values: Tensor, colour: str, label: str, alpha: float = 1.0
) -> None:
    """Mean over seeds, the last dimension, with the range over seeds as a band."""
    axes.fill_between(x, values.amin(-1), values.amax(-1), color=colour, alpha=alpha / 4, lw=0)
    style = {"marker": "o", "ms": 3.5} if len(x) < 50 else {}  # many points are a line
    axes.plot(x, values.mean(-1), color=colour, lw=1.4, label=label, alpha=alpha, **style)
