"""Whether a difference is in a few columns, in many, or in how columns go together."""

import os

import numpy as np
import pytest
import torch
from scipy.stats import binom

from divergences import compare
from divergences.comparison.dependence import equal_dependence
from divergences.comparison.permutations import Pooled
from divergences.comparison.tables import Matched
from divergences.comparison.where import columns, pattern
from divergences.samples.coordinates import in_deviations, standardised

NULLS = int(os.environ.get("DEPENDENCE_NULLS", "15"))


def normal(rng, n, d, correlation=0.0):
    shared = rng.standard_normal((n, 1)) * correlation**0.5
    return shared + (1 - correlation) ** 0.5 * rng.standard_normal((n, d))


def tensors(x, y):
    return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y))


def pattern_of(x, y):
    x, y = tensors(x, y)
    pooled = Pooled.of(x, y, 99, 0)
    pair = Matched(x, y, tuple(f"column {j}" for j in range(x.shape[1])), ("x", "y"))
    found = columns(pair, pooled, in_deviations(standardised(x, y)))
    return pattern(x, y, pooled, found, 0)


ALIKE = {
    "other columns' laws": lambda rng: (normal(rng, 80, 3, 0.6), np.exp(normal(rng, 60, 3, 0.6))),
    "independent and rounded": lambda rng: (
        (rng.random((80, 4)) < 0.2) * 1.0,
        (rng.random((60, 4)) < 0.4) * 1.0,
    ),
    "nearly one line": lambda rng: (normal(rng, 60, 2, 0.95), 5 * normal(rng, 60, 2, 0.95)),
}


@pytest.mark.parametrize("law", ALIKE)
def test_equal_dependence_is_rejected_as_often_as_its_level_says(law):
    found = [
        equal_dependence(*tensors(*ALIKE[law](np.random.default_rng([5, seed]))), 39, seed)
        for seed in range(NULLS)
    ]
    assert sum(p <= 0.05 for p in found) <= binom.ppf(0.999, NULLS, 0.05)


@pytest.mark.parametrize("ties", [False, True])
def test_dependence_does_not_change_with_the_laws_of_columns(ties):
    rng = np.random.default_rng(0)
    x, y = normal(rng, 90, 3, 0.3), normal(rng, 70, 3)
    if ties:
        x, y = x.round(), y.round()
    plain = equal_dependence(*tensors(x, y), 39)
    assert equal_dependence(*tensors(np.exp(2 * x), y**3 - 7), 39) == plain


def test_dependence_without_correlation_is_seen():
    rng = np.random.default_rng(0)
    z = rng.standard_normal(200)
    bent = np.stack([z, z**2 + 0.3 * rng.standard_normal(200)], 1)
    assert abs(np.corrcoef(bent.T).flatten()[1]) < 0.2
    assert equal_dependence(*tensors(normal(rng, 200, 2), bent), 99) == 0.01


@pytest.mark.parametrize("change", ["shift", "scale", "tails"])
def test_many_small_differences_are_said_to_be_in_many_columns(change):
    """Columns are independent in both samples: nothing is to be said of how they go together."""
    rng = np.random.default_rng(0)
    x, y = normal(rng, 300, 20), normal(rng, 300, 20)
    y = {"shift": y + 0.2, "scale": y * 1.12, "tails": rng.standard_t(5, (300, 20))}[change]
    found = pattern_of(x, y)
    assert found.others <= 0.05
    assert not (found.named and found.mostly)
    assert found.together > 0.01


def test_a_column_that_differs_alone_is_the_pattern():
    rng = np.random.default_rng(0)
    x, y = normal(rng, 300, 12), normal(rng, 300, 12)
    y[:, 4] += 0.6
    found = pattern_of(x, y)
    assert found.named == ("column 4",)
    assert found.mostly


def test_where_most_columns_are_seen_to_differ_it_says_how_many():
    rng = np.random.default_rng(0)
    found = compare(normal(rng, 60, 6), normal(rng, 60, 6) + 3, permutations=19)
    assert "in 6 of 6 columns, as in column" in found.sentence
    assert "mostly" not in found.sentence


def test_the_sentence_says_which_of_the_three_it_is():
    rng = np.random.default_rng(1)
    spread = compare(normal(rng, 250, 12), normal(rng, 250, 12) + 0.2, permutations=99)
    assert "in many columns" in spread.sentence
    assert "mostly in" not in spread.sentence
    assert spread.where == ()
    joint = compare(normal(rng, 250, 4), normal(rng, 250, 4, 0.6), permutations=99)
    assert "in no single column, but in how columns go together" in joint.sentence
    both = normal(rng, 250, 4, 0.6) + np.array([0, 0, 1, 0])
    found = compare(normal(rng, 250, 4), both, permutations=99)
    assert "mostly in column 2, and in how columns go together" in found.sentence
