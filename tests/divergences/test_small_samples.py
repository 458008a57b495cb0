"""Few points and rare events: an interval without a warning holds the truth as often as it says.

``SMALL_SAMPLES=400`` takes so many pairs in each cell (6 by default).
"""

import os
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

import divergences as dv
from divergences.samples.few_points import LEAST_OF_SQUARES, Sum

REPEATS = int(os.environ.get("SMALL_SAMPLES", "6"))
UNWARNED = 0.9  # of the intervals that come without a warning, at least, hold the truth


def truths(p, q, at):
    """Of two laws on these values, each quantity from its definition."""
    p, q, at = (np.array(part, float) for part in (p, q, at))
    gaps = np.abs(at[:, None] - at)
    means, squares = (np.array([w @ at**k for w in (p, q)]) for k in (1, 2))
    spreads = np.sqrt(np.maximum(squares - means**2, 0))
    middle = (p + q) / 2
    return {
        "w1": stats.wasserstein_distance(at, at, p, q),
        "energy": stats.energy_distance(at, at, p, q) ** 2,
        "mmd": float((p - q) @ np.exp(-(gaps**2) / 2) @ (p - q)),
        "frechet": float((means[0] - means[1]) ** 2 + (spreads[0] - spreads[1]) ** 2),
        "tv": float(np.abs(p - q).sum() / 2),
        "js": float((stats.entropy(p, middle) + stats.entropy(q, middle)) / 2),
        "kl": float(stats.entropy(p, q)),
    }


BOUNDED = (dv.HistogramTV(), dv.HistogramJS(), dv.HistogramKL())
LENGTHS = (dv.EarthMover(), dv.EarthMover(floor=False), dv.Sliced(), dv.EnergyDistance())
ALL = (*BOUNDED, *LENGTHS, dv.MMD(bandwidth=1.0), dv.FrechetDistance(), dv.HeldOutDual())
ATOMS = {
    "never and rarely": ([1.0, 0.0], [0.98, 0.02]),
    "rarely": ([0.999, 0.001], [0.99, 0.01]),
    "seldom": ([0.99, 0.01], [0.95, 0.05]),
    "often": ([0.5, 0.5], [0.1, 0.9]),
    "never": ([1.0, 0.0], [1.0, 0.0]),
    "never and always": ([1.0, 0.0], [0.0, 1.0]),
    "three categories": ([0.9, 0.09, 0.01], [0.8, 0.15, 0.05]),
}


def held(estimator, draw, truth, repeats=REPEATS):
    """How many intervals come without a warning, and how many of them hold the truth."""
    unwarned = inside = 0
    for seed in range(repeats):
        x, y = (torch.from_numpy(z) for z in draw(np.random.default_rng(seed)))
        found = estimator(x, y)
        low, high = (float(end) for end in found.ci)
        unwarned += not found.warnings
        inside += not found.warnings and low - 1e-9 <= truth <= high + 1e-9
    return inside, unwarned


def assert_often_enough(inside, unwarned):
    if unwarned:
        share = stats.binomtest(inside, unwarned, UNWARNED, alternative="less")
        assert share.pvalue > 1e-3, f"{inside} of {unwarned}"


@pytest.mark.parametrize("n", [10, 50, 300])
@pytest.mark.parametrize("name", ATOMS)
def test_rare_events_are_allowed_for(name, n):
    p, q = ATOMS[name]
    at = np.arange(len(p))
    known = truths(p, q, at)

    def draw(r):
        return [r.choice(at, n, p=w)[:, None].astype(float) for w in (p, q)]

    for estimator in ALL:
        truth = known.get(estimator.quantity, known["w1"])
        assert_often_enough(*held(estimator, draw, truth))


LAWS = {"normal": "standard_normal", "lognormal": "lognormal", "uniform": "random"}


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (4, 4), (6, 6), (20, 20), (3, 200)])
def test_few_points_of_equal_laws_show_no_distance(n, m, d):
    sizes = (n, d), (m, d)
    few = (*LENGTHS, dv.EarthMover(order=2), dv.Sliced(order=2), dv.MMD(bandwidth=1.0))
    for law in LAWS.values():
        for estimator in few:
            count = held(
                estimator, lambda r, law=law: [getattr(r, law)(size=s) for s in sizes], 0.0, 8
            )
            assert_often_enough(*count)


