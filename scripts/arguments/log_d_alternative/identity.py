"""Whose gradient the -log D loss has when the discriminator is optimal."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal
from torch.nn.functional import softplus

from divergences import Quadrature
from divergences.numerical import js_divergence, kl_divergence
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, legends

SOURCE = "Arjovsky & Bottou 2017, arXiv 1701.04862"
EXACTLY = 1e-6
"""Relative error left to two float64 integrations and a difference quotient."""
STEP = 1e-2  # of the five-point difference quotient: its error is of order STEP**4
GRID = torch.linspace(-40, 40, 16_001, dtype=torch.float64)
INTEGRATOR = Quadrature(tolerance=1e-11)


def mixture(weight: Tensor | float, left: Tensor | float, right: Tensor | float) -> Distribution:
    """Normal modes of standard deviation 1, ``weight`` the share of the left one."""
    share, *means = torch.broadcast_tensors(
        *(torch.as_tensor(t, dtype=torch.float64) for t in (weight, left, right))
    )
    modes = Normal(torch.stack(means, -1), torch.ones(2, dtype=torch.float64))
    return MixtureSameFamily(Categorical(torch.stack([share, 1 - share], -1)), modes)


def normal(mean: Tensor | float, sd: Tensor | float) -> Distribution:
    return Normal(
        torch.as_tensor(mean, dtype=torch.float64), torch.as_tensor(sd, dtype=torch.float64)
    )


class Family(NamedTuple):
    """A law of the data, and the generator's as a function of its one parameter."""

    real: Distribution
    fake: Callable[[Tensor], Distribution]
    theta: float


TWO_MODES = mixture(0.5, -3.0, 3.0)
FAMILIES = {
    "mean of a normal law, data normal": Family(normal(0, 1.5), partial(normal, sd=1.0), 1.2),
    "standard deviation of a normal law": Family(normal(0, 1), partial(normal, 0.5), 1.7),
    "mean of a normal law, data two modes": Family(TWO_MODES, partial(normal, sd=1.0), 1.0),
    "place of one of two modes": Family(TWO_MODES, partial(mixture, 0.5, -3.0), 1.5),
    "weight of one of two modes": Family(
        mixture(0.5, -2.0, 2.0), partial(mixture, left=-2.0, right=2.0), 0.2
    ),
}


def loss_gradient(family: Family, theta: float, frozen: bool) -> float:
    """d/dtheta E_Pg[-log D*], with D* held at this theta (``frozen``) or following it."""
    at = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    log_g, log_r = family.fake(at).log_prob(GRID), family.real.log_prob(GRID)
    logit = log_r - log_g
    loss = torch.trapezoid(log_g.exp() * softplus(-(logit.detach() if frozen else logit)), GRID)
    return float(torch.autograd.grad(loss, at)[0])


def data_term_gradient(family: Family, theta: float) -> float:
    """d/dtheta E_Pr[log D*], D* following theta: what the loss has and KL - 2 JS has not."""
    at = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    log_g, log_r = family.fake(at).log_prob(GRID), family.real.log_prob(GRID)
    value = torch.trapezoid(-log_r.exp() * softplus(log_g - log_r), GRID)
    return float(torch.autograd.grad(value, at)[0])


def difference_quotient(function: Callable[[Tensor], Tensor], theta: float) -> float:
    """Derivative by five points, a step apart."""
    points = theta + STEP * torch.tensor([-2.0, -1.0, 1.0, 2.0], dtype=torch.float64)
    weights = torch.tensor([1.0, -8.0, 8.0, -1.0], dtype=torch.float64) / 12
    return float(weights @ function(points)) / STEP


def divergence_gradients(family: Family, theta: float) -> dict[str, float]:
    """d/dtheta of both KLs and of JS, from quadratures of the divergences themselves."""
    real, fake = family.real, family.fake
    values = {
        "KL(Pg||Pr)": lambda t: kl_divergence(fake(t), real, INTEGRATOR).value,
        "KL(Pr||Pg)": lambda t: kl_divergence(real, fake(t), INTEGRATOR).value,
        "JS": lambda t: js_divergence(real, fake(t), INTEGRATOR).value,
    }
    return {name: difference_quotient(value, theta) for name, value in values.items()}


def gradients(name: str, theta: float | None = None) -> dict[str, float]:
    """Every gradient of one family, at its own parameter unless another is given."""
    family = FAMILIES[name]
    theta = family.theta if theta is None else theta
    return {
        "theta": theta,
        "-log D": loss_gradient(family, theta, frozen=True),
        "-log D, following": loss_gradient(family, theta, frozen=False),
        "data term": data_term_gradient(family, theta),
        **divergence_gradients(family, theta),
    }


