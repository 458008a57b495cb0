"""The bound by potentials of the other half: below W1 in expectation, and not far below."""

import math

import pytest
import torch

from divergences.samples import held_out_dual
from divergences.samples.earth_mover import EarthMover
from divergences.samples.held_out_dual import HeldOutDual, _correlation, _halves
from scripts.lab.known_pairs import CASES
from tests.repeated_samples import calibrate

KNOWN = [case for case in CASES if case.w1 is not None]


def readings(case, n, repeats):
    return torch.stack([
        HeldOutDual()(*(z.float() for z in case.draw(n, seed))).value for seed in range(repeats)
    ]).double()  # fmt: skip


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.id)
def test_its_expectation_is_at_most_w1(case):
    read = readings(case, 64, 60)
    assert read.mean() <= case.w1 + 3 * read.std() / 60**0.5 + 1e-6


@pytest.mark.parametrize("case", [c for c in KNOWN if c.dim <= 2], ids=lambda case: case.id)
def test_it_comes_close_in_few_dimensions(case):
    few, many = readings(case, 64, 20), readings(case, 512, 10)
    spread = (few.var() / 20 + many.var() / 10).sqrt()
    assert many.mean() > few.mean() - 3 * spread
    if case.w1 > 0.5:
        assert many.mean() > 0.85 * case.w1


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.id)
def test_its_interval_starts_below_w1(case):
    """Nominal 97.5 %: a side of a 95 % interval. Of 60, fewer than 54 have probability .001."""
    assert calibrate(HeldOutDual(), case, case.w1, 64, 60).coverage >= 54 / 60


@pytest.mark.parametrize("d", [1, 2, 7])
@pytest.mark.parametrize("n", [16, 31])
def test_duality_on_the_samples_themselves(n, d):
    """No function of slope 1 tells two point sets further apart than transport between them."""
    generator = torch.Generator().manual_seed(d)
    x, y = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    in_x, in_y = _halves(x, 0), _halves(y * 3, 1)
    halves = [EarthMover(floor=False)(in_x[i], in_y[i]).value for i in range(2)]
    assert HeldOutDual()(x, y * 3).value <= sum(halves) / 2 + 1e-9


def test_between_segments_it_is_their_distance():
    """x = 0 and x = theta, heights in [0, 1]: transport goes straight across, W1 = theta."""
    heights = torch.rand(2, 512, 1, generator=torch.Generator().manual_seed(0)).double()
    x, y = (
        torch.cat([torch.full_like(h, at), h], -1)
        for h, at in zip(heights, (0.0, 0.5), strict=True)
    )
    assert HeldOutDual()(x, y).value.item() == pytest.approx(0.5, abs=0.02)


def test_members_are_read_alone_and_scale_with_the_unit():
    x, y = torch.randn(2, 3, 40, 2, generator=torch.Generator().manual_seed(1)).double()
    together = HeldOutDual()(x, y + 1)
    for k in range(3):
        alone = HeldOutDual()(x[k], y[k] + 1)
        torch.testing.assert_close(together.value[k], alone.value)
        torch.testing.assert_close(together.stderr[k], alone.stderr)
    torch.testing.assert_close(HeldOutDual()(7 * x, 7 * (y + 1)).value, 7 * together.value)
    assert together.ci[1].isinf().all()


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="at least 4 points"):
        HeldOutDual()(torch.zeros(3, 2), torch.zeros(9, 2))


LAWS = {
    "equal": (lambda z: z, lambda z: z),
    "equal, skewed": (torch.exp, torch.exp),
    "shifted": (lambda z: z, lambda z: z + torch.tensor([2.0, 0.0])),
    "wider": (lambda z: z, lambda z: 2 * z),
}


