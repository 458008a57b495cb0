"""The discriminator that training finds, against p / (p + q) and its value."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Categorical, Laplace, MixtureSameFamily, Normal, Uniform
from torch.nn.functional import logsigmoid

from divergences import Discriminator, Quadrature, Streams
from divergences.learned.sources import Source
from divergences.numerical import entropy, js_divergence
from divergences.numerical.integration import Average
from gans import Gaussian
from scripts.arguments.optimal_discriminator.finite_sample import Settings
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band

GOODFELLOW = "Goodfellow et al. 2014, arXiv 1406.2661"
LOG2 = math.log(2)
GAPS = (1.0, 3.0, 8.0)
"""Distances of the two normal laws, of standard deviation 1."""
MARGIN = 6.0
"""Standard deviations beyond both means that the grid covers; 1e-9 of the mass is left out."""
FRESH = 65_536
"""Held-out points of each law: a standard error of the JS below .002."""


@final
@dataclass(frozen=True)
class Shuffled:
    """An even mixture of two laws: where points come from once their labels are shuffled."""

    p: Source
    q: Source

    def draw(self, streams: Streams, n: int) -> Tensor:
        heads = streams.rand(n)[..., None] < 0.5
        return torch.where(heads, self.p.draw(streams, n), self.q.draw(streams, n))


def normals(gap: float) -> tuple[Normal, Normal]:
    """The two laws in float64, for exact values."""
    zero, one = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return Normal(zero, one), Normal(zero + gap, one)


def grid(gap: float, n: int = 2001) -> Tensor:
    return torch.linspace(-MARGIN, gap + MARGIN, n, dtype=torch.float64)


def trained(seeds: Sequence[int], steps: int, shuffled: bool) -> dict[str, Tensor]:
    """Discriminators of all gaps: D on the grid, ``(gaps, seeds, points)``, and the JS read."""
    members = list(seeds) * len(GAPS)
    p, q = Gaussian(0.0), Gaussian(torch.tensor(GAPS).repeat_interleave(len(seeds)))
    seen = (Shuffled(p, q), Shuffled(p, q)) if shuffled else (p, q)
    fit = Discriminator(steps=steps, cooldown=0.5).fit(*seen, members)
    points = torch.stack([grid(gap) for gap in GAPS]).repeat_interleave(len(seeds), 0)
    scores = fit.scores(points.float()[..., None]).double()
    shape = (len(GAPS), len(seeds))
    return {
        "D": scores.sigmoid().unflatten(0, shape),
        "JS": fit.held_out(p, q, FRESH).value.unflatten(0, shape),
    }


def errors(gap: float, discriminator: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the error of D under the even mixture of both laws, and its largest; per seed."""
    p, q = normals(gap)
    x = grid(gap)
    log_p, log_q = p.log_prob(x), q.log_prob(x)
    error = (discriminator - (log_p - log_q).sigmoid()).abs()
    density = (log_p.exp() + log_q.exp()) / 2
    return torch.trapezoid(error * density, x), error.amax(-1)


