"""Quadrature of densities that are infinite at ends of their supports, beside many digits."""

import math
from typing import Any

import mpmath
import pytest
import torch
from torch import distributions as td
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli

from divergences import exact, numerical
from divergences.numerical.quadrature import Quadrature
from divergences.numerical.singular_ends import continued_from


def f64(value):
    return torch.tensor(value, dtype=torch.float64)


def beta(a, b):
    return td.Beta(f64(a), f64(b))


def gamma(shape, rate):
    return td.Gamma(f64(shape), f64(rate))


def moved(law, loc, scale):
    return td.TransformedDistribution(law, td.AffineTransform(f64(loc), f64(scale)))


def averaged(of, p, q):
    """Of log-densities on (0, 1), given log x and log(1 - x), in many digits."""
    with mpmath.workdps(20):

        def at(v):
            log_x, log_rest = -mpmath.log1p(mpmath.exp(-v)), -mpmath.log1p(mpmath.exp(v))
            one, other = p(log_x, log_rest), q(log_x, log_rest)
            return mpmath.exp(log_x + log_rest + one) * of(one, other)

        cuts = [0] + [s * 4**k for k in range(6) for s in (1, -1)]
        found: Any = mpmath.quad(at, [-mpmath.inf, *sorted(cuts), mpmath.inf])
        return float(found)


def log_beta(a, b):
    a, b = mpmath.mpf(a), mpmath.mpf(b)
    return lambda x, rest: (a - 1) * x + (b - 1) * rest - mpmath.log(mpmath.beta(a, b))


def log_kumaraswamy(a, b):
    a, b = mpmath.mpf(a), mpmath.mpf(b)

    def at(x, rest):
        return mpmath.log(a * b) + (a - 1) * x + (b - 1) * mpmath.log(-mpmath.expm1(a * x))

    return at


def log_mixture(*parts):
    return lambda *x: mpmath.log(sum(mpmath.exp(part(*x)) for part in parts) / len(parts))


def js_part(one, other):
    return -mpmath.log((1 + mpmath.exp(other - one)) / 2)


def kl_part(one, other):
    return one - other


BETAS = [
    ((0.1, 0.1), (0.2, 0.2)),
    ((0.1, 0.1), (1.0, 1.0)),
    ((2.0, 0.1), (0.5, 0.5)),
    ((0.01, 0.02), (0.03, 0.01)),
    ((0.001, 0.001), (0.002, 0.001)),
]
GAMMAS = [((0.05, 1.0), (0.1, 3.0)), ((0.001, 1.0), (0.002, 2.0)), ((2.0, 1.0), (0.05, 1.0))]
PAIRS = [(beta, *pair) for pair in BETAS] + [(gamma, *pair) for pair in GAMMAS]


@pytest.mark.parametrize(("law", "p", "q"), PAIRS)
def test_kl_is_that_of_the_formula(law, p, q):
    truth = float(exact.kl_divergence(law(*p), law(*q)))
    found = numerical.kl_divergence(law(*p), law(*q))
    assert found.value.item() == pytest.approx(truth, abs=1e-9)
    assert found.ci[0] <= truth <= found.ci[1]
    assert found.ci[1] - found.ci[0] < 1e-5
    assert not found.warnings


@pytest.mark.parametrize(("loc", "scale"), [(5.0, 2.0), (0.1, -0.3), (-30.0, 0.3), (-1.0, 1.0)])
@pytest.mark.parametrize(("law", "p", "q"), PAIRS)
def test_kl_does_not_change_where_the_ends_are_rounded(law, p, q, loc, scale):
    """Then distances from an end are known to the rounding of the end only."""
    truth = float(exact.kl_divergence(law(*p), law(*q)))
    found = numerical.kl_divergence(moved(law(*p), loc, scale), moved(law(*q), loc, scale))
    assert found.value.item() == pytest.approx(truth, abs=1e-6, rel=1e-7)
    assert found.ci[0] <= truth <= found.ci[1]
    assert not found.warnings


