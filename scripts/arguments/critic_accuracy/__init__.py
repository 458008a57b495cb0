r"""Which critics deserve the name W1? Their value and gradient against pairs that know both.

Points of a cube slide down the funnels of a known potential, so that W1, the potential and its
gradient are known in any dimension. Beside each critic's value stands its gradient's cosine with
the true one: it is the gradient that a generator follows. Then critics are trained for shorter,
and generators by the same critics toward the same law, from its base.

Source: Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al.,
2022).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gans.targets import Box, Funnels, Shifted, Transported
from scripts.arguments.critic_accuracy import budget, during_training
from scripts.arguments.critic_accuracy.critics import (
    ANCHORED,
    CLIPPED,
    COLOURS,
    COMPARED,
    ORTHOGONAL,
    PENALISED,
    PERCEPTRONS,
    RELEASED,
    SORTED,
    SPECTRAL,
    TRAINED,
    TWO_SIDED,
    Settings,
    accuracy,
    by_transport,
)
from scripts.arguments.critic_accuracy.plots import value_and_cosine
from scripts.lab.claims import FAILS, HOLDS, Check, Claim, Findings, standard_error
from scripts.lab.jobs import Lab
from scripts.lab.plotting import EXACT, with_band

SOURCE = "Korotin, Kolesov & Burnaev 2022, arXiv 2206.07767"
FUNNELS = 4
PROFILES = {
    "quick": Settings(),
    "paper": Settings(
        steps=20_000,
        hidden=(128, 128),
        batch=1024,
        seeds=5,
        candidates=8192,
        transport_points=2048,
        dimensions=(2, 4, 8, 16, 32),
        generators=5,
        iterations=5000,
    ),
}


def run(lab: Lab, settings: Settings) -> Findings:
    """Claims about values, bounds and gradients of critics, and the generators they train."""
    laws: dict[int, Transported] = {
        d: Funnels.drawn(d, FUNNELS, seed=0) for d in settings.dimensions
    }
    plane = laws[2]
    games = {
        name: lab.submit(
            8,
            during_training.trained,
            plane,
            *PERCEPTRONS[name],
            settings.hidden,
            settings.generators,
            settings.iterations,
        )
        for name in PERCEPTRONS
    }
    waiting = {
        (name, d): lab.submit(4, accuracy, name, law, settings.seeds, settings)
        for d, law in reversed(laws.items())
        for name in COMPARED
    }
    most = max(laws)
    shorter = {
        (name, steps): lab.submit(
            2, accuracy, name, laws[most], settings.seeds, replace(settings, steps=steps)
        )
        for steps in settings.budgets
        for name in TRAINED
    }
    two_sided = lab.submit(4, accuracy, TWO_SIDED, plane, settings.seeds, settings)
    samples = {
        d: lab.submit(2, by_transport, law, settings.seeds, settings) for d, law in laws.items()
    }
    copy = Shifted(Box([0.5, 0.5, 0.5]), [1.0, 0.0, 0.0])
    shifted = lab.submit(2, accuracy, SPECTRAL, copy, settings.seeds, settings)
    found = {key: future.result() for key, future in waiting.items()}
    by_steps = {key: future.result() for key, future in shorter.items()}
    by_steps |= {(name, settings.steps): found[name, most] for name in TRAINED}
    transport = {d: future.result() for d, future in samples.items()}
    generators = {name: future.result() for name, future in games.items()}
    in_plane = {n: found[n, 2] for n in PERCEPTRONS if n != TWO_SIDED} | {
        TWO_SIDED: two_sided.result()
    }
    return Findings(
        claims=[
            name_claim(found, transport, shifted.result(), settings),
            bound_claim(found, transport, settings),
            gradient_claim(found, settings),
            budget.claim(by_steps, most),
            during_training.claim(in_plane, generators),
        ],
        figures={
            "critic_accuracy": by_dimension(found, transport, settings),
            "critic_budget": budget.by_steps(by_steps, most),
            "critic_training": during_training.scatter(
                in_plane, generators, float(plane.measured_w1().value), COLOURS
            ),
        },
        tables={
            "critic_accuracy": table(found),
            "critic_budget": budget.table(by_steps),
            "critic_training": during_training.table(in_plane, generators),
        },
    )


def is_w1(what: str, found: dict[str, Tensor]) -> Check:
    """A value that deserves the name may be 5 % off."""
    deviation = found["deviation"]
    return Check.at_most(
        f"{what}: |value / W1 - 1|, mean of seeds",
        0.05,
        deviation.mean().abs(),
        standard_error(deviation),
    )


def name_claim(
    found: dict[tuple[str, int], dict[str, Tensor]],
    transport: dict[int, dict[str, Tensor]],
    shifted: dict[str, Tensor],
    settings: Settings,
) -> Claim:
    most = max(settings.dimensions)
    anchored = ", ".join(
        f"{float(found[ANCHORED, d]['deviation'].mean()):+z.1%} at D = {d}"
        for d in settings.dimensions
    )
    return Claim(
        id="critic-w1-name",
        source=f"{SOURCE}, Tables 2 and 3",
        statement="The value of a WGAN's critic, a perceptron under a Lipschitz constraint, is "
        "W1.",
        expected=FAILS,
        checks=[
            is_w1(f"{name}, D = {d}", found[name, d])
            for name in TRAINED
            for d in settings.dimensions
        ],
        controls=[
            is_w1(f"{ANCHORED}, D = 2", found[ANCHORED, 2]),
            is_w1(f"{SPECTRAL}, a box and its shifted copy", shifted),
        ],
        equation=r"W_1(P, Q) = \max_{\|f\|_L \le 1} E_P[f] - E_Q[f]",
        n_seeds=settings.seeds,
        figure="critic_accuracy",
        note=f"The cones read {anchored}. Exact transport between {settings.transport_points} "
        f"points is off by {float(transport[most]['deviation'].mean()):+z.0%} at D = {most}.",
    )


def stays_below(what: str, deviation: Tensor) -> Check:
    """Value and W1 are of the same moves, so that only rounding is left to allow for."""
    return Check.at_most(f"{what}: largest value / W1 - 1", 1e-4, deviation.max())


def bound_claim(
    found: dict[tuple[str, int], dict[str, Tensor]],
    transport: dict[int, dict[str, Tensor]],
    settings: Settings,
) -> Claim:
    most = max(settings.dimensions)
    return Claim(
        id="critic-lower-bound",
        source="Arjovsky et al. 2017, arXiv 1701.07875, Equation 2; Anil et al. 2019, arXiv "
        "1811.05381, Section 4",
        statement="A critic that is 1-Lipschitz by construction never reads more than W1.",
        expected=HOLDS,
        checks=[
            stays_below(f"{name}, D = {d}", found[name, d]["deviation"])
            for name in (SPECTRAL, ORTHOGONAL, SORTED, ANCHORED)
            for d in settings.dimensions
        ],
        controls=[
            stays_below(f"exact transport of samples, D = {most}", transport[most]["deviation"]),
            stays_below(f"{PENALISED}, D = 4", found[PENALISED, 4]["deviation"]),
        ],
        equation=r"E_P[f] - E_Q[f] \le W_1(P, Q)",
        n_seeds=settings.seeds,
        figure="critic_accuracy",
        note="Value and W1 are read on the same 2048 moves.",
    )


def points_right(what: str, found: dict[str, Tensor], key: str = "cosine") -> Check:
    cosine = found[key]
    return Check.at_least(
        f"{what}: cosine of its gradient with the true one, mean of seeds",
        0.75,
        cosine.mean(),
        standard_error(cosine),
    )


def gradient_claim(found: dict[tuple[str, int], dict[str, Tensor]], settings: Settings) -> Claim:
    most = max(settings.dimensions)
    return Claim(
        id="critic-gradient-worth",
        source=f"{SOURCE}, Section 5.1",
        statement="A critic whose value is not W1 can still point the generator the right way.",
        expected=HOLDS,
        checks=[
            points_right(f"{ORTHOGONAL}, D = {most}", found[ORTHOGONAL, most]),
            Check.at_least(
                f"{ORTHOGONAL}, D = {most}: |value / W1 - 1|, which is what makes it not W1",
                0.05,
                found[ORTHOGONAL, most]["deviation"].mean().abs(),
                standard_error(found[ORTHOGONAL, most]["deviation"]),
            ),
            points_right(f"{SORTED}, D = {most}", found[SORTED, most]),
            points_right(f"{RELEASED}, D = {most}", found[RELEASED, most]),
            points_right(f"{PENALISED}, D = {most}", found[PENALISED, most]),
        ],
        controls=[
            points_right(
                f"{PENALISED}, D = {most}, against other points' gradients",
                found[PENALISED, most],
                "shuffled_cosine",
            ),
            points_right(
                f"{PENALISED}, D = {most}, negated",
                {"cosine": -found[PENALISED, most]["cosine"]},
            ),
            points_right(f"{CLIPPED}, D = {most}", found[CLIPPED, most]),
        ],
        equation=r"\cos = E \frac{\nabla f \cdot \nabla f^*}{\|\nabla f\| \|\nabla f^*\|}",
        n_seeds=settings.seeds,
        figure="critic_accuracy",
        note=f"The orthonormal critic's value at D = {most} is off by "
        f"{float(found[ORTHOGONAL, most]['deviation'].mean()):+z.0%}, by "
        f"{float(found[SORTED, most]['deviation'].mean()):+z.0%} where whole layers are sorted "
        f"and Muon takes as many steps, by "
        f"{float(found[RELEASED, most]['deviation'].mean()):+z.0%} where a penalty then lets go, "
        f"the penalised one's by "
        f"{float(found[PENALISED, most]['deviation'].mean()):+z.1%}.",
    )


def table(found: dict[tuple[str, int], dict[str, Tensor]]) -> list[dict[str, Any]]:
    """One row per critic and dimension: means over seeds."""
    keys = ("cosine", "l2", "deviation", "slope", "steepest", "per_slope")
    return [
        {"critic": name, "dimension": d}
        | {key: float(found[name, d][key].double().mean()) for key in keys}
        for name, d in found
    ]


def by_dimension(
    found: dict[tuple[str, int], dict[str, Tensor]],
    transport: dict[int, dict[str, Tensor]],
    settings: Settings,
) -> Figure:
    """Value over W1, and cosine, against the dimension."""
    x = list(settings.dimensions)
    figure, left = value_and_cosine(found, COMPARED, x, "dimension")
    sampled = torch.stack([transport[d]["deviation"] + 1 for d in x])
    with_band(left, x, sampled, EXACT, "exact transport of samples")
    left.set_ylim(-0.05, 2.5)
    left.legend(*[h[-1:] for h in left.get_legend_handles_labels()], fontsize=8)
    return figure
