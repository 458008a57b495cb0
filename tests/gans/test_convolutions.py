"""Convolutional players: torch's own layers as oracle, members apart, constraints kept."""

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from divergences import (
    GradientPenalty,
    LipschitzPenalty,
    MaxMin,
    Orthogonal,
    SpectralNorm,
    Streams,
    WeightClipping,
)
from divergences.networks.slopes import input_gradient
from gans import (
    DRAGAN,
    FGAN,
    R1,
    R2,
    WGAN,
    Alpha,
    ChannelNorm,
    Combined,
    Convolutions,
    Hinge,
    Images,
    LabelledGenerator,
    LeastSquares,
    NoiseGenerator,
    NonSaturating,
    PointNorm,
    Relativistic,
    Saturating,
    UpConvolutions,
    VanillaGAN,
)
from gans.networks.convolutions import OVERLAP, Convolution, UpConvolution
from gans.networks.published_layers import BatchNorm

SEEDS = [3, 4, 5]
PICTURES = np.random.default_rng(0).integers(0, 17, (40, 4, 8))
SHAPE = (1, 4, 8)
CRITIC = partial(Convolutions, shape=SHAPE, hidden=(4, 6))
GENERATOR = partial(
    NoiseGenerator, latent=5, hidden=(6, 4), network=partial(UpConvolutions, shape=SHAPE)
)


def game(objective=None, constraint=None, seeds=SEEDS, iterations=2, **settings):
    settings = {"generator": GENERATOR, "critic": CRITIC, "batch_size": 8} | settings
    kind = partial(VanillaGAN, objective=objective) if objective else WGAN
    target = settings.pop("target", Images(PICTURES, levels=17))
    return kind(
        target=target, constraint=constraint, seeds=seeds, iterations=iterations, **settings
    )


def trained(*args, **settings):
    module = game(*args, **settings)
    pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(module)  # fmt: skip
    return module


def test_each_member_is_a_convolution_of_torch():
    ours = Convolution(2, 3, Streams(SEEDS)).double()
    up = UpConvolution(2, 3, Streams(SEEDS)).double()
    maps = torch.randn(7, 3, 2, 6, 4, dtype=torch.float64)
    for k in range(3):
        theirs = nn.Conv2d(2, 3, 4, 2, 1, dtype=torch.float64)
        theirs.weight.data = ours.patches.weight[k].T.reshape(3, 2, 4, 4) / OVERLAP
        theirs.bias.data = ours.patches.bias[k, 0]
        torch.testing.assert_close(ours(maps)[:, k], theirs(maps[:, k]))
        transposed = nn.ConvTranspose2d(2, 3, 4, 2, 1, dtype=torch.float64)
        transposed.weight.data = up.weight[k].reshape(2, 3, 4, 4)
        transposed.bias.data = up.bias[k]
        torch.testing.assert_close(up(maps)[:, k], transposed(maps[:, k]))


def test_first_weights_are_as_steep_as_those_of_torch():
    ours = Convolution(8, 200, Streams([0])).patches.weight.detach() / OVERLAP
    theirs = nn.Conv2d(8, 200, 4).weight.detach()
    assert float(ours.std() / theirs.std()) == pytest.approx(1, abs=0.03)


def operator_norm(critic, points):
    """Largest singular value of the affine map that a critic without nonlinearities is."""
    jacobian = torch.autograd.functional.jacobian(lambda x: critic(x[None])[0], points)
    return torch.linalg.matrix_norm(jacobian.flatten(0, 1).flatten(1), ord=2)


@pytest.mark.parametrize("channels", [2, 50])
def test_first_maps_are_as_large_as_those_they_are_made_of(channels):
    """Each pixel is a sum of as many products as weights are scaled for: a variance of 1/3."""
    maps = torch.randn(200, 3, channels, 4, 4)
    made = UpConvolution(channels, 4, Streams([0, 1, 2]))(maps)
    assert 0.2 < made[..., 1:-1, 1:-1].detach().var() < 0.6


@pytest.mark.parametrize("constraint", [SpectralNorm(), Orthogonal()], ids=["spectral", "ortho"])
def test_no_layer_is_steeper_than_its_matrix(constraint):
    critic = Convolutions(
        Streams([0]), 32, 5, SHAPE, hidden=(6, 8), activation=nn.Identity
    ).double()
    constraint.parametrize(critic)
    critic.eval()
    assert 0.05 < operator_norm(critic, torch.zeros(1, 32, dtype=torch.float64)) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("constraint", "activation"), [(SpectralNorm, nn.LeakyReLU), (Orthogonal, MaxMin)]
)
def test_a_certified_critic_is_never_steeper_than_one_after_training(constraint, activation):
    critic = partial(CRITIC, activation=activation)
    module = trained(constraint=constraint(), critic=critic, iterations=3)
    module.eval()
    points = 3 * torch.randn(3, 200, 32, generator=torch.Generator().manual_seed(0))
    assert input_gradient(module.critic, points).norm(dim=-1).max() <= 1 + 1e-5


GAMES = {
    "saturating": (Saturating(), None),
    "non-saturating, R1": (NonSaturating(), R1()),
    "least squares": (LeastSquares(), None),
    "hinge, spectral": (Hinge(), SpectralNorm()),
    "f-GAN": (FGAN(), None),
    "alpha, DRAGAN": (Alpha(0.5), DRAGAN()),
    "relativistic, R1 + R2": (Relativistic(), Combined([R1(), R2()])),
    "WGAN-LP": (None, LipschitzPenalty()),
    "WGAN-GP": (None, GradientPenalty()),
    "clipping": (None, WeightClipping()),
    "orthogonal": (None, Orthogonal()),
}


