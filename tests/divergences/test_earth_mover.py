import importlib
import math
import os
import sys
import time
from typing import Any

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from divergences.samples import plans
from divergences.samples.earth_mover import EarthMover
from divergences.samples.network_simplex import solvers
from divergences.samples.sinkhorn import CHECKED, Sinkhorn, _Progress
from divergences.samples.sliced import Sliced
from scripts.lab.known_pairs import CASES
from tests.repeated_samples import calibrate, having

SPREAD_SAMPLES = int(os.environ.get("SPREAD_SAMPLES", "60"))  # behind a standard deviation
EVERY = (EarthMover(), EarthMover(order=2), Sliced(), Sliced(order=2), Sinkhorn(0.3))
LIGHT = (EarthMover(floor=False), Sliced(floor=False, projections=20), Sinkhorn(0.3))


def name(estimator) -> str:
    return type(estimator).__name__ + str(estimator.order)


def points(n: int, seed: int, d: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def value(estimator, x, y) -> float:
    return estimator(x, y).value.item()


def case(id: str):
    return next(c for c in CASES if c.id == id)


# --- exact transport against outside oracles


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("n", "m", "d"), [(60, 60, 2), (50, 70, 2), (40, 33, 5), (64, 48, 1)])
def test_equals_pots_emd(n, m, d, order):
    x, y = points(n, 0, d), points(m, 1, d) + 0.3
    costs = ot.dist(x.numpy(), y.numpy(), "euclidean" if order == 1 else "sqeuclidean")
    expected = float(ot.emd2([], [], costs)) ** (1 / order)  # type: ignore[arg-type]
    assert value(EarthMover(order), x, y) == pytest.approx(expected, abs=1e-10)


def test_pots_solver_is_loaded_without_the_rest_of_pot(monkeypatch):
    for loaded in [name for name in sys.modules if name.split(".")[0] == "ot"]:
        monkeypatch.delitem(sys.modules, loaded)
    solvers.cache_clear()
    alone = solvers()
    assert not [name for name in sys.modules if name.split(".")[0] == "ot"]
    whole = importlib.import_module("ot")  # as if nothing had been loaded
    costs = np.random.default_rng(0).random((9, 7))
    assert np.array_equal(alone.emd([], [], costs), whole.emd([], [], costs))
    assert whole.emd is not alone.emd
    assert callable(whole.sinkhorn)


def test_equals_scipys_assignment_between_equally_many_points():
    x, y = points(80, 0, 3), points(80, 1, 3)
    costs = cdist(x, y)
    assert value(EarthMover(), x, y) == pytest.approx(
        costs[linear_sum_assignment(costs)].mean(), abs=1e-10
    )


@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=12),
    st.lists(st.floats(-100, 100), min_size=2, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_on_the_line_equals_scipys_w1_with_any_sizes_and_ties(x, y):
    a, b = (torch.tensor(sample, dtype=torch.float64)[:, None] for sample in (x, y))
    assert value(EarthMover(floor=False), a, b) == pytest.approx(
        wasserstein_distance(x, y), abs=1e-10
    )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(50, 50), (30, 47), (48, 32)])
def test_sorting_on_the_line_equals_the_linear_program(n, m, order):
    x, y = points(n, 0, 1), points(m, 1, 1) + 0.5
    in_the_plane = [torch.cat([z, torch.zeros_like(z)], 1) for z in (x, y)]
    assert value(EarthMover(order), x, y) == pytest.approx(
        value(EarthMover(order), *in_the_plane), abs=1e-10
    )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(6, 6), (5, 8), (8, 4), (2, 3)])
