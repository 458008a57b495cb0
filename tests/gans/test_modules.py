import math
from copy import deepcopy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from scipy import stats
from torch.optim import SGD, Adam

from divergences import GradientPenalty, SpectralNorm, Unconstrained, WeightClipping
from divergences.networks.layers import MLP, move_average
from divergences.random_streams import Streams
from gans.discriminator_regularisers import R1, R2, Combined, GradientClipping
from gans.generator_module import NonFiniteLoss
from gans.modules import WGAN, VanillaGAN
from gans.networks import NoiseGenerator, Packed, SegmentGenerator
from gans.networks.published_layers import BatchNormMLP
from gans.objectives import Hinge, NonSaturating, Relativistic, Saturating, Wasserstein
from gans.schedules import ConstantThenLinear
from gans.targets import ParallelSegments
from tests.small_games import ring, segments, trainer

GAMES = {
    "saturating": partial(segments, VanillaGAN, objective=Saturating()),
    "non-saturating": partial(segments, VanillaGAN, objective=NonSaturating()),
    "clip": partial(segments, constraint=WeightClipping(0.05)),
    "two-sided": partial(segments, constraint=GradientPenalty()),
    "one-sided": segments,
    "spectral": partial(segments, constraint=SpectralNorm()),
    "ring-gan": ring,
    "relativistic-r1-r2": partial(
        ring,
        objective=Relativistic(),
        constraint=Combined([R1(), R2()]),
        # a shift of all scores changes nothing: its gradient is rounding, of which Adam, unlike
        # SGD, makes whole steps
        critic_optimizer=partial(SGD, lr=0.01, momentum=0.9),
        scheduler=partial(ConstantThenLinear, iterations=6),
        ema=0.9,
    ),
    "packed-hinge": partial(
        ring,
        objective=Hinge(),
        critic=partial(Packed, network=partial(MLP, hidden=(8,))),
        constraint=GradientClipping(),
    ),
    "ring-wgan": partial(ring, WGAN, constraint=GradientPenalty(0.1)),
}
games = pytest.mark.parametrize("make", GAMES.values(), ids=GAMES.keys())


def weights(module):
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@games
def test_a_global_step_is_one_generator_iteration(make, tmp_path):
    module = make()
    t = trainer(tmp_path)
    t.fit(module)
    assert t.global_step == module.iterations == 6


@games
def test_max_steps_counts_generator_iterations(make, tmp_path):
    t = trainer(tmp_path, max_steps=4)
    t.fit(make())
    assert t.global_step == 4


@pytest.mark.parametrize("n_critic", [1, 2, 3, 5])
def test_no_checkpoint_is_skipped(n_critic, tmp_path):
    t = trainer(tmp_path, every=2)
    t.fit(segments(n_critic=n_critic))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step=2.ckpt", "step=4.ckpt", "step=6.ckpt"]


@games
def test_each_step_moves_its_own_player_only(make):
    module = make()
    optimizers = module.configure_optimizers()
    on_critic, on_generator = optimizers[0] if module.scheduler_factory else optimizers
    before = weights(module)
    module.critic_step(on_critic, *next(module.minibatches(1)))
    between = weights(module)
    module.generator_step(on_generator)
    after = weights(module)
    for name in before:
        if "spectral" in name or name.endswith(".left"):
            continue  # power iteration moves with every pass
        of_critic = name.startswith("critic")
        if not of_critic:
            assert torch.equal(before[name], between[name]), name
        if of_critic:
            assert torch.equal(between[name], after[name]), name
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert any(n.startswith("critic") for n in moved)
    assert any(n.startswith("generator") for n in moved)
    assert all(p.requires_grad for n, p in module.named_parameters() if "_ema" not in n)


def test_critic_steps_per_iteration_and_warmup(tmp_path):
    module = segments(n_critic=3, warmup=4)
    steps, original = [], module.critic_step

    def counted(*step):
        steps.append(module.global_step)
        return original(*step)

    module.critic_step = counted
    trainer(tmp_path).fit(module)
    assert steps == [0] * 7 + [i for i in range(1, 6) for _ in range(3)]


