import math
import time

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree
from sklearn.feature_selection import mutual_info_classif
from torch.distributions import Independent, Laplace, MultivariateNormal, Normal, StudentT

from divergences.samples.known_density import KnownDensity
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.neighbour_distances import k_nearest
from divergences.samples.ross import RossJS
from scripts.lab.known_pairs import CASES, LOG2, Case
from tests.repeated_samples import calibrate, having

TWO_SAMPLE = (NearestNeighbours(), RossJS())


def truth(estimator, case: Case) -> float:
    return getattr(case, estimator.quantity)


def known(case: Case, k: int = 5) -> KnownDensity:
    assert case.densities is not None
    return KnownDensity(case.densities[1].log_prob, k=k)


def uniform(n: int, seed: int, d: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, d, generator=generator, dtype=torch.float64)


def segments(theta: float, n: int, dtype: torch.dtype = torch.float64):
    heights = uniform(n, 0, d=2).to(dtype)
    at = torch.tensor([0.0, theta], dtype=dtype).expand(n, 2)
    return tuple(torch.stack([at[:, i], heights[:, i]], 1) for i in (0, 1))


CONTINUOUS = [pytest.param(case, id=case.id) for case in having("kl", atoms=False)]
KNOWN = [pytest.param(case, id=case.id) for case in CASES if case.densities]
PLANAR = [pytest.param(c, id=c.id) for c in CASES if c.densities and c.dim == 2]
SMOOTH = [c for c in having("js", smooth=True) if c.dim == 2]
SMOOTH_PLANAR = [pytest.param(case, id=case.id) for case in SMOOTH]


# --- every case that the estimators claim to handle
# (.8 is three standard deviations of 30 repeats below .94; the slow tests ask for .9 of 200)


@pytest.mark.parametrize("case", CONTINUOUS)
@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
def test_interval_holds_the_truth_or_a_warning_is_given(estimator, case):
    assert calibrate(estimator, case, truth(estimator, case), 512, 30).covered_or_warned >= 0.8


@pytest.mark.parametrize("case", KNOWN)
def test_known_density_interval_holds_the_truth(case):
    assert calibrate(known(case), case, case.kl, 512, 30).covered_or_warned >= 0.8


@pytest.mark.parametrize("case", SMOOTH_PLANAR)
def test_ross_js_is_within_002_at_1024_points(case):
    assert abs(calibrate(RossJS(), case, case.js, 1024, 10).bias) < 0.02


@pytest.mark.parametrize("case", PLANAR)
def test_known_density_kl_is_within_007_at_1024_points_or_1_where_a_mode_is_missing(case):
    # three standard errors of the mean of 20, for the pairs whose own spread is larger than .07
    result = calibrate(known(case), case, case.kl, 1024, 20)
    spread = 3 * float(result.values.std()) / math.sqrt(20)
    assert abs(result.bias) < (1 if case.kl > 5 else max(0.07, spread))


@pytest.mark.parametrize("case", SMOOTH_PLANAR)
def test_overlapping_planar_pairs_are_not_called_diverging(case):
    for n in (256, 1024):
        for seed in range(20):
            warnings = NearestNeighbours()(*case.draw(n, seed)).warnings
            if case.id != "normal 2-D scaled by 0.5":  # its p/q has no second moment
                assert not [w for w in warnings if w.startswith("diverging")]


# --- infinite divergences


@pytest.mark.parametrize("n", [64, 1024])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("theta", [1e-5, 1e-3, 0.1, 1.0])
def test_segments_apart_are_infinitely_far_in_kl_and_log_2_in_js(theta, dtype, n):
    x, y = segments(theta, n, dtype)
    kl, js = NearestNeighbours()(x, y), RossJS()(x, y)
    assert kl.value == math.inf
    assert "infinite" in kl.warnings[0]
    assert js.value.item() == pytest.approx(LOG2, abs=1e-6)
    assert "log 2" in js.warnings[0]


@pytest.mark.parametrize("seed", range(5))
def test_segments_at_the_same_place_are_measured_along_the_line(seed):
    case = next(c for c in CASES if c.id == "segments 0 apart")
    x, y = case.draw(1024, seed)
    along = NearestNeighbours()(x[:, 1:], y[:, 1:])
    assert NearestNeighbours()(x, y).value.item() == pytest.approx(along.value.item(), abs=1e-9)


