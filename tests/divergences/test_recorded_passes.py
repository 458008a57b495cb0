"""Recorded passes through rectified perceptrons against autograd."""

import copy
import threading
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from divergences import Critic, Discriminator, GradientPenalty, SpectralNorm
from divergences.networks.layers import MLP, Linear
from divergences.networks.recorded_passes import RecordedPasses, recorder
from divergences.random_streams import Streams
from gans.discriminator_regularisers import R1, R2, Combined

ACTIVATIONS = [nn.ReLU, nn.LeakyReLU]
PENALISED = partial(Critic, activation=nn.ReLU, constraint=GradientPenalty(10.0))


def perceptron(activation=nn.ReLU, hidden=(16, 8, 4), d=3, outputs=1, seeds=(0, 1), dtype=None):
    streams = Streams(seeds, dtype=dtype or torch.float64)
    return MLP(streams, d, outputs, hidden, activation), streams.randn(50, d)


def layers_of(network):
    """The same layers, which autograd sees one by one."""
    return nn.Sequential(*network)


def recorded(loss, *networks):
    """Gradients of all parameters of the first network, by recorded passes."""
    parameters = list(networks[0].parameters())
    with RecordedPasses(parameters) as passes:
        value = loss(*networks)
        passed = len(passes._passes)
    passes.backward(value)
    return [p.grad for p in parameters], passed


def by_autograd(loss, *networks):
    wholes = [layers_of(network) for network in networks]
    return torch.autograd.grad(loss(*wholes), list(networks[0].parameters()), allow_unused=True)


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (torch.equal(a, b) and a.stride() == a.contiguous().stride())
    assert any(b is not None and b.any() for b in expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (8,), (16, 8, 4)], ids=str)
@pytest.mark.parametrize("outputs", [1, 3])
def test_gradients_are_those_of_autograd_bit_for_bit(activation, hidden, outputs, dtype):
    network, x = perceptron(activation, hidden, outputs=outputs, dtype=dtype)
    found, passes = recorded(lambda f: f(x).exp().mean(), network)
    assert passes == 1
    assert_same(found, by_autograd(lambda f: f(x).exp().mean(), network))


def test_gradients_go_through_one_network_into_the_other():
    generator, z = perceptron(d=2, outputs=3)
    critic, _ = perceptron(nn.LeakyReLU)

    def loss(g, f):  # generated points are used twice: as they are and by the critic
        points = g(z)
        return f(points).exp().mean() + points.square().mean()

    found, passes = recorded(loss, generator, critic)
    assert passes == 2
    assert_same(found, by_autograd(loss, generator, critic))
    assert all(p.grad is None for p in critic.parameters())


