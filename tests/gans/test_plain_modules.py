"""Torch modules without a member axis as generator and critic."""

import random
import sys
import warnings
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.optim import LBFGS, SGD

from divergences import MLP, LipschitzPenalty, Streams
from gans import (
    R1,
    WGAN,
    Gaussian,
    GradientClipping,
    NoiseGenerator,
    PlainCritic,
    PlainGenerator,
    Ring,
    VanillaGAN,
)
from gans.cli.train import main
from tests.small_games import trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
]


def plain(network):
    torch.manual_seed(0)
    network.layer.reset_parameters()
    return partial(PlainGenerator, network=network, latent=3)


def dropping():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 8), nn.Dropout(), nn.Linear(8, 1))


def networks(tail=()):
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    return generator, nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1), *tail)


def game(kind=VanillaGAN, tail=(), **settings):
    generator, critic = networks(tail)
    settings = {"generator": generator, "critic": critic, "iterations": 4} | settings
    return kind(Ring(), batch_size=16, **settings)


def with_member_axis(critic):
    """The same network as an MLP of one member."""
    ours = MLP(Streams([0]), 2, 1, hidden=(8,))
    with torch.no_grad():
        for mine, other in zip((ours[0], ours[2]), (critic[0], critic[2]), strict=True):
            mine.weight.copy_(other.weight.T[None])
            mine.bias.copy_(other.bias[None, None])
    return ours


def old_spectral_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older one
        layer = nn.utils.spectral_norm(layer)
    layer(torch.zeros(1, 3))  # its weight is a result from now on
    return layer


@pytest.mark.parametrize("make", [partial(SGD, lr=0.1, maximize=True), LBFGS])
def test_optimizers_that_do_something_else_are_refused(make):
    for name in ("generator_optimizer", "critic_optimizer"):
        module = game(**{name: make})
        with pytest.raises(ValueError, match=rf"{name}: (SGD|LBFGS) "):
            module.configure_optimizers()


class Noisy(nn.Module):
    """A network whose points are moved by random numbers of torch, NumPy or Python."""

    def __init__(self, draw):
        super().__init__()
        self.layer, self.draw = nn.Linear(3, 2), draw

    def forward(self, noise):
        return self.layer(noise) + 0.3 * self.draw(len(noise))


