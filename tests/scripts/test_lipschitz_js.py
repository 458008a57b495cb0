"""JS under a limited slope: the closed form, the program and its bounds against other ways."""

import math

import numpy as np
import pytest
import torch
from mpmath import mp
from scipy.optimize import minimize
from scipy.stats import energy_distance, wasserstein_distance

from divergences.networks.slopes import lipschitz_audit
from divergences.random_streams import Streams
from gans.targets import ParallelSegments
from scripts.arguments.lipschitz_js import (
    biased,
    family,
    kink,
    limited_slope,
    limited_training,
    trained,
)


def precise(distance, slope):
    """The closed form, to the digits that mpmath is set to."""
    return mp.log(2) - mp.log(1 + mp.exp(-mp.mpf(slope) * mp.mpf(distance) / 2))


@pytest.mark.parametrize("distance", [1e-12, 1e-3, 0.3, 7.0, 900.0])
@pytest.mark.parametrize("slope", [0.25, 8.0])
def test_the_closed_form_has_its_digits(distance, slope):
    t = torch.tensor(distance, dtype=torch.float64, requires_grad=True)
    value = limited_slope.limited_js(t, slope)
    with mp.workdps(40):
        exact = precise(distance, slope), mp.diff(lambda x: precise(x, slope), distance)
    assert value.item() == pytest.approx(float(exact[0]), rel=1e-15)
    (gradient,) = torch.autograd.grad(value, t)
    derivative = limited_slope.limited_js_slope(t.detach(), slope)
    torch.testing.assert_close(gradient, derivative)
    assert float(derivative) == pytest.approx(float(exact[1]), rel=1e-9, abs=1e-30)


def test_the_closed_form_depends_on_slope_times_distance_only():
    t = torch.tensor([-2.0, -0.1, 0.0, 0.1, 2.0], dtype=torch.float64)
    torch.testing.assert_close(
        limited_slope.limited_js(t, 3.0), limited_slope.limited_js(30 * t, 0.1)
    )
    torch.testing.assert_close(limited_slope.limited_js(t, 3.0), limited_slope.limited_js(-t, 3.0))


