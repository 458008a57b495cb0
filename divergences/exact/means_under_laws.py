"""A law on the line, as the means that formulas of KL ask it for."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

__all__ = ["Law"]


class Law:
    """A law on the line at parameters that a namespace F of functions understands.

    Every method returns addends, as :mod:`divergences.exact.evaluation` asks for. Those that are
    missing raise ``NotImplementedError``.
    """

    def __init__(self, F: Any, *parameters: Any) -> None:
        self.F = F
        self.set(*parameters)

    def set(self, *parameters: Any) -> None:
        raise NotImplementedError

    @staticmethod
    def read(side: Any) -> tuple[Tensor, ...]:
        """The parameters of a distribution of torch."""
        raise NotImplementedError

    @staticmethod
    def support(*parameters: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """The two ends of the support."""
        return -math.inf, math.inf

    def mean(self, of: Any) -> list[Any]:
        """E of ``of`` x."""
        return self._missing("x")

    def square(self, n: Any, t: Any) -> list[Any]:
        """E ((x - n) / t)^2 / 2."""
        return self._missing("x^2")

    def log(self, weight: Any, unit: Any) -> list[Any]:
        """E of ``weight`` log(``unit`` x)."""
        return self._missing("log x")

    def log_rest(self, weight: Any) -> list[Any]:
        """E of ``weight`` log(1 - x)."""
        return self._missing("log(1 - x)")

    def exponential(self, n: Any, t: Any) -> list[Any]:
        """E exp((n - x) / t)."""
        return self._missing("exp(-x)")

    def distance(self, n: Any, t: Any) -> list[Any]:
        """E |x - n| / t."""
        return self._missing("|x - n|")

    def log_density(self) -> list[Any]:
        """E log p, the negative entropy."""
        raise NotImplementedError

    def surprise(self, p: Law) -> list[Any]:
        """-E_p log of this law's density."""
        raise NotImplementedError

    def _missing(self, what: str) -> list[Any]:
        name = type(self).__name__.removesuffix("Law")
        raise NotImplementedError(f"the mean of {what} under {name} has no closed form")

    @staticmethod
    def _times(weight: Any, value: Any) -> Any:
        """A multiple of a logarithm or the like, which is rounded even where it is near zero."""
        return weight * value, abs(weight) * (1 + abs(value))

    def _log(self, x: Any, weight: Any = 1) -> Any:
        return self._times(weight, self.F.log(x))

    def _power(self, w: Any, parts: Any) -> Any:
        """exp(w) where w was added up from parts of this total size."""
        value = self.F.exp(w)
        return value, value * (1 + parts)

    def _spread(self, variance: Any, mean: Any, n: Any, t: Any) -> list[Any]:
        """The mean square about n, with a mean that was rounded."""
        d = (mean - n) / t
        return [variance / t / t / 2, (d * d / 2, abs(d) * (abs(mean) + abs(n)) / t)]
