r"""Which critics measure W1? Their value and gradient on pairs for which both are known.

Points of a cube slide down the funnels of a known potential, so that W1, the potential and its
gradient are known in any dimension. Beside each critic's value stands its gradient's cosine with
the true one: it is the gradient that a generator follows. Then critics are trained for shorter,
and generators by the same critics toward the same law, from its base.

Source: Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al.,
2022).
"""

from dataclasses import replace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gans import Box, Funnels, Shifted, Transported
from scripts.arguments.critic_accuracy import budget, critics, during_training
from scripts.arguments.critic_accuracy.budget import value_and_cosine
from scripts.lab.claims import FAILS, Check, Claim, Findings, means, standard_error
from scripts.lab.jobs import Job, Results
from scripts.lab.plotting import Colour, captioned, with_band

SOURCE = "Korotin, Kolesov & Burnaev 2022, arXiv 2206.07767"
FUNNELS = 4
SHIFTED = "a box and its shifted copy"
PROFILES = {
    "quick": critics.Settings(),
    "paper": critics.Settings(
        steps=20_000,
        hidden=(128, 128),
        batch=1024,
        members=5,
        candidates=8192,
        transport_points=2048,
        dimensions=(2, 4, 8, 16, 32),
        generators=5,
        iterations=5000,
    ),
}


def law_in(dimension: int) -> Transported:
    """The pair of a dimension: the law that is moved is its base."""
    return Funnels.drawn(dimension, FUNNELS, seed=0)


def experiments(settings: critics.Settings) -> dict[str, Job]:
    laws = {d: law_in(d) for d in settings.dimensions}
    most, members = max(laws), settings.members
    sizes = (settings.hidden, settings.generators, settings.iterations)
    shorter = {steps: replace(settings, steps=steps) for steps in settings.budgets}
    copy = Shifted(Box([0.5, 0.5, 0.5]), [1.0, 0.0, 0.0])
    return {
        **{
            f"generators, {name}": Job(8, during_training.trained, laws[2], *players, *sizes)
            for name, players in critics.PERCEPTRONS.items()
        },
        **{
            in_dimension(name, d): Job(4, critics.accuracy, name, law, members, settings)
            for d, law in reversed(laws.items())
            for name in critics.COMPARED
        },
        **{
            after(name, steps): Job(2, critics.accuracy, name, laws[most], members, fewer)
            for steps, fewer in shorter.items()
            for name in critics.TRAINED
        },
        in_dimension(critics.TWO_SIDED, 2): Job(
            4, critics.accuracy, critics.TWO_SIDED, laws[2], members, settings
        ),
        **{
            sampled(d): Job(2, critics.by_transport, law, members, settings)
            for d, law in laws.items()
        },
        SHIFTED: Job(2, critics.accuracy, critics.SPECTRAL, copy, members, settings),
    }


def sampled(dimension: int) -> str:
    return in_dimension("transport", dimension)


def in_dimension(name: str, dimension: int) -> str:
    return f"{name}, D = {dimension}"


def after(name: str, steps: int) -> str:
    return f"{name}, {steps} steps"