def test_potentials_on_the_line_are_feasible_and_attain_the_cost(n, m, order):
    x, y = points(n, 0, 1)[:, 0], points(m, 1, 1)[:, 0]
    cost, u, v = plans.monotone(x, y, order)
    assert (u[:, None] + v <= (x[:, None] - y).abs() ** order + 1e-12).all()
    assert (u.mean() + v.mean()).item() == pytest.approx(cost.item(), abs=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_costs_computed_on_the_fly_give_the_same_plan(monkeypatch, order):
    x, y = points(90, 0, 3), points(70, 1, 3)
    dense = EarthMover(order)(x, y)
    monkeypatch.setattr(plans, "DENSE", 0)
    lazy = EarthMover(order)(x, y)
    assert lazy.value.item() == pytest.approx(dense.value.item(), abs=1e-10)
    assert lazy.stderr.item() == pytest.approx(dense.stderr.item(), rel=0.2)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("d", [1, 2, 16, 128])
def test_a_radial_map_is_found_again_from_its_pairs(d, order):
    # t -> t^8 in the unit ball is optimal, so pairing each point with its image is a best plan
    direction, radius = points(200, 0, d), torch.linspace(0.01, 1, 200).double()[:, None]
    x = direction / direction.norm(dim=1, keepdim=True) * radius
    y = x * radius**7
    expected = (x - y).norm(dim=1).pow(order).mean() ** (1 / order)
    assert value(EarthMover(order), x, y) == pytest.approx(expected.item(), abs=1e-10)


# --- identities


@pytest.mark.parametrize("estimator", EVERY, ids=name)
def test_is_zero_between_a_sample_and_itself(estimator):
    x = points(40, 0)
    assert value(estimator, x, x) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("estimator", EVERY, ids=name)
def test_symmetry(estimator):
    x, y = points(40, 0), points(30, 1)
    assert value(estimator, x, y) == pytest.approx(value(estimator, y, x), abs=1e-7)


@pytest.mark.parametrize("estimator", EVERY, ids=name)
def test_translation_and_order_of_points_change_nothing(estimator):
    x, y = points(40, 0), points(30, 1)
    moved = value(estimator, x + 1000, (y + 1000).flip(0))
    assert value(estimator, x, y) == pytest.approx(moved, abs=1e-7)


@pytest.mark.parametrize("estimator", EVERY[:4], ids=name)
@pytest.mark.parametrize("factor", [1e-6, 10.0, 1e6])
def test_scales_with_the_data(estimator, factor):
    x, y = points(40, 0), points(30, 1) + 1
    once, scaled = estimator(x, y), estimator(factor * x, factor * y)
    for a, b in ((once.value, scaled.value), (once.stderr, scaled.stderr)):
        assert factor * a.item() == pytest.approx(b.item(), rel=1e-9)


@pytest.mark.parametrize("estimator", EVERY[:4], ids=name)
@pytest.mark.parametrize("seed", range(5))
def test_triangle_inequality(estimator, seed):
    x, y, z = points(20, seed), points(25, seed + 10) + 1, points(30, seed + 20) * 2
    direct = value(estimator, x, z)
    assert direct <= value(estimator, x, y) + value(estimator, y, z) + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_sliced_is_below_full_and_w1_below_w2(seed):
    x, y = points(40, seed, 3), points(40, seed + 10, 3) * 2
    w1, w2 = value(EarthMover(), x, y), value(EarthMover(2), x, y)
    assert value(Sliced(), x, y) <= w1 <= w2


@pytest.mark.parametrize("estimator", LIGHT, ids=name)
def test_a_member_reads_what_it_reads_alone(estimator):
    x = torch.stack([points(20, s) for s in range(3)])
    y = torch.stack([points(24, s + 9) for s in range(3)])
    together = estimator(x, y)
    alone = [estimator(a, b) for a, b in zip(x, y, strict=True)]
    for field in ("value", "stderr", "floor"):
        stacked = torch.stack([getattr(e, field) for e in alone])
        torch.testing.assert_close(getattr(together, field), stacked, equal_nan=True)


@pytest.mark.parametrize("estimator", EVERY, ids=name)
def test_result_has_the_dtype_of_the_samples_and_nearly_the_value_in_double(estimator):
    x, y = points(40, 0).float(), points(40, 1).float() + 1
    estimate = estimator(x, y)
    fields = (estimate.value, estimate.stderr, *estimate.ci, estimate.floor)
    assert {t.dtype for t in fields} == {torch.float32}
    assert estimate.value.item() == pytest.approx(value(estimator, x.double(), y.double()), 1e-6)


# --- gradients


@pytest.mark.parametrize("estimator", LIGHT, ids=name)
def test_gradient_equals_finite_differences(estimator):
    x, y = (points(n, n).requires_grad_() for n in (6, 7))
    if isinstance(estimator, Sinkhorn):
        estimator = Sinkhorn(0.3, tolerance=1e-11)
    assert torch.autograd.gradcheck(lambda a, b: estimator(a, b).value, (x, y), atol=1e-4)


@pytest.mark.parametrize("shift", [-2.0, -0.1, 0.1, 2.0])
def test_gradient_in_a_shift_is_its_sign(shift):
    theta = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    x = points(30, 0)
    moved = torch.stack([x[:, 0] + theta, x[:, 1]], 1)
    (gradient,) = torch.autograd.grad(EarthMover()(x, moved).value, theta)
    assert gradient.item() == pytest.approx(math.copysign(1, shift))


@pytest.mark.parametrize("estimator", EVERY, ids=name)
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("same", [True, False], ids=["all points equal", "one sample twice"])
def test_gradient_is_finite_where_points_coincide(estimator, d, same):
    x = (torch.ones(8, d) if same else points(8, 0, d)).double().requires_grad_()
    y = x.detach().clone().requires_grad_()
    estimate = estimator(x, y)
    assert estimate.value.item() == pytest.approx(0, abs=1e-6)
    for gradient in torch.autograd.grad(estimate.value, (x, y)):
        assert gradient.isfinite().all()


# --- error bars
# (.8 is three standard deviations of 30 repeats below .94; the slow tests ask for .9 of 200)


@pytest.mark.parametrize("c", having("w1"), ids=lambda c: c.id)
def test_w1_interval_holds_the_truth_or_a_warning_is_given(c):
    assert calibrate(EarthMover(), c, c.w1, 200, 30).covered_or_warned >= 0.8


@pytest.mark.parametrize("c", having("w2"), ids=lambda c: c.id)
def test_w2_interval_holds_the_truth_or_a_warning_is_given(c):
    assert calibrate(EarthMover(order=2), c, c.w2, 200, 30).covered_or_warned >= 0.8


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dim", [1, 2])
def test_no_warning_where_laws_are_well_apart(dim, order):
    c = case(f"normal {dim}-D shifted by 1")
    assert not calibrate(EarthMover(order), c, 1.0, 400, 20).warned.any()


@pytest.mark.parametrize("order", [1, 2])
def test_warns_of_its_bias_in_eight_dimensions(order):
    result = calibrate(EarthMover(order), case("normal 8-D shifted by 1"), 1.0, 200, 10)
    assert result.bias > 0.5
    assert result.warned.all()


@pytest.mark.parametrize("d", [1, 2, 8])
@pytest.mark.parametrize("make", [EarthMover, Sliced], ids=lambda c: c.__name__)
@pytest.mark.parametrize(("n", "m"), [(200, 200), (100, 300)])
def test_floor_is_what_it_reads_between_samples_of_one_law(make, d, n, m):
    pairs = [(points(n, s, d), points(m, 1000 + s, d)) for s in range(30)]
    estimates = [make()(x, y) for x, y in pairs]
    floor, read = (
        torch.stack([getattr(e, field) for e in estimates]) for field in ("floor", "value")
    )
    spread = 3 * float((floor.var() / 30 + read.var() / 30).sqrt())
    assert float(floor.mean() / read.mean()) == pytest.approx(
        1, abs=0.1 + spread / float(read.mean())
    )


def test_floor_is_shown_and_not_subtracted():
    x, y = points(50, 0), points(50, 1)
    with_floor, without = EarthMover()(x, y), EarthMover(floor=False)(x, y)
    assert with_floor.value == without.value
    assert with_floor.floor > 0
    assert without.floor.isnan()


# --- sliced


@pytest.mark.parametrize("order", [1, 2])
def test_sliced_equals_pots_on_the_same_lines(order):
    x, y, sliced = points(50, 0, 3), points(37, 1, 3) + 0.5, Sliced(order, projections=30)
    expected = ot.sliced_wasserstein_distance(
        x.numpy(), y.numpy(), projections=sliced._directions(x).T.numpy(), p=order
    )
    assert value(sliced, x, y) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_lines_a_few_at_a_time_read_what_all_read_at_once(order, monkeypatch):
    def read():
        x, y = points(30, 0, 3).requires_grad_(), (points(20, 1, 3) + 0.5).requires_grad_()
        found = Sliced(order, projections=12)(x, y)
        return found.value, found.stderr, found.floor, *torch.autograd.grad(found.value, (x, y))

    at_once = read()
    monkeypatch.setattr("divergences.samples.sliced.AT_ONCE", 5 * 50)
    for one, other in zip(read(), at_once, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("d", [1, 2, 8])
def test_sliced_interval_holds_the_mean_projected_shift(d):
    # E|theta_1| on the sphere: 1, 2/pi, and Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2))
    expected = math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))
    covered = []
    for seed in range(40):
        e = Sliced(projections=50, seed=seed)(points(200, seed, d), shifted(200, 99 + seed, d))
        covered.append(bool(e.ci[0] <= expected <= e.ci[1]))
    assert np.mean(covered) >= 0.85


