import pytest
import torch
from torch import nn

from divergences.networks import MLP, Linear, Whiten
from divergences.streams import Streams


def test_each_member_is_the_ordinary_network_with_its_weights():
    members = MLP(Streams(range(3)), 2, 1, hidden=(16, 8)).double()
    x = torch.randn(3, 20, 2, dtype=torch.float64)
    for k in range(3):
        layers = []
        for layer in members:
            if isinstance(layer, Linear):
                plain = nn.Linear(*layer.weight.shape[1:], dtype=torch.float64)
                plain.weight.data, plain.bias.data = layer.weight[k].T, layer.bias[k, 0]
                layers.append(plain)
            else:
                layers.append(layer)
        torch.testing.assert_close(members(x)[k], nn.Sequential(*layers)(x[k]))


def test_initial_weights_follow_torch_default():
    layer = Linear(25, 400, Streams([0]))
    plain = nn.Linear(25, 400)
    for ours, theirs in ((layer.weight, plain.weight), (layer.bias, plain.bias)):
        assert ours.abs().max() <= 0.2
        assert abs(ours.std() - 0.2 / 3**0.5) < 0.02
        assert abs(ours.std() - theirs.std()) < 0.03


def test_initial_weights_of_a_member_depend_on_its_seed_only():
    alone, among = MLP(Streams([4]), 2, 1), MLP(Streams([9, 4]), 2, 1)
    for a, b in zip(alone.parameters(), among.parameters(), strict=True):
        assert torch.equal(a[0], b[1])


def test_gradients_of_members_do_not_mix():
    network = MLP(Streams(range(4)), 2, 1)
    network(torch.randn(4, 10, 2))[2].sum().backward()
    for parameter in network.parameters():
        touched = parameter.grad.flatten(1).abs().sum(1) > 0
        assert touched.tolist() == [False, False, True, False]


def test_whitened_points_have_mean_0_and_deviation_1():
    points = torch.randn(3, 500, 2, dtype=torch.float64) * torch.tensor([1e-3, 50.0]) + 7
    white = Whiten(points)(points)
    torch.testing.assert_close(white.mean(1), torch.zeros(3, 2).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(white.std(1, correction=0), torch.ones(3, 2).double())


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_constant_coordinate_is_only_shifted(value):
    points = torch.full((1, 1000, 1), value)
    assert Whiten(points)(points).abs().max() < 1e-1
    assert Whiten(points).scale.item() == 1


@pytest.mark.parametrize("hidden", [(0,), (8, -1)])
def test_a_width_below_1_is_an_error(hidden):
    with pytest.raises(ValueError, match="layer widths"):
        MLP(Streams([0]), 2, 1, hidden=hidden)