def test_tilted_planes_in_float32_are_told_apart():
    turn = torch.linalg.qr(uniform(3, 1, d=3))[0].float()
    flat = torch.cat([uniform(500, 2), torch.zeros(500, 1).double()], 1).float()
    same = torch.cat([uniform(500, 3), torch.zeros(500, 1).double()], 1).float()
    above = same + torch.tensor([0.0, 0.0, 0.01])
    assert NearestNeighbours()(flat @ turn, same @ turn).value.isfinite()
    assert NearestNeighbours()(flat @ turn, above @ turn).value == math.inf


@pytest.mark.parametrize("n", [64, 512, 4096])
def test_disjoint_squares_are_called_diverging_and_have_no_upper_end(n):
    estimate = NearestNeighbours()(uniform(n, 0), uniform(n, 1) + torch.tensor([1.5, 0.0]))
    assert [w for w in estimate.warnings if w.startswith("diverging")]
    assert estimate.ci[1] == math.inf


@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("n", [512, 2048])
def test_a_small_part_of_p_that_q_lacks_is_called_diverging(n, dim):
    draw = torch.Generator().manual_seed(n)
    x, y = (torch.randn(n, dim, generator=draw, dtype=torch.float64) for _ in range(2))
    x[: n // 12, 0] += 30
    estimate = NearestNeighbours()(x, y)
    assert [w for w in estimate.warnings if w.startswith("diverging")]
    assert estimate.ci[1] == math.inf


def test_says_when_a_few_points_of_y_stand_for_all_of_p():
    case = next(c for c in CASES if c.id == "normal 2-D shifted by 3")
    warnings = NearestNeighbours()(*case.draw(256, 0)).warnings
    assert [w for w in warnings if w.startswith("few")]
    near = next(c for c in CASES if c.id == "normal 2-D shifted by 1")
    assert not [w for w in NearestNeighbours()(*near.draw(256, 0)).warnings if "few" in w]


def test_without_the_support_check_kl_of_segments_grows_by_2_log_2_with_each_doubling():
    # d log(nu/rho): the own neighbours of points on a line come nearer like 1/n, in d = 2
    raw = NearestNeighbours(k=1, check_support=False)
    few, many = (raw(*segments(0.1, n)) for n in (256, 4096))
    assert few.warnings
    assert many.warnings
    assert float(many.value - few.value) == pytest.approx(2 * math.log(16), abs=0.4)


def test_points_on_a_circle_are_called_one_dimensional():
    angle = 2 * math.pi * uniform(1000, 0, d=2)
    x, y = (torch.stack([angle[:, i].cos(), angle[:, i].sin()], 1) for i in (0, 1))
    for estimate in (NearestNeighbours()(x, y), KnownDensity(lambda z: z.sum(-1))(x)):
        assert "dimensions" in estimate.warnings[0]


# --- identities


EXACT = {
    "translation": lambda z: z + torch.tensor([3.0, -7.0]),
    "translation by 1e6 spreads": lambda z: z - 1e6,
    "scaling": lambda z: 100 * z,
    "units": lambda z: z * torch.tensor([1e6, 1e-6]).double(),
}
NEARLY = {
    "rotation": lambda z: z @ torch.tensor([[0.6, 0.8], [-0.8, 0.6]]).double(),
    "shear": lambda z: z @ torch.tensor([[1.0, 999.0], [1.0, 1001.0]]).double(),
    "order of points": lambda z: z.flip(0),
    "increasing maps": lambda z: torch.stack([z[:, 0].exp(), (2 * z[:, 1]).sinh()], 1),
}


@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("move", EXACT.values(), ids=EXACT.keys())
def test_value_and_interval_do_not_change_under(move, estimator):
    x, y = uniform(200, 0), uniform(200, 1) ** 2
    one, two = estimator(x, y), estimator(move(x), move(y))
    for a, b in zip(
        (one.value, one.stderr, *one.ci), (two.value, two.stderr, *two.ci), strict=True
    ):
        assert a.item() == pytest.approx(b.item(), abs=1e-6)


@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("move", NEARLY.values(), ids=NEARLY.keys())
def test_the_value_changes_by_less_than_its_error_under(move, estimator):
    x, y = uniform(200, 0), uniform(200, 1) ** 2
    one, two = estimator(x, y), estimator(move(x), move(y))
    assert abs(one.value.item() - two.value.item()) < 0.7 * one.stderr.item()


def test_js_is_symmetric_and_far_samples_read_log_2():
    x, y = uniform(300, 0), 1.3 * uniform(300, 1)
    assert RossJS()(x, y).value.item() == pytest.approx(RossJS()(y, x).value.item(), abs=1e-12)
    far = RossJS()(x, y + 5)
    # psi(2n) - psi(n) = log 2 + 1/(4n) + ...: what the estimator reads when no ball is shared
    assert far.value.item() == pytest.approx(LOG2 + 1 / 1200, abs=1e-6)
    assert far.ci[0] < LOG2 < far.ci[1]


def test_known_densities_differ_by_the_mean_difference_of_their_logs():
    x = uniform(100, 0)
    near, far = (
        MultivariateNormal(torch.full((2,), c).double(), torch.eye(2).double()) for c in (0.0, 1.0)
    )
    difference = KnownDensity(far.log_prob)(x).value - KnownDensity(near.log_prob)(x).value
    assert difference.item() == pytest.approx((near.log_prob(x) - far.log_prob(x)).mean().item())


def test_known_density_is_invariant_under_scaling_with_its_jacobian():
    x, q = uniform(100, 0), MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    scaled = KnownDensity(lambda z: q.log_prob(z / 10) - 2 * math.log(10))(10 * x)
    assert KnownDensity(q.log_prob)(x).value.item() == pytest.approx(scaled.value.item())


def test_ross_js_equals_scikit_learns_mutual_information_with_the_label():
    x, y = uniform(400, 0, d=1), uniform(400, 1, d=1) ** 2
    pooled, label = torch.cat([x, y]).numpy(), np.repeat([0, 1], 400)
    for k in (1, 3, 10):
        expected = mutual_info_classif(pooled, label, n_neighbors=k, random_state=0)[0]
        assert RossJS(k=k)(x, y).value.item() == pytest.approx(expected, abs=1e-10)


def test_a_member_reads_what_it_reads_alone():
    x, y = (
        torch.stack([uniform(50, s) for s in range(3)]),
        torch.stack([uniform(50, s + 9) for s in range(3)]),
    )
    for estimator in (*TWO_SAMPLE, KnownDensity(lambda z: -z.square().sum(-1))):
        together = estimator(x, y)
        alone = [estimator(a, b) for a, b in zip(x, y, strict=True)]
        for field in ("value", "stderr", "floor"):
            stacked = torch.stack([getattr(e, field) for e in alone])
            torch.testing.assert_close(getattr(together, field), stacked, equal_nan=True)


def test_result_has_the_dtype_of_the_samples():
    x, y = uniform(50, 0).float(), uniform(50, 1).float()
    for estimator in TWO_SAMPLE:
        estimate = estimator(x, y)
        fields = (estimate.value, estimate.stderr, *estimate.ci, estimate.floor)
        assert {t.dtype for t in fields} == {torch.float32}


def test_js_of_unequal_sizes_uses_equally_many_points_and_says_so():
    x, y = uniform(300, 0), uniform(100, 1)
    estimate = RossJS()(x, y)
    assert estimate.n == (300, 100)
    assert "only 100" in estimate.warnings[0]
    assert RossJS()(x[:100], y).warnings == ()


def test_js_of_unequal_sizes_does_not_depend_on_how_the_larger_sample_is_sorted():
    x, y = uniform(3000, 0, d=1), uniform(300, 1, d=1)
    for ordered in (x, x.sort(0).values, x.sort(0, descending=True).values):
        assert RossJS()(ordered, y).value.abs() < 0.1


# --- bad input

PLAIN, OTHER = uniform(40, 0), uniform(40, 1)


@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        pytest.param(0 * PLAIN, OTHER, "40 of 40 points coincide with another", id="all equal"),
        pytest.param(
            PLAIN.repeat_interleave(2, 0),
            OTHER.repeat(2, 1),
            "80 of 80 points coincide with another",
            id="each twice",
        ),
        pytest.param(PLAIN, PLAIN, "40 of 40 points coincide with a point of y", id="one sample"),
        pytest.param(PLAIN[:5], OTHER, "at least", id="fewer points than neighbours"),
        pytest.param(PLAIN[:0], OTHER, "at least", id="empty"),
        pytest.param(PLAIN[:, :1], OTHER, "must agree", id="dimensions"),
        pytest.param(PLAIN * math.nan, OTHER, "x holds 40 points with NaN", id="NaN"),
        pytest.param(PLAIN, OTHER / 0, "y holds 40 points with NaN or inf", id="infinite"),
    ],
)
def test_says_what_is_wrong_with(estimator, x, y, says):
    with pytest.raises(ValueError, match=says):
        estimator(x, y)


