"""Two samples side by side: every estimate, calibrated tests, and where they differ."""

from divergences.comparison.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
