import math
import re
from collections.abc import Callable

import pytest
import torch
from scipy.integrate import quad
from scipy.special import iv, ndtr
from scipy.stats import beta, entropy
from torch.distributions import (
    AbsTransform,
    Bernoulli,
    Beta,
    Binomial,
    Categorical,
    Cauchy,
    Dirichlet,
    Distribution,
    Exponential,
    ExpTransform,
    Geometric,
    Gumbel,
    HalfNormal,
    Independent,
    Laplace,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    Poisson,
    PowerTransform,
    StudentT,
    TransformedDistribution,
    Uniform,
    VonMises,
    kl_divergence,
)

from divergences import numerical
from divergences.numerical.integration import Average
from divergences.numerical.monte_carlo import MonteCarlo
from divergences.numerical.quadrature import Quadrature
from divergences.tail_index import _spread, tail_index
from scripts.lab.known_pairs import CASES, LOG2

KNOWN = [c for c in CASES if c.densities]
BOTH = {"argvalues": [Quadrature(), MonteCarlo()], "ids": ["quadrature", "monte carlo"]}
IN_REACH = [c for c in KNOWN if c.dim <= 3]


def normal(mean: float, sd: float, dim: int = 1) -> Independent:
    ones = torch.ones(dim, dtype=torch.float64)
    return Independent(Normal(mean * ones, sd * ones), 1)


def two_bumps(sd: float = 1.0) -> MixtureSameFamily:
    means = torch.tensor([-2.0, 2.0], dtype=torch.float64)
    return MixtureSameFamily(Categorical(torch.ones(2).double()), Normal(means, sd))


# --- truths


@pytest.mark.parametrize("c", IN_REACH, ids=lambda c: c.id)
@pytest.mark.parametrize("quantity", ["kl_divergence", "js_divergence"])
def test_quadrature_agrees_with_every_case(quantity, c):
    estimate = getattr(numerical, quantity)(*c.densities)
    expected = getattr(c, quantity.split("_")[0])
    assert estimate.value.item() == pytest.approx(expected, rel=1e-8, abs=1e-8)
    assert estimate.ci[0] <= estimate.value <= estimate.ci[1]


@pytest.mark.parametrize("c", IN_REACH, ids=lambda c: c.id)
def test_quadrature_of_total_variation_agrees_with_every_case(c):
    # the dense grid of the planar cases knows the kink where p = q to about 1e-4
    p, q = c.densities
    value = numerical.total_variation(p, q, Quadrature(tolerance=1e-4)).value.item()
    assert value == pytest.approx(c.tv, abs=1e-4)


@pytest.mark.parametrize("c", KNOWN, ids=lambda c: c.id)
@pytest.mark.parametrize("quantity", ["kl_divergence", "js_divergence", "total_variation"])
def test_monte_carlo_agrees_with_every_case(quantity, c):
    estimate = getattr(numerical, quantity)(*c.densities, MonteCarlo(20_000))
    expected = getattr(c, "tv" if quantity == "total_variation" else quantity.split("_")[0])
    half = (estimate.ci[1] - estimate.ci[0]).item() / 2
    assert abs(estimate.value.item() - expected) <= 2.3 * half + 1e-9


def test_monte_carlo_intervals_cover_95_percent():
    p, q = normal(0, 1, 2), normal(1, 1.5, 2)
    truth = kl_divergence(p, q).item()
    covered = 0
    for seed in range(300):
        low, high = numerical.kl_divergence(p, q, MonteCarlo(500, seed)).ci
        covered += bool(low <= truth <= high)
    assert 0.91 <= covered / 300 <= 0.985


