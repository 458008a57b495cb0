import math

import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from divergences import Streams, discrete, exact
from gans.targets import Embedded, Gaussian, Grid, ParallelSegments, Ring, SwissRoll

FAMILY = {
    "segments": lambda: ParallelSegments(torch.tensor([0.0, -0.5, 2.0])),
    "gaussian": lambda: Gaussian(torch.tensor([0.0, 3.0, -1.0]), torch.tensor([1.0, 0.5, 2.0])),
    "ring": lambda: Ring(torch.tensor([1.0, 2.0, 1.5]), torch.tensor([0.01, 0.1, 0.3])),
    "embedded": lambda: Embedded(Gaussian(torch.tensor([0.0, 3.0, -1.0])), 3),
    "swiss roll": lambda: SwissRoll(torch.tensor([0.03, 0.1, 0.3])),
    "grid": lambda: Grid(torch.tensor([2.0, 1.0, 1.5]), torch.tensor([0.05, 0.1, 0.2])),
}
family = pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY.keys())


@family
def test_samples_have_the_contracted_shape_and_lie_in_the_support(make):
    target = make()
    x = target.sample((50, 2))
    assert x.shape == (50, 2, 3, *target.event_shape)
    assert target.support.check(x).all()
    assert not x.requires_grad
    assert target.sample().shape == (3, *target.event_shape)


@family
def test_moments_match_samples(make):
    target = make()
    x = target.sample((40000,)).double()
    error = (x.var(0) / len(x)).sqrt()
    assert ((x.mean(0) - target.mean).abs() <= 5 * error + 1e-6).all()
    torch.testing.assert_close(x.var(0), target.variance.double(), rtol=0.05, atol=1e-6)


@family
def test_draws_of_a_member_are_the_law_and_depend_on_its_seed_only(make):
    target = make()
    drawn = target.draw(Streams([5, 6, 7]), 2000)
    assert drawn.shape == (3, 2000, *target.event_shape)
    sampled = target.sample((2000,)).movedim(0, 1)
    for k in range(3):
        for axis in range(drawn.shape[-1]):
            if sampled[k, :, axis].std() > 0:
                p = stats.ks_2samp(drawn[k, :, axis], sampled[k, :, axis]).pvalue
                assert p > 1e-4
    other = target.draw(Streams([5, 99, 100]), 2000)
    assert torch.equal(drawn[0], other[0])
    assert not torch.equal(drawn[1], other[1])


@family
def test_expand_keeps_the_law(make):
    target = make()
    wide = target.expand((4, 3))
    assert wide.batch_shape == (4, 3)
    assert type(wide) is type(target)
    torch.testing.assert_close(wide.mean, target.mean.expand(4, 3, -1))
    x = target.sample((7,))
    wide_x = x[:, None].expand(7, 4, *x.shape[1:])
    torch.testing.assert_close(wide.log_prob(wide_x), target.log_prob(x)[:, None].expand(7, 4, 3))


@family
def test_one_law_serves_any_number_of_members_and_three_serve_three(make):
    target = make()
    with pytest.raises(ValueError, match="cannot serve 2 members"):
        target.draw(Streams([0, 1]), 4)
    shared = {"segments": ParallelSegments(0.0), "gaussian": Gaussian(), "ring": Ring()}
    for law in (*shared.values(), Grid()):
        assert law.draw(Streams(range(5)), 4).shape == (5, 4, *law.event_shape)


@family
def test_moving_to_a_device_keeps_the_law(make):
    target = make()
    moved = target.to("cpu")
    assert moved.batch_shape == target.batch_shape
    x = target.sample((5,))
    assert torch.equal(moved.log_prob(x), target.log_prob(x))


@pytest.mark.parametrize(
    "make", [Gaussian, lambda: ParallelSegments(0.3)], ids=["gaussian", "segments"]
)
def test_rsample_is_differentiable_in_the_parameters(make):
    target = make()
    assert target.has_rsample
    name = next(iter(target.arg_constraints))
    parameter = getattr(target, name).clone().requires_grad_(True)
    setattr(target, name, parameter)
    target.rsample((100,))[..., 0].sum().backward()
    assert parameter.grad == pytest.approx(100)


@pytest.mark.parametrize("law", [Ring(), Grid()], ids=["ring", "grid"])
def test_a_mixture_has_no_rsample(law):
    assert not law.has_rsample
    with pytest.raises(NotImplementedError, match="use sample"):
        law.rsample((3,))


@pytest.mark.parametrize(
    ("law", "reach"),
    [
        (Gaussian(0.5, 0.7), 6.0),
        (Ring(1.0, 0.2), 3.0),
        (Grid(1.0, 0.2, side=3), 4.0),
        (SwissRoll(0.1), 3.0),
    ],
    ids=["gaussian", "ring", "grid", "swiss roll"],
)
def test_density_integrates_to_one(law, reach):
    axis = torch.linspace(-reach, reach, 201, dtype=torch.float64)
    d = law.event_shape[0]
    points = torch.cartesian_prod(*[axis] * d).view(-1, d)
    mass = law.log_prob(points).exp().sum() * (axis[1] - axis[0]) ** d
    assert mass == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("law", [Ring(1.3, 0.15, modes=5), Grid(1.7, 0.3)], ids=["ring", "grid"])
