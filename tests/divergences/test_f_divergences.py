import math

import pytest
import torch
from scipy import optimize, stats
from scipy.integrate import quad

from divergences.bounds import jensen_shannon, nwj
from divergences.f_divergences import (
    ConvexGenerator,
    JensenShannon,
    KullbackLeibler,
    Pearson,
    ReverseKullbackLeibler,
    SquaredHellinger,
    TotalVariation,
)

ALL = [
    KullbackLeibler(),
    ReverseKullbackLeibler(),
    Pearson(),
    SquaredHellinger(),
    JensenShannon(),
    TotalVariation(),
]
every_f = pytest.mark.parametrize("f", ALL, ids=lambda f: f.quantity)


def mixture_entropies():
    """JS of N(0, 1) and N(1, 1) as entropy of the mixture less the entropy of either."""
    p, q = stats.norm(0, 1), stats.norm(1, 1)

    def mix(x):
        return (p.pdf(x) + q.pdf(x)) / 2

    entropy = quad(lambda x: -mix(x) * math.log(mix(x)), -12, 13, points=[0.5], epsabs=1e-12)[0]
    return entropy - p.entropy()


# Of P = N(0, 1) and Q = N(1, 1): closed forms, except JS.
TRUTH = {
    "kl": 0.5,
    "kl_reverse": 0.5,
    "pearson": math.e - 1,
    "hellinger2": 2 * (1 - math.exp(-1 / 8)),
    "js": mixture_entropies(),
    "tv": 2 * stats.norm.cdf(0.5) - 1,
}


def ratios(n=4001):
    """Density ratios from 1e-3 to 1e3."""
    return torch.logspace(-3, 3, n, dtype=torch.float64)


def scalar(function):
    return lambda x: float(function(torch.tensor(x, dtype=torch.float64)))


@every_f
def test_f_is_convex_and_zero_at_one(f):
    u = torch.linspace(0.01, 5, 500, dtype=torch.float64)
    assert f.f(torch.ones(1, dtype=torch.float64)).item() == 0
    assert (f.f(u[:-2]) + f.f(u[2:]) - 2 * f.f(u[1:-1]) >= -1e-12).all()


@every_f
def test_slope_is_the_derivative_of_f(f):
    u = ratios(400).requires_grad_(True)
    (gradient,) = torch.autograd.grad(f.f(u).sum(), u)
    torch.testing.assert_close(f.slope(u), gradient)


@every_f
def test_the_conjugate_at_the_slope_is_u_slope_minus_f(f):
    u = ratios()
    torch.testing.assert_close(
        f.conjugate(f.slope(u)), u * f.slope(u) - f.f(u), rtol=1e-8, atol=1e-9
    )


@every_f
@pytest.mark.parametrize("t", [-5.0, -2.5, -1.0, -0.5, -0.1, 0.0, 0.2, 0.3, 0.45, 0.49])
def test_the_conjugate_is_the_supremum_found_by_brute_force(f, t):
    """Fenchel-Young on a grid of ratios from 1e-9 to 1e9, for slopes on both sides of f's."""
    u = torch.cat([torch.zeros(1), torch.logspace(-9, 9, 200_001)]).double()
    value = u * t - f.f(u)
    found, expected = float(value.max()), float(f.conjugate(torch.tensor(t, dtype=torch.float64)))
    if math.isinf(expected):
        assert value.argmax() == len(u) - 1  # still rising at the end of the grid
    else:
        assert (value <= expected + 1e-9).all()
        assert found == pytest.approx(expected, abs=1e-5)


@every_f
def test_the_conjugate_of_the_activation_without_overflow_is_the_same(f):
    v = torch.linspace(-12, 12, 1001, dtype=torch.float64)
    torch.testing.assert_close(
        f.conjugate_at(v), f.conjugate(f.activation(v)), rtol=1e-7, atol=1e-7
    )


@every_f
def test_the_activation_rises_and_stays_where_f_has_slopes(f):
    v = torch.linspace(-30, 30, 1001, dtype=torch.float64)
    t = f.activation(v)
    assert (t.diff() >= 0).all()
    assert torch.isfinite(f.conjugate_at(v)).all()


@every_f
def test_the_optimal_score_activates_to_the_slope_at_the_ratio(f):
    u = ratios()
    torch.testing.assert_close(f.activation(f.score(u.log())), f.slope(u))


