"""The functions that exact formulas are written with keep the errors that they state.

In many digits they are compared with integrals, and in float64 with themselves in many digits.
"""

import math
import random
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import distributions as td

from divergences.exact import evaluation, kl_divergence
from divergences.exact.digits import DIGITS, numbers
from divergences.exact.float64 import FLOAT64, ROUNDINGS
from divergences.exact.quick import quick_for
from tests.divergences.test_exact_everywhere import LINE, law, nearly

mpf: Any = mpmath.mpf
SPACES = {"float64": FLOAT64, "for float32": quick_for(1e-8), "for float64": quick_for(1e-12)}


def binet_kernel(t: Any) -> Any:
    return (mpf(1) / 2 - 1 / t + 1 / mpmath.expm1(t)) / t


def half_sinh_moment(x, k) -> Any:
    """Of t on [-1/2, 1/2], with a density in proportion to exp(x t)."""
    return mpmath.quad(lambda t: t**k * mpmath.exp(x * t), [mpf(-1) / 2, 0, mpf(1) / 2])


def variance(x):
    mass, first, second = (half_sinh_moment(x, k) for k in range(3))
    return second / mass - (first / mass) ** 2


def mean_log(low, step) -> Any:
    return mpmath.quad(mpmath.log, [low, low + step / 8, low + step]) / step


INTEGRALS: dict[str, Any] = {
    "one_less_exp": lambda y: mpmath.quad(lambda t: mpmath.exp(-y * t), [0, 1]),
    "log_ratio": lambda x, y: mpmath.quad(lambda t: 1 / t, [y, x]),
    "excess": lambda x, y: mpmath.quad(lambda t: 1 - 1 / t, [1, x / y]),
    "mean_excess": lambda low, step: mpmath.log(low + step) - mean_log(low, step),
    "exp_excess": lambda w: mpmath.quad(mpmath.expm1, [0, w]),
    "tilt": lambda x: mpmath.log(half_sinh_moment(x, 0)),
    "tilt_first": lambda x: half_sinh_moment(x, 1) / half_sinh_moment(x, 0),
    "tilt_second": variance,
    "binet_excess": lambda b, a: mpmath.quad(
        lambda t: binet_kernel(t) * mpmath.exp(-a * t) * (mpmath.expm1((a - b) * t) + (b - a) * t),
        [0, 1, 8, mpmath.inf],
    ),
    "lgamma_excess": lambda x, y: mpmath.quad(
        lambda t: mpmath.digamma(t) + mpmath.euler, [1, x / y]
    ),
}  # fmt: skip
SIGNED = ("exp_excess", "tilt", "tilt_first", "tilt_second", "tilt_excess")


def arity(name):
    return 1 if name in ("one_less_exp", "exp_excess", *SIGNED[1:4]) else 2


def added(found, slack) -> tuple[Any, Any]:
    """The sum of addends, and the sum of the sizes that their errors are relative to."""
    addends = found if isinstance(found, list) else [found]
    pairs = [x if isinstance(x, tuple) else (x, abs(x) * slack) for x in addends]
    return sum(x for x, _ in pairs), sum(size for _, size in pairs)


@pytest.mark.parametrize("name", INTEGRALS)
def test_in_many_digits_they_are_integrals(name):
    r = random.Random(name)
    with mpmath.workdps(30):
        for size in (0.3, 1, 1.5):
            given = [mpf(10 ** r.uniform(-size, size)) for _ in range(arity(name))]
            given[0] *= r.choice([-1, 1]) if name in SIGNED else 1
            value, _ = added(getattr(DIGITS, name)(*map(numbers, given)), 1)
            expected = INTEGRALS[name](*given)
            assert abs(value - expected) < mpf(10) ** -20 * (1 + abs(expected)), given


