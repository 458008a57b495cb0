import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import energy_distance, norm
from sklearn.metrics.pairwise import rbf_kernel

from divergences.kernel import MMD, EnergyDistance
from tests.cases import CASES, calibrate

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
    # at equal laws the variance of single points is 0, and clipping its noise there adds to it
    assert 0.85 < np.mean(stderrs) / spread < (1.15 if shift else 1.3)


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
