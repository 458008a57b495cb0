"""Fréchet distance, KID, precision, recall, density, coverage, C2ST: oracles and known truths."""

import math
import os

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import chi2, norm
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances, roc_auc_score
from sklearn.metrics.pairwise import polynomial_kernel

import divergences as dv
from divergences.samples.rank_probability import probability_above
from divergences.samples.two_sample_classifier import held_out_scores

REPEATS = int(os.environ.get("COVERAGE_REPEATS", "40"))


def normal(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_the_frechet_distance_is_that_of_scipys_matrix_root():
    x, y = normal(80, 5, 0) @ normal(5, 5, 2), normal(60, 5, 1) @ normal(5, 5, 3) + 1
    s, t = np.cov(x.T), np.cov(y.T)
    apart = x.mean(0) - y.mean(0)
    expected = apart @ apart + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))
    assert float(dv.FrechetDistance()(x, y).value) == pytest.approx(expected, rel=1e-10)


def test_the_kernel_distance_is_that_of_scikit_learns_kernel():
    x, y = normal(30, 4, 0), normal(20, 4, 1) + 0.5
    k = [polynomial_kernel(a, b, degree=3, gamma=1 / 4, coef0=1) for a, b in ((x, x), (y, y))]
    own = [(z.sum() - np.trace(z)) / (len(z) * (len(z) - 1)) for z in k]
    expected = sum(own) - 2 * polynomial_kernel(x, y, degree=3, gamma=1 / 4, coef0=1).mean()
    assert float(dv.KernelDistance()(x, y).value) == pytest.approx(expected, rel=1e-10)


def by_brute_force(x, y, k):
    """Precision, recall, density, coverage, from full matrices of distances."""
    reach = [np.sort(pairwise_distances(z), 1)[:, k] for z in (x, y)]
    across = pairwise_distances(x, y)
    inside = across <= reach[0][:, None]
    return (
        inside.any(0).mean(), (across <= reach[1]).any(1).mean(), inside.sum(0).mean() / k,
        inside.any(1).mean(),
    )  # fmt: skip


KINDS = (dv.Precision, dv.Recall, dv.Density, dv.Coverage)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_balls_are_those_of_full_matrices(k):
    x, y = normal(70, 3, 0), 0.7 * normal(50, 3, 1) + 0.5
    for kind, expected in zip(KINDS, by_brute_force(x, y, k), strict=True):
        assert float(kind(k=k)(x, y).value) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", [*KINDS, dv.ClippedDensity, dv.ClippedCoverage])
def test_balls_that_end_where_several_points_are_come_with_a_warning(kind):
    x, y = normal(200, 2, 0), normal(150, 2, 1)
    assert not kind()(x, y).warnings
    # most of these points have equals, and all have 4 places that are equally near
    assert kind()(np.round(2 * x), np.round(2 * y)).warnings


@pytest.mark.parametrize("kind", [dv.Precision, dv.Recall, dv.Density], ids=lambda k: k.__name__)
def test_influences_are_what_leaving_out_a_point_changes(kind):
    x, y = normal(25, 2, 0), normal(20, 2, 1) + 0.5
    estimator = kind(k=2)
    value, influences, _ = estimator._read(torch.from_numpy(x), torch.from_numpy(y))
    for i in range(len(x)):
        left = float(estimator(np.delete(x, i, 0), y).value)
        assert influences[0][i] == pytest.approx(left - value, abs=1e-12)
    for j in range(len(y)):
        left = float(estimator(x, np.delete(y, j, 0)).value)
        assert influences[1][j] == pytest.approx(left - value, abs=1e-12)


def test_the_auc_is_that_of_scikit_learn():
    x, y = normal(60, 2, 0), normal(40, 2, 1) + 0.5
    of_x, of_y, _ = held_out_scores(torch.from_numpy(x), torch.from_numpy(y), 5, 0)
    labels = np.repeat([0, 1], [60, 40])
    expected = roc_auc_score(labels, np.concatenate([of_x, of_y]))
    assert float(dv.ClassifierAUC()(x, y).value) == pytest.approx(expected, abs=1e-12)


def covered(estimator, truth, pair):
    """Share of intervals that hold the truth, of estimates without a warning."""
    held = []
    for seed in range(REPEATS):
        found = estimator(*pair(seed))
        if not found.warnings:
            held.append(float(found.ci[0]) <= truth <= float(found.ci[1]))
    assert len(held) >= REPEATS / 2
    return np.mean(held)


