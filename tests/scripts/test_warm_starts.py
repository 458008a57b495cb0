"""Fits that go on from a fit, averaged critics, critics on Fourier features."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import SGD

from divergences.learned.anchored import AnchoredCritic
from divergences.learned.critic import Critic
from divergences.networks.gradient_penalty import LipschitzPenalty, penalised_value
from divergences.networks.layers import FourierFeatures, MaxMin
from divergences.networks.slopes import input_gradient
from divergences.networks.weight_constraints import Orthogonal, SpectralNorm
from divergences.random_streams import Streams
from gans.targets import Box, Funnels, OneFunnel, Shifted
from scripts.lab.w1.accuracy import compared
from scripts.lab.w1.maximin import ReversedMaximin
from scripts.lab.w1.solvers import released

LAW = Shifted(Box([0.5, 0.5]), [0.6, 0.8])
SMALL: dict[str, Any] = {"hidden": (16, 16), "batch": 32, "optimizer": partial(SGD, lr=0.01)}
SEEDS = [3, 8]


def weights(fit):
    return dict(fit.network.state_dict())


@pytest.mark.parametrize(
    "make",
    [
        partial(Critic, **SMALL),
        partial(Critic, constraint=Orthogonal(), activation=MaxMin, **SMALL),
        partial(Critic, fourier=(1.0,), **SMALL),
        partial(ReversedMaximin, inner=2, **SMALL),
    ],
    ids=["spectral", "orthogonal", "Fourier", "MM:R"],
)
def test_two_fits_of_20_steps_are_one_of_40(make):
    """SGD has no momentum, so that nothing but weights and streams is to be handed on."""
    whole = make(steps=40).fit(LAW, LAW.base, SEEDS)
    half = make(steps=20).fit(LAW, LAW.base, SEEDS)
    both = make(steps=20).fit(LAW, LAW.base, SEEDS, start=half)
    torch.testing.assert_close(weights(both), weights(whole), rtol=0, atol=1e-6)
    assert any((weights(half)[k] != v).any() for k, v in weights(whole).items())


def test_a_start_is_left_as_it_was():
    half = Critic(steps=5, **SMALL).fit(LAW, LAW.base, SEEDS)
    before = {k: v.clone() for k, v in weights(half).items()}
    for _ in range(2):
        Critic(steps=5, **SMALL).fit(LAW, LAW.base, SEEDS, start=half)
    assert all(torch.equal(v, before[k]) for k, v in weights(half).items())


def test_anchors_stay_where_the_start_has_them_and_its_heights_go_on():
    law = Funnels.drawn(2, 8, seed=0)
    settings: dict[str, Any] = {"anchors": 32, "candidates": 64, "screening": 1, "sweeps": 0}
    first = AnchoredCritic(steps=1, **settings).fit(law, law.base, SEEDS)
    second = AnchoredCritic(steps=300, **settings).fit(law, law.base, SEEDS, start=first)
    assert torch.equal(weights(first)["anchors"], weights(second)["anchors"])
    better = second.held_out(law, law.base).value - first.held_out(law, law.base).value
    assert (better > 0).all()


def test_a_warm_critic_reads_a_law_that_has_moved_in_fewer_steps():
    near, far = (Shifted(Box([0.5, 0.5]), [d, 0.0]) for d in (1.0, 1.1))
    settings = {"hidden": (16, 16), "batch": 32}
    start = Critic(steps=400, **settings).fit(near, near.base, SEEDS)
    short = Critic(steps=10, **settings)
    warm = short.fit(far, far.base, SEEDS, start=start).held_out(far, far.base).value
    cold = short.fit(far, far.base, SEEDS).held_out(far, far.base).value
    assert (warm - 1.1).abs().max() < 0.1
    assert (cold - 1.1).abs().min() > 0.5


def test_a_critic_with_a_first_one_is_a_fit_that_starts_from_its_fit():
    first = Critic(steps=9, constraint=Orthogonal(), activation=MaxMin, **SMALL)
    then = partial(Critic, steps=7, constraint=LipschitzPenalty(), activation=MaxMin, **SMALL)
    both = then(first=first).fit(LAW, LAW.base, SEEDS)
    by_hand = then().fit(LAW, LAW.base, SEEDS, start=first.fit(LAW, LAW.base, SEEDS))
    torch.testing.assert_close(weights(both), weights(by_hand), rtol=0, atol=0)
    assert both.held_out(LAW, LAW.base).bound == "none"
    # what is given to start from takes the first one's place
    start = then().fit(LAW, LAW.base, SEEDS)
    again = then(first=first).fit(LAW, LAW.base, SEEDS, start=start)
    torch.testing.assert_close(
        weights(again), weights(then().fit(LAW, LAW.base, SEEDS, start=start)), rtol=0, atol=0
    )


def held_and_loose(law):
    """An orthonormal critic's accuracy, and what it is once a penalty of weight 10 has let go."""
    critic = released(640, hidden=(32, 32), batch=256)
    assert critic.first is not None
    held = critic.first.fit(law, law.base, SEEDS)
    loose = critic.fit(law, law.base, SEEDS, start=held)
    return [compared(fit, law, 2048) for fit in (held, loose)]


