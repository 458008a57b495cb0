"""Figures of games followed through training, and the frames that the report scrubs through."""

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from divergences import Streams
from scripts.arguments.wgan_in_practice.games import (
    ARROWS,
    EXTENT,
    PENALTY,
    PLANE,
    SATURATING,
    SIDE,
)
from scripts.lab.plotting import (
    EXACT,
    JS_COLOUR,
    OWN_COLOUR,
    SAMPLE_COLOUR,
    W1_COLOUR,
    captioned,
    drawing,
    with_band,
)

LOG2 = math.log(2)
WINDOW = [-EXTENT, EXTENT, -EXTENT, EXTENT]


@captioned
def tracking(found: dict[str, dict[str, Any]]) -> Figure:
    """In each panel: does the green curve, the network's own value, fall with the blue one, the
    exact W1? And does the orange JS stay at the dotted log 2?
    """
    figure, panels = drawing(10.5, 6.2, 2, 3, sharex=True, sharey=True)
    for (name, run), axes in zip(found.items(), panels.flat, strict=True):
        axes.axhline(LOG2, color=EXACT, lw=0.8, ls=":")
        x = run["iterations"]
        with_band(axes, x, run["transport"].T, W1_COLOUR, "exact W1 of samples")
        with_band(axes, x, run["fresh"].T, JS_COLOUR, "JS, fresh discriminator")
        label = "critic's value" if "WGAN" in name else "its own JS"
        with_band(axes, x, run["own"].T, OWN_COLOUR, label)
        axes.set_title(name, fontsize=9)
        axes.legend(fontsize=7, loc="upper right")
        axes.set_ylim(-0.05, 1.7)
    figure.supxlabel("generator iterations")
    figure.supylabel("nats (JS), or length (W1); dotted: log 2")
    return figure


@captioned
def beside(found: dict[str, dict[str, Any]]) -> Figure:
    """Two games at three of their iterations: generated points, red, should reach the circles."""
    figure, panels = drawing(9.6, 6.4, 2, 3, sharex=True, sharey=True)
    for row, name in zip(panels, (SATURATING, PENALTY), strict=True):
        run = found[name]
        for axes, i in zip(row, (0, len(run["frames"]) // 2, -1), strict=True):
            still(axes, run["frames"][i])
            axes.set_title(f"iteration {run['iterations'][i]}", fontsize=9)
        row[0].set_ylabel(name.replace(", D", ",\nD"), fontsize=9)
    return figure


def still(axes: Any, shot: dict[str, list[Any]]) -> None:
    """The critic's surface, what pulls on a point there, the target and the generated points."""
    surface = torch.tensor(shot["surface"]).view(SIDE, SIDE).numpy()
    axes.imshow(surface, origin="lower", extent=WINDOW, cmap="PuOr", alpha=0.6)
    arrows, points = (
        torch.tensor(shot[name]).view(ARROWS, ARROWS, 2)[::2, ::2].reshape(-1, 2)
        for name in ("arrows", "points")
    )
    axes.quiver(*points.T, *arrows.T, color=EXACT, width=0.005, alpha=0.7)
    dots: Any = {"color": SAMPLE_COLOUR, "ms": 2.5, "rasterized": True}  # each weighs 90 bytes
    axes.plot(*torch.tensor(shot["samples"]).T, ".", **dots)
    axes.plot(*PLANE.centres.T, "o", mfc="none", color=EXACT, ms=7)  # pyright: ignore
    axes.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT))


def rounded(values: Tensor) -> list[float]:
    return [round(v, 3) for v in values.flatten().tolist()]


def frames(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the report's player draws: pictures of the first member, curves of all."""
    games = []
    for game in dict.fromkeys((SATURATING, PENALTY, *found)):
        run = found[game]
        samples, surfaces, arrows = (
            [torch.tensor(shot[what]) for shot in run["frames"]]
            for what in ("samples", "surface", "arrows")
        )
        lows, highs = [float(s.min()) for s in surfaces], [float(s.max()) for s in surfaces]
        curves = {
            "JS, by a discriminator trained anew (nats)": run["fresh"],
            "W1, exact transport": run["transport"],
            f"the {'critic' if 'WGAN' in game else 'discriminator'}'s own value": run["own"],
            "pull on the generated points": run["pull"],
        }
        games.append(
            {
                "name": game,
                "samples": [rounded(points) for points in samples],
                "surface": [
                    ((s - low) / max(high - low, 1e-12) * 255).round().int().tolist()
                    for s, low, high in zip(surfaces, lows, highs, strict=True)
                ],
                "low": lows,
                "high": highs,
                "arrows": {
                    "points": [rounded(torch.tensor(p)) for p in run["frames"][0]["points"]],
                    "vectors": [[float(f"{v:.3g}") for v in a.flatten().tolist()] for a in arrows],
                },
                "curves": [
                    {"name": name, "values": values.mean(0).tolist(), "log": "pull" in name}
                    for name, values in curves.items()
                ],
            }
        )
    target = PLANE.draw(Streams([0], "picture"), 250)[0]
    return {
        "iterations": found[SATURATING]["iterations"],
        "target": [rounded(p) for p in target],
        "extent": WINDOW,
        "side": SIDE,
        "games": games,
    }
