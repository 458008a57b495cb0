"""Which of two samples is closer to a third: brute force, size, intervals, command line."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from divergences import closer
from divergences.comparison.closer import energy_difference
from divergences.comparison.command import main
from divergences.samples.coordinates import standardised

PAIRS = int(os.environ.get("COMPARED_PAIRS", "1"))


def normal(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d))


def energy(x, y):
    def mean(a, b, same):
        apart = np.sqrt(((a[:, None] - b) ** 2).sum(-1))
        return apart.sum() / (len(a) * (len(b) - same))

    return 2 * mean(x, y, 0) - mean(x, x, 1) - mean(y, y, 1)


def test_the_difference_is_that_of_energy_distances_and_its_error_the_jackknifes():
    target, a, b = normal(30, 2, 0), normal(25, 2, 1) + 1, normal(20, 2, 2) * 2
    found = closer(target, a, b)
    scale = (energy(target, a) - energy(target, b)) / float(found.difference.value)
    # columns are standardised: compare in their units

    both = torch.from_numpy(np.concatenate([target, a, b]))
    z, a, b = (part.numpy() for part in standardised(both, both).x.split([30, 25, 20]))
    value = energy(z, a) - energy(z, b)
    assert scale > 0
    assert float(found.difference.value) == pytest.approx(value, rel=1e-10)
    variance = 0.0
    for side in range(3):
        left = []
        for i in range(len((z, a, b)[side])):
            fewer = [np.delete(s, i, 0) if k == side else s for k, s in enumerate((z, a, b))]
            left.append(energy(fewer[0], fewer[1]) - energy(fewer[0], fewer[2]))
        variance += np.var(left) * (len(left) - 1)
    assert float(found.difference.stderr) == pytest.approx(variance**0.5, rel=0.1)


def test_the_closer_one_is_named_whatever_the_order():
    target, a, b = normal(200, 3, 0), normal(200, 3, 1) + 0.2, normal(150, 3, 2) + 1
    found, swapped = closer(target, a, b), closer(target, b, a)
    assert found.winner == "a"
    assert swapped.winner == "b"
    assert found.sentence.startswith("a is closer to target than b (p = .0001)")
    assert float(found.difference.value) == pytest.approx(-float(swapped.difference.value))
    far = closer(target * [1, 1e6, 1] + 3, a * [1, 1e6, 1] + 3, b * [1, 1e6, 1] + 3)
    assert float(far.difference.value) == pytest.approx(float(found.difference.value), rel=1e-6)


def beside(z, a, b):
    return z, a + 0.5, b + 0.5


def on_either_side(z, a, b):
    """Other laws, equal distances."""
    return z, a + np.array([0.5, 0]), b - np.array([0.5, 0])


def far_and_skew(z, a, b):
    return np.exp(z), a + 2, b + 2


@pytest.mark.parametrize("stage", [lambda *s: s, beside, on_either_side, far_and_skew])
@pytest.mark.parametrize("sizes", [(60, 60, 60), (60, 90, 40)], ids=str)
def test_equal_distances_are_told_apart_in_at_most_one_of_twenty_triples(stage, sizes):
    nulls, rejected = max(50, 10 * PAIRS), 0
    for seed in range(nulls):
        rng = np.random.default_rng([5, seed])
        triple = stage(*(rng.standard_normal((n, 2)) for n in sizes))
        found = energy_difference(*map(torch.from_numpy, triple))
        rejected += not float(found.ci[0]) <= 0 <= float(found.ci[1])
    assert rejected / nulls <= 0.06 + 3 * (0.05 * 0.95 / nulls) ** 0.5


def test_three_files(tmp_path, capsys):
    for name, points in (
        ("t", normal(60, 2, 0)),
        ("a", normal(60, 2, 1)),
        ("b", 3 + normal(60, 2, 2)),
    ):
        np.save(tmp_path / f"{name}.npy", points)
    t, a, b = (str(tmp_path / f"{name}.npy") for name in "tab")
    assert main([a, b, "--target", t, "--out", str(tmp_path / "out")]) == 0
    assert "a.npy is closer to t.npy than b.npy (p = .0001)" in capsys.readouterr().out
    held = json.loads((tmp_path / "out" / "closer.json").read_text())
    assert held["winner"] == "a.npy"
    np.save(t, normal(60, 3, 0))
    assert main([a, b, "--target", t]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_copies_of_the_target_are_named():
    target, other = (
        torch.randn(60, 2, generator=torch.Generator().manual_seed(k)) for k in (0, 1)
    )
    found = closer(target, other, target.clone())
    (note,) = found.notes
    assert "60 of 60 rows of 'b' are also in 'target'" in note
    assert f"\n\n! {note}\n\n" in str(found)


def test_what_is_printed_has_no_gap_where_there_are_no_notes():
    found = closer(normal(20, 1, 0), normal(20, 1, 1), normal(20, 1, 2))
    assert not found.notes
    assert len(str(found).split("\n\n")) == 2
    assert "\n\n\n" not in str(found)


def test_one_made_by_hand_of_other_things_than_its_parts_is_refused():
    found = closer(normal(20, 1, 0), normal(20, 1, 1), normal(20, 1, 2))
    with pytest.raises(TypeError, match=r"0\.5 is no Estimate"):
        replace(found, difference=0.5)
    with pytest.raises(ValueError, match="labels holds 1, not 3"):
        replace(found, labels=("target",))


def test_samples_of_one_value_each_are_told_apart():
    found = closer(np.zeros((50, 1)), np.zeros((50, 1)), np.ones((50, 1)))
    assert found.winner == "a"
    few = closer(np.zeros((4, 1)), np.zeros((4, 1)), np.ones((4, 1)))
    assert found.p_value < few.p_value == pytest.approx(2 / 70)  # labels that part 4 from 4
    assert closer(np.arange(9.0), np.ones((9, 1)), np.ones((9, 1))).p_value == 1