def quadrature_bound(f, score):
    """E_P[g(v)] - E_Q[f*(g(v))] for a score as a function of x."""
    p, q = stats.norm(0, 1), stats.norm(1, 1)
    t, penalty = scalar(f.activation), scalar(f.conjugate_at)
    return quad(
        lambda x: p.pdf(x) * t(score(x)) - q.pdf(x) * penalty(score(x)),
        -12,
        13,
        points=[0.5],
        limit=200,
    )[0]


@every_f
def test_the_bound_at_the_optimal_score_is_the_divergence(f):
    bound = quadrature_bound(f, lambda x: scalar(f.score)(0.5 - x))
    assert bound == pytest.approx(TRUTH[f.quantity], abs=1e-7)


@every_f
def test_the_divergence_is_the_mean_of_f_of_the_ratio(f):
    q = stats.norm(1, 1)
    value = quad(lambda x: q.pdf(x) * scalar(f.f)(math.exp(0.5 - x)), -12, 13, points=[0.5])[0]
    assert value == pytest.approx(TRUTH[f.quantity], abs=1e-7)


@every_f
@pytest.mark.parametrize("scale", [-0.3, 0.0, 0.4, 0.8], ids=lambda s: f"scale {s}")
def test_any_other_score_bounds_from_below(f, scale):
    bound = quadrature_bound(f, lambda x: scale * (0.5 - x) + float(f.needs_q))
    assert bound < TRUTH[f.quantity] - 1e-3


@every_f
def test_samples_read_the_quadrature(f):
    """60 repeats of 4000 points at the optimal score: mean, and stderr against their spread."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 60, 4000, dtype=torch.float64, generator=generator)
    v = [f.score(0.5 - points) for points in (x, y + 1)]
    estimate = f.estimate(*v)
    assert estimate.bound == "lower"
    error = estimate.value.std() / 60**0.5
    assert abs(estimate.value.mean() - TRUTH[f.quantity]) < 4 * error
    assert 0.6 < estimate.stderr.mean() / estimate.value.std() < 1.5


@every_f
@pytest.mark.parametrize("swapped", [False, True], ids=["P, Q", "Q, P"])
def test_estimates_are_highest_at_the_optimal_scores_and_know_their_spread(f, swapped):
    """Of N(0, 1) and N(.6, 1), either way round, against a quadrature of q f(p/q)."""
    sign = -1.0 if swapped else 1.0
    p, q = (0.6, 0.0) if swapped else (0.0, 0.6)

    def log_ratio(x):
        return sign * (0.18 - 0.6 * x)

    truth = quad(
        lambda x: stats.norm.pdf(x, q) * scalar(f.f)(math.exp(log_ratio(x))), -12, 13, points=[0.3]
    )[0]
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 300, 1500, dtype=torch.float64, generator=generator)
    on_p, on_q = (f.score(log_ratio(points)) for points in (x + p, (y + q)[:, :600]))
    found = f.estimate(on_p, on_q)
    spread = found.value.std().item()
    assert abs(found.value.mean().item() - truth) < 4 * spread / 300**0.5
    assert 0.85 < found.stderr.square().nanmean().sqrt().item() / spread < 1.2
    if f.quantity == "tv":  # whose optimal scores are infinite
        on_p, on_q = on_p.clamp(-3, 3), on_q.clamp(-3, 3)
    for perturbed in (lambda v: v + 0.7, lambda v: v - 0.7, lambda v: 0.3 * v, lambda v: -v):
        assert f.estimate(perturbed(on_p), perturbed(on_q)).value.mean() < found.value.mean()


@every_f
@pytest.mark.parametrize("u", [0.03, 0.4, 0.97, 1.6, 25.0])
def test_slopes_scores_and_conjugates_equal_numerical_ones(f, u):
    """Central differences of f, and SciPy's maximum of u t - f(u) and root of the activation."""
    h = 1e-5 * u
    slope = (scalar(f.f)(u + h) - scalar(f.f)(u - h)) / (2 * h)
    assert scalar(f.slope)(u) == pytest.approx(slope, rel=1e-6, abs=1e-8)
    if f.quantity == "tv":
        slope *= 0.98  # at the slopes themselves every ratio on one side is a maximum

    def negative(log_u):
        return scalar(f.f)(math.exp(log_u)) - math.exp(log_u) * slope

    found = optimize.minimize_scalar(negative, bounds=(-12, 12), options={"xatol": 1e-10})
    assert scalar(f.conjugate)(slope) == pytest.approx(-found.fun, rel=1e-6, abs=1e-5)
    v = optimize.brentq(lambda v: scalar(f.activation)(v) - slope, -60, 60, xtol=1e-13)
    assert scalar(f.conjugate_at)(v) == pytest.approx(-found.fun, rel=1e-6, abs=1e-5)
    if f.quantity != "tv":
        assert scalar(f.score)(math.log(u)) == pytest.approx(v, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("f", "side", "weight"),
    [
        (KullbackLeibler(), 1, lambda u: u),
        (ReverseKullbackLeibler(), 0, lambda u: 1 / u),
        (Pearson(), 1, lambda u: u**2),
        (SquaredHellinger(), 0, lambda u: u**-0.5),
        (SquaredHellinger(), 1, lambda u: u**0.5),
    ],
    ids=lambda value: getattr(value, "quantity", None),
)
def test_log_weights_are_those_of_the_means_that_can_blow_up(f, side, weight):
    """At the optimal scores, up to a constant factor: what is averaged grows like that in p/q."""
    u = ratios(200)
    scores = f.score(u.log())
    logs = f.log_weights(scores, scores)[side if f.quantity == "hellinger2" else 0]
    torch.testing.assert_close(logs.diff(), weight(u).log().diff())


