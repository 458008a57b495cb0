r"""The functions that formulas are written with, in float64 and in any number of digits.

A formula is written once, over a namespace ``F`` of functions, and can then be evaluated by
:data:`FLOAT64` on tensors and by :data:`DIGITS` on numpy arrays of mpmath's numbers. The float64
functions are accurate where the textbook's expression cancels; those of :data:`DIGITS` are the
textbook's expressions, so each checks the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import scipy.special
import torch
from torch import Tensor

__all__ = ["DIGITS", "FLOAT64"]

_BERNOULLI = [Fraction(*mpmath.bernfrac(2 * k)) for k in range(1, 13)]  # B_2, B_4, ..., B_24
_NODES, _WEIGHTS = scipy.special.roots_legendre(8)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2  # on [0, 1]


def _powers(coefficients: Sequence[Fraction | float], x: Tensor) -> Tensor:
    """The polynomial with these coefficients, the constant one first."""
    total = torch.zeros_like(x)
    for c in reversed(coefficients):
        total = total * x + float(c)
    return total


class _Float64:
    """Functions of float64 tensors."""

    euler = float(np.euler_gamma)
    pi = math.pi
    one = torch.ones((), dtype=torch.float64)
    log = staticmethod(torch.log)
    exp = staticmethod(torch.exp)
    sqrt = staticmethod(torch.sqrt)
    lgamma = staticmethod(torch.lgamma)
    digamma = staticmethod(torch.digamma)
    erf = staticmethod(torch.erf)
    log1p = staticmethod(torch.log1p)
    ndtr = staticmethod(torch.special.ndtr)
    fixed = staticmethod(torch.detach)  # takes no part in the gradient

    @staticmethod
    def total(x: Tensor) -> Tensor:
        return x.sum(-1)

    @staticmethod
    def sums(x: Tensor) -> Tensor:
        return x.sum(-1, keepdim=True)

    @staticmethod
    def one_less_exp(y: Tensor) -> Tensor:
        r""":math:`(1 - e^{-y}) / y`."""
        zero = y == 0
        y = torch.where(zero, 1, y)
        return torch.where(zero, 1, -torch.expm1(-y) / y)

    @staticmethod
    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        r""":math:`\log(x / y)`."""
        near = (x - y).abs() <= y / 2
        close = torch.log1p(torch.where(near, x - y, 0) / torch.where(near, y, 1))
        return torch.where(
            near, close, torch.where(near, 1, x).log() - torch.where(near, 1, y).log()
        )

    @staticmethod
    def excess(x: Tensor, y: Tensor, gap: Tensor | None = None) -> Tensor:
        r""":math:`x/y - 1 - \log(x/y) \ge 0`; ``gap`` is x - y where it is known better."""
        gap = x - y if gap is None else gap
        near = gap.abs() <= y / 4
        u = torch.where(near, gap, 0) / torch.where(near, y, 1)
        # with w = u / (2 + u), log(1 + u) = 2 (w + w^3 / 3 + w^5 / 5 + ...) and u - 2 w = u w
        w = u / (2 + u)
        close = u * w - 2 * w**3 * _powers([1 / (2 * k + 3) for k in range(10)], w**2)
        x, y = torch.where(near, 2, x), torch.where(near, 1, y)
        return torch.where(near, close, torch.where(near, 1, gap) / y - (x.log() - y.log()))

    def mean_excess(self, low: Tensor, step: Tensor) -> Tensor:
        """By how much the mean logarithm on an interval is below that of its upper end."""
        zero = low == 0
        low = torch.where(zero, 1, low)
        return torch.where(zero, 1, self.excess(low + step, low, step) * (low / step))

    @staticmethod
    def exp_excess(w: Tensor) -> Tensor:
        r""":math:`e^w - 1 - w \ge 0`."""
        near = w.abs() <= 0.25
        v, w = torch.where(near, w, 0), torch.where(near, 1, w)
        close = v**2 * _powers([1 / math.factorial(k + 2) for k in range(12)], v)
        return torch.where(near, close, torch.expm1(w) - w)

    @staticmethod
    def cross(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        """a b - c d, with the rounding errors of both products put back."""
        value = a * b - c * d
        with torch.no_grad():
            error = _product_error(a, b) - _product_error(c, d)
        return value + torch.where(error.isfinite(), error, 0)

    @staticmethod
    def binet_excess(b: Tensor, a: Tensor) -> Tensor:
        r""":math:`\mu(b) - \mu(a) - (b - a) \mu'(a) \ge 0`, with Binet's convex function
        :math:`\mu(x) = \log\Gamma(x) - (x - \tfrac12) \log x + x - \tfrac12 \log 2\pi`.
        """
        near = (b - a).abs() <= a / 4
        start, step = torch.where(near, a, 1), torch.where(near, b - a, 0)
        close = _taylor_remainder(_binet_second, start, step)
        if bool(near.all()):
            return close
        b, a = torch.where(near, 2, b), torch.where(near, 1, a)
        return torch.where(near, close, _binet(b) - _binet(a) - (b - a) * _binet_first(a))

    @staticmethod
    def tilt(x: Tensor) -> Tensor:
        r""":math:`\log(\sinh(x/2) / (x/2))`, which is even."""
        x = x.abs()
        small = x < 1
        series = [b / (2 * k * math.factorial(2 * k)) for k, b in enumerate(_BERNOULLI, 1)]
        v, x = torch.where(small, x, 0), torch.where(small, 1, x)
        large = x / 2 + torch.log1p(-torch.exp(-x)) - x.log()
        return torch.where(small, v**2 * _powers(series, v**2), large)

    @staticmethod
    def tilt_first(x: Tensor) -> Tensor:
        r"""Its derivative, :math:`\tfrac12 \coth(x/2) - 1/x`."""
        small = x.abs() < 1
        series = [b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, 1)]
        v, x = torch.where(small, x, 0), torch.where(small, 1, x)
        size = x.abs()
        large = (0.5 + torch.exp(-size) / -torch.expm1(-size) - 1 / size) * x.sign()
        return torch.where(small, v * _powers(series, v**2), large)

    @staticmethod
    def tilt_second(x: Tensor) -> Tensor:
        r"""Its second derivative, :math:`1/x^2 - 1 / (4 \sinh^2(x/2))`."""
        small = x.abs() < 1
        series = [(2 * k - 1) * b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, 1)]
        v, x = torch.where(small, x, 0), torch.where(small, 1, x.abs())
        large = 1 / x**2 - torch.exp(-x) / torch.expm1(-x) ** 2
        return torch.where(small, _powers(series, v**2), large)

    def tilt_excess(self, b: Tensor, a: Tensor) -> list[Tensor]:
        """tilt(b) - tilt(a) - (b - a) tilt'(a), as addends."""
        near = (b - a).abs() <= a.abs().clamp(min=4) / 4
        start, step = torch.where(near, a, 0), torch.where(near, b - a, 0)
        close = _taylor_remainder(self.tilt_second, start, step)
        b, a = torch.where(near, 0, b), torch.where(near, 0, a)
        return [close, self.tilt(b), -self.tilt(a), -(b - a) * self.tilt_first(a)]


