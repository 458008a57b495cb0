"""The pictures of the argument."""

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from divergences.discrete import (
    cross_entropy,
    entropy,
    js_divergence,
    kl_divergence,
    self_information,
)
from scripts.arguments.binary_entropy import both
from scripts.arguments.information.classifier_losses import RUNGS
from scripts.arguments.information.probability_vectors import LENGTHS
from scripts.lab.jobs import Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band

RARE = 0.2
"""The first probability of the two-outcome law P in the pictures."""
OF_Q = f"Q's probability of what has {RARE:g} under P"


@captioned
def measures() -> Figure:
    """Left: the rarer, the more informative. Right: cross-entropy is above entropy, and touches it
    where Q = P.
    """
    figure, (information, gibbs) = drawing(7.4, 3.4, 1, 2)
    p = torch.linspace(0.004, 1, 400, dtype=torch.float64)
    information.plot(p, self_information(p, base=2), color=Colour.EXACT, lw=1.6)
    events = {
        "certain": (1.0, (-6, 12), "right"),
        "a coin": (1 / 2, (7, 4), "left"),
        "two coins": (1 / 4, (7, 4), "left"),
        "a die": (1 / 6, (7, 5), "left"),
        "two dice": (1 / 36, (7, 2), "left"),
    }
    for name, (chance, offset, side) in events.items():
        bits = float(self_information(torch.tensor(chance, dtype=torch.float64), base=2))
        information.plot(chance, bits, "o", color=Colour.FIRST, ms=5)
        where: dict[str, Any] = {"xytext": offset, "textcoords": "offset points", "ha": side}
        information.annotate(f"{name}: {bits:.3g}", (chance, bits), fontsize=9, **where)
    information.set(xlabel="probability p of the event", ylabel="information -log2 p, bits")
    information.set_title("A rarer outcome carries more\ninformation; independent ones add")
    q = torch.linspace(0.01, 0.9, 300, dtype=torch.float64)
    law, other = both(torch.tensor(RARE, dtype=torch.float64)), both(q)
    crossed, own = cross_entropy(law, other, base=2), entropy(law, base=2)
    gibbs.fill_between(q, own, crossed, color=Colour.KL, alpha=0.25, lw=0, label="KL(P || Q)")
    gibbs.plot(q, crossed, color=Colour.FIRST, lw=1.6, label="CE(P, Q)")
    gibbs.axhline(float(own), color=Colour.EXACT, lw=1, ls=":", label="H(P)")
    gibbs.plot(RARE, own, "o", color=Colour.EXACT, ms=5)
    gibbs.set(xlabel=OF_Q, ylabel="bits", ylim=(0, 3), title="CE = H + KL, least at Q = P")
    gibbs.legend(fontsize=9, loc="upper center")
    return figure


@captioned
def losses(found: dict[str, float], runs: dict[str, Tensor]) -> Figure:
    """Left: the same batch, one change at a time, from the value by hand to PyTorch's. Right: two
    losses, whose difference stays constant.
    """
    figure, (bridge, training) = drawing(7.4, 3.4, 1, 2)
    names = [*(rung.name for rung in RUNGS), "CrossEntropyLoss"]
    values = [*(found[rung.name] for rung in RUNGS), found["torch"]]
    colours = [Colour.FIRST, Colour.TRAP, Colour.TRAP, Colour.TRAP, Colour.SECOND]
    rows = range(len(names))
    bridge.barh(rows, values, color=colours, height=0.62)
    for row, value in zip(rows, values, strict=True):
        bridge.text(value + 0.04, row, f"{value:.3f}", va="center", fontsize=9)
    bridge.set_yticks(rows, names, fontsize=9)
    bridge.invert_yaxis()
    bridge.set(xlim=(0, 2.3), xlabel="cross-entropy of one batch", title="One batch, five numbers")
    steps = list(range(len(runs["CE"])))
    gap = runs["CE"] - runs["KL"]
    with_band(training, steps, runs["CE"], Colour.FIRST, "trained on CE: its value")
    with_band(training, steps, runs["KL"], Colour.KL, "trained on KL: its value")
    kept = steps[:: max(1, len(steps) // 12)]
    training.plot(kept, gap.mean(-1)[kept], "o", color=Colour.TRAP, ms=5, label="their difference")
    training.axhline(float(runs["entropy"][0]), color=Colour.EXACT, lw=1.2, ls=":", label="H(P)")
    training.set(xlabel="training step", ylabel="nats", title="Two values, one training")
    training.set_ylim(0, 1.7 * float(runs["CE"].max()))
    training.legend(fontsize=9, loc="upper right")
    return figure


@captioned
def asymmetry(found: Results) -> Figure:
    """Left: the two directions of KL differ. Right: in the shaded part a detour is shorter than
    the direct way, which a metric forbids.
    """
    figure, (directions, detours) = drawing(7.4, 3.4, 1, 2)
    q = torch.linspace(0.001, 0.999, 500, dtype=torch.float64)
    law, other = both(torch.tensor(RARE, dtype=torch.float64)), both(q)
    for curve, colour, style, label in (
        (kl_divergence(law, other), Colour.KL, "-", "KL(P || Q)"),
        (kl_divergence(other, law), Colour.KL, "--", "KL(Q || P)"),
        (js_divergence(law, other), Colour.JS, "-", "JS(P, Q)"),
    ):
        directions.plot(q, curve, color=colour, lw=1.6, ls=style, label=label)
    directions.axhline(math.log(2), color=Colour.EXACT, lw=1, ls=":", label="log 2")
    directions.set(xlabel=OF_Q, ylabel="nats", ylim=(0, 2), title="KL has a direction")
    directions.legend(fontsize=9, loc="upper center")
    styles = {
        "KL": (Colour.KL, "-"),
        "JS": (Colour.JS, "-"),
        "root of JS": (Colour.JS, "--"),
        "total variation": (Colour.EXACT, ":"),
    }
    for name, (colour, style) in styles.items():
        label, share = f"{name}: from {found[name]['shortest']:.2g}", found[name]["share"]
        detours.plot(LENGTHS[1:], share, color=colour, lw=1.6, ls=style, label=label)
    detours.axvspan(0, 1, color=Colour.TRAP, alpha=0.15, lw=0)
    detours.set(xlim=(0, 2), ylim=(0, 1), title="A metric has no short cuts")
    detours.set(xlabel="length by way of a third law / direct")
    detours.set(ylabel="share of random triples up to there")
    detours.legend(fontsize=9, loc="upper left")
    return figure