def shifted(n: int, seed: int, d: int) -> torch.Tensor:
    return points(n, seed, d) + torch.eye(d).double()[0]


def test_sliced_on_the_line_is_w1():
    x, y = points(50, 0, 1), points(40, 1, 1)
    assert value(Sliced(), x, y) == value(EarthMover(), x, y)


def test_sliced_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    Sliced()(points(10, 0), points(10, 1))
    assert torch.equal(state, torch.get_rng_state())


# --- Sinkhorn


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("regularisation", [2.0, 10.0])
def test_sinkhorn_equals_pots_regularised_costs(regularisation, order):
    x, y = points(40, 0), points(30, 1) + 0.5

    def cost(a, b):
        costs = ot.dist(a.numpy(), b.numpy(), "euclidean" if order == 1 else "sqeuclidean")
        options: dict[str, Any] = {"method": "sinkhorn_log", "stopThr": 1e-9, "numItermax": 20_000}
        plan = np.asarray(ot.sinkhorn([], [], costs, regularisation, **options))
        return (plan * costs).sum() + regularisation * (plan * np.log(plan * plan.size)).sum()

    expected = cost(x, y) - (cost(x, x) + cost(y, y)) / 2
    sinkhorn = Sinkhorn(regularisation, order, tolerance=1e-9)
    assert value(sinkhorn, x, y) == pytest.approx(expected, abs=1e-6)