def test_a_penalty_lets_slopes_rise_that_orthonormal_layers_held_down():
    held, loose = held_and_loose(Funnels.drawn(16, 16, seed=0))
    assert (held["deviation"] < -0.15).all()
    assert (loose["deviation"].abs() < held["deviation"].abs() / 1.5).all()
    assert (loose["cosine"] > held["cosine"]).all()


def test_where_orthonormal_layers_read_w1_a_penalty_overshoots_as_its_equation_says():
    """Rays of one funnel: one slope serves all of them."""
    law = OneFunnel(8)
    held, loose = held_and_loose(law)
    assert (held["deviation"].abs() < 0.01).all()
    wanted = float(penalised_value(law.w1, 10.0) / law.w1 - 1)
    assert loose["deviation"].tolist() == pytest.approx([wanted] * 2, abs=0.01)


@pytest.mark.parametrize(
    ("estimator", "seeds", "match"),
    [
        (Critic(steps=1, **SMALL), [3, 9], r"seeds \(3, 8\), not of \(3, 9\)"),
        (Critic(steps=1, hidden=(8, 8)), SEEDS, "other sizes"),
        (AnchoredCritic(steps=1, anchors=4, candidates=8), SEEDS, "other sizes"),
    ],
    ids=["seeds", "widths", "kind"],
)
def test_a_start_that_does_not_fit_is_refused(estimator, seeds, match):
    start = Critic(steps=1, **SMALL).fit(LAW, LAW.base, SEEDS)
    with pytest.raises(ValueError, match=match):
        estimator.fit(LAW, LAW.base, seeds, start=start)


@pytest.mark.parametrize(
    ("constraint", "activation"),
    [(SpectralNorm(), torch.nn.ReLU), (Orthogonal(), MaxMin)],
    ids=["spectral", "orthogonal"],
)
def test_an_averaged_critic_is_the_average_of_its_weights_and_still_a_lower_bound(
    constraint, activation
):
    """sum of (1 - b) b^(n - i) w_i, the first of them with weight b^(n - 1)."""
    decay, seen = 0.8, []

    def keep(_, network):
        seen.append([w.detach().clone().double() for w in network.parameters()])

    settings = {"constraint": constraint, "activation": activation, "steps": 12, **SMALL}
    fit = Critic(ema=decay, **settings).fit(LAW, LAW.base, SEEDS, keep)
    n = len(seen)
    shares = [decay ** (n - 1)] + [(1 - decay) * decay ** (n - i) for i in range(2, n + 1)]
    for k, weight in enumerate(fit.network.parameters()):
        by_hand = sum(s * step[k] for s, step in zip(shares, seen, strict=True))
        torch.testing.assert_close(weight.double(), by_hand, rtol=0, atol=1e-6)
        assert not weight.requires_grad
    x = LAW.draw(Streams(SEEDS, "audit"), 512)
    assert (input_gradient(fit.network, x).norm(dim=-1) <= 1 + 1e-5).all()
    assert fit.held_out(LAW, LAW.base).bound == "lower"
    live = Critic(**settings).fit(LAW, LAW.base, SEEDS)
    torch.testing.assert_close(list(live.network.parameters()), [w.float() for w in seen[-1]])


def test_a_critic_on_waves_promises_no_bound_and_can_be_steeper_than_1():
    critic = Critic(fourier=(4.0,), steps=300, hidden=(16, 16), batch=64)
    law = Shifted(Box([0.1]), [0.3])
    fit = critic.fit(law, law.base, SEEDS)
    assert isinstance(fit.network[0], FourierFeatures)  # pyright: ignore
    assert fit.held_out(law, law.base).bound == "none"
    x = law.draw(Streams(SEEDS, "audit"), 512)
    assert (input_gradient(fit.network, x).norm(dim=-1).amax(1) > 1.5).all()
