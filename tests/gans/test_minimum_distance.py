"""Generators trained without a critic: their gradients, their runs, what they refuse."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.optim import SGD

from divergences import MMD, EarthMover, EnergyDistance, HistogramJS, Sinkhorn, Sliced
from divergences.random_streams import Streams
from gans import (
    Gradients,
    LipschitzAudit,
    MinimumDistance,
    NoiseGenerator,
    ParallelSegments,
    Ring,
    SegmentGenerator,
)
from gans.callbacks import InMemory
from gans.monitors import PlayerGradients
from gans.schedules import ConstantThenLinear
from tests.small_games import trainer

DISTANCES = {
    "energy": EnergyDistance(),
    "mmd": MMD(bandwidth=0.5),
    "sinkhorn": Sinkhorn(regularisation=0.5, tolerance=1e-9, floor=False),
    "exact transport": EarthMover(floor=False),
    "squared transport": EarthMover(order=2, floor=False),
    "sliced": Sliced(),
}
distances = pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES.keys())


def ring(distance, **settings):
    settings = {
        "generator": partial(NoiseGenerator, hidden=(8,)),
        "batch_size": 16,
        "iterations": 6,
        "seeds": (0, 1),
        **settings,
    }
    return MinimumDistance(Ring(), distance, **settings)


@distances
def test_the_gradient_of_the_loss_is_its_derivative(distance):
    module = ring(distance).double()
    streams = Streams((0, 1), "points", dtype=torch.float64)
    noise, real = streams.randn(16, 2), Ring().draw(streams, 16)
    parameters = list(module.generator.parameters())
    direction = [torch.randn_like(p) for p in parameters]

    def losses(step):
        for p, d in zip(parameters, direction, strict=True):
            p.data.add_(d, alpha=step)
        found = module.generator_loss(module.generator, streams, noise, real)
        for p, d in zip(parameters, direction, strict=True):
            p.data.sub_(d, alpha=step)
        return found.detach()

    module.generator_gradients(streams, noise, real)
    for member in range(2):
        predicted = sum(
            float((p.grad[member] * d[member]).sum())
            for p, d in zip(parameters, direction, strict=True)
        )
        measured = (losses(1e-6) - losses(-1e-6))[member] / 2e-6
        assert float(measured) == pytest.approx(predicted, rel=2e-5, abs=1e-8)


@distances
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")
def test_a_resumed_run_ends_bit_for_bit_where_the_whole_one_did(distance, tmp_path):
    settings = {"ema": 0.9, "scheduler": partial(ConstantThenLinear, iterations=6)}
    whole, resumed = ring(distance, **settings), ring(distance, **settings)
    trainer(tmp_path, every=2).fit(whole)
    t = trainer(tmp_path, every=2)
    middle = tmp_path / "checkpoints" / "step=4.ckpt"
    t.fit(resumed, ckpt_path=middle, weights_only=True)
    assert t.global_step == 6
    ours, theirs = whole.state_dict(), resumed.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_member_does_not_depend_on_its_neighbours(tmp_path):
    together, alone = ring(EnergyDistance(), seeds=(3, 5)), ring(EnergyDistance(), seeds=(5,))
    for module in (together, alone):
        trainer(tmp_path).fit(module)
    for both, one in zip(
        together.generator.parameters(), alone.generator.parameters(), strict=True
    ):
        torch.testing.assert_close(both[1:], one, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["energy", "exact transport", "sinkhorn"])
def test_a_distance_brings_theta_to_the_target(name, tmp_path):
    module = MinimumDistance(
        ParallelSegments(0.0),
        DISTANCES[name],
        generator=partial(SegmentGenerator, theta=1.0),
        generator_optimizer=partial(SGD, lr=0.1),
        batch_size=16,
        iterations=20,
    )
    trainer(tmp_path).fit(module)
    assert float(module.generator.theta.detach().abs()) < 0.15  # a step and a half of W1


def test_monitors_leave_out_what_a_critic_would_show(tmp_path):
    module = ring(EnergyDistance())
    kept = InMemory(PlayerGradients(), every=6)
    trainer(tmp_path, kept, Gradients(every=2), LipschitzAudit(every=2), logger=True).fit(module)
    assert set(kept.readings) == {"loss/generator", "gradient/generator"}
    assert torch.isfinite(kept.readings["loss/generator"]).all()


def test_a_distance_without_a_gradient_is_refused():
    with pytest.raises(ValueError, match="HistogramJS: its value has no gradient"):
        ring(HistogramJS())


def test_what_is_no_distance_is_refused():
    with pytest.raises(TypeError, match="must be an Estimator"):
        ring("energy")
    with pytest.raises(ValueError, match="at least 2 points"):
        ring(EnergyDistance(), batch_size=1)


def test_minibatches_are_not_shared(monkeypatch):
    module = ring(EnergyDistance())
    several = SimpleNamespace(world_size=2, global_rank=0, strategy=SimpleNamespace())
    monkeypatch.setattr(MinimumDistance, "trainer", several)
    monkeypatch.setattr(MinimumDistance, "global_rank", 0)
    with pytest.raises(ValueError, match="2 processes: a distance between minibatches"):
        module.on_fit_start()