def test_the_program_finds_what_another_solver_finds():
    points, p, q = family.random_laws(3)
    points, p, q = points[:4], p[:4] / p[:4].sum(), q[:4] / q[:4].sum()
    slope = 0.7
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    limits = [
        {
            "type": "ineq",
            "fun": lambda f, i=i, j=j: slope * np.linalg.norm(points[i] - points[j]) - f[i] + f[j],
        }
        for i, j in pairs
    ]
    found = minimize(
        lambda f: (p @ np.logaddexp(0, -f) + q @ np.logaddexp(0, f)) / 2,
        np.zeros(4),
        constraints=limits,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    low, high = limited_slope.program(points, p, q, slope)
    assert low - 1e-9 <= math.log(2) - found.fun <= high + 1e-7
    assert 0 <= high - low <= 5e-10


def test_the_program_knows_no_place_and_scales_with_the_slope():
    points, p, q = family.random_laws(1)
    low, _ = limited_slope.program(points, p, q, 0.5)
    turned = points @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 10 + 5
    again, _ = limited_slope.program(turned, p, q, 0.05)
    assert again == pytest.approx(low, abs=2e-9)
    same, _ = limited_slope.program(points, p, p, 0.5)
    assert same == pytest.approx(0, abs=1e-9)


def test_a_trained_discriminator_is_no_steeper_than_it_may_be_and_reads_a_lower_bound():
    slopes = (0.5, 8.0)
    estimator = trained.LimitedDiscriminator(slopes=slopes, steps=60, **trained.TRAINING)
    home, away = ParallelSegments(0.0), ParallelSegments(torch.tensor([1.0, 0.3]))
    fit = estimator.fit(home, away, [0, 1])
    streams = Streams([0, 1], "audit")
    norms = lipschitz_audit(fit.network, home.draw(streams, 256), away.draw(streams, 256), streams)
    assert norms.max() <= 1 + 1e-5
    real, fake = (trained.on_quadrature(law, 2) for law in (home, away))
    read = fit.estimate(real, fake)
    assert read.bound == "lower"
    exact = limited_slope.limited_js(away.theta.double(), torch.tensor(slopes))
    assert (read.value <= exact + 1e-6).all()


def test_the_pull_on_theta_is_the_derivative_of_the_reading():
    estimator = trained.LimitedDiscriminator(slopes=(2.0,), steps=30, **trained.TRAINING)
    fit = estimator.fit(ParallelSegments(0.0), ParallelSegments(0.5), [0])
    real = trained.on_quadrature(ParallelSegments(0.0), 1)

    def read(theta):
        return fit.estimate(real, trained.on_quadrature(ParallelSegments(theta), 1)).value

    step = 1e-2  # the network is float32
    slope = (read(0.5 + step) - read(0.5 - step)) / (2 * step)
    fake = trained.on_quadrature(ParallelSegments(0.5), 1)
    pull = trained.pull(fit, fake, torch.tensor([2.0], dtype=torch.float64))
    assert float(pull) == pytest.approx(float(slope), rel=0.02, abs=1e-3)


def test_distances_of_coins_are_those_of_scipy():
    for a, b in ((0.3, 0.8), (0.0, 1.0), (0.5, 0.5)):
        theta, other = (torch.tensor(x, dtype=torch.float64) for x in (a, b))
        weights = [1 - a, a], [1 - b, b]
        w1 = wasserstein_distance([0, 1], [0, 1], *weights)
        energy = energy_distance([0, 1], [0, 1], *weights) ** 2
        assert float(biased.w1(theta, other)) == pytest.approx(w1, abs=1e-12)
        assert float(biased.energy(theta, other)) == pytest.approx(energy, abs=1e-12)


def test_all_samples_are_tried_with_their_probabilities():
    """Of two coins: none, one or two heads with .49, .42 and .09."""
    theta = torch.tensor([0.2], dtype=torch.float64)
    value, gradient = biased.over_all_samples(biased.w1, 2, theta)
    assert float(value) == pytest.approx(0.49 * 0.2 + 0.42 * 0.3 + 0.09 * 0.8)
    assert float(gradient) == pytest.approx(0.49 - 0.42 - 0.09)
    assert float(biased.binomial_gradient(2, theta)) == pytest.approx(float(gradient))


def test_descent_on_a_kink_jumps_by_the_step_and_on_a_flat_loss_stays():
    start = torch.tensor([0.55, -0.73], dtype=torch.float64)
    path = kink.descend(kink.w1, start, 0.1, falls=False)
    torch.testing.assert_close(path[:, -1], path[:, -3])
    torch.testing.assert_close(kink.swing(path), torch.full((2,), 0.1, dtype=torch.float64))
    assert (kink.descend(kink.js, start, 0.1, falls=False) == start[:, None]).all()


@pytest.mark.parametrize("slope", [0.5, 2.0, 8.0, 16.0])
def test_the_time_to_arrive_is_that_of_the_flow(slope):
    start, end = 1.0, 0.1
    with mp.workdps(40):
        integrand = lambda x: 1 / mp.diff(lambda t: precise(t, slope), x)  # noqa: E731
        predicted = float(mp.quad(integrand, [end, 0.5, start]))
    ends = torch.tensor([start, end], dtype=torch.float64)
    found = limited_training.time_between(ends[0], ends[1], slope)
    assert float(found) == pytest.approx(predicted, rel=1e-12)
    there = limited_training.theta_at(found[None], start, slope)
    assert float(there) == pytest.approx(end, abs=1e-12)


def test_the_flow_rests_at_its_end():
    times = torch.tensor([0.0, 1e3], dtype=torch.float64)
    assert limited_training.theta_at(times, 0.7, 2.0).tolist() == [pytest.approx(0.7), 0.0]


def test_an_arrival_lies_between_two_iterations():
    near, step = limited_training.NEAR, limited_training.STEP
    path = torch.tensor([[1.0, near + 0.3, near - 0.1, 0.0], [1.0, 0.9, 0.8, 0.7]])
    assert limited_training.arrival(path).tolist() == [pytest.approx(1.75 * step), math.inf]