def test_sinkhorn_tends_to_emd_and_to_half_the_energy_distance():
    x, y = points(20, 0), points(20, 1) + 1
    near = value(Sinkhorn(0.02, tolerance=1e-4), x, y)
    assert near == pytest.approx(value(EarthMover(), x, y), abs=0.03)
    energy = cdist(x, y).mean() - (cdist(x, x).mean() + cdist(y, y).mean()) / 2
    assert value(Sinkhorn(1e4), x, y) == pytest.approx(energy, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_sinkhorn_divergence_is_positive(seed):
    assert value(Sinkhorn(0.1), points(20, seed), points(30, seed + 10)) > 0


@pytest.mark.slow
def test_sinkhorn_stderr_is_the_standard_deviation_over_samples():
    c = case("normal 2-D shifted by 1")
    assert 0.7 < calibrate(Sinkhorn(0.3), c, 1.0, 100, 60).stderr_over_sd < 1.4


# --- what went wrong is said


def test_raises_where_pot_only_warns():
    with pytest.raises(RuntimeError, match="max_iterations = 3"):
        EarthMover(max_iterations=3)(points(50, 0), points(50, 1))


def test_sinkhorn_raises_where_the_tolerance_is_not_reached():
    with pytest.raises(RuntimeError, match="within max_iterations = 3; raise it"):
        Sinkhorn(0.01, max_iterations=3)(points(50, 0), points(50, 1))


@pytest.mark.parametrize("iterations", [CHECKED, 4 * CHECKED, 4 * CHECKED + 1])
def test_sinkhorn_gives_up_no_error_that_falls_to_the_tolerance_in_time(iterations):
    progress = _Progress(1e-6, iterations)
    assert not any(progress.hopeless(1e-6 ** (i / iterations)) for i in range(1, iterations + 1))
    progress = _Progress(1e-6, iterations)  # five times as slow as would do
    looks = [progress.hopeless(1e-6 ** (i / iterations / 5)) for i in range(1, iterations)]
    assert any(looks) == (iterations > 2 * CHECKED)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda: EarthMover(order=3), "order = 3", id="order"),
        pytest.param(lambda: Sliced(projections=1), "projections = 1", id="projections"),
        pytest.param(lambda: Sinkhorn(-1.0), "regularisation = -1", id="regularisation"),
        pytest.param(lambda: Sinkhorn(1.0, tolerance=0.0), "tolerance = 0", id="tolerance"),
    ],
)
def test_refuses_a_wrong(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("estimator", LIGHT, ids=name)
@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        pytest.param(points(9, 0) * math.nan, points(9, 1), "x holds 9 points with NaN", id="NaN"),
        pytest.param(points(9, 0), points(9, 1) / 0, "y holds 9 points", id="infinite"),
        pytest.param(points(9, 0), points(9, 1, 3), "must agree", id="dimensions"),
        pytest.param(points(9, 0)[:0], points(9, 1), "at least 2", id="empty"),
    ],
)
def test_says_what_is_wrong_with(estimator, x, y, says):
    with pytest.raises(ValueError, match=says):
        estimator(x, y)


