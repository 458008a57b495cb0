r"""The functions that formulas are written with, in float64.

Each is accurate to a few roundings, also where the textbook's expression cancels.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import scipy.special
import torch
from torch import Tensor

__all__ = ["FLOAT64", "ROUNDINGS", "Float64", "binet"]

ROUNDINGS = 8 * 2.0**-53  # of an addend, relative to its size
_BERNOULLI = [Fraction(*mpmath.bernfrac(2 * k)) for k in range(1, 17)]  # B_2, B_4, ..., B_32
_NODES, _WEIGHTS = scipy.special.roots_legendre(8)
_NODES, _WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2  # on [0, 1]


def _powers(coefficients: Sequence[Fraction | float], x: Tensor) -> Tensor:
    """The polynomial with these coefficients, the constant one first."""
    total = torch.zeros_like(x)
    for c in reversed(coefficients):
        total = total * x + float(c)
    return total


class Float64:
    """Functions of float64 tensors."""

    slack = 1.0  # by what the error of a function may exceed ROUNDINGS
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
        return x @ x.new_ones(x.shape[-1])  # faster than a sum over few elements

    def sums(self, x: Tensor) -> Tensor:
        return self.total(x).unsqueeze(-1)

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
        x, y = torch.where(near, 1, x), torch.where(near, 1, y)
        return torch.where(near, close, _log_of_ratio(x, y))

    @staticmethod
    def excess(x: Tensor, y: Tensor, gap: Tensor | None = None) -> Tensor:
        r""":math:`x/y - 1 - \log(x/y) \ge 0`; ``gap`` is x - y where it is known better."""
        gap = x - y if gap is None else gap
        near = gap.abs() <= y / 4
        u = torch.where(near, gap, 0) / torch.where(near, y, 1)
        # with w = u / (2 + u), log(1 + u) = 2 (w + w^3 / 3 + w^5 / 5 + ...) and u - 2 w = u w
        w = u / (2 + u)
        close = u * w - 2 * w**3 * _powers([1 / (2 * k + 3) for k in range(10)], w**2)
        x, y, u = torch.where(near, 2, x), torch.where(near, 1, y), torch.where(near, 1, gap) / y
        more = u > -0.5
        log = torch.where(more, torch.log1p(torch.where(more, u, 0)), _log_of_ratio(x, y))
        return torch.where(near, close, u - log)

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
    def binet_excess(b: Tensor, a: Tensor, gap: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r""":math:`\mu(b) - \mu(a) - (b - a) \mu'(a) \ge 0`, with Binet's convex function
        :math:`\mu(x) = \log\Gamma(x) - (x - \tfrac12) \log x + x - \tfrac12 \log 2\pi`,
        and its size; ``gap`` is b - a where it is known better.
        """
        gap = b - a if gap is None else gap
        near = gap.abs() <= a / 4
        start, step = torch.where(near, a, 1), torch.where(near, gap, 0)
        value = _taylor_remainder(_binet_second, start, step)
        size = value.detach()
        if not bool(near.all()):
            b, a = torch.where(near, 2, b), torch.where(near, 1, a)
            far = binet(b) - binet(a) - (b - a) * _binet_first(a)
            with torch.no_grad():
                unsure = _size(b) + _size(a) + (b - a).abs() * _first_size(a)
                size = torch.where(near, size, far + unsure)
            value = torch.where(near, value, far)
        return value, size

    def lgamma_excess(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\log\Gamma(x/y)` less its tangent at x = y, and its size."""
        convex, size = self.binet_excess(x / y, torch.ones_like(x / y), (x - y) / y)
        rest = x / y * self.excess(y, x) + self.excess(x, y) / 2
        return rest + convex, rest.detach() + size

    @staticmethod
    def tilt(x: Tensor) -> Tensor:
        r""":math:`\log(\sinh(x/2) / (x/2))`, which is even."""
        x = x.abs()
        small = x < 2
        series = [b / (2 * k * math.factorial(2 * k)) for k, b in enumerate(_BERNOULLI, 1)]
        v, x = torch.where(small, x, 0), torch.where(small, 1, x)
        large = x / 2 + torch.log1p(-torch.exp(-x)) - x.log()
        return torch.where(small, v**2 * _powers(series, v**2), large)

    @staticmethod
    def tilt_first(x: Tensor) -> Tensor:
        r"""Its derivative, :math:`\tfrac12 \coth(x/2) - 1/x`."""
        small = x.abs() < 2
        series = [b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, 1)]
        v, x = torch.where(small, x, 0), torch.where(small, 1, x)
        size = x.abs()
        large = (0.5 + torch.exp(-size) / -torch.expm1(-size) - 1 / size) * x.sign()
        return torch.where(small, v * _powers(series, v**2), large)

    @staticmethod
    def tilt_second(x: Tensor) -> Tensor:
        r"""Its second derivative, :math:`1/x^2 - 1 / (4 \sinh^2(x/2))`."""
        small = x.abs() < 2
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


def _log_of_ratio(x: Tensor, y: Tensor) -> Tensor:
    """log(x / y), where both are not close to each other."""
    ratio = x / y
    exact = (ratio > torch.finfo(ratio.dtype).tiny) & ratio.isfinite()
    return torch.where(exact, torch.where(exact, ratio, 1).log(), x.log() - y.log())


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


def binet(x: Tensor) -> Tensor:
    """Binet's function, of :meth:`Float64.binet_excess`."""
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


def _size(x: Tensor) -> Tensor:
    """Of what :func:`binet` is a difference of, 0 where it is a series."""
    parts = torch.lgamma(x).abs() + (x - 0.5).abs() * x.log().abs() + x + 1
    return torch.where(x < _LARGE, parts, 0)


def _first_size(x: Tensor) -> Tensor:
    """The same of its derivative."""
    return torch.where(x < _LARGE, torch.digamma(x).abs() + x.log().abs() + 0.5 / x, 0)


def _binet_second(x: Tensor) -> Tensor:
    large = x >= _LARGE
    t = 1 / torch.where(large, x, x + _LARGE)
    series = [c * (2 * k - 1) * 2 * k for k, c in enumerate(_STIRLING, 1)]
    result = t**3 * _powers(series, t**2)
    if bool(large.all()):
        return result
    # ten steps further on: each is half the square of what 1/x falls by, so that nothing cancels
    x = torch.where(large, 1, x)
    steps = [1 / ((x + k) * (x + k + 1)) ** 2 for k in range(int(_LARGE))]
    return torch.where(large, result, result + sum(steps) / 2)


FLOAT64: Any = Float64()