@pytest.mark.parametrize("k", [1, 10, 40])
def test_neighbours_on_a_line_are_those_of_a_tree(k):
    points, queries = (uniform(n, seed, 1).numpy() for n, seed in ((41, 0), (300, 1)))
    points[:7] = np.repeat(points[:1], 7, 0)  # ties among them
    for asked, more in ((queries, 0), (points, 1)):
        distances, indices = k_nearest(points, asked, k)
        expected = KDTree(points).query(asked, k=list(range(1 + more, k + 1 + more)))[0]
        np.testing.assert_array_equal(distances, expected)
        np.testing.assert_array_equal(np.abs(points[indices, 0] - asked), distances)
        assert all(len(set(row)) == k for row in indices)
        if more:
            assert not (indices == np.arange(len(points))[:, None]).any()


def test_a_few_coincidences_as_from_rounding_are_accepted():
    x = uniform(500, 0)
    x[1] = x[0]
    assert all(estimator(x, uniform(500, 1)).value.isfinite() for estimator in TWO_SAMPLE)


@pytest.mark.parametrize(("make", "least"), [(NearestNeighbours, 11), (RossJS, 7)])
def test_five_neighbours_and_three_of_js_need_twice_as_many_points_and_one_more(make, least):
    x, y = torch.randn(2, least, 2, generator=torch.Generator().manual_seed(0)).double()
    assert make()(x, y).n == (least, least)
    for pair in ((x[1:], y), (x, y[1:])):
        with pytest.raises(ValueError, match=f"at least {least} points"):
            make()(*pair)


