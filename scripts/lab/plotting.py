"""The colours, panels, legends and the seed band that figures share."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from torch import Tensor


class Colour(StrEnum):
    """One colour per quantity; what has none of its own is FIRST or SECOND."""

    EXACT = "#222222"  # also of what is of no quantity
    TRAP = "#b0a08a"  # what misleads
    JS = "#c8501e"
    W1 = "#1f5fa8"
    LIMITED = "#7d3fa3"
    KL = "#6d6f2a"
    TV = "#8c5a78"
    OWN = "#2c7a5b"  # a critic's own value
    PULL = "#8a6a1f"  # the gradient at the generated points
    SAMPLE = "#b3315f"  # these points
    FIRST = "#0e7c86"
    SECOND = "#bf4f8f"


P = ParamSpec("P")


def captioned(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function whose figure carries the function's docstring, what to look at, as its label."""

    @wraps(draw)
    def with_caption(*args: P.args, **kwargs: P.kwargs) -> Figure:
        figure = draw(*args, **kwargs)
        figure.set_label(" ".join((draw.__doc__ or "").split()))
        return figure

    return with_caption


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


def laid_out(figure: Figure) -> None:
    """Lay the figure out for good, so that two runs draw it alike.

    The solver of the layout works through its equations in another order each time, so that the
    last digits differ, and with them the names of an SVG file's parts.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(True).get_points().round(9)))


MANY = 200
"""Marks or pieces of one artist from which on a picture of them is smaller than their outlines."""


def as_pictures(figure: Figure) -> None:
    """Have what consists of many marks stored as a picture in a vector graphic of the figure.

    What is nearly black is not: the page turns it white on dark ground, a picture would vanish.
    """
    for artist in figure.findobj():
        if isinstance(artist, Line2D):
            marks = np.size(artist.get_xdata()) if artist.get_marker() != "None" else 0
            colours = to_rgba_array(artist.get_color())
        elif isinstance(artist, Collection):
            marks = max(np.size(artist.get_offsets()) // 2, len(artist.get_paths()))
            colours = np.concatenate([artist.get_facecolor(), artist.get_edgecolor()])
        else:
            continue
        if marks > MANY and Colour.EXACT not in map(to_hex, colours):
            artist.set_rasterized(True)
