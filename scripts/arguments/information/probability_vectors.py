"""What information measures promise, tried on random probability vectors."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import entr, rel_entr
from torch import Tensor

from divergences import discrete
from scripts.lab.claims import Check, Claim
from scripts.lab.jobs import Results

OUTCOMES = (2, 3, 10)
"""Lengths of the random vectors."""
ROUNDING = 1e-12
"""What float64 leaves of a sum of ten terms below 700, the largest -log there is."""
LOG2 = math.log(2)
MEASURES = {
    "KL": discrete.kl_divergence,
    "JS": discrete.js_divergence,
    "root of JS": discrete.js_distance,
    "total variation": discrete.total_variation,
}


def random_vectors(random: np.random.Generator, n: int, outcomes: int) -> Tensor:
    """Probability vectors ``(n, outcomes)`` from nearly one-hot to nearly uniform."""
    weights = random.gamma(10 ** random.uniform(-1, 1, (n, 1)), size=(n, outcomes)) + 1e-300
    return torch.from_numpy(weights / weights.sum(-1, keepdims=True))


def without_some(random: np.random.Generator, p: Tensor) -> Tensor:
    """The same vectors with a third of their outcomes, but never all of them, made impossible."""
    keep = torch.from_numpy(random.random(p.shape) > 1 / 3)
    keep[torch.arange(len(p)), p.argmax(-1)] = True
    kept = torch.where(keep, p, 0)
    return kept / kept.sum(-1, keepdim=True)


def apart(a: Tensor, b: Tensor) -> Tensor:
    """The largest difference, where equal infinities agree and any other never do."""
    return torch.where(a == b, 0, (a - b).abs()).max()


def pairs(seeds: Sequence[int], n: int) -> dict[str, float]:
    """The worst of each identity over random pairs, with and without impossible outcomes."""
    found: dict[str, list[Tensor]] = {}
    for seed in seeds:
        for outcomes in OUTCOMES:
            random = np.random.default_rng([seed, outcomes])
            p, q = (random_vectors(random, n, outcomes) for _ in range(2))
            sparse = [without_some(random, law) for law in (p, q)]
            for a, b in ((p, q), (sparse[0], q), (p, sparse[1]), sparse):
                for name, value in of_pair(a, b).items():
                    found.setdefault(name, []).append(value)
    least = {name for name in found if name.startswith("Pinsker")}
    return {
        name: float(torch.stack(values).amin() if name in least else torch.stack(values).amax())
        for name, values in found.items()
    }


def of_pair(p: Tensor, q: Tensor) -> dict[str, Tensor]:
    """How far each identity is off on pairs ``(n, outcomes)``."""
    kl, h, ce = discrete.kl_divergence(p, q), discrete.entropy(p), discrete.cross_entropy(p, q)
    oracle = torch.from_numpy(rel_entr(p.numpy(), q.numpy()).sum(-1))
    tv = discrete.total_variation(p, q)
    differ = tv > 1e-6  # KL keeps a relative accuracy of rounding / TV
    excess = kl[differ] / (2 * tv[differ] ** 2)
    return {
        "SciPy KL": apart(kl, oracle),
        "SciPy KL swapped": apart(discrete.kl_divergence(q, p), oracle),
        "SciPy H": apart(h, torch.from_numpy(entr(p.numpy()).sum(-1))),
        "SciPy H of Q": apart(discrete.entropy(q), torch.from_numpy(entr(p.numpy()).sum(-1))),
        "CE": apart(ce, h + kl),
        "CE swapped": apart(discrete.cross_entropy(q, p), h + kl),
        "itself": discrete.kl_divergence(p, p).max(),
        "another": kl.max(),
        "Pinsker": excess.min(),
        "Pinsker reversed": -excess.max(),
        "gradients": not_finite(discrete.kl_divergence, p, q)
        + not_finite(discrete.cross_entropy, p, q),
        "gradients as written": not_finite(lambda a, b: (a * (a / b).log()).sum(-1), p, q),
    }


def not_finite(measure: Callable[[Tensor, Tensor], Tensor], p: Tensor, q: Tensor) -> Tensor:
    """How many derivatives of ``measure`` are NaN or infinite."""
    p, q = p.clone().requires_grad_(), q.clone().requires_grad_()
    derivatives = torch.autograd.grad(measure(p, q).sum(), (p, q))
    return torch.stack([(~d.isfinite()).sum() for d in derivatives]).sum().double()


def triangles(seeds: Sequence[int], n: int) -> dict[str, dict[str, Tensor]]:
    """Each measure on random triples p, q, r, half of them with q on the way from p to r.

    Returns:
        For each measure its value at (p, r), the largest difference to that at (r, p), and the
        length of the detour (p, q), (q, r) as a multiple of it.
    """
    found: dict[str, dict[str, list[Tensor]]] = {name: {} for name in MEASURES}
    for seed in seeds:
        for outcomes in OUTCOMES:
            random = np.random.default_rng([seed, outcomes])
            p, q, r = (random_vectors(random, n, outcomes) for _ in range(3))
            share = torch.from_numpy(random.random((n // 2, 1)))
            q = torch.cat([share * p[: n // 2] + (1 - share) * r[: n // 2], q[n // 2 :]])
            for name, measure in MEASURES.items():
                direct = measure(p, r)
                seen = {
                    "direct": direct,
                    "asymmetry": (direct - measure(r, p)).abs(),
                    "detour": (measure(p, q) + measure(q, r)) / direct,
                }
                for key, value in seen.items():
                    found[name].setdefault(key, []).append(value)
    return {
        name: {key: torch.cat(values) for key, values in seen.items()}
        for name, seen in found.items()
    }


LENGTHS = torch.linspace(0, 2, 401)
"""Detours, as multiples of the way, up to which triples are counted."""


def detours(seeds: Sequence[int], n: int) -> dict[str, dict[str, Any]]:
    """What is asked of :func:`triangles`, without the triples themselves."""
    return {name: of_triangles(**seen) for name, seen in triangles(seeds, n).items()}


def of_triangles(direct: Tensor, asymmetry: Tensor, detour: Tensor) -> dict[str, Any]:
    """Extremes of one measure, and the share of detours up to each of ``LENGTHS``."""
    return {
        "triples": len(detour),
        "largest": direct.max(),
        "asymmetry": asymmetry.max(),
        "shortest": detour.min(),
        "shorter": (detour < 1 - ROUNDING).sum(),
        "share": torch.histogram(detour.float(), LENGTHS).hist.cumsum(0) / len(detour),
    }


def properties(name: str, f: Callable[[Tensor], Tensor], seeds: int, n: int) -> list[Check]:
    """What makes ``f`` a measure of information, one check for each property."""
    random = np.random.default_rng(seeds)
    a, b = torch.from_numpy(random.uniform(size=(2, seeds * n)))
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    share = (f(low) > f(high)).double().mean()
    together, apart_ = f(a * b), f(a) + f(b)
    return [
        Check.near(f"{name}: farthest I(ab) from I(a) + I(b)", 0, apart(together, apart_), 1e-12),
        Check.near(f"{name}: share of pairs in which the rarer outcome carries more", 1, share, 0),
        Check.near(f"{name}: information of a certain event", 0, f(a.new_ones(1)), 0),
    ]


def properties_claim(seeds: int, n: int) -> Claim:
    tosses = torch.arange(60, dtype=torch.float64)
    bits = discrete.self_information(2.0**-tosses, base=2)
    adds = properties("1 - p", lambda p: 1 - p, seeds, n)[0]
    rarer = properties("-p log p", lambda p: p * discrete.self_information(p), seeds, n)[1]
    certain = properties("1 - log p", lambda p: 1 + discrete.self_information(p), seeds, n)[2]
    return Claim(
        id="info-properties",
        source="A1, A2; Shannon 1948, 10.1002/j.1538-7305.1948.tb01338.x, Section 6",
        statement="The information -log p is larger for a rarer event, zero for a certain one, "
        "and that of independent events adds; the base of the logarithm is a choice of unit.",
        equation=r"I(p) = -\log p, \quad I(p q) = I(p) + I(q), \quad I(1) = 0",
        checks=[
            *properties("-log p", discrete.self_information, seeds, n),
            Check.near("k tosses of a coin: farthest from k bits", 0, apart(bits, tosses), 1e-13),
        ],
        controls=[adds, rarer, certain],
        n_seeds=seeds,
        figure="information_measures",
        note="Each control is a candidate that has two of the three properties and lacks the "
        "third; only the logarithm has them all.",
    )


def gibbs_claim(worst: dict[str, float], seeds: int) -> Claim:
    def scipy(what: str, key: str) -> Check:
        return Check.near(f"farthest {what}", 0, worst[key], ROUNDING)

    def gap(what: str, key: str) -> Check:
        what = f"least {what} / (2 TV^2) where P and Q differ"
        return Check.at_least(what, 1 - 1e-9, worst[key])

    def none(what: str, key: str) -> Check:
        return Check.near(what, 0, worst[key], 0)

    return Claim(
        id="gibbs",
        source="A1, A2; Kullback & Leibler 1951, 10.1214/aoms/1177729694; bound: Pinsker",
        statement="Cross-entropy is at least the entropy, and the excess is KL, which is zero "
        "only if the two laws are the same.",
        equation=r"\mathrm{CE}(P, Q) - H(P) = \mathrm{KL}(P \| Q) = "
        r"\sum_i p_i \log \frac{p_i}{q_i} \ge 2 \, \mathrm{TV}(P, Q)^2 \ge 0",
        checks=[
            scipy("CE from H + KL", "CE"),
            scipy("KL from SciPy's rel_entr", "SciPy KL"),
            scipy("H from SciPy's entr", "SciPy H"),
            gap("KL", "Pinsker"),
            none("largest KL(P || P)", "itself"),
            none("derivatives that are not finite", "gradients"),
        ],
        controls=[
            scipy("CE with arguments swapped from H + KL", "CE swapped"),
            scipy("KL with arguments swapped from SciPy's rel_entr", "SciPy KL swapped"),
            scipy("H of the other law from SciPy's entr", "SciPy H of Q"),
            gap("H - CE, the sign reversed,", "Pinsker reversed"),
            none("largest KL(P || Q)", "another"),
            none("the same of p log(p / q) as it is written", "gradients as written"),
        ],
        n_seeds=seeds,
        figure="information_measures",
        note="Vectors of 2, 3 and 10 outcomes, with a third of the outcomes impossible under P, "
        "under Q, under both or neither; equal infinities agree. Tolerance: rounding.",
    )


def example_claim() -> Claim:
    label = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    guess = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)

    def checks(where: str, p: Tensor, q: Tensor) -> list[Check]:
        return [
            Check.near(f"{where} in nats", 0.3567, discrete.kl_divergence(p, q), 5e-5),
            Check.near(f"{where} in bits", 0.5146, discrete.kl_divergence(p, q, base=2), 5e-5),
        ]

    def reverse(where: str, p: Tensor, q: Tensor) -> Check:
        return Check.near(where, math.inf, discrete.kl_divergence(p, q), 0)

    return Claim(
        id="kl-example",
        source="A3",
        statement="From the label [1, 0, 0] to the guess [.7, .2, .1] KL is log(1/.7): 0.3567 "
        "nats, 0.5146 bits. The other way it is infinite.",
        equation=r"\mathrm{KL}(P \| Q) = \log \frac{1}{0.7}, \quad \mathrm{KL}(Q \| P) = \infty",
        checks=[*checks("KL(P || Q)", label, guess), reverse("KL(Q || P)", guess, label)],
        controls=[
            *checks("swapped: KL(Q || P)", guess, label),
            reverse("swapped: KL(P || Q)", label, guess),
        ],
        figure="information_asymmetry",
        note="Tolerance: the four digits that the article prints.",
    )


def asymmetry_claim(found: Results, seeds: int) -> Claim:
    gap = "largest difference of the two directions"

    def differs(name: str) -> Check:
        return Check.at_least(f"{name}: {gap}", ROUNDING, found[name]["asymmetry"])

    def agrees(name: str) -> Check:
        return Check.at_most(f"{name}: {gap}", ROUNDING, found[name]["asymmetry"])

    def broken(name: str) -> Check:
        what = f"{name}: triples with a detour shorter than the way"
        return Check.at_least(what, 1, found[name]["shorter"])

    def kept(name: str) -> Check:
        what = f"{name}: shortest detour / way"
        return Check.at_least(what, 1 - ROUNDING, found[name]["shortest"])

    def bounded(name: str) -> Check:
        largest = found[name]["largest"] / LOG2
        return Check.at_most(f"{name}: largest value in bits", 1 + ROUNDING, largest)

    return Claim(
        id="asymmetry",
        source="A4; Lin 1991, 10.1109/18.61115; Endres & Schindelin 2003, "
        "10.1109/TIT.2003.813506, Theorem 1",
        statement="KL is not symmetric and breaks the triangle inequality; JS is symmetric and at "
        "most one bit, and its root is a metric.",
        equation=r"\sqrt{\mathrm{JS}(P, R)} \le "
        r"\sqrt{\mathrm{JS}(P, Q)} + \sqrt{\mathrm{JS}(Q, R)}",
        checks=[broken("KL"), differs("KL"), agrees("JS"), bounded("JS"), kept("root of JS")],
        controls=[
            *(broken("total variation"), differs("total variation")),
            *(agrees("KL"), bounded("KL"), kept("JS")),
        ],
        n_seeds=seeds,
        figure="information_asymmetry",
        note=f"{found['KL']['triples']} random triples of 2, 3 and 10 outcomes, in half of which "
        "the stop lies on the segment from one end to the other. JS without the root is no "
        f"metric: its detour can be as short as {float(found['JS']['shortest']):.2f} of the way.",
    )
