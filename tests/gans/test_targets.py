import math

import pytest
import torch
from scipy import stats
from sklearn.datasets import make_circles, make_moons

from divergences import Streams, discrete, exact
from gans.targets import (
    Checkerboard,
    Circles,
    Embedded,
    Gaussian,
    Grid,
    ImageDensity,
    ParallelSegments,
    Pinwheel,
    PointCloud,
    Ring,
    SubspaceModes,
    SwissRoll,
    TwoMoons,
)

IMAGE = torch.tensor([[1.0, 0.5, 0.0, 1.0], [0.2, 1.0, 1.0, 0.9]])
POINTS = torch.tensor([[0.0, 1.0], [2.0, -1.0], [5.0, 0.5], [2.0, 3.0]])
FAMILY = {
    "segments": lambda: ParallelSegments(torch.tensor([0.0, -0.5, 2.0])),
    "gaussian": lambda: Gaussian(torch.tensor([0.0, 3.0, -1.0]), torch.tensor([1.0, 0.5, 2.0])),
    "ring": lambda: Ring(torch.tensor([1.0, 2.0, 1.5]), torch.tensor([0.01, 0.1, 0.3])),
    "embedded": lambda: Embedded(Gaussian(torch.tensor([0.0, 3.0, -1.0])), 3),
    "swiss roll": lambda: SwissRoll(torch.tensor([0.03, 0.1, 0.3])),
    "grid": lambda: Grid(torch.tensor([2.0, 1.0, 1.5]), torch.tensor([0.05, 0.1, 0.2])),
    "unbalanced": lambda: Ring(torch.tensor([1.0, 2.0, 1.5]), 0.1, 3, weights=[1, 2, 5]),
    "moons": lambda: TwoMoons(torch.tensor([0.03, 0.1, 0.3])),
    "circles": lambda: Circles(0.3, torch.tensor([0.03, 0.1, 0.3])),
    "pinwheel": lambda: Pinwheel(
        0.3, torch.tensor([0.05, 0.1, 0.3]), torch.tensor([0.3, 0, -0.2])
    ),
    "checkerboard": lambda: Checkerboard(torch.tensor([1.0, 8.0, 2.5]), side=3),
    "image": lambda: ImageDensity(IMAGE, torch.tensor([1.0, 2.0, 5.0])),
    "embedded modes": lambda: Embedded(Ring(torch.ones(3), 0.1, 2, weights=[1, 3]), 3),
}
WITHOUT_DENSITY = {
    "points": lambda: PointCloud(POINTS).expand((3,)),
    "subspace": lambda: SubspaceModes(1.0, torch.tensor([0.1, 0.5, 2.0]), 3, 4, 6),
}
family = pytest.mark.parametrize(
    "make", (FAMILY | WITHOUT_DENSITY).values(), ids=(FAMILY | WITHOUT_DENSITY).keys()
)
with_density = pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY.keys())


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
                p = stats.ks_2samp(drawn[k, :, axis], sampled[k, :, axis], method="asymp").pvalue
                assert p > 1e-4
    other = target.draw(Streams([5, 99, 100]), 2000)
    assert torch.equal(drawn[0], other[0])
    assert not torch.equal(drawn[1], other[1])


@family
def test_expand_keeps_the_moments(make):
    target = make()
    wide = target.expand((4, 3))
    assert wide.batch_shape == (4, 3)
    assert type(wide) is type(target)
    torch.testing.assert_close(wide.mean, target.mean.expand(4, 3, -1))
    torch.testing.assert_close(wide.variance, target.variance.expand(4, 3, -1))
    assert wide.sample((7,)).shape == (7, 4, 3, *target.event_shape)


@with_density
def test_expand_keeps_the_density(make):
    target = make()
    wide, x = target.expand((4, 3)), target.sample((7,))
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
def test_moving_to_a_device_and_type_keeps_the_law(make):
    target = make()
    moved = target.to("cpu", torch.float64)
    assert moved.batch_shape == target.batch_shape
    assert moved.mean.dtype == moved.sample().dtype == torch.float64
    torch.testing.assert_close(moved.mean.float(), target.mean)
    torch.testing.assert_close(moved.variance.float(), target.variance)


@with_density
def test_moving_to_a_device_keeps_the_density(make):
    target = make()
    x = target.sample((5,))
    assert torch.equal(target.to("cpu").log_prob(x), target.log_prob(x))


@pytest.mark.parametrize("make", WITHOUT_DENSITY.values(), ids=WITHOUT_DENSITY.keys())
def test_a_law_without_density_says_so(make):
    with pytest.raises(NotImplementedError, match=r"no density.*estimate"):
        make().log_prob(make().sample())


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


