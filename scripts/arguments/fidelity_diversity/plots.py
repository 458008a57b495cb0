"""The table of passes as a picture, and three lines on which measures from samples go wrong."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from scripts.arguments.fidelity_diversity.pass_table import IN_PUBLISHED, Passes, rows
from scripts.arguments.fidelity_diversity.quality_scores import MEASURES
from scripts.lab.jobs import Results
from scripts.lab.plotting import Colour, captioned, drawing, legends

PASSED, FAILED = "#bfe3cf", "#f2c4b3"
COLOURS = dict(
    zip(
        MEASURES,
        (Colour.W1, Colour.FIRST, Colour.OWN, Colour.JS, Colour.SECOND, Colour.LIMITED),
        strict=True,
    )
)
DESIDERATA = {"purpose": "D1", "hyperparameters": "D2", "data": "D3", "bounds": "D4",
              "invariance": "D5"}  # fmt: skip


@captioned
def pass_table(found: Passes) -> Figure:
    """T passed, F failed; L and H passed as a measure that is low or high where generated points
    spread wider. Frames are where ours and the published letter differ. D1 is about the purpose,
    D2 about settings, D3 about sizes, D4 about bounds, D5 about invariance.
    """
    table = rows(found)
    figure, axes = drawing(8.5, 7.5)
    beside = [m for m in MEASURES if m in IN_PUBLISHED]
    alone = [m for m in MEASURES if m not in IN_PUBLISHED]
    at = {measure: 2.2 * j for j, measure in enumerate(beside)}
    at |= {measure: 2.2 * len(beside) + 1.4 * j for j, measure in enumerate(alone)}
    for i, row in enumerate(table):
        for measure, x in at.items():
            _cell(axes, x, i, row[measure])
            theirs = row.get(f"{measure}, published")
            if theirs is not None:
                _cell(axes, x + 1, i, theirs)
                if row[measure] != theirs:
                    frame = {"facecolor": "none", "edgecolor": Colour.EXACT, "lw": 1.6}
                    axes.add_patch(Rectangle((x - 0.5, i - 0.5), 2, 1, **frame))
    axes.set_xlim(-0.6, max(at.values()) + 0.6)
    axes.set_ylim(len(table) - 0.4, -0.6)
    names = [f"{row['toy']}: {DESIDERATA[row['desideratum']]}" for row in table]
    axes.set_yticks(range(len(table)), names, fontsize=8)
    heads = [f"{measure}\nours | published" for measure in beside]
    heads += ["\n".join([*measure.split(), "ours"]) for measure in alone]
    middles = [at[m] + 0.5 for m in beside] + [at[m] for m in alone]
    axes.set_xticks(middles, heads, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _cell(axes: Axes, x: float, y: float, letter: str) -> None:
    axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=PASSED if letter != "F"
                             else FAILED, lw=0))  # fmt: skip
    axes.text(x, y, letter, ha="center", va="center", fontsize=8)


@captioned
def lines(results: Results) -> Figure:
    """Left: all should be 1. Middle and right: all should follow the dashed line, what the laws
    themselves have in common. Those that leave it count what is not there.
    """
    figure, axes = drawing(11, 3.6, columns=3)
    equal = results["mean difference"]
    dimensions = [int(name[:-2]) for name in equal]
    for k, measure in enumerate(MEASURES):
        colour = COLOURS[measure]
        middle = [line["scores"][k].mean(0)[len(line["places"]) // 2] for line in equal.values()]
        axes[0].plot(dimensions, middle, marker="o", ms=3.5, color=colour, label=measure)
        for panel, line in zip(axes[1:], _both(results), strict=True):
            panel.plot(line["places"], line["scores"][k].mean(0), color=colour, label=measure)
    axes[0].axhline(1, color=Colour.EXACT, lw=1.1, ls="--", label="1 - TV")
    axes[0].set(xscale="log", ylim=(0, 1.2), xlabel="dimensions", title="two samples of one law")
    axes[0].set_xticks(dimensions, list(map(str, dimensions)))
    axes[0].minorticks_off()
    for panel, line in zip(axes[1:], _both(results), strict=True):
        panel.plot(line["places"], line["overlap"], color=Colour.EXACT, ls="--", lw=1.1)
    axes[1].set(yscale="symlog", xlabel="radius of the generated sphere, in 128-D",
                title="surfaces of spheres, the real one of radius 1")  # fmt: skip
    axes[2].set(xscale="log", ylim=(-0.05, 1.2), xlabel="coordinates with equal laws",
                title="one coordinate 6 deviations apart")  # fmt: skip
    legends(axes[0], loc="lower left")
    return figure


def _both(results: Results) -> tuple[dict[str, Any], dict[str, Any]]:
    *_, sphere = results["surfaces of spheres"].values()
    (disjoint,) = results["one disjoint coordinate"].values()
    return sphere, disjoint