@pytest.mark.parametrize("k", [0, -3])
@pytest.mark.parametrize("make", [NearestNeighbours, RossJS], ids=lambda c: c.__name__)
def test_refuses_less_than_one_neighbour(make, k):
    with pytest.raises(ValueError, match=f"k = {k}"):
        make(k=k)


def test_known_density_names_what_is_wrong_with_log_prob():
    x = uniform(40, 0)
    with pytest.raises(ValueError, match=r"maps \(40, 2\) to \(40, 2\)"):
        KnownDensity(Normal(0.0, 1.0).log_prob)(x)
    with pytest.raises(ValueError, match=r"NaN or \+inf at 40 of 40"):
        KnownDensity(lambda z: z[:, 0] * math.nan)(x)


def test_known_density_says_where_edges_in_four_dimensions_bias_it():
    """The arcsine law, whose density is infinite at both ends, is far from smooth."""
    x = (math.pi * uniform(512, 0, d=4)).cos() / 2 + 0.5
    estimate = KnownDensity(lambda z: torch.zeros_like(z[..., 0]))(x)
    # each of four columns: -E log(pi sqrt(u (1 - u))) = log 4 - log pi
    truth = 4 * (math.log(4) - math.log(math.pi))
    assert estimate.ci[0] <= truth <= estimate.ci[1] or estimate.warnings
    assert [w for w in estimate.warnings if w.startswith("biased")]


def test_known_density_is_infinite_where_the_density_is_zero_or_the_points_lie_flat():
    x = uniform(40, 0)
    outside = KnownDensity(lambda z: torch.where(z[:, 0] > 0.5, -math.inf, 0.0))(x)
    assert outside.value == math.inf
    assert "q is zero" in outside.warnings[0]
    flat = KnownDensity(lambda z: z[:, 0] * 0)(torch.cat([x[:, :1], 0 * x[:, :1]], 1))
    assert flat.value == math.inf
    assert "less than 2" in flat.warnings[0]


def estimates_of(p, q, d, repeats=20):
    """Of pairs of 512 points with independent columns."""
    torch.manual_seed(0)
    pairs = [[law.sample((512, d)).double() for law in (p, q)] for _ in range(repeats)]
    return [NearestNeighbours()(*pair) for pair in pairs]


def said_to_be_heavy(p, q, d):
    """The share of the estimates that say so, whose intervals have no upper end."""
    estimates = estimates_of(p, q, d)
    heavy = [e for e in estimates if any(w.startswith("heavy") for w in e.warnings)]
    assert all(e.ci[1] == math.inf for e in heavy)
    return len(heavy) / len(estimates)