@pytest.mark.parametrize(
    ("p", "q", "box"),
    [
        pytest.param(Normal(0.0, 1.0), Normal(3.0, 0.1), None, id="normal, nearly disjoint"),
        pytest.param(Laplace(0.0, 1.0), Laplace(1.0, 2.0), None, id="Laplace, kinked"),
        pytest.param(Exponential(1.0), Exponential(3.0), [(0, 60)], id="exponential, cut off"),
        pytest.param(Cauchy(0.0, 1.0), Cauchy(1.0, 1.0), [(-1e7, 1e7)], id="Cauchy, heavy tails"),
        pytest.param(Beta(2.0, 3.0), Beta(4.0, 2.0), [(0, 1)], id="beta"),
        pytest.param(
            MultivariateNormal(torch.zeros(3), torch.eye(3)),
            MultivariateNormal(torch.ones(3), 2 * torch.eye(3)),
            None,
            id="normal in three dimensions, float32",
        ),
    ],
)
def test_kl_equals_torchs_closed_form(p, q, box):
    value = numerical.kl_divergence(p, q, Quadrature(box)).value
    assert value.item() == pytest.approx(kl_divergence(p, q).item(), rel=2e-5, abs=2e-6)


def test_entropy_equals_torchs_and_scipys():
    for p in (Normal(0.0, 2.0), Laplace(1.0, 0.5)):
        assert numerical.entropy(p).value.item() == pytest.approx(p.entropy().item(), abs=1e-5)
    value = numerical.entropy(Beta(2.0, 3.0), Quadrature([(0, 1)])).value.item()
    assert value == pytest.approx(float(beta(2, 3).entropy()), abs=1e-6)


def test_kl_of_a_mixture_equals_scipys_quadrature():
    def integrand(x: float) -> float:
        point = torch.tensor(x, dtype=torch.float64)
        log_p, log_q = two_bumps().log_prob(point), normal(0, 3).log_prob(point[None])
        return float(log_p.exp() * (log_p - log_q))

    expected = quad(integrand, -15, 15, epsabs=1e-10)[0]
    value = numerical.kl_divergence(two_bumps(), normal(0, 3)).value.item()
    assert value == pytest.approx(expected, abs=1e-9)


def test_a_far_and_narrow_component_is_not_missed():
    # a bump of sd 1e-3 in a box of about 100: 1e10 times the volume of its mass in the plane
    means = torch.tensor([[0.0, 0.0], [50.0, 30.0]], dtype=torch.float64)
    bumps = Independent(Normal(means, torch.tensor([[1.0], [1e-3]]).double().expand(2, 2)), 1)
    p = MixtureSameFamily(Categorical(torch.tensor([0.9, 0.1]).double()), bumps)
    value = numerical.entropy(p).value.item()
    each = [2 * math.log(sd) + math.log(2 * math.pi * math.e) for sd in (1.0, 1e-3)]
    assert value == pytest.approx(0.9 * each[0] + 0.1 * each[1] + entropy([0.9, 0.1]), abs=1e-6)


@pytest.mark.parametrize("integrator", **BOTH)
def test_kl_is_infinite_exactly_where_q_has_no_mass(integrator):
    p, q = Normal(0.0, 1.0), Uniform(-1.0, 1.0)
    estimate = numerical.kl_divergence(p, q, integrator)
    assert estimate.value == math.inf
    assert numerical.cross_entropy(p, q, integrator).value == math.inf
    assert numerical.js_divergence(p, q, integrator).value < LOG2
    finite = numerical.kl_divergence(q, p, integrator)
    # - log 2 + log(2 pi)/2 + E x^2/2, on [-1, 1]
    expected = math.log(2 * math.pi) / 2 - LOG2 + 1 / 6
    error = 4 * finite.stderr.nan_to_num(0).item() + 1e-6
    assert finite.value.item() == pytest.approx(expected, abs=error)


# --- identities


def test_kl_is_cross_entropy_less_entropy():
    p, q = two_bumps(0.5), normal(0, 2)
    kl = numerical.kl_divergence(p, q).value.item()
    cross, own = numerical.cross_entropy(p, q).value.item(), numerical.entropy(p).value.item()
    assert kl == pytest.approx(cross - own, abs=1e-9)


@pytest.mark.parametrize("f", [numerical.js_divergence, numerical.total_variation])
def test_symmetry(f):
    p, q = two_bumps(0.5), normal(0.3, 2)
    assert f(p, q).value.item() == pytest.approx(f(q, p).value.item(), abs=1e-12)


