"""Settings of all kinds: a plain number comes back, or an error that names what was given."""

import inspect
import math
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest
import torch

from divergences.checks import boolean, positive_number, seed_number, whole_number
from divergences.comparison.two_sample_test import TwoSampleTest
from divergences.estimator import Estimator
from tests.every_estimator import classes_of

NO_NUMBERS = [None, "3", b"3", [3], (3,), {}, np.ones(2), torch.ones(2), True, np.True_, 2 + 1j]
NO_NUMBERS += [torch.tensor(True), object(), np.array("3"), torch.tensor(2 + 1j)]


@pytest.mark.parametrize("value", [*NO_NUMBERS, 3.0, math.nan, torch.tensor(3.0)], ids=repr)
def test_no_integer_is_a_type_error_that_names_it(value):
    with pytest.raises(TypeError, match=r"k = .*: it must be an integer"):
        whole_number("k", value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_no_number_is_a_type_error_that_names_it(value):
    with pytest.raises(TypeError, match=r"h = .*: it must be a number above 0"):
        positive_number("h", value)


@pytest.mark.parametrize("value", [0, -1, 2**62 + 1, 10**400])
def test_an_integer_out_of_range_is_named(value):
    with pytest.raises(ValueError, match=r"k = .*: it must be at"):
        whole_number("k", value)


@pytest.mark.parametrize(
    "value", [0, -0.0, -1, math.nan, math.inf, -math.inf, 10**400, torch.tensor(math.nan)]
)
def test_a_number_that_is_not_finite_and_positive_is_named(value):
    with pytest.raises(ValueError, match=r"h = .*: it must be a finite number above 0"):
        positive_number("h", value)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_integers_of_every_kind_come_back_as_int(value):
    found = whole_number("k", value)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize(
    "value", [3, 3.0, np.float32(3), np.int64(3), Fraction(3), torch.tensor(3.0), np.array(3.0)]
)
def test_numbers_of_every_kind_come_back_as_float(value):
    found = positive_number("h", value)
    assert (found, type(found)) == (3.0, float)


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_a_seed_is_what_a_generator_takes(value):
    torch.Generator().manual_seed(seed_number("seed", value))
    with pytest.raises(ValueError, match="seed = "):
        seed_number("seed", 2**70)


def test_only_true_and_false_are_boolean():
    assert boolean("floor", False) is False
    for value in (None, 0, 1, "yes", np.ones(2)):
        with pytest.raises(TypeError, match=r"floor = .*: it must be True or False"):
            boolean("floor", value)


NEEDED = {"train": torch.randn(20, 1), "log_prob": lambda x: -x.square().sum(-1)}
NUMBERS = [
    (kind, field.name)
    for base in (Estimator, TwoSampleTest)
    for kind in classes_of(base)
    for field in fields(kind)  # pyright: ignore
    if field.init and isinstance(field.default, int | float)
]


@pytest.mark.parametrize(
    ("kind", "name"), NUMBERS, ids=[f"{kind.__name__}.{name}" for kind, name in NUMBERS]
)
@pytest.mark.parametrize("wrong", ["1", [1.0], {}, math.nan, math.inf, 10**400, -1.5], ids=repr)
def test_every_number_of_estimators_and_tests_is_looked_at_when_they_are_made(kind, name, wrong):
    given = {n: NEEDED[n] for n in inspect.signature(kind).parameters if n in NEEDED}
    with pytest.raises((TypeError, ValueError), match=f"^{name} = "):
        kind(**given, **{name: wrong})
