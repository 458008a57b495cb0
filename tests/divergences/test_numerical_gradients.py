"""Gradients of integrals in the parameters of both laws, against those of closed forms."""

import math

import pytest
import torch
from torch.distributions import (
    AffineTransform,
    Categorical,
    Exponential,
    ExpTransform,
    Gamma,
    Independent,
    Laplace,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    Poisson,
    StudentT,
    TransformedDistribution,
    Uniform,
    kl_divergence,
)

from divergences import numerical
from divergences.numerical.monte_carlo import MonteCarlo
from divergences.numerical.quadrature import Quadrature

ZERO, ONE = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
IDENTITY = torch.eye(2, dtype=torch.float64)


def uniforms_apart(t):
    low, high = torch.tensor([[0.0, 2.0], [1.0, 3.0]], dtype=torch.float64)
    mixed = MixtureSameFamily(Categorical(torch.stack([t[0], 1 - t[0]])), Uniform(low, high))
    return mixed, Uniform(ZERO, 4 * ONE)


def shifted_lognormals(t):
    maps = [ExpTransform(), AffineTransform(t[2], 2.0)]
    return tuple(TransformedDistribution(Normal(t[k], ONE), maps) for k in (0, 1))


def stretched_exponential(t):
    return TransformedDistribution(Exponential(t[0]), [AffineTransform(t[1], t[2])])


def triangular(t):
    return torch.stack([torch.stack([t[0], t[0] * 0]), torch.stack([t[1], t[2]])])


KL = {
    "normals": (lambda t: (Normal(t[0], t[1]), Normal(t[2], t[3])), [1.0, 1.3, 0.0, 2.0]),
    "gammas": (lambda t: (Gamma(t[0], t[1]), Gamma(t[2], t[3])), [0.5, 1.0, 2.0, 3.0]),
    "kinked": (lambda t: (Laplace(t[0], t[1]), Laplace(t[2], t[3])), [0.5, 1.0, 2.0, 3.0]),
    "in the plane": (
        lambda t: (
            MultivariateNormal(t[3:], IDENTITY),
            MultivariateNormal(torch.zeros_like(t[3:]), scale_tril=triangular(t)),
        ),
        [2.0, 0.7, 1.5, 0.5, 1.0],
    ),
}


def gradient(quantity, laws, at, by):
    t = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(getattr(numerical, quantity)(*laws(t), by).value, t)[0]


def exact_gradient(formula, at):
    t = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(formula(t), t)[0]


@pytest.mark.parametrize("case", KL)
def test_quadrature_differentiates_kl(case):
    laws, at = KL[case]
    expected = exact_gradient(lambda t: kl_divergence(*laws(t)), at)
    found = gradient("kl_divergence", laws, at, Quadrature())
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("case", KL)
def test_monte_carlo_differentiates_kl_without_bias(case):
    laws, at = KL[case]
    expected = exact_gradient(lambda t: kl_divergence(*laws(t)), at)
    by = [MonteCarlo(1000, seed) for seed in range(40)]
    found = torch.stack([gradient("kl_divergence", laws, at, one) for one in by])
    error = found.std(0) / math.sqrt(len(by))
    assert ((found.mean(0) - expected).abs() < 4.5 * error).all()
    assert (error < 0.1).all()


@pytest.mark.parametrize(
    ("quantity", "laws", "at", "formula"),
    [
        pytest.param(
            "kl_divergence",
            lambda t: (Uniform(t[0], t[1]), Normal(ZERO, ONE)),
            [0.5, 1.3],
            lambda t: (t[1] ** 3 - t[0] ** 3) / (6 * (t[1] - t[0])) - (t[1] - t[0]).log(),
            id="both ends of a uniform law",
        ),
        pytest.param(
            "entropy",
            lambda t: (stretched_exponential(t),),
            [2.0, 1.0, 0.3],
            lambda t: 1 - t[0].log() + t[2].log() + 0 * t[1],
            id="one end, moved by a transform",
        ),
        pytest.param(
            "js_divergence",
            lambda t: (Uniform(t[0], t[0] + 1), Uniform(t[1], t[1] + 1)),
            [0.0, 0.3],
            lambda t: (t[1] - t[0]) * math.log(2),
            id="jumps inside of the other's support",
        ),
        pytest.param(
            "kl_divergence",
            shifted_lognormals,
            [0.0, 1.0, 0.3],
            lambda t: (t[0] - t[1]) ** 2 / 2 + 0 * t[2],
            id="infinite ends that a transform makes finite",
        ),
        pytest.param(
            "kl_divergence",
            uniforms_apart,
            [0.3],
            lambda t: t[0] * t[0].log() + (1 - t[0]) * (1 - t[0]).log(),
            id="weights of components with a gap between",
        ),
    ],
)
def test_quadrature_differentiates_where_supports_end(quantity, laws, at, formula):
    found = gradient(quantity, laws, at, Quadrature())
    torch.testing.assert_close(found, exact_gradient(formula, at), atol=2e-7, rtol=1e-7)


