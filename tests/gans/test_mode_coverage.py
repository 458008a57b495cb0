import math
import pickle

import numpy as np
import ot
import pytest
import torch
from scipy import stats
from torchmetrics import Metric

from divergences import Streams
from gans import mode_coverage
from gans.mode_metrics import ModeCoverage
from gans.targets import Grid, Ring, SubspaceModes

N = 2500  # what the published tables use
TARGETS = {"ring": Ring(), "grid": Grid()}
both = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())


def read(target, points, **options):
    metric = ModeCoverage.of(target, **options)
    metric.update(points)
    return metric.compute()


def mixture(centres, scale, members, n, seed=0):
    """Points of equal normal modes of width ``scale``, independent of the targets' own sampler."""
    rng = np.random.default_rng(seed)
    centres = np.asarray(centres, dtype=float)
    which = rng.integers(len(centres), size=(members, n))
    noise = rng.standard_normal((members, n, centres.shape[1]))
    return torch.as_tensor(centres[which] + scale * noise)


def counts_of(target, points):
    mode, distance = mode_coverage.assign(points, target.centres)
    return mode_coverage.mode_counts(mode, distance < 3 * target.scale, len(target.centres))


@both
def test_a_perfect_sampler_reads_its_closed_forms(target):
    members = 20
    points = target.draw(Streams(range(members)), N)
    values = read(target, points)
    modes = len(target.centres)
    assert (values["covered_1"] == modes).all()
    assert (values["covered_20"] == modes).all()
    share = 1 - math.exp(-4.5)
    error = math.sqrt(share * (1 - share) / (N * members))
    assert abs(float(values["high_quality"].mean()) - share) < 4 * error
    # relative error of the median of a Rayleigh law, 1 / (2 f(m) m sqrt(n)); a sample's own median
    # is nearer to it, by less than 1 part in n
    off = float(values["core_width"].mean()) - 1
    assert abs(off) < 4 * 0.7213 / math.sqrt(N * members) + modes / N


@pytest.mark.parametrize("d", [1, 2, 3, 16])
@pytest.mark.parametrize("within", [1.0, 3.0, 10.0])
def test_the_perfect_share_is_that_of_a_normal_law(d, within):
    """By integrating the density of the radius, which knows no chi-square law."""
    r = np.linspace(0, within, 200_001)
    radius = stats.chi(d).pdf(r)
    mass = np.trapezoid(radius, r)
    assert mode_coverage.perfect_share(d, within) == pytest.approx(mass, rel=1e-6)


def test_the_perfect_share_in_the_plane_and_in_many_dimensions():
    assert mode_coverage.perfect_share(2) == pytest.approx(1 - math.exp(-4.5), rel=1e-12)
    assert mode_coverage.perfect_share(700, 10.0) < 1e-100


@pytest.mark.parametrize(
    ("target", "n"),
    [(Grid(1.0, 0.03, side=10), N), (Ring(weights=[0.05] * 4 + [1] * 4), 1000)],
    ids=["100 modes", "unbalanced ring"],
)
def test_how_many_modes_a_perfect_sampler_covers(target, n):
    covered = mode_coverage.covered_modes(
        counts_of(target, target.draw(Streams(range(100)), n)), 20
    )
    error = float(covered.double().std()) / 10
    expected = float(mode_coverage.perfect_covered(target.weights, n, at_least=20))
    assert len(target.centres) - expected > 0.5  # so that the threshold matters
    assert abs(float(covered.double().mean()) - expected) < 4 * error
    assert mode_coverage.perfect_covered(Ring().weights, N, at_least=20) == 8


@pytest.mark.parametrize("modes", [8, 25])
@pytest.mark.parametrize("kept", [1, 4, 8])
def test_k_of_m_equal_modes_read_log_m_over_k(modes, kept):
    target = Ring(1.0, 0.01, modes)
    values = read(target, target.centres[:kept].repeat(30, 1).double())
    assert float(values["mode_reverse_kl"]) == pytest.approx(math.log(modes / kept), abs=1e-6)
    forward = float(values["mode_kl"])
    assert forward == pytest.approx(0, abs=1e-6) if kept == modes else math.isinf(forward)
    assert (values["covered_1"], values["covered_20"]) == (kept, kept)


def test_the_histogram_divergences_are_scipys():
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 40, (50, 8), generator=generator)
    counts[0, 3] = 0
    weights = torch.rand(8, generator=generator, dtype=torch.float64)
    weights /= weights.sum()
    forward, reverse = mode_coverage.mode_kl(counts, weights)
    w, h = weights.numpy(), counts.numpy() / counts.numpy().sum(1, keepdims=True)
    np.testing.assert_allclose(forward, stats.entropy(np.broadcast_to(w, h.shape), h, axis=1))
    np.testing.assert_allclose(reverse, stats.entropy(h, np.broadcast_to(w, h.shape), axis=1))
    assert math.isinf(forward[0])
    assert math.isfinite(reverse[0])


