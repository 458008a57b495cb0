"""Random pairs of laws at random scales: right within the interval, a warning, or a refusal.

``NUMERICAL_EXAMPLES=5000`` tries more (15 by default); with ``-s`` the outcomes are counted.
Truths are SciPy's: its densities, averaged over its quantiles by its quadrature.
"""

import math
import os
import random
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp
from torch import distributions as td

from divergences import numerical
from divergences.estimate import Estimate
from divergences.numerical.monte_carlo import MonteCarlo
from divergences.numerical.quadrature import Quadrature

EXAMPLES = int(os.environ.get("NUMERICAL_EXAMPLES", "15"))
SEED = int(os.environ.get("NUMERICAL_SEED", "0"))
REFUSALS = (ValueError, TypeError, NotImplementedError, RuntimeError)
QUANTITIES: dict[str, Callable[..., Estimate]] = {
    "kl": numerical.kl_divergence,
    "js": numerical.js_divergence,
    "tv": numerical.total_variation,
    "entropy": lambda p, _, by: numerical.entropy(p, by),
    "cross_entropy": numerical.cross_entropy,
}


@dataclass(frozen=True)
class Law:
    """A law on the line as torch knows it, and SciPy's components with their weights."""

    torch: td.Distribution
    parts: list[tuple[float, Any]]
    name: str

    def logpdf(self, x: Any) -> Any:
        return logsumexp([math.log(w) + part.logpdf(x) for w, part in self.parts if w], axis=0)

    def covers(self, other: "Law") -> bool:
        """Whether its support holds the other's."""
        reached = []
        for low, high in sorted(part.support() for w, part in self.parts if w):
            if reached and low <= reached[-1][1]:
                reached[-1][1] = max(reached[-1][1], high)
            else:
                reached.append([low, high])
        return all(
            any(low <= a and b <= high for low, high in reached)
            for a, b in (part.support() for w, part in other.parts if w)
        )


def laplace(at: float, s: float) -> Any:
    """SciPy takes logarithms of densities that have underflowed, for this one and the next."""
    found: Any = stats.laplace(at, s)
    found.logpdf = lambda x: -math.log(2 * s) - abs(x - at) / s
    return found


def pareto(s: float, k: float) -> Any:
    found: Any = stats.pareto(k, 0, s)
    found.logpdf = lambda x: np.where(
        x < s, -np.inf, math.log(k / s) - (k + 1) * np.log(np.maximum(x, s) / s)
    )
    return found


FAMILIES = {
    "normal": (td.Normal, lambda a, s, k, j: (a, s), stats.norm),
    "laplace": (td.Laplace, lambda a, s, k, j: (a, s), laplace),
    "cauchy": (td.Cauchy, lambda a, s, k, j: (a, s), stats.cauchy),
    "student": (td.StudentT, lambda a, s, k, j: (k, a, s), stats.t),
    "t2": (td.StudentT, lambda a, s, k, j: (2.0, a, s), stats.t),
    "uniform": (td.Uniform, lambda a, s, k, j: (a, a + s), lambda a, b: stats.uniform(a, b - a)),
    "exponential": (td.Exponential, lambda a, s, k, j: (1 / s,), lambda r: stats.expon(0, 1 / r)),
    "gamma": (td.Gamma, lambda a, s, k, j: (k, 1 / s), lambda k, r: stats.gamma(k, 0, 1 / r)),
    "beta": (td.Beta, lambda a, s, k, j: (k, j), stats.beta),
    "lognormal": (
        td.LogNormal,
        lambda a, s, k, j: (math.log(s), k / 5),
        lambda m, w: stats.lognorm(w, 0, math.exp(m)),
    ),
    "gumbel": (td.Gumbel, lambda a, s, k, j: (a, s), stats.gumbel_r),
    "weibull": (td.Weibull, lambda a, s, k, j: (s, k), lambda s, k: stats.weibull_min(k, 0, s)),
    "pareto": (td.Pareto, lambda a, s, k, j: (s, k), pareto),
    "half normal": (td.HalfNormal, lambda a, s, k, j: (s,), lambda s: stats.halfnorm(0, s)),
    "inverse gamma": (
        td.InverseGamma,
        lambda a, s, k, j: (k, s),
        lambda k, s: stats.invgamma(k, 0, s),
    ),
}


