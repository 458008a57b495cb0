"""What an estimate prints, and what it says of its samples."""

import inspect
import math

import pytest
import torch

import divergences as dv
from divergences import (
    Critic,
    EarthMover,
    EnergyDistance,
    Estimate,
    HistogramJS,
    RossJS,
)
from divergences.estimate import QUANTITIES
from divergences.estimator import Estimator, check_samples
from divergences.sample_warnings import impossible
from tests.every_estimator import subclasses


def estimate(value, low, high, **more):
    numbers = (torch.tensor(number, dtype=torch.float64) for number in (value, 0.1, low, high))
    value, stderr, *ends = numbers
    return Estimate(value, stderr, tuple(ends), **more)


NAN, INF = math.nan, math.inf
PRINTED = {
    "KL(x‖y) = 0.63 nats, 95 % [0.47, 0.76]": estimate(0.6312, 0.4712, 0.7612, quantity="kl"),
    "TV(x, y) = 1000.12, 95 % [1000.00, 1000.24]": estimate(1000.123, 1e3, 1000.24, quantity="tv"),
    "JS(x, y) = 3.0e-09 nats, 95 % [1.0e-09, 5.0e-09]": estimate(3e-9, 1e-9, 5e-9, quantity="js"),
    "KL(x‖y) = inf nats, 95 % [3.000, inf]": estimate(INF, 3.0, INF, quantity="kl"),
    "KL(x‖y) = inf nats, 95 % [inf, inf]": estimate(INF, INF, INF, quantity="kl"),
    "W1(x, y) = 0.50 in the unit of the data, a lower bound, 95 % [0.20, inf]": estimate(
        0.5, 0.2, INF, quantity="w1", bound="lower"
    ),
    "W1(x, y) = 0.50 in the unit of the data, 95 % [0.20, 0.80], 0.12 between equal laws": (
        estimate(0.5, 0.2, 0.8, quantity="w1", floor=torch.tensor(0.1234, dtype=torch.float64))
    ),
    "KL(x‖y): no estimate": estimate(NAN, 0.0, 1.0, quantity="kl"),
    "JS(x, y) = 0.000 nats, 95 % [0.000, 0.000]": estimate(0.0, 0.0, 0.0, quantity="js"),
    "estimate = 0.5000, no interval": estimate(0.5, NAN, NAN),
}


@pytest.mark.parametrize(("text", "found"), PRINTED.items())
def test_one_line_names_quantity_direction_unit_and_interval(text, found):
    assert str(found) == text


def test_members_have_a_line_each_and_warnings_come_below():
    found = Estimate(torch.tensor([1.0, 2.0]), torch.tensor([0.1, 0.1]), warnings=("rough", "few"))
    first, second, *warnings = str(found).splitlines()
    assert (first[:9], second[:9]) == ("member 0:", "member 1:")
    assert warnings == ["  warning: rough", "  warning: few"]


def test_an_estimator_names_the_papers_of_its_docstring():
    assert Critic.references == ("https://arxiv.org/abs/1701.07875",)
    assert len(EarthMover.references) == 2


def test_every_quantity_that_an_estimator_names_has_a_symbol():
    named = {kind.quantity for kind in subclasses(Estimator) if hasattr(kind, "quantity")}
    assert named <= set(QUANTITIES)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_number_is_not_rounded_to_half_precision(dtype):
    x = torch.tensor([[0.0], [1.0], [3.0]], dtype=dtype)
    found = EarthMover(floor=False)(x, x + 0.25 + x / 4)
    assert found.value.dtype == torch.float32
    assert float(found.value) == pytest.approx(0.25 + 1 / 3, rel=1e-6)


def test_samples_on_two_devices_are_refused():
    with pytest.raises(ValueError, match="x is on cpu and y on meta; move one"):
        check_samples(torch.zeros(4, 2), torch.zeros(4, 2, device="meta"))


def test_a_remedy_for_points_on_the_line_is_named_where_it_helps():
    y = torch.zeros(4, 1)
    with pytest.raises(ValueError, match=r"x has shape \(4,\); .* use x\[:, None\] for points on"):
        check_samples(torch.zeros(4), y)
    check_samples(torch.zeros(4)[:, None], y)
    with pytest.raises(ValueError, match=r"x has shape \(\); .* for K pairs$"):
        check_samples(torch.tensor(1.0), y)


def cloud(seed, n=60, d=2):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()


FAR, NEAR = 1e3, 0.0
AT_THEIR_LARGEST = {
    "js": (dv.HistogramJS(), FAR), "tv": (dv.HistogramTV(), FAR), "mmd": (dv.MMD(100.0), FAR),
    "c2st_accuracy": (dv.ClassifierAccuracy(), FAR), "c2st_auc": (dv.ClassifierAUC(), FAR),
    "authenticity": (dv.Authenticity(), FAR), "data_copying": (dv.DataCopying(cloud(2)), FAR),
    "precision": (dv.Precision(), NEAR), "recall": (dv.Recall(), NEAR),
    "coverage": (dv.Coverage(), NEAR),
}  # fmt: skip


