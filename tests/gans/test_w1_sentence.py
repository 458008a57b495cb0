"""The closing line of a run: what it claims is true as often as its intervals say."""

import math
from functools import cache

import pytest
import torch

from divergences import EarthMover, HeldOutDual, Streams, bounds
from gans.monitors.w1_sentence import CRITIC, EXACT, FLOOR, LOWER, UPPER, w1_bracket
from gans.targets import Gaussian, ParallelSegments, Ring

LAWS = {"segments": ParallelSegments(0.0), "ring": Ring(), "line": Gaussian()}
APART = (Gaussian(0.0, 0.1), Gaussian(1.0, 0.1))
RUNS, N = 100, 40


@cache
def estimates(p, q, members):
    seeds = range(RUNS * members)
    x, y = (
        law.draw(Streams(seeds, side, dtype=torch.float64), N)
        for law, side in ((p, "x"), (q, "y"))
    )
    return x, y, HeldOutDual()(x, y), EarthMover(floor=False)(x, y)


def readings(p, q, members, slope=1.0):
    """What a run that ends at these laws has read: of each run, of each member."""
    x, y, lower, upper = estimates(p, q, members)
    critic = bounds.kantorovich_rubinstein(-slope * x[..., 0], -slope * y[..., 0])
    found = {LOWER: lower, UPPER: upper, CRITIC: critic}
    for run in range(RUNS):
        own = slice(run * members, (run + 1) * members)
        values = {tag: e.value[own] for tag, e in found.items()}
        yield (
            values | {FLOOR: torch.full((members,), 0.1)},
            {tag: e.stderr[own] for tag, e in found.items()},
        )


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("members", [1, 2])
def test_between_equal_laws_false_claims_are_as_rare_as_the_interval_says(law, members):
    """Nominal 2.5 % each: of 100, more than 8 have probability .001."""
    said = [w1_bracket(*read) for read in readings(law, law, members)]
    assert sum("at least" in line for line in said) <= 8
    assert all("not told from 0" in line for line in said if "at least" not in line)
    assert sum("too flat" in line for line in said) <= 8
    assert sum("slope is above 1" in line for line in said) <= 8


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_known_w1_of_zero_is_said_and_a_critic_that_agrees_is_not_blamed(law):
    """Nominal 2.5 % each way: of 100, more than 12 either way have probability .002."""
    blamed = 0
    for values, stderr in readings(law, law, 1):
        said = w1_bracket(values | {EXACT: torch.zeros(1)}, stderr)
        assert said.startswith("W1 is 0 (exact); the critic measures ")
        assert "held-out" not in said
        blamed += "agrees" not in said
    assert blamed <= 12


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [(0.2, "held too flat"), (1.0, "agrees with that"), (3.0, "slope is above 1")],
)
@pytest.mark.parametrize("known", [True, False])
def test_between_laws_apart_a_wrong_slope_is_seen(slope, verdict, known):
    exact = {EXACT: torch.ones(2)} if known else {}
    said = [w1_bracket(values | exact, stderr) for values, stderr in readings(*APART, 2, slope)]
    assert sum(verdict in line for line in said) >= 0.9 * RUNS
    if not known:
        assert sum("at least 0.9" in line for line in said) >= 0.9 * RUNS


def test_the_bracket_is_that_of_the_intervals_of_means():
    """Two members: half the root of the summed squares. .5 - 1.96 x .05 and .8 + 1.96 x .1."""
    values = {
        LOWER: torch.tensor([0.4, 0.6]),
        UPPER: torch.tensor([0.7, 0.9]),
        FLOOR: torch.tensor([0.1, 0.3]),
    }
    stderr = {LOWER: torch.tensor([0.06, 0.08]), UPPER: torch.tensor([0.2, 0.0])}
    assert w1_bracket(values, stderr) == (
        "W1 is at least 0.402 (95 %; held-out dual 0.5 ± 0.098) and at most 0.996 (95 %; "
        "transport between samples, which gives 0.2 between samples of the target)"
    )


@pytest.mark.parametrize("missing", [LOWER, UPPER])
def test_nothing_is_said_without_a_bracket(missing):
    values = {LOWER: torch.ones(2), UPPER: torch.ones(2), FLOOR: torch.ones(2)}
    stderr = {LOWER: torch.ones(2), UPPER: torch.ones(2)}
    assert w1_bracket({}, {}) is None
    assert w1_bracket({t: v for t, v in values.items() if t != missing}, stderr) is None
    unknown = {missing: torch.tensor([1.0, math.nan])}
    said = w1_bracket(values | unknown, stderr)
    assert said is None or (missing == LOWER and "not told from 0" in said)


def test_a_critic_without_an_error_is_not_judged():
    values = {EXACT: torch.ones(1), CRITIC: torch.tensor([9.0])}
    assert w1_bracket(values, {CRITIC: torch.tensor([math.nan])}) == "W1 is 1 (exact)"

    surely, exact = torch.tensor([1e-4]), {EXACT: torch.tensor([0.414])}
    for value, said in ((0.413, "agrees"), (0.3, "too flat"), (0.5, "slope is above 1")):
        read = {**exact, CRITIC: torch.tensor([value])}
        assert said in w1_bracket(read, {CRITIC: surely})
