"""What more training does to a critic's value and to its gradient."""

from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from scripts.arguments.critic_accuracy import critics
from scripts.lab.claims import QUALIFIED, Check, Claim, means
from scripts.lab.plotting import Colour, captioned, drawing, with_band

COLUMNS = ("cosine", "deviation", "slope")


def _ends(found: critics.Found) -> tuple[int, int]:
    steps = [s for _, s in found]
    return min(steps), max(steps)


def _gain(name: str, found: critics.Found, key: str = "cosine") -> Tensor:
    first, last = _ends(found)
    return found[name, last][key].double() - found[name, first][key].double()


def turns(name: str, found: critics.Found, dimension: int, key: str = "cosine") -> Check:
    """The gradient turns toward the true one by more than seeds differ."""
    gain, (first, last) = _gain(name, found, key), _ends(found)
    against = "" if key == "cosine" else " with other points' gradients"
    return Check.at_least(
        f"{name}, D = {dimension}: cosine{against} after {last} steps less that after {first}, "
        "mean of seeds",
        0.05,
        gain,
    )


def claim(found: critics.Found, dimension: int) -> Claim:
    """Does a critic that is trained for longer point better?"""
    first, last = _ends(found)
    loss = -_gain(critics.CLIPPED, found)
    start, end = (float(found[critics.CLIPPED, s]["cosine"].mean()) for s in (first, last))
    low, high = (1 + float(found[critics.CLIPPED, s]["deviation"].mean()) for s in (first, last))
    return Claim(
        id="critic-budget",
        source="Arjovsky et al. 2017, arXiv 1701.07875, Section 3",
        statement="The longer a critic is trained, the better its gradient can be relied on.",
        expected=QUALIFIED,
        checks=[
            turns(name, found, dimension) for name in critics.TRAINED if name != critics.CLIPPED
        ],
        limits=[
            Check.at_least(
                f"{critics.CLIPPED}, D = {dimension}: cosine after {first} steps less that after "
                f"{last}, mean of seeds",
                0.05,
                loss,
            )
        ],
        controls=[
            turns(name, found, dimension, "shuffled_cosine")
            for name in (critics.SPECTRAL, critics.PENALISED)
        ],
        equation=r"\cos = E \frac{\nabla f \cdot \nabla f^*}{\|\nabla f\| \|\nabla f^*\|}",
        n_seeds=len(loss),
        figure="critic_budget",
        note=f"The constraint of the paper that says so is the exception: from {first} to {last} "
        f"steps the clipped critic's cosine goes from {start:.2f} to {end:.2f}, and its value "
        f"from {low:.0%} of W1 to {high:.0%}. Clipping drives weights to the two ends of their "
        "range (Gulrajani et al. 2017, arXiv 1704.00028, Figure 1b), which leaves few functions.",
    )


def table(found: critics.Found) -> list[dict[str, Any]]:
    """One row per critic and number of steps: means over seeds."""
    return [
        {"critic": name, "steps": steps, **means(found[name, steps], *COLUMNS)}
        for name, steps in sorted(found)
    ]


@captioned
def by_steps(found: critics.Found, dimension: int) -> Figure:
    """Both rise with training where a critic improves. Look for the one that does not: the clipped
    critic.
    """
    x = sorted({steps for _, steps in found})
    figure, left = value_and_cosine(found, critics.TRAINED, x, f"steps, in {dimension} dimensions")
    left.set_ylim(-0.05, 1.25)
    return figure


def value_and_cosine(
    found: critics.Found, names: Sequence[str], x: Sequence[int], xlabel: str
) -> tuple[Figure, Axes]:
    """The figure and its left panel, whose limits and further curves are left to the caller."""
    figure, (left, right) = drawing(9.6, 4.0, 1, 2)
    for name in names:
        for axes, key, shift in ((left, "deviation", 1), (right, "cosine", 0)):
            values = torch.stack([found[name, at][key].double() + shift for at in x])
            with_band(axes, x, values, critics.COLOURS[name], name)
    left.axhline(1, color=Colour.EXACT, lw=0.8, ls=":")
    left.set_ylabel("value / W1")
    right.set(ylabel="cosine with the true gradient", ylim=(-0.1, 1.02))
    for axes in (left, right):
        axes.set(xscale="log", xlabel=xlabel, xticks=x, xticklabels=[str(at) for at in x])
        axes.minorticks_off()
    right.legend(fontsize=8)
    return figure, left
