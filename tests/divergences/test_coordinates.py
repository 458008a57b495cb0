import pytest
import torch

from divergences.samples.coordinates import standardised
from divergences.samples.units import coarse


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


X, Y = normal(400, 3, 0), normal(300, 3, 1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, -1e6])
def test_units_and_offsets_do_not_matter(scale, offset):
    units = scale * torch.tensor([12.0, 20000.0, 0.01]).double()
    plain, other = standardised(X, Y), standardised(units * (X + offset), units * (Y + offset))
    for a, b in zip(plain[:2], other[:2], strict=True):
        torch.testing.assert_close(a, b, atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(other.scale, plain.scale * units)


@pytest.mark.parametrize("far", [1e2, 1e4, 1e8, 1e300])
def test_an_outlier_sets_neither_scale_nor_resolution(far):
    x = X.clone()
    x[7] = far
    plain, other = standardised(X, Y), standardised(x, Y)
    torch.testing.assert_close(plain.y, other.y, atol=0.05, rtol=0.05)
    assert (other.resolution < 1e-14).all()


@pytest.mark.parametrize(
    ("rounded", "step"),
    [
        pytest.param(lambda z: z.float(), 2e-7, id="float32"),
        pytest.param(lambda z: z.float().double(), 2e-7, id="float32 in float64"),
        pytest.param(lambda z: z.half().float(), 2e-3, id="half in float32"),
        pytest.param(lambda z: (z * 100).round() / 100, 1e-2, id="two decimals"),
        pytest.param(lambda z: (z + 3e5).float(), 2**-5, id="far from 0 in float32"),
        pytest.param(lambda z: (z + 1e6).float().double() - 1e6, 2**-4, id="brought back to 0"),
    ],
)
def test_the_resolution_is_that_of_the_numbers_not_of_the_tensor(rounded, step):
    found = standardised(rounded(X), rounded(Y)).resolution
    assert ((found > step / 2.5) & (found < 2.5 * step)).all()


def test_coordinates_have_resolutions_of_their_own():
    x, y = (torch.cat([z[:, :1] + 1e6, 1e-3 * z[:, 1:2]], 1).float() for z in (X, Y))
    far, near = standardised(x, y).resolution[0].tolist()
    assert far == pytest.approx(2**-4, rel=1)
    assert near == pytest.approx(2e-7, rel=1)


def test_columns_that_vary_little_or_not_keep_their_points():
    constant = standardised(torch.ones(9, 1).double(), torch.ones(5, 1).double())
    assert constant.scale == 1
    assert (constant.x == 0).all()
    apart = standardised(torch.zeros(9, 1), torch.full((9, 1), 1e-6))
    assert float(apart.y[0] - apart.x[0]) == pytest.approx(1)
    assert apart.resolution < 1e-6
    mostly_zero = standardised(X * (X > 1.5), Y * (Y > 1.5))
    assert (mostly_zero.scale > 0.01).all()


def test_members_are_standardised_one_by_one():
    x, y = torch.stack([X, 10 * X]), torch.stack([Y, 10 * Y])
    together = standardised(x, y)
    for k in range(2):
        for a, b in zip(together, standardised(x[k], y[k]), strict=True):
            torch.testing.assert_close(a[k], b)


def test_the_scale_of_a_constant_column_is_the_gap_and_not_one_far_point():
    x, y = torch.zeros(50, 1), torch.ones(50, 1)
    y[0] = 1e4
    assert standardised(x, y).scale.item() == 1.0


@pytest.mark.parametrize("unit", [2.0**-40, 1.0, 2.0**40])
def test_how_much_rounding_may_move_points_goes_with_the_unit(unit):
    """Up to a millionth of their extent; single precision moves them by 6e-8 of their size."""
    for offset, said in ((9.0, False), (29.0, True)):
        x = (unit * (offset + torch.linspace(0, 1, 50)[:, None])).float()
        assert bool(coarse(x, x, 0.0)) == said
