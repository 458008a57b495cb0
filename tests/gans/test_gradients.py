"""Compiled programs against autograd, and what they refuse."""

from functools import partial

import pytest
import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException
from torch.nn.utils import parameters_to_vector
from torch.optim import Adam

from divergences import MLP, GradientPenalty, SpectralNorm
from gans.discriminator_regularisers import DRAGAN, R1, R2, Annealed, Combined, GradientClipping
from gans.gradients import Autograd, Compiled
from gans.modules import WGAN, VanillaGAN
from gans.networks import Packed
from gans.objectives import Hinge, NonSaturating, Relativistic
from tests.small_games import ring, trainer

BOTH = Combined([R1(0.1), R2(0.1)])
TANH = partial(MLP, hidden=(8, 8), activation=nn.Tanh)
GAMES = {
    "WGAN-GP": partial(WGAN, constraint=GradientPenalty(10.0)),
    "relativistic, R1 + R2": partial(VanillaGAN, objective=Relativistic(), constraint=BOTH),
    "WGAN, clipped": WGAN,
    "WGAN-GP, tanh": partial(WGAN, constraint=GradientPenalty(1.0), critic=TANH),
    "DRAGAN": partial(VanillaGAN, objective=NonSaturating(), constraint=DRAGAN()),
    "hinge, gradients clipped, packed": partial(
        VanillaGAN,
        objective=Hinge(),
        constraint=GradientClipping(0.1),
        critic=partial(Packed, pack=2, network=partial(MLP, hidden=(8,))),
    ),
}
QUICK = {"WGAN-GP", "relativistic, R1 + R2"}
# fused optimizers, that are particular about the layout of gradients; rates at which a wrong one
# shows within a few steps
ADAM = partial(Adam, lr=1e-2, betas=(0.5, 0.9), fused=True)


def play(folder, game, **settings):
    settings = {"critic_optimizer": ADAM, "generator_optimizer": ADAM, "iterations": 10} | settings
    module = ring(game, **settings)
    trainer(folder, precision="64-true").fit(module)
    return module


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in GAMES]
)
def test_a_compiled_run_is_the_plain_one_to_rounding(tmp_path, name):
    plain, compiled = (play(tmp_path, GAMES[name], compile_from=n) for n in (None, 0))
    assert isinstance(compiled.critic_gradients, Compiled)
    for (parameter, a), b in zip(plain.named_parameters(), compiled.parameters(), strict=True):
        # Adam makes a step of the rounding of a gradient that is 0, as a WGAN's last bias has it
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-8, msg=parameter)
    start = ring(GAMES[name])
    for before, after in ((start.critic, plain.critic), (start.generator, plain.generator)):
        a, b = (parameters_to_vector(network.parameters()) for network in (before, after))
        assert (a - b).abs().mean() > 1e-2


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")
@pytest.mark.parametrize("compile_from", [None, 0])
def test_a_run_in_double_precision_is_resumed_bit_for_bit(tmp_path, compile_from):
    game = partial(ring, GAMES["WGAN-GP"], iterations=6, compile_from=compile_from)
    whole, resumed = game(), game()
    trainer(tmp_path, every=2, precision="64-true").fit(whole)
    halfway = tmp_path / "checkpoints" / "step=4.ckpt"
    trainer(tmp_path, every=2, precision="64-true").fit(
        resumed, ckpt_path=halfway, weights_only=True
    )
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.slow
def test_a_member_of_a_compiled_run_is_the_same_alone_and_among_others(tmp_path):
    among, alone = (
        play(tmp_path, GAMES["WGAN-GP"], compile_from=0, seeds=s) for s in ((3, 8, 5), (8,))
    )
    for (name, a), b in zip(among.named_parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(a[1], b[0], rtol=1e-9, atol=1e-8, msg=name)


def test_short_runs_are_not_compiled():
    for steps, kind in ((20, Compiled), (21, Autograd)):
        module = ring(iterations=10, n_critic=2, compile_from=steps)
        assert isinstance(module.critic_gradients, kind)
        assert isinstance(module.generator_gradients, kind)
    with pytest.raises(ValueError, match="compile_from = -1"):
        ring(compile_from=-1)


def test_what_changes_a_buffer_is_not_compiled(tmp_path):
    with pytest.raises(ValueError, match="left"):
        play(tmp_path, VanillaGAN, constraint=SpectralNorm(), compile_from=0)


@pytest.mark.slow
def test_a_penalty_falls_in_a_compiled_run_as_in_any_other(tmp_path):
    annealed = partial(Annealed, R1(10.0), last=1e-3, steps=12, start=0.0, end=1.0)
    first, second = (
        play(tmp_path, VanillaGAN, constraint=annealed(), compile_from=c) for c in (None, 0)
    )
    assert int(first.critic.annealed) == int(second.critic.annealed) > 0
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12, msg=name)


def test_a_failure_to_compile_says_what_to_do(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise TorchDynamoException("no compiler\nand so on")

    module = ring(compile_from=0)
    monkeypatch.setattr(module.critic_gradients, "program", fail)
    with pytest.raises(RuntimeError, match=r"^compile_from: MLP .* leave it out: no compiler$"):
        trainer(tmp_path).fit(module)


def test_a_generator_step_differentiates_by_the_generators_weights_alone():
    module = ring()
    noise = module.generator.noise(module.streams, 16).requires_grad_()
    module.generator_gradients(module.streams, noise)
    assert noise.grad is None
    assert all(p.grad is None for p in module.critic.parameters())
    assert all(p.grad is not None for p in module.generator.parameters())
