"""Monte Carlo of laws whose values can be counted: supports, rare values, transformed counts."""

import math

import pytest
import torch
from scipy.special import log_expit
from scipy.stats import truncexpon
from torch.distributions import (
    AffineTransform,
    Bernoulli,
    Binomial,
    Categorical,
    ContinuousBernoulli,
    ExpTransform,
    Geometric,
    Independent,
    MixtureSameFamily,
    NegativeBinomial,
    Normal,
    OneHotCategorical,
    Poisson,
    TransformedDistribution,
)

from divergences import exact, numerical
from divergences.numerical.log_densities import in_double, log_density
from divergences.numerical.monte_carlo import MonteCarlo

MEASURE = MonteCarlo(n=2000, seed=0)


def f64(*values):
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def moved(law, *transforms):
    return TransformedDistribution(law, list(transforms))


ENDS_INSIDE = {
    "above": (Poisson(f64(1.0)), Binomial(12, f64(0.1))),
    "one count only": (Binomial(13, f64(0.01)), Binomial(12, f64(0.01))),
    "two values": (Poisson(f64(1e-4)), Bernoulli(f64(0.3))),
    "below": (Geometric(f64(1 - 1e-9)), moved(Geometric(f64(0.5)), AffineTransform(1.0, 1.0))),
    "in the plane": (Independent(Poisson(f64(1.0, 1.0)), 1),
                     Independent(Binomial(12, f64(0.1, 0.1)), 1)),
    "a category": (Categorical(f64(0.5, 0.5 - 1e-9, 1e-9)), Categorical(f64(0.5, 0.5, 0.0))),
    "one of many": (OneHotCategorical(f64(0.5, 0.5 - 1e-9, 1e-9)),
                    OneHotCategorical(f64(0.5, 0.5, 0.0))),
}  # fmt: skip


@pytest.mark.parametrize(("p", "q"), ENDS_INSIDE.values(), ids=ENDS_INSIDE)
def test_kl_is_infinite_where_q_lacks_a_count_that_no_draw_has(p, q):
    assert float(numerical.kl_divergence(p, q, MEASURE)) == math.inf


@pytest.mark.parametrize("size", [1e-4, 0.3, 40.0, 800.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_laws_given_by_logits_have_scipys_log_masses_and_densities(sign, size):
    masses = log_density(in_double(Bernoulli(logits=f64(sign * size))), f64(0.0, 1.0))
    assert masses.tolist() == pytest.approx(log_expit([-sign * size, sign * size]), rel=1e-12)
    x = torch.linspace(0, 1, 5, dtype=torch.float64)  # a truncated exponential law from one end
    found = log_density(in_double(ContinuousBernoulli(logits=f64(sign * size))), x)
    expected = truncexpon(size, scale=1 / size).logpdf(x if sign < 0 else 1 - x)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-9)


COVERED = [
    (Binomial(12, f64(0.1)), Poisson(f64(1.0))),
    (Poisson(f64(3.0)), NegativeBinomial(f64(3.0), f64(0.5))),
    (Bernoulli(f64(0.4)), Poisson(f64(1.0))),
]


@pytest.mark.parametrize(("p", "q"), COVERED, ids=str)
def test_kl_is_finite_where_q_has_all_counts(p, q):
    found = numerical.kl_divergence(p, q, MEASURE)
    assert found.ci[0] < exact.kl_divergence(p, q) < found.ci[1]
    assert not found.warnings


def test_a_component_of_counts_that_no_draw_fell_on_is_said():
    weights = Categorical(f64(1 - 1e-6, 1e-6))
    found = numerical.kl_divergence(
        MixtureSameFamily(weights, Poisson(f64(1.0, 200.0))), Poisson(f64(1.0)), MEASURE
    )
    assert "components of a mixture" in found.warnings[0]
    assert found.ci[0] == -math.inf


@pytest.mark.parametrize(
    "transform", [AffineTransform(1.0, 0.1), AffineTransform(-3.0, -2.0), ExpTransform()], ids=str
)
def test_masses_move_without_being_stretched(transform):
    p, q = Poisson(f64(3.0)), Poisson(f64(4.0))
    for measure in (numerical.kl_divergence, numerical.js_divergence, numerical.total_variation):
        there = measure(moved(p, transform), moved(q, transform), MEASURE)
        assert float(there) == pytest.approx(float(measure(p, q, MEASURE)), rel=1e-9)
    there = numerical.entropy(moved(p, transform), MEASURE)
    assert float(there) == pytest.approx(float(numerical.entropy(p, MEASURE)), rel=1e-9)


@pytest.mark.parametrize(
    "counts",
    [
        moved(Poisson(f64(3.0)), AffineTransform(0.0, 2.0)),
        Independent(moved(Poisson(f64([3.0])), AffineTransform(0.0, 2.0)), 1),
        MixtureSameFamily(
            Categorical(f64(0.5, 0.5)), moved(Poisson(f64(3.0, 9.0)), AffineTransform(0.0, 2.0))
        ),
    ],
    ids=["transformed", "a vector", "a mixture"],
)
def test_masses_are_not_compared_with_densities(counts):
    density = Normal(f64(6.0), f64(3.0))
    if counts.event_shape:
        density = Independent(density.expand((1,)), 1)
    for how in ((), (MEASURE,)):
        for pair in ((counts, density), (density, counts)):
            with pytest.raises(ValueError, match=r"counting.*volume|volume.*counting"):
                numerical.kl_divergence(*pair, *how)