@pytest.mark.parametrize("shift", [0.1, 1.0, 5.0, 40.0])
def test_js_at_most_log_2_and_pinsker(shift):
    p, q = normal(0, 1), normal(shift, 1)
    js, tv, kl = (
        f(p, q).value.item()
        for f in (numerical.js_divergence, numerical.total_variation, numerical.kl_divergence)
    )
    assert 0 <= js <= LOG2 + 1e-12
    assert tv**2 <= kl / 2
    assert tv**2 / 2 <= js <= tv * LOG2 + 1e-12  # Lin 1991


@pytest.mark.parametrize("f", [numerical.kl_divergence, numerical.js_divergence])
def test_an_invertible_map_of_both_laws_changes_nothing(f):
    p, q = normal(0, 1, 2), normal(1, 0.5, 2)
    moved_p, moved_q = normal(30, 10, 2), normal(40, 5, 2)
    assert f(p, q).value.item() == pytest.approx(f(moved_p, moved_q).value.item(), abs=1e-8)


@pytest.mark.parametrize("integrator", **BOTH)
def test_a_batch_of_densities_reads_one_value_per_member(integrator):
    means = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    p, q = Normal(means, 1.0), Normal(torch.zeros(()).double(), 2.0)
    for first, second in ((p, q), (q, p), (p, Normal(means + 1, 1.0))):
        estimate = numerical.kl_divergence(first, second, integrator)
        expected = kl_divergence(first, second)
        assert estimate.value.shape == estimate.stderr.shape == (3,)
        error = estimate.stderr.nan_to_num(0) * 4 + 1e-8
        assert ((estimate.value - expected).abs() <= error).all()


class Triangle:
    """A density of the user's own: 1 - |x| on [-1, 1], times a factor that should be 1."""

    def __init__(self, factor: float = 1.0):
        self.factor = factor

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        return (self.factor * (1 - value[:, 0].abs()).clamp_min(0)).log()


def test_a_density_of_the_users_own():
    # H = -2 int_0^1 (1-x) log(1-x) dx = 1/2
    value = numerical.entropy(Triangle(), Quadrature([(-1, 1)])).value.item()
    assert value == pytest.approx(0.5, abs=1e-6)


# --- what went wrong is said


@pytest.mark.parametrize(
    ("p", "q", "box", "says"),
    [
        pytest.param(
            Triangle(1.1), Triangle(), [(-1, 1)], "the first density has mass 1.1 ", id="mass of p"
        ),
        pytest.param(
            Triangle(), Triangle(0.5), [(-1, 1)], "the second density has mass 0.5 ", id="of q"
        ),
        pytest.param(
            Normal(0.0, 1.0), Normal(9.0, 1.0), [(-8, 8)], "second density has mass 0.15", id="box"
        ),
        pytest.param(StudentT(2.5), StudentT(3.0), [(-9, 9)], "has mass 0.9", id="heavy tails"),
        pytest.param(Triangle(), Normal(0.0, 1.0), None, "no box was given", id="one unknown"),
        pytest.param(normal(0, 1, 4), normal(1, 1, 4), None, "in 4 dimensions", id="four axes"),
        pytest.param(Triangle(), Triangle(), None, "give a box", id="unknown dimension"),
        pytest.param(normal(0, 1, 2), normal(0, 1, 3), None, "event_shape", id="dimensions"),
        pytest.param(normal(0, 1), normal(1, 1), [(1, -1)], "no volume", id="empty box"),
        pytest.param(
            Normal(torch.zeros(2, 3), 1.0), normal(0, 1), None, "batch_shape", id="two batch axes"
        ),
    ],
)
def test_quadrature_says_what_is_wrong(p, q, box, says):
    with pytest.raises(ValueError, match=says):
        numerical.kl_divergence(p, q, Quadrature(box))


