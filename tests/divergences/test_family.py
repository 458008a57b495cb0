"""Every estimator under every change of the samples that must not matter.

An estimator is found by its class, so a new one is tested without being named here. A case is a
pair of laws with known divergences, samples of them, and a chain of changes: of scale, of each
column's unit, of origin, of order, of precision, a rotation, one far outlier, points that occur
twice. What such a change does to a divergence is known. Allowed is an interval that holds the
truth, a warning, ``nan``, or a refusal with a reason. Nothing else is.

``FAMILY_EXAMPLES=1000`` tries as many cases for each estimator (a few by default), and
``FAMILY_SEED=5000`` begins with another one; with ``-s`` the outcomes are counted.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import divergences as dv
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from scripts.lab.known_pairs import CASES, Case
from tests.every_estimator import KINDS, brief

EXAMPLES = int(os.environ.get("FAMILY_EXAMPLES", "0"))
FIRST = int(os.environ.get("FAMILY_SEED", "0"))
SIZES = (64, 200, 512)
INFORMATION = {"kl", "js", "tv"}  # unchanged by every invertible map of both samples
LENGTHS = {"w1", "w2", "sw1", "sw2", "energy", "sinkhorn"}  # in the unit of the data
SQUARES = {"frechet", "sinkhorn2"}
OF_COORDINATES = {"kid"}  # changes with the scale and the origin, by its definition
EXHAUSTED = re.compile("max_iterations").search  # what a solver says when it gives up
REFUSALS = (ValueError, TypeError, NotImplementedError)


TRAINED = {kind for kind in KINDS if brief(kind)}


@dataclass(frozen=True)
class Pair:
    """Two samples, what is known of their laws, and what has been done to them.

    ``back`` maps points to what they were before, and ``log_volume`` is by how much the logarithm
    of a volume has grown since.
    """

    x: Tensor
    y: Tensor
    truth: dict[str, float]
    story: tuple[str, ...] = ()
    scale: float = 1.0
    keeps_lengths: bool = True
    back: Callable[[Tensor], Tensor] = Tensor.double
    log_volume: float = 0.0

    def told(self, sentence: str, **changes: Any) -> Pair:
        return replace(self, story=(*self.story, sentence), **changes)

    def mapped(self, sentence: str, by: Tensor, **changes: Any) -> Pair:
        """Both samples multiplied by a matrix."""
        inverse, grows = torch.linalg.inv(by), float(torch.linalg.slogdet(by).logabsdet)
        return self.told(
            sentence,
            x=self.x @ by,
            y=self.y @ by,
            back=lambda z: self.back(z.double() @ inverse),
            log_volume=self.log_volume + grows,
            **changes,
        )

    @property
    def spread(self) -> Tensor:
        """Of each column, whatever an outlier does: half the range of the middle 68 %."""
        own = self.spreads
        return own.clamp_min(1e-3 * float(own.max()))

    @property
    def spreads(self) -> Tensor:
        """The same, and as small as it is."""
        pooled = torch.cat([self.x, self.y]).double()
        low, high = torch.quantile(pooled, torch.tensor([0.16, 0.84]).double(), dim=0)
        return (high - low) / 2


def built(kind: type[Estimator], case: Case, pair: Pair) -> Estimator | None:
    """The estimator with its defaults, trained briefly if it is trained at all."""
    if kind is dv.KnownDensity:
        if case.densities is None:
            return None
        log_q = case.densities[1].log_prob
        return dv.KnownDensity(lambda points: log_q(pair.back(points)) - pair.log_volume)
    if kind is dv.DataCopying:
        return dv.DataCopying(pair.x)
    if kind is dv.Sinkhorn:
        return dv.Sinkhorn(0.1 * pair.scale, max_iterations=200)
    return kind(**brief(kind))


Change = Callable[[Pair, np.random.Generator], Pair]


def scaled(pair: Pair, rng: np.random.Generator) -> Pair:
    factor = 10 ** rng.uniform(-6, 6)
    by = factor * torch.eye(pair.x.shape[1], dtype=torch.float64)
    return pair.mapped(f"times {factor:.3g}", by, scale=pair.scale * factor)


def other_units(pair: Pair, rng: np.random.Generator) -> Pair:
    factors = torch.from_numpy(10 ** rng.uniform(-5, 5, pair.x.shape[1]))
    return pair.mapped(f"columns times {factors.tolist()}", factors.diag(), keeps_lengths=False)


def moved(pair: Pair, rng: np.random.Generator) -> Pair:
    spreads = torch.from_numpy(rng.choice([-1, 1], pair.x.shape[1]) * 10 ** rng.uniform(0, 6))
    by = spreads * pair.spread
    return pair.told(
        f"moved by {spreads.tolist()} spreads",
        x=pair.x + by,
        y=pair.y + by,
        back=lambda z: pair.back(z.double() - by),
    )


def rotated(pair: Pair, rng: np.random.Generator) -> Pair:
    q = torch.from_numpy(np.linalg.qr(rng.standard_normal((pair.x.shape[1],) * 2))[0])
    return pair.mapped("rotated", q)


def sheared(pair: Pair, rng: np.random.Generator) -> Pair:
    d = pair.x.shape[1]
    left, right = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    by = torch.from_numpy(left @ np.diag(10 ** rng.uniform(-1, 1, d)) @ right)
    return pair.mapped("mapped linearly", by, keeps_lengths=False)


def shuffled(pair: Pair, rng: np.random.Generator) -> Pair:
    x, y = (s[torch.from_numpy(rng.permutation(len(s)))] for s in (pair.x, pair.y))
    return pair.told("in another order", x=x, y=y)


def ordered(pair: Pair, rng: np.random.Generator) -> Pair:
    x, y = (s[s[:, 0].argsort()] for s in (pair.x, pair.y))
    return pair.told("in the order of the first column", x=x, y=y)


def with_outlier(pair: Pair, rng: np.random.Generator) -> Pair:
    """One point of a few hundred: information changes by about 1 / n, transport by anything."""
    spreads = 10 ** rng.uniform(2, 8)
    x, y = pair.x.clone(), pair.y.clone()
    side = x if rng.random() < 0.5 else y
    side[rng.integers(len(side))] += spreads * pair.spread
    return pair.told(f"one point moved by {spreads:.3g} spreads", x=x, y=y, keeps_lengths=False)


def with_duplicates(pair: Pair, rng: np.random.Generator) -> Pair:
    x = pair.x.clone()
    many = max(1, int(len(x) * rng.choice([0.01, 0.1, 0.5])))
    order = torch.from_numpy(rng.permutation(len(x)))  # which points go tells nothing of the law
    x[order[:many]] = x[order[len(x) - many :]]
    return pair.told(f"{many} points twice", x=x)


def in_single_precision(pair: Pair, rng: np.random.Generator) -> Pair:
    return pair.told("in float32", x=pair.x.float(), y=pair.y.float())


def rounded(pair: Pair, rng: np.random.Generator) -> Pair:
    """To so many decimals, as in a text file."""
    step = pair.spreads * 10 ** rng.uniform(-6, -2)  # of each column in its own unit
    step = torch.where(step > 0, step, 1e-300)
    return pair.told(
        f"rounded to {step.tolist()}",
        x=(pair.x / step).round() * step,
        y=(pair.y / step).round() * step,
    )


CHANGES: tuple[Change, ...] = (
    scaled, other_units, moved, rotated, sheared, shuffled, ordered, with_outlier, with_duplicates,
    rounded,
)  # fmt: skip


def drawn(seed: int) -> tuple[Case, Pair, Pair]:
    """A case, samples of it, and the same samples changed."""
    rng = np.random.default_rng(seed)
    case = CASES[rng.integers(len(CASES))]
    n, m = rng.choice(SIZES, 2) if rng.random() < 0.3 else [rng.choice(SIZES)] * 2
    x, y = case.draw(int(n), seed, int(m))
    truths = {name: getattr(case, name) for name in ("kl", "js", "tv", "w1", "w2")}
    plain = Pair(x, y, {k: v for k, v in truths.items() if v is not None}, (case.id, f"{n}, {m}"))
    pair = plain
    for change in rng.permutation(np.array(CHANGES, dtype=object))[: rng.integers(1, 4)]:
        pair = change(pair, rng)
    return case, plain, in_single_precision(pair, rng) if rng.random() < 0.5 else pair


def outcome(estimator: Estimator, pair: Pair) -> tuple[str, Estimate | None]:
    try:
        found = estimator(pair.x, pair.y)
    except (*REFUSALS, RuntimeError) as error:
        if len(str(error)) < 20 or (isinstance(error, RuntimeError) and not EXHAUSTED(str(error))):
            raise
        return "refused", None
    if found.warnings:
        return "warned", found
    assert found.value.isfinite(), "not finite, and no warning"
    assert found.ci[0] <= found.ci[1]
    return "silent", found


def agrees(found: Estimate, truth: float, tolerance: float) -> bool:
    """Whether the truth is no farther from the interval than the interval's half width is long."""
    value, stderr, low, high = (float(t) for t in (found.value, found.stderr, *found.ci))
    slack = max(value - low, 1.96 * stderr, tolerance)
    upward = max(high - value, 1.96 * stderr, tolerance)
    return low - slack <= truth <= high + upward


