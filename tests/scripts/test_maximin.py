"""Critics against movers, and penalties on pairs, on laws whose W1 has a closed form."""

import math
from typing import Any

import pytest
import torch
from scipy.stats import norm
from torch import nn

from divergences.learned.critic import Critic
from divergences.networks.layers import MLP
from divergences.random_streams import Streams
from gans.targets import Box, OneFunnel, Shifted
from scripts.lab.w1.accuracy import compared
from scripts.lab.w1.batch_transport import EntropicPairPenalty
from scripts.lab.w1.maximin import Maximin, ReversedMaximin, Rivals

SMALL: dict[str, Any] = {"hidden": (32, 32), "batch": 64}


class Normal:
    """N(mean, sd^2) on the line."""

    def __init__(self, mean, sd):
        self.mean, self.sd = mean, sd

    def draw(self, streams, n):
        return self.mean + self.sd * streams.randn(n, 1)


class Plane(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x):
        return (x @ self.a)[..., None]


LAWS = {
    "segments": (Shifted(Box([0.0, 0.5]), [1.0, 0.0]), 1.0),
    "shifted box": (Shifted(Box([0.5, 0.5]), [0.6, 0.8]), 1.0),
}
every_law = pytest.mark.parametrize(("law", "w1"), LAWS.values(), ids=LAWS)
ENTROPIC = Critic(constraint=EntropicPairPenalty(), steps=400, **SMALL)


def maximised(network, sign, p, q):
    """E_P[f^c] - E_Q[f] with the sign 1, or E_P[f] + E_Q[(-f)^c], on fresh points."""
    streams = Streams([0, 1], "held-out")
    moved, fixed = (p, q) if sign == 1 else (q, p)
    x, y = moved.draw(streams, 1024), fixed.draw(streams, 1024)
    return (network.cost(x, sign).mean(1) - sign * network(y).mean((1, 2))).tolist()


@every_law
@pytest.mark.parametrize(
    ("kind", "sign"), [(Maximin, 1), (ReversedMaximin, -1)], ids=["MM", "MM:R"]
)
def test_what_a_mover_leaves_is_the_distance_and_the_gradient_points_along_it(kind, sign, law, w1):
    """f's own value is not tested: nothing holds it between the laws."""
    fit = kind(steps=250, inner=4, **SMALL).fit(law, law.base, [0, 1])
    assert maximised(fit.network, sign, law, law.base) == pytest.approx([w1, w1], rel=0.2)
    assert (compared(fit, law, 1024)["cosine"] > 0.9).all()
    estimate = fit.held_out(law, law.base)
    assert estimate.bound == "none"
    assert any("slope" in warning for warning in estimate.warnings)


@every_law
def test_an_entropic_critic_reads_the_distance_and_points_along_it(law, w1):
    found = compared(ENTROPIC.fit(law, law.base, [0, 1]), law, 1024)
    assert found["value"].tolist() == pytest.approx([w1, w1], rel=0.15)
    assert (found["cosine"] > 0.9).all()


def test_an_entropic_critic_between_normals_of_two_means_and_widths():
    """By quantiles W1 is E|1.5 + (1 - .5) z|, z standard normal."""
    mean, sd = 1.5, 0.5
    p, q = Normal(mean, 1.0), Normal(0.0, 1.0 - sd)
    w1 = sd * (2 * norm.pdf(mean / sd) + mean / sd * (2 * norm.cdf(mean / sd) - 1))
    value = ENTROPIC.fit(p, q, [0, 1]).held_out(p, q).value
    assert value.tolist() == pytest.approx([w1, w1], rel=0.15)


def test_the_entropic_critic_of_the_ball_pair_points_along_its_rays():
    law = OneFunnel(2)
    found = compared(ENTROPIC.fit(law, law.base, [0, 1]), law, 1024)
    assert (found["cosine"] > 0.5).all()