def parameters(rng: random.Random, name: str, scale: float, place: float, dtype: torch.dtype):
    k, j = (10 ** rng.uniform(-0.4, 1.5) for _ in range(2))
    at, s = place + scale * rng.uniform(-2, 2), scale * 10 ** rng.uniform(-1, 1)
    values = torch.tensor(FAMILIES[name][1](at, s, k, j), dtype=torch.float64).to(dtype)
    return values


def law(rng: random.Random, name: str, scale: float, place: float, dtype: torch.dtype) -> Law:
    """A member of a family, or a mixture of them, maybe nested, maybe with a weight of 0."""
    kind, _, known = FAMILIES[name]
    if rng.random() < 0.6:
        values = parameters(rng, name, scale, place, dtype)
        return Law(kind(*values), [(1.0, known(*values.tolist()))], f"{name}{values.tolist()}")
    rows = torch.stack([parameters(rng, name, scale, place, dtype) for _ in range(3)])
    weights = torch.tensor(
        [rng.choice([0.0, 1e-9, 1e-4, 0.1, 0.5]), rng.random(), rng.random()], dtype=dtype
    )
    by = td.Categorical(weights)  # which normalises in their dtype
    shares = by.probs.double() / by.probs.double().sum()
    parts = [(w, known(*row)) for w, row in zip(shares.tolist(), rows.tolist(), strict=True)]
    mixed = td.MixtureSameFamily(by, kind(*rows.T))
    return Law(mixed, parts, f"{name}{rows.tolist()} weighed {weights.tolist()}")


def mean(over: Law, of: Callable[[Any], Any], ends: list[float]) -> tuple[float, float]:
    """The expectation over a law, component by component, and how well it is known.

    In t on either side of a component's median, beyond which there is exp(-t) / 2; cut where
    supports end.
    """
    total = error = 0.0
    steps = np.r_[0, np.geomspace(1e-5, 1, 12), np.arange(1.5, 12, 0.5), np.geomspace(12, 250, 20)]
    for weight, part in over.parts:
        for beyond, back in ((part.cdf, part.ppf), (part.sf, part.isf)) if weight else ():

            def at(t: Any, back=back) -> Any:
                return of(back(np.exp(-t) / 2))

            more = -np.log(2 * beyond(np.array(ends)))
            cuts = np.unique(np.r_[steps, more[(more > 0) & (more < 250)]])
            cuts = np.unique(np.r_[cuts, _kinks(at, cuts)])
            found = [_panels(cuts, n, at) for n in (16, 24)]
            tail = _panels(np.linspace(250, 600, 10), 10, at)  # still alive?
            total = total + weight * found[1]
            error = error + weight * (abs(found[1] - found[0]) + 100 * abs(tail))
    return total, error


def _kinks(at: Callable[[Any], Any], cuts: np.ndarray) -> np.ndarray:
    """Where the integrand becomes exactly 0, by bisection."""
    t = (cuts[:-1, None] + np.diff(cuts)[:, None] * np.linspace(0, 1, 9)[None, :-1]).ravel()
    zero = at(t) == 0
    change = np.flatnonzero(zero[1:] != zero[:-1])
    a, b, left = t[change], t[change + 1], zero[change]
    for _ in range(60):
        middle = (a + b) / 2
        same = (at(middle) == 0) == left
        a, b = np.where(same, middle, a), np.where(same, b, middle)
    return a


def _panels(cuts: np.ndarray, n: int, at: Callable[[Any], Any]) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    size = np.diff(cuts)[:, None] / 2
    t = cuts[:-1, None] + size * (1 + nodes)
    return float((at(t) * np.exp(-t) / 2 * weights * size).sum())


