"""Two samples side by side: every estimate, calibrated tests, and where they differ."""

from divergences.comparison.closer import Closer, closer
from divergences.comparison.comparison import Comparison, compare

__all__ = ["Closer", "Comparison", "closer", "compare"]