def test_clipping_holds_whenever_the_generator_looks(tmp_path):
    module = segments(constraint=WeightClipping(0.03))
    seen, original = [], module.generator_step

    def looked(*step):
        seen.append(max(p.abs().max().item() for p in module.critic.parameters()))
        return original(*step)

    module.generator_step = looked
    trainer(tmp_path).fit(module)
    assert len(seen) == 6
    assert max(seen) <= 0.03 + 1e-9


@games
@pytest.mark.parametrize("at", [2, 4])
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")
def test_resume_is_bitwise_exact(make, at, tmp_path):
    whole, resumed = make(), make()
    trainer(tmp_path, every=2).fit(whole)
    checkpoints = tmp_path / "checkpoints"
    final = torch.load(checkpoints / "step=6.ckpt", weights_only=True)
    t = trainer(tmp_path, every=2)
    t.fit(resumed, ckpt_path=checkpoints / f"step={at}.ckpt", weights_only=True)
    assert t.global_step == 6
    assert_same(weights(whole), weights(resumed))
    for ours, theirs in zip(resumed.trainer.optimizers, final["optimizer_states"], strict=True):
        for key, state in ours.state_dict()["state"].items():
            for name, value in state.items():
                assert torch.equal(
                    torch.as_tensor(value), torch.as_tensor(theirs["state"][key][name])
                )
    for name, state in resumed.streams.state_dict().items():
        assert torch.equal(state["start"], final["streams"][name]["start"])
        assert state["position"] == final["streams"][name]["position"]


@games
def test_a_member_trains_the_same_alone_and_among_others(make, tmp_path):
    among, alone = make(seeds=(3, 8, 5)), make(seeds=(8,))
    trainer(tmp_path).fit(among)
    trainer(tmp_path).fit(alone)
    for (name, a), (_, b) in zip(among.named_parameters(), alone.named_parameters(), strict=True):
        torch.testing.assert_close(a[1], b[0], rtol=1e-4, atol=1e-6, msg=name)


def test_thetas_and_targets_may_differ_by_member(tmp_path):
    module = segments(
        target=ParallelSegments(torch.tensor([0.0, 5.0])),
        generator=partial(SegmentGenerator, theta=[1.0, 4.0]),
        constraint=SpectralNorm(),
        iterations=30,
    )
    trainer(tmp_path).fit(module)
    first, second = module.generator.theta.tolist()
    assert first < 1
    assert second > 4


@pytest.mark.filterwarnings("ignore:generator_optimizer. its learning rate is 0")
def test_the_critic_reaches_w1_against_a_frozen_generator(tmp_path):
    module = segments(
        constraint=SpectralNorm(),
        generator_optimizer=partial(SGD, lr=0.0),
        n_critic=400,
        iterations=1,
        batch_size=128,
        critic_optimizer=partial(Adam, lr=3e-3),
    )
    trainer(tmp_path).fit(module)
    module.critic.eval()
    real = module.target.draw(module.streams, 1000)
    fake = module.generator.draw(module.streams, 1000).detach()
    read = module.objective.estimate(module.scores(real), module.scores(fake)).value
    optimum = module.objective.value_at_optimum(module.target, module.generator.law())
    assert read.tolist() == pytest.approx(optimum.tolist(), rel=0.01)


@pytest.mark.parametrize("player", ["critic_optimizer", "generator_optimizer"])
def test_a_loss_that_explodes_stops_the_run_and_names_the_last_good_state(player, tmp_path):
    module = segments(
        VanillaGAN,
        objective=NonSaturating(),
        constraint=Unconstrained(),
        **{player: partial(SGD, lr=math.inf)},
        iterations=50,
    )
    t = trainer(tmp_path, every=1)
    where = r"iteration \d+: (critic|generator)[_ ](loss|weights) of member \d \(seed \d\)"
    with pytest.raises(NonFiniteLoss, match=where) as caught:
        t.fit(module)
    named = str(caught.value).split("checkpoint: ")[1].split(";")[0]
    if named != "none yet":
        state = torch.load(named, weights_only=True)["state_dict"]
        assert all(torch.isfinite(v).all() for v in state.values())