def check(kind: type[Estimator], seed: int) -> str:
    case, plain, pair = drawn(seed)
    estimator = built(kind, case, pair)
    if estimator is None:
        return "not tried"
    said, found = outcome(estimator, pair)
    quantity = estimator.quantity
    if said != "silent" or found is None:
        return said
    if quantity not in INFORMATION and not pair.keeps_lengths:
        return "not comparable"
    if quantity in OF_COORDINATES and not torch.equal(pair.back(pair.x), pair.x.double()):
        return "not comparable"
    unit = pair.scale if quantity in LENGTHS else pair.scale**2 if quantity in SQUARES else 1.0
    truth = pair.truth.get(quantity)
    margin = 1e-3 * max(abs(truth or 0.0), 1.0 if quantity in INFORMATION else 0.0)
    if truth is None:  # then compare with the samples as they were
        before = built(kind, case, plain)
        assert before is not None
        said, reference = outcome(before, plain)
        if reference is None or said != "silent":
            return "not comparable"
        truth = float(reference.value)
        margin = max(margin, float(reference.ci[1] - reference.value))
    story = f"{found}, the truth is {truth * unit:.6g}"
    assert agrees(found, truth * unit, margin * unit), story
    return "right"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_silent_number_is_right(kind):
    wrong, said = [], Counter()
    for seed in range(FIRST, FIRST + (EXAMPLES or (1 if kind in TRAINED else 8))):
        try:
            said[check(kind, seed)] += 1
        except Exception as error:
            said["wrong"] += 1
            reason = next(iter(str(error).splitlines()), "nothing said")
            wrong.append(f"seed {seed}: {type(error).__name__}: {reason}; {drawn(seed)[2].story}")
    print(f"{kind.__name__}: {dict(said)}")
    assert not wrong, "\n".join([f"{len(wrong)} of {said.total()}", *wrong[:20]])


SORTED_ALIKE = [kind for kind in KINDS if kind not in TRAINED | {dv.DataCopying, dv.KnownDensity}]


@pytest.mark.parametrize("kind", SORTED_ALIKE, ids=lambda kind: kind.__name__)
def test_rows_that_are_sorted_in_both_samples_read_as_rows_at_random(kind):
    """Whatever is chosen among the points is chosen at random, in each sample for itself.

    A random order is the same in each call, so that only other sizes are other cases.
    """
    estimator, gaps = kind(), {"value": [], "floor": []}
    for seed in range(12):
        draw = np.random.default_rng(seed)
        x, y = (torch.from_numpy(draw.standard_normal((140 + seed, 1))) for _ in range(2))
        found = estimator(x, y)
        ordered = estimator(*(z[z[:, 0].argsort()] for z in (x, y)))
        for name, several in gaps.items():
            several.append(float(getattr(ordered, name)) - float(getattr(found, name)))
    for name, several in gaps.items():
        gap = np.array(several)[np.isfinite(several)]
        if len(gap) > 1:
            assert abs(gap.mean()) <= 3.5 * gap.std(ddof=1) / len(gap) ** 0.5 + 1e-9, name
