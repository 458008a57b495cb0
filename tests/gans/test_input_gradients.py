"""Slopes of rectified networks in closed form, against autograd and finite differences."""

import pytest
import torch
from torch import nn

from divergences.networks.gradient_penalty import GradientPenalty
from divergences.networks.layers import MLP, MaxMin
from divergences.networks.slopes import input_gradient
from divergences.networks.weight_constraints import SpectralNorm
from divergences.random_streams import Streams
from gans.discriminator_regularisers import R1

ACTIVATIONS = [nn.ReLU, nn.LeakyReLU]


class Opaque(nn.Module):
    """A network whose slope only autograd can find."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


def network_and_points(activation=nn.ReLU, hidden=(16, 8, 4), outputs=1, d=3):
    streams = Streams([0, 1], dtype=torch.float64)
    return MLP(streams, d, outputs, hidden, activation), streams.randn(50, d)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (8,), (16, 8, 4)], ids=str)
@pytest.mark.parametrize("outputs", [1, 3])
def test_slopes_are_those_of_autograd(activation, hidden, outputs):
    network, x = network_and_points(activation, hidden, outputs)
    expected = input_gradient(Opaque(network), x)
    torch.testing.assert_close(network.input_gradient(x), expected, rtol=1e-12, atol=1e-14)


def test_slopes_are_differences_of_scores():
    network, x = network_and_points()
    slopes = input_gradient(network, x)
    step = 1e-7
    for i, unit in enumerate(torch.eye(3, dtype=torch.float64)):
        difference = (network(x + step * unit) - network(x - step * unit)) / (2 * step)
        torch.testing.assert_close(slopes[..., i], difference.squeeze(-1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_backward_pass_gives_what_double_backward_gives(activation):
    network, x = network_and_points(activation)
    gradients = []
    for critic in (Opaque(network), network):
        network.zero_grad()
        slopes = input_gradient(critic, x, create_graph=True)
        (slopes.norm(dim=-1) - 1).square().sum().backward()
        gradients.append(
            [layer.weight.grad.clone() for layer in network if hasattr(layer, "bias")]
        )
        assert sum(float(g.abs().sum()) for g in gradients[-1]) > 0
    for double, single in zip(*gradients, strict=True):
        torch.testing.assert_close(single, double, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("constraint", [GradientPenalty(10.0), R1(0.1)], ids=["GP", "R1"])
def test_penalties_do_not_notice_the_difference(constraint):
    network, x = network_and_points()
    y = Streams([5, 6], dtype=torch.float64).randn(50, 3)
    both = [
        constraint.penalty(critic, x, y, Streams([0, 1], dtype=torch.float64))
        for critic in (network, Opaque(network))
    ]
    torch.testing.assert_close(*both, rtol=1e-12, atol=0)


def test_a_parametrised_network_passes_the_derivative_on():
    network, x = network_and_points()
    SpectralNorm().parametrize(network)
    network.eval()  # power iteration would move between the two
    raw = network[0].parametrizations.weight.original
    gradients = [
        torch.autograd.grad(input_gradient(critic, x, create_graph=True).square().sum(), raw)[0]
        for critic in (network, Opaque(network))
    ]
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Softplus, MaxMin])
def test_other_nonlinearities_are_left_to_autograd(activation):
    network, x = network_and_points(activation)
    assert network.input_gradient(x) is None
    assert input_gradient(network, x).abs().sum() > 0


def test_points_have_no_say_in_a_piecewise_constant_slope():
    network, x = network_and_points()
    slopes = network.input_gradient(x.requires_grad_(True))
    (gradient,) = torch.autograd.grad(slopes.square().sum(), x)
    assert not gradient.any()


def test_a_member_has_the_slopes_it_has_alone():
    pair, x = network_and_points()
    alone = MLP(Streams([1], dtype=torch.float64), 3, 1, (16, 8, 4))
    torch.testing.assert_close(alone.input_gradient(x[1:])[0], pair.input_gradient(x)[1])


def test_under_autocast_the_layers_choose_their_precision():
    network, x = network_and_points()
    network.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network.input_gradient(x.float()) is None
        assert torch.isfinite(input_gradient(network, x.float())).all()