@pytest.mark.parametrize(
    "draw",
    [
        lambda n: torch.randn(n, 2),
        lambda n: torch.from_numpy(np.random.randn(n, 2)).float(),  # noqa: NPY002  # as users do
        lambda n: random.gauss(0, 1),
        lambda n: nn.functional.dropout(torch.ones(n, 2)),
    ],
    ids=["torch", "NumPy", "Python", "dropout"],
)
def test_a_network_that_draws_by_itself_is_resumed_bit_for_bit(draw, tmp_path):
    whole, resumed = (game(generator=plain(Noisy(draw)), critic=dropping()) for _ in range(2))
    trainer(tmp_path, every=2).fit(whole)
    for seed in (torch.manual_seed, np.random.seed, random.seed):  # as in another process
        seed(99)
    path = tmp_path / "checkpoints" / "step=2.ckpt"
    trainer(tmp_path, every=2).fit(resumed, ckpt_path=path, weights_only=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


SGD_OF_1 = partial(SGD, lr=0.1)
CASES = {
    "GAN": {},
    "WGAN-LP": {"kind": WGAN, "constraint": LipschitzPenalty()},
    "clipped": {"kind": WGAN},
    "R1": {"constraint": R1(1.0)},
    "clipped gradients": {"constraint": GradientClipping(0.01)},
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_a_plain_critic_is_trained_as_one_with_a_member_axis(settings, tmp_path):
    optimizers = {"generator_optimizer": SGD_OF_1, "critic_optimizer": SGD_OF_1}
    plain = game(**settings, **optimizers)
    ours = game(**settings, **optimizers)
    made = with_member_axis(ours.critic.network)
    ours = game(**settings, **optimizers, critic=lambda *_: made)
    for module in (plain, ours):
        trainer(tmp_path, precision="64-true").fit(module)
    for layer in (0, 2):
        weight, expected = plain.critic.network[layer].weight, ours.critic[layer].weight[0].T
        torch.testing.assert_close(weight, expected, rtol=1e-9, atol=1e-12)


def test_scores_may_lack_the_last_axis(tmp_path):
    flat, column = game(tail=[nn.Flatten(0)]), game()
    for module in (flat, column):
        trainer(tmp_path).fit(module)
    for a, b in zip(flat.parameters(), column.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_network_itself_is_trained_and_a_resumed_run_ends_where_the_other_did(tmp_path):
    whole, resumed = game(ema=0.9), game(ema=0.9)
    network = whole.generator.network
    before = network[0].weight.detach().clone()
    trainer(tmp_path, every=2).fit(whole)
    assert not torch.equal(network[0].weight, before)
    path = tmp_path / "checkpoints" / "step=2.ckpt"
    trainer(tmp_path, every=2).fit(resumed, ckpt_path=path, weights_only=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_first_evaluation_changes_nothing():
    critic = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))
    critic[2].eval()
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    PlainCritic(Streams([0]), 2, 1, critic)
    assert all(torch.equal(before[name], value) for name, value in critic.state_dict().items())
    assert [part.training for part in critic] == [True, True, False, True]


WRONG = {
    "two members": ({"seeds": [0, 1]}, ValueError, "serves one member, and there are 2 seeds"),
    "dimension": ({"critic": nn.Linear(3, 1)}, ValueError, r"Linear cannot take points of shape"),
    "scores": (
        {"critic": nn.Linear(2, 3)},
        ValueError,
        r"PlainCritic: Linear makes \(2, 3\) of 2 points; it must be \(2, 1\)",
    ),
    "points": ({"generator": nn.Linear(2, 3)}, ValueError, r"PlainGenerator: Linear makes"),
    "no width": ({"generator": nn.ReLU()}, ValueError, "its noise has no known dimension"),
    "frozen": (
        {"generator": nn.Linear(3, 2).requires_grad_(False)},
        ValueError,
        "has 2 parameters and none that learns",
    ),
    "a hook's weights": (
        {"generator": nn.Sequential(old_spectral_norm(nn.Linear(3, 2))), "ema": 0.9},
        ValueError,
        r"ema = 0.9: the generator cannot be copied .* torch.nn.utils.parametrizations",
    ),
    "made already": (
        {"generator": NoiseGenerator(Streams([0]), 2)},
        TypeError,
        r"give what makes it, as functools\.partial\(NoiseGenerator",
    ),
}


@pytest.mark.parametrize(("settings", "kind", "match"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_by_name(settings, kind, match):
    with pytest.raises(kind, match=match):
        game(**settings)


def test_layers_are_put_in_sequence():
    layers = [nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)]
    critic = PlainCritic(Streams([0]), 2, 1, layers)
    x = torch.randn(1, 5, 2)
    assert torch.equal(critic(x)[0], nn.Sequential(*layers)(x[0]))
    generator = partial(PlainGenerator, network=nn.Linear(4, 1), latent=4)
    module = VanillaGAN(Gaussian(0.0, 1.0), generator=generator, critic=nn.Linear(1, 1))
    assert module.generator.draw(module.streams, 6).shape == (1, 6, 1)


def test_a_configuration_names_a_module_of_the_users_own(tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(
        "from torch import nn\n"
        "class Score(nn.Sequential):\n"
        "    def __init__(self, width: int = 4):\n"
        "        super().__init__(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 1))\n"
    )
    network = {"class_path": "my_networks.Score", "init_args": {"width": 5}}
    critic = {"class_path": "gans.PlainCritic", "init_args": {"network": network}}
    settings = {"target": {"class_path": "gans.Ring"}, "critic": critic, "iterations": 2}
    config = {"model": {"class_path": "gans.VanillaGAN", "init_args": settings}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["train"])
    main(["fit", "--config=mine.yaml", "--out=run", "--allow-import=my_networks",
          "--divergences.n=16", "--pictures=null", "--coverage=null"])  # fmt: skip
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["state_dict"]["critic.network.0.weight"].shape == (5, 2)


def test_a_configuration_lists_layers_of_torch(tmp_path, monkeypatch):
    sizes = [{"in_features": 3, "out_features": 5}, {"in_features": 5, "out_features": 2}]
    first, last = ({"class_path": "torch.nn.Linear", "init_args": size} for size in sizes)
    layers = [first, {"class_path": "torch.nn.Dropout"}, {"class_path": "torch.nn.ReLU"}, last]
    made = {"class_path": "gans.PlainGenerator", "init_args": {"latent": 3, "network": layers}}
    settings = {"target": {"class_path": "gans.Ring"}, "generator": made, "iterations": 2}
    config = {"model": {"class_path": "gans.VanillaGAN", "init_args": settings}}
    (tmp_path / "layers.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])
    main(["fit", "--config=layers.yaml", "--out=run", "--divergences.n=16", "--pictures=null",
          "--coverage=null"])  # fmt: skip
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["state_dict"]["generator.network.3.weight"].shape == (2, 5)