@pytest.mark.parametrize(("modes", "published"), [(8, 0.0015), (25, 0.0048)])
def test_the_floor_of_the_reverse_kl_is_that_of_a_likelihood_ratio(modes, published):
    """Wilks: 2 n KL is chi-square with M - 1 degrees of freedom, for the n that count."""
    target = Ring(8.0, 0.05, modes)
    points = mixture(target.centres, 0.05, members=300, n=N)
    counts = counts_of(target, points)
    weights = torch.full((modes,), 1 / modes, dtype=torch.float64)
    reverse = mode_coverage.mode_kl(counts, weights).reverse
    ratio = 2 * counts.sum(-1) * reverse
    assert stats.kstest(ratio.numpy(), stats.chi2(modes - 1).cdf).pvalue > 1e-3
    error = float(reverse.std()) / math.sqrt(len(reverse))
    assert abs(float(reverse.mean()) - (modes - 1) / (2 * N * 0.9889)) < 4 * error
    assert float(reverse.mean()) == pytest.approx(published, abs=1.5e-4)


def test_weights_of_the_target_are_what_even_means():
    target = Ring(weights=[0.05] * 4 + [1] * 4)
    points = target.draw(Streams(range(50)), N)
    counts, floor = counts_of(target, points), 7 / (2 * N * 0.9889)
    even = mode_coverage.mode_kl(counts, target.weights).reverse
    assert abs(even.mean() - floor) < 4 * even.std() / math.sqrt(50)
    # held against equal weights, the same samples read the KL of the weights from equal ones
    uneven = mode_coverage.mode_kl(counts, Ring().weights).reverse
    known = stats.entropy(target.weights.double().numpy(), np.full(8, 1 / 8))
    assert abs(uneven.mean() - floor - known) < 4 * uneven.std() / math.sqrt(50)
    torch.testing.assert_close(read(target, points[0])["mode_reverse_kl"], even[0])


def test_all_samples_at_one_centre():
    values = read(Ring(), Ring().centres[2].expand(N, 2))
    assert values["high_quality"] == 1  # the best there is, by this number
    assert values["covered_1"] == 1
    assert float(values["mode_reverse_kl"]) == pytest.approx(math.log(8))
    assert values["mode_kl"] == math.inf
    assert values["core_width"] == 0


def test_no_sample_of_high_quality_has_no_histogram():
    values = read(Ring(), torch.zeros(3, 100, 2))
    assert (values["high_quality"] == 0).all()
    assert (values["covered_1"] == 0).all()
    for name in ("mode_kl", "mode_reverse_kl"):
        assert values[name].isnan().all(), name


def test_a_ring_that_repeats_its_first_mode_is_seen():
    """Eight angles over the closed circle: seven places, of which the ring of eight knows one."""
    angle = np.linspace(0, 2 * math.pi, 8)
    closed = np.stack([np.cos(angle), np.sin(angle)], -1)
    values = read(Ring(), mixture(closed, 0.01, members=20, n=N))
    share = 2 / 8 * 0.98889
    error = math.sqrt(share * (1 - share) / (N * 20))
    assert abs(float(values["high_quality"].mean()) - share) < 4 * error
    assert (values["covered_1"] == 1).all()
    with pytest.raises(ValueError, match=r"centres 0 and 7 .* merge modes that coincide"):
        ModeCoverage(torch.as_tensor(closed), 0.01)
    weights = torch.tensor([2.0] + [1.0] * 6) / 8
    merged = ModeCoverage(torch.as_tensor(closed[:7]), 0.01, weights)
    merged.update(mixture(closed, 0.01, members=20, n=N))
    assert (merged.compute()["covered_20"] == 7).all()
    assert merged.compute()["mode_reverse_kl"].mean() < 0.003


@pytest.mark.parametrize("width", [0.25, 0.5, 0.8, 1.2, 2.0])
def test_modes_too_narrow_or_wide_are_seen_by_their_width(width):
    target = Grid()
    members = 4
    points = mixture(target.centres, 0.05 * width, members, n=5000)
    values = {name: float(value.mean()) for name, value in read(target, points).items()}
    share = stats.chi2(2).cdf(9 / width**2)
    error = math.sqrt(share * (1 - share) / (5000 * members)) + 1e-4
    assert abs(values["high_quality"] - share) < 4 * error
    assert values["core_width"] == pytest.approx(width, rel=0.02)
    if width < 1:  # better than the truth by the share of high quality
        assert values["high_quality"] > values["high_quality_perfect"]