def _product_error(a: Tensor, b: Tensor) -> Tensor:
    """a b less its float64 value, exactly (Dekker's product)."""

    def halves(x: Tensor) -> tuple[Tensor, Tensor]:
        high = x * 134217729.0
        high = high - (high - x)
        return high, x - high

    (p, q), (r, s) = halves(a), halves(b)
    return ((p * r - a * b) + p * s + q * r) + q * s


def _taylor_remainder(second: Any, start: Tensor, step: Tensor) -> Tensor:
    """What the tangent at ``start`` leaves of a function with this second derivative.

    Taylor's remainder in integral form, by a Gauss rule that is exact to rounding because the
    step is short against the distance to the nearest singularity.
    """
    mean = torch.zeros_like(step)
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        mean = mean + weight * (1 - node) * second(start + node * step)
    return step**2 * mean


_LARGE = 10.0  # from here on Stirling's series is exact to rounding
_STIRLING = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:9], 1)]


def _binet(x: Tensor) -> Tensor:
    large = x >= _LARGE
    t = 1 / torch.where(large, x, _LARGE)
    x = torch.where(large, 1, x)
    small = torch.lgamma(x) - (x - 0.5) * x.log() + x - math.log(2 * math.pi) / 2
    return torch.where(large, t * _powers(_STIRLING, t**2), small)