def truth(quantity: str, p: Law, q: Law) -> tuple[float, float]:
    parts = [part for r in (p, q) for _, part in r.parts]
    ends = [end for part in parts for end in (*part.support(), float(part.median()))]
    ends = [end for end in ends if math.isfinite(end)]
    terms: dict[str, Callable[[Any, Any], Any]] = {
        "entropy": lambda a, b: -a,
        "cross_entropy": lambda a, b: -b,
        "kl": lambda a, b: a - b,
        "js": lambda a, b: math.log(2) - np.logaddexp(b - a, 0),
        "tv": lambda a, b: np.maximum(0, -np.expm1(np.minimum(b - a, 0))),
    }
    of = terms[quantity]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if quantity in ("kl", "cross_entropy") and not q.covers(p):
            return math.inf, 0.0
        one = mean(p, lambda x: of(p.logpdf(x), q.logpdf(x)), ends)
        if quantity not in ("js", "tv"):
            return one
        other = mean(q, lambda x: of(q.logpdf(x), p.logpdf(x)), ends)
        return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def outcome(quantity: str, p: Law, q: Law, by: Any) -> tuple[str, str]:
    """``right``, ``warned``, ``refused``, ``unchecked`` or ``wrong``; and what was found."""
    try:
        found = QUANTITIES[quantity](p.torch, q.torch, by)
    except REFUSALS as error:
        if len(str(error)) < 20:
            raise AssertionError("refused without a reason") from error
        return "refused", str(error)
    said = f"{found.value.item()!r} [{found.ci[0].item()!r}, {found.ci[1].item()!r}]"
    if found.warnings:
        return "warned", f"{said} {found.warnings}"
    expected, error = truth(quantity, p, q)
    said += f", true: {expected!r} +- {error:.1e}"
    if not math.isfinite(error):
        return "unchecked", said
    if math.isinf(expected):
        return ("right" if found.value.item() == expected else "wrong"), said
    half = (found.ci[1] - found.ci[0]).item() / 2
    if not error <= min(1e-6 * (1 + abs(expected)) + 0.05 * half, 1e-3 * (1 + abs(expected))):
        return "unchecked", said
    slack = 1.6 * half if isinstance(by, MonteCarlo) else 0.0  # 5 standard errors in all
    slack += 10 * error + 1e-9 * (1 + abs(expected))
    inside = found.ci[0].item() - slack <= expected <= found.ci[1].item() + slack
    return ("right" if inside else "wrong"), said


@pytest.mark.parametrize("way", ["quadrature", "monte carlo"])
def test_no_wrong_number_without_a_warning(way):
    counts, wrong = Counter(), []
    for example in range(EXAMPLES):
        rng = random.Random(f"{SEED} {example} {way}")
        scale = 10 ** rng.choice([0, 0, rng.uniform(-6, 6)])
        place = scale * rng.choice([0, 0, 10 ** rng.uniform(0, 6)])
        dtype = rng.choice([torch.float64, torch.float64, torch.float32])
        names = [rng.choice(sorted(FAMILIES)) for _ in range(2)]
        if rng.random() < 0.4:
            names[1] = names[0]
        pair = [law(rng, name, scale, place, dtype) for name in names]
        by = Quadrature() if way == "quadrature" else MonteCarlo(rng.choice([300, 3000]), example)
        quantity = rng.choice(sorted(QUANTITIES))
        kind, said = outcome(quantity, pair[0], pair[1], by)
        counts[kind] += 1
        if kind == "wrong":
            wrong.append(f"{example}: {quantity} {pair[0].name}, {pair[1].name}, {by}: {said}")
        elif "NUMERICAL_VERBOSE" in os.environ and kind != "right":
            print(example, kind, quantity, pair[0].name, pair[1].name, said)
    print(way, dict(counts))
    assert not wrong, "\n".join(wrong)
    assert counts["right"] > 0.5 * EXAMPLES