@pytest.mark.parametrize(("p", "q"), [((0.05, 0.3), (0.1, 0.1))])
def test_js_and_entropy_are_those_of_many_digits(p, q):
    found = numerical.js_divergence(beta(*p), beta(*q))
    logs = log_beta(*p), log_beta(*q)
    truth = (averaged(js_part, *logs) + averaged(js_part, *logs[::-1])) / 2
    assert found.value.item() == pytest.approx(truth, abs=1e-8)
    entropy = -averaged(lambda one, _: one, *logs)
    assert numerical.entropy(beta(*p)).value.item() == pytest.approx(entropy, rel=1e-8)


def test_kl_of_kumaraswamy_laws_is_that_of_many_digits():
    p, q = (td.Kumaraswamy(f64(a), f64(b)) for a, b in ((0.2, 0.1), (0.1, 0.2)))
    truth = averaged(kl_part, log_kumaraswamy("0.2", "0.1"), log_kumaraswamy("0.1", "0.2"))
    assert numerical.kl_divergence(p, q).value.item() == pytest.approx(truth, abs=1e-8)


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.2, 0.1, 3.0), (4.5, 0.25, 0.007), (11, 0.0015, 0.006)]
)
def test_kl_of_kumaraswamy_laws_of_one_power_is_that_of_exponential_laws(a, b, c):
    """log (1 - x**a) is one, of rates b and c. torch's draws of the last pair are rounded to 1."""
    p, q = (td.Kumaraswamy(f64(a), f64(rate)) for rate in (b, c))
    truth = math.log(b / c) + c / b - 1
    assert numerical.kl_divergence(p, q).value.item() == pytest.approx(truth, rel=1e-7)


def test_components_may_be_infinite_where_others_have_mass():
    """Entropy of three Beta laws side by side, the first two of which overlap by a half."""

    def mixture(shares, a, b, loc, scale):
        parts = moved(td.Beta(f64(a), f64(b)), loc, scale)
        return td.MixtureSameFamily(td.Categorical(f64(shares)), parts)

    law = mixture([0.25, 0.25, 0.5], [0.1, 0.1, 0.2], [0.1, 0.3, 0.2], [0.0, 0.5, 7.0], 1.0)
    pair = mixture([0.5, 0.5], [0.1, 0.1], [0.1, 0.3], [0.0, 0.5], 1.0)
    apart = [
        float(numerical.entropy(part).value) for part in (pair, moved(beta(0.2, 0.2), 7.0, 1.0))
    ]
    truth = math.log(2) + sum(apart) / 2
    assert numerical.entropy(law).value.item() == pytest.approx(truth, abs=1e-6)
    mirrored = mixture([0.5, 0.5], [0.1, 0.1], [0.1, 0.3], [3.0, 2.0], -2.0)
    expected = apart[0] + math.log(2)
    assert numerical.entropy(mirrored).value.item() == pytest.approx(expected, abs=1e-6)


def test_each_component_of_a_mixture_is_continued_with_its_own_power():
    """Near 1 a mixture is no power of the distance, but a sum of two."""
    parts = td.Beta(f64([0.1, 0.3]), f64([0.1, 0.3]))
    p = td.MixtureSameFamily(td.Categorical(f64([0.5, 0.5])), parts)
    log_p = log_mixture(log_beta("0.1", "0.1"), log_beta("0.3", "0.3"))
    truth = averaged(kl_part, log_p, log_beta("0.2", "0.2"))
    assert numerical.kl_divergence(p, beta(0.2, 0.2)).value.item() == pytest.approx(
        truth, abs=1e-8
    )


def test_kl_of_a_product_is_the_sum():
    p = td.Independent(td.Beta(f64([0.1, 0.3]), f64([0.1, 0.2])), 1)
    q = td.Independent(td.Beta(f64([0.2, 0.2]), f64([0.2, 0.3])), 1)
    found = numerical.kl_divergence(p, q)
    assert found.value.item() == pytest.approx(float(exact.kl_divergence(p, q)), abs=1e-8)