def _binet_first(x: Tensor) -> Tensor:
    large = x >= _LARGE
    t = 1 / torch.where(large, x, _LARGE)
    x = torch.where(large, 1, x)
    series = [-c * (2 * k - 1) for k, c in enumerate(_STIRLING, 1)]
    small = torch.digamma(x) - x.log() + 0.5 / x
    return torch.where(large, t**2 * _powers(series, t**2), small)


def _binet_second(x: Tensor) -> Tensor:
    large = x >= _LARGE
    far = torch.where(large, x, x + _LARGE)
    t = 1 / far
    series = [c * (2 * k - 1) * 2 * k for k, c in enumerate(_STIRLING, 1)]
    result = t**3 * _powers(series, t**2)
    if bool(large.all()):
        return result
    # trigamma ten steps further on; torch's own is right to nine digits only
    x = torch.where(large, 1, x)
    trigamma = t + t**2 / 2 + result
    for k in range(int(_LARGE)):
        trigamma = trigamma + 1 / (x + k) ** 2
    return torch.where(large, result, trigamma - 1 / x - 0.5 / x**2)


def _each(function: Any) -> Any:
    """A function of numbers on numpy arrays of them."""
    return np.frompyfunc(function, function.__code__.co_argcount, 1)


class _Digits:
    """The same functions of numpy arrays of mpmath's numbers, to mpmath's working precision."""

    log = staticmethod(_each(lambda x: mpmath.log(x)))
    exp = staticmethod(_each(lambda x: mpmath.exp(x)))
    sqrt = staticmethod(_each(lambda x: mpmath.sqrt(x)))
    lgamma = staticmethod(_each(lambda x: mpmath.loggamma(x)))
    digamma = staticmethod(_each(lambda x: mpmath.digamma(x)))
    erf = staticmethod(_each(lambda x: mpmath.erf(x)))
    log1p = staticmethod(_each(lambda x: mpmath.log1p(x)))
    ndtr = staticmethod(_each(lambda x: mpmath.ncdf(x)))
    fixed = staticmethod(lambda x: x)
    one_less_exp = staticmethod(_each(lambda y: -mpmath.expm1(-y) / y if y else mpmath.mpf(1)))
    log_ratio = staticmethod(_each(lambda x, y: mpmath.log(x / y)))
    mean_excess = staticmethod(
        _each(lambda low, step: 1 - (mpmath.log1p(step / low) * low / step if low else 0))
    )
    exp_excess = staticmethod(_each(lambda w: mpmath.expm1(w) - w))
    tilt = staticmethod(_each(lambda x: mpmath.log(mpmath.sinh(x / 2) * 2 / x) if x else x))
    tilt_first = staticmethod(_each(lambda x: mpmath.coth(x / 2) / 2 - 1 / x if x else x))
    tilt_second = staticmethod(
        _each(lambda x: 1 / x**2 - mpmath.csch(x / 2) ** 2 / 4 if x else mpmath.mpf(1) / 12)
    )

    @property
    def one(self) -> Any:
        return mpmath.mpf(1)

    @property
    def euler(self) -> Any:
        return +mpmath.euler

    @property
    def pi(self) -> Any:
        return +mpmath.pi

    @staticmethod
    def total(x: Any) -> Any:
        return x.sum(-1)

    @staticmethod
    def sums(x: Any) -> Any:
        return x.sum(-1, keepdims=True)

    @staticmethod
    def cross(a: Any, b: Any, c: Any, d: Any) -> Any:
        return a * b - c * d

    @staticmethod
    def excess(x: Any, y: Any, gap: Any = None) -> Any:
        return x / y - 1 - _Digits.log(x / y)

    @staticmethod
    def binet_excess(b: Any, a: Any) -> Any:
        def binet(x: Any) -> Any:
            return _Digits.lgamma(x) - (x - mpmath.mpf(0.5)) * _Digits.log(x) + x

        slope = _Digits.digamma(a) - _Digits.log(a) + 1 / (2 * a)
        return binet(b) - binet(a) - (b - a) * slope

    def tilt_excess(self, b: Any, a: Any) -> list[Any]:
        return [self.tilt(b), -self.tilt(a), -(b - a) * self.tilt_first(a)]


FLOAT64: Any = _Float64()
DIGITS: Any = _Digits()