@pytest.mark.parametrize(("objective", "constraint"), GAMES.values(), ids=GAMES)
def test_every_game_is_played_and_no_member_depends_on_its_neighbours(objective, constraint):
    together = trained(objective, constraint)
    alone = trained(objective, constraint, seeds=[SEEDS[1]])
    other = trained(objective, constraint, seeds=[8, SEEDS[1], 9])
    assert torch.isfinite(torch.stack([*together.last.values()])).all()
    noise = torch.randn(1, 6, 5, generator=torch.Generator().manual_seed(0))
    member = together.generator(noise.expand(3, -1, -1))[1]
    torch.testing.assert_close(member, other.generator(noise.expand(3, -1, -1))[1])
    torch.testing.assert_close(member, alone.generator(noise)[0], rtol=1e-3, atol=1e-4)
    assert not torch.equal(member, together.generator(noise.expand(3, -1, -1))[0])


@pytest.mark.parametrize(
    ("constraint", "normalisation", "match"),
    [
        (LipschitzPenalty(), ChannelNorm, "LipschitzPenalty: with the BatchNorm in it"),
        (Combined([R1(), R2()]), ChannelNorm, "R1: with the BatchNorm in it"),
        (DRAGAN(), ChannelNorm, "no slope of its own to be penalised"),
        (SpectralNorm(), PointNorm, "the PointNorm in a Convolutions would not be constrained"),
        (Orthogonal(), PointNorm, "its slope has no bound"),
    ],
)
def test_normalisations_that_do_not_go_with_a_constraint_are_refused(
    constraint, normalisation, match
):
    with pytest.raises(ValueError, match=match):
        game(Hinge(), constraint, critic=partial(CRITIC, normalisation=normalisation))


def test_batch_normalisation_of_torch_is_refused_under_a_penalty():
    critic = nn.Sequential(nn.Linear(32, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    with pytest.raises(ValueError, match="GradientPenalty: with the BatchNorm1d in it"):
        game(constraint=GradientPenalty(), critic=critic, seeds=[0])


def test_a_penalty_goes_with_a_normalisation_of_each_point_by_itself():
    critic = partial(CRITIC, normalisation=PointNorm)
    module = trained(constraint=LipschitzPenalty(), critic=critic)
    points = torch.randn(3, 6, 32)
    whole, part = module.scores(points), module.scores(points[:, :2])
    torch.testing.assert_close(whole[:, :2], part)


def test_a_norm_of_maps_is_that_of_torch():
    maps = 5 + 3 * torch.randn(7, 2, 3, 4, 5)
    for k in range(2):
        theirs = nn.BatchNorm2d(3)
        torch.testing.assert_close(
            ChannelNorm(3, Streams([0, 1]))(maps)[:, k], theirs(maps[:, k]), rtol=1e-4, atol=1e-5
        )
        theirs = nn.GroupNorm(1, 3)
        torch.testing.assert_close(PointNorm(3, Streams([0, 1]))(maps)[:, k], theirs(maps[:, k]))
    assert BatchNorm.mixes_points


def test_what_stands_behind_the_pixels_lengthens_no_difference():
    critic = Convolutions(Streams([0]), 35, 1, SHAPE, (4,), activation=nn.Identity).double()
    Orthogonal().parametrize(critic)
    assert operator_norm(critic, torch.zeros(1, 35, dtype=torch.float64)) <= 1 + 1e-6
    x = torch.zeros(1, 2, 35, dtype=torch.float64)
    x[0, 1, 34] = 1
    a, b = critic(x)[0]
    assert a != b


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda s: Convolutions(s, 30, 1, SHAPE), r"\(1, 4, 8\) are 32 numbers, and points have"),
        (lambda s: Convolutions(s, 32, 1, SHAPE, (4, 4, 4)), "4 pixels cannot be halved 3 times"),
        (lambda s: Convolutions(s, 32, 1, (4, 8)), "give channels, rows and columns"),
        (lambda s: UpConvolutions(s, 5, 30, (4,), SHAPE), "points have 30"),
        (lambda s: UpConvolutions(s, 5, 32, (), SHAPE), "hidden is empty"),
        (lambda s: LabelledGenerator(s, 10, 10, 3.0), "no room for 10 classes"),
        (lambda s: LabelledGenerator(s, 12, 2, 3.0, weights=[1.0]), "1 for 2 classes"),
        (lambda s: LabelledGenerator(s, 12, 2, -1.0), "label_scale = -1"),
    ],
)
def test_networks_that_do_not_fit_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make(Streams([0]))


def test_a_labelled_generator_makes_points_like_the_targets():
    target = Images(PICTURES, np.arange(40) % 4, levels=17, label_scale=3.0)
    network = partial(UpConvolutions, shape=SHAPE)
    generator = partial(
        LabelledGenerator, classes=4, label_scale=3.0, hidden=(6, 4), network=network
    )
    module = trained(constraint=LipschitzPenalty(), target=target, generator=generator)
    fake, real = module.generator.draw(module.streams, 400), target.draw(module.streams, 400)
    assert fake.shape == real.shape == (3, 400, 36)
    behind = [x[..., 32:].flatten(0, 1).unique(dim=0) for x in (fake, real)]
    torch.testing.assert_close(*behind)
    counts = fake[..., 32:].argmax(-1).flatten().bincount()
    assert ((counts - 300).abs() < 5 * 300**0.5).all()


def test_classes_come_as_often_as_their_weights_say():
    generator = LabelledGenerator(Streams([0]), 40, 3, 1.0, weights=[1.0, 0.5, 2.5])
    label = generator.noise(Streams([0]), 8000)[0, :, -3:].argmax(-1)
    expected = torch.tensor([2000.0, 1000.0, 5000.0])
    assert ((label.bincount() - expected).abs() < 5 * expected.sqrt()).all()
