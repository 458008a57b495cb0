"""Targets in other units: known values follow the unit from 1e-30 to 1e30, or are refused."""

import math
import re
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from divergences import Streams, exact
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
    SubspaceModes,
    Target,
    TwoMoons,
)
from gans.targets.scale_warning import warn_of_units

PICTURE = torch.tensor([[1.0, 0.5], [0.2, 0.0]])
POINTS = torch.tensor([[0.0, 1.0, 3.0], [2.0, -1.0, 3.0], [5.0, 0.5, 3.0], [2.0, 3.0, 3.0]])
CENTRES = torch.tensor([[0.5, 0.25], [-1.0, 0.75]], dtype=torch.float64)
FAMILY = {  # what scales with the unit: all lengths
    "gaussian": lambda s: Gaussian(3.0 * s, 2.0 * s),
    "box": lambda s: Box([0.5 * s, 0.0, 2.0 * s]),
    "whole box": lambda s: Box([0.5 * s, 2.0 * s]),
    "ball": lambda s: Ball(2.0 * s, 3),
    "ring": lambda s: Ring(2.0 * s, 0.5 * s, 3, weights=[1, 2, 5]),
    "grid": lambda s: Grid(2.0 * s, 0.25 * s, 3),
    "subspace": lambda s: SubspaceModes(1.0 * s, 0.5 * s, 3, 4, 6),
    "filled subspace": lambda s: SubspaceModes(1.0 * s, 0.5 * s, 3, 4, 4),
    "checkerboard": lambda s: Checkerboard(8.0 * s),
    "picture": lambda s: ImageDensity(PICTURE, 2.0 * s),
    "embedded": lambda s: Embedded(Ring(2.0 * s, 0.5 * s, 3), 4),
    "points": lambda s: PointCloud(POINTS.to(torch.get_default_dtype()) * s, 0.0),
    "shifted": lambda s: Shifted(Box([0.0, 0.5 * s]), [3.0 * s, -4.0 * s]),
    "one funnel": lambda s: OneFunnel(3, 2.0 * s),
    "funnels": lambda s: Funnels(CENTRES * s, 0.1 * s * CENTRES[:, 0], 2.0 * s),
}
SCALES = [10.0**k for k in (-30, -15, 15, 30)]
family = pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY.keys())
scales = pytest.mark.parametrize("scale", SCALES)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@pytest.fixture
def default(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    yield dtype
    torch.set_default_dtype(before)


def known(target: Target, name: str):
    """A known value, ``None`` where the target says that it has none."""
    try:
        return getattr(target, name)
    except NotImplementedError:
        return None


@dtypes
@family
@scales
def test_moments_follow_the_unit_or_are_refused(make, scale, dtype, default):
    one, many = make(1.0), make(scale)
    mean, variance = known(one, "mean"), known(one, "variance")
    if mean is not None:
        found = known(many, "mean").double()
        torch.testing.assert_close(found / scale, mean.double(), rtol=1e-5, atol=1e-6)
    if variance is None:
        return
    expected = variance.double() * scale**2
    limits = torch.finfo(dtype)
    shown = expected[expected != 0]
    if bool((shown > limits.max).any() | (shown < limits.tiny).any()):
        with pytest.raises(ValueError, match=r"the variance is .* cannot hold"):
            known(many, "variance")
    else:
        torch.testing.assert_close(many.variance.double(), expected, rtol=1e-5, atol=0)


@dtypes
@family
@scales
def test_densities_follow_the_unit(make, scale, dtype, default):
    one, many = make(1.0), make(scale)
    torch.manual_seed(0)
    x = one.sample((64,))
    x[0] = 10.0  # outside, or far out
    try:
        expected = one.log_prob(x)
    except NotImplementedError:
        return
    if (
        isinstance(one, Embedded | Box) and (x[1:] == 0).all(0).any()
    ):  # no volume of full dimension
        dimensions = int((x[1:] != 0).any(0).sum())
    else:
        dimensions = one.event_shape[0]
    found = many.log_prob(x * scale) + dimensions * math.log(scale)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


@family
@scales
def test_points_follow_the_unit(make, scale):
    one = make(1.0).draw(Streams([3]), 200)
    torch.testing.assert_close(make(scale).draw(Streams([3]), 200) / scale, one)


@scales
@pytest.mark.parametrize("name", ["shifted", "one funnel", "funnels"])
def test_transported_laws_know_their_distance_in_any_unit(name, scale):
    one, many = FAMILY[name](1.0), FAMILY[name](scale)
    assert (one.w1 is None) == (many.w1 is None)
    if one.w1 is not None:
        assert many.w1 / scale == pytest.approx(one.w1, rel=1e-6)
    assert float(many.measured_w1(500).value) / scale == pytest.approx(
        float(one.measured_w1(500).value), rel=1e-5
    )
    x = one.draw(Streams([1]), 100)
    torch.testing.assert_close(many.potential(x * scale) / scale, one.potential(x))
    slope = many.transport(many.base.draw(Streams([1]), 100)).slope
    torch.testing.assert_close(slope, one.transport(one.base.draw(Streams([1]), 100)).slope)


def test_a_move_of_coordinates_of_any_size_has_its_length():
    still = Box([0.0, 0.5, 0.0])
    for by, expected in [
        ([3e20, 4e20, 0.0], 5e20),
        ([1e-25, 0.0, 0.0], 1e-25),
        ([3e-23, 4e-23, 0.0], 5e-23),
        ([1e38, 1e-38, 0.0], 1e38),
    ]:
        law = Shifted(still, by)
        assert law.w1 == pytest.approx(expected, rel=1e-6)
        unit = law.potential(torch.tensor(by) / expected)
        assert float(unit) == pytest.approx(1.0, rel=1e-6)


def test_a_distance_between_segments_that_no_number_holds_is_refused():
    far = [ParallelSegments(torch.tensor(x)) for x in (3e38, -3e38)]
    with pytest.raises(ValueError, match=r"larger than torch\.float32 can hold"):
        exact.wasserstein(*far)
    assert float(exact.total_variation(*far)) == 1


@pytest.mark.parametrize("target", [TwoMoons, Circles])
@pytest.mark.parametrize("scale", [1e6, 1e15, 1e18, 1e30])
def test_curves_drowned_in_noise_are_the_noise(target, scale):
    law = target(scale=scale)
    noise = torch.distributions.Normal(torch.zeros(2).double(), scale)
    x = noise.sample((50,))
    expected = noise.log_prob(x).sum(-1)
    torch.testing.assert_close(law.log_prob(x.float()).double(), expected, rtol=1e-5, atol=1e-4)
    if scale**2 < torch.finfo(torch.float32).max:
        torch.testing.assert_close(law.variance, torch.full((2,), scale**2))
    else:
        with pytest.raises(ValueError, match="cannot hold"):
            known(law, "variance")


@pytest.mark.parametrize("radial", [5.0, 30.0, 1e6, 1e30])
def test_a_pinwheel_whose_blades_nobody_can_place_is_refused(radial):
    with pytest.raises(
        ValueError, match=rf"radial {re.escape(f'{radial:g}')}.* cannot tell where"
    ):
        Pinwheel(radial)
    Pinwheel(radial, rate=0.0).sample((100,))  # straight blades are where they are


def test_a_constant_column_has_no_variance_whatever_rounding_makes_of_its_mean():
    column = torch.full((999, 1), 1e-3) * torch.tensor([1.0, 1.1, 0.0])
    cloud = PointCloud(torch.cat([column, torch.arange(999.0)[:, None]], 1), 0.0)
    assert cloud.variance[:3].tolist() == [0, 0, 0]
    levels = torch.rand(9, 2, 2, generator=torch.Generator().manual_seed(0))
    levels[:, 0, 0] = 0.3  # floats have no steps that noise would fill
    assert Images(levels, share_held_out=0.3).variance[0] == 0


@pytest.mark.parametrize(
    ("mean", "deviation", "warned"),
    [
        (0.0, 49.0, False), (0.0, 51.0, True), (99.0, 1.0, False), (-101.0, 1.0, True),
        (0.0, 1 / 49, False), (0.0, 1 / 51, True), (1 / 51, 1 / 51, True),
        (1 / 49, 1 / 51, False), (-1 / 49, 1 / 51, False), (3.0, 0.0, False),
    ],
)  # fmt: skip
def test_units_that_networks_do_not_begin_with_are_warned_of(mean, deviation, warned):
    """From 50 deviations or a mean of 100 on, and below one fiftieth of either."""
    law: Any = SimpleNamespace(
        mean=torch.tensor([0.0, mean]), variance=torch.tensor([1.0, deviation**2])
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_of_units(law)
    assert len(said) == warned
    assert all("column 1 has mean" in str(one.message) for one in said)
