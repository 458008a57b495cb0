"""Log densities of every target at single points, inside and out, against independent formulas.

Targets are found in the package; one without an oracle here fails a test.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.special import logsumexp

import gans.targets
from divergences import Streams
from gans.targets import (
    Ball,
    Box,
    Checkerboard,
    Circles,
    Embedded,
    Funnels,
    Gaussian,
    Grid,
    ImageDensity,
    Images,
    OneFunnel,
    ParallelSegments,
    Pinwheel,
    PointCloud,
    Ring,
    Shifted,
    StackedDigits,
    SubspaceModes,
    SwissRoll,
    Target,
    TwoMoons,
)
from gans.targets.curves import Curve

LEVELS = torch.tensor([[1.0, 0.5, 0.0], [0.2, 1.0, 0.9]])


def mixture(centres, sd, weights=None):
    """Log density of round normal modes."""
    weights = np.ones(len(centres)) if weights is None else np.array(weights)
    d = len(centres[0])
    modes = [stats.multivariate_normal(c, sd**2 * np.eye(d)) for c in centres]
    shares = np.log(weights / weights.sum())
    return lambda x: logsumexp([m.logpdf(x) + s for m, s in zip(modes, shares, strict=True)])


def circle(radius, modes):
    return [
        (radius * math.cos(t), radius * math.sin(t))
        for t in 2 * math.pi * np.arange(modes) / modes
    ]


def along(curves, sd):
    """Log of the mean normal density around curves, each ``t -> (x, y)`` on an interval."""

    def log_density(x):
        total = 0.0
        for curve, low, high in curves:

            def term(t, curve=curve):
                off = np.array(curve(t)) - x
                return math.exp(-(off @ off) / (2 * sd**2)) / (2 * math.pi * sd**2)

            cuts = np.linspace(low, high, 60)
            parts = [
                integrate.fixed_quad(np.vectorize(term), a, b, n=12)[0]
                for a, b in itertools.pairwise(cuts)
            ]
            total += sum(parts) / (high - low) / len(curves)
        return math.log(total) if total > 0 else -math.inf

    return log_density


def pinwheel(radial, tangential, rate, blades):
    """In complex numbers: every blade straightened by turning the point back."""

    def log_density(x):
        z = complex(*x)
        straight = [
            z * np.exp(1j * (rate * math.exp(abs(z)) + 2 * math.pi * k / blades))
            for k in range(blades)
        ]
        terms = [
            stats.norm.logpdf(s.real, 1, radial) + stats.norm.logpdf(s.imag, 0, tangential)
            for s in straight
        ]
        return logsumexp(terms) - math.log(blades)

    return log_density


def box(half_sides):
    wide = [h for h in half_sides if h > 0]
    volume = math.prod(2 * h for h in wide)
    return lambda x: (
        -math.log(volume)
        if all(-h <= c <= h for c, h in zip(x, half_sides, strict=True))
        else -math.inf
    )


BALLS = {1: 2.0, 2: math.pi, 3: 4 * math.pi / 3, 4: math.pi**2 / 2, 5: 8 * math.pi**2 / 15}
"""Volumes of unit balls, from any table."""


def ball(radius, d):
    volume = BALLS[d] * radius**d
    return lambda x: -math.log(volume) if math.dist(x, [0] * d) <= radius else -math.inf


def on_edge(x, cell, sides):
    """Whether rounding decides which cell the point is in."""
    places = [c / cell + n / 2 for c, n in zip(x, sides, strict=True)]
    return any(abs(place - round(place)) < 1e-5 for place in places)


def board(width, side):
    cell, filled = width / side, sum((i + j) % 2 == 0 for i in range(side) for j in range(side))

    def log_density(x):
        if on_edge(x, cell, (side, side)):
            return math.nan
        i, j = (math.floor(c / cell + side / 2) for c in x)
        inside = 0 <= i < side and 0 <= j < side and (i + j) % 2 == 0
        return -math.log(filled * cell**2) if inside else -math.inf

    return log_density


def picture(levels, height):
    """Ink per pixel, the first row at the top."""
    ink = 1 - levels.double().numpy()
    rows, columns = ink.shape
    pixel = height / rows

    def log_density(x):
        if on_edge(x, pixel, (columns, rows)):
            return math.nan
        column = math.floor(x[0] / pixel + columns / 2)
        row = rows - 1 - math.floor(x[1] / pixel + rows / 2)
        if not (0 <= column < columns and 0 <= row < rows) or ink[row, column] == 0:
            return -math.inf
        return math.log(ink[row, column] / ink.sum() / pixel**2)

    return log_density


def lattice(spacing, side):
    places = [spacing * (k - (side - 1) / 2) for k in range(side)]
    return [(x, y) for x in places for y in places]


PI = math.pi
SUBSPACE = SubspaceModes(1.5, 0.4, modes=3, latent=3, dimension=3, weights=[1, 2, 3])
LAWS = [
    (Gaussian(0.5, 0.7), lambda x: stats.norm.logpdf(x[0], 0.5, 0.7)),
    (Ring(2.0, 0.3, 5), mixture(circle(2.0, 5), 0.3)),
    (Ring(1.0, 0.1, 3, weights=[1, 2, 5]), mixture(circle(1.0, 3), 0.1, [1, 2, 5])),
    (Grid(1.5, 0.3, 3), mixture(lattice(1.5, 3), 0.3)),
    (Grid(1.0, 0.2, 2, weights=[1, 2, 3, 4]), mixture(lattice(1.0, 2), 0.2, [1, 2, 3, 4])),
    (SUBSPACE, mixture(SUBSPACE.centres.double().numpy(), 0.4, [1, 2, 3])),
    (Pinwheel(), pinwheel(0.3, 0.1, 0.25, 5)),
    (Pinwheel(0.2, 0.15, -0.6, 3), pinwheel(0.2, 0.15, -0.6, 3)),
    (
        SwissRoll(0.1),
        along(
            [(lambda t: (t * math.cos(t) / 7.5, t * math.sin(t) / 7.5), 1.5 * PI, 4.5 * PI)], 0.1
        ),
    ),
    (
        TwoMoons(0.1),
        along(
            [
                (lambda t: (math.cos(t), math.sin(t)), 0, PI),
                (lambda t: (1 - math.cos(t), 0.5 - math.sin(t)), 0, PI),
            ],
            0.1,
        ),
    ),
    (
        Circles(0.4, 0.1),
        along(
            [(lambda t, r=r: (r * math.cos(t), r * math.sin(t)), 0, 2 * PI) for r in (1, 0.4)], 0.1
        ),
    ),
    *[(Box(h), box(h)) for h in ([0.5], [1.0, 0.25], [1.0, 0.0, 0.5], [0.3] * 5)],
    *[(Ball(r, d), ball(r, d)) for r, d in ((0.5, 1), (2.0, 2), (1.5, 3), (0.7, 4), (1.2, 5))],
    (Checkerboard(8.0, 4), board(8.0, 4)),
    (Checkerboard(3.0, 3), board(3.0, 3)),
    (ImageDensity(LEVELS, 1.0), picture(LEVELS, 1.0)),
    (
        Embedded(Ring(1.0, 0.2, 4), 3),
        lambda x: mixture(circle(1.0, 4), 0.2)(x[:2]) if x[2] == 0 else -math.inf,
    ),
    (
        ParallelSegments(0.25),
        lambda x: 0.0 if x[0] == 0.25 and 0 <= x[1] <= 1 else -math.inf,
    ),
]
WITHOUT_DENSITY = (PointCloud, Images, StackedDigits, Funnels, OneFunnel, Shifted)
laws = pytest.mark.parametrize(
    ("law", "log_density"),
    LAWS,
    ids=[f"{k}-{type(law).__name__}" for k, (law, _) in enumerate(LAWS)],
)


def test_every_target_has_an_oracle_or_says_that_it_has_no_density():
    classes = {getattr(gans.targets, name) for name in gans.targets.__all__}
    final = {
        c
        for c in classes
        if isinstance(c, type) and "__final__" in vars(c) and issubclass(c, Target)
    }
    assert final == {type(law) for law, _ in LAWS} | set(WITHOUT_DENSITY)
    for law in (PointCloud(torch.eye(3)), OneFunnel(2), Shifted(Ball(1.0, 2), [1.0, 0.0])):
        with pytest.raises(NotImplementedError, match="density"):
            law.log_prob(torch.zeros(2))


def places(law):
    """Points that were drawn, points around them, and points of a box three times as wide."""
    drawn = law.draw(Streams([3], dtype=torch.float64), 12)[0].float()
    generator = torch.Generator().manual_seed(1)
    reach = drawn.abs().amax(0) + 0.1
    around = drawn + 0.05 * torch.randn(drawn.shape, generator=generator)
    wide = 3 * reach * (2 * torch.rand(12, drawn.shape[1], generator=generator) - 1)
    return torch.cat([drawn, around, wide])


@laws
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_log_densities_at_single_points(law, log_density, dtype):
    """In any precision of the points, of which the oracle is given the rounded ones."""
    x = places(law).to(dtype)
    found = law.log_prob(x)
    expected = torch.tensor([log_density(p) for p in x.double().numpy()], dtype=torch.float64)
    assert found.shape == (len(x),)
    assert not found.isnan().any()
    inside = expected > -100  # beyond, curves depend on where between two nodes they end
    assert (found[expected < -100] < -90).all()
    known = ~expected.isnan()
    assert found[known].isneginf().equal(expected[known].isneginf()) or isinstance(law, Curve)
    finite = inside & expected.isfinite()
    torch.testing.assert_close(found[finite].double(), expected[finite], rtol=2e-4, atol=2e-4)


@laws
def test_some_points_lie_inside_and_where_there_is_an_outside_some_there(law, log_density):
    expected = [log_density(p) for p in places(law).double().numpy()]
    assert any(map(math.isfinite, expected))
    smooth = (Gaussian, Ring, Grid, SubspaceModes, Pinwheel, SwissRoll, TwoMoons, Circles)
    assert isinstance(law, smooth) or -math.inf in expected


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("share", [0.9, 0.999, 1.001, 1.5])
def test_a_ball_and_a_box_end_where_they_say(d, share):
    generator = torch.Generator().manual_seed(d)
    x = torch.randn(20, d, generator=generator, dtype=torch.float64)
    on_sphere = 1.3 * share * x / x.norm(dim=1, keepdim=True)
    on_cube = 1.3 * share * x / x.abs().amax(1, keepdim=True)
    for law, points in ((Ball(1.3, d), on_sphere), (Box([1.3] * d), on_cube)):
        assert law.log_prob(points).isfinite().all() == (share < 1)
        assert law.log_prob(points).isneginf().all() == (share > 1)
        assert law.log_prob(torch.zeros(d)).isfinite()


@laws
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("own", [True, False], ids=["own precision", "single precision"])
def test_far_out_there_is_a_number_or_a_sentence(law, log_density, dtype, own):
    """In every precision that holds the point: no NaN, no mass."""
    law = law.to("cpu", dtype) if own else law
    for reach in (0.0, 10.0, 1e3, 6e4, 1e10, 1e30, 1e150, 1e300):
        x = torch.full((2, *law.event_shape), reach, dtype=torch.float64).to(dtype)
        if not x.isfinite().all():
            continue
        if isinstance(law, Pinwheel) and reach > 20:
            with pytest.raises(ValueError, match="turned so often"):
                law.log_prob(x)
            continue
        found = law.log_prob(x)
        assert not found.isnan().any()
        assert (found < (10 if reach < 10 else -4)).all()


def test_the_pinwheel_is_right_as_far_out_as_it_answers():
    """40 digits: at radius 19 a blade has turned by 4e7."""
    from mpmath import cos, exp, log, mp, mpf, pi, sin, sqrt

    x, y = 12.25, 14.5
    with mp.workdps(40):
        z = [mpf(x), mpf(y)]
        turn = exp(sqrt(z[0] ** 2 + z[1] ** 2)) / 4
        terms = []
        for k in range(5):
            angle = turn + 2 * pi * k / 5
            u = cos(angle) * z[0] - sin(angle) * z[1]
            v = sin(angle) * z[0] + cos(angle) * z[1]
            squares = ((u - 1) / mpf("0.3")) ** 2 + (v / mpf("0.1")) ** 2
            terms.append(exp(-squares / 2) / (2 * pi * mpf("0.03") * 5))
        expected = float(log(sum(terms)))
    law = Pinwheel().to("cpu", torch.float64)
    law.radial, law.tangential = (torch.tensor(s, dtype=torch.float64) for s in (0.3, 0.1))
    found = law.log_prob(torch.tensor([x, y], dtype=torch.float64)).item()
    assert found == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match=r"Pinwheel: at radius 30 a blade of rate 0\.25"):
        law.log_prob(torch.tensor([[0.0, 1.0], [30.0, 0.0]]))


@pytest.mark.parametrize("reach", [1.0, 100.0, 1e6])
def test_a_straight_pinwheel_has_a_density_everywhere(reach):
    x = torch.tensor([reach, 0.5 * reach], dtype=torch.float64)
    law = Pinwheel(0.5, 0.25, 0.0)  # powers of 2, exact in single precision
    expected = pinwheel(0.5, 0.25, 0.0, 5)
    if reach < 700:
        assert law.log_prob(x).item() == pytest.approx(expected(x.numpy()))
    assert law.log_prob(x).isfinite()