@pytest.mark.parametrize(
    "penalty",
    [GradientPenalty(10.0), R1(0.1), Combined([R1(0.1), R2(1.0)])],
    ids=["GP", "R1", "R"],
)
def test_so_are_those_of_penalties(penalty):
    network, x = perceptron()
    y = Streams([5, 6], dtype=torch.float64).randn(50, 3)

    def loss(critic):
        streams = Streams([0, 1], dtype=torch.float64)
        scores = critic(torch.cat([x, y], 1)).tanh().sum()
        return scores + penalty.penalty(network, x, y, streams).sum()

    found, _ = recorded(loss, network)
    for a, b in zip(found, by_autograd(loss, network), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_network_may_be_asked_twice_or_in_vain():
    network, x = perceptron()
    found, passes = recorded(
        lambda f: (f(x).exp().mean(), f(2 * x), f(-x).exp().mean())[0], network
    )
    assert passes == 3
    assert_same(found, by_autograd(lambda f: f(x).exp().mean(), network))
    twice = [lambda f: f(x).exp().mean() + f(-x).square().mean()] * 2
    for a, b in zip(recorded(twice[0], network)[0], by_autograd(twice[1], network), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_gradients_replace_those_that_were_there():
    network, x = perceptron()
    first, second = (recorded(lambda f: f(x).exp().mean(), network)[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_points_whose_gradient_is_wanted_are_left_to_autograd():
    network, x = perceptron()

    def loss(f):
        points = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(f(points).sum(), points, create_graph=True)
        return slope.norm(dim=-1).sum()

    found, passes = recorded(loss, network)
    assert passes == 0
    assert_same(found, by_autograd(loss, network))


def test_a_loss_may_take_gradients_of_weights_at_points_that_require_one():
    network, x = perceptron()

    def loss(f):  # as consensus optimisation does
        value = f(x.clone().requires_grad_()).exp().mean()
        return torch.autograd.grad(value, f[0].weight, create_graph=True)[0].square().sum()

    found, passes = recorded(loss, network)
    assert passes == 0
    assert_same(found, by_autograd(loss, network))
    with (
        pytest.raises(RuntimeError, match="not have been used"),
        RecordedPasses(network.parameters()),
    ):
        torch.autograd.grad(network(x).mean(), network[0].weight)


def test_frozen_parameters_get_no_gradient():
    network, x = perceptron()
    network[0].requires_grad_(False)
    with RecordedPasses(network.parameters()) as passes:
        value = network(x).exp().mean()
    passes.backward(value)
    expected = torch.autograd.grad(layers_of(network)(x).exp().mean(), network[2].weight)[0]
    assert network[0].weight.grad is network[0].bias.grad is None
    assert torch.equal(network[2].weight.grad, expected)


@pytest.mark.parametrize("what", ["points", "weights"])
def test_a_change_in_place_before_the_gradient_is_refused(what):
    network, x = perceptron()
    with RecordedPasses(network.parameters()) as passes:
        value = network(x).mean()
        with torch.no_grad():
            (x if what == "points" else network[0].weight).mul_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        passes.backward(value)


def _spectral(network):
    SpectralNorm().parametrize(network)
    network.eval()
    assert parametrize.is_parametrized(network[0])


def _hooked(network):
    network[2].register_forward_hook(lambda *_: None)


def _other_slope(network):
    network[1] = nn.LeakyReLU(0.3)


def _other_layer(network):
    network[1] = nn.Tanh()


def _longer(network):
    network.append(nn.Tanh())


def _other_affine(network):
    network[2] = nn.Linear(16, 8, dtype=torch.float64)


CHANGES = [_spectral, _hooked, _other_slope, _other_layer, _longer, _other_affine]


@pytest.mark.parametrize("change", CHANGES)
def test_a_network_that_was_changed_is_evaluated_layer_by_layer(change):
    network, x = perceptron()
    change(network)
    with torch.no_grad():
        assert torch.equal(network(x), layers_of(network)(x))
    found, passes = recorded(lambda f: f(x).exp().mean(), network)
    assert passes == 0
    assert_same(found, by_autograd(lambda f: f(x).exp().mean(), network))
    if change is not _spectral and change is not _hooked:
        assert network.input_gradient(x) is None


def test_scores_without_gradients_are_those_of_the_layers():
    for activation in ACTIVATIONS:
        network, x = perceptron(activation)
        before = x.clone()
        with torch.no_grad():
            assert torch.equal(network(x), layers_of(network)(x))
        assert torch.equal(x, before)


def test_recording_ends_with_its_block_and_is_of_one_thread():
    network, x = perceptron(hidden=())
    elsewhere = []
    with RecordedPasses(network.parameters()) as outer:
        with RecordedPasses(network.parameters()) as inner:
            assert recorder() is inner
        assert recorder() is outer
        with pytest.raises(ValueError, match="Linear: points"), inner:
            network(x[..., :2])
        assert recorder() is outer
        thread = threading.Thread(target=lambda: elsewhere.append(recorder()))
        thread.start()
        thread.join()
    assert elsewhere == [None]
    assert recorder() is None
    assert network(x).grad_fn is not None
    copy.deepcopy(network)


def test_under_autocast_layers_are_left_to_autograd():
    network, x = perceptron(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, passes = recorded(lambda f: f(x).float().exp().mean(), network)
    assert passes == 0
    assert all(torch.isfinite(g).all() for g in found)


@pytest.mark.parametrize(
    ("estimator", "fourier"), [(PENALISED, ()), (Discriminator, ()), (Discriminator, (1.0,))]
)
def test_learned_estimators_train_perceptrons_by_recorded_passes(estimator, fourier, monkeypatch):
    asked = []
    forward = Linear.forward
    monkeypatch.setattr(
        Linear,
        "forward",
        lambda self, x: (asked.append(torch.is_grad_enabled()), forward(self, x))[1],
    )
    x, y = (Streams([k]).randn(40, 2)[0] for k in (0, 1))
    estimator(hidden=(8, 8), steps=5, batch=8, fourier=fourier).measure(x, y)
    assert asked
    assert not any(asked)
