"""Nearest-neighbour estimates where units, far points or the rounding of numbers could mislead."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from divergences.samples.common_space import CommonSpace, _let_out, _pulled_in
from divergences.samples.coordinates import standardised
from divergences.samples.known_density import KnownDensity
from divergences.samples.log_ratio_model import Drift
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS
from scripts.lab.known_pairs import LOG2
from tests.repeated_samples import calibrate, having

TWO_SAMPLE = pytest.mark.parametrize("make", [NearestNeighbours, RossJS], ids=lambda c: c.__name__)


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def holds(estimate, truth: float) -> bool:
    return bool(estimate.ci[0] <= truth <= estimate.ci[1])


def unless_refused(estimator, x, y):
    """The estimate, or ``None`` where so many points coincide that there is none."""
    try:
        return estimator(x, y)
    except ValueError as error:
        if "coincide" not in str(error):
            raise
        return None


# --- units, offsets, far points


@TWO_SAMPLE
def test_columns_in_different_units_read_what_they_read_in_one(make):
    x, y = normal(500, 5, 0), normal(500, 5, 1)
    y[:, 4] += 1.1
    units = torch.tensor([12.0, 20000.0, 0.1, 1.2, 0.01]).double()
    plain, other = make()(x, y), make()(x * units, y * units)
    assert other.value.item() == pytest.approx(plain.value.item(), abs=1e-6)
    assert holds(other, 1.1**2 / 2 if plain.quantity == "kl" else 0.1367)


@TWO_SAMPLE
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("far", [1e2, 9999999.0, 1e30])
def test_one_far_point_between_equal_laws_changes_little(make, dtype, far):
    covered, values = 0, []
    for seed in range(20):
        x, y = normal(200, 2, seed), normal(200, 2, 100 + seed)
        x[5] = far
        estimate = make()(x.to(dtype), y.to(dtype))
        covered += holds(estimate, 0.0)
        values.append(estimate.value.item())
    assert covered >= 16  # three standard deviations below 19
    # the point itself adds the logarithm of how far it is out, at most 72 / 200 a dimension
    assert abs(np.mean(values)) < 0.05 + 2 * math.log1p(math.log1p(far)) / 200


@TWO_SAMPLE
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("offset", [3e5, 1e6, 1e8])
def test_equal_laws_far_from_zero_in_float32_read_zero_or_are_refused(make, dim, offset):
    x, y = ((normal(300, dim, seed) + offset).float() for seed in (0, 1))
    estimate = unless_refused(make(), x, y)
    if estimate is not None:
        assert holds(estimate, 0.0) or estimate.warnings
        assert estimate.value.abs() < 0.5


@TWO_SAMPLE
@pytest.mark.parametrize("theta", [1e-12, 1e-6, 1e-3])
def test_segments_hardly_apart_at_zero_are_apart_in_float32(make, theta):
    heights = normal(200, 2, 0).float()
    x, y = (
        torch.stack([torch.full((200,), at), heights[:, i]], 1) for i, at in ((0, 0.0), (1, theta))
    )
    estimate = make()(x, y)
    assert estimate.value.item() == pytest.approx(
        math.inf if estimate.quantity == "kl" else LOG2, abs=1e-6
    )


@TWO_SAMPLE
def test_segments_apart_by_about_a_rounding_are_not_silent(make):
    heights, step = normal(200, 2, 0).float(), 2.0**-23
    x, y = (torch.stack([torch.full((200,), 1 + i * 2 * step), heights[:, i]], 1) for i in (0, 1))
    assert [w for w in make()(x, y).warnings if w.startswith("unresolved")]


@TWO_SAMPLE
def test_points_as_near_as_their_numbers_are_called_rounded(make):
    x, y = ((normal(400, 4, seed) + 1e6).float() for seed in (0, 1))
    assert [w for w in make()(x, y).warnings if w.startswith("rounded")]


def test_the_space_of_the_same_points_is_found_once(monkeypatch):
    found = []
    monkeypatch.setattr(
        "divergences.samples.common_space.standardised",
        lambda *points: found.append(1) or standardised(*points),
    )
    x, y = torch.randn(2, 3, 60, 2, generator=torch.Generator().manual_seed(77))
    for estimator in (RossJS(), NearestNeighbours(), RossJS()):
        estimator(x, y)
    assert len(found) == 3  # one of each member
    y[0, 0] += 1e-6
    RossJS()(x, y)
    assert len(found) == 4


def test_known_density_knows_the_volume_of_its_coordinates():
    factor = torch.tensor([[1e3, 0.0], [1.0, 1e-3]]).double()
    q = MultivariateNormal(torch.full((2,), 1e4).double(), scale_tril=factor)
    estimate = KnownDensity(q.log_prob)(normal(1000, 2, 0) @ factor.T + 1e4)
    assert estimate.value.abs() < 0.1
    assert holds(estimate, 0.0)


def test_the_logarithm_of_the_volume_is_that_of_the_map_by_differences():
    x, h = normal(200, 2, 0), 1e-6
    x[3] = 50.0
    moved = torch.cat([x, x + torch.tensor([h, 0.0]), x + torch.tensor([0.0, h])])
    # the map is set by x and y: three times the same points keep medians and quantiles in place
    space = CommonSpace.of(moved, moved)
    at, right, up = np.split(space.x, 3)
    area = np.abs(np.linalg.det(np.stack([right - at, up - at], 1))) / h**2
    np.testing.assert_allclose(space.log_volume[:200], np.log(area), atol=1e-3)


# --- the drift of log p/q


def test_the_drift_of_a_log_quadratic_ratio_removes_the_bias():
    """Between normal laws log p/q is quadratic: what is left is the noise of 20 repeats."""
    for case in having("kl", smooth=True):
        assert case.kl is not None
        if case.id in ("normal 2-D scaled by 0.5", "normal 2-D shifted by 1"):
            result = calibrate(NearestNeighbours(), case, case.kl, 1024, 20)
            assert abs(result.bias) < 3.5 * float(result.values.std()) / math.sqrt(20)


@pytest.mark.parametrize("bent", [False, True])
def test_how_far_out_a_far_point_is_does_not_matter_to_the_model(bent):
    """A quadratic function would rise without end there, and one point outweigh all others."""
    x, y = normal(200, 2, 0).numpy(), normal(200, 2, 1).numpy() + 0.5

    def ratios(far):
        moved = np.where(np.arange(400).reshape(200, 2) == 5, far, x)
        drift = Drift.between(moved, y, bent)
        assert drift is not None
        return drift.ratios

    assert (ratios(6.5) == ratios(1e9)).all()
    assert (ratios(5.5) != ratios(6.5)).any()


def test_no_model_is_fitted_to_too_few_points():
    few = normal(40, 8, 0).numpy()
    assert Drift.between(few, few + 1) is None


def test_influences_of_the_model_are_its_derivatives():
    """Leaving out one point that the model is made from changes the mean by minus influence / n.

    Not the other way round: the points that are read stay all the same.
    """
    x, y = normal(200, 2, 0).numpy(), normal(200, 2, 1).numpy() + 0.5
    drift = Drift.between(x, y)
    assert drift is not None
    near = np.argsort(((x[:, None] - x) ** 2).sum(-1), 1)[:, 1:6]
    near_y = np.argsort(((x[:, None] - y) ** 2).sum(-1), 1)[:, :5]
    by_y = np.arange(200) % 3 == 0
    of_x, of_y = drift.within(near, near_y, by_y).influences()
    for influences in (of_x, of_y):
        assert abs(influences.mean()) < 0.2 * influences.std()
    values = []
    for seed in range(60):  # the model's part of the spread, from fresh models on fixed points
        a, b = normal(200, 2, 10 + seed).numpy(), normal(200, 2, 100 + seed).numpy() + 0.5
        fresh = Drift.between(a, b)
        assert fresh is not None
        ratios = drift.read(drift.points, drift.features, fresh.models)
        moved = replace(drift, models=fresh.models, ratios=ratios)
        values.append(moved.within(near, near_y, by_y).added().mean())
    expected = math.sqrt(of_x.var() / 200 + of_y.var() / 200)
    assert 0.6 < expected / float(np.std(values)) < 1.6


# --- settings


@pytest.mark.parametrize("make", [NearestNeighbours, RossJS], ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("k", "error"), [(3.3, TypeError), (True, TypeError), ("5", TypeError), (10**30, ValueError)]
)
def test_neighbours_are_counted_in_whole_numbers(make, k, error):
    with pytest.raises(error, match="k = "):
        make(k=k)
    with pytest.raises(error, match="k = "):
        KnownDensity(torch.sin, k=k)


def test_check_support_is_yes_or_no():
    with pytest.raises(TypeError, match="check_support"):
        NearestNeighbours(check_support="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("d", [19, 40, 100])
@pytest.mark.parametrize("estimator", [RossJS(), NearestNeighbours()], ids=["JS", "KL"])
def test_fewer_points_than_dimensions_are_said(estimator, d):
    """Between equal laws the JS of 20 points in 40 dimensions was .71, without a word."""
    x, y = torch.randn(2, 20, d, generator=torch.Generator().manual_seed(0)).double()
    assert any("no more points than" in warning for warning in estimator(x, y).warnings)


@TWO_SAMPLE
def test_fewer_points_than_dimensions_are_measured_as_they_are_and_doubted(make):
    """Correlations that chance gives would make every law its own."""
    x, y = normal(60, 200, 0).float(), normal(60, 200, 1).float()
    found = make()(x, y)
    assert abs(float(found.value)) < 0.5
    kinds = {warning.partition(":")[0] for warning in found.warnings}
    assert "few" in kinds
    assert "rounded" not in kinds
    assert make()(x, y + 1.0).value > 0.6


def test_far_tails_can_be_let_out_again():
    points = np.random.default_rng(0).standard_cauchy((500, 3)) ** 3
    np.testing.assert_allclose(_let_out(_pulled_in(points)[0]), points, rtol=1e-12)