# --- heavy


@pytest.mark.slow
@pytest.mark.parametrize("c", having("w1"), ids=lambda c: c.id)
def test_95_percent_interval_of_w1_covers_90_percent_or_warns(c):
    assert calibrate(EarthMover(), c, c.w1, 256, 200).covered_or_warned >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("c", having("w2"), ids=lambda c: c.id)
def test_95_percent_interval_of_w2_covers_90_percent_or_warns(c):
    assert calibrate(EarthMover(order=2), c, c.w2, 256, 200).covered_or_warned >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("dim", [1, 2])
def test_error_falls_at_the_declared_rate(dim):
    sizes, c = np.array([100, 300, 900]), case(f"normal {dim}-D shifted by 1")
    errors = [calibrate(EarthMover(floor=False), c, 1.0, n, 50).rmse for n in sizes]
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(0.5, abs=0.15)


@pytest.mark.slow
def test_2048_points_take_less_than_2_seconds():
    x, y = points(2048, 0), points(2048, 1) + 1
    start = time.process_time()
    EarthMover()(x, y)
    assert time.process_time() - start < 2


# --- scales, clusters, tails


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("apart", [1e4, 3e7, 1e10])
def test_two_clusters_far_apart_read_what_one_reads(apart, order):
    x, y = points(30, 0), points(30, 1) + 0.3
    shift = torch.tensor([apart, 0.0])
    both = value(EarthMover(order, floor=False), *(torch.cat([z, z + shift]) for z in (x, y)))
    one = value(EarthMover(order, floor=False), x, y)
    assert both == pytest.approx(one, rel=1e-15 * apart + 1e-9)


