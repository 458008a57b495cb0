"""What the arguments on gradients compute by hand, against other ways to compute it."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

from divergences import MLP, Streams
from gans.networks import NoiseGenerator, SegmentGenerator
from gans.objectives import NonSaturating, Saturating
from gans.targets import Gaussian, ParallelSegments
from scripts.arguments import discriminator_vs_critic
from scripts.arguments.log_d_alternative import dropped_modes, identity
from scripts.arguments.log_d_alternative.instability import lipschitz_bound, sample_kurtosis
from scripts.arguments.vanishing_gradient import exponent
from scripts.lab.fixed_generator import (
    Noisy,
    Pair,
    generator_gradient,
    looks,
)


@pytest.mark.parametrize("objective", [Saturating(), NonSaturating()], ids=["saturating", "log-D"])
def test_generator_gradient_is_the_slope_of_the_loss(objective):
    seeds = [0, 1]
    network = MLP(Streams(seeds, dtype=torch.float64), 2, 1, (16,), nn.Tanh)
    generator = SegmentGenerator(Streams(seeds), theta=[0.3, 1.0]).double().requires_grad_(False)
    pair = Pair(ParallelSegments(0.0), generator, generator)

    def look():
        return Streams(seeds, "look", dtype=torch.float64)

    (found,) = generator_gradient(network, pair, objective.generator_loss, look(), 64)
    losses, h = [], 1e-5
    for move in (h, -2 * h):
        generator.theta += move
        losses.append(objective.generator_loss(network(generator.draw(look(), 64)).squeeze(-1)))
    torch.testing.assert_close(
        found, ((losses[0] - losses[1]) / (2 * h)).detach(), rtol=1e-7, atol=0
    )
    assert network.training
    assert not generator.theta.requires_grad


def test_noise_adds_its_variance():
    n = 200_000
    points = Noisy(Gaussian(2.0, 0.5), 1.5).draw(Streams([0]), n)
    variance = 0.5**2 + 1.5**2
    assert abs(float(points.mean()) - 2) < 4 * math.sqrt(variance / n)
    assert abs(float(points.var()) - variance) < 4 * variance * math.sqrt(2 / n)


def test_looks_are_evenly_spaced_on_a_logarithmic_axis():
    steps = looks(3000, 36)
    assert steps[0] == 1
    assert steps[-1] == 3000
    late = np.array([step for step in steps if step > 100])
    assert np.ptp(np.diff(np.log(late))) < 0.02


def test_exponent_of_power_laws():
    steps = looks(2000, 30)
    at = torch.tensor(steps, dtype=torch.float64)
    norms = torch.stack([3 * at**-1.3, at**0.5])
    torch.testing.assert_close(exponent(norms, steps), torch.tensor([-1.3, 0.5]).double())


def test_kurtosis_agrees_with_scipy():
    values = torch.randn(24, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(sample_kurtosis(values), stats.kurtosis(values, fisher=False))


def test_lipschitz_bound_is_the_mean_square_of_the_jacobian():
    generator = NoiseGenerator(Streams([0], "generator"), 2, hidden=(8,))
    found = lipschitz_bound(generator, 5, batch=4)
    points = generator(generator.noise(Streams([0], "look"), 5))
    squares = 0.0
    for coordinate in points.flatten():
        gradient = torch.autograd.grad(coordinate, list(generator.parameters()), retain_graph=True)
        squares += sum(float(g.square().sum()) for g in gradient)
    assert found == pytest.approx(squares / 5 / 4, rel=1e-5)


def test_difference_quotient_of_a_sine():
    assert identity.difference_quotient(torch.sin, 0.7) == pytest.approx(math.cos(0.7), rel=1e-8)


def test_frozen_gradient_is_the_one_through_the_points():
    """E_z of the slope of -log D* at theta + z, by Gauss-Hermite, as a generator gets it."""
    family, theta = identity.FAMILIES["mean of a normal law, data normal"], 1.2
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    points = torch.tensor(theta + nodes, requires_grad=True)
    logit = -(points**2) / (2 * 1.5**2) - math.log(1.5) + (points - theta) ** 2 / 2
    (slope,) = torch.autograd.grad(nn.functional.softplus(-logit).sum(), points)
    expected = float(torch.tensor(weights) @ slope) / math.sqrt(2 * math.pi)
    assert identity.loss_gradient(family, theta, frozen=True) == pytest.approx(expected, rel=1e-8)


def _normal(mean, sd=1.0):
    return lambda x: np.exp(-((x - mean) ** 2) / (2 * sd**2)) / (sd * math.sqrt(2 * math.pi))


def _js(p, q, low, high, edges):
    def term(a, b):
        return a * np.log(2 * a / (a + b)) / 2

    f = lambda x: term(p(x), q(x)) + term(q(x), p(x))  # noqa: E731
    return integrate.quad(f, low, high, points=edges, limit=400)[0]


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_junk_costs_what_scipy_integrates(share):
    left, middle, right = (_normal(mean, dropped_modes.SD) for mean in (-4, 0, 4))
    p = lambda x: (left(x) + right(x)) / 2  # noqa: E731
    q = lambda x: (1 - share) * p(x) + share * middle(x)  # noqa: E731
    edges = [-4, -2, 0, 2, 4]
    kl = integrate.quad(lambda x: q(x) * np.log(q(x) / p(x)), -9, 9, points=edges, limit=400)[0]
    expected = kl - 2 * _js(p, q, -9, 9, edges)
    found = dropped_modes.of_junk(
        dropped_modes.minimised, torch.tensor(share, dtype=torch.float64)
    )
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_half_of_the_data_dropped_costs_what_two_outcomes_say():
    """log 2 less twice the JS between (1/2, 1/2) and (0, 1), which is (3/4) log(4/3)."""
    expected = math.log(2) - 1.5 * math.log(4 / 3)
    none_left = torch.tensor(0.0, dtype=torch.float64)
    assert float(dropped_modes.dropped_between_far_modes(none_left)) == pytest.approx(expected)
    assert float(dropped_modes.dropped_between_far_modes(none_left + 0.5)) == pytest.approx(
        0, abs=1e-15
    )


def test_straight_line_agrees_with_scipy():
    x = torch.linspace(-3, 11, 40, dtype=torch.float64)
    noise = torch.randn(2, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = discriminator_vs_critic.straight_line(x, 2 - 0.7 * x + noise)
    for k in range(2):
        line = stats.linregress(x, 2 - 0.7 * x + noise[k])
        assert float(found["slope"][k]) == pytest.approx(line.slope)
        assert float(found["r2"][k]) == pytest.approx(line.rvalue**2)


def test_saturating_gradient_between_overlapping_laws_is_that_of_two_js():
    """At D* it is d/dm 2 JS(N(0, 1), N(m, 1)); a trained D comes within 15 %."""
    found = discriminator_vs_critic.discriminator(1.0, range(4), 400)["gradient"]

    def js(m):
        return _js(_normal(0), _normal(m), -12, 13, [0, 1])

    expected = (js(1.001) - js(0.999)) / 0.002 * 2
    assert float(found.mean()) == pytest.approx(expected, rel=0.15)
