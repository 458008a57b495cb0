"""Objectives against quadrature: two Gaussians on a grid, the optimal critic in closed form."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.distributions import Normal

from divergences.f_divergences import (
    JensenShannon,
    KullbackLeibler,
    Pearson,
    SquaredHellinger,
)
from divergences.networks.constraint import Unconstrained
from divergences.networks.weight_constraints import WeightClipping
from gans.discriminator_regularisers import GradientClipping
from gans.objectives import (
    FGAN,
    Alpha,
    Hinge,
    LeastSquares,
    NonSaturating,
    Relativistic,
    Saturating,
    Wasserstein,
)
from gans.targets import Gaussian, ParallelSegments

X = torch.linspace(-12, 15, 27001, dtype=torch.float64)
H = float(X[1] - X[0])
LOGISTIC = [Saturating(), NonSaturating()]
MORE = [LeastSquares(), Hinge(), FGAN(), Alpha(0.5), Relativistic()]


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


P = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
Q = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
RATIO = (P / Q).log()


def weighted(loss, scores, weights):
    """The mean of a loss over atoms with weights, from its values at each atom."""
    return sum(w * loss(s.view(1, 1)).squeeze() for s, w in zip(scores, weights, strict=True))


def least_loss(objective):
    """The least critic loss between two laws on four atoms, over all scores, by L-BFGS."""
    scores = (0.1 * RATIO).clone().requires_grad_(True)
    ignored = torch.zeros(1, 1, dtype=torch.float64)
    both = objective.critic_loss(ignored, ignored).squeeze().detach()

    def loss():
        on_real = weighted(lambda s: objective.critic_loss(s, ignored), scores, P)
        on_fake = weighted(lambda s: objective.critic_loss(ignored, s), scores, Q)
        return on_real + on_fake - both  # each side carries the other's constant at score 0

    optimizer = torch.optim.LBFGS([scores], max_iter=500, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    return loss().item(), scores.detach()


def test_least_squares_measures_the_triangular_discrimination():
    value, scores = least_loss(LeastSquares())
    triangular = ((P - Q) ** 2 / (P + Q)).sum()
    assert value == pytest.approx(1 / 4 - triangular.item() / 8, abs=1e-7)
    torch.testing.assert_close(scores, P / (P + Q), atol=1e-4, rtol=0)


def test_hinge_measures_total_variation():
    """At f = sign(p - q); no other scores do better."""

    def loss(scores):
        none = torch.full((1, 1), 9.0, dtype=torch.float64)
        on_real = weighted(lambda s: Hinge().critic_loss(s, -none), scores, P)
        return on_real + weighted(lambda s: Hinge().critic_loss(none, s), scores, Q)

    least = loss((P - Q).sign()).item()
    assert least == pytest.approx(2 - (P - Q).abs().sum().item())
    others = 2 * torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    assert min(loss(scores).item() for scores in others.double()) > least
    home, away = ParallelSegments(0.0), ParallelSegments(1.0)
    assert Hinge().value_at_optimum(home, away).item() == 0
    assert Hinge().value_at_optimum(home, home).item() == -2


@pytest.mark.parametrize(
    ("f", "divergence"),
    [
        (Pearson(), ((P - Q) ** 2 / Q).sum()),
        (KullbackLeibler(), (P * RATIO).sum()),
        (SquaredHellinger(), ((P.sqrt() - Q.sqrt()) ** 2).sum()),
        (JensenShannon(), torch.tensor(jensenshannon(P.numpy(), Q.numpy()) ** 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_fgan_measures_the_f_divergence(f, divergence):
    value, _ = least_loss(FGAN(f))
    assert -value == pytest.approx(divergence.item(), abs=1e-6)
    assert FGAN(f).quantity == f.quantity


def test_alpha_one_is_the_saturating_gan_and_others_approach_it():
    real, fake = torch.randn(2, 3, 7, dtype=torch.float64)
    for loss in ("critic_loss", "generator_loss"):
        scores = (real, fake) if loss == "critic_loss" else (fake,)
        usual = getattr(Saturating(), loss)(*scores)
        torch.testing.assert_close(getattr(Alpha(1.0), loss)(*scores), usual)
        torch.testing.assert_close(getattr(Alpha(1 + 1e-7), loss)(*scores), usual)


@pytest.mark.parametrize("alpha", [0.4, 2.0])
def test_the_alpha_optimal_discriminator_is_tilted(alpha):
    """D = p^alpha / (p^alpha + q^alpha): the logit is alpha times the log ratio."""
    _, scores = least_loss(Alpha(alpha))
    torch.testing.assert_close(scores, alpha * RATIO, atol=2e-4, rtol=0)


def test_relativistic_pairing_measures_js_of_the_ordered_pair():
    pairs, swapped = torch.outer(P, Q), torch.outer(Q, P)
    gap = RATIO[:, None] - RATIO[None, :]  # f(x) - f(y) with f = log p/q
    loss = Relativistic().critic_loss(gap.reshape(-1, 1), torch.zeros(16, 1, dtype=torch.float64))
    value = math.log(2) - (pairs.flatten() * loss).sum()
    assert value.item() == pytest.approx(
        jensenshannon(pairs.numpy().ravel(), swapped.numpy().ravel()) ** 2, abs=1e-9
    )


def test_relativistic_players_pull_in_opposite_directions_and_need_both():
    real, fake = torch.randn(2, 3, 7)
    swapped = Relativistic().critic_loss(fake, real)
    torch.testing.assert_close(Relativistic().generator_loss(fake, real), swapped)
    with pytest.raises(ValueError, match="pass both"):
        Relativistic().generator_loss(fake)


@pytest.mark.parametrize("objective", MORE, ids=lambda o: type(o).__name__)
def test_every_estimate_is_a_lower_bound_between_known_laws(objective):
    """At scores of any critic: here 3 log p/q of two normal laws one apart."""
    x = torch.randn(1, 20000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = 3 * (0.5 - x), 3 * (0.5 - (x.flip(-1) + 1))
    estimate = objective.estimate(*scores)
    p, q = density(0.0), density(1.0)
    truths = {
        "js": js(p, q),
        "tv": integral((p - q).abs()) / 2,
        "triangular": integral((p - q) ** 2 / (p + q)),
        "pearson": math.e - 1,
        "js_of_pairs": math.log(2),
    }
    assert (estimate.ci[0] <= truths[objective.quantity]).all()
    assert estimate.bound == "lower"


def test_an_objective_that_needs_a_bounded_slope_refuses_a_constraint_without():
    Wasserstein().check(WeightClipping())
    Relativistic().check(Unconstrained())
    for constraint in (Unconstrained(), GradientClipping(1.0)):
        with pytest.raises(ValueError, match=f"Wasserstein with {type(constraint).__name__}"):
            Wasserstein().check(constraint)


def test_what_has_no_closed_form_says_so():
    with pytest.raises(NotImplementedError, match="triangular"):
        LeastSquares().value_at_optimum(Gaussian(0.0), Gaussian(1.0))


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.inf, math.nan])
def test_alpha_must_be_a_finite_number_above_zero(alpha):
    with pytest.raises(ValueError, match="above 0"):
        Alpha(alpha)
