"""Authenticity, data copying, clipped density and coverage: brute force and known truths."""

import math
import os

import numpy as np
import pytest
import torch
from scipy.stats import betabinom, mannwhitneyu
from sklearn.metrics import pairwise_distances

import divergences as dv
from divergences.samples.authenticity import usual_authenticity
from divergences.samples.clipped_coverage import expected_coverage

REPEATS = int(os.environ.get("COVERAGE_REPEATS", "40"))


def normal(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d))


def with_bad_points(seed, good=0.7, n=300, m=200, d=2):
    """Fresh points, and a share of points far from all real ones."""
    rng = np.random.default_rng(3000 + seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    y[rng.random(m) >= good] += 1000
    return x, y


def clipped_by_full_matrices(x, y, k):
    """Both values before calibration, and the normaliser of the density."""
    own = pairwise_distances(x)
    reach = np.sort(own, 1)[:, k]
    clipped = np.minimum(reach, np.median(reach))
    inside = (pairwise_distances(x, y) <= clipped[:, None]).sum(0)
    np.fill_diagonal(own, np.inf)
    usual = (own <= clipped[:, None]).sum(0)
    covered = (pairwise_distances(x, y) < reach[:, None]).sum(1)
    return tuple(np.minimum(counts, k).mean() / k for counts in (inside, usual, covered))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_clipped_values_are_those_of_full_matrices(k):
    x, y = normal(70, 3, 0), 0.7 * normal(50, 3, 1) + 0.5
    inside, usual, covered = clipped_by_full_matrices(x, y, k)
    assert float(dv.ClippedDensity(k=k)(x, y).value) == pytest.approx(inside / usual, abs=1e-12)
    counts = [
        sum(min(j, k) * betabinom(m, k, 70 - k).pmf(j) for j in range(m + 1)) / k
        for m in range(51)
    ]
    assert expected_coverage(70, 50, k) == pytest.approx(counts, abs=1e-12)
    calibrated = np.interp(covered, counts, np.arange(51) / 50)
    assert float(dv.ClippedCoverage(k=k)(x, y).value) == pytest.approx(calibrated, abs=1e-12)


def test_one_outlier_does_not_change_the_clipped_values_much():
    x, y = normal(400, 2, 0), normal(400, 2, 1) + 30
    spoilt = x.copy()
    spoilt[0] = 30
    for kind in (dv.ClippedDensity, dv.ClippedCoverage):
        assert abs(float(kind()(spoilt, y).value) - float(kind()(x, y).value)) < 0.01
    assert float(dv.Precision()(spoilt, y).value) > 0.5  # one ball covers all


def authenticity_by_brute_force(x, y):
    own, across = pairwise_distances(x), pairwise_distances(y, x)
    np.fill_diagonal(own, np.inf)
    nearest = across.argmin(1)
    return (across.min(1) > own.min(1)[nearest]).mean()


@pytest.mark.parametrize("d", [1, 3])
def test_authenticity_is_that_of_full_matrices_and_so_are_its_influences(d):
    x, y = normal(40, d, 0), normal(30, d, 1)
    found = dv.Authenticity()(x, y)
    value = authenticity_by_brute_force(x, y)
    assert float(found.value) == pytest.approx(value, abs=1e-12)
    changes = [
        *(authenticity_by_brute_force(np.delete(x, i, 0), y) - value for i in range(40)),
        *(authenticity_by_brute_force(x, np.delete(y, j, 0)) - value for j in range(30)),
    ]
    of_x, of_y = (np.array(c) - np.mean(c) for c in (changes[:40], changes[40:]))
    variance = of_x @ of_x * 40 / 39 + of_y @ of_y * 30 / 29
    assert float(found.stderr) == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_the_usual_authenticity_is_that_of_mutual_neighbours():
    """By simulation, in a cube without borders."""
    rng, n = np.random.default_rng(0), 800
    for d in (1, 2, 5):
        x = rng.random((n, d))
        gaps = np.abs(x[:, None] - x)
        apart = (np.minimum(gaps, 1 - gaps) ** 2).sum(-1)
        np.fill_diagonal(apart, np.inf)
        nearest = apart.argmin(1)
        mutual = (nearest[nearest] == np.arange(n)).mean()
        assert 1 - mutual == pytest.approx(usual_authenticity(d), abs=0.06)


def test_copies_are_not_authentic():
    x = normal(200, 3, 0)
    noise = 1e-3 * normal(200, 3, 1)
    found = dv.Authenticity()(x, x + noise)
    assert float(found.value) < 0.02
    assert float(found.ci[1]) < float(found.floor)
    assert float(dv.Authenticity()(x, x + 100).value) == 1


@pytest.mark.parametrize("cells", [1, 3])
def test_data_copying_is_the_mann_whitney_statistic_of_distances(cells):
    train, x, y = normal(90, 2, 0), normal(80, 2, 1), 0.8 * normal(70, 2, 2)
    found = dv.DataCopying(train, cells=cells)(x, y)
    apart = [pairwise_distances(z, train).min(1) for z in (y, x)]
    if cells == 1:
        expected = mannwhitneyu(*apart).statistic / (70 * 80)
        assert float(found.value) == pytest.approx(expected, abs=1e-12)
    assert 0 < float(found.value) < 1


def test_a_generator_that_copies_in_one_region_is_seen_by_cells():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [40.0, 0.0]])
    train, x, y = (np.repeat(centres, 300, 0) + rng.standard_normal((600, 2)) for _ in range(3))
    y[:300] = train[:300] + 1e-3 * rng.standard_normal((300, 2))  # copies on the left
    y[300:] = 40 + 3 * rng.standard_normal((300, 2))  # too wide on the right
    y[300:, 1] -= 40
    whole, left = dv.DataCopying(train)(x, y), dv.DataCopying(train[:300])(x[:300], y[:300])
    assert abs(float(whole.value) - 0.5) < 0.2
    assert float(left.ci[1]) < 0.1
    both = dv.DataCopying(train, cells=2)(x, y)
    right = dv.DataCopying(train[300:])(x[300:], y[300:])
    expected = (float(left.value) + float(right.value)) / 2
    assert float(both.value) == pytest.approx(expected, abs=0.02)