@pytest.mark.parametrize(
    ("log_prob", "says"),
    [
        pytest.param(lambda x: x[:, 0] * math.nan, "is NaN or", id="NaN"),
        pytest.param(lambda x: x, "maps points", id="shape"),
    ],
)
def test_quadrature_names_a_log_prob_that_misbehaves(log_prob: Callable, says):
    class Wrong:
        pass

    wrong = Wrong()
    wrong.log_prob = log_prob  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=says):
        numerical.entropy(wrong, Quadrature([(0, 1)]))  # type: ignore[arg-type]


class Square:
    """Uniform on the unit square, and says nothing about where that is."""

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        return ((value > 0) & (value < 1)).all(1).double().log()


def test_quadrature_gives_up_rather_than_answer_badly():
    with pytest.raises((RuntimeError, ValueError), match="edges"):
        numerical.entropy(Square(), Quadrature([(-0.7, 2), (-0.3, 2)], max_evaluations=10**6))
    value = numerical.entropy(Square(), Quadrature([(0, 1), (0, 1)])).value.item()
    assert value == pytest.approx(0, abs=1e-12)


def test_monte_carlo_needs_a_sample_and_two_points():
    with pytest.raises(TypeError, match="Triangle has no sample"):
        numerical.entropy(Triangle(), MonteCarlo(100))
    with pytest.raises(ValueError, match="n = 1"):
        MonteCarlo(1)


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (torch.zeros(99, 1), r"Triangle returned \(99, 1\); expected a tensor of 100 points"),
        ([0.0] * 100, "Triangle returned list; expected a tensor of 100 points"),
        (None, "Triangle returned NoneType; expected a tensor"),
    ],
    ids=["too few", "list", "none"],
)
def test_monte_carlo_names_a_sample_of_other_than_points(drawn, says):
    law = Triangle()
    law.sample = lambda shape: drawn if shape == (100,) else torch.zeros(*shape, 1)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=says):
        numerical.entropy(law, MonteCarlo(100))


def test_monte_carlo_repeats_itself_and_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    one, two = (numerical.entropy(Normal(0.0, 1.0), MonteCarlo(100)).value for _ in range(2))
    assert one == two
    assert torch.equal(state, torch.get_rng_state())


# --- what used to be wrong in silence, by kind


def of(value: float | list[float]) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def mixed(weights: list[float], parts: Distribution) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(of(weights)), parts)


def gumbels_apart(m: float) -> tuple[Gumbel, Gumbel]:
    return Gumbel(of(0.0), of(1.0)), Gumbel(of(m), of(1.0))


@pytest.mark.parametrize("m", [1.0, 20.0, 34.0, 60.0, 700.0])
def test_a_log_density_of_any_size_does_not_widen_what_it_does_not_move(m):
    # densities cross where exp(-x) = m / (exp(m) - 1); q's logarithm is about -exp(m) under p
    p, q = gumbels_apart(m)
    tv, js = numerical.total_variation(p, q), numerical.js_divergence(p, q)
    at = m / math.expm1(m)
    assert tv.ci[0] <= math.exp(-at) - math.exp(-at - m) <= tv.ci[1]
    assert tv.ci[1] - tv.ci[0] < 1e-4
    assert tv.value**2 / 2 <= js.value <= tv.value * LOG2 + 1e-9  # Lin 1991
    assert js.ci[1] - js.ci[0] < 1e-5


@pytest.mark.parametrize(
    ("s", "m"),
    [(0.4233862657524237, 1.455177441570799), (0.2648654596709131, 3.1261198903907146)]
    + [(0.5, 0.1 * k) for k in range(15)],
)
def test_a_kink_beyond_the_last_node_of_a_cell_is_within_the_interval(s, m):
    # of N(m, s) and N(0, 1): of a cell's nodes none tells that the densities cross at its edge
    far = math.sqrt(m * m - 2 * (1 - s * s) * math.log(s)) * s
    crossings = [(m + sign * far) / (1 - s * s) for sign in (-1, 1)]
    (a, b), (c, d) = ([ndtr((x - at) / by) for x in crossings] for at, by in ((m, s), (0, 1)))
    found = numerical.total_variation(Normal(of(m), of(s)), Normal(of(0.0), of(1.0)))
    assert found.ci[0] <= (b - a) - (d - c) <= found.ci[1]
    assert found.ci[1] - found.ci[0] < 2e-6