def test_log_prob_agrees_with_torch_mixture(law):
    modes = len(law.centres)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(modes)),
        MultivariateNormal(law.centres, law.scale.square() * torch.eye(2)),
    )
    x = law.sample((100,))
    torch.testing.assert_close(law.log_prob(x), mixture.log_prob(x), rtol=1e-4, atol=1e-4)


def test_the_ring_has_eight_distinct_modes_at_distance_one():
    centres = Ring().centres
    gaps = torch.cdist(centres, centres) + 9 * torch.eye(8)
    assert gaps.min() == pytest.approx(2 * math.sin(math.pi / 8), abs=1e-6)
    torch.testing.assert_close(centres.norm(dim=-1), torch.ones(8))


def test_the_grid_has_the_published_centres():
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(c) for c in Grid().centres.int().tolist()} == expected


@pytest.mark.parametrize("law", [Ring(), Grid()], ids=["ring", "grid"])
def test_a_perfect_sampler_puts_98_89_percent_within_three_deviations(law):
    x = law.sample((40000,))
    share = (torch.cdist(x, law.centres).amin(-1) < 3 * law.scale).double().mean()
    assert share == pytest.approx(1 - math.exp(-4.5), abs=4 * (0.9889 * 0.0111 / 40000) ** 0.5)


def test_segments_have_density_one_on_themselves_and_none_elsewhere():
    law = ParallelSegments(0.5)
    on, off = torch.tensor([0.5, 0.2]), torch.tensor([[0.4, 0.2], [0.5, 1.2], [0.5, -0.1]])
    assert law.log_prob(on) == 0
    assert (law.log_prob(off) == -math.inf).all()
    assert law.entropy() == 0


def test_segment_divergences_against_atoms():
    """Two segments as 100 atoms each: the same values from the measures on vectors."""
    theta = torch.tensor([0.0, 0.001, -0.7], dtype=torch.float64)
    p, q = ParallelSegments(0.0), ParallelSegments(theta)
    apart = torch.eye(2, dtype=torch.float64).repeat_interleave(100, 1) / 100
    pairs = [(apart[0], apart[0]), (apart[0], apart[1]), (apart[0], apart[1])]
    for ours, of_atoms in (
        (exact.kl_divergence, discrete.kl_divergence),
        (exact.js_divergence, discrete.js_divergence),
        (exact.total_variation, discrete.total_variation),
    ):
        expected = torch.stack([of_atoms(a, b) for a, b in pairs])
        torch.testing.assert_close(ours(p, q).double(), expected)
        torch.testing.assert_close(ours(q, p).double(), expected)
    for order in (1, 2):
        torch.testing.assert_close(exact.wasserstein(p, q, order).double(), theta.abs())


def test_kl_of_segments_is_also_torchs_where_asked_for_a_known_pair():
    assert exact.kl_divergence.knows(ParallelSegments(0.0), ParallelSegments(1.0))
    assert not exact.js_divergence.knows(Ring(), Ring())
    with pytest.raises(NotImplementedError, match=r"Ring.*Grid"):
        exact.wasserstein(Ring(), Grid())


def test_gaussians_agree_with_scipy():
    p, q = Gaussian(0.0, 1.0), Gaussian(3.0, 1.0)
    assert exact.kl_divergence(p, q) == pytest.approx(4.5)
    x = torch.linspace(0, 1, 20001, dtype=torch.float64)[1:-1]
    quantiles = stats.norm.ppf(x), stats.norm.ppf(x, 3, 1)
    assert exact.wasserstein(p, q) == pytest.approx(
        stats.wasserstein_distance(*quantiles), abs=1e-4
    )
    assert exact.total_variation(p, q) == pytest.approx(2 * stats.norm.cdf(1.5) - 1, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ParallelSegments(math.nan), "theta = nan"),
        (lambda: ParallelSegments(torch.tensor([0.0, math.inf])), "theta = inf"),
        (lambda: Gaussian(0.0, -1.0), "scale"),
        (lambda: Ring(modes=0), "modes = 0"),
        (lambda: Ring(radius=-1.0), "radius"),
        (lambda: Grid(side=0), "side = 0"),
        (lambda: Grid(scale=math.nan), "scale = nan"),
    ],
    ids=["nan", "inf", "scale", "modes", "radius", "side", "nan-scale"],
)
def test_bad_parameters_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_an_embedded_law_keeps_distances_and_has_no_mass_outside():
    ring = Ring()
    far = Embedded(ring, 5)
    x = ring.sample((40,))
    points = torch.cat([x, torch.zeros(40, 3)], 1)
    torch.testing.assert_close(far.log_prob(points), ring.log_prob(x))
    assert far.log_prob(points + 1e-3).isneginf().all()
    plane, space = (law.draw(Streams([3]), 40)[0] for law in (ring, far))
    torch.testing.assert_close(torch.cdist(space, space), torch.cdist(plane, plane))
    with pytest.raises(ValueError, match="points of 2 dimensions do not fit into 1"):
        Embedded(ring, 1)


def test_the_swiss_rolls_mean_is_that_of_the_integral():
    """Over the interval of t, t cos t integrates to 6 pi and t sin t to 2."""
    law = SwissRoll(torch.tensor(0.1, dtype=torch.float64))
    expected = torch.tensor([2, 2 / (3 * math.pi)], dtype=torch.float64) / 7.5
    torch.testing.assert_close(law.mean, expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"scale = 0\.001 must be at least \.01"):
        SwissRoll(0.001)
