r"""Particles that follow a divergence downhill, and generators that follow particles.

A GAN can be seen as a flow of its points: the critic gives each a velocity, and the generator's
step moves them a little along. So what a divergence does to particles (atoms, laws_on_a_line,
arrivals) is what its game does to a generator, to first order in the step (generator_steps).

Sources: Yi, Zhu & Xu 2023, arXiv 2302.01075 (MonoFlow); Glaser, Arbel & Gretton 2021, arXiv
2106.08929 (KALE flow).
"""

from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from scripts.arguments.particle_flows import arrivals
from scripts.arguments.particle_flows.arrivals import FLOWS, STEP, STUCK
from scripts.arguments.particle_flows.generator_steps import OBJECTIVES, RATES, first_order, order
from scripts.lab.claims import Check, Claim, Findings, worst
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, legends


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Nothing is trained: both profiles are the same."""


PROFILES = {"quick": Settings(), "paper": Settings()}


def experiments(settings: Settings) -> dict[str, Job]:
    return {
        "flows": Job(12, arrivals.measured, settings.seeds),
        "steps": Job(2, first_order, settings.seeds),
    }


def judge(found: Results, settings: Settings) -> Findings:
    """Claims ``particle-flows`` and ``generator-step``."""
    flows, steps = found["flows"], found["steps"]
    return Findings(
        claims=[arrivals.claim(flows), step_claim(steps)],
        figures={"particle_flows": drawn(flows, steps)},
        tables={"particle_flows": arrivals.table(flows)},
    )


def of_order(who: str, error: Tensor) -> Check:
    what = f"{who}: power of the rate that step less flow falls with, farthest of the seeds"
    return Check.near(what, 2, worst(order(error), 2), 0.1)


def step_claim(steps: dict[str, Tensor]) -> Claim:
    """Claim ``generator-step``."""
    first = {name: steps[name][0] for name in OBJECTIVES}
    return Claim(
        id="generator-step",
        source="Yi, Zhu & Xu 2023, arXiv 2302.01075, Section 3.3 and Algorithm 1",
        statement="One generator step of a GAN equals, to first order in its rate, one step of "
        "its points along the flow that the critic gives them.",
        checks=[
            *(of_order(name, steps[name]) for name in OBJECTIVES),
            Check.all_at_most(
                f"step less flow / flow, rate {RATES[0]:g}, most of objectives and seeds",
                0.05,
                torch.stack([*first.values()]).amax(0),
            ),
            Check.all_at_most(
                "points that are their own parameters: step less flow / flow, most of them",
                1e-9,
                steps["free points"].amax(0),
            ),
        ],
        controls=[
            of_order("Adam, whose step is no gradient", steps["Adam"]),
            of_order("saturating step, non-saturating flow", steps["another objective's flow"]),
        ],
        equation=r"G_{\theta - \eta g}(z) - G_\theta(z) = \frac{\eta}{n} \sum_j J_\theta(z) "
        r"J_\theta(z_j)^T v(G_\theta(z_j)) + O(\eta^2)",
        n_seeds=steps["Adam"].shape[-1],
        figure="particle_flows",
        note="The generator averages the flow by its tangent kernel, so that points do not move "
        "independently. Of a rate of "
        f"{RATES[0]:g} the error is "
        + ", ".join(f"{100 * error.max():.2g} % ({name})" for name, error in first.items())
        + ". Adam rescales each parameter: its step leads elsewhere at any rate.",
    )


COLOURS = {
    "JS": Colour.JS,
    "W1": Colour.W1,
    "MMD, width 1": "#3c8d5a",
    "JS_L, L = 2": Colour.LIMITED,
    "MMD, width .1": Colour.TRAP,
    "JS_L, L = 40": "#8c8c8c",
    "KL": Colour.KL,
}


@captioned
def drawn(found: dict[str, Any], steps: dict[str, Tensor]) -> Figure:
    """Above: particles start on the right and should reach the crosses. Below: how much of the
    distance is left over time.
    """
    figure = Figure(figsize=(11.5, 7.0), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    above, below = halves
    for name, axes in zip(FLOWS, above.subplots(1, 4, sharex=True, sharey=True), strict=True):
        paths_in_plane(axes, name, found["segments"][name][0])
    above.suptitle("Particles from a segment at 1 to one at 0 (first seed)", fontsize=11)
    segments, thick, order = below.subplots(1, 3)
    for name, shares in found["left"].items():
        clock = STEP * torch.arange(shares.shape[-1])
        style = "--" if name in STUCK else "-"
        segments.plot(clock, shares.mean(0), style, color=COLOURS[name], label=name, lw=1.4)
    for name, shares in found["left on line"].items():
        if name != "KL":
            clock = STEP * torch.arange(len(shares))
            thick.plot(clock, shares, color=COLOURS[name], label=name, lw=1.4)
    segments.set(xlabel="time", ylabel="W1 left / at the start", ylim=(-0.04, 1.2))
    segments.set_title("segments: what reaches across arrives", fontsize=10)
    thick.set(xlabel="time", ylim=(-0.04, 1.2))
    thick.set_title("segments of thickness .5, which overlap", fontsize=10)
    for (name, error), colour in zip(
        steps.items(), ("#c8501e", "#7b4ea3", "#1f5fa8", "#b0a08a", "#8c8c8c", ""), strict=True
    ):
        if name in (*OBJECTIVES, "Adam"):
            size = error[0].mean() if name == "Adam" else 1.0  # Adam's steps have another length
            label = f"{name}, over its largest" if name == "Adam" else name
            order.plot(RATES, error.mean(-1) / size, "o-", ms=4, color=colour, label=label)
    rates = torch.tensor([RATES[-1], RATES[0]])
    order.plot(
        rates, (rates / RATES[0]) ** 2 * 2.5e-3, color=Colour.EXACT, lw=0.8, ls=":", label="rate²"
    )
    order.set(xscale="log", yscale="log", xlabel="rate of the generator's step")
    order.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    order.minorticks_off()
    order.set_title("step less flow / flow at rate .08", fontsize=10)
    legends(segments, thick, order)
    return figure


def paths_in_plane(axes: Axes, name: str, path: Tensor) -> None:
    """Every particle's way, where it started, where it ends, and the target."""
    for one in path.unbind(1):
        axes.plot(*one.T, color=COLOURS[name], lw=1, alpha=0.7)
    axes.plot(*path[0].T, "o", ms=5, mfc="none", color=COLOURS[name], label="start")
    axes.plot(*path[-1].T, "o", ms=4, color=COLOURS[name], label="end")
    home = path[0] - torch.tensor([1.0, 0.0], dtype=path.dtype)
    axes.plot(*home.T, "x", ms=6, color=Colour.EXACT, label="target")
    axes.set(xlim=(-0.25, 1.25), ylim=(-0.2, 1.15), title=name, xlabel="x")
    if name == "JS":  # it has the room
        axes.legend(fontsize=8, loc="center")
