"""Layers of published networks, member by member, against torch's own single-model layers."""

import pytest
import torch
from torch import nn

from divergences.networks.layers import Linear
from divergences.random_streams import Streams
from gans.networks import BoundedMLP, NoiseGenerator, Packed
from gans.networks.published_layers import (
    BatchNorm,
    BatchNormMLP,
    Maxout,
    MaxoutMLP,
    normal,
    orthogonal,
)

SEEDS = range(3)


def doubles(members=3, n=20, features=4):
    return torch.randn(members, n, features, dtype=torch.float64)


def theirs_of(ours, k):
    """torch's layer with member k's parameters and running moments."""
    layer = nn.BatchNorm1d(ours.weight.shape[1], ours.eps, ours.momentum, dtype=torch.float64)
    state = {name: value[k] for name, value in ours.state_dict().items()}
    layer.load_state_dict(state | {"num_batches_tracked": torch.tensor(0)})
    return layer


def test_batch_norm_is_torchs_for_every_member_in_training_and_after():
    ours = BatchNorm(4, Streams(SEEDS), momentum=0.05, eps=1e-4).double()
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs = [theirs_of(ours, k) for k in SEEDS]
    for _ in range(3):
        x = (2 * doubles() + 1).requires_grad_(True)
        y = x.detach().clone().requires_grad_(True)
        expected = torch.stack([layer(y[k]) for k, layer in enumerate(theirs)])
        torch.testing.assert_close(ours(x), expected)
        ours(x).pow(3).sum().backward()
        expected.pow(3).sum().backward()
        torch.testing.assert_close(x.grad, y.grad)
        # ours saw the batch twice: let theirs see it again
        for k, layer in enumerate(theirs):
            layer(y[k])
    x = doubles()
    expected = torch.stack([layer.eval()(x[k]) for k, layer in enumerate(theirs)])
    torch.testing.assert_close(ours.eval()(x), expected)


def test_points_drawn_without_learning_leave_no_trace_in_batch_norm():
    layer = BatchNorm(4, Streams(SEEDS)).double()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    x = doubles()
    with torch.no_grad():
        silent = layer(x)
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())
    torch.testing.assert_close(silent, layer(x))
    assert not torch.equal(before["running_mean"], layer.running_mean)


def test_maxout_is_the_largest_of_its_affine_maps():
    layer = Maxout(4, 6, 5, Streams(SEEDS)).double()
    x, weight, bias = doubles(), layer.linear.weight, layer.linear.bias
    for k in SEEDS:
        pieces = [
            nn.functional.linear(x[k], weight[k, :, i * 6 : i * 6 + 6].T, bias[k, 0, i * 6 :][:6])
            for i in range(5)
        ]
        torch.testing.assert_close(layer(x)[k], torch.stack(pieces).amax(0))


def test_networks_have_as_many_parameters_as_published():
    """PacGAN's: 4 x 400 with batch normalisation, 3 x 200 of 5 pieces, counted by hand."""
    generator, critic = BatchNormMLP(Streams([0]), 2, 2), MaxoutMLP(Streams([0]), 2, 1)
    learnt = sum(p.numel() for p in generator.parameters())
    assert learnt == 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 400 * 2 + 2
    assert sum(p.numel() for p in critic.parameters()) == (
        (2 * 1000 + 1000) + 2 * (200 * 1000 + 1000) + 201
    )


def test_hidden_biases_before_batch_norm_stay_at_zero():
    network = BatchNormMLP(Streams([0, 1]), 2, 2, hidden=(8, 8))
    network(torch.randn(2, 10, 2)).sum().backward()
    linear = [m for m in network if isinstance(m, Linear)]
    learnt = {id(p) for p in network.parameters()}
    assert not any(id(layer.bias) in learnt or layer.bias.any() for layer in linear[:-1])
    assert linear[-1].bias.grad is not None


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7)], ids=str)
def test_orthogonal_weights_have_one_singular_value(shape):
    layer = orthogonal(Linear(*shape, Streams(SEEDS)), Streams(SEEDS), gain=1.4).double()
    values = torch.linalg.svdvals(layer.weight)
    torch.testing.assert_close(values, torch.full_like(values, 1.4), rtol=1e-5, atol=0)
    assert not layer.bias.any()


def test_orthogonal_weights_are_uniform_over_rotations():
    """Haar: every entry has mean 0 and variance 1/n, the trace mean 0 and variance 1."""
    members = 500
    streams = Streams(range(members), ahead=1)
    weight = orthogonal(Linear(4, 4, streams), streams).weight
    trace = weight.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert abs(trace.mean()) < 4 / members**0.5
    assert abs(trace.var() - 1) < 4 * (2 / members) ** 0.5
    assert weight.mean(0).abs().max() < 5 * (0.25 / members) ** 0.5


def test_normal_weights_have_their_scale_and_depend_on_the_own_seed_only():
    alone = normal(MaxoutMLP(Streams([4]), 2, 1), Streams([4]), 0.02)
    among = normal(MaxoutMLP(Streams([9, 4]), 2, 1), Streams([9, 4]), 0.02)
    for a, b in zip(alone.parameters(), among.parameters(), strict=True):
        assert torch.equal(a[0], b[1])
    weight = alone[1].linear.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert abs(weight.mean()) < 4 * 0.02 / weight.numel() ** 0.5


def test_a_network_of_choice_serves_packs_and_noise():
    maxout = Packed(Streams(SEEDS), 2, 1, pack=4, network=MaxoutMLP)
    assert maxout(torch.zeros(3, 8, 2)).shape == (3, 2, 1)
    assert maxout.network[0].linear.weight.shape == (3, 8, 1000)
    generator = NoiseGenerator(Streams(SEEDS), 2, hidden=(8,), network=BatchNormMLP)
    assert generator.draw(Streams(SEEDS), 10).shape == (3, 10, 2)
    with pytest.raises(ValueError, match="9 points do not make packs of 4"):
        maxout(torch.zeros(3, 9, 2))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Maxout(2, 2, 0, Streams([0])), "pieces = 0"),
        (lambda: Packed(Streams([0]), 2, 1, pack=0), "pack = 0"),
    ],
)
def test_bad_layers_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_bounded_perceptron_is_torchs_with_tanh_at_its_end():
    ours = BoundedMLP(Streams(SEEDS), 4, 6, hidden=(8, 5)).double()
    x = doubles()
    for k in SEEDS:
        parts = []
        for weight, bias in zip(*[iter(ours.parameters())] * 2, strict=True):
            layer = nn.Linear(*weight[k].shape, dtype=torch.float64)
            layer.load_state_dict({"weight": weight[k].T, "bias": bias[k].flatten()})
            parts += [layer, nn.ReLU()]
        theirs = nn.Sequential(*parts[:-1], nn.Tanh())
        torch.testing.assert_close(ours(x)[k], theirs(x[k]))
