import math

import pytest
import torch
from torch import nn

from divergences.networks.layers import MLP, FourierFeatures, FullSort, Linear, MaxMin, Whiten
from divergences.random_streams import Streams


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
    with pytest.raises(ValueError, match="hidden"):
        MLP(Streams([0]), 2, 1, hidden=hidden)


def test_maxmin_sorts_each_pair():
    x = torch.randn(2, 7, 10, dtype=torch.float64)
    expected = torch.stack([x[..., :5], x[..., 5:]], -1).sort(-1, descending=True).values
    torch.testing.assert_close(MaxMin()(x), torch.cat([expected[..., 0], expected[..., 1]], -1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_fullsort_sorts_each_point(dtype):
    x = torch.randn(2, 7, 11).to(dtype)
    assert torch.equal(FullSort()(x), x.sort(-1).values)


@pytest.mark.parametrize("activation", [MaxMin, FullSort])
def test_the_jacobian_of_a_sort_is_a_permutation(activation):
    x = torch.randn(8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(activation(), x)
    assert set(jacobian.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(jacobian @ jacobian.T, torch.eye(8, dtype=torch.float64))


def test_maxmin_of_an_odd_width_is_an_error():
    with pytest.raises(ValueError, match="3 units have no pairs"):
        MaxMin()(torch.zeros(1, 4, 3))


def test_fourier_features_have_the_kernel_of_their_frequencies():
    r"""E cos(b (x - y)) over b ~ N(0, s^2) is exp(-s^2 (x - y)^2 / 2)."""
    x, y = torch.tensor([[[0.3, -0.1]]]), torch.tensor([[[-0.2, 0.4]]])
    for scale in (0.5, 2.0):
        features = FourierFeatures(Streams([0]), 2, scales=(scale,), frequencies=20_000)
        product = (features(x)[..., 2:] * features(y)[..., 2:]).sum() / 20_000
        expected = math.exp(-(scale**2) * 0.5 / 2)
        assert product.item() == pytest.approx(expected, abs=4 * 20_000**-0.5)


def test_fourier_features_keep_the_points_and_count_what_comes_out():
    features = FourierFeatures(Streams([0, 1]), 3, scales=(1.0, 2.0), frequencies=5)
    x = torch.randn(2, 4, 3)
    out = features(x)
    assert out.shape == (2, 4, features.out_features) == (2, 4, 23)
    assert torch.equal(out[..., :3], x)


def test_fourier_features_are_frozen_and_each_member_has_its_own():
    alone = FourierFeatures(Streams([4]), 2)
    among = FourierFeatures(Streams([9, 4]), 2)
    assert torch.equal(alone.waves[0], among.waves[1])
    assert not torch.equal(among.waves[0], among.waves[1])
    assert not list(among.parameters())
    assert "waves" in among.state_dict()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, 0.0)}, "scales"),
        ({"scales": (math.nan,)}, "scales"),
        ({"frequencies": 0}, "frequencies = 0"),
    ],
)
def test_bad_fourier_features_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        FourierFeatures(Streams([0]), 2, **arguments)


@pytest.mark.parametrize(
    "shape", [(), (5,), (5, 2), (2, 5, 2), (1, 5, 3), (1, 5, 1), (1, 1, 5, 2)]
)
@pytest.mark.parametrize("hidden", [(), (4,)], ids=["one score", "hidden layer"])
def test_points_of_another_shape_are_refused_and_not_broadcast(shape, hidden):
    network = MLP(Streams([0]), 2, 1, hidden=hidden)
    with pytest.raises(ValueError, match=r"Linear.* shape \("):
        network(torch.zeros(shape))
