"""Small charts drawn while the page is written, so that they are there without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.report.markup import escape, number

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 130, 46, 8, 8, 20


@dataclass(frozen=True)
class Scale:
    """From values to pixels upwards; a logarithmic one has no place for zero."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float | str | None], log: bool = False) -> Scale:
        """The scale that just holds all values that can be drawn."""
        seen = [v for v in values if drawable(v, log)]
        low, high = (min(seen), max(seen)) if seen else (1.0, 1.0)  # type: ignore[type-var]
        if not log:
            low, high = min(low, 0.0), max(high, 0.0)  # type: ignore[type-var]
        if low == high:
            high = low * 10 if log else low + 1  # type: ignore[operator]
        return cls(float(low), float(high), log)  # type: ignore[arg-type]

    def y(self, value: float) -> float:
        bend = math.log if self.log else float
        share = (bend(value) - bend(self.low)) / (bend(self.high) - bend(self.low))
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
