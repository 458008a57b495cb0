"""KL of every ordered pair of laws on the line that has a formula, beside quadrature."""

import math

import pytest
import torch
from torch import distributions as td

from divergences import exact, numerical


def f64(value):
    return torch.tensor(value, dtype=torch.float64)


LAWS = {
    "normal": td.Normal(f64(0.4), f64(1.3)),
    "narrow normal": td.Normal(f64(0.5), f64(0.1)),
    "laplace": td.Laplace(f64(-0.3), f64(0.8)),
    "gumbel": td.Gumbel(f64(-0.5), f64(0.9)),
    "uniform": td.Uniform(f64(1.2), f64(2.5)),
    "exponential": td.Exponential(f64(0.7)),
    "gamma": td.Gamma(f64(2.5), f64(1.4)),
    "half normal": td.HalfNormal(f64(1.7)),
    "pareto": td.Pareto(f64(1.1), f64(3.5)),
    "beta": td.Beta(f64(2.2), f64(1.6)),
    "continuous Bernoulli": td.ContinuousBernoulli(probs=f64(0.3)),
    "weibull": td.Weibull(f64(1.2), f64(1.7)),
}


@pytest.mark.parametrize("name", LAWS)
def test_kl_to_every_other_law_is_that_of_quadrature(name):
    compared = 0
    p = LAWS[name]
    for other, q in LAWS.items():
        try:
            formula = exact.kl_divergence(p, q).item()
        except NotImplementedError:
            continue
        if math.isinf(formula):
            assert numerical.kl_divergence(p, q).value == math.inf
        else:
            found = numerical.kl_divergence(p, q)
            assert formula == pytest.approx(found.value.item(), rel=1e-6, abs=1e-7), other
        compared += 1
    assert compared