@pytest.mark.parametrize("ratio", [3.0, 17.0, 60.0, 100.0])
def test_a_large_value_is_right_to_as_many_digits_as_a_small_one(ratio):
    p, q = Gumbel(of(0.0), of(ratio)), Gumbel(of(1.0), of(1.0))
    found = numerical.kl_divergence(p, q)
    assert found.value.item() == pytest.approx(kl_divergence(p, q).item(), rel=1e-6)
    assert found.ci[0] <= kl_divergence(p, q) <= found.ci[1]


APART = mixed([0.5, 0.5], Uniform(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0])))
TAIL = "infinite, or converges too slowly|infinite or converges too slowly|rests on"


@pytest.mark.parametrize("integrator", **BOTH)
@pytest.mark.parametrize(
    ("quantity", "p", "q", "truth"),
    [
        pytest.param(
            numerical.kl_divergence,
            Normal(10.0, 1.0),
            mixed([1.0, 0.0], Normal(torch.tensor([0.0, 10.0]), 1.0)),
            50.0,
            id="weight 0",
        ),
        pytest.param(
            numerical.kl_divergence,
            Normal(of(40.0), 1.0),
            mixed([1.0, 1e-30], Normal(torch.tensor([0.0, 40.0]), 1.0)),
            30 * math.log(10),
            id="weight below the smallest float",
        ),
        pytest.param(numerical.kl_divergence, Uniform(0.0, 1.0), APART, LOG2, id="union: KL"),
        pytest.param(numerical.total_variation, APART, Uniform(0.0, 1.0), 0.5, id="union: TV"),
        pytest.param(numerical.entropy, APART, None, LOG2, id="union: entropy"),
        pytest.param(
            numerical.kl_divergence,
            TransformedDistribution(APART, ExpTransform()),
            TransformedDistribution(Uniform(0.0, 3.0), ExpTransform()),
            math.log(1.5),
            id="union under a map",
        ),
        pytest.param(
            numerical.kl_divergence,
            Laplace(of(0.0), of(1.0)),
            Normal(of(0.0), of(0.01)),
            1e4 + math.log(2 * math.pi * 1e-4) / 2 - 1 - LOG2,
            id="negligible mass that matters",
        ),
        pytest.param(
            numerical.kl_divergence,
            Normal(of(0.0), of(1.0)),
            Uniform(-40.0, 40.0),
            math.inf,
            id="outside of the support where no point falls",
        ),
        pytest.param(
            numerical.kl_divergence,
            Laplace(10000.5, 1.0),
            Normal(1e4, 1.0),
            math.log(2 * math.pi) / 2 + 1.125 - 1 - LOG2,
            id="float32 far from the origin",
        ),
        pytest.param(
            numerical.entropy, Cauchy(0.0, 1.0), None, math.log(4 * math.pi), id="Cauchy"
        ),
        pytest.param(
            numerical.kl_divergence,
            Normal(of(0.0), of(1.0)),
            Normal(of(2**0.5 * 1e-5), of(1.0)),
            1e-10,
            id="tiny",
        ),
        pytest.param(
            numerical.kl_divergence,
            VonMises(of(0.0), of(1.0)),
            VonMises(of(1.0), of(1.0)),
            float(iv(1, 1) / iv(0, 1)) * (1 - math.cos(1)),
            id="on a circle",
        ),
    ],
)
def test_the_interval_holds_the_truth_without_a_warning(quantity, p, q, truth, integrator):
    laws = (p,) if q is None else (p, q)
    found = quantity(*laws, integrator)
    low, high = found.ci[0].item(), found.ci[1].item()
    slack = 0.0 if math.isinf(truth) else 1.5 * (high - low) / 2 + 1e-14  # 4.9 standard errors
    assert low - slack <= truth <= high + slack
    assert found.warnings == ()
    assert high - low <= 0.1 * max(truth, 1) or math.isinf(truth)