def rivals(dimension, inner_rate=0.05):
    streams = Streams([0, 1], dtype=torch.float64)
    displacement = MLP(streams, dimension, dimension, (16,), nn.Tanh)
    optimizer = torch.optim.SGD(displacement.parameters(), lr=inner_rate)
    return Rivals(MLP(streams, dimension, 1, (16,), nn.Tanh), displacement, optimizer)


@pytest.mark.parametrize("sign", [1, -1])
def test_one_step_of_the_mover_is_a_step_down_its_cost(sign):
    """Against autograd on the cost written out: SGD moves the weights by -rate times it."""
    network, x = rivals(3), Streams([5, 6], dtype=torch.float64).randn(20, 3)
    weights = list(network.displacement.parameters())
    moved = x + network.displacement(x)
    cost = ((moved - x).square().sum(-1).sqrt() + sign * network.critic(moved)[..., 0]).mean(1)
    expected = [
        w - 0.05 * g
        for w, g in zip(weights, torch.autograd.grad(cost.sum(), weights), strict=True)
    ]
    arrived = network.follow(x, sign, 1)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(arrived, network.moved(x))
    assert not arrived.requires_grad
    assert all(p.grad is None for p in network.parameters())


def test_the_critics_loss_moves_the_critic_only_and_its_gradient_is_the_dual_one():
    """At a mover that is kept where it is: d/df of mean f(y) - mean f(T(x))."""
    solver = Maximin(inner=1)
    network = rivals(2, inner_rate=1e-30)
    x, y = Streams([5, 6], dtype=torch.float64).randn(2, 20, 2).unbind(1)
    solver.loss(network, x, y, Streams([0, 1])).sum().backward()
    scored = network.critic(y).mean((1, 2)) - network.critic(network.moved(x)).mean((1, 2))
    weights = list(network.critic.parameters())
    torch.testing.assert_close(
        [w.grad for w in weights], list(torch.autograd.grad(scored.sum(), weights))
    )
    assert all(p.grad is None for p in network.displacement.parameters())


def test_a_mover_finds_the_minimum_that_calculus_finds():
    """From 3, on the line and with f(T) = T^2, |3 - T| + T^2 is least at T = 1/2."""

    class Bowl(nn.Module):
        def forward(self, x):
            return x.square()

    network = rivals(1)
    network.critic = Bowl()  # pyright: ignore
    network.optimizer = torch.optim.Adam(network.displacement.parameters(), lr=1e-2)
    arrived = network.follow(torch.full((2, 8, 1), 3.0, dtype=torch.float64), 1, 500)
    assert arrived.flatten().tolist() == pytest.approx([0.5] * 16, abs=0.02)


def test_the_entropic_penalty_of_a_plane_between_two_points_by_hand():
    """f = 2 x at 3 and 1: excess 4 - 2 = 2, so eps exp(2 / eps)."""
    x, y = torch.tensor([[[3.0]]]).double(), torch.tensor([[[1.0]]]).double()
    penalty = EntropicPairPenalty(0.5).penalty(Plane([2.0]), x, y, Streams([0]))
    assert float(penalty.detach()) == pytest.approx(0.5 * math.exp(4))


def test_the_entropic_dual_of_a_line_stops_at_the_slope_that_calculus_gives():
    """Point masses at 0 and 1, f = s x: s - eps exp((s - 1) / eps) is largest at s = 1."""
    plane = Plane([0.3])
    x, y = torch.ones(1, 1, 1).double(), torch.zeros(1, 1, 1).double()
    for _ in range(400):
        loss = -plane(x).mean() + plane(y).mean()
        loss = loss + EntropicPairPenalty(0.1).penalty(plane, x, y, Streams([0])).sum()
        (gradient,) = torch.autograd.grad(loss, [plane.a])
        plane.a.data -= 0.05 * gradient
    assert float(plane.a.detach()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Maximin(inner=0), "inner = 0"),
        (lambda: EntropicPairPenalty(0.0), r"epsilon = 0\.0"),
        (lambda: Critic(ema=1.0), r"ema = 1\.0"),
    ],
    ids=["inner", "epsilon", "ema"],
)
def test_bad_settings_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()