@pytest.mark.parametrize("d", [2, 3, 6])
def test_a_tail_that_is_heavier_than_that_of_q_is_said(d):
    """Most of KL lies in few far points: .65 in three dimensions, of which .13 is seen."""
    assert said_to_be_heavy(StudentT(3.0), Normal(0.0, 1.5), d) >= 0.75


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize(
    ("p", "q"),
    [
        (Normal(0.0, 1.0), Normal(1.0, 1.0)),
        (Normal(0.0, 1.5), Normal(0.0, 1.0)),
        (Normal(0.0, 1.0), StudentT(3.0)),
        (StudentT(3.0), StudentT(3.0, 1.0)),
        (StudentT(5.0), Normal(0.0, 3.0)),
    ],
    ids=["shifted", "wider", "q's tail", "both", "within q"],
)
def test_a_tail_like_that_of_q_is_not(p, q, d):
    assert said_to_be_heavy(p, q, d) <= 0.1


def test_a_log_ratio_that_bends_at_an_axis_is_not_taken_for_a_smooth_one():
    """Of a normal and a Laplace law it is a kink along each; most values are of one model."""
    warned = [e.warnings for e in estimates_of(Normal(0.0, 1.0), Laplace(0.0, 0.8), 3)]
    assert sum(any("log p/q between them" in w for w in found) for found in warned) >= 10


# --- heavy: calibration, rates, time


@pytest.mark.slow
@pytest.mark.parametrize("n", [256, 1024])
@pytest.mark.parametrize("case", CONTINUOUS)
@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
def test_95_percent_interval_covers_90_percent_or_warns(estimator, case, n):
    assert calibrate(estimator, case, truth(estimator, case), n, 200).covered_or_warned >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("case", KNOWN)
def test_95_percent_interval_of_known_density_covers_90_percent(case):
    assert calibrate(known(case), case, case.kl, 1024, 200).coverage >= 0.9


