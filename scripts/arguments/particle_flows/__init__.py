r"""Particles that follow a divergence downhill, and generators that follow particles.

A GAN can be seen as a flow of its points: the critic gives each a velocity, and the generator's
step moves them a little along. So what a divergence does to particles (atoms, laws_on_a_line,
arrivals) is what its game does to a generator, to first order in the step (generator_steps).

Sources: Yi, Zhu & Xu 2023, arXiv 2302.01075 (MonoFlow); Glaser, Arbel & Gretton 2021, arXiv
2106.08929 (KALE flow).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.arguments.particle_flows import arrivals
from scripts.arguments.particle_flows.generator_steps import OBJECTIVES, RATES, first_order, order
from scripts.arguments.particle_flows.plots import drawn
from scripts.lab.claims import HOLDS, Check, Claim, Findings, worst
from scripts.lab.jobs import CommonSettings, Job, Results


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
        expected=HOLDS,
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
