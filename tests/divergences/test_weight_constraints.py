import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from divergences import MLP, Streams
from divergences.networks.constraint import Unconstrained
from divergences.networks.gradient_penalty import (
    GradientPenalty,
    LipschitzPenalty,
    corrected_value,
    penalised_value,
)
from divergences.networks.layers import Linear, MaxMin
from divergences.networks.slopes import input_gradient, interpolates, lipschitz_audit
from divergences.networks.weight_constraints import Orthogonal, SpectralNorm, WeightClipping

ALL = [
    Unconstrained(),
    WeightClipping(0.1),
    GradientPenalty(),
    LipschitzPenalty(),
    SpectralNorm(),
    Orthogonal(),
]


def critic(members=2, dimension=3):
    return MLP(Streams(range(members)), dimension, 1, hidden=(16, 16)).double()


def points(members=2, n=6, dimension=3, shift=0.0):
    return torch.randn(members, n, dimension, dtype=torch.float64) + shift


@pytest.mark.parametrize(
    ("penalty", "excess"),
    [(GradientPenalty(7.0), lambda g: g - 1), (LipschitzPenalty(7.0), lambda g: max(g - 1, 0))],
    ids=["two-sided", "one-sided"],
)
def test_penalty_is_that_of_one_point_at_a_time(penalty, excess):
    """Jacobians of single points by another route, at the same interpolates."""
    network, real, fake = critic(), points(), 5 * points(shift=1.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # norms on both sides of 1
    value = penalty.penalty(network, real, fake, Streams([0, 1], dtype=torch.float64))
    at = interpolates(real, fake, Streams([0, 1], dtype=torch.float64))
    for k in range(2):
        terms = []
        for i in range(6):

            def score(x, k=k, i=i):
                padded = at.clone()
                padded[k, i] = x
                return network(padded)[k, i, 0]

            norm = torch.autograd.functional.jacobian(score, at[k, i]).norm()
            terms.append(7.0 * excess(norm.item()) ** 2)
        assert value[k].item() == pytest.approx(sum(terms) / 6)


def test_interpolation_uses_one_coefficient_per_pair_and_stays_between():
    real, fake = torch.zeros(2, 500, 2), torch.ones(2, 500, 2)
    x = interpolates(real, fake, Streams([0, 1]))
    assert torch.equal(x[..., 0], x[..., 1])
    assert len(x[0, :, 0].unique()) > 490
    assert (x >= 0).all()
    assert (x <= 1).all()


@pytest.mark.parametrize("penalty", [GradientPenalty(), LipschitzPenalty()])
def test_penalty_of_a_flat_critic_has_finite_gradients(penalty):
    network = critic()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    penalty.penalty(
        network, points(), points(), Streams([0, 1], dtype=torch.float64)
    ).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("constraint", ALL, ids=lambda c: type(c).__name__)
def test_members_do_not_mix(constraint):
    network = critic()
    constraint.parametrize(network)
    real, fake = points(), points(shift=2.0)
    changed = real.clone()
    changed[1] += 10
    first = constraint.penalty(network, real, fake, Streams([0, 1], dtype=torch.float64))
    second = constraint.penalty(network, changed, fake, Streams([0, 1], dtype=torch.float64))
    assert first.shape == (2,)
    assert torch.equal(first[0], second[0])


def test_clipping_bounds_every_parameter():
    network = critic()
    WeightClipping(0.05).project(network)
    assert max(p.abs().max() for p in network.parameters()) == 0.05


def test_clipped_slope_is_below_the_path_bound():
    network = critic(members=20)
    WeightClipping(0.05).project(network)
    slope = input_gradient(network, points(20, 200)).abs().max()
    assert slope <= 0.05**3 * 16**2


def test_spectral_norm_makes_each_layer_one_lipschitz_in_eval():
    network = critic()
    SpectralNorm().parametrize(network)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, Linear):
                layer.parametrizations["weight"].original.mul_(5)
    network.eval()
    for layer in network:
        if isinstance(layer, Linear):
            for k in range(2):
                assert torch.linalg.svdvals(layer.weight[k])[0].item() == pytest.approx(1)
    assert input_gradient(network, points(2, 500)).norm(dim=-1).max() <= 1 + 1e-9


def test_power_iteration_tracks_the_largest_singular_value():
    network = critic()
    SpectralNorm().parametrize(network)
    layer = next(m for m in network if isinstance(m, Linear))
    with torch.no_grad():
        layer.parametrizations["weight"].original.normal_()
        for _ in range(100):
            layer.weight  # noqa: B018  # each access is one step
        assert torch.linalg.svdvals(layer.weight)[:, 0].tolist() == pytest.approx([1, 1], abs=1e-4)


@given(st.floats(1e-3, 50), st.floats(0.05, 100))
def test_correction_inverts_the_overshoot(w1, weight):
    w1 = torch.tensor(w1, dtype=torch.float64)
    assert corrected_value(penalised_value(w1, weight), weight).item() == pytest.approx(
        w1.item(), rel=1e-6
    )


