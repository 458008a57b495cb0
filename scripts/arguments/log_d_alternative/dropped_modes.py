"""What KL(Pg||Pr) - 2 JS charges for a mode that is missing and for points where no data are."""

import math
from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal

from divergences import Quadrature, discrete
from divergences.numerical import js_divergence, kl_divergence
from scripts.arguments.log_d_alternative.identity import SOURCE
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, legends

SD = 0.5
"""Of either mode and of the junk between them."""
PLACE = 4.0  # the modes are at plus and minus this
LEFT = torch.logspace(-6, math.log10(0.5), 25, dtype=torch.float64)
"""Shares of the generator's points in the left mode, .5 in the data."""
JUNK = torch.linspace(0.01, 0.3, 30, dtype=torch.float64)
"""Shares of its points midway between the modes, 0 in the data."""
DROPPED = 1e-3
"""Share left in a mode that counts as dropped; without any KL(Pr||Pg) would be infinite."""
INTEGRATOR = Quadrature(tolerance=1e-9)
MINIMISED, COVERING = "KL(Pg||Pr) - 2 JS", "KL(Pr||Pg)"
Objective = Callable[[Distribution, Distribution], Tensor]
"""From the data's law and the generator's to a cost."""


def heaps(shares: dict[float, Tensor]) -> Distribution:
    """Normal laws with these shares at these means; a share of 0 is left out by the caller.

    torch raises a probability of 0 to the smallest float, and a junk point would then find data
    to lie on: a cost without bound gets one.
    """
    weights = torch.stack(torch.broadcast_tensors(*shares.values()), -1)
    means = torch.tensor(list(shares), dtype=torch.float64).expand_as(weights)
    return MixtureSameFamily(Categorical(weights), Normal(means, SD))


def data(place: float = PLACE) -> Distribution:
    half = torch.tensor(0.5, dtype=torch.float64)
    return heaps({-place: half, place: half})


def minimised(real: Distribution, fake: Distribution) -> Tensor:
    """KL(Pg||Pr) - 2 JS, whose gradient the -log D loss has."""
    pulled = kl_divergence(fake, real, INTEGRATOR).value
    return pulled - 2 * js_divergence(real, fake, INTEGRATOR).value


def covering(real: Distribution, fake: Distribution) -> Tensor:
    """KL(Pr||Pg), which maximum likelihood minimises."""
    return kl_divergence(real, fake, INTEGRATOR).value


def of_dropping(objective: Objective, left: Tensor) -> Tensor:
    """Cost of leaving the share ``left`` in the left mode and the rest in the right one."""
    return objective(data(), heaps({-PLACE: left, PLACE: 1 - left}))


def of_junk(objective: Objective, share: Tensor, place: float = PLACE) -> Tensor:
    """Cost of ``share`` of the points midway between the modes."""
    kept = (1 - share) / 2
    return objective(data(place), heaps({-place: kept, 0.0: share, place: kept}))


def dropped_between_far_modes(left: Tensor) -> Tensor:
    """KL(Pg||Pr) - 2 JS of dropping if the modes did not overlap at all: that of two outcomes."""
    real = torch.tensor([0.5, 0.5], dtype=torch.float64).expand(*left.shape, 2)
    fake = torch.stack([left, 1 - left], -1)
    return discrete.kl_divergence(fake, real) - 2 * discrete.js_divergence(real, fake)


def costs() -> dict[str, Tensor]:
    """Both costs of both failures along their shares, and of junk between modes twice as far."""
    some = torch.tensor([0.05, 0.2], dtype=torch.float64)
    dropped = torch.tensor(DROPPED, dtype=torch.float64)
    found = {"twice as far": of_junk(minimised, some[0], 2 * PLACE)}
    for name, objective in ((MINIMISED, minimised), (COVERING, covering)):
        found[f"{name}: dropping"] = of_dropping(objective, LEFT)
        found[f"{name}: dropped"] = of_dropping(objective, dropped)
        found[f"{name}: junk"] = of_junk(objective, JUNK)
        found[f"{name}: some junk"] = of_junk(objective, some)
    return found


def junk_without_overlap(share: float, place: float = PLACE) -> Tensor:
    """KL(Pg||Pr) - 2 JS of junk if it did not overlap the modes at all.

    KL is then that of the junk from the data, weighed by its share, and that of the two outcomes
    "mode" and "junk"; JS is that of the two outcomes alone.
    """
    zero, one = torch.tensor([0.0, 1.0], dtype=torch.float64)
    alone = kl_divergence(Normal(zero, SD * one), data(place), INTEGRATOR).value
    fake = torch.tensor([1 - share, share], dtype=torch.float64)
    js = discrete.js_divergence(torch.stack([one, zero]), fake)
    return share * alone - discrete.entropy(fake) - 2 * js