@pytest.mark.parametrize(
    ("law", "reach"),
    [
        (Gaussian(0.5, 0.7), 6.0),
        (Ring(1.0, 0.2), 3.0),
        (Grid(1.0, 0.2, side=3), 4.0),
        (Ring(1.0, 0.2, weights=[1, 2, 3, 4, 5, 6, 7, 8]), 3.0),
        (SwissRoll(0.1), 3.0),
        (TwoMoons(0.1), 3.0),
        (Circles(), 2.0),
        (Pinwheel(0.2, 0.2), 3.5),
    ],
    ids=[
        "gaussian",
        "ring",
        "grid",
        "unbalanced",
        "swiss roll",
        "moons",
        "circles",
        "pinwheel",
    ],
)
def test_density_integrates_to_one(law, reach):
    axis = torch.linspace(-reach, reach, 201, dtype=torch.float64)
    d = law.event_shape[0]
    points = torch.cartesian_prod(*[axis] * d).view(-1, d)
    mass = law.log_prob(points).exp().sum() * (axis[1] - axis[0]) ** d
    assert mass == pytest.approx(1, abs=1e-6)


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
        (lambda: TwoMoons(0.01), r"TwoMoons: scale = 0\.01 must be at least 0\.02"),
        (lambda: Circles(1.0), "inner = 1.0 must lie between 0 and 1"),
        (lambda: Pinwheel(blades=2), "blades = 2: it must be at least 3"),
        (lambda: Pinwheel(tangential=0.0), "tangential"),
        (lambda: Checkerboard(side=1), "side = 1: it must be at least 2"),
        (lambda: Checkerboard(width=-1.0), "width"),
    ],
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
    with pytest.raises(ValueError, match=r"scale = 0\.001 must be at least 0\.02"):
        SwissRoll(0.001)


PLANE = {
    "unbalanced ring": (Ring(2.0, 0.3, weights=[0.05] * 4 + [1] * 4), 4.0),
    "unbalanced grid": (Grid(1.0, 0.2, side=3, weights=[0.05] * 6 + [1] * 3), 3.0),
    "swiss roll": (SwissRoll(0.1), 3.0),
    "moons": (TwoMoons(), 3.0),
    "circles": (Circles(), 2.0),
    "pinwheel": (Pinwheel(), 3.0),
    "checkerboard": (Checkerboard(9.0, side=3), 6.0),
    "image": (ImageDensity(IMAGE, 3.0), 4.0),
}


@pytest.mark.parametrize(("law", "reach"), PLANE.values(), ids=PLANE.keys())
def test_draws_fill_squares_of_the_plane_as_the_density_says(law, reach):
    squares, fine = 12, 8
    side = 2 * reach / (squares * fine)
    axis = -reach + side * (torch.arange(squares * fine, dtype=torch.float64) + 0.5)
    density = law.to("cpu", torch.float64).log_prob(torch.cartesian_prod(axis, axis)).exp()
    mass = (side**2 * density).view(squares, fine, squares, fine).sum((1, 3)).flatten()
    assert mass.sum() == pytest.approx(1, abs=1e-3)
    n = 20000
    x = law.draw(Streams([1]), n)[0]
    column, row = ((x + reach) * squares / (2 * reach)).long().unbind(-1)
    counts = torch.bincount(column * squares + row, minlength=squares**2).double()
    often = n * mass > 10
    expected = torch.cat([n * mass[often], n * mass[~often].sum()[None]])
    found = torch.cat([counts[often], counts[~often].sum()[None]])
    keep = expected > 1
    assert found[~keep].sum() <= 10
    expected = expected[keep] * found[keep].sum() / expected[keep].sum()
    assert stats.chisquare(found[keep], expected).pvalue > 1e-4


@pytest.mark.parametrize(
    ("law", "published"),
    [
        (TwoMoons(0.1), lambda noise: make_moons(4000, noise=noise, random_state=0)[0]),
        (Circles(0.5, 0.1), lambda n: make_circles(4000, noise=n, factor=0.5, random_state=0)[0]),
    ],
    ids=["moons", "circles"],
)
def test_moons_and_circles_are_those_of_scikit_learn(law, published):
    exact_points = torch.as_tensor(published(None))
    torch.testing.assert_close(law.mean.double(), exact_points.mean(0), rtol=0, atol=1e-3)
    spread = law.variance.double() - 0.1**2
    torch.testing.assert_close(spread, exact_points.var(0), rtol=0, atol=2e-3)
    ours, theirs = law.draw(Streams([2]), 4000)[0], torch.as_tensor(published(0.1)).float()
    for direction in torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]]):
        assert stats.ks_2samp(ours @ direction, theirs @ direction, method="asymp").pvalue > 1e-4


def test_the_pinwheels_radius_is_rice_where_a_blade_is_round():
    radius = Pinwheel(0.25, 0.25, 0.7).draw(Streams([3]), 5000)[0].norm(dim=-1)
    assert stats.kstest(radius.numpy(), stats.rice(1 / 0.25, scale=0.25).cdf).pvalue > 1e-4


ALONE = [Gaussian(), Ring(), Grid(), SwissRoll(), TwoMoons(), Circles(), Pinwheel(),
         Checkerboard(), ParallelSegments(0.0), Embedded(Ring(), 3), PointCloud(POINTS),
         ImageDensity(IMAGE)]  # fmt: skip


@pytest.mark.parametrize("target", ALONE, ids=lambda target: type(target).__name__)
def test_one_law_gives_one_point_without_a_size(target):
    """As torch's own laws do."""
    torch.manual_seed(0)
    one = target.sample()
    assert one.shape == target.event_shape
    torch.manual_seed(0)
    assert torch.equal(target.sample((1,))[0], one)