@pytest.mark.parametrize("integrator", **BOTH)
@pytest.mark.parametrize(
    ("p", "q"),
    [
        pytest.param(StudentT(2.0), Normal(0.0, 1.0), id="no variance"),
        pytest.param(Cauchy(0.0, 1.0), Normal(1.0, 1.0), id="no mean"),
        pytest.param(Laplace(0.0, 2.0), Gumbel(0.0, 1.0), id="exponentials of exponentials"),
    ],
)
def test_a_mean_that_is_infinite_has_no_upper_end(p, q, integrator):
    found = numerical.kl_divergence(p, q, integrator)
    assert found.ci[1] == math.inf
    assert found.stderr.isnan()
    assert any(re.search(TAIL, warning) for warning in found.warnings)


def test_a_rare_component_of_a_mixture_is_not_overlooked():
    p = mixed([1 - 1e-6, 1e-6], Normal(of([0.0, 1000.0]), 1.0))
    drawn = numerical.kl_divergence(p, Normal(of(0.0), 1.0), MonteCarlo(10_000))
    assert "components" in drawn.warnings[0]
    assert drawn.stderr.isnan()
    whole = numerical.kl_divergence(p, Normal(of(0.0), 1.0))
    # the log-ratio is log w in the common part, and log w + 500000 in the rare one, on average
    rare = float(p.mixture_distribution.probs.double()[1])
    expected = (1 - rare) * math.log1p(-rare) + rare * (math.log(rare) + 5e5)
    assert whole.value.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("p", "q", "says"),
    [
        pytest.param(Bernoulli(0.3), Bernoulli(0.5), "counting", id="masses"),
        pytest.param(Normal(0.0, 1.0), Poisson(2.0), "cannot be compared", id="mass and density"),
        pytest.param(Dirichlet(torch.ones(2)), Dirichlet(torch.ones(2)), "simplex", id="thin"),
        pytest.param(
            TransformedDistribution(Normal(0.0, 1.0), AbsTransform()),
            HalfNormal(1.0),
            "no density by change",
            id="two to one",
        ),
        pytest.param(
            TransformedDistribution(Normal(0.0, 1.0), PowerTransform(of(0.5))),
            HalfNormal(1.0),
            "not defined everywhere",
            id="a root of negative numbers",
        ),
        pytest.param(
            Normal(0.0, -1.0, validate_args=False), Normal(0.0, 1.0), "scale", id="parameter"
        ),
        pytest.param(
            Normal(torch.zeros(2), 1.0), Normal(torch.zeros(3), 1.0), "as many", id="members"
        ),
    ],
)
def test_what_has_no_density_is_refused(p, q, says):
    with pytest.raises((ValueError, NotImplementedError), match=says):
        numerical.kl_divergence(p, q)


def test_what_lies_outside_of_a_box_is_said():
    p, q, box = Laplace(of(0.0), of(1.0)), Normal(of(0.0), of(0.01)), [(-17.0, 17.0)]
    found = numerical.kl_divergence(p, q, Quadrature(box))
    assert "outside of the box" in found.warnings[0]
    exact = 1e4 + math.log(2 * math.pi * 1e-4) / 2 - 1 - LOG2
    assert found.ci[0] <= exact <= found.ci[1]
    assert not numerical.js_divergence(p, q, Quadrature(box)).warnings