@pytest.mark.parametrize("seed", range(16))
def test_costs_far_below_the_distances_between_clusters_are_those_of_assignments(seed):
    """Clusters whose own costs are below the solver's tolerance for the whole, in any unit.

    Each holds the same share of both samples, so that nothing moves between them, and SciPy
    assigns the points of each about its own centre.
    """
    r = np.random.default_rng(seed)
    order, d, many, copies = (int(r.choice(c)) for c in ((1, 2, 2), (2, 3, 5), (2, 3, 5), (1, 2)))
    apart, unit = 10 ** r.uniform(4, 12), 10 ** r.uniform(-130, 130)
    centres = apart * r.standard_normal((many, d))
    sizes = [int(r.choice([5, 20])) for _ in centres]
    # the numbers that are left of the points so far from the origin
    x = [c + r.standard_normal((n, d)) for n, c in zip(sizes, centres, strict=True)]
    y = [c + 0.3 + r.standard_normal((copies * n, d)) for n, c in zip(sizes, centres, strict=True)]
    total = 0.0
    for own, others in zip(x, y, strict=True):
        costs = cdist(np.repeat(own, copies, 0), others) ** order
        total += costs[linear_sum_assignment(costs)].sum()
    expected = (total / (copies * sum(sizes))) ** (1 / order)
    a, b = (torch.from_numpy(r.permutation(np.concatenate(z)) * unit) for z in (x, y))
    found = value(EarthMover(order, floor=False), a, b)
    assert found / unit == pytest.approx(expected, rel=1e-9 + 1e-15 * apart)


