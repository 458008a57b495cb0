"""Annealed penalties: another's penalty times a factor that a checkpoint remembers."""

import math
from copy import deepcopy

import pytest
import torch

from divergences.networks.constraint import Unconstrained
from divergences.networks.layers import MLP
from divergences.networks.weight_constraints import SpectralNorm
from divergences.random_streams import Streams
from gans.discriminator_regularisers import R1, R2, Annealed, Combined, GradientClipping

SEEDS = range(2)


def critic():
    return MLP(Streams(SEEDS), 2, 1, hidden=(8,)).double()


def points():
    return torch.randn(2, 2, 10, 2, dtype=torch.float64).unbind()


def test_the_penalty_falls_in_equal_ratios_between_start_and_end():
    network, (real, fake) = critic(), points()
    both = Combined([R1(0.1), R2(0.1)])
    annealed = Annealed(both, last=1e-4, steps=8, start=0.25, end=0.75)
    annealed.parametrize(network)
    full = both.penalty(network, real, fake, Streams(SEEDS))
    read = []
    for _ in range(10):  # between two steps it may be evaluated as often as one likes
        twice = [annealed.penalty(network, real, fake, Streams(SEEDS)) for _ in range(2)]
        torch.testing.assert_close(*twice, rtol=0, atol=0)
        read.append(twice[0] / full)
        annealed.project(network)
    expected = [1, 1, 1, 0.1, 1e-2, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4]
    for factor, value in zip(expected, read, strict=True):
        torch.testing.assert_close(value, torch.full_like(value, factor), rtol=1e-5, atol=0)


def test_a_critic_that_was_saved_goes_on_where_it_was():
    network, (real, fake) = critic(), points()
    annealed = Annealed(R1(), last=1e-3, steps=6)
    annealed.parametrize(network)
    for _ in range(3):
        annealed.project(network)
    other = critic()
    again = Annealed(R1(), last=1e-3, steps=6)
    again.parametrize(other)
    other.load_state_dict(deepcopy(network.state_dict()))
    resumed = again.penalty(other, real, fake, Streams(SEEDS))
    torch.testing.assert_close(resumed, annealed.penalty(network, real, fake, Streams(SEEDS)))
    again.project(other)
    assert int(other.annealed) == 4


def test_the_weight_does_not_change_the_critics_gradient_but_by_the_factor():
    network, (real, fake) = critic(), points()
    annealed = Annealed(R1(), last=0.5, steps=1, start=0.0, end=1.0)
    annealed.parametrize(network)
    gradients = []
    for _ in range(2):
        loss = annealed.penalty(network, real, fake, Streams(SEEDS)).sum()
        gradients.append(torch.autograd.grad(loss, network[0].weight)[0])
        annealed.project(network)
    torch.testing.assert_close(gradients[1], gradients[0] / 2)


def test_it_is_as_lipschitz_as_what_it_anneals():
    assert Annealed(R1(), 0.1, 10).bounds_slope
    assert not Annealed(Unconstrained(), 0.1, 10).bounds_slope
    assert Annealed(SpectralNorm(), 0.1, 10).certified
    network = critic()
    annealed = Annealed(GradientClipping(1.0), 0.1, 10)
    annealed.parametrize(network)
    (1e3 * network(points()[0]).square().sum()).backward()
    annealed.limit(network)
    norms = torch.cat([p.grad.reshape(2, -1) for p in network.parameters()], 1).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"last": 0.0}, "last = 0.0"),
        ({"last": math.nan}, "last = nan"),
        ({"steps": 0}, "steps = 0"),
        ({"start": 0.8, "end": 0.7}, "start = 0.8"),
        ({"end": 1.5}, "end = 1.5"),
    ],
)
def test_bad_numbers_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        Annealed(R1(), **{"last": 0.1, "steps": 10} | arguments)


@pytest.mark.parametrize("value", [-1, None, "R1", R1])
def test_what_is_no_constraint_is_named(value):
    for made in (lambda: Annealed(value, last=0.1, steps=2), lambda: Combined([R2(), value])):
        with pytest.raises(TypeError, match="is no constraint"):
            made()