def test_stray_samples_do_not_hide_a_narrow_core():
    """Three in a hundred far away make the standard deviation about the mean read too wide."""
    points = mixture([[0.0, 0.0]], 0.5, members=1, n=4000)
    points[:, ::33] += 20.0
    metric = ModeCoverage(torch.zeros(1, 2), 1.0)
    metric.update(points)
    assert points.std(-2).mean() > 3
    assert float(metric.compute()["core_width"]) == pytest.approx(0.5, rel=0.06)


@pytest.mark.parametrize("latent", [2, 4, 9])
def test_noise_in_fewer_dimensions_than_the_space(latent):
    target = SubspaceModes(spread=5.0, modes=3, latent=latent, dimension=12)
    values = read(target, target.draw(Streams(range(10)), 1500))
    share = stats.chi2(latent).cdf(9)
    assert values["high_quality_perfect"][0] == pytest.approx(share)
    error = math.sqrt(share * (1 - share) / 15_000)
    assert abs(values["high_quality"].mean() - share) < 4 * error
    width = values["core_width"]
    assert abs(width.mean() - 1) < 4 * width.std() / math.sqrt(10) + 3 / 1500


def test_a_ball_that_holds_no_sample_is_refused():
    with pytest.raises(ValueError, match=r"within = 3: in 700 dimensions .* within = 28\.1 holds"):
        ModeCoverage.of(SubspaceModes())


def test_narrow_modes_far_out_are_measured_in_single_precision():
    centres = torch.tensor([[1000.0, 1000.0], [1001.0, 1000.0]])
    mode, distance = mode_coverage.assign(centres.repeat(40, 1) + 2**-10, centres)
    assert (mode == torch.arange(2).repeat(40)).all()
    torch.testing.assert_close(distance, torch.full((80,), math.sqrt(2) * 2**-10))


def test_members_are_read_one_by_one():
    target = Grid(torch.tensor([2.0, 1.0, 1.5]), torch.tensor([0.05, 0.1, 0.2]))
    points = target.draw(Streams([5, 6, 7]), 1000)
    together = read(target, points)
    for k in range(3):
        one = read(Grid(target.spacing[k], target.scale[k]), points[k])
        assert one.keys() == together.keys()
        for name, value in one.items():
            assert value.shape == ()
            torch.testing.assert_close(together[name][k], value, msg=name)


@pytest.mark.parametrize("lead", [(), (3,)], ids=["one generator", "three members"])
def test_batches_and_merged_halves_are_the_whole(lead):
    points = torch.randn(4, *lead, 300, 2, generator=torch.Generator().manual_seed(0))
    whole = read(Ring(1.0, 0.1), torch.cat(list(points), dim=-2))
    first, second = ModeCoverage.of(Ring(1.0, 0.1)), ModeCoverage.of(Ring(1.0, 0.1))
    buffer = torch.empty_like(points[0])  # as of a loop that writes each batch to the same memory
    for metric, half in ((first, points[:2]), (second, points[2:])):
        for batch in half:
            metric.update(buffer.copy_(batch))
    first.compute()  # of its own half
    second = pickle.loads(pickle.dumps(second))
    first.merge_state(second)
    assert whole.keys() == first.compute().keys()
    for name, value in first.compute().items():
        assert value.shape == lead
        torch.testing.assert_close(value, whole[name], equal_nan=True, msg=name)


def test_reset_forgets_so_that_a_moving_average_can_be_read_after_its_model():
    live, average = (Ring().draw(Streams([seed]), 500)[0] for seed in (1, 2))
    metric = ModeCoverage.of(Ring())
    metric.update(live)
    metric.compute()
    metric.reset()
    metric.update(average)
    for name, value in read(Ring(), average).items():
        torch.testing.assert_close(metric.compute()[name], value, msg=name)


def test_declared_facts():
    metric = ModeCoverage.of(Ring())
    assert isinstance(metric, Metric)
    assert metric.is_differentiable is False
    assert metric.full_state_update is False
    assert metric.state_dict() == {}


def test_w1_and_its_floor_are_exact():
    points, fresh, again = (Grid().draw(Streams([s, s + 10]), 200).double() for s in range(3))
    values = mode_coverage.exact_w1(points, fresh, again)
    for name, x in (("w1", points), ("w1_floor", again)):
        for k in range(2):
            exact = ot.emd2([], [], torch.cdist(x[k], fresh[k]).numpy())
            assert float(values[name][k]) == pytest.approx(exact, rel=1e-9)
    one_point = mode_coverage.exact_w1(torch.zeros_like(points), fresh, again)["w1"]
    torch.testing.assert_close(one_point, fresh.norm(dim=-1).mean(-1))


