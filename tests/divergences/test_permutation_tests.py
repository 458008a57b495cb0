"""Permutation tests: p-values as SciPy gives them for the same statistic, in any unit."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from divergences.comparison import sufficient_points
from divergences.comparison.permutation_tests import (
    PARTS,
    AggregatedMMDTest,
    CombinedTest,
    EnergyTest,
    MMDTest,
    NeighboursTest,
    SlicedTest,
    cross_fitted,
    evenly,
)
from divergences.comparison.permutations import Pooled, Ranked
from divergences.comparison.sufficient_points import FEWEST, sufficient

PERMUTATIONS = 9999


def mmd(x, y):
    """The biased squared MMD under a Gaussian kernel of the pooled median distance's width."""
    both = np.concatenate([x, y])[:, None]
    apart = cdist(both, both)
    positive = np.sort(apart[apart > 0])
    kernel = np.exp(-((apart / positive[(len(positive) - 1) // 2]) ** 2) / 2)
    signs = np.concatenate([np.full(len(x), 1 / len(x)), np.full(len(y), -1 / len(y))])
    return signs @ kernel @ signs


def same_sample(x, y):
    """How many of the three nearest neighbours are of a point's own sample, each sample's mean."""
    both = np.concatenate([x, y])[:, None]
    apart = cdist(both, both)
    np.fill_diagonal(apart, math.inf)
    own = np.arange(len(both)) < len(x)
    alike = (own[np.argsort(apart, axis=1)[:, :3]] == own[:, None]).sum(1)
    return alike[own].sum() / len(x) ** 2 + alike[~own].sum() / len(y) ** 2 + _mixed(own, apart)


def _mixed(own, apart):
    """Less those of the other sample, weighted alike."""
    other = own[np.argsort(apart, axis=1)[:, :3]] != own[:, None]
    return -other.sum() / (own.sum() * (~own).sum())


ORACLES = {
    "energy": (EnergyTest(PERMUTATIONS), stats.energy_distance),
    "sliced": (SlicedTest(PERMUTATIONS), stats.wasserstein_distance),
    "MMD": (MMDTest(PERMUTATIONS), mmd),
    "neighbours": (NeighboursTest(PERMUTATIONS, k=3), same_sample),
}


@pytest.mark.parametrize(("test", "statistic"), ORACLES.values(), ids=ORACLES)
@pytest.mark.parametrize(("n", "m", "shift"), [(5, 5, 1.0), (4, 6, 0.5), (3, 7, 2.0)])
def test_the_p_value_is_the_share_of_all_labellings(test, statistic, n, m, shift):
    """Of so few points SciPy tries every labelling."""
    draw = np.random.default_rng(n)
    x, y = draw.standard_normal(n), draw.standard_normal(m) + shift
    exact = stats.permutation_test(
        (x, y), statistic, alternative="greater", vectorized=False, n_resamples=10_000
    ).pvalue
    found = float(test(torch.from_numpy(x)[:, None], torch.from_numpy(y)[:, None]).p_value)
    assert found == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / PERMUTATIONS))


@pytest.fixture(scope="module")
def pair():
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 3, generator=draw, dtype=torch.float64) for n in (60, 45))
    y[:, 1] += 0.4
    return x, y


TESTS = [*(kind(199) for kind in PARTS), CombinedTest(199)]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_units_and_precision_do_not_matter(test, pair):
    x, y = pair
    p = float(test(x, y).p_value)
    scale, offset = torch.tensor([1e-6, 1.0, 1e6]).double(), torch.tensor([5.0, -3, 1e3]).double()
    assert float(test(x * scale + offset, y * scale + offset).p_value) == p
    assert float(test(x.float(), y.float()).p_value) == pytest.approx(p, abs=0.011)


@pytest.mark.parametrize(
    "test", [EnergyTest(99), MMDTest(99), AggregatedMMDTest(99), NeighboursTest(99)]
)
def test_statistics_of_distances_do_not_depend_on_their_size(test, pair):
    """Widths are distances between points, so that the same kernels are measured in any unit."""
    pooled = Pooled.of(*pair, 99, 0)
    plain = test.statistics(pooled)
    for times in (0.01, 100):
        found = test.statistics(replace(pooled, points=times * pooled.points))
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_members_are_tested_one_by_one(test, pair):
    x, y = (torch.stack([z, 2 * z.flip(1)]) for z in pair)
    both = test(x, y).p_value
    assert both.tolist() == [float(test(x[k], y[k]).p_value) for k in range(2)]