def judge(results: Results, settings: critics.Settings) -> Findings:
    """Claims about values, bounds and gradients of critics, and the generators they train."""
    dimensions, most = settings.dimensions, max(settings.dimensions)
    pairs = [(name, d) for d in reversed(dimensions) for name in critics.COMPARED]
    found = {pair: results[in_dimension(*pair)] for pair in pairs}
    shorter = [(name, steps) for steps in settings.budgets for name in critics.TRAINED]
    by_steps = {pair: results[after(*pair)] for pair in shorter}
    by_steps |= {(name, settings.steps): found[name, most] for name in critics.TRAINED}
    generators = {name: results[f"generators, {name}"] for name in critics.PERCEPTRONS}
    in_plane = {n: found[n, 2] for n in critics.PERCEPTRONS if n != critics.TWO_SIDED} | {
        critics.TWO_SIDED: results[in_dimension(critics.TWO_SIDED, 2)]
    }
    return Findings(
        claims=[
            name_claim(found, results, settings),
            bound_claim(found, results[sampled(most)], settings),
            gradient_claim(found, settings),
            budget.claim(by_steps, most),
            during_training.claim(in_plane, generators),
        ],
        figures={
            "critic_accuracy": by_dimension(found, results, settings),
            "critic_budget": budget.by_steps(by_steps, most),
            "critic_training": during_training.scatter(
                in_plane, generators, float(law_in(2).measured_w1().value), critics.COLOURS
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


def off(found: dict[str, Tensor], digits: int = 0) -> str:
    """The mean deviation of the value from W1, in words."""
    return f"{found['deviation'].mean():+z.{digits}%}"


def name_claim(found: critics.Found, results: Results, settings: critics.Settings) -> Claim:
    most = max(settings.dimensions)
    cones = ", ".join(
        f"{off(found[critics.ANCHORED, d], 1)} at D = {d}" for d in settings.dimensions
    )
    return Claim(
        id="critic-w1-name",
        source=f"{SOURCE}, Tables 2 and 3",
        statement="The value of a WGAN's critic, a perceptron under a Lipschitz constraint, is "
        "W1.",
        expected=FAILS,
        checks=[
            is_w1(f"{name}, D = {d}", found[name, d])
            for name in critics.TRAINED
            for d in settings.dimensions
        ],
        controls=[
            is_w1(f"{critics.ANCHORED}, D = 2", found[critics.ANCHORED, 2]),
            is_w1(f"{critics.SPECTRAL}, {SHIFTED}", results[SHIFTED]),
        ],
        equation=r"W_1(P, Q) = \max_{\|f\|_L \le 1} E_P[f] - E_Q[f]",
        n_seeds=settings.members,
        figure="critic_accuracy",
        note=f"The cones read {cones}. Exact transport between {settings.transport_points} "
        f"points is off by {off(results[sampled(most)])} at D = {most}.",
    )


def stays_below(what: str, deviation: Tensor) -> Check:
    """Value and W1 are of the same moves, so that only rounding is left to allow for."""
    return Check.at_most(f"{what}: largest value / W1 - 1", 1e-4, deviation.max())


def bound_claim(
    found: critics.Found, transport: dict[str, Tensor], settings: critics.Settings
) -> Claim:
    most = max(settings.dimensions)
    return Claim(
        id="critic-lower-bound",
        source="Arjovsky et al. 2017, arXiv 1701.07875, Equation 2; Anil et al. 2019, arXiv "
        "1811.05381, Section 4",
        statement="A critic that is 1-Lipschitz by construction never measures more than W1.",
        checks=[
            stays_below(f"{name}, D = {d}", found[name, d]["deviation"])
            for name in (critics.SPECTRAL, critics.ORTHOGONAL, critics.SORTED, critics.ANCHORED)
            for d in settings.dimensions
        ],
        controls=[
            stays_below(f"exact transport of samples, D = {most}", transport["deviation"]),
            stays_below(f"{critics.PENALISED}, D = 4", found[critics.PENALISED, 4]["deviation"]),
        ],
        equation=r"E_P[f] - E_Q[f] \le W_1(P, Q)",
        n_seeds=settings.members,
        figure="critic_accuracy",
        note="Value and W1 are read on the same 2048 moves.",
    )


def points_right(what: str, cosine: Tensor) -> Check:
    return Check.at_least(
        f"{what}: cosine of its gradient with the true one, mean of seeds", 0.75, cosine
    )


def gradient_claim(found: critics.Found, settings: critics.Settings) -> Claim:
    most = max(settings.dimensions)
    of = {name: found[name, most] for name in critics.TRAINED}
    orthogonal, penalised = of[critics.ORTHOGONAL], of[critics.PENALISED]
    what = "which is what makes it not W1"
    return Claim(
        id="critic-gradient-worth",
        source=f"{SOURCE}, Section 5.1",
        statement="A critic whose value is not W1 can still point the generator the right way.",
        checks=[
            points_right(f"{critics.ORTHOGONAL}, D = {most}", orthogonal["cosine"]),
            Check.at_least(
                f"{critics.ORTHOGONAL}, D = {most}: |value / W1 - 1|, {what}",
                0.05,
                orthogonal["deviation"].mean().abs(),
                standard_error(orthogonal["deviation"]),
            ),
            *(
                points_right(f"{name}, D = {most}", of[name]["cosine"])
                for name in (critics.SORTED, critics.RELEASED, critics.PENALISED)
            ),
        ],
        controls=[
            points_right(
                f"{critics.PENALISED}, D = {most}, against other points' gradients",
                penalised["shuffled_cosine"],
            ),
            points_right(f"{critics.PENALISED}, D = {most}, negated", -penalised["cosine"]),
            points_right(f"{critics.CLIPPED}, D = {most}", of[critics.CLIPPED]["cosine"]),
        ],
        equation=r"\cos = E \frac{\nabla f \cdot \nabla f^*}{\|\nabla f\| \|\nabla f^*\|}",
        n_seeds=settings.members,
        figure="critic_accuracy",
        note=f"The orthonormal critic's value at D = {most} is off by {off(orthogonal)}, by "
        f"{off(of[critics.SORTED])} where whole layers are sorted and Muon takes as many steps, "
        f"by {off(of[critics.RELEASED])} where a penalty then lets go, the penalised one's by "
        f"{off(penalised, 1)}.",
    )


def table(found: critics.Found) -> list[dict[str, Any]]:
    """One row per critic and dimension: means over seeds."""
    keys = ("cosine", "l2", "deviation", "slope", "steepest", "per_slope")
    return [{"critic": name, "dimension": d, **means(found[name, d], *keys)} for name, d in found]


@captioned
def by_dimension(found: critics.Found, results: Results, settings: critics.Settings) -> Figure:
    """Left: a critic's value, where 1 is right. Right: the direction of its gradient, where 1 is
    right.
    """
    x = list(settings.dimensions)
    figure, left = value_and_cosine(found, critics.COMPARED, x, "dimension")
    by_samples = torch.stack([results[sampled(d)]["deviation"] + 1 for d in x])
    with_band(left, x, by_samples, Colour.EXACT, "exact transport of samples")
    left.set_ylim(-0.05, 2.5)
    left.legend(*[h[-1:] for h in left.get_legend_handles_labels()], fontsize=8)
    return figure