@given(st.floats(0.01, 10), st.floats(0.1, 100))
def test_overshoot_is_the_maximum_over_slopes(w1, weight):
    """Brute force over the slope s of the objective s W - lambda (s - 1)^2."""
    best = 1 + w1 / (2 * weight)
    slope = torch.linspace(1, 2 * best, 200001, dtype=torch.float64)
    s = slope[(slope * w1 - weight * (slope - 1) ** 2).argmax()]
    expected = penalised_value(torch.tensor(w1, dtype=torch.float64), weight)
    assert expected.item() == pytest.approx((s * w1).item(), rel=1e-3)


def test_audit_finds_the_slope_of_a_linear_critic():
    network = MLP(Streams([0, 1]), 2, 1, hidden=())
    norms = lipschitz_audit(network, torch.zeros(2, 9, 2), torch.ones(2, 9, 2), Streams([0, 1]))
    expected = network[0].weight.detach().norm(dim=(1, 2))
    torch.testing.assert_close(norms, expected[:, None].expand(2, 9))


@pytest.mark.parametrize("c", [0, -0.1, math.nan, math.inf])
def test_a_clip_value_must_be_positive(c):
    with pytest.raises(ValueError, match="clip value"):
        WeightClipping(c)


@pytest.mark.parametrize("weight", [0, -1, math.nan])
@pytest.mark.parametrize("penalty", [GradientPenalty, LipschitzPenalty])
def test_a_penalty_weight_must_be_positive(penalty, weight):
    with pytest.raises(ValueError, match="penalty weight"):
        penalty(weight)


def test_input_gradient_leaves_parameters_untouched():
    network = critic()
    input_gradient(network, points())
    assert all(p.grad is None for p in network.parameters())


def orthogonal_critic(members=2, dimension=3):
    network = MLP(Streams(range(members)), dimension, 1, (16, 16), MaxMin).double()
    Orthogonal().parametrize(network)
    return network


def gram(weight):
    w = weight if weight.shape[-2] >= weight.shape[-1] else weight.mT
    return w.mT @ w


@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.03], ids=lambda n: f"step {n}")
def test_weights_return_to_orthonormal_ones_after_a_step(noise):
    network = orthogonal_critic()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(noise * torch.randn_like(parameter).sign())
    Orthogonal().project(network)
    for layer in network:
        if isinstance(layer, Linear):
            product = gram(layer.weight)
            torch.testing.assert_close(
                product, torch.eye(product.shape[-1]).expand_as(product).double()
            )


def test_the_projection_finds_the_nearest_orthonormal_matrix():
    """The polar factor, from a singular value decomposition."""
    layer = orthogonal_critic()[2]
    with torch.no_grad():
        layer.weight.add_(0.02 * torch.randn_like(layer.weight))
    u, _, v = torch.linalg.svd(layer.weight.detach())
    Orthogonal().project(layer)
    torch.testing.assert_close(layer.weight.detach(), u @ v, atol=1e-8, rtol=0)


@pytest.mark.parametrize("iterations", [1, 2, 8])
@pytest.mark.parametrize("size", [0.5, 100.0])
def test_no_layer_exceeds_slope_1_even_before_the_iteration_converges(iterations, size):
    network = orthogonal_critic()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    Orthogonal(iterations).project(network)
    for layer in network:
        if isinstance(layer, Linear):
            assert torch.linalg.svdvals(layer.weight).max() <= 1 + 1e-12
    assert input_gradient(network, 5 * points(2, 500)).norm(dim=-1).max() <= 1 + 1e-12


def test_a_square_orthogonal_critic_has_slope_1_everywhere():
    network = MLP(Streams([0, 1]), 16, 1, (16, 16), MaxMin).double()
    Orthogonal().parametrize(network)
    norms = input_gradient(network, points(2, 200, 16)).norm(dim=-1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_orthogonal_projection_of_a_member_ignores_the_others():
    network, alone = orthogonal_critic(), orthogonal_critic()
    with torch.no_grad():
        network[0].weight[1] *= 50
    Orthogonal().project(network)
    Orthogonal().project(alone)
    assert torch.equal(network[0].weight[0], alone[0].weight[0])


@pytest.mark.parametrize("iterations", [0, -3])
def test_bjorck_needs_an_iteration(iterations):
    with pytest.raises(ValueError, match="iterations"):
        Orthogonal(iterations)


@pytest.mark.parametrize("training", [True, False], ids=["training", "eval"])
def test_a_layer_of_zeros_stays_one_under_spectral_normalisation(training):
    critic = nn.Sequential(Linear(3, 2, Streams([0, 1])))
    with torch.no_grad():
        critic[0].weight[0] = 0.0
        critic[0].bias.zero_()
    SpectralNorm().parametrize(critic)
    critic.train(training)
    scores = critic(torch.ones(2, 4, 3))
    assert (scores[0] == 0).all()
    assert torch.isfinite(scores).all()
    assert (scores[1] != 0).any()


def test_an_audit_between_unequal_numbers_of_points_says_so():
    critic = nn.Sequential(Linear(2, 1, Streams([0])))
    with pytest.raises(ValueError, match="segments join pairs of points"):
        lipschitz_audit(critic, torch.zeros(1, 9, 2), torch.zeros(1, 8, 2), Streams([0]))