def test_before_the_first_checkpoint_there_is_none_to_name(tmp_path):
    module = segments(critic_optimizer=partial(SGD, lr=math.inf), iterations=3)
    with pytest.raises(NonFiniteLoss, match="none yet"):
        trainer(tmp_path).fit(module)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_critic": 0}, "n_critic = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"iterations": 0}, "iterations = 0"),
        ({"warmup": -1}, "warmup = -1"),
        ({"seeds": ()}, "seeds is empty"),
        ({"target": ParallelSegments(torch.zeros(3))}, "cannot serve 2 members"),
        ({"generator": partial(SegmentGenerator, theta=math.nan)}, "theta = nan"),
        ({"generator": partial(SegmentGenerator, theta=[1.0, 2.0, 3.0])}, "3"),
        ({"generator": partial(NoiseGenerator, latent=0)}, "latent = 0"),
        ({"generator": partial(NoiseGenerator, bits=-1)}, "bits = -1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_settings_are_named(settings, match):
    with pytest.raises(ValueError, match=match):
        segments(**settings)


@pytest.mark.parametrize("precision", ["16-mixed", "16-true"])
def test_float16_is_refused(precision):
    with pytest.raises(ValueError, match="use 32-true"):
        WGAN.check_precision(precision)


def test_float64_trains(tmp_path):
    module = segments()
    trainer(tmp_path, precision="64-true").fit(module)
    assert module.generator.theta.dtype == torch.float64


def test_the_module_is_a_lightning_module():
    assert isinstance(segments(), pl.LightningModule)


def test_the_averaged_generator_is_the_moving_average_of_the_live_one(tmp_path):
    module = ring(ema=0.75)
    seen, average = [[p.clone() for p in module.generator.parameters()]], module.average

    def kept():
        seen.append([p.detach().clone() for p in module.generator.parameters()])
        average()

    module.average = kept
    trainer(tmp_path).fit(module)
    expected = seen[0]
    for live in seen[1:]:
        expected = [0.75 * a + 0.25 * b for a, b in zip(expected, live, strict=True)]
    for ours, theirs in zip(module.generator_ema.parameters(), expected, strict=True):
        torch.testing.assert_close(ours.detach(), theirs.detach())
    assert not any(p.requires_grad for p in module.generator_ema.parameters())


def test_a_normalised_generator_is_averaged_with_its_running_moments():
    live = BatchNormMLP(Streams([0, 1]), 2, 2, hidden=(4,))
    average, points = deepcopy(live).requires_grad_(False), 5 + 3 * Streams([2, 3]).randn(50, 2)
    for _ in range(30):
        live(points)
    for _ in range(60):  # until nothing of the untrained network is left
        move_average(average, live, 0.5)
    assert not torch.equal(live[1].running_mean, torch.zeros(2, 4))
    torch.testing.assert_close(average.eval()(points), live.eval()(points))


def test_both_players_follow_the_schedule_once_per_iteration(tmp_path):
    module = ring(n_critic=3, scheduler=partial(ConstantThenLinear, iterations=6, last=0.1))
    t = trainer(tmp_path)
    t.fit(module)
    start = [1e-3, 0.01]
    assert [o.param_groups[0]["lr"] for o in t.optimizers] == pytest.approx(
        [0.1 * rate for rate in start]
    )


def test_nonsense_is_refused_before_anything_is_built():
    with pytest.raises(ValueError, match="Wasserstein with Unconstrained"):
        segments(constraint=Unconstrained())
    with pytest.raises(ValueError, match="ema = 1"):
        ring(ema=1.0)
    assert Wasserstein().needs_slope


def test_coins_are_fair_and_apart_from_the_normal_noise():
    streams = Streams([0, 1])
    noise = NoiseGenerator(streams, 2, latent=3, bits=4).noise(streams, 20000)
    normal, coins = noise.split([3, 4], dim=-1)
    patterns = ((coins + 1) / 2 * torch.tensor([1, 2, 4, 8])).sum(-1).long()
    for member in range(2):
        counts = patterns[member].bincount(minlength=16)
        assert stats.chisquare(counts).pvalue > 1e-4
        assert stats.kstest(normal[member].flatten(), "norm").pvalue > 1e-4
        together = torch.corrcoef(noise[member].T) - torch.eye(7)
        assert together.abs().max() < 5 / 20000**0.5


def test_samples_of_more_points_than_are_made_at_a_time_are_whole(monkeypatch):
    module = ring()
    monkeypatch.setattr("gans.generator_module.PART", 4)
    points = module.sample(10)
    assert points.shape == (len(module.seeds), 10, 2)
    assert len(points.reshape(-1, 2).unique(dim=0)) == 10 * len(module.seeds)
