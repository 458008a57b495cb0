import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import energy_distance, norm
from sklearn.metrics.pairwise import rbf_kernel

from divergences.samples import energy_distance_and_mmd, u_statistic
from divergences.samples.energy_distance_and_mmd import MMD, EnergyDistance
from scripts.lab.known_pairs import CASES
from tests.repeated_samples import calibrate

REPEATS = int(os.environ.get("KERNEL_REPEATS", "100"))
BOTH = (EnergyDistance(), MMD(bandwidth=1.0), MMD())
BY_NAME = {"argvalues": BOTH, "ids": ["energy", "mmd", "mmd by the median"]}


def points(n: int, seed: int, d: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def case(id: str):
    return next(c for c in CASES if c.id == id)


def energy_of_shift(shift: float) -> float:
    """2 int (F - G)^2, SciPy's definition of the squared distance on the line, of two normals."""
    gap = quad(lambda t: (norm.cdf(t) - norm.cdf(t - shift)) ** 2, -12, 12 + shift)[0]
    return 2 * gap


def mmd_of_shift(shift: float, dim: int, h: float = 1.0) -> float:
    # E exp(-|z|^2 / 2h^2) for z normal with mean m and covariance 2I
    scale = (h**2 / (h**2 + 2)) ** (dim / 2)
    return 2 * scale * (1 - math.exp(-(shift**2) / (2 * (h**2 + 2))))


# --- outside oracles


@pytest.mark.parametrize(("n", "m"), [(30, 30), (25, 40)])
def test_energy_is_scipys_squared_distance_less_the_pairs_of_points_with_themselves(n, m):
    x, y = points(n, 0, 1), points(m, 1, 1) + 0.5
    within_x, within_y = ((a - a.T).abs().sum().item() for a in (x, y))
    # SciPy averages over all n^2 pairs, of which n are zero; this over the other n (n - 1)
    themselves = within_x / n**2 / (n - 1) + within_y / m**2 / (m - 1)
    expected = energy_distance(x[:, 0], y[:, 0]) ** 2 - themselves
    assert EnergyDistance()(x, y).value.item() == pytest.approx(expected, abs=1e-12)


def test_mmd_is_the_mean_of_scikit_learns_kernel_over_distinct_pairs():
    x, y, h = points(30, 0), points(20, 1), 0.7
    xx, yy, xy = (rbf_kernel(a, b, 1 / (2 * h**2)) for a, b in ((x, x), (y, y), (x, y)))
    off = [k[~np.eye(len(k), dtype=bool)].mean() for k in (xx, yy)]
    expected = off[0] + off[1] - 2 * xy.mean()
    assert MMD(bandwidth=h)(x, y).value.item() == pytest.approx(expected, abs=1e-12)


def test_median_heuristic_takes_the_median_over_distinct_pairs():
    x, y = points(15, 0), points(12, 1)
    h = torch.pdist(torch.cat([x, y])).median().item()
    assert MMD()(x, y).value.item() == pytest.approx(MMD(h)(x, y).value.item(), abs=1e-14)


# --- truths


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize(
    ("estimator", "truth"),
    [(EnergyDistance(), energy_of_shift), (MMD(1.0), lambda s: mmd_of_shift(s, 1))],
    ids=["energy", "mmd"],
)
def test_is_unbiased_and_its_stderr_is_the_spread_over_samples(estimator, truth, shift):
    values, stderrs, covered, expected = [], [], [], truth(shift)
    for seed in range(300):
        e = estimator(points(60, seed, 1), points(50, 1000 + seed, 1) + shift)
        values.append(e.value.item())
        stderrs.append(e.stderr.item())
        covered.append(bool(e.ci[0] <= expected <= e.ci[1]))
    spread = float(np.std(values))
    assert np.mean(values) == pytest.approx(expected, abs=3.5 * spread / math.sqrt(300))
    assert np.mean(covered) >= 0.9
    assert 0.85 < np.mean(stderrs) / spread < 1.2


@pytest.mark.parametrize(
    ("estimator", "truth"),
    [(EnergyDistance(), lambda: energy_of_shift(1.0)), (MMD(1.0), lambda: mmd_of_shift(1, 1))],
    ids=["energy", "mmd"],
)
def test_error_falls_at_the_declared_rate(estimator, truth):
    sizes = np.array([50, 150, 450])
    c = case("normal 1-D shifted by 1")
    errors = [calibrate(estimator, c, truth(), n, 60).rmse for n in sizes]
    slope = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(estimator.rate, abs=0.15)


@pytest.mark.parametrize("dim", [2, 8])
def test_mmd_has_its_closed_form_in_more_dimensions(dim):
    truth = mmd_of_shift(1.0, dim)
    result = calibrate(MMD(1.0), case(f"normal {dim}-D shifted by 1"), truth, 200, 100)
    assert abs(result.bias) < 3.5 * float(result.values.std()) / 10
    assert result.coverage >= 0.9


# --- identities


@pytest.mark.parametrize("estimator", **BY_NAME)
def test_symmetry_translation_rotation_and_order_of_points(estimator):
    x, y = points(40, 0), points(30, 1) + 1
    turn = torch.linalg.qr(points(2, 2))[0]
    value = estimator(x, y).value.item()
    for a, b in ((y, x), (x + 100, y + 100), (x @ turn, y @ turn), (x.flip(0), y)):
        assert estimator(a, b).value.item() == pytest.approx(value, abs=1e-11)


def test_energy_scales_with_the_data_and_mmd_with_data_and_bandwidth():
    x, y = points(40, 0), points(30, 1) + 1
    energy, mmd = EnergyDistance()(x, y).value.item(), MMD(1.0)(x, y).value.item()
    assert EnergyDistance()(10 * x, 10 * y).value.item() == pytest.approx(10 * energy)
    assert MMD(10.0)(10 * x, 10 * y).value.item() == pytest.approx(mmd)
    assert MMD()(10 * x, 10 * y).value.item() == pytest.approx(MMD()(x, y).value.item())


@pytest.mark.parametrize("estimator", **BY_NAME)
def test_a_member_reads_what_it_reads_alone(estimator):
    x = torch.stack([points(20, s) for s in range(3)])
    y = torch.stack([points(24, s + 9) for s in range(3)])
    together = estimator(x, y)
    for field in ("value", "stderr"):
        alone = [getattr(estimator(a, b), field) for a, b in zip(x, y, strict=True)]
        torch.testing.assert_close(getattr(together, field), torch.stack(alone))


# --- gradients


@pytest.mark.parametrize("estimator", BOTH[:2], ids=["energy", "mmd"])
def test_gradient_equals_finite_differences(estimator):
    x, y = points(5, 0).requires_grad_(), points(6, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: estimator(a, b).value, (x, y))


@pytest.mark.parametrize("estimator", BOTH[:2], ids=["energy", "mmd"])
def test_all_points_equal_read_zero_with_a_finite_gradient(estimator):
    x, y = (torch.ones(6, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    value = estimator(x, y).value
    assert value.item() == 0
    assert all(g.isfinite().all() for g in torch.autograd.grad(value, (x, y)))


# --- bad input


def test_names_a_bandwidth_that_cannot_be():
    with pytest.raises(ValueError, match="bandwidth = 0"):
        MMD(bandwidth=0)
    with pytest.raises(ValueError, match="give a bandwidth"):
        MMD()(torch.ones(6, 2), torch.ones(6, 2))


@pytest.mark.parametrize("estimator", **BY_NAME)
@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        pytest.param(points(9, 0) * math.nan, points(9, 1), "x holds 9 points with NaN", id="NaN"),
        pytest.param(points(9, 0), points(9, 1, 3), "must agree", id="dimensions"),
        pytest.param(points(1, 0), points(9, 1), "at least 2", id="one point"),
    ],
)
def test_says_what_is_wrong_with(estimator, x, y, says):
    with pytest.raises(ValueError, match=says):
        estimator(x, y)


def test_a_bandwidth_whose_square_underflows_only_sees_equal_points():
    """Each point is like itself and like no other."""
    x, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[2.0], [3.0], [4.0]])
    assert MMD(bandwidth=5e-324)(x, y).value == MMD(bandwidth=1e-9)(x, y).value