def drawn(name, count=300):
    """Arguments over twelve orders of magnitude; of two, half are close to each other."""
    r = np.random.default_rng(len(name))
    first = 10 ** r.uniform(-6, 3 if name in SIGNED else 6, count)
    if name == "exp_excess":
        first = np.minimum(first, 300)
    if name in SIGNED:
        first *= r.choice([-1, 1], count)
    near = first * (1 + 10 ** r.uniform(-14, 0, count) * r.uniform(-1, 1, count))
    far = np.abs(first) * 10 ** r.uniform(-2, 2, count)
    second = np.where(r.random(count) < 0.5, near, far)
    return (first, second)[: arity(name)]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", [*INTEGRALS, "tilt_excess"])
def test_in_float64_their_errors_are_what_they_state(name, space):
    F, given = SPACES[space], drawn(name)
    value, size = added(getattr(F, name)(*map(torch.from_numpy, given)), F.slack)
    with mpmath.workdps(60):
        right, _ = added(getattr(DIGITS, name)(*map(numbers, given)), 1)
    error = np.abs(value.numpy() - right.astype(float))
    known = np.isfinite(value.numpy())
    assert (error <= 2 * ROUNDINGS * size.numpy())[known].all()
    assert known.all() or space != "float64"
    assert known.mean() > 0.5


def drawn_pair(r):
    """Two laws of one family or of two, of which some are close to each other."""
    size, kind = r.choice([0.3, 1, 3, 6]), r.choice(["line", "near", "Dirichlet"])
    if kind == "Dirichlet":
        a, b = (torch.tensor([10 ** r.uniform(-size, size) for _ in range(4)]) for _ in range(2))
        a, b = a.double(), r.choice([nearly(r, a.double(), torch.float64), b.double()])
        return td.Dirichlet(a), td.Dirichlet(b)
    first, second = r.choice(sorted(LINE)), r.choice(sorted(LINE))
    if kind == "line" or first == "uniform":
        return law(first, r, size, torch.float64)[0], law(second, r, size, torch.float64)[0]
    make, draw, *_ = LINE[first]
    parameters = torch.tensor(draw(r, size), dtype=torch.float64)
    return make(*parameters), make(*nearly(r, parameters, torch.float64))


def test_a_formula_is_as_exact_as_its_addends_say(monkeypatch):
    """In float64 with each set of functions, against hundreds of digits."""
    r, used = random.Random(0), []
    tried = evaluation._tried
    monkeypatch.setattr(evaluation, "_tried", lambda *given: used.append(given) or tried(*given))
    for _ in range(300):
        try:
            kl_divergence(*drawn_pair(r))
        except (NotImplementedError, ValueError):
            used.clear()
        for F, formula, rows, _ in used:
            value, size = evaluation._added(F.slack, formula(F, *rows))
            if not value.numel() or not math.isfinite(value):
                continue
            with mpmath.workdps(200):
                parameters = [numbers(x[0].numpy()) for x in rows]
                right, _ = evaluation._added(1, formula(DIGITS, *parameters))
                assert abs(mpf(value.item()) - right) <= 4 * ROUNDINGS * mpf(float(size)), rows
        used.clear()


@pytest.mark.parametrize("scale", [1.0, 1e150, 1e305])
def test_a_difference_of_products_keeps_its_digits(scale):
    """Also where the parts of a product are too large to be split."""
    r = random.Random(0)
    for _ in range(50):
        a, b, c = r.uniform(1, 2) * scale, r.uniform(1, 2) / scale, r.uniform(1, 2)
        d = a * b / c
        exactly = Fraction(a) * Fraction(b) - Fraction(c) * Fraction(d)
        tensors = (torch.tensor(x, dtype=torch.float64) for x in (a, b, c, d))
        value = FLOAT64.cross(*tensors).item()
        rounding = 2**-53 * abs(exactly) if scale < 1e200 else 4 * 2**-53 * a * b
        assert abs(Fraction(value) - exactly) <= rounding
        assert math.isfinite(value)
