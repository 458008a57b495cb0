r"""The functions that formulas are written with, in any number of digits.

They are the textbook's expressions, on numpy arrays of mpmath's numbers, to mpmath's working
precision.
"""

from typing import Any

import mpmath
import numpy as np

__all__ = ["DIGITS", "numbers"]


def numbers(x: Any) -> Any:
    """mpmath's numbers in place of float64: one, or an array of them."""
    return np.vectorize(mpmath.mpf, otypes=[object])(x)[()]


def _each(function: Any) -> Any:
    """A function of numbers on numpy arrays of them."""
    return np.frompyfunc(function, function.__code__.co_argcount, 1)


class _Digits:
    slack = 1.0
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
    def binet_excess(b: Any, a: Any, gap: Any = None) -> tuple[Any, Any]:
        def binet(x: Any) -> Any:
            return _Digits.lgamma(x) - (x - mpmath.mpf(0.5)) * _Digits.log(x) + x

        slope = _Digits.digamma(a) - _Digits.log(a) + 1 / (2 * a)
        value = binet(b) - binet(a) - (b - a) * slope
        return value, abs(value)

    def lgamma_excess(self, x: Any, y: Any) -> tuple[Any, Any]:
        value = self.lgamma(x / y) + self.euler * (x - y) / y
        return value, abs(value)

    def tilt_excess(self, b: Any, a: Any) -> list[Any]:
        return [self.tilt(b), -self.tilt(a), -(b - a) * self.tilt_first(a)]


DIGITS: Any = _Digits()
