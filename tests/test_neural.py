import math
from functools import partial

import pytest
import torch
from torch.optim import Adam

from divergences import Critic, Discriminator, Streams, WeightClipping
from divergences.lipschitz import LipschitzPenalty, input_gradient
from divergences.neural import Empirical
from gans.targets import Gaussian, ParallelSegments

SMALL = {"hidden": (32, 32), "batch": 128, "optimizer": partial(Adam, lr=3e-3), "cooldown": 0.5}
LOG2 = math.log(2)


def test_discriminator_finds_js_of_two_gaussians():
    """JS of N(0,1) and N(1,1) is .111419, of N(0,1) and N(3,1) .526783, by quadrature."""
    q = Gaussian(torch.tensor([1.0, 1.0, 3.0, 3.0]))
    estimate = (
        Discriminator(steps=600, **SMALL).fit(Gaussian(), q, range(4)).held_out(Gaussian(), q)
    )
    truth = torch.tensor([0.111419, 0.111419, 0.526783, 0.526783])
    assert ((estimate.value - truth).abs() < 4 * estimate.stderr + 2e-3).all()
    assert (estimate.value < truth + 4 * estimate.stderr).all()


def test_discriminator_approaches_the_log_density_ratio():
    q = Gaussian(1.0)
    fit = Discriminator(steps=600, **SMALL).fit(Gaussian(), q, [0, 1])
    x = torch.linspace(-1.5, 2.5, 50)[None, :, None].expand(2, 50, 1)
    d = torch.sigmoid(fit.scores(x))
    assert (d - torch.sigmoid(0.5 - x[..., 0])).abs().max() < 0.05


@pytest.mark.parametrize("theta", [0.5, -0.01])
def test_a_whitened_discriminator_reads_log_2_at_any_distance(theta):
    home, away = ParallelSegments(0.0), ParallelSegments(theta)
    estimate = Discriminator(steps=300, **SMALL).fit(home, away, [0]).held_out(home, away)
    assert 0 < LOG2 - float(estimate) < 5e-3


def test_raw_inputs_are_the_trap_that_whitening_avoids():
    home, away = ParallelSegments(0.0), ParallelSegments(0.001)
    raw = Discriminator(steps=300, whiten=False, **SMALL).fit(home, away, [0])
    assert float(raw.held_out(home, away)) < 0.1


def test_a_spectrally_normalised_critic_reads_w1_and_points_home():
    home, away = ParallelSegments(0.0), ParallelSegments(torch.tensor([0.5, -0.2]))
    fit = Critic(steps=400, **SMALL).fit(home, away, [0, 1])
    estimate = fit.held_out(home, away)
    assert estimate.value.tolist() == pytest.approx([0.5, 0.2], rel=0.01)
    gradient = input_gradient(fit.network, away.draw(Streams([0, 1], "test"), 64))[..., 0]
    assert gradient.mean(1).tolist() == pytest.approx([-1, 1], rel=0.02)


def test_a_penalised_critic_overshoots_by_the_law():
    home, away = ParallelSegments(0.0), ParallelSegments(1.0)
    critic = Critic(steps=500, constraint=LipschitzPenalty(1.0), **SMALL)
    assert float(critic.fit(home, away, [0]).held_out(home, away)) == pytest.approx(1.5, rel=0.02)


def test_clipping_projects_after_every_step():
    home, away = ParallelSegments(0.0), ParallelSegments(1.0)
    seen = []
    critic = Critic(steps=5, constraint=WeightClipping(0.02), hidden=(8,))
    critic.fit(
        home,
        away,
        [0],
        lambda step, net: seen.append(max(p.abs().max().item() for p in net.parameters())),
    )
    assert len(seen) == 5
    assert max(seen) <= 0.02 + 1e-9


def test_a_member_learns_the_same_alone_and_among_others():
    home = ParallelSegments(0.0)
    thetas = torch.tensor([0.3, 1.0, -2.0])
    together = Discriminator(steps=50, hidden=(16,)).fit(home, ParallelSegments(thetas), [4, 5, 6])
    alone = Discriminator(steps=50, hidden=(16,)).fit(home, ParallelSegments(1.0), [5])
    for a, b in zip(together.network.parameters(), alone.network.parameters(), strict=True):
        torch.testing.assert_close(a[1], b[0], rtol=1e-5, atol=1e-6)


def test_on_samples_it_reads_held_out_points_and_flags_overfitting():
    """P = Q on 32 points: the training half looks separable, and the estimate says so."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 64, 2, generator=generator)
    estimate = Discriminator(steps=600, hidden=(64, 64), optimizer=partial(Adam, lr=3e-3))(x, y)
    assert float(estimate) < 0
    assert "overfitted" in estimate.warnings[0]


def test_on_enough_samples_it_does_not_warn():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 4096, 1, generator=generator)
    estimate = Discriminator(steps=200, hidden=(16,))(x, y + 1)
    assert not estimate.warnings
    assert estimate.n == (4096, 4096)
    assert abs(estimate.value - 0.111419) < 5 * estimate.stderr + 0.01


def test_a_member_axis_on_samples():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 3, 512, 1, generator=generator)
    estimate = Critic(steps=400, **SMALL)(x, y + 2)
    assert estimate.value.shape == (3,)
    assert estimate.value.tolist() == pytest.approx([2, 2, 2], abs=0.3)


def test_empirical_draws_each_point_equally_often():
    points = torch.arange(5.0).view(1, 5, 1)
    drawn = Empirical(points).draw(Streams([0]), 50000)
    counts = torch.stack([(drawn == k).sum() for k in range(5)])
    assert ((counts - 10000).abs() < 5 * 8000**0.5).all()


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (torch.zeros(3, 1), torch.zeros(8, 1), "at least 4 points"),
        (torch.zeros(8, 1), torch.zeros(8, 2), "must agree"),
        (torch.full((8, 1), math.nan), torch.zeros(8, 1), "8 points with NaN"),
        (torch.zeros(8), torch.zeros(8), "x\\[:, None\\]"),
    ],
    ids=["few", "dimensions", "nan", "flat"],
)
def test_bad_samples_are_named(x, y, match):
    with pytest.raises(ValueError, match=match):
        Discriminator()(x, y)