@pytest.mark.parametrize(("of_x", "of_y"), LAWS.values(), ids=LAWS)
def test_its_standard_error_is_its_spread(of_x, of_y):
    """Within [.85, 1.2], but for the 4 % that the spread of 300 repeats is known to. Where the
    laws are alike, the errors of the halves are. Just apart, potentials of halves vary more."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 300, 48, 2, generator=generator, dtype=torch.float64)
    read = HeldOutDual()(of_x(x), of_y(y))
    assert 0.85 / 1.08 < (read.stderr.mean() / read.value.std()).item() < 1.2 * 1.08


def test_potentials_that_agree_within_both_samples_are_correlated():
    """Stretched along either axis by as much, both samples together vary alike in all directions:
    the correlation of linear functions is the cosine of the angle between their slopes."""
    circle = torch.linspace(0, 2 * math.pi, 13, dtype=torch.float64)[:-1]
    wide = torch.stack([3 * circle.cos(), circle.sin()], 1)
    sides = wide, wide.flip(1) + 5
    for angle in (0.0, 0.3, 1.0, 2.0):
        slope = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        potentials = [lambda z: 2 * z[:, 0] + 1, lambda z, slope=slope: z @ slope]
        assert float(_correlation(potentials, sides)) == pytest.approx(max(0, math.cos(angle)))
    assert float(_correlation([lambda z: z[:, 0], lambda z: 0 * z[:, 0]], sides)) == 0


@pytest.mark.parametrize("law", [lambda z: z, torch.exp, lambda z: z.sign() + 0.01 * z])
def test_between_equal_laws_its_interval_starts_above_0_as_rarely_as_it_says(law):
    """At most in 2.5 %; of 300, more than 15 have probability .007."""
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 300, 40, 2, generator=generator, dtype=torch.float64)
    assert (HeldOutDual()(law(x), law(y)).ci[0] > 0).sum() <= 15


# --- order, units, tails, work


def orders(z: torch.Tensor) -> dict[str, torch.Tensor]:
    by_first = z[z[:, 0].argsort()]
    low, high = by_first.tensor_split(2)
    return {"sorted": by_first, "alternating": torch.stack([low, high], 1).flatten(0, 1)}


@pytest.mark.parametrize("order", ["sorted", "alternating"])
def test_the_order_of_points_means_nothing(order):
    """Halves of a file in turn would each be one side of the plane."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        x, y = torch.randn(2, 200, 2, generator=generator, dtype=torch.float64)
        plain, other = (
            HeldOutDual()(x, y + 1),
            HeldOutDual()(*(orders(z)[order] for z in (x, y + 1))),
        )
        assert abs(float(other.value) - float(plain.value)) < 3 * float(plain.stderr)
        assert float(other.value) > 0.8


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e6, 1e160])
def test_the_unit_and_the_origin_change_nothing_else(scale):
    x, y = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    here, there = HeldOutDual()(x, y + 1), HeldOutDual()(scale * (x + 3), scale * (y + 4))
    for field in ("value", "stderr"):
        read = float(getattr(there, field)) / scale
        assert read == pytest.approx(float(getattr(here, field)), rel=1e-6)


def test_heavy_tails_are_said_and_light_ones_are_not():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 20, 200, 2, generator=generator, dtype=torch.float64)
    assert len(HeldOutDual()(x, y + 1).warnings) <= 1
    heavy = HeldOutDual()(x / y[..., :1], y / x[..., :1] * 3)
    assert len([w for w in heavy.warnings if "rests on few" in w]) >= 17


def test_more_pairs_than_stated_are_refused_before_work():
    x, y = torch.zeros(40, 2), torch.ones(30, 2)
    assert HeldOutDual(most_pairs=1200)(x, y).value.isfinite()
    with pytest.raises(ValueError, match="more than most_pairs"):
        HeldOutDual(most_pairs=1199)(x, y)
    with pytest.raises(ValueError, match="more than most_pairs"):
        HeldOutDual()(torch.zeros(10**5, 2), torch.zeros(10**5, 2))


def test_values_do_not_depend_on_how_many_distances_are_in_memory(monkeypatch):
    x, y = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = HeldOutDual()(x, y)
    monkeypatch.setattr(held_out_dual, "AT_ONCE", 60)
    assert HeldOutDual()(x, y).value == whole.value


@pytest.mark.parametrize("setting", ["max_iterations", "most_pairs"])
@pytest.mark.parametrize("wrong", [None, "1", True, 1.5, 0, -1])
def test_names_a_setting_of_another_kind(setting, wrong):
    with pytest.raises((TypeError, ValueError), match=f"{setting} = "):
        HeldOutDual(**{setting: wrong})