@pytest.mark.parametrize(
    "make",
    [
        lambda: Quadrature(tolerance=-1),
        lambda: Quadrature(tolerance=math.nan),
        lambda: Quadrature(mass_tolerance="tight"),  # type: ignore[arg-type]
        lambda: Quadrature(max_evaluations=2.5),  # type: ignore[arg-type]
        lambda: Quadrature(box=3),  # type: ignore[arg-type]
        lambda: Quadrature(box=[(0.0,)]),  # type: ignore[list-item]
        lambda: Quadrature(box=[(math.nan, 1.0)]),
        lambda: MonteCarlo(3.5),  # type: ignore[arg-type]
        lambda: MonteCarlo(10, seed=2**70),
        lambda: numerical.entropy(Normal(0.0, 1.0), MonteCarlo(10**12)),
        lambda: numerical.entropy(Normal(0.0, 1.0), "quadrature"),  # type: ignore[arg-type]
        lambda: numerical.entropy(3.0),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_refused_in_words(make):
    with pytest.raises((TypeError, ValueError), match=r"\w+ .*\w+ \w+"):
        make()


def test_scales_far_apart_cost_little():
    """Cells are parted along the axis that needs it: 1e5 to 1 is no reason for 1e5 cells."""
    wide = Independent(Normal(of([0.0, 0.0]), of([1e5, 1.0])), 1)
    tall = Independent(Normal(of([0.0, 0.0]), of([1.0, 1e5])), 1)
    found = numerical.kl_divergence(wide, tall, Quadrature(max_evaluations=2**21))
    exact = (1e10 + 1e-10 - 2) / 2
    assert found.ci[0] <= exact <= found.ci[1]
    assert found.value.item() == pytest.approx(exact, rel=1e-6)


def test_masses_that_differ_are_noticed_by_monte_carlo():
    with pytest.raises(ValueError, match="normalise"):
        numerical.kl_divergence(Halved(), Normal(of(0.0), 1.0), MonteCarlo(1000))


class Halved:
    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        return Normal(0.0, 1.0).log_prob(value[:, 0]) - LOG2

    def sample(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(*shape, 1)


@pytest.mark.parametrize("n", [200, 1000])
def test_the_tail_index_tells_variances_that_exist(n):
    """Of Pareto draws with shape k within twice the spread that its fit has, (1 + k) / sqrt(m)."""
    generator = torch.Generator().manual_seed(0)
    for k in (0.2, 0.5, 1.0):
        draws = torch.rand(n * n, 1, generator=generator, dtype=torch.float64) ** -k
        m = 3 * math.sqrt(n * n)
        assert tail_index(draws).item() == pytest.approx(k, abs=2.5 * (1 + k) / math.sqrt(m))


@pytest.mark.parametrize(
    ("p", "q"),
    [
        pytest.param(Poisson(3.0), Poisson(4.0), id="Poisson"),
        pytest.param(Geometric(0.3), Geometric(0.4), id="geometric"),
        pytest.param(Bernoulli(0.001), Bernoulli(0.003), id="a rare event"),
        pytest.param(
            Binomial(20, torch.tensor([0.3, 0.1])), Binomial(20, torch.tensor(0.4)), id="members"
        ),
    ],
)
def test_draws_of_a_law_on_the_integers_coincide_without_a_heavy_tail(p, q):
    found = numerical.kl_divergence(p, q, MonteCarlo())
    assert not found.warnings
    assert ((found.value - kl_divergence(p, q)).abs() < 4 * found.stderr).all()


def test_the_tail_of_integers_is_fitted_as_if_between_them():
    even = (torch.arange(10_000).double() + 0.5) / 10_000
    heavy, light = even**-1.0, -3 * even.log()
    between = tail_index(torch.stack([heavy, light], 1))
    on_integers = tail_index(torch.stack([heavy, light], 1).ceil())
    torch.testing.assert_close(on_integers, between, atol=0.15, rtol=0)


def test_equal_sizes_are_spread_evenly_down_to_the_next_smaller():
    column = torch.tensor([3.0, 0.0, 1.0, 3.0, 10.0, 3.0, 3.0, 1.0]).double()
    between = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 10.0]
    torch.testing.assert_close(_spread(column), torch.tensor(between).double()[:, None])


def test_tails_where_log_densities_are_huge_add_no_rounding_to_a_bounded_divergence():
    found = numerical.js_divergence(Cauchy(0.0, 1.0), Normal(0.0, 1.0))
    assert (found.ci[1] - found.ci[0]).item() < 1e-6


def test_an_integrand_of_minus_infinity_where_there_is_mass_makes_the_average_so():
    p, q = Uniform(*torch.tensor([0.0, 2.0]).double()), Uniform(*torch.tensor([1.0, 3.0]).double())
    log_q_over_p = Average("", lambda log_p, log_q: log_q - log_p)
    found = Quadrature([(0, 4)], tolerance=1e-11).average(log_q_over_p, p, q)
    assert found.value == -math.inf
    assert found.ci == (-math.inf, -math.inf)


def test_terms_bounded_on_one_side_have_no_heavy_tail_on_the_other():
    def two(sd: float) -> MixtureSameFamily:
        places = torch.tensor([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]], dtype=torch.float64)
        sizes = torch.ones_like(places)
        sizes[1] = sd
        return MixtureSameFamily(
            Categorical(torch.ones(2).double()), Independent(Normal(places, sizes), 1)
        )

    found = numerical.kl_divergence(two(1), two(2), MonteCarlo())
    expected = kl_divergence(normal(0, 1, 3), normal(0, 2, 3)).item() / 2
    assert not found.warnings
    assert abs(found.value.item() - expected) < 4 * found.stderr


class Spiked:
    """A normal law, with a little of its mass in a spike far out; torch knows nothing of it."""

    batch_shape = event_shape = torch.Size()

    def __init__(self, share: float, at: float, width: float):
        self.shares = math.log1p(-share), math.log(share)
        self.parts = Normal(of(0.0), of(1.0)), Normal(of(at), of(width))

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        terms = (
            share + part.log_prob(x) for share, part in zip(self.shares, self.parts, strict=True)
        )
        return torch.logaddexp(*terms)


@pytest.mark.parametrize("share", [1e-8, 1e-7, 9e-7])
@pytest.mark.parametrize(("at", "width"), [(100.3, 1e-3), (-61.7, 1e-2), (20.11, 1e-4)])
def test_a_mass_that_cells_do_not_explain_is_said(share, at, width):
    """KL of it against N(0, 1) is about ``share * (at**2 / 2 + log share - log width)``."""
    truth = share * (at**2 / 2 + math.log(share) - math.log(width) + width**2 / 2 - 0.5)
    truth += math.log1p(-share) * (1 - share)
    by = Quadrature(box=[(-200, 200)])
    found = numerical.kl_divergence(Spiked(share, at, width), Normal(of(0.0), of(1.0)), by)
    low, high = (float(end) for end in found.ci)
    assert found.warnings or low <= truth <= high


def test_an_infinite_kl_has_an_interval_that_begins_at_0_or_above():
    found = numerical.kl_divergence(Cauchy(of(0.0), of(1.0)), Normal(of(0.0), of(1.0)))
    assert found.value == math.inf
    assert 0 <= float(found.ci[0]) < math.inf


class Flushed:
    """A normal density whose log is ``-inf`` from where the density is less than float64 holds."""

    def log_prob(self, x):
        log = -x[:, 0].square() / 2 - math.log(2 * math.pi) / 2
        return torch.where(log > -745, log, -math.inf)


def test_a_density_that_underflows_where_the_other_has_no_mass_to_speak_of_is_not_zero():
    """The first is e-800 there; where it is e-450 the second has to be 0 for an infinite KL."""
    box = Quadrature([(-45, 45)])
    same = Normal(0.0, 1.0)
    assert numerical.kl_divergence(same, Flushed(), box).value.abs() < 1e-9
    far = Normal(0.0, 1.5)
    assert numerical.kl_divergence(far, Flushed(), box).value == math.inf


@pytest.mark.parametrize(("apart", "ratio"), [(1, 2), (4, 2)])
def test_the_interval_covers_laws_one_rounding_away(apart, ratio):
    """Points are rounded by as much, so the truth is not known any better."""
    width = 2.0**-9
    at = 2.0**27 - 64 * width
    next_ = math.nextafter(at, math.inf) - at

    def kl(p, q):
        return numerical.kl_divergence(*(Laplace(of(place), of(b)) for place, b in (p, q)))

    found = kl((at, width), (at + apart * width, ratio * width))
    low, high = (float(end) for end in found.ci)
    for moved in (-next_, 0.0, next_):
        gap = abs(apart * width - moved) / width / ratio  # the formula for Laplace laws
        truth = math.log(ratio) + math.exp(-ratio * gap) / ratio + gap - 1
        assert low <= truth <= high