def laplace_and_normal() -> Case:
    """KL = d (1/2 log 2 pi + b² - 1 - log 2 b) with b = 1, from E x² = 2 b²."""
    zero, one = torch.zeros(8, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
    p, q = Independent(Laplace(zero, one), 1), Independent(Normal(zero, one), 1)

    def draw(n: int, generator: torch.Generator) -> torch.Tensor:
        signs = 2 * torch.randint(2, (n, 8), generator=generator) - 1
        return signs * -torch.rand(n, 8, generator=generator, dtype=torch.float64).log()

    kl = 8 * (math.log(2 * math.pi) / 2 - math.log(2))
    return Case("Laplace and normal 8-D", 8, draw, draw, kl=kl, densities=(p, q))


@pytest.mark.slow
@pytest.mark.parametrize("n", [256, 4096])
@pytest.mark.parametrize(
    "case",
    [next(c for c in CASES if c.id == "normal 8-D shifted by 1"), laplace_and_normal()],
    ids=lambda c: c.id,
)
def test_interval_of_known_density_covers_where_the_bias_outlasts_the_noise(case, n):
    """Widened by what a normal sample shows; the Laplace law is not what it was set by."""
    assert calibrate(known(case), case, case.kl, n, 60).coverage >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("case", SMOOTH_PLANAR)
@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
def test_stderr_is_the_standard_deviation_over_samples(estimator, case):
    # 1.5 leaves room for NearestNeighbours where p/q has no second moment
    assert 0.85 < calibrate(estimator, case, truth(estimator, case), 512, 200).stderr_over_sd < 1.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [c for c in SMOOTH if "scaled by 0.5" not in c.id], ids=lambda c: c.id
)
@pytest.mark.parametrize("estimator", TWO_SAMPLE, ids=lambda e: type(e).__name__)
def test_error_falls_at_the_declared_rate(estimator, case):
    sizes = np.array([256, 1024, 4096])
    errors = [calibrate(estimator, case, truth(estimator, case), n, 50).rmse for n in sizes]
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(
        estimator.rate, abs=0.15
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", SMOOTH_PLANAR)
def test_ross_js_is_within_0006_at_4096_points(case):
    assert abs(calibrate(RossJS(), case, case.js, 4096, 50).bias) < 0.006


@pytest.mark.slow
def test_4096_points_take_less_than_005_seconds():
    x, y = uniform(4096, 0), uniform(4096, 1)
    times = []
    for _ in range(10):
        start = time.process_time()
        NearestNeighbours()(x, y)
        times.append(time.process_time() - start)
    assert min(times) < 0.05


def test_a_distribution_stands_for_its_log_density():
    law, x = Normal(0.5, 2.0), PLAIN[:, 0]
    assert KnownDensity(law)(x).value == KnownDensity(law.log_prob)(x).value  # type: ignore
    with pytest.raises(TypeError, match="such as the log_prob of a distribution"):
        KnownDensity(2.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_the_stderr_of_known_density_is_its_spread_over_samples(shift):
    """Where log p/q varies; between equal laws only the noise of the entropy is left."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 512, 1, generator=generator, dtype=torch.float64)
    estimate = KnownDensity(
        lambda z: -(z[..., 0] - shift).square() / 2 - math.log(2 * math.pi) / 2
    )(x)
    ratio = float(estimate.stderr.mean() / estimate.value.std())
    assert 0.85 * 0.88 < ratio < 1.2 * 1.12  # three standard errors of a spread of 300


def test_few_points_of_several_modes_widen_the_interval():
    """64 y in eight modes: twice the neighbours give the larger value, and the interval holds it.

    It did not hold the truth, nor did twice its half width, in half of the samples.
    """
    ring = next(c for c in CASES if c.id == "ring and turned ring")
    missed = 0
    for seed in range(24):
        found = NearestNeighbours()(*ring.draw(512, seed, 64))
        reach = 2 * float(found.ci[1]) - float(found)
        missed += not found.warnings and reach < ring.kl
    assert missed <= 5


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("share", [0.013, 0.018])
def test_a_small_part_of_p_without_any_y_leaves_the_interval_without_an_upper_end(share, d):
    """KL is infinite if Q has no mass there, and no sample can show how little it has."""
    draw = np.random.default_rng(0)
    x, y = (torch.from_numpy(draw.standard_normal((1500, d))) for _ in range(2))
    assert NearestNeighbours()(x, y).ci[1].isfinite()
    x[: round(1500 * share)] = 9 + x[: round(1500 * share)] / 100
    assert NearestNeighbours()(x, y).ci[1] == math.inf


def narrow_pair(d: int, n: int, seed: int, width: float = 0.5):
    draw = np.random.default_rng(seed)
    x, y = draw.standard_normal((2, n, d))
    return torch.from_numpy(x), torch.from_numpy(width * y)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("d", [8, 12, 30])
def test_js_of_a_narrow_law_in_many_dimensions_is_warned_of(d, swapped):
    """.474 in 8 and .567 in 12 dimensions, up to log 2; balls of the wide law hold the other."""
    for seed in range(3):
        pair = narrow_pair(d, 512, seed)
        found = RossJS()(*pair[::-1] if swapped else pair)
        assert any(note.startswith("biased") for note in found.warnings)
        assert found.value.isnan() or -0.05 < float(found.value) < LOG2 + 0.01


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_js_of_laws_of_unequal_width_is_not_called_biased_in_few_dimensions(d, k):
    for seed in range(3):
        pair = narrow_pair(d, 1024, seed, 1 / 1.5)
        assert not any(note.startswith("biased") for note in RossJS(k=k)(*pair).warnings)


@pytest.mark.parametrize("case", SMOOTH_PLANAR)
def test_js_of_smooth_planar_pairs_is_not_called_biased(case):
    assert not any(RossJS()(*case.draw(400, seed)).warnings for seed in range(10))


def test_the_log_prob_of_a_law_on_the_line_is_that_of_points_of_one_dimension():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((200, 1)))
    line, points = Normal(0.0, 1.0), Independent(Normal(torch.zeros(1), 1.0), 1)
    first, second = (KnownDensity(law.log_prob)(x).value for law in (line, points))
    assert first == second


def test_few_points_in_each_of_several_modes_are_said():
    """Eight modes of eight points: ten neighbours of a point are not of its own mode alone."""
    case, missed = next(case for case in CASES if case.id == "ring and turned ring"), 0
    for seed in range(24):
        found = NearestNeighbours()(*case.draw(512, seed, 64))
        missed += not found.warnings and not found.ci[0] <= case.kl <= found.ci[1]
    assert missed <= 3  # of 24; 17 of 20 without the warning