@both
def test_a_perfect_sampler_reads_the_floor(target):
    points, fresh, again = (target.draw(Streams(range(s, s + 25)), 256) for s in (0, 100, 200))
    values = mode_coverage.exact_w1(points, fresh, again)
    difference = values["w1"] - values["w1_floor"]
    assert abs(difference.mean()) < 4 * difference.std() / 5
    published = {"Ring": 0.119, "Grid": 0.476}[type(target).__name__]
    error = values["w1_floor"].std() / 5
    assert abs(values["w1_floor"].mean() - published) < 4 * error


RING = Ring().centres


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"scale": 0.0}, "scale = 0.0 must be"),
        ({"scale": math.nan}, "scale = nan must be"),
        ({"scale": torch.ones(3)}, r"scale of shape \(3,\) .* pass shape \(\)$"),
        ({"within": -1.0}, "within = -1.0 must be"),
        ({"within": 40.0}, "closer than twice 40 standard deviations"),
        ({"weights": torch.ones(7) / 7}, r"weights of shape \(7,\) .* pass shape \(8,\)$"),
        ({"weights": torch.ones(8)}, "sum"),
        ({"weights": torch.tensor([0.0] + [1 / 7] * 7)}, "a mode has weight 0"),
        ({"at_least": (1, 0)}, "at_least = 0"),
        ({"enough": 1}, "enough = 1"),
        ({"dimension": 3}, "dimension = 3"),
        ({"centres": torch.full((8, 2), math.nan)}, "NaN"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:20],
)
def test_an_impossible_metric_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        ModeCoverage(**{"centres": RING, "scale": 0.01} | arguments)


@pytest.mark.parametrize(
    ("points", "error", "match"),
    [
        (torch.zeros(4, 3), ValueError, r"points of shape \(1, 3\) and centres"),
        (torch.zeros(4), ValueError, "expected"),
        (torch.zeros(2, 4, 2), ValueError, r"\(2, 4, 2\) after one of \(8, 2\)"),
        (torch.full((4, 2), math.inf), ValueError, "4 points with NaN or infinite"),
        (torch.zeros(0, 2), ValueError, "at least 1 points"),
        (torch.zeros(4, 2, dtype=torch.long), TypeError, "dtype"),
    ],
    ids=["dimension", "vector", "members", "infinite", "empty", "integers"],
)
def test_a_bad_batch_is_named_when_it_comes(points, error, match):
    metric = ModeCoverage.of(Ring())
    metric.update(RING)
    with pytest.raises(error, match=match):
        metric.update(points)
    assert metric.compute()["covered_1"] == 8


def test_other_bad_input_is_named():
    with (
        pytest.warns(UserWarning, match="before the ``update``"),
        pytest.raises(ValueError, match="no points yet"),
    ):
        ModeCoverage.of(Ring()).compute()
    with pytest.raises(ValueError, match="7 weights for counts of 8 modes"):
        mode_coverage.mode_kl(torch.ones(8, dtype=torch.long), torch.ones(7) / 7)
    with pytest.raises(ValueError, match="draw as many"):
        mode_coverage.exact_w1(RING, RING, RING[:4])
    with pytest.raises(ValueError, match="d = 0"):
        mode_coverage.perfect_share(0)
    with pytest.raises(ValueError, match="within = 0"):
        mode_coverage.perfect_share(2, 0.0)
    with pytest.raises(ValueError, match=r"need modes of shape \(8,\)"):
        mode_coverage.core_width(RING, torch.zeros(7, dtype=torch.long), torch.tensor(0.01))
    with pytest.raises(ValueError, match="do not fit"):
        mode_coverage.assign(RING, torch.zeros(3, 8, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("own", [True, False], ids=["half target", "single target"])
@pytest.mark.parametrize(
    "law",
    [Ring(), Grid(), Ring(weights=[1, 2, 3, 4, 5, 6, 7, 8]), SubspaceModes(1.0, 0.1, 3, 4, 6)],
    ids=["ring", "grid", "unbalanced", "subspace"],
)
def test_points_in_half_precision_are_read_as_the_numbers_they_are(dtype, own, law):
    points = law.draw(Streams([0, 1]), 3000).to(dtype)
    expected = ModeCoverage.of(law.to("cpu", dtype) if own else law)
    expected.centres = expected.centres.double()
    expected.scale = expected.scale.double()
    metric = ModeCoverage.of(law.to("cpu", dtype) if own else law)
    expected.update(points.double())
    metric.update(points)
    for name, value in metric.compute().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(
            value, expected.compute()[name].float(), rtol=1e-4, atol=1e-4, msg=name
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_target_of_any_precision_has_a_metric(dtype):
    """Whose weights, rounded to it, need not sum to 1."""
    law = Grid(side=7, spacing=2.0, weights=range(1, 50)).to("cpu", dtype)
    metric = ModeCoverage.of(law)
    metric.update(law.draw(Streams([0]), 4000).to(dtype))
    assert metric.compute()["covered_1"] > 40
