"""Means that lie where no draw does: far out, or where one law of the user's own has no mass."""

import math

import pytest
import torch
from torch.distributions import (
    Categorical,
    Cauchy,
    Exponential,
    HalfCauchy,
    Independent,
    Laplace,
    LogNormal,
    MixtureSameFamily,
    Normal,
    Pareto,
    StudentT,
)

from divergences import numerical
from divergences.numerical.monte_carlo import MonteCarlo
from tests.divergences.test_numerical_counts import f64

MEASURE = MonteCarlo(n=4000, seed=0)


def wide():
    return Normal(f64(0.0), f64(100.0))


def many(law, *parameters):
    return Independent(law(*(x.expand(3) for x in parameters)), 1)


INFINITE = {
    "two degrees of freedom": (StudentT(f64(2.0)), wide()),
    "a mixture": (
        StudentT(f64(2.0)),
        MixtureSameFamily(Categorical(f64(0.5, 0.5)), Normal(f64(0.0, 0.0), f64(1.0, 100.0))),
    ),
    "Cauchy": (Cauchy(f64(3.0), f64(1.0)), Laplace(f64(0.0), f64(1e3))),
    "one side": (HalfCauchy(f64(1.0)), Exponential(f64(1e-4))),
    "no mean": (Pareto(f64(1.0), f64(1.0)), Exponential(f64(1e-3))),
    "a vector": (many(StudentT, f64(2.0)), many(Normal, f64(0.0), f64(100.0))),
}


@pytest.mark.parametrize(("p", "q"), INFINITE.values(), ids=INFINITE)
def test_kl_that_only_the_far_tail_makes_infinite_has_no_upper_end(p, q):
    found = numerical.kl_divergence(p, q, MEASURE)
    assert found.ci[1] == math.inf
    assert any("without bound" in warning for warning in found.warnings)


def test_members_are_told_apart():
    freedom = f64(2.0, 5.0)
    for q in (wide(), Normal(f64(0.0, 0.0), f64(100.0, 50.0))):
        found = numerical.kl_divergence(StudentT(freedom), q, MEASURE)
        assert found.ci[1].isinf().tolist() == [True, False]
    found = numerical.kl_divergence(StudentT(f64(2.0)), Normal(f64(0.0), f64(9.0, 99.0)), MEASURE)
    assert found.ci[1].isinf().tolist() == [True, True]


FINITE = {
    "barely": (StudentT(f64(2.2)), wide()),
    "three degrees of freedom": (StudentT(f64(3.0)), wide()),
    "the heavier tail on the other side": (Normal(f64(0.0), f64(1.0)), Cauchy(f64(0.0), f64(1.0))),
    "both heavy": (Cauchy(f64(0.0), f64(1.0)), StudentT(f64(3.0))),
    "light": (Laplace(f64(0.0), f64(1.0)), Normal(f64(0.0), f64(1.0))),
}


@pytest.mark.parametrize(("p", "q"), FINITE.values(), ids=FINITE)
def test_kl_is_finite_where_the_far_tail_adds_little(p, q):
    found, true = numerical.kl_divergence(p, q, MEASURE), numerical.kl_divergence(p, q)
    assert found.ci[0] < true.value < found.ci[1]
    assert not found.warnings


def test_a_mean_that_is_mostly_in_the_far_tail_has_no_upper_end():
    """E x of this law is e^8, and its median is 1."""
    found = numerical.kl_divergence(LogNormal(f64(0.0), f64(4.0)), Exponential(f64(0.01)), MEASURE)
    assert found.ci[1] == math.inf
    assert any("tails that hardly any draw reaches" in warning for warning in found.warnings)


class Cut:
    """The normal law without what is farther from 0 than an end."""

    def __init__(self, end):
        self.end, self.kept = end, math.erf(end / math.sqrt(2))

    def log_prob(self, x):
        log = Normal(0.0, 1.0).log_prob(x) - math.log(self.kept)
        return torch.where(x.abs() <= self.end, log, -math.inf)[..., 0]

    def sample(self, shape):
        u = torch.rand(*shape, 1, dtype=torch.float64) - 0.5
        return Normal(f64(0.0), f64(1.0)).icdf(0.5 + self.kept * u)


def test_an_interval_below_all_values_is_said():
    found = numerical.kl_divergence(Cut(math.inf), Cut(4.5), MEASURE)
    assert found.value < 0 < found.ci[1] == math.inf
    assert "mass that no draw fell on" in found.warnings[-1]
    assert not numerical.kl_divergence(Cut(3.0), Cut(4.5), MEASURE).warnings