def experiments(settings: CommonSettings) -> dict[str, Job]:
    return {"costs": Job(1, costs)}


def judge(results: Results, settings: CommonSettings) -> Findings:
    """Claim ``mode-dropping``."""
    cost = results["costs"]
    return Findings(
        claims=[dropping_claim(cost)], figures={"log_d_mode_dropping": dropping_figure(cost)}
    )


def cheap_drop(cost: dict[str, Tensor], objective: str) -> Check:
    dropped = cost[f"{objective}: dropping"][0]
    what = f"{objective}: all but a millionth of a mode dropped, in nats"
    return Check.at_most(what, math.log(2), dropped)


def dear_junk(cost: dict[str, Tensor], objective: str) -> Check:
    ratio = cost[f"{objective}: some junk"][0] / cost[f"{objective}: dropped"]
    what = f"{objective}: 5 % junk against a whole mode dropped, ratio of their costs"
    return Check.at_least(what, 1.0, ratio)


def dropping_claim(cost: dict[str, Tensor]) -> Claim:
    alone = float(dropped_between_far_modes(torch.tensor(DROPPED, dtype=torch.float64)))
    dropped, junk = cost[f"{MINIMISED}: dropped"], cost[f"{MINIMISED}: some junk"]
    return Claim(
        id="mode-dropping",
        source=f"{SOURCE}, Section 2.2.2; A4",
        statement="KL(Pg||Pr) - 2 JS, which the -log D loss descends, barely penalises a dropped "
        "mode and charges points where there are no data without bound.",
        equation=r"\mathrm{KL}(P_g \| P_r) = E_{P_g} \log \frac{p_g}{p_r}, \quad "
        r"\mathrm{KL}(P_r \| P_g) = E_{P_r} \log \frac{p_r}{p_g}",
        checks=[
            Check.near(
                "one of two modes dropped (a thousandth left): cost in nats", alone, dropped, 1e-3
            ),
            cheap_drop(cost, MINIMISED),
            *(
                Check.near(
                    f"{100 * share:g} % junk midway: cost in nats",
                    float(junk_without_overlap(share)),
                    measured,
                    1e-2,
                )
                for share, measured in zip((0.05, 0.2), junk, strict=True)
            ),
            dear_junk(cost, MINIMISED),
            Check.at_least(
                "5 % junk between modes twice as far apart: how often its cost",
                2.0,
                cost["twice as far"] / junk[0],
            ),
        ],
        controls=[cheap_drop(cost, COVERING), dear_junk(cost, COVERING)],
        figure="log_d_mode_dropping",
        note=f"By quadrature; two modes of standard deviation {SD} at -4 and 4. Dropping half "
        f"of the data cannot cost more than log 2 here and costs {dropped:.2f}, where "
        "KL(Pr||Pg), which maximum likelihood minimises, charges "
        f"{cost[f'{COVERING}: dropped']:.2f} with a thousandth left and grows as the log of "
        "that. Junk is the other way round: KL(Pr||Pg) charges "
        f"{cost[f'{COVERING}: some junk'][0]:.2f} for 5 %.",
    )


@captioned
def dropping_figure(cost: dict[str, Tensor]) -> Figure:
    """Left: what it costs to drop a mode; right: what it costs to make points where no data are.
    One divergence barely penalises the first, the other hardly the second.
    """
    figure, (dropping, junk) = drawing(9.6, 4.0, 1, 2)
    for name, colour in ((MINIMISED, Colour.FIRST), (COVERING, Colour.KL)):
        dropping.plot(LEFT, cost[f"{name}: dropping"], color=colour, lw=1.6, label=name)
        junk.plot(JUNK, cost[f"{name}: junk"], color=colour, lw=1.6, label=name)
    some = LEFT[::3]
    exact = dropped_between_far_modes(some)
    dropping.plot(some, exact, "o", ms=4, mfc="none", color=Colour.EXACT, label="exact, far modes")
    dropping.axhline(math.log(2), color=Colour.TRAP, lw=1, ls="--", label="log 2")
    dropping.set(xlabel="share of Pg in the left mode (.5 in the data)", xscale="log")
    dropping.set(ylabel="cost in nats", title="A dropped mode")
    shares = JUNK[::4].tolist()
    exact = [float(junk_without_overlap(share)) for share in shares]
    junk.plot(shares, exact, "o", ms=4, mfc="none", color=Colour.EXACT, label="exact, far modes")
    junk.set(xlabel="share of Pg midway between the modes", title="Points where no data are")
    legends(dropping, junk)
    return figure