@pytest.mark.parametrize("n", [4, 5, 8, 20])
def test_few_points_of_a_shifted_law_hold_the_shift(n):
    share = 2 * stats.norm.cdf(0.5) - 1
    for estimator, truth in [(e, 1.0) for e in LENGTHS[:3]] + [(dv.HistogramTV(), share)]:
        draw = partial(lambda r, n: [r.normal(k, size=(n, 1)) for k in (0, 1)], n=n)
        assert_often_enough(*held(estimator, draw, truth))


@pytest.mark.parametrize("make", [dv.EarthMover, dv.Sliced, partial(dv.Sinkhorn, 0.3)])
@pytest.mark.parametrize("order", [1, 2])
def test_without_a_floor_the_interval_holds_0_and_says_nothing(make, order):
    r = torch.Generator().manual_seed(0)
    found = make(order=order, floor=False)(*torch.randn(2, 60, 10, generator=r))
    assert found.warnings == ()
    assert found.ci[0] <= 0 < found.value < found.ci[1]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("d", [1, 3])
def test_samples_of_one_value_are_said_to_show_nothing(unit, d):
    x = torch.full((50, d), 3.0, dtype=torch.float64) * unit
    for estimator in (*ALL[:-3], dv.FrechetDistance(), dv.HeldOutDual(), dv.Sinkhorn()):
        same = estimator(x, x.clone())
        assert any(w.startswith("all points of x and y are the same") for w in same.warnings)
    for estimator in (*LENGTHS, dv.FrechetDistance()):
        apart = estimator(x, x + unit)
        assert float(apart.ci[0]) < float(apart.value) < float(apart.ci[1])
        assert any(w.startswith("rests on few") for w in apart.warnings)
    for estimator in BOUNDED[:2]:  # nothing can lie farther apart
        apart = estimator(x, x + unit)
        assert apart.warnings == ()
        assert float(apart.ci[0]) < 0.9 * float(apart.value)


@pytest.mark.parametrize("law", LAWS.values())
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_from_50_points_on_ordinary_samples_are_no_few(law, unit):
    for seed in range(8):
        r = np.random.default_rng(seed)
        x, y = (unit * torch.from_numpy(getattr(r, law)(size=(50, 2))) for _ in range(2))
        for estimator in (*LENGTHS, dv.HeldOutDual(), dv.MMD()):
            few = [w for w in estimator(x, y).warnings if "do not show how wide" in w]
            assert not few


@pytest.mark.parametrize(("n", "m"), [(4, 4), (10, 50), (300, 20)])
def test_the_reach_of_even_terms_is_welchs(n, m):
    a, b = (np.resize([-1.0, 1.0], k) * s for k, s in ((n, 1), (m, 3)))
    error = Sum(*map(torch.from_numpy, (a, b)))
    known = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert error.reach * float(error.variance.sqrt()) == pytest.approx(known.high, rel=1e-9)


@pytest.mark.parametrize("n", [50, 1000])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 5, 8, 13, 20])
def test_the_reach_of_a_rare_event_is_clopper_and_pearsons(k, n):
    terms = torch.zeros(n, dtype=torch.float64)
    terms[:k] = 1
    error = Sum(terms, far=(1.0,))
    known = stats.binomtest(k, n).proportion_ci()
    half = error.reach * float(error.variance.sqrt())
    assert known.high - 0.4 / n < k / n + half < known.high + 2.2 / n
    assert k / n - half < known.low


def test_squares_take_more_points():
    x, y = torch.randn(2, LEAST_OF_SQUARES - 1, 1, generator=torch.Generator().manual_seed(0))
    for estimator in (dv.EarthMover(order=2), dv.FrechetDistance(), dv.KernelDistance()):
        assert any("do not show how wide" in w for w in estimator(x, y).warnings)
