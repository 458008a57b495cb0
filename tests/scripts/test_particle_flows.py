"""Flows of particles and of laws: values by other ways, velocities by differences, known ends."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.spatial import distance
from scipy.special import expit
from torch.distributions import Normal

from divergences import MMD
from gans.objectives import NonSaturating, Saturating
from scripts.arguments.lipschitz_js.limited_slope import limited_js, program
from scripts.arguments.particle_flows import atoms, generator_steps
from scripts.arguments.particle_flows import laws_on_a_line as line


def cdist(x, y) -> Any:
    return distance.cdist(x, y)


def two_clouds(n, m, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 2, generator=generator, dtype=torch.float64)
    return x, torch.rand(m, 2, generator=generator, dtype=torch.float64) + 0.5


@pytest.mark.parametrize("slope", [0.3, 2.0, 10.0])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (6, 6)])
def test_constraints_between_the_sides_are_enough(n, m, slope):
    x, y = two_clouds(n, m, 3)
    value, plan = atoms.limited_plan(cdist(x, y), slope)
    p, q = np.r_[np.full(n, 1 / n), np.zeros(m)], np.r_[np.zeros(n), np.full(m, 1 / m)]
    low, high = program(np.r_[x, y], p, q, slope)
    assert low - 1e-7 <= value <= high + 1e-7
    assert (plan >= 0).all()


@pytest.mark.parametrize("slope", [0.3, 2.0, 10.0])
def test_the_plan_is_the_derivative_in_the_distances(slope):
    x, y = two_clouds(4, 3, 5)
    field = atoms.limited_field(slope)(x, y)
    moved = torch.linspace(-1, 1, 6, dtype=torch.float64).view(3, 2)

    def value(step):
        return atoms.limited_plan(cdist(x, y + step * moved), slope)[0]

    measured = (value(1e-4) - value(-1e-4)) / 2e-4
    assert -float((field * moved).sum()) / 3 == pytest.approx(measured, abs=1e-6)


def test_a_pair_of_particles_moves_as_the_closed_form_says():
    x, y = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.0, 0.7]], dtype=torch.float64)
    value, _ = atoms.limited_plan(cdist(x, y), 3.0)
    assert value == pytest.approx(float(limited_js(torch.tensor(0.7), 3.0)), abs=1e-7)
    speed = -1.5 * expit(-1.5 * 0.7)
    torch.testing.assert_close(
        atoms.limited_field(3.0)(x, y), torch.tensor([[0.0, speed]], dtype=torch.float64)
    )


def test_particles_at_their_places_stay():
    x, _ = two_clouds(5, 1, 1)
    assert float(atoms.limited_field(2.0)(x, x.clone()).abs().max()) == 0
    assert float(atoms.descent(atoms.mmd(1.0))(x, x.clone()).abs().max()) < 1e-15


def test_atoms_have_a_js_that_sees_coincidences_only():
    x, y = two_clouds(4, 4, 2)
    assert float(atoms.js_of_atoms(x, y)) == pytest.approx(math.log(2))
    assert float(atoms.js_of_atoms(x, torch.cat([x[:2], y[:2]]))) == pytest.approx(math.log(2) / 2)
    assert float(atoms.js_field(x, y).abs().max()) == 0


def test_mmd_of_empirical_laws_is_the_estimator_with_the_pairs_of_a_point_with_itself():
    x, y = two_clouds(5, 7, 4)
    without = float(MMD(bandwidth=0.6)(x, y).value)

    def own(z):  # what leaving out the diagonal changes
        kernel = torch.exp(-torch.cdist(z, z).square() / (2 * 0.6**2))
        n = len(z)
        return float(kernel.mean() - (kernel.sum() - n) / (n * (n - 1)))

    assert float(atoms.mmd(0.6)(x, y)) == pytest.approx(without + own(x) + own(y), abs=1e-12)


def density(knots, at):
    cell = np.searchsorted(knots, at) - 1
    inside = (cell >= 0) & (cell < len(knots) - 1)
    return 1 / (len(knots) - 1) / np.diff(knots)[cell] if inside else 0.0


@pytest.fixture
def pair():
    home, away = line.normal(0.2, 0.5), line.normal(1.0, 0.7)
    return home, away, line.knots_of(away, 6)


def test_divergences_of_a_law_between_knots_are_integrals(pair):
    home, _, knots = pair
    edges = [-6.0, *knots.tolist(), 6.0]

    def p(x):
        return float(home.log_prob(torch.tensor(x, dtype=torch.float64)).exp())

    def integral(of):
        ends = itertools.pairwise(edges)
        return sum(quad(lambda x: of(p(x), density(knots.numpy(), x)), *end)[0] for end in ends)

    def term(a, b):
        return a * math.log(a / b) if a > 0 else 0.0

    both = integral(lambda p, q: (term(p, (p + q) / 2) + term(q, (p + q) / 2)) / 2)
    assert float(line.js(knots, home)) == pytest.approx(both, abs=1e-7)
    assert float(line.kl(knots, home)) == pytest.approx(
        integral(lambda p, q: term(q, p)), abs=1e-7
    )


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_the_flow_of_js_does_not_depend_on_the_unit(scale):
    first = line.velocity(line.js, line.knots_of(line.normal(1, 0.5), 12), line.normal(0, 0.5))
    unit = (line.normal(scale, 0.5 * scale), line.normal(0, 0.5 * scale))
    again = line.velocity(line.js, line.knots_of(unit[0], 12), unit[1])
    torch.testing.assert_close(again * scale, first, rtol=1e-9, atol=1e-12)


def test_the_flow_of_kl_is_that_of_ornstein_and_uhlenbeck():
    home, away = line.normal(0, 0.5), line.normal(1, 0.8)
    knots, times = line.knots_of(away, 24), torch.linspace(0, 0.3, 4, dtype=torch.float64)
    path, share = line.flow(line.kl, knots, home, times), line.mass(knots)
    means = (path * share).sum(-1)
    decay = torch.exp(-times / 0.25)
    torch.testing.assert_close(means, means[0] * decay, rtol=0, atol=1e-5)
    spread = ((path - means[:, None]).square() * share).sum(-1)
    torch.testing.assert_close(spread, 0.25 + (spread[0] - 0.25) * decay**2, rtol=0.02, atol=0)


def test_knots_move_as_densities_say_in_the_bulk():
    home, away = line.normal(0, 0.5), line.normal(1, 0.5)
    knots = line.knots_of(away, 64)
    found, expected = (
        line.velocity(line.js, knots, home),
        line.expected_field(knots, home, away),
    )
    torch.testing.assert_close(found[8:-8], expected[8:-8], rtol=0.03, atol=1e-3)


def test_the_velocities_of_equal_normal_laws_have_a_closed_form():
    home, away = Normal(0.0, 1.0), Normal(2.0, 1.0)
    x = torch.linspace(-3, 4, 9)
    torch.testing.assert_close(line.expected_field(x, home, away), -torch.sigmoid(2 - 2 * x))


def test_free_points_move_by_the_flow():
    step, flow = generator_steps.step_and_flow(
        Saturating(), 2, 0.5, generator=generator_steps.FreePoints
    )
    torch.testing.assert_close(step, flow, rtol=1e-10, atol=1e-14)
    assert float(flow.abs().min(-1).values.max()) > 0


def test_a_step_is_a_step_along_the_flow_and_no_other():
    rates = generator_steps.RATES[-2:]
    same = generator_steps.errors(2, rates, objective=Saturating())
    other = generator_steps.errors(2, rates, objective=Saturating(), flows_by=NonSaturating())
    assert (same[0] / same[1]).log2().tolist() == pytest.approx([2, 2], abs=0.05)
    assert (other[0] / other[1]).log2().tolist() == pytest.approx([1, 1], abs=0.05)
