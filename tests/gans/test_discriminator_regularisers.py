"""Penalties on linear critics, whose input gradient is known, and what a step is limited to."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD

from divergences import MLP, Critic, Orthogonal, SpectralNorm, Streams, WeightClipping
from divergences.learned.sources import Empirical
from divergences.networks.layers import Linear, member_norms
from gans.discriminator_regularisers import DRAGAN, R1, R2, Annealed, Combined, GradientClipping
from gans.networks import Packed
from gans.schedules import ConstantThenLinear

SEEDS = [0, 1, 2]


def linear():
    """f(x) = w . x with |w| = 0, 1, 2 for the three members."""
    critic = nn.Sequential(Linear(2, 1, Streams(SEEDS)))
    with torch.no_grad():
        layer = critic[0]
        layer.weight.div_(layer.weight.norm(dim=(1, 2), keepdim=True))
        layer.weight.mul_(torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1))
    return critic


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        (R1(0.5), [0.0, 0.25, 1.0]),
        (R2(0.5), [0.0, 0.25, 1.0]),
        (DRAGAN(2.0), [2.0, 0.0, 2.0]),
        (Combined([R1(0.5), R2(0.5)]), [0.0, 0.5, 2.0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_penalty_of_a_linear_critic_is_that_of_its_slope(penalty, expected):
    real, fake = torch.randn(2, 3, 16, 2)
    read = penalty.penalty(linear(), real, fake, Streams(SEEDS))
    torch.testing.assert_close(read, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_r1_looks_at_real_points_and_r2_at_generated_ones():
    critic = MLP(Streams(SEEDS), 2, 1, (16,), nn.Tanh)
    here, there = torch.randn(3, 16, 2), 5 + torch.randn(3, 16, 2)
    streams = Streams(SEEDS)
    one, two = R1(1.0), R2(1.0)
    torch.testing.assert_close(
        one.penalty(critic, here, there, streams), two.penalty(critic, there, here, streams)
    )
    assert not torch.allclose(
        one.penalty(critic, here, there, streams), two.penalty(critic, here, there, streams)
    )


@pytest.mark.parametrize("penalty", [R1(1.0), R2(1.0), DRAGAN(1.0)], ids=["R1", "R2", "DRAGAN"])
def test_the_penaltys_gradient_is_that_of_differences(penalty):
    critic = MLP(Streams([0], dtype=torch.float64), 2, 1, (8,), nn.Tanh)
    real, fake = torch.randn(2, 1, 5, 2, dtype=torch.float64)
    weight = critic[0].weight

    def value():
        return penalty.penalty(critic, real, fake, Streams([0], "p", dtype=torch.float64)).sum()

    (gradient,) = torch.autograd.grad(value(), weight)
    with torch.no_grad():
        weight[0, 0, 0] += 1e-6
    up = value()
    with torch.no_grad():
        weight[0, 0, 0] -= 2e-6
    slope = (up - value()) / 2e-6
    assert gradient[0, 0, 0].item() == pytest.approx(slope.item(), rel=1e-5)


def test_gradient_clipping_shortens_the_long_and_leaves_the_short():
    critic = MLP(Streams(SEEDS), 2, 1, (8,))
    factor = torch.tensor([1e-3, 1.0, 1e3]).view(3, 1)
    (critic(torch.ones(3, 4, 2)).squeeze(-1) * factor).sum().backward()
    before = member_norms([p.grad for p in critic.parameters()])
    direction = critic[0].weight.grad[2] / before[2]
    GradientClipping(0.5).limit(critic)
    after = member_norms([p.grad for p in critic.parameters()])
    torch.testing.assert_close(after, before.clamp(max=0.5))
    torch.testing.assert_close(critic[0].weight.grad[2] / after[2], direction)


def test_a_critic_that_estimates_w1_clips_the_gradients_it_is_told_to():
    """Under SGD of rate 1 a step is the gradient, so that it shows how long that was."""
    x, y = torch.randn(2, 1, 64, 2, generator=torch.Generator().manual_seed(0)).unbind()
    moved = []
    for most in (1e-3, 1e9):
        critic = Critic(
            steps=1,
            hidden=(8,),
            constraint=GradientClipping(most),
            optimizer=partial(SGD, lr=1.0),
        )
        start = critic.build(Empirical(x), Empirical(y), Streams([0]), 2)
        fit = critic.fit(Empirical(x), Empirical(y), [0])
        pairs = zip(fit.network.parameters(), start.parameters(), strict=True)
        moved.append(member_norms([(a - b).detach() for a, b in pairs]))
    torch.testing.assert_close(moved[0], torch.tensor([1e-3]), rtol=1e-3, atol=0)
    assert moved[1] > 0.01


def test_what_a_constraint_says_of_itself_follows_its_parts():
    both = Combined([R1(), R2()])
    both.constraints = (*both.constraints, SpectralNorm())
    assert both.certified


@pytest.mark.parametrize("constraint", [SpectralNorm(), Orthogonal()])
def test_constraints_on_layers_refuse_a_critic_without_such_layers(constraint):
    with pytest.raises(ValueError, match="a Sequential has no layer as"):
        constraint.parametrize(nn.Sequential(nn.Linear(2, 1)))


def test_together_is_as_certified_and_bounded_as_any_of_its_parts():
    assert Combined([SpectralNorm(), R1()]).certified
    assert Combined([SpectralNorm(), WeightClipping()]).certified
    assert Combined([Orthogonal(), Annealed(R1(), last=0.1, steps=9)]).certified
    assert Combined([WeightClipping(), Orthogonal()]).certified
    assert not Combined([Orthogonal(), WeightClipping()]).certified
    assert not Combined([Combined([Orthogonal()]), Combined([WeightClipping()])]).certified
    assert not Combined([R1(), R2()]).certified
    assert not Combined([GradientClipping()]).bounds_slope
    assert Combined([GradientClipping(), WeightClipping()]).bounds_slope
    with pytest.raises(ValueError, match="at least one"):
        Combined([])
    with pytest.raises(ValueError, match="Orthogonal and SpectralNorm would both"):
        Combined([Orthogonal(), SpectralNorm()])


def test_clipping_may_raise_the_norm_of_a_matrix_and_is_not_certified():
    """Of an orthonormal matrix; that of one which SpectralNorm divides by its norm stays 1."""
    turned = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    norms = [torch.linalg.matrix_norm(turned.clamp(-c, c), 2) for c in torch.linspace(0.1, 1, 50)]
    assert max(norms) > 1.01
    for constraint in (SpectralNorm(), Combined([SpectralNorm(), WeightClipping(0.5)])):
        critic = nn.Sequential(Linear(6, 6, Streams([0])))
        constraint.parametrize(critic)
        with torch.no_grad():
            critic[0].parametrizations.weight.original.copy_(turned[None])
        constraint.project(critic)
        assert torch.linalg.matrix_norm(critic.eval()[0].weight, 2).item() == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("make", [R1, R2, DRAGAN, GradientClipping, partial(DRAGAN, 1.0)])
def test_weights_must_be_finite_and_above_zero(make, value):
    with pytest.raises(ValueError, match="must be a finite number above 0"):
        make(value)


def test_a_packed_critic_sees_its_points_together():
    packed = Packed(Streams(SEEDS), 2, 1, pack=2)
    points = torch.randn(3, 6, 2)
    scores = packed(points)
    assert scores.shape == (3, 3, 1)
    swapped = points[:, [0, 1, 4, 5, 2, 3]]  # whole packs in another order
    torch.testing.assert_close(packed(swapped), scores[:, [0, 2, 1]])
    torn = points[:, [0, 2, 1, 3, 4, 5]]
    assert not torch.allclose(packed(torn)[:, 0], scores[:, 0])
    with pytest.raises(ValueError, match="5 points do not make packs of 2"):
        packed(points[:, :5])


def test_the_rate_is_constant_then_falls_linearly_to_its_last_share():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    schedule = ConstantThenLinear(optimizer, 10, constant=0.4, last=0.1)
    rates = []
    for _ in range(11):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:5] == [2.0] * 5
    assert rates[7] == pytest.approx(2 * 0.55)
    assert rates[10] == pytest.approx(0.2)


@pytest.mark.parametrize("settings", [(0,), (10, 1.5), (10, 0.5, -0.1)])
def test_a_schedule_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=r"must be at least 1|is a share"):
        ConstantThenLinear(torch.optim.SGD([nn.Parameter(torch.zeros(1))]), *settings)
