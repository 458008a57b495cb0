"""Pictures of two samples: principal components with uncovered points, quantiles of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from divergences.comparison.comparison import Comparison

COLOURS = "#1f5fa8", "#b5430f"  # of x and of y
SHOWN = 600  # points of each sample
PANELS = 3  # columns whose quantiles are drawn
SHARES = np.linspace(0.005, 0.995, 199)


def figure(found: Comparison) -> Figure:
    """Both samples in two principal components, and the columns that differ most."""
    columns = found.columns[:PANELS]
    drawn = Figure(figsize=(4.2, 3.6 * (1 + len(columns))), layout="constrained")
    axes = np.ravel(drawn.subplots(1 + len(columns), 1))
    _overlay(axes[0], found)
    for axis, column in zip(axes[1:], columns, strict=True):
        _quantiles(axis, found, column.index, column.name)
    return drawn


def as_label(text: str) -> str:
    """A name as it is drawn: no mathematics, no line breaks, not without end."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    text = text if len(text) <= 40 else f"{text[:39]}…"
    return text.replace("$", r"\$")


def _overlay(axis: Axes, found: Comparison) -> None:
    region = found.region
    pooled = torch.cat([region.shown_x, region.shown_y])
    centred = pooled - pooled.mean(0)
    basis = torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    places = (pooled - pooled.mean(0)) @ basis
    if places.shape[1] == 1:
        places = torch.cat([places, torch.rand(len(places), 1).double()], 1)
    parts = places[: len(region.shown_x)], places[len(region.shown_x) :]
    marks = region.of_x, region.of_y
    for points, uncovered, colour, label in zip(parts, marks, COLOURS, found.labels, strict=True):
        some = points[:SHOWN]
        axis.scatter(*some.T.numpy(), s=5, alpha=0.5, color=colour, label=as_label(label), lw=0)
        alone = some[uncovered[:SHOWN]]
        if len(alone):
            text = f"{as_label(label)}: not covered"
            ring = {"facecolors": "none", "edgecolors": colour, "linewidths": 0.8}
            axis.scatter(*alone.T.numpy(), s=26, label=text, **ring)
    axis.set(xlabel="first principal component", ylabel="second" if basis.shape[1] > 1 else "")
    axis.legend(fontsize="x-small", loc="best")


def _quantiles(axis: Axes, found: Comparison, index: int, name: str) -> None:
    x, y = (np.quantile(z[:, index].numpy(), SHARES) for z in found.points)
    ends = [min(x[0], y[0]), max(x[-1], y[-1])]
    axis.plot(ends, ends, color="#565b64", lw=0.8, ls="--", label="equal")
    axis.plot(x, y, color=COLOURS[1], marker=".", ms=3, lw=0.8, label="quantiles")
    axis.set(xlabel=f"{as_label(name)} in {as_label(found.labels[0])}")
    axis.set(ylabel=as_label(found.labels[1]))
    axis.legend(fontsize="x-small")