def apart(seed, n=300, m=200, by=1.0, d=2):
    rng = np.random.default_rng(1000 + seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    y[:, 0] += by
    return x, y


def equal(seed):
    return apart(seed, by=0.0)


KNOWN = [
    (dv.FrechetDistance(), 1.0, apart),
    (dv.Density(), 1.0, equal),
    (dv.Coverage(), 1 - math.prod((300 - i) / (500 - i) for i in range(1, 6)), equal),
    (dv.ClassifierAUC(), 0.5, equal),
    (dv.ClassifierAccuracy(), 0.5, equal),
    (dv.KernelDistance(), 0.0, equal),
]


@pytest.mark.parametrize(
    ("estimator", "truth", "pair"), KNOWN, ids=[type(known[0]).__name__ for known in KNOWN]
)
def test_intervals_hold_the_truth(estimator, truth, pair):
    slack = 2 * math.sqrt(0.09 / REPEATS)
    assert covered(estimator, truth, pair) >= 0.9 - slack


def test_the_classifier_is_as_good_as_any_between_shifted_normal_laws():
    x, y = apart(0, 4000, 4000)
    for estimator, best in ((dv.ClassifierAccuracy(), 0.5), (dv.ClassifierAUC(), 0.5**0.5)):
        found = estimator(x, y)
        assert float(found.value) == pytest.approx(norm.cdf(best), abs=3 * float(found.stderr))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nothing_is_covered_where_laws_are_apart(kind):
    assert float(kind()(normal(50, 3, 0), normal(40, 3, 1) + 100).value) == 0


@pytest.mark.parametrize("kind", [dv.Precision, dv.Recall, dv.Coverage])
@pytest.mark.parametrize(("n", "m"), [(20, 20), (29, 200), (60, 20), (60, 60)])
def test_of_a_far_part_the_intervals_hold_the_expectation_or_too_few_points_are_said(kind, n, m):
    values, intervals = [], []
    for seed in range(100):
        x = normal(n, 2, seed)
        x[np.random.default_rng(seed).random(n) < 0.3] += 20
        found = kind()(x, normal(m, 2, 1000 + seed))
        values.append(float(found.value))
        if not found.warnings:
            intervals.append([float(end) for end in found.ci])
    assert bool(intervals) == (min(n, m) >= 10 * kind().k)
    if intervals:
        low, high = np.transpose(intervals)
        assert ((low <= np.mean(values)) & (np.mean(values) <= high)).mean() >= 0.9


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_error_of_the_frechet_distance_is_the_jackknifes(shift):
    """Leaving out one point at a time; the mean's part counts where the means differ."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(50, 2, generator=draw).double(), torch.randn(60, 2, generator=draw).double()
    y[:, 0] = 2 * y[:, 0] + shift
    variance = 0.0
    for k, sample in enumerate((x, y)):
        rest = [torch.cat([sample[:i], sample[i + 1 :]]) for i in range(len(sample))]
        pairs = [(part, y) if k == 0 else (x, part) for part in rest]
        values = torch.stack([dv.FrechetDistance()(*pair).value for pair in pairs])
        variance += float(((values - values.mean()) ** 2).sum()) * (len(rest) - 1) / len(rest)
    found = dv.FrechetDistance()(x, y)
    assert float(found.stderr) == pytest.approx(variance**0.5, rel=0.1)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 600)])
def test_between_equal_laws_the_frechet_distance_ends_where_chance_may_have_moved_it(n, m):
    """The root of its upper end is the 97.5 % point of how far apart the means come to lie."""
    draw = torch.Generator().manual_seed(0)
    pairs = [
        (torch.randn(n, 1, generator=draw), torch.randn(m, 1, generator=draw)) for _ in range(100)
    ]
    ends = torch.stack([dv.FrechetDistance()(*pair).ci[1] for pair in pairs]).sqrt()
    apart = norm.ppf(0.975) * math.sqrt(1 / n + 1 / m)
    assert apart < float(ends.mean()) < 2 * apart


@pytest.mark.parametrize("d", [8, 32, 64])
def test_a_classifier_sees_widths_where_it_has_no_points_for_all_products(d):
    """By the sum of squares, which is of a scaled chi-squared law: the best there is."""
    draw = np.random.default_rng(d)
    x, y = torch.from_numpy(draw.normal(size=(2, 600, d)))
    best = chi2.cdf(d * math.log(1.5**2) / (1 - 1 / 1.5**2), d) / 2
    best += chi2.sf(d * math.log(1.5**2) / (1.5**2 - 1), d) / 2
    found = dv.ClassifierAccuracy()(x, 1.5 * y)
    assert best - 0.1 < float(found.value) < best + 3 * float(found.stderr)
    assert abs(float(dv.ClassifierAccuracy()(x, y).value) - 0.5) < 0.07


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_a_classifier_sees_noise_on_pictures(noise):
    """Most of the pixels near the edge are always black."""
    pictures, _ = load_digits(return_X_y=True)
    pictures = np.asarray(pictures)
    draw = np.random.default_rng(0)
    x = pictures[draw.permutation(len(pictures))[:800]]
    y = pictures[draw.integers(len(pictures), size=800)]
    found = dv.ClassifierAccuracy()(x, y + noise * draw.normal(size=y.shape))
    assert float(found.value) > 0.9


def test_the_error_of_the_auc_is_the_jackknifes():
    """The AUC is a mean of each sample given the other, for which both are equal."""
    draw = np.random.default_rng(0)
    of_x, of_y = (
        draw.integers(6, size=25).astype(float),
        draw.integers(3, 9, size=17).astype(float),
    )

    def auc(x, y):
        label = np.repeat([0, 1], [len(x), len(y)])
        return roc_auc_score(label, np.concatenate([x, y]))

    variance = 0.0
    for size, left_out in (
        (25, [auc(np.delete(of_x, i), of_y) for i in range(25)]),
        (17, [auc(of_x, np.delete(of_y, i)) for i in range(17)]),
    ):
        variance += (size - 1) ** 2 / size * np.var(left_out, ddof=1)
    found = probability_above(of_x, of_y)
    assert found == pytest.approx((auc(of_x, of_y), variance), rel=1e-10)


def test_a_classifier_needs_two_points_of_each_sample_in_a_fold():
    x, y = normal(10, 2, 0), normal(12, 2, 1)
    assert dv.ClassifierAccuracy(folds=5)(x, y).value.isfinite()
    with pytest.raises(ValueError, match="at least 12"):
        dv.ClassifierAccuracy(folds=6)(x, y)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_interval_of_kid_holds_the_normal_one_and_little_more_of_it_where_laws_differ(shift):
    found = dv.KernelDistance()(normal(200, 3, 0), normal(150, 3, 1) + shift)
    value, stderr, (low, high) = float(found.value), float(found.stderr), map(float, found.ci)
    below, above = (value - low) / stderr, (high - value) / stderr
    assert norm.ppf(0.975) <= min(below, above)
    assert below < 1.1 * norm.ppf(0.975)
    if shift:
        assert above < 1.3 * norm.ppf(0.975)
