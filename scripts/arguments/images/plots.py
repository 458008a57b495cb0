"""JS and W1 beside each other while digits are learnt, gradients, and the digits themselves."""

from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from scripts.lab.fixed_generator import geometric_band
from scripts.lab.plotting import Colour, captioned, drawing, legends, with_band

VIEWS = (
    ("js", Colour.JS, "pictures as made"),
    ("js_rounded", Colour.TRAP, "rounded to grey levels"),
    ("js_noisy", Colour.LIMITED, "noise on both sides"),
)
LENGTHS = (
    ("transport", Colour.W1, "exact transport"),
    ("excess", Colour.FIRST, "its excess over equal laws"),
)


@captioned
def beside(games: dict[str, Any], ceiling: float) -> Figure:
    """Above: JS of pictures as they are made stays near the dashed ceiling; with noise it falls.
    Below: exact transport falls at once, and only the WGAN's own value with it.
    """
    figure, panels = drawing(9.6, 6.6, 2, 2, sharex="col")
    for (above, below), (name, run) in zip(panels.T, games.items(), strict=True):
        at = run["iterations"]
        for key, colour, label in VIEWS:
            with_band(above, at, run[key].T, colour, label)
        above.axhline(ceiling, color=Colour.EXACT, lw=1, ls="--", label="ceiling: a disjoint pair")
        above.set(title=name, ylabel="JS by fresh discriminators, nats", ylim=(0, 0.75))
        for key, colour, label in LENGTHS:
            with_band(below, at, run[key].T, colour, label)
        below.set(xlabel="iteration", ylabel="W1 between pictures")
        below.set_ylim(bottom=0)
        right = below.twinx()
        with_band(right, at, run["own"].T, Colour.OWN, "own value")
        right.set_ylabel("value of its own critic", color=Colour.OWN)
    legends(panels[0, 0], loc="lower left")
    legends(panels[1, 0])
    return figure


@captioned
def gradients(runs: dict[str, dict[str, Tensor]], steps: Sequence[int]) -> Figure:
    """On a log scale: the gradient through a discriminator falls by decades, that through a critic
    under a penalty stays.
    """
    figure, axes = drawing(6.4, 4.2)
    colours = (Colour.JS, Colour.TRAP, Colour.LIMITED)
    for colour, (name, run) in zip(colours, runs.items(), strict=True):
        geometric_band(axes, steps, run["discriminator"], colour, f"saturating, {name}")
        geometric_band(axes, steps, run["critic"], Colour.W1, f"critic, {name}", "--")
    axes.set(xscale="log", yscale="log", xlabel="steps of the opponent", ylabel="norm")
    legends(axes, loc="lower left")
    return figure


def samples(games: dict[str, Any]) -> Figure:
    """Digits of the first seed: a row per look, a panel per game."""
    figure, panels = drawing(9.6, 3.7, 1, 2)
    for axes, (name, run) in zip(panels, games.items(), strict=True):
        tiles = run["shown"].reshape(len(run["iterations"]), -1, 8, 8)
        framed = torch.nn.functional.pad(tiles, (1, 0, 1, 0), value=1.0)
        rows = framed.permute(0, 2, 1, 3).flatten(2).flatten(0, 1).numpy()
        axes.imshow(rows, cmap="gray", vmin=-1, vmax=1)
        axes.set_yticks([9 * row + 4 for row in range(len(tiles))], run["iterations"])
        axes.set(title=name, xticks=[], ylabel="iteration")
    return figure
