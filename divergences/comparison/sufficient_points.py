"""How few points would have shown the difference between two samples, from parts of them."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from divergences.comparison.permutation_tests import CombinedTest
from divergences.comparison.permutations import Pooled
from divergences.comparison.two_sample_test import LEVEL

FEWEST = 8  # points of the smaller sample's part
PARTS, SEEN = 10, 8  # pairs of parts of each size, and of how many the test is to see it
RELABELLINGS = 99


@dataclass(frozen=True)
class Sufficient:
    """Sizes of random parts of both samples of which 8 of 10 pairs show the difference.

    Attributes:
        n: Points of each; ``None`` if it takes more than half of them.
        half: Sizes of the largest parts that were tried.
    """

    n: tuple[int, int] | None
    half: tuple[int, int]

    def __str__(self) -> str:
        n, m = self.n or self.half
        points = f"{n} points of each" if n == m else f"{n} and {m} points"
        if self.n is None:
            return f"of 10 random parts of {points}, fewer than 8 show the difference"
        return f"{points} would have sufficed: of 10 random parts so large, 8 show the difference"


def sufficient(x: Tensor, y: Tensor, seed: int = 0) -> Sufficient | None:
    """The sizes, up to a factor of 1.4, from which the recommended test sees the difference.

    Both samples are cut in proportion. Parts of more than half of a sample have most points in
    common, so none are tried. ``None`` if there are too few points for two parts.

    Arguments:
        x: Of shape ``(n, d)``, in double precision.
        y: Of shape ``(m, d)``.
        seed: Of the parts.
    """
    half = min(len(x), len(y)) // 2
    if half < FEWEST:
        return None
    sizes = [FEWEST * 2**k for k in range(half.bit_length()) if FEWEST * 2**k < half] + [half]
    enough = next((size for size in sizes if _seen(x, y, size, seed)), None)
    if enough is not None and enough > FEWEST:
        between = round((enough * sizes[sizes.index(enough) - 1]) ** 0.5)
        enough = between if _seen(x, y, between, seed) else enough
    found = None if enough is None else _sizes(x, y, enough)
    return Sufficient(found, _sizes(x, y, half))


def _sizes(x: Tensor, y: Tensor, smaller: int) -> tuple[int, int]:
    fewer = min(len(x), len(y))
    return round(len(x) * smaller / fewer), round(len(y) * smaller / fewer)


def _seen(x: Tensor, y: Tensor, smaller: int, seed: int) -> bool:
    """Whether enough pairs of parts differ; it stops as soon as that is known."""
    draw = np.random.default_rng([seed % 2**63, smaller])
    sizes, test = _sizes(x, y, smaller), CombinedTest(permutations=RELABELLINGS, seed=seed)
    outcomes = [0, 0]
    for part in range(PARTS):
        a, b = (z[draw.permutation(len(z))[:n]] for z, n in zip((x, y), sizes, strict=True))
        p = test.ranked(Pooled.of(a, b, RELABELLINGS, part)).p[0]
        outcomes[bool(p <= LEVEL)] += 1
        if outcomes[1] == SEEN or outcomes[0] > PARTS - SEEN:
            break
    return outcomes[1] == SEEN