LAWS = {
    "equal": (lambda z: z, lambda z: z),
    "equal, skewed": (torch.exp, torch.exp),
    "near": (lambda z: z, lambda z: z + 0.3),
    "moderate": (lambda z: z, lambda z: z + 1),
    "far": (lambda z: z, lambda z: z + 5),
    "wider": (lambda z: z, lambda z: 2 * z),
}


@pytest.mark.parametrize("sizes", [(40, 40), (60, 30)], ids=["n = m", "n > m"])
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("laws", LAWS)
def test_errors_are_as_large_as_stated(laws, d, sizes):
    """Over repeats: what is covered is 0 for equal laws, and else the mean of the repeats, which
    without bias is within .06 errors of the truth. The spread of 300 is known to 4 to 8 %."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(REPEATS, n, d, generator=generator).double() for n in sizes)
    of_x, of_y = LAWS[laws]
    alike = laws.startswith("equal")
    for estimator in (EnergyDistance(), MMD(2.0)):
        read = estimator(of_x(x), of_y(y))
        truth = 0.0 * read.value.mean() if alike else read.value.mean()
        low, high = read.ci
        assert 0.85 / 1.08 < (read.stderr.mean() / read.value.std()).item() < 1.2 * 1.08
        missed = ((low > truth) | (high < truth)).double().mean().item()
        assert missed <= 0.1 + 2.5 * math.sqrt(0.1 * 0.9 / REPEATS)


def test_an_infinite_mean_distance_is_said_and_a_finite_one_is_not():
    """Exponential laws that are .3 apart, where mean distances have a sharp end, and lognormal."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 20, 500, 2, generator=generator, dtype=torch.float64)
    assert len(EnergyDistance()(x, y + 1).warnings) <= 1
    assert len(EnergyDistance()(x.exp(), y.exp()).warnings) <= 3
    assert len(EnergyDistance()(x.exp(), 2 * y.exp() + 1).warnings) <= 3
    gaps = x.square().sum(2, keepdim=True), y.square().sum(2, keepdim=True)  # exponential, twice
    assert len(EnergyDistance()(gaps[0], gaps[1] + 0.6).warnings) <= 1
    cauchy = EnergyDistance()(x / y[..., :1], 2 * y / x[..., :1])
    assert len([w for w in cauchy.warnings if "rests on few" in w]) >= 17


