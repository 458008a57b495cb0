r"""The functions that formulas are written with, in float64, as cheap as a result's dtype allows.

They are the textbook's expressions with a short series where these cancel, so that they are
right to fewer digits than those of :mod:`divergences.exact.float64`; ``slack`` says how many.
Outside of their range they are NaN, which sends an element to the accurate functions.
"""

import math
from typing import Any

import torch
from torch import Tensor

from divergences.exact.float64 import ROUNDINGS, Float64

__all__ = ["quick_for"]


class Quick(Float64):
    """Textbook's expressions above :math:`2^{-bits}`, so many terms of a series below."""

    def __init__(self, bits: int, terms: int) -> None:
        self.least = 2.0**-bits
        self.terms = terms
        self.slack = 2.0 ** (bits + 1)

    def excess(self, x: Tensor, y: Tensor, gap: Tensor | None = None) -> Tensor:
        u = (x - y if gap is None else gap) / y
        series: Any = math.nan  # for a gap that was rounded
        if gap is None:
            series = self._series(u, [(-1) ** k / (k + 2) for k in range(self.terms)])
        value = torch.where(u.abs() < self.least, series, u - torch.log1p(u))
        return self._within(value, u)

    def exp_excess(self, w: Tensor) -> Tensor:
        series = self._series(w, [1 / math.factorial(k + 2) for k in range(self.terms)])
        return torch.where(w.abs() < self.least, series, torch.expm1(w) - w)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        u = (x - y) / y
        return self._within(torch.log1p(u), u)

    @staticmethod
    def cross(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        return a * b - c * d

    def binet_excess(
        self, b: Tensor, a: Tensor, gap: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        d, log = b - a if gap is None else gap, b.log() - a.log()
        upper, lower = torch.lgamma(b), torch.lgamma(a)
        slope, line = d * torch.digamma(a), d - d / (2 * a)
        bend = (b - 0.5) * log
        value = upper - lower - slope - bend + line
        with torch.no_grad():
            size = 1 + upper.abs() + lower.abs() + slope.abs() + d.abs() * (1 + 1 / a)
            size = size + (b + 1) * (b.log().abs() + a.log().abs())
        return value, size

    def lgamma_excess(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        top, line = torch.lgamma(x / y), self.euler * (x - y) / y
        with torch.no_grad():  # the ratio is rounded, and digamma is its effect
            size = top.abs() + line.abs() + (x / y).log().abs() * (x / y) + 2
        return top + line, size

    def tilt_excess(self, b: Tensor, a: Tensor) -> list[Any]:
        x, y, d = a.abs(), b.abs(), b - a
        slope = d * (0.5 + 1 / torch.expm1(x) - 1 / x) * a.sign()
        value, size = -slope, d.abs() * (0.5 + 2 / x)
        for sign, z in ((-1, x), (1, y)):
            parts = z / 2, torch.log(-torch.expm1(-z)), -z.log()
            value = value + sign * sum(parts)
            size = size + sum(part.detach().abs() for part in parts)
        return [(value, size.detach())]

    def _within(self, value: Tensor, u: Tensor) -> Tensor:
        """NaN where 1 + u has lost its digits."""
        lost = u < self.least - 1
        return torch.where(lost, math.nan, value) if bool(lost.any()) else value

    @staticmethod
    def _series(x: Tensor, coefficients: list[float]) -> Tensor:
        total = torch.full_like(x, coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = total * x + c
        return total * x * x


_COARSE, _FINE = Quick(20, 2), Quick(8, 6)


def quick_for(tolerance: float) -> Quick:
    """The cheapest functions whose relative errors are below the tolerance."""
    return _COARSE if 4 * ROUNDINGS * _COARSE.slack <= tolerance else _FINE