@pytest.mark.parametrize("quantity", AT_THEIR_LARGEST)
def test_the_largest_value_of_a_quantity_is_reached_and_not_passed(quantity):
    estimator, apart = AT_THEIR_LARGEST[quantity]
    found = estimator(cloud(0), cloud(0 if apart == NEAR else 1) + apart)
    assert estimator.quantity == quantity
    assert float(found.value) == pytest.approx(QUANTITIES[quantity].largest, rel=0.04)


def test_quantities_have_the_largest_values_of_their_convex_functions():
    kinds = subclasses(dv.f_divergences.ConvexGenerator)
    for f in (kind() for kind in kinds if not inspect.isabstract(kind) and kind.__doc__):
        if f.quantity in QUANTITIES:
            assert QUANTITIES[f.quantity].largest == pytest.approx(f.supremum), f


HALF, PAIR = torch.tensor(0.5), torch.ones(2)


@pytest.mark.parametrize(
    "numbers",
    [
        {"value": 0.5, "stderr": 0.1},
        {"value": [0.5], "stderr": HALF},
        {"value": torch.tensor(1), "stderr": HALF},
        {"value": HALF, "stderr": None},
        {"value": HALF, "stderr": HALF, "floor": 0.0},
        {"value": HALF, "stderr": HALF, "ci": (0.1, 0.9)},
        {"value": HALF, "stderr": HALF, "warnings": "one sentence"},
    ],
    ids=repr,
)
def test_an_estimate_of_anything_but_tensors_is_refused(numbers):
    with pytest.raises(TypeError, match=r"(value|stderr|floor|ci|warnings).* (is|are|must be) "):
        Estimate(**numbers)


@pytest.mark.parametrize("numbers", [{"stderr": PAIR}, {"floor": PAIR}, {"ci": (HALF, PAIR)}])
def test_an_estimate_has_one_number_for_each_member(numbers):
    with pytest.raises(ValueError, match=r"\(2,\) and value \(\)"):
        Estimate(**{"value": HALF, "stderr": HALF} | numbers)


def points(n, seed):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


def test_a_sample_that_repeats_its_points_is_said():
    """Twice the points say no more than they did: each interval would be as of twice the size."""
    x, y = points(200, 0), points(300, 1)
    twice = torch.cat([x, x])
    for estimator in (EarthMover(floor=False), EnergyDistance()):
        assert not any("repeated points" in w for w in estimator(x, y).warnings)
        for pair in ((twice, y), (y, twice), (twice[None], y[None])):
            assert any("repeated points" in w for w in estimator(*pair).warnings)
        lattice = [(4 * sample).round() for sample in (x, y)]
        assert not any("repeated points" in w for w in estimator(*lattice).warnings)
        atoms = x.sign()
        assert not any("repeated points" in w for w in estimator(atoms, y).warnings)


@pytest.mark.parametrize("noise", [1e-13, 1e-5, 1e-2])
@pytest.mark.parametrize("estimator", [HistogramJS(), RossJS()], ids=["grid", "neighbours"])
def test_an_interval_of_values_that_cannot_be_is_said(estimator, noise):
    """A sample and a copy of it with a little noise are more alike than independent draws."""
    x = torch.randn(150, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = estimator(x, x + noise)
    assert found.ci[1] < 0
    assert "is never below 0" in found.warnings[-1]
    y = torch.randn(150, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert not estimator(x, y).warnings
    both = estimator(torch.stack([x, x]), torch.stack([y, x + noise]))
    assert "is never below 0" in both.warnings[-1]


def test_an_interval_above_the_largest_value_is_said_of_one_member_of_several():
    ends = torch.tensor([0.1, 0.9, NAN]), torch.tensor([0.2, 1.0, NAN])
    found = Estimate(torch.tensor([0.1, 0.95, NAN]), torch.tensor([0.1, 0.1, NAN]), ci=ends)
    assert "begins at 0.9, and JS(x, y) is never above 0.693" in impossible(found, "js")[0]
    assert impossible(found, "kl") == impossible(found, "anybody's") == ()


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_least_and_the_largest_value_are_possible(quantity):
    for value in (QUANTITIES[quantity].least, QUANTITIES[quantity].largest):
        assert impossible(estimate(value, value, value), quantity) == ()


def test_a_value_with_a_gradient_is_a_number_without_a_word():
    value = torch.tensor(0.5, requires_grad=True)
    assert float(Estimate(value, torch.tensor(0.1))) == 0.5


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, torch.bool], ids=str)
def test_tensors_of_other_than_floating_point_numbers_are_named(dtype):
    whole, real = torch.zeros(5, 2, dtype=dtype), torch.zeros(5, 2)
    for pair, name in (((whole, real), "x"), ((real, whole), "y")):
        with pytest.raises(TypeError, match=f"{name} has dtype {dtype}; convert it with"):
            check_samples(*pair)
