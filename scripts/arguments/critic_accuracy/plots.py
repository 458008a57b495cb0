"""Value over W1, and cosine, of several critics against one number."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.arguments.critic_accuracy.critics import COLOURS, Found
from scripts.lab.plotting import EXACT, drawing, with_band


def value_and_cosine(
    found: Found, names: Sequence[str], x: Sequence[int], xlabel: str
) -> tuple[Figure, Axes]:
    """The figure and its left panel, whose limits and further curves are left to the caller."""
    figure, (left, right) = drawing(9.6, 4.0, 1, 2)
    for name in names:
        for axes, key, shift in ((left, "deviation", 1), (right, "cosine", 0)):
            values = torch.stack([found[name, at][key].double() + shift for at in x])
            with_band(axes, x, values, COLOURS[name], name)
    left.axhline(1, color=EXACT, lw=0.8, ls=":")
    left.set_ylabel("value / W1")
    right.set(ylabel="cosine with the true gradient", ylim=(-0.1, 1.02))
    for axes in (left, right):
        axes.set(xscale="log", xlabel=xlabel, xticks=x, xticklabels=[str(at) for at in x])
        axes.minorticks_off()
    right.legend(fontsize=8)
    return figure, left