def test_cells_without_generated_points_are_said():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0], [100.0]])
    train, x = (np.repeat(centres, 50, 0) + rng.standard_normal((100, 1)) for _ in range(2))
    found = dv.DataCopying(train, cells=2)(x, rng.standard_normal((60, 1)))
    assert "50 of 100 points of x" in found.warnings[0]
    with pytest.raises(ValueError, match="no cell holds 20 points"):
        dv.DataCopying(train, cells=2)(x, rng.standard_normal((10, 1)))
    with pytest.raises(ValueError, match="train has 1 columns and x 2"):
        dv.DataCopying(train)(normal(20, 2, 0), normal(20, 2, 1))


def test_as_many_cells_as_training_points_are_the_most():
    near = np.arange(40)[:, None] / 100
    x, train = np.concatenate([near, 100 + near]), np.array([[0.0], [100.0]])
    assert float(dv.DataCopying(train, cells=2)(x, x + 0.001).value) > 0.4
    with pytest.raises(ValueError, match="cells = 3: there are only 2 training points"):
        dv.DataCopying(train, cells=3)(x, x)


def test_cells_without_points_change_nothing():
    """Training points in two places fill two of ten cells; SciPy warns of the others."""
    train = np.repeat([[0.0], [100.0]], 40, 0)
    rng = np.random.default_rng(0)
    x, y = (train + scale * rng.standard_normal((80, 1)) for scale in (1.0, 1.1))
    parts = [dv.DataCopying(train)(x[half], y[half]) for half in (slice(40), slice(40, None))]
    found = dv.DataCopying(train, cells=10)(x, y)
    assert float(found.value) == pytest.approx(np.mean([float(part.value) for part in parts]))
    assert not found.warnings


def fresh(seed):
    return with_bad_points(seed, good=1.0)


def many_generated(seed):
    rng = np.random.default_rng(5000 + seed)
    return rng.standard_normal((30, 2)), rng.standard_normal((200, 2))


def copied(seed):
    rng = np.random.default_rng(4000 + seed)
    return rng.standard_normal((200, 2)), rng.standard_normal((150, 2))


TRAIN = normal(300, 2, 9)

KNOWN = [
    (dv.ClippedDensity(), 0.7, with_bad_points),
    (dv.ClippedDensity(), 1.0, fresh),
    (dv.ClippedCoverage(), 0.7, with_bad_points),
    (dv.ClippedCoverage(), 1.0, fresh),
    (dv.ClippedCoverage(), 1.0, many_generated),
    (dv.Authenticity(), usual_authenticity(2), fresh),
    (dv.DataCopying(TRAIN), 0.5, copied),
    (dv.DataCopying(TRAIN, cells=3), 0.5, copied),
]


@pytest.mark.parametrize(("estimator", "truth", "pair"), KNOWN)
def test_intervals_hold_the_truth(estimator, truth, pair):
    held = []
    for seed in range(REPEATS):
        found = estimator(*pair(seed))
        if not found.warnings:
            held.append(float(found.ci[0]) <= truth <= float(found.ci[1]))
    assert len(held) >= REPEATS / 2
    assert np.mean(held) >= 0.9 - 2 * math.sqrt(0.09 / REPEATS)


@pytest.mark.parametrize(("n", "m"), [(8, 9000), (9000, 8)])
def test_an_interval_of_coverage_is_no_narrower_than_what_so_few_points_show(n, m):
    found = dv.ClippedCoverage()(normal(n, 2, 0), normal(m, 2, 1))
    assert float(found.ci[0]) < 0.7 < 1.3 < float(found.ci[1])


def test_members_are_measured_one_by_one():
    x, y = torch.randn(2, 40, 2), torch.randn(2, 30, 2)
    for estimator in (dv.ClippedDensity(), dv.ClippedCoverage(), dv.Authenticity()):
        both = estimator(x, y)
        assert float(both.value[1]) == float(estimator(x[1], y[1]).value)
