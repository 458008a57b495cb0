"""Solvers for W1 on pairs that know it: values, bounds, gradients, and what they refuse."""

import math
from functools import partial
from typing import Any, cast

import pytest
import torch
from torch.optim import Adam

from divergences.learned.anchored import AnchoredCritic, moved_to_medoids
from divergences.learned.critic import Critic
from divergences.networks.mcshane import McShane, distances
from divergences.networks.slopes import input_gradient
from divergences.random_streams import Streams
from divergences.samples.earth_mover import EarthMover, linear_program
from gans.targets import Box, Funnels, OneFunnel, Shifted
from scripts.lab.w1.accuracy import compared
from scripts.lab.w1.batch_transport import (
    BatchTransport,
    ComparedTransforms,
    CTransform,
    PairPenalty,
)

QUICK: dict[str, Any] = {
    "candidates": 256,
    "anchors": 32,
    "steps": 150,
    "batch": 256,
    "sweeps": 2,
    "pool": 2048,
}
SMALL_STEPS: Any = partial(Adam, lr=2e-4)


def quick(**settings: Any) -> AnchoredCritic:
    return AnchoredCritic(**{**QUICK, **settings})


@pytest.mark.parametrize("dimension", [1, 3, 7])
def test_distances_are_those_of_torch(dimension):
    x, a = torch.randn(2, 2, 9, dimension, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(distances(x, a), torch.cdist(x, a), rtol=0, atol=1e-6)


@pytest.mark.parametrize("softness", [0.0, 0.3])
def test_mcshane_is_1_lipschitz_and_its_shares_are_its_derivative_in_the_heights(softness):
    generator = torch.Generator().manual_seed(0)
    anchors, x = torch.randn(2, 2, 40, 3, generator=generator, dtype=torch.float64)
    heights = torch.randn(2, 40, generator=generator, dtype=torch.float64)
    f = McShane(anchors, softness, heights)
    scores = f(x)
    rise = (scores - scores.mT).abs()
    assert (rise <= torch.cdist(x, x) + 1e-9).all()
    assert (input_gradient(f, x).norm(dim=-1) <= 1 + 1e-9).all()
    (derivative,) = torch.autograd.grad(scores.mean(1).sum(), f.heights)
    torch.testing.assert_close(f.shares(x), derivative)


def test_mcshane_continues_the_potentials_of_exact_transport():
    """From u on the points of P the extension has W1 of the samples as its dual value."""
    streams = Streams([0], dtype=torch.float64)
    x, y = streams.randn(60, 2), streams.randn(60, 2) + 1
    u = linear_program(x[0], y[0], 1, 1_000_000).u
    f = McShane(x, 0.0, u[None])
    dual = (f(x).mean() - f(y).mean()).detach()
    assert float(dual) == pytest.approx(float(EarthMover(floor=False)(x[0], y[0])), abs=1e-9)


def test_a_medoid_finds_the_tip_among_the_points():
    """One funnel at the origin: of the points of P the best anchor is one next to its tip."""
    ball = OneFunnel(2)
    y, (x, _) = ball.paired(Streams([0]), 1000)
    start = McShane(torch.tensor([[[1.0, 1.0]]]))
    moved = moved_to_medoids(start, x, y)
    nearest = x[0].norm(dim=1).sort().values
    assert moved.anchors.norm() <= nearest[5]


@pytest.mark.parametrize(
    ("law", "cosine", "off"),
    [
        (OneFunnel(2), 0.93, 0.01),
        (OneFunnel(8), 0.93, 0.05),
        (Funnels.drawn(2, 4, seed=0), 0.9, 0.03),
    ],
    ids=["ball, D=2", "ball, D=8", "funnels, D=2"],
)
def test_an_anchored_critic_reads_w1_from_below_and_points_along_the_rays(law, cosine, off):
    fit = quick().fit(law, law.base, [0, 1])
    found = compared(fit, law, 2048)
    assert (found["deviation"] <= 1e-5).all()
    assert (found["excess"] <= 1e-5).all()
    assert (found["deviation"] > -off).all()
    assert (found["cosine"] > cosine).all()
    assert (found["shuffled_cosine"] < 0.5).all()
    assert fit.held_out(law, law.base, 64).bound == "lower"


def test_between_segments_anchors_read_the_distance_and_point_along_the_segment():
    """What its page warns of: anchors lie on the segment itself, between them f only ripples."""
    law = Shifted(Box([0.0, 0.5]), [1.0, 0.0])
    found = compared(quick().fit(law, law.base, [0]), law, 2048)
    assert found["deviation"].abs().max() < 0.1
    assert found["cosine"].max() < 0.1


def test_an_anchored_member_learns_the_same_alone_and_among_others():
    law = OneFunnel(2)
    small = quick(steps=20)
    together, alone = (small.fit(law, law.base, seeds) for seeds in ([4, 5], [5]))
    x = law.draw(Streams([0]), 64)
    torch.testing.assert_close(
        together.scores(x.expand(2, -1, -1))[1], alone.scores(x)[0], rtol=1e-4, atol=1e-4
    )


def test_observe_is_called_after_every_step():
    seen = []
    law = OneFunnel(2)
    quick(steps=7).fit(law, law.base, [0], lambda step, _: seen.append(step))
    assert seen[-7:] == list(range(1, 8))


@pytest.mark.parametrize(
    ("learner", "off"),
    [
        (CTransform(steps=400, batch=64, hidden=(32, 32)), 0.1),
        (ComparedTransforms(steps=400, batch=64, hidden=(32, 32), optimizer=SMALL_STEPS), 0.1),
        (BatchTransport(steps=300, batch=64, hidden=(32, 32)), 0.1),
        (Critic(constraint=PairPenalty(0.01), steps=400, batch=64, hidden=(32, 32)), 0.1),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_batch_solver_reads_the_distance_of_segments_and_promises_no_bound(learner, off):
    law = Shifted(Box([0.0, 0.5]), [1.0, 0.0])
    estimate = learner.fit(law, law.base, [0, 1]).held_out(law, law.base)
    assert estimate.value.tolist() == pytest.approx([1, 1], rel=off)
    assert estimate.bound == "none"
    assert any("slope" in warning for warning in estimate.warnings)


def test_compared_transforms_read_the_plain_dual_of_lipschitz_critics_and_less_of_steep_ones():
    """At the potential of exact transport the reading is W1 of the samples, and twice it less."""
    streams = Streams([0], dtype=torch.float64)
    x, y = streams.randn(60, 2), streams.randn(60, 2) + 1
    f = McShane(x, 0.0, linear_program(x[0], y[0], 1, 1_000_000).u[None])
    w1 = float(EarthMover(floor=False)(x[0], y[0]))
    learner = ComparedTransforms()

    def read(slope, x, y):
        network = cast("torch.nn.Module", lambda points: slope * f(points))
        return -float(learner.loss(network, x, y, streams).detach())

    assert read(1.0, x, y) == pytest.approx(w1, abs=1e-9)
    assert read(0.5, x, y) == pytest.approx(w1 / 2, abs=1e-9)
    assert read(2.0, x, y) < w1  # any c-transform of the samples is a lower bound on theirs
    # steep on the points of P alone: the transform on Q shows it
    bumpy = torch.where(torch.arange(60) % 2 == 0, 1.0, 0.0).double()
    spoilt = cast(
        "torch.nn.Module",
        lambda points: f(points) + (bumpy[None, :, None] if points is x else 0),
    )
    assert -float(learner.loss(spoilt, x, y, streams).detach()) <= w1 + 1e-9


def test_a_pair_penalty_is_0_for_a_1_lipschitz_critic_and_not_for_a_steeper_one():
    x, y = torch.randn(2, 1, 32, 2, generator=torch.Generator().manual_seed(0))

    class Slope(torch.nn.Module):
        def __init__(self, slope):
            super().__init__()
            self.slope = slope

        def forward(self, points):
            return self.slope * points[..., :1]

    assert PairPenalty().penalty(Slope(1.0), x, y, Streams([0])) < 1e-9
    assert PairPenalty().penalty(Slope(2.0), x, y, Streams([0])) > 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"anchors": 0}, "anchors = 0"),
        ({"sweeps": -1}, "sweeps = -1"),
        ({"softness": -0.1}, r"softness = -0\.1"),
        ({"softness": math.inf}, "softness = inf"),
        ({"rates": (0.1, 0.0)}, r"rates\[1\] = 0\.0"),
    ],
    ids=str,
)
def test_bad_settings_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        AnchoredCritic(**arguments)