def test_quadrature_differentiates_total_variation_to_its_tolerance():
    def laws(t):
        return Normal(t[0], ONE), Normal(t[1], ONE)

    expected = exact_gradient(lambda t: torch.erf((t[1] - t[0]) / 8**0.5), [0.0, 1.0])
    found = gradient("total_variation", laws, [0.0, 1.0], Quadrature())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_monte_carlo_gives_no_gradient_where_ends_move_and_one_where_weights_do():
    t = torch.tensor([0.3, 1.3], dtype=torch.float64, requires_grad=True)
    value = numerical.kl_divergence(Uniform(t[0], t[1]), Normal(ZERO, ONE), MonteCarlo(100)).value
    assert not value.requires_grad
    found = gradient("kl_divergence", uniforms_apart, [0.3], MonteCarlo())
    assert found.item() == pytest.approx(math.log(0.3 / 0.7), abs=0.02)


@pytest.mark.parametrize("by", [Quadrature([(-30, 30)]), MonteCarlo(20_000)])
def test_densities_of_the_users_own_and_members_are_differentiated(by):
    class Own:
        def __init__(self, mean):
            self.mean = mean

        def log_prob(self, x):
            return -((x[:, 0] - self.mean) ** 2) / 2 - math.log(2 * math.pi) / 2

        def sample(self, shape):
            return self.mean.detach() + torch.randn(*shape, 1, dtype=torch.float64)

    m = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    numerical.kl_divergence(Own(m[0]), Own(m[1]), by).value.backward()
    torch.testing.assert_close(m.grad, torch.tensor([-1.0, 1.0]).double(), atol=0.05, rtol=0)
    means = torch.tensor([1.0, 2.0], requires_grad=True)  # float32
    numerical.kl_divergence(Normal(0.0, 1.0), Normal(means, 1.0), by).value.sum().backward()
    torch.testing.assert_close(means.grad, torch.tensor([1.0, 2.0]), atol=0.05, rtol=0)


@pytest.mark.parametrize("by", [Quadrature(), MonteCarlo(1000)])
def test_a_gradient_neither_changes_the_value_nor_comes_unasked(by):
    p, q = StudentT(3 * ONE), Normal(torch.ones((), requires_grad=True), torch.tensor(2.0))
    wanted = numerical.js_divergence(p, q, by)
    with torch.no_grad():
        plain = numerical.js_divergence(p, q, by)
    assert wanted.value.requires_grad
    assert not plain.value.requires_grad
    assert wanted.value.item() == plain.value.item()
    assert not any(t.requires_grad for t in (wanted.stderr, *wanted.ci))


def test_on_the_integers_monte_carlo_is_differentiated():
    rate = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    numerical.kl_divergence(Poisson(3 * ONE), Poisson(rate), MonteCarlo()).value.backward()
    assert rate.grad is not None
    assert rate.grad.item() == pytest.approx(1 - 3 / 4, abs=0.01)


def test_quadrature_differentiates_in_three_dimensions():
    mean = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    p = Independent(Normal(torch.zeros(3).double(), 1.0), 1)
    value = numerical.kl_divergence(p, Independent(Normal(mean + 1, 1.0), 1)).value
    value.backward()
    torch.testing.assert_close(mean.grad, torch.ones(3).double(), atol=1e-7, rtol=0)