def experiments(settings: Settings) -> dict[str, Job]:
    seeds, steps = range(settings.seeds), settings.steps
    return {
        "trained": Job(8, trained, seeds, steps, False),
        "trained, labels shuffled": Job(5, trained, seeds, steps // 2, True),
        "values": Job(1, values),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``d-star`` and ``value-identity``."""
    proper, shuffled = results["trained"], results["trained, labels shuffled"]
    return Findings(
        claims=[d_star_claim(proper, shuffled), identity_claim(results["values"])],
        figures={"optimal_discriminator": discriminators(proper)},
    )


def d_star_claim(proper: dict[str, Tensor], shuffled: dict[str, Tensor]) -> Claim:
    def checks(name: str, found: dict[str, Tensor]) -> list[Check]:
        made = []
        for gap, discriminator, js in zip(GAPS, found["D"], found["JS"], strict=True):
            error, where = errors(gap, discriminator)[0], f"{name}normal laws {gap:g} apart"
            exact = float(js_divergence(*normals(gap)).value)
            made += [
                Check.all_at_most(f"{where}: E|D - D*|, worst seed", 0.02, error),
                Check.near(f"{where}: JS read on fresh points", exact, js, 0.01),
            ]
        return made

    worst = [errors(gap, d)[1].max() for gap, d in zip(GAPS, proper["D"], strict=True)]
    return Claim(
        id="d-star",
        source=f"A4; {GOODFELLOW}, Proposition 1",
        statement="A trained discriminator becomes D* = p / (p + q) and measures JS.",
        equation=r"D^*(x) = \frac{p(x)}{p(x) + q(x)}",
        checks=checks("", proper),
        controls=checks("labels shuffled: ", shuffled),
        n_seeds=proper["JS"].shape[-1],
        figure="optimal_discriminator",
        note="The mean is over the even mixture of the two laws: where there are points. The "
        "largest error anywhere is another matter: "
        + ", ".join(f"{w:.2g} at {gap:g} apart" for gap, w in zip(GAPS, worst, strict=True))
        + ". Between two laws that are far apart D turns where no points are, so its slope "
        "there, which a generator would follow, is not that of D*.",
    )


@dataclass(frozen=True)
class Pair:
    """Two densities on a line and a box that holds both."""

    name: str
    p: Any
    q: Any
    box: tuple[float, float]

    @property
    def quadrature(self) -> Quadrature:
        return Quadrature([self.box], tolerance=1e-11)


def law(family: Callable[..., Any], *parameters: float | list[float]) -> Any:
    made = [torch.tensor(parameter, dtype=torch.float64) for parameter in parameters]
    return family(*made, validate_args=False)


def pairs() -> list[Pair]:
    two = MixtureSameFamily(
        Categorical(torch.tensor([0.3, 0.7], dtype=torch.float64)),
        law(Normal, [-3.0, 2.0], [0.5, 1.0]),
    )
    normal = law(Normal, 0.0, 1.0)
    return [
        Pair("normal laws, means 1.5 apart", normal, law(Normal, 1.5, 1.0), (-14, 16)),
        Pair("normal laws, one 3 times as wide", normal, law(Normal, 0.0, 3.0), (-40, 40)),
        Pair("a mixture and a normal law", two, law(Normal, 0.0, 2.0), (-28, 28)),
        Pair("a Laplace and a normal law", law(Laplace, 0.0, 1.0), normal, (-40, 40)),
        Pair(
            "uniform laws that half overlap",
            law(Uniform, 0.0, 2.0),
            law(Uniform, 1.0, 3.0),
            (0, 4),
        ),
        Pair("the same law twice", normal, normal, (-14, 14)),
        Pair("uniform laws apart", law(Uniform, 0.0, 1.0), law(Uniform, 2.0, 3.0), (0, 4)),
    ]


OVERLAPPING = 5
"""How many of the pairs, the first ones, have neither JS = 0 nor JS = log 2."""


@final
@dataclass(frozen=True)
class Even:
    """The even mixture of two densities on a line."""

    p: Any
    q: Any

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.squeeze(-1)
        return torch.logaddexp(self.p.log_prob(x), self.q.log_prob(x)) - LOG2


def value(pair: Pair, scale: float = 1.0, offset: float = 0.0) -> float:
    """V(D) at the logit ``scale log(p/q) + offset``; the optimum is at 1 and 0."""

    def on_real(log_p: Tensor, log_q: Tensor) -> Tensor:
        return logsigmoid(scale * (log_p - log_q) + offset)

    def on_fake(log_q: Tensor, log_p: Tensor) -> Tensor:
        return logsigmoid(-scale * (log_p - log_q) - offset)

    real = pair.quadrature.average(Average("E log D", on_real), pair.p, pair.q)
    fake = pair.quadrature.average(Average("E log(1 - D)", on_fake), pair.q, pair.p)
    return float(real.value + fake.value)


def js_by_entropies(pair: Pair) -> float:
    """JS as the entropy of the mixture less the mean entropy, three integrals that know no D."""
    mixture, p, q = (
        entropy(density, pair.quadrature).value
        for density in (Even(pair.p, pair.q), pair.p, pair.q)
    )
    return float(mixture - (p + q) / 2)


def values() -> list[dict[str, Any]]:
    """For each pair the JS, the value at D*, and at other discriminators."""
    others = [(2.0, 0.0), (0.5, 0.0), (1.0, 0.5), (1.0, -0.5), (-1.0, 0.0)]
    found = []
    for k, pair in enumerate(pairs()):
        row = {"name": pair.name, "JS": js_by_entropies(pair), "V": value(pair)}
        if k < OVERLAPPING:
            row["others"] = [value(pair, *other) for other in others]
        found.append(row)
    return found


def identity_claim(found: list[dict[str, Any]]) -> Claim:
    def identity(where: str, row: dict[str, Any], measured: float) -> Check:
        return Check.near(f"{row['name']}: {where}", 2 * row["JS"] - 2 * LOG2, measured, 1e-9)

    def maximal(where: str, row: dict[str, Any], reference: float) -> Check:
        gain = max(other - reference for other in [row["V"], *row["others"]])
        return Check.at_most(f"{row['name']}: most that another D has over {where}", 1e-9, gain)

    overlapping = found[:OVERLAPPING]
    return Claim(
        id="value-identity",
        source=f"A4; {GOODFELLOW}, Theorem 1",
        statement="At D* the discriminator's objective is 2 JS(P, Q) - 2 log 2, and no other "
        "discriminator reaches it.",
        equation=r"E_{P} [\log D^*] + E_{Q} [\log (1 - D^*)] = 2 \, \mathrm{JS}(P, Q) - 2 \log 2",
        checks=[
            *(identity("V(D*)", row, row["V"]) for row in found),
            *(maximal("D*", row, row["V"]) for row in overlapping),
        ],
        controls=[
            *(identity("V(D), logit moved by 1/2", row, row["others"][2]) for row in overlapping),
            *(maximal("the D moved by 1/2", row, row["others"][2]) for row in overlapping),
        ],
        figure="optimal_discriminator",
        note="By quadrature in float64; JS is taken from entropies, H of the mixture less the "
        "mean H of the two, so that the two sides share no integral. Tolerance: a hundred times "
        "that of the quadrature. The other D have logits a log(p/q) + b with a = 2, 1/2, 1, 1, "
        "-1 and b = 0, 0, 1/2, -1/2, 0.",
    )


@captioned
def discriminators(found: dict[str, Tensor]) -> Figure:
    """Above: the trained discriminator lies on p / (p + q). Below: the error, largest where there
    are no points.
    """
    shared: dict[str, Any] = {"sharex": "col", "sharey": "row", "height_ratios": (2, 1)}
    figure, (above, below) = drawing(7.4, 4.6, 2, 3, **shared)
    for axes, error_axes, gap, discriminator in zip(above, below, GAPS, found["D"], strict=True):
        x, (p, q) = grid(gap), normals(gap)
        shown = slice(None, None, 10)
        some = x[shown].tolist()
        for name, density, colour, aside in (
            ("P", p, Colour.FIRST, -1.2),
            ("Q", q, Colour.TRAP, 1.2),
        ):
            height = density.log_prob(x[shown]).exp()
            axes.fill_between(some, 0, height, color=colour, alpha=0.35, lw=0)
            axes.text(float(density.mean) + aside, 0.26, name, ha="center", fontsize=10)
        optimal = (p.log_prob(x) - q.log_prob(x)).sigmoid()
        axes.plot(some, optimal[shown], color=Colour.EXACT, lw=2.2, label="D*")
        with_band(axes, some, discriminator.T[shown], Colour.JS, "trained D")
        mean = float(errors(gap, discriminator)[0].mean())
        axes.set(xlim=(-3.5, gap + 3.5), ylim=(0, 1.02))
        axes.set_title(f"{gap:g} apart: E|D - D*| = {mean:.1g}", fontsize=10)
        error = (discriminator - optimal).abs().T[shown]
        with_band(error_axes, some, error, Colour.JS, "")
        error_axes.set(yscale="log", ylim=(1e-6, 1), xlabel="x")
    above[0].set(ylabel="P's probability, given x")
    above[0].legend(fontsize=9, loc="upper right")
    below[0].set(ylabel="|D - D*|")
    return figure