SWEPT = "mean of a normal law, data two modes"
SWEEP = torch.linspace(-6, 6, 49).tolist()


def every_family() -> dict[str, dict[str, float]]:
    return {name: gradients(name) for name in FAMILIES}


def sweep() -> list[dict[str, float]]:
    return [gradients(SWEPT, theta) for theta in SWEEP]


def experiments(settings: CommonSettings) -> dict[str, Job]:
    return {"along a family": Job(3, sweep), "every family": Job(1, every_family)}


def judge(results: Results, settings: CommonSettings) -> Findings:
    """Claim ``ns-identity``."""
    found = results["every family"]
    return Findings(
        claims=[identity_claim(found)],
        figures={"log_d_identity": identity_figure(results["along a family"])},
        tables={"log_d_identity": [{"family": name} | row for name, row in found.items()]},
    )


def off(row: dict[str, float], measured: str, kl: str, extra: float = 0.0) -> float:
    """Relative error of the gradient ``measured`` as that of ``kl`` - 2 JS (+ ``extra``)."""
    target = row[kl] - 2 * row["JS"] + extra
    return abs(row[measured] - target) / abs(row[measured])


def identity_claim(found: dict[str, dict[str, float]]) -> Claim:
    rows, follows = list(found.values()), "-log D, following"
    frozen = max(off(row, "-log D", "KL(Pg||Pr)") for row in rows)
    following = min(off(row, follows, "KL(Pg||Pr)") for row in rows)
    completed = max(off(row, follows, "KL(Pg||Pr)", row["data term"]) for row in rows)
    reversed_kl = min(off(row, "-log D", "KL(Pr||Pg)") for row in rows)
    return Claim(
        id="ns-identity",
        source=f"{SOURCE}, Theorem 2.5",
        statement="At the optimal discriminator D*, held fixed, the gradient of E[-log D*] is "
        "that of KL(Pg||Pr) - 2 JS(Pr, Pg). It is an identity of gradients, not of values.",
        equation=r"\nabla_\theta E_z [-\log D^*(g_\theta(z))] = \nabla_\theta ["
        r"\mathrm{KL}(P_g \| P_r) - 2 \mathrm{JS}(P_r, P_g)]",
        checks=[
            Check.at_most("relative error, largest of five families", EXACTLY, frozen),
            Check.at_least(
                "D* following theta, as equal values would have it: relative error, least of five",
                0.01,
                following,
            ),
            Check.at_most(
                "... and with the gradient of E_Pr log D* added: relative error, largest of five",
                EXACTLY,
                completed,
            ),
        ],
        controls=[
            Check.at_most(
                "KL the other way round: relative error, least of five", EXACTLY, reversed_kl
            )
        ],
        figure="log_d_identity",
        note="One side is automatic differentiation of the loss, the other a five-point "
        "difference quotient of adaptive quadratures of the divergences; nothing is random. "
        "Often read as E[-log D*] = KL(Pg||Pr) - 2 JS + const, which is false: what is left over, "
        "2 log 2 + E_Pr log D*, moves with theta.",
    )


@captioned
def identity_figure(rows: list[dict[str, float]]) -> Figure:
    """Right: the dots, the gradient of the -log D loss, lie on the sum of the two lines of the
    left.
    """
    figure, (halves, whole) = drawing(9.6, 4.2, 1, 2, sharex=True)
    at = {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}
    theta, pushed = at["theta"], -2 * at["JS"]
    total, turned = at["KL(Pg||Pr)"] + pushed, at["KL(Pr||Pg)"] + pushed
    halves.plot(theta, at["KL(Pg||Pr)"], color=Colour.KL, label="of KL(Pg||Pr)")
    halves.plot(theta, pushed, color=Colour.JS, label="of -2 JS")
    halves.set(ylabel="d/dtheta", title="One pulls together, the other pushes apart")
    whole.plot(theta, total, color=Colour.EXACT, lw=1.4, label="of KL(Pg||Pr) - 2 JS")
    whole.plot(theta, turned, color=Colour.TRAP, lw=1.4, ls="--", label="of KL(Pr||Pg) - 2 JS")
    whole.plot(theta, at["-log D"], "o", ms=4, color=Colour.FIRST, label="of E[-log D*]")
    whole.set_title("Together they are the -log D gradient")
    for axes in (halves, whole):
        axes.axhline(0, color=Colour.EXACT, lw=0.5)
        axes.set_xlabel("theta")
    legends(halves, whole)
    figure.suptitle("Pg = N(theta, 1), data two modes at -3 and 3", fontsize=10)
    return figure