@pytest.mark.parametrize(("shift", "d"), [(0.6, 1), (1.0, 4)])
def test_of_as_many_points_as_suffice_most_fresh_samples_differ(shift, d):
    draw = np.random.default_rng(d)

    def drawn(n):
        x, y = (torch.from_numpy(draw.standard_normal((n, d))) for _ in range(2))
        y[:, 0] += shift
        return x, y

    found = sufficient(*drawn(800))
    assert found is not None
    assert found.n is not None
    n = found.n[0]
    # two means are told apart in four of five cases by this many points
    least = 2 * (stats.norm.ppf(0.8) + stats.norm.ppf(0.975)) ** 2 / shift**2
    assert 0.6 * least < n < 4 * least
    test = CombinedTest(99)
    seen = sum(float(test(*drawn(n)).p_value) <= 0.05 for _ in range(40))
    # 8 of 10 bound the power by .39 from below, with a chance of 1 % to be wrong
    assert seen > stats.binom.ppf(0.01, 40, stats.beta.ppf(0.01, 8, 3))


def test_where_half_of_the_points_show_nothing_no_number_is_given(pair):
    x, y = pair
    found = sufficient(x, x[: len(y)].roll(1, 1))
    assert found is not None
    assert (found.n, found.half) == (None, (29, 22))
    assert "of 29 and 22 points, fewer than 8" in str(found)
    assert sufficient(x[: 2 * FEWEST - 1], y) is None


class Staged:
    """Stands for the test and for what it is of; gives p-values by outcomes that are staged."""

    outcomes, tried = (), []

    def __init__(self, **settings):
        pass

    @staticmethod
    def of(*samples):
        pass

    def ranked(self, pooled):
        self.tried.append(self.outcomes[len(self.tried)])
        return Ranked(torch.tensor([0.01 if self.tried[-1] else 0.5]), torch.zeros(1))


def test_parts_show_the_difference_where_8_of_10_pairs_do(monkeypatch, pair):
    """Whichever pairs do, and in whatever order; it stops when that is known, and not before."""
    monkeypatch.setattr(sufficient_points, "CombinedTest", Staged)
    monkeypatch.setattr(sufficient_points, "Pooled", Staged)
    for outcomes in itertools.product([True, False], repeat=10):
        Staged.outcomes, Staged.tried = outcomes, []
        assert sufficient_points._seen(*pair, FEWEST, 0) == (sum(outcomes) >= 8)
        known = [k for k in range(10) if sum(outcomes[:k]) >= 8 or k - sum(outcomes[:k]) > 2]
        assert len(Staged.tried) == min(known, default=10)


def test_a_point_is_scored_by_a_ridge_regression_that_has_not_seen_it():
    """Scikit-learn's, of a kernel quadratic in the columns."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(37, 3, generator=generator, dtype=torch.float64)
    labels = torch.randn(37, generator=generator, dtype=torch.float64)
    scores, z = cross_fitted(points), evenly(points)
    kernel = ((z @ z.T / 3 + 1) ** 2).numpy()
    ridge = 0.1 * kernel.diagonal().mean()
    for each in range(37):
        rest = np.arange(37) != each
        model = KernelRidge(alpha=ridge, kernel="precomputed").fit(
            kernel[np.ix_(rest, rest)], labels.numpy()[rest]
        )
        expected = model.predict(kernel[np.ix_(~rest, rest)])
        np.testing.assert_allclose((scores @ labels).numpy()[~rest], expected, rtol=1e-8)


@pytest.mark.parametrize("test", [part(199) for part in PARTS], ids=lambda test: test.name)
@pytest.mark.parametrize("n", [6, 7, 8, 9])
def test_points_that_are_all_equal_are_not_told_apart_by_their_places(test, n):
    x = torch.zeros(n, 2)
    assert float(test(x, x).p_value) == 1


def test_neighbours_that_are_equally_far_share_the_places_that_are_left():
    points = torch.tensor([[0.0], [1.0], [-1.0], [2.0], [-2.0]], dtype=torch.float64)
    found = Pooled(points, torch.zeros(1, 5)).neighbours(3)
    assert found[0].tolist() == [0, 1, 1, 0.5, 0.5]
    assert found.sum(1).tolist() == [3] * 5
