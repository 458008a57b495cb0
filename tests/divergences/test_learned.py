import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal
from torch.optim import Adam

from divergences import Critic, Discriminator, Streams, WeightClipping
from divergences.f_divergences import (
    JensenShannon,
    KullbackLeibler,
    Pearson,
    ReverseKullbackLeibler,
    SquaredHellinger,
    TotalVariation,
)
from divergences.learned.discriminators import NWJ, DiscriminatorKL, DonskerVaradhan, FDivergence
from divergences.learned.sources import Empirical, Sampled
from divergences.networks.gradient_penalty import GradientPenalty, LipschitzPenalty
from divergences.networks.layers import FullSort, MaxMin
from divergences.networks.slopes import input_gradient
from divergences.networks.weight_constraints import Orthogonal, SpectralNorm
from gans.targets import Gaussian, ParallelSegments, Ring

FAST = partial(Adam, lr=3e-3, fused=True)
SMALL = {"hidden": (32, 32), "batch": 128, "optimizer": FAST, "cooldown": 0.5}
LOG2 = math.log(2)


def test_discriminator_finds_js_of_two_gaussians():
    """JS of N(0,1) and N(1,1) is .111421, of N(0,1) and N(3,1) .526777, by quadrature."""
    q = Gaussian(torch.tensor([1.0, 1.0, 3.0, 3.0]))
    estimate = (
        Discriminator(steps=600, **SMALL).fit(Gaussian(), q, range(4)).held_out(Gaussian(), q)
    )
    truth = torch.tensor([0.111421, 0.111421, 0.526777, 0.526777])
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