def test_members_are_continued_each_with_its_own_power():
    p, q = td.Beta(f64([0.1, 0.5, 3.0]), f64([0.1, 0.02, 2.0])), beta(0.2, 0.3)
    found = numerical.kl_divergence(p, q).value
    torch.testing.assert_close(found, exact.kl_divergence(p, q), rtol=1e-8, atol=1e-8)


def test_the_gradient_is_that_of_the_formula():
    found, truth = (f64([0.1, 0.15]).requires_grad_() for _ in range(2))
    numerical.kl_divergence(td.Beta(found[0], found[1]), beta(0.2, 0.3)).value.backward()
    exact.kl_divergence(td.Beta(truth[0], truth[1]), beta(0.2, 0.3)).backward()
    torch.testing.assert_close(found.grad, truth.grad, rtol=1e-5, atol=1e-5)


class Peak:
    """A density on [-.2, .8] that is a power of the distance from a place inside."""

    def __init__(self, place: float, power: float) -> None:
        self.place, self.power = place, power
        self.sides = place + 0.2, 0.8 - place

    @property
    def size(self) -> float:
        return sum(side**self.power for side in self.sides) / self.power

    @property
    def mean_log_distance(self) -> float:
        a = self.power
        parts = [side**a * (math.log(side) - 1 / a) / a for side in self.sides]
        return sum(parts) / self.size

    def log_prob(self, x):
        return (self.power - 1) * (x[:, 0] - self.place).abs().log() - math.log(self.size)


@pytest.mark.parametrize("place", [0.0, 0.31, 0.7123])
@pytest.mark.parametrize("power", [0.02, 0.1, 0.5])
def test_a_density_of_ones_own_may_be_infinite_at_a_break(place, power):
    p, q = Peak(place, power), Peak(place, 2 * power)
    truth = math.log(q.size / p.size) - power * p.mean_log_distance
    found = numerical.kl_divergence(p, q, Quadrature([(-0.2, 0.8)], breaks=[(place,)]))
    assert found.value.item() == pytest.approx(truth, abs=1e-9)


def test_without_the_break_it_is_asked_for():
    peak = Peak(0.31, 0.1)
    with pytest.raises(ValueError, match="breaks"):
        numerical.entropy(peak, Quadrature([(-0.2, 0.8)]))


@pytest.mark.parametrize(
    ("breaks", "error"),
    [
        ([0.3], TypeError),
        ("ab", TypeError),
        ([(math.nan,)], ValueError),
        ([(0,), (0,)], ValueError),
    ],
)
def test_says_what_is_wrong_with_breaks(breaks, error):
    with pytest.raises(error, match="breaks"):
        numerical.entropy(Peak(0.31, 0.5), Quadrature([(-0.2, 0.8)], breaks=breaks))


def test_what_is_no_power_of_the_distance_is_refused_with_a_way_out():
    """A relaxed Bernoulli law is logistic in the logit: a power far closer to the end only."""
    law = td.RelaxedBernoulli(f64(0.1), probs=f64(0.3))
    with pytest.raises(ValueError, match="logits"):
        numerical.entropy(law)
    p, q = (LogitRelaxedBernoulli(f64(0.1), f64(share)) for share in (0.3, 0.5))
    assert 0 < numerical.js_divergence(p, q).value < math.log(2)


def test_a_power_times_an_exponential_is_continued_exactly():
    def log_density(t):
        return 2.0 - 0.7 * t.log() + 3.0 * t

    nodes = [f64(t) for t in (1e-3, 4e-3, 1.6e-2)]
    logs = f64([-7.0, -20.0, -700.0])
    times = continued_from(logs, nodes)
    found = log_density(nodes[0])
    for node, many in zip(nodes[1:], times, strict=True):
        found = found + many * (log_density(node) - log_density(nodes[0]))
    torch.testing.assert_close(found, 2.0 - 0.7 * logs + 3.0 * logs.exp(), rtol=1e-10, atol=1e-10)
