"""Objectives against quadrature: two Gaussians on a grid, the optimal critic in closed form."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.distributions import Normal

from gans.objectives import NonSaturating, Saturating, Wasserstein
from gans.targets import Gaussian, ParallelSegments

X = torch.linspace(-12, 15, 27001, dtype=torch.float64)
H = float(X[1] - X[0])
LOGISTIC = [Saturating(), NonSaturating()]


def density(mean, scale=1.0):
    return Normal(torch.as_tensor(mean, dtype=torch.float64), scale).log_prob(X).exp()


def integral(values):
    return values.sum() * H


def kl(p, q):
    return integral(torch.special.xlogy(p, p / q))


def js(p, q):
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


@pytest.mark.parametrize("objective", LOGISTIC, ids=["saturating", "non-saturating"])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_value_of_the_game_at_the_optimal_discriminator(objective, shift):
    """-critic loss at D* = 2 JS - 2 log 2, JS by SciPy's independent route."""
    p, q = density(0.0), density(shift)
    optimum = p.log() - q.log()
    # expectations under p and q as means over weighted copies: loss of each point, integrated
    on_p = torch.stack(
        [objective.critic_loss(f[None], -1e4 * torch.ones(1)) for f in optimum[::9]]
    )
    on_q = torch.stack([objective.critic_loss(1e4 * torch.ones(1), f[None]) for f in optimum[::9]])
    value = -((p[::9] * on_p).sum() + (q[::9] * on_q).sum()) * 9 * H
    scipys = jensenshannon(p.numpy(), q.numpy()) ** 2
    assert value.item() == pytest.approx(2 * scipys - 2 * math.log(2), abs=1e-6)


@pytest.mark.parametrize("objective", LOGISTIC, ids=["saturating", "non-saturating"])
def test_stated_optimum_on_segments(objective):
    home = ParallelSegments(0.0)
    assert objective.value_at_optimum(home, ParallelSegments(0.5)).item() == pytest.approx(
        0, abs=1e-6
    )
    assert objective.value_at_optimum(home, home).item() == pytest.approx(-2 * math.log(2))


def test_wasserstein_states_w1_as_its_optimum_and_a_linear_critic_attains_it():
    p, q = Gaussian(0.0, 1.0), Gaussian(3.0, 1.0)
    x = torch.randn(1, 1000, dtype=torch.float64)
    loss = Wasserstein().critic_loss(-x, -(x + 3))
    assert -loss.item() == pytest.approx(Wasserstein().value_at_optimum(p, q).item())


def gradient_through_optimum(objective, shift):
    """d/dmean of E[generator loss] with D* held fixed at ``shift``, by central differences."""
    p, q = density(0.0), density(shift)
    optimum = p.log() - q.log()
    loss = torch.stack([objective.generator_loss(f[None]) for f in optimum])
    up, down = (integral(density(shift + e) * loss) for e in (1e-4, -1e-4))
    return ((up - down) / 2e-4).item()


def derivative(function, shift):
    up, down = (function(density(0.0), density(shift + e)) for e in (1e-4, -1e-4))
    return ((up - down) / 2e-4).item()


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_saturating_gradient_at_the_optimum_is_that_of_twice_js(shift):
    assert gradient_through_optimum(Saturating(), shift) == pytest.approx(
        derivative(lambda p, q: 2 * js(p, q), shift), rel=1e-6
    )


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_non_saturating_gradient_at_the_optimum_is_kl_minus_twice_js(shift):
    ours = gradient_through_optimum(NonSaturating(), shift)
    right = derivative(lambda p, q: kl(q, p) - 2 * js(p, q), shift)
    assert ours == pytest.approx(right, rel=1e-6)


def test_the_identity_fails_with_another_divergence_in_kls_place():
    """The check can fail: unequal spreads tell KL(P_g to P_r) from KL(P_r to P_g)."""
    p, q = density(0.0), density(1.0, 2.0)
    optimum = p.log() - q.log()
    loss = torch.stack([NonSaturating().generator_loss(f[None]) for f in optimum])

    def slope(function):
        up, down = (function(density(1.0 + e, 2.0)) for e in (1e-4, -1e-4))
        return ((up - down) / 2e-4).item()

    ours = slope(lambda g: integral(g * loss))
    assert ours == pytest.approx(slope(lambda g: kl(g, p) - 2 * js(p, g)), rel=1e-6)
    assert ours != pytest.approx(slope(lambda g: kl(p, g) - 2 * js(p, g)), rel=0.1)


@pytest.mark.parametrize("score", [-200.0, -20.0, 0.0, 20.0, 200.0])
def test_extreme_logits_keep_exact_values_and_gradients(score):
    f = torch.tensor([[score]], requires_grad=True)
    for objective in LOGISTIC:
        for loss in (objective.generator_loss(f), objective.critic_loss(f, f)):
            (gradient,) = torch.autograd.grad(loss.sum(), f)
            assert torch.isfinite(loss).all()
            assert torch.isfinite(gradient).all()
    exact = np.logaddexp(0, score)
    assert -Saturating().generator_loss(f).item() == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("objective", [*LOGISTIC, Wasserstein()], ids=lambda o: type(o).__name__)
def test_estimates_say_what_they_bound(objective):
    estimate = objective.estimate(torch.randn(3, 50), torch.randn(3, 40))
    assert estimate.value.shape == (3,)
    assert estimate.bound == "lower"
    assert estimate.n == (50, 40)
    assert objective.quantity in {"js", "w1"}
    assert objective.references