@pytest.mark.parametrize("make", [EarthMover, Sliced], ids=["full", "sliced"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("exponent", [-1000, -500, 500, 1000])
def test_no_square_over_or_underflows(make, order, d, exponent):
    x, y = points(20, 0, d), points(20, 1, d) + 0.5
    once, scaled = make(order)(x, y), make(order)(x * 2.0**exponent, y * 2.0**exponent)
    assert scaled.value.item() == once.value.item() * 2.0**exponent
    assert scaled.stderr.item() == pytest.approx(once.stderr.item() * 2.0**exponent)


@pytest.mark.parametrize("make", [EarthMover, Sliced], ids=["full", "sliced"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("outlier", [1e2, 1e8])
def test_one_far_point_is_said_to_decide(make, order, outlier):
    x, y = points(60, 0), points(60, 1)
    y[0] += outlier
    assert any(warning.startswith("rests on few") for warning in make(order)(x, y).warnings)


def test_a_distance_beyond_the_range_of_the_dtype_is_refused():
    x = torch.tensor([[3e38], [3.1e38]])
    with pytest.raises(ValueError, match=r"beyond the range of torch\.float32"):
        EarthMover()(x, -x)


def test_too_many_pairs_are_refused_before_any_work():
    with pytest.raises(ValueError, match=r"30 x 40 points are 1\.2e\+03 pairs"):
        EarthMover(most_pairs=1000)(points(30, 0), points(40, 1))


@pytest.mark.parametrize("d", [1, 2])
def test_sorted_samples_have_the_floor_of_shuffled_ones(d):
    x, y = points(400, 0, d), points(400, 1, d)
    by_first = [z[z[:, 0].argsort()] for z in (x, y)]
    floors = [EarthMover()(*pair).floor.item() for pair in ((x, y), by_first)]
    assert floors[1] == pytest.approx(floors[0], rel=0.6)


@pytest.mark.parametrize("d", [1, 2])
def test_between_two_points_nothing_is_biased(d):
    """Equal laws are at no distance then, in any sample."""
    x, y = torch.zeros(20, d).double(), torch.full((30, d), 3.0).double()
    for found, truth in ((EarthMover()(x, y), 3 * d**0.5), (EarthMover()(x, x), 0.0)):
        assert float(found.value) == pytest.approx(truth, rel=1e-12)
        assert not any("biased" in warning for warning in found.warnings)


def test_coordinates_that_rounding_moves_by_much_are_said():
    x, y = (points(60, s).float() + 1e7 for s in (0, 1))
    assert any("are rounded by up to" in w for w in EarthMover()(x, y).warnings)


@pytest.mark.parametrize(("n", "m"), [(64, 64), (40, 120)])
@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize("order", [1, 2])
def test_stderr_is_the_spread_over_samples_at_equal_laws_and_apart(order, d, shift, n, m):
    found = []
    for seed in range(SPREAD_SAMPLES):
        y = points(m, 5000 + seed, d) + shift * torch.eye(d).double()[0]
        found.append(EarthMover(order)(points(n, seed, d), y))
    values, stderrs = (torch.stack([getattr(e, f) for e in found]) for f in ("value", "stderr"))
    error = 3 / math.sqrt(2 * SPREAD_SAMPLES)  # of a standard deviation, about its share
    assert 0.85 * (1 - error) < float(stderrs.mean() / values.std()) < 1.2 * (1 + error)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("shift", [1e-12, 1e-6, 0.01, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_sinkhorn_of_clouds_that_nearly_coincide_is_about_their_shift(seed, shift, order):
    """Between clouds a shift apart: at most W, and near it, as the plan is one to one."""
    x = points(40, seed)
    moved = x + torch.tensor([shift, 0.0])
    read = value(Sinkhorn(0.1, order), x, moved)
    own = value(Sinkhorn(0.1, order), x, x)
    assert own == 0
    assert -1e-6 <= read <= shift**order * 1.01 + 1e-6


@pytest.mark.parametrize("setting", ["regularisation", "tolerance", "max_iterations"])
@pytest.mark.parametrize("wrong", [None, "1", True, math.nan, math.inf, 0, -1, [1.0], 10**400])
def test_sinkhorn_names_a_setting_of_another_kind(setting, wrong):
    with pytest.raises((TypeError, ValueError), match=f"{setting} = "):
        Sinkhorn(**{setting: wrong})


@pytest.mark.parametrize(
    ("d", "shift", "truth"), [(1, 0, 0.0), (2, 0, 0.0), (5, 0, 0.0), (1, 3, 2.43)]
)
def test_sinkhorns_interval_allows_for_its_bias(d, shift, truth):
    """The truth at a shift of 3 is what 6000 points a side read, where the bias is below .002."""
    held = 0
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        x, y = torch.randn(2, 80, d, generator=generator, dtype=torch.float64)
        found = Sinkhorn(0.3)(x, y + shift * torch.eye(d)[0])
        held += bool(found.ci[0] <= truth <= found.ci[1])
        assert found.warnings or d == 1 or shift
    assert held >= 10


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("scale", [1e-120, 1e-18, 1e9, 1e120])
def test_a_sinkhorn_divergence_scales_with_points_and_regularisation(order, scale):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 40, 2, generator=generator, dtype=torch.float64)
    once = Sinkhorn(order=order)(x, y + 0.5)
    scaled = Sinkhorn(regularisation=0.1 * scale**order, order=order)(scale * x, scale * (y + 0.5))
    for ours, theirs in ((once.value, scaled.value), (once.stderr, scaled.stderr)):
        assert float(theirs) == pytest.approx(float(ours) * scale**order, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-9, 1e-40, 1e-200])
def test_far_below_the_regularisation_a_sinkhorn_divergence_is_half_the_energy_distance(scale):
    """That of the two sets of points, a point and itself included."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 40, 2, generator=generator, dtype=torch.float64)
    across, among_x, among_y = (cdist(a, b).mean() for a, b in ((x, y), (x, x), (y, y)))
    found = Sinkhorn()(scale * x, scale * y)
    assert float(found.value) == pytest.approx(scale * (across - (among_x + among_y) / 2))
    assert 0 < found.stderr < found.ci[1]


def test_points_beyond_the_regularisation_are_refused_before_work():
    x, y = torch.randn(2, 300, 2)
    with pytest.raises(ValueError, match="are too large for regularisation"):
        Sinkhorn()(1e20 * x, 1e20 * y)
    with pytest.raises(ValueError, match=r"beyond the range of torch\.float32"):
        Sinkhorn(order=2)(1e-25 * x, 1e-25 * y)
    far = torch.tensor([1e7, 0.0])
    assert "these coordinates are rounded" in Sinkhorn()(x + far, y + far).warnings[-1]


def test_points_that_are_all_the_same_are_not_called_rounded():
    for value in (1.0, 0.1, 1e200):
        points = torch.full((50, 2), value, dtype=torch.float64)
        for estimator in LIGHT[:2]:
            found = estimator(points, points)
            assert not any("rounded" in warning for warning in found.warnings)
