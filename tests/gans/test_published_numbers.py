"""Defaults that a published number depends on, beside their source."""

import inspect
from functools import partial

import pytest
import torch
from torch.optim import Adam, RMSprop

from divergences import GradientPenalty, LipschitzPenalty, WeightClipping
from gans import discriminator_regularisers as regularisers
from gans import targets
from gans.callbacks import Coverage, Divergences
from gans.mode_coverage import perfect_share
from gans.mode_metrics import ModeCoverage
from gans.modules import WGAN, AdversarialModule, VanillaGAN
from gans.networks import generators
from gans.targets import Ball, Box, Funnels, OneFunnel, Shifted

DEFAULTS = [
    (targets.Ring, {"radius": 1.0, "scale": 0.01, "modes": 8, "weights": None}),  # PacGAN 4.1
    (targets.Grid, {"spacing": 2.0, "scale": 0.05, "side": 5, "weights": None}),  # PacGAN 4.1
    (targets.SwissRoll, {"scale": 0.25 / 7.5}),  # WGAN-GP, the authors' toy code
    (targets.TwoMoons, {"scale": 0.1}),  # FFJORD's toy data
    (targets.Circles, {"inner": 0.5, "scale": 0.08}),  # FFJORD's toy data
    (targets.Pinwheel, {"radial": 0.3, "tangential": 0.1, "rate": 0.25, "blades": 5}),
    (targets.Checkerboard, {"width": 8.0, "side": 4}),  # FFJORD's toy data
    (targets.SubspaceModes, {"modes": 10, "latent": 700, "dimension": 1200, "seed": 0}),  # VEEGAN
    (targets.SubspaceModes, {"spread": 1.0, "scale": 0.1}),
    (Funnels, {"half_side": 2.5, "power": 8.0}),  # Korotin et al.
    (Funnels.drawn, {"half_side": 2.5}),
    (OneFunnel, {"radius": 2.5, "power": 8.0}),
    (targets.Gaussian, {"loc": 0.0, "scale": 1.0}),
    (targets.ImageDensity, {"height": 2.0, "dark": True}),
    (ModeCoverage, {"within": 3.0, "at_least": (1, 20), "enough": 20}),  # PacGAN 4.1
    (perfect_share, {"within": 3.0}),
    (Coverage, {"every": None, "n": 2500}),  # PacGAN 4.1 for n
    (Divergences, {"every": None, "n": 256}),
    (WeightClipping, {"c": 0.01}),  # WGAN, Algorithm 1
    (GradientPenalty, {"weight": 10.0}),  # WGAN-GP, Algorithm 1
    (LipschitzPenalty, {"weight": 10.0}),
    (regularisers.R1, {"weight": 0.1}),
    (regularisers.R2, {"weight": 0.1}),
    (regularisers.DRAGAN, {"weight": 10.0, "scale": 0.1}),
    (regularisers.GradientClipping, {"most": 1.0}),
    (WGAN, {"n_critic": 5}),  # WGAN, Algorithm 1
    (
        AdversarialModule,
        {"n_critic": 1},
    ),  # of VanillaGAN; Goodfellow et al., Algorithm 1 with k = 1
    (generators.NoiseGenerator, {"latent": 2, "hidden": (128, 128), "bits": 0}),
]


@pytest.mark.parametrize(
    ("made", "defaults"), DEFAULTS, ids=[f"{k}-{m.__name__}" for k, (m, _) in enumerate(DEFAULTS)]
)
def test_defaults_are_those_of_the_source(made, defaults):
    parameters = inspect.signature(made).parameters
    assert {name: parameters[name].default for name in defaults} == defaults


@pytest.mark.parametrize(
    ("game", "kind", "settings"),
    [
        (WGAN, RMSprop, {"lr": 5e-5}),  # WGAN, Algorithm 1
        (AdversarialModule, Adam, {"lr": 2e-4, "betas": (0.5, 0.999)}),  # of VanillaGAN; DCGAN
    ],
)
@pytest.mark.parametrize("player", ["generator_optimizer", "critic_optimizer"])
def test_both_players_optimizers_are_those_of_the_source(game, kind, settings, player):
    made = inspect.signature(game).parameters[player].default
    assert isinstance(made, partial)
    assert made.func is kind
    assert {name: made.keywords[name] for name in settings} == settings
    assert not {player, "n_critic"} & {*inspect.signature(VanillaGAN).parameters}
    assert isinstance(WGAN(targets.Ring()).constraint, WeightClipping)


@pytest.mark.parametrize("n", [2, 1000, 2**13, 2**13 + 1, 3 * 2**13 - 5])
def test_measured_w1_is_the_mean_over_so_many_moves(n):
    """A shift moves every point alike; a ball's lengths are R (t - t^p) with t^D uniform."""
    shifted = Shifted(Box([1.0, 0.5]), [3.0, 4.0]).measured_w1(n)
    assert shifted.value.item() == pytest.approx(5.0)
    assert shifted.stderr.item() == pytest.approx(0.0, abs=1e-6)
    pair = OneFunnel(3, radius=2.0, power=4.0)
    found = pair.measured_w1(n, seed=1)
    assert found.n == (n, n)
    assert found.bound == "exact"

    def moment(k):
        return 3 / (3 + k)

    sd = 2 * (moment(2) - 2 * moment(5) + moment(8) - (moment(1) - moment(4)) ** 2) ** 0.5
    assert abs(found.value.item() - pair.w1) < 5 * sd / n**0.5
    if n > 100:
        assert found.stderr.item() == pytest.approx(sd / n**0.5, rel=0.15)


def test_measured_w1_draws_every_move_once(monkeypatch):
    pair, asked = OneFunnel(2), []
    monkeypatch.setattr(
        type(pair),
        "paired",
        lambda self, streams, n: asked.append(n) or (torch.zeros(1, n, 2), SimpleMove(n)),
    )
    found = pair.measured_w1(2**13 + 100)
    assert asked == [2**13, 100]
    assert found.value.item() == pytest.approx((2**13 * 1 + 100 * 7) / (2**13 + 100))
    assert inspect.signature(pair.measured_w1).parameters["n"].default == 2**16


class SimpleMove:
    """Moves of length 1 in a full block, of length 7 in the rest."""

    def __init__(self, n):
        self.x = torch.tensor([1.0 if n == 2**13 else 7.0, 0.0]).expand(1, n, 2)


@pytest.mark.parametrize("d", [1, 2, 3, 7])
def test_moments_of_boxes_and_balls(d):
    """h^2 / 3 a side; R^2 / (D + 2) a coordinate."""
    sides = torch.arange(1.0, d + 1)
    assert Box(sides).variance.tolist() == pytest.approx([h * h / 3 for h in range(1, d + 1)])
    assert Ball(3.0, d).variance.tolist() == pytest.approx([9 / (d + 2)] * d)
    assert not Ball(3.0, d).mean.any()
    assert not Box(sides).mean.any()


def test_a_pinwheel_has_three_blades_at_least_and_a_box_may_be_flat():
    assert targets.Pinwheel(blades=3).blades == 3
    assert Box([1, 0]).half_sides.dtype == torch.get_default_dtype()
    assert Box([1.0, 0.0]).half_sides.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"half_sides of shape \(0,\); give one number"):
        Box([])
    with pytest.raises(ValueError, match=r"half_sides of shape \(2, 1\)"):
        Box([[1.0], [2.0]])
    assert Ball(2.0, 2).log_prob(torch.tensor([2.0, 0.0])).isfinite()
    assert Box([2.0]).log_prob(torch.tensor([2.0])).isfinite()