def test_jensen_shannon_is_the_discriminators_bound():
    x, y = torch.randn(2, 3, 100)
    ours, theirs = JensenShannon().estimate(x, y), jensen_shannon(x, y)
    torch.testing.assert_close(ours.value, theirs.value)
    torch.testing.assert_close(ours.stderr, theirs.stderr)


def test_kullback_leibler_is_nwj():
    x, y = torch.randn(2, 3, 100)
    ours, theirs = KullbackLeibler().estimate(x, y), nwj(x, y)
    torch.testing.assert_close(ours.value, theirs.value)
    torch.testing.assert_close(ours.stderr, theirs.stderr)


def test_the_two_directions_of_kl_are_each_others_mirror():
    u = ratios()
    torch.testing.assert_close(ReverseKullbackLeibler().f(u), u * KullbackLeibler().f(1 / u))


@pytest.mark.parametrize("f", [SquaredHellinger(), JensenShannon(), TotalVariation()])
def test_a_symmetric_divergence_has_a_symmetric_f(f: ConvexGenerator):
    u = ratios()
    torch.testing.assert_close(f.f(u), u * f.f(1 / u))


@pytest.mark.parametrize(
    ("f", "swapped"),
    [(KullbackLeibler(), False), (Pearson(), False), (ReverseKullbackLeibler(), True)],
    ids=lambda v: getattr(v, "quantity", ""),
)
def test_mass_that_the_other_sample_does_not_reach_is_named(f, swapped):
    apart = torch.full((50,), 1.0), torch.full((50,), -1.0)
    assert any("infinite" in w for w in f.estimate(*apart).warnings)
    p, q = torch.randn(2, 50)
    together = torch.cat([p, q]), torch.cat([q, p])
    assert not f.estimate(*together).warnings


@pytest.mark.parametrize(
    ("f", "p", "q"),
    [
        (KullbackLeibler(), 0.0, 40.0),
        (Pearson(), 0.0, 1e6),
        (ReverseKullbackLeibler(), -40.0, 0.0),
        (SquaredHellinger(), -40.0, 0.0),
        (SquaredHellinger(), 0.0, 40.0),
    ],
    ids=lambda v: getattr(v, "quantity", v),
)
def test_a_mean_that_rests_on_one_point_has_no_error(f, p, q):
    on_p, on_q = torch.zeros(50), torch.zeros(50)
    on_p[0], on_q[0] = p, q
    estimate = f.estimate(on_p, on_q)
    assert estimate.stderr.isnan()
    assert any("rests on 1.0 of 50" in w for w in estimate.warnings)


@pytest.mark.parametrize(
    ("generator", "name"),
    [(ReverseKullbackLeibler(), "KL(y‖x)"), (Pearson(), "χ²(x‖y)")],
)
def test_a_warning_names_the_divergence_as_an_estimate_does(generator, name):
    apart = torch.linspace(1, 2, 20)
    assert any(name in note for note in generator.estimate(apart, -apart).warnings)