def shifted_pair(n, shift=1.0, dimension=2):
    """Samples of N(0, I) and of N(shift e_1, I), whose KL is shift^2 / 2."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, n, dimension, generator=generator)
    y = y.clone()
    y[:, 0] += shift
    return x, y


def assert_refused(estimate):
    """No number is left, and both readings are in the last warning."""
    assert estimate.value.isnan().all()
    assert estimate.stderr.isnan().all()
    assert all(end.isnan().all() for end in estimate.ci)
    assert "no estimate: one half gives" in estimate.warnings[-1]


KL_READERS = [DiscriminatorKL, DonskerVaradhan, NWJ, FDivergence]
every_kl_reader = pytest.mark.parametrize("learner", KL_READERS, ids=lambda c: c.__name__)


@every_kl_reader
def test_kl_of_segments_apart_is_never_given_without_a_warning(learner):
    """The truth is infinite."""
    streams = Streams([0], "data")
    x, y = (ParallelSegments(theta).draw(streams, 512)[0] for theta in (0.0, 0.3))
    estimate = learner(steps=300, **SMALL)(x, y)
    assert any("infinite" in w for w in estimate.warnings)
    assert math.isnan(estimate.value) or estimate.value > 5


@every_kl_reader
def test_kl_of_shifted_gaussians_from_fresh_points(learner):
    """KL(N(0,1) || N(m,1)) is m^2 / 2."""
    q = Gaussian(torch.tensor([0.5, 1.0]))
    estimate = learner(steps=500, **SMALL).fit(Gaussian(), q, [0, 1]).held_out(Gaussian(), q, 8192)
    truth = torch.tensor([0.125, 0.5])
    assert ((estimate.value - truth).abs() < 4 * estimate.stderr + 0.01).all()
    assert (estimate.value < truth + 4 * estimate.stderr).all()


@pytest.mark.parametrize(
    ("f", "truth", "slack"),
    [
        (KullbackLeibler(), 0.125, 0.01),
        (ReverseKullbackLeibler(), 0.125, 0.01),
        (Pearson(), math.expm1(0.25), 0.02),
        (SquaredHellinger(), 2 * (1 - math.exp(-1 / 32)), 0.005),
        (JensenShannon(), 0.030311, 0.003),
        (TotalVariation(), math.erf(0.25 / math.sqrt(2)), 0.005),
    ],
    ids=["kl", "kl_reverse", "pearson", "hellinger2", "js", "tv"],
)
def test_an_f_divergence_is_learnt_up_to_its_error_and_never_exceeded(f, truth, slack):
    """N(0,1) against N(1/2,1): closed forms, JS by quadrature."""
    p, q = Gaussian(), Gaussian(0.5)
    learner = FDivergence(f=f, steps=600, **SMALL)
    estimate = learner.fit(p, q, [0]).held_out(p, q, 16384)
    assert learner.quantity == f.quantity
    assert float(estimate) < truth + 4 * float(estimate.stderr)
    assert float(estimate) > truth - 4 * float(estimate.stderr) - slack


class Rotated:
    """A planar target turned by an angle about the origin."""

    def __init__(self, target, angle):
        c, s = math.cos(angle), math.sin(angle)
        self.target, self.turn = target, torch.tensor([[c, s], [-s, c]])

    def draw(self, streams, n):
        return self.target.draw(streams, n) @ self.turn

    def log_prob(self, x):
        return self.target.log_prob(x @ self.turn.T.to(x))


class Round:
    """N(0, variance I) in the plane."""

    def __init__(self, variance):
        self.variance = variance

    def draw(self, streams, n):
        return self.variance**0.5 * streams.randn(n, 2)

    def log_prob(self, x):
        return -x.square().sum(-1) / (2 * self.variance) - math.log(2 * math.pi * self.variance)


def js_by_quadrature(p, q, half_width=9.0, n=601):
    axis = torch.linspace(-half_width, half_width, n, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    a, b = p.log_prob(x).exp(), q.log_prob(x).exp()
    mean = (a + b) / 2
    terms = (torch.xlogy(a, a / mean) + torch.xlogy(b, b / mean)).nan_to_num() / 2
    return float(terms.sum() * (axis[1] - axis[0]) ** 2)


RINGS = {
    "ring against itself turned": (Ring(2.0, 0.35), Rotated(Ring(2.0, 0.35), math.pi / 8), 0.1515),
    "ring against a Gaussian": (Ring(2.0, 0.1), Round(2.0), 0.5776),
}


@pytest.mark.parametrize(("p", "q", "truth"), RINGS.values(), ids=RINGS)
def test_fourier_features_find_js_between_many_modes(p, q, truth):
    assert js_by_quadrature(p, q) == pytest.approx(truth, abs=1e-4)
    learner = Discriminator(
        fourier=(1.0, 2.0, 4.0), hidden=(64,), steps=600, batch=128, optimizer=FAST, cooldown=0.5
    )
    estimate = learner.fit(p, q, [0, 1, 2, 3]).held_out(p, q, 20_000)
    assert abs(estimate.value.mean() - truth) < 0.01
    assert (estimate.value < truth + 4 * estimate.stderr).all()


def test_without_fourier_features_the_same_training_misses_the_modes():
    p, q, truth = RINGS["ring against itself turned"]
    plain = Discriminator(hidden=(64,), steps=600, batch=256, optimizer=FAST, cooldown=0.5)
    assert float(plain.fit(p, q, [0]).held_out(p, q)) < truth / 2


def test_on_enough_samples_it_does_not_warn():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 4096, 1, generator=generator)
    estimate = Discriminator(steps=200, hidden=(16,))(x, y + 1)
    assert not estimate.warnings
    assert estimate.n == (4096, 4096)
    assert abs(estimate.value - 0.111421) < 5 * estimate.stderr + 0.01


def test_a_member_axis_on_samples():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 3, 512, 1, generator=generator)
    estimate = Critic(steps=400, **SMALL)(x, y + 2)
    assert estimate.value.shape == (3,)
    assert estimate.value.tolist() == pytest.approx([2, 2, 2], abs=0.3)


@pytest.mark.parametrize(
    ("critic", "bound"),
    [
        (Critic(), "lower"),
        (Critic(constraint=Orthogonal(), activation=MaxMin), "lower"),
        (Critic(constraint=Orthogonal(), activation=FullSort), "lower"),
        (Critic(constraint=SpectralNorm(), activation=nn.SiLU), "none"),
        (Critic(constraint=GradientPenalty()), "none"),
        (Critic(constraint=WeightClipping()), "none"),
    ],
    ids=["spectral", "MaxMin", "FullSort", "spectral with SiLU", "penalty", "clipping"],
)
def test_a_critic_calls_its_reading_a_lower_bound_only_where_it_is_one(critic, bound):
    scores = torch.randn(1, 8)
    assert critic.read(scores, scores).bound == bound


def test_silu_is_not_1_lipschitz():
    """Why a certified constraint is not enough: its slope reaches 1.0998."""
    x = torch.linspace(-5, 5, 10_001, requires_grad=True)
    (slope,) = torch.autograd.grad(nn.functional.silu(x).sum(), x)
    assert slope.max() > 1.09


class Wide:
    """N(0, 9) on the line: W1 from N(0, 1) is 2 E|Z| = 2 sqrt(2 / pi), with potential -|x|."""

    def draw(self, streams, n):
        return 3 * streams.randn(n, 1)


def test_an_orthogonal_critic_with_maxmin_bends_where_relu_cannot():
    truth = 2 * math.sqrt(2 / math.pi)

    def read(constraint, activation):
        critic = Critic(constraint=constraint, activation=activation, steps=500, **SMALL)
        fit = critic.fit(Gaussian(), Wide(), [0, 1])
        streams = Streams([0, 1], "test")
        x = Wide().draw(streams, 4096)
        assert input_gradient(fit.network, x).abs().max() <= 1 + 1e-5
        return fit.held_out(Gaussian(), Wide(), 20_000)

    sorting, cutting = read(Orthogonal(), MaxMin), read(SpectralNorm(), nn.ReLU)
    assert (sorting.value < truth + 4 * sorting.stderr).all()
    assert (sorting.value > 0.9 * truth).all()
    assert (cutting.value < 0.7 * truth).all()


@pytest.mark.parametrize(
    "learner",
    [Discriminator, DiscriminatorKL, DonskerVaradhan, NWJ, FDivergence, Critic],
    ids=lambda c: c.__name__,
)
def test_samples_in_float64_stay_in_float64(learner):
    x, y = torch.randn(2, 16, 2, dtype=torch.float64)
    estimate = learner(steps=2, hidden=(8,))(x, y)
    assert estimate.value.dtype == torch.float64
    assert estimate.value.shape == ()


def test_a_caller_without_gradients_can_still_train():
    x, y = shifted_pair(512, shift=4.0)
    with torch.no_grad():
        estimate = Discriminator(steps=200, **SMALL)(x.requires_grad_(True), y)
    assert estimate.value > 0.4
    assert not estimate.value.requires_grad


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"steps": 0}, "steps = 0"),
        ({"steps": 10**12}, "steps = 10{12}: it must be at most"),
        ({"batch": 0}, "batch = 0"),
        ({"cooldown": 1.5}, r"cooldown = 1\.5"),
        ({"cooldown": math.nan}, "cooldown = nan"),
        ({"hidden": (8, 0)}, r"hidden\[1\] = 0"),
        ({"seeds": ()}, "seeds is empty"),
    ],
)
def test_bad_settings_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        FDivergence(**arguments)


def test_empirical_draws_each_point_equally_often():
    points = torch.arange(5.0).view(1, 5, 1)
    drawn = Empirical(points).draw(Streams([0]), 50000)
    counts = torch.stack([(drawn == k).sum() for k in range(5)])
    assert ((counts - 10000).abs() < 5 * 8000**0.5).all()


def test_a_random_number_that_is_rounded_to_1_draws_the_last_point():
    """As of 2**24 points and more the product of both can be."""
    streams: Any = SimpleNamespace(rand=lambda n: torch.ones(1, n))
    assert Empirical([0.0, 1.0, 2.0]).draw(streams, 3).flatten().tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (torch.zeros(3, 1), torch.zeros(8, 1), "at least 4 points"),
        (torch.zeros(8, 1), torch.zeros(8, 2), "must agree"),
        (torch.full((8, 1), math.nan), torch.zeros(8, 1), "8 points with NaN"),
        (torch.zeros(8, 2), torch.zeros(8), "y is a vector"),
    ],
    ids=["few", "dimensions", "nan", "flat"],
)
def test_bad_samples_are_named(x, y, match):
    with pytest.raises(ValueError, match=match):
        Discriminator()(x, y)


def test_distributions_of_torch_are_sources_whose_members_have_their_own_numbers():
    p, q = Normal(0.0, 1.0), Normal(1.0, 1.0)
    state = torch.get_rng_state()
    both = Discriminator(steps=20).fit(p, q, [3, 4])
    alone = Discriminator(steps=20).fit(p, q, [4])
    assert torch.equal(state, torch.get_rng_state())
    x = torch.linspace(-3, 3, 50)[None, :, None]
    torch.testing.assert_close(both.scores(x.expand(2, -1, -1))[1:], alone.scores(x))
    found = Discriminator(steps=400).fit(p, q, [0]).held_out(p, q)
    assert 0.08 < float(found.value) < 0.12  # JS is .1114
    points = Sampled(MultivariateNormal(torch.zeros(2), torch.eye(2))).draw(Streams([0]), 4000)
    assert points[0].mean(0).abs().max() < 4 * 4000**-0.5
    with pytest.raises(ValueError, match="Independent"):
        Sampled(Normal(torch.zeros(3), 1.0))


@pytest.mark.parametrize("estimator", [Critic(steps=5), Discriminator(steps=5)])
def test_a_source_of_nan_is_named(estimator):
    nothing = Empirical([[0.0, 1.0], [1.0, 0.0]])
    nothing.points = nothing.points * math.nan
    with pytest.raises(ValueError, match="a source draws numbers that are NaN"):
        estimator.fit(nothing, nothing, [0])