# --- work and memory


MEASURED = """
import resource, torch
from divergences import MMD, EnergyDistance
x, y = torch.randn(2, 12_000, 2)
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
EnergyDistance()(x[:100], y[:100]), MMD()(x[:100], y[:100])
before = used()
for estimator in (EnergyDistance(), MMD()):
    estimator(x.requires_grad_(), y).value.backward()
print(used() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_square_of_the_samples():
    """One matrix of 12,000 x 12,000 is 1.2 GB; the limit is a quarter of that, in kB.

    That holds with a gradient, too.
    """
    run = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, check=True)
    assert int(run.stdout) < 300_000


@pytest.mark.parametrize("estimator", **BY_NAME)
def test_values_do_not_depend_on_how_many_rows_are_in_memory(estimator, monkeypatch):
    x, y = points(40, 0).requires_grad_(), points(30, 1) + 1
    whole = estimator(x, y)
    (of_whole,) = torch.autograd.grad(whole.value, x)
    monkeypatch.setattr(u_statistic, "AT_ONCE", 100)
    rows = estimator(x, y)
    (of_rows,) = torch.autograd.grad(rows.value, x)
    for a, b in ((whole.value, rows.value), (whole.stderr, rows.stderr), (of_whole, of_rows)):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e3])
@pytest.mark.parametrize("first", [0.0, 1e6], ids=["no outlier", "an outlier comes first"])
def test_interactions_from_sums_are_those_of_the_whole_matrices(offset, first):
    x, y = points(40, 0), points(30, 1) + offset
    x[0] += first

    def beyond_means(k, among):
        n, m = k.shape
        if among:
            k = k.fill_diagonal_(0)
            rows = columns = k.sum(1) / (n - 1)
        else:
            rows, columns = k.mean(1), k.mean(0)
        rest = k - rows[:, None] - columns + rows.mean()
        return (rest.fill_diagonal_(0) if among else rest).square().sum() / (n * (m - among))

    def distances(a, b):
        return -torch.linalg.vector_norm(a[:, None] - b, dim=-1)

    for a, b, found in (
        (x, x, u_statistic._among(distances, x)[1]),
        (y, y, u_statistic._among(distances, y)[1]),
        (x, y, u_statistic._between(distances, x, y)[2]),
    ):
        direct = beyond_means(distances(a, b), a is b)
        torch.testing.assert_close(found, direct, rtol=1e-9, atol=1e-16 * (first + offset) ** 2)


@pytest.mark.parametrize("kind", [EnergyDistance, MMD])
def test_more_pairs_than_stated_are_refused(kind):
    x, y = points(40, 0), points(30, 1)
    assert kind(most_pairs=70 * 69 // 2)(x, y).value.isfinite()
    with pytest.raises(ValueError, match=r"have 2\.4e\+03 pairs"):
        kind(most_pairs=70 * 69 // 2 - 1)(x, y)
    with pytest.raises(ValueError, match="1000000 and 1000000 points"):
        kind()(torch.zeros(10**6, 1), torch.zeros(10**6, 1))


def test_the_median_of_many_points_is_that_of_some_of_them(monkeypatch):
    x, y = points(300, 0), points(300, 1)
    exact = MMD()(x, y)
    monkeypatch.setattr(energy_distance_and_mmd, "MEDIAN_POINTS", 200)
    assert MMD()(x, y).value.item() == pytest.approx(
        exact.value.item(), abs=0.3 * float(exact.stderr)
    )


# --- units


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e6, 1e160])
def test_the_unit_and_the_origin_change_nothing_else(scale):
    x, y = points(40, 0), points(30, 1) + 1
    for offset in (0.0, 3.0):
        there = [scale * (z + offset) for z in (x, y)]
        read, energy = EnergyDistance()(*there), EnergyDistance()(x, y)
        assert read.value.item() / scale == pytest.approx(energy.value.item(), rel=1e-9)
        assert read.stderr.item() / scale == pytest.approx(energy.stderr.item(), rel=1e-9)
        for here, wide in ((MMD(), MMD()), (MMD(2.0), MMD(2.0 * scale))):
            assert wide(*there).value.item() == pytest.approx(here(x, y).value.item(), rel=1e-9)


@pytest.mark.parametrize("apart", [1e3, 1e8])
def test_the_standard_error_of_far_clusters_is_that_of_their_means(apart):
    """Far apart on the line the energy distance is twice the distance of the means, less what
    each sample's own pairs are: its error is that of the means and does not grow."""
    x, y = points(60, 0, 1), points(60, 1, 1)
    near, far = (EnergyDistance()(x, y + by).stderr.item() for by in (100.0, apart))
    assert far == pytest.approx(near, rel=1e-3)


@pytest.mark.parametrize("estimator", **BY_NAME)
def test_rounded_coordinates_are_said(estimator):
    x, y = (points(50, s).float() + 1e7 for s in (0, 1))
    assert any("are rounded by up to" in w for w in estimator(x, y).warnings)


@pytest.mark.parametrize("estimator", [EnergyDistance(), MMD()], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-6, 1e-3])
def test_the_interval_of_copies_is_about_as_wide_as_that_of_equal_laws(estimator, noise):
    """The variance that points add alone grows with the distance, and no faster than it."""
    draw = np.random.default_rng(0)
    x, y, z = (torch.from_numpy(draw.standard_normal((300, 2))) for _ in range(3))
    for copy in (x + noise * z, (x + noise * z).flip(0)):
        assert estimator(x, copy).ci[1] < 5 * estimator(x, y).ci[1]
