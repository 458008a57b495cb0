"""What each of the fifteen toys asks of a measure, and whether a measured line fulfils it.

Criteria and tolerances are those of arXiv 2505.22450, Section 4 and Appendix B, as its released
code has them. A letter says what came out: T passed, F failed, and for measures of diversity H or
L where passing can mean high or low values (the generated law covers the real one, but is wider).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Test = Callable[[Values, Values], bool]
"""Of the places along a line and the values there."""

NEAR, DROP, SLACK, LOW_OR_HIGH = 0.05, 0.2, 0.1, "LH"


def valued(places: Values, values: Values, target: float, place: float) -> bool:
    """Whether the value at a place is within .05 of the target; places -inf and inf are ends."""
    at = 0 if place == -np.inf else -1 if place == np.inf else int(np.abs(places - place).argmin())
    return bool(abs(values[at] - target) <= NEAR)


def at(target: float, place: float) -> Test:
    return partial(valued, target=target, place=place)


FIRST, LAST = -np.inf, np.inf


def rises(places: Values, values: Values) -> bool:
    """By .2 from the first to the last, which are within .1 of the least and the largest."""
    first, last = values[0], values[-1]
    near = first - values.min() <= SLACK and values.max() - last <= SLACK
    return bool(last - first >= DROP and near)


def falls(places: Values, values: Values) -> bool:
    return rises(places, values[::-1])


def falls_before(places: Values, values: Values, place: float) -> bool:
    """As :func:`falls`, with .1 of it before a place."""
    there = values[np.abs(places - place).argmin()]
    return falls(places, values) and bool(values[0] - there >= SLACK)


def bell(places: Values, values: Values, place: float) -> bool:
    """At a place .2 above both ends and within .1 of the largest; an end is near the least."""
    top, ends = values[np.abs(places - place).argmin()], values[[0, -1]]
    near = values.max() - top <= SLACK and ends.min() - values.min() <= SLACK
    return bool((top - ends >= DROP).all() and near)


def level(places: Values, values: Values) -> bool:
    """All values within .05 of each other."""
    return bool(np.ptp(values) <= NEAR)


def settles(places: Values, values: Values) -> bool:
    """Level from the median place on."""
    return level(places, values[places >= np.median(places)])


@dataclass(frozen=True)
class Criterion:
    """One thing that is asked of a measure.

    Attributes:
        desideratum: What it is about.
        name: Of the criterion.
        fidelity: The test of measures of fidelity, if any.
        diversity: That of measures of diversity; of two, L and H, one is to pass.
    """

    desideratum: str
    name: str
    fidelity: Test | None
    diversity: Test | tuple[Test, Test] | None

    def letter(self, of_fidelity: bool, places: Values, values: Values) -> str:
        """T, F, L or H, or nothing where such a measure is not asked."""
        test = self.fidelity if of_fidelity else self.diversity
        if test is None:
            return ""
        if isinstance(test, tuple):
            passed = [letter for letter, t in zip(LOW_OR_HIGH, test, strict=True)
                      if t(places, values)]  # fmt: skip
            return passed[0] if passed else "F"
        return "T" if test(places, values) else "F"


def both(desideratum: str, name: str, test: Test) -> Criterion:
    return Criterion(desideratum, name, test, test)


def shift_criteria(place: float, first: str, last: str) -> tuple[Criterion, ...]:
    return (
        both("bounds", "equal laws", at(1, place)),
        both("bounds", first, at(0, FIRST)),
        both("bounds", last, at(0, LAST)),
        both("purpose", "shape", partial(bell, place=place)),
    )


def dropping_criteria(place: float) -> tuple[Criterion, ...]:
    return (
        both("bounds", "equal laws", at(1, FIRST)),
        Criterion("bounds", "one mode left", at(1, LAST), None),
        Criterion("purpose", "shape", level, partial(falls_before, place=place)),
    )


def size_criteria(desideratum: str) -> tuple[Criterion, ...]:
    return (
        both(desideratum, "shape", settles),
        both("purpose", "largest samples", at(0.2, LAST)),
    )


WIDER = at(0, LAST), at(1, LAST)
ROUGH, FINE = (at(0, FIRST), at(1, FIRST)), (at(0, LAST), at(1, LAST))
SHIFT = shift_criteria(0, "far left", "far right")

CRITERIA: Mapping[str, Sequence[Criterion]] = {
    "mean difference": SHIFT,
    "mean difference, outlier": SHIFT,
    "deviation difference": (
        both("bounds", "equal laws", at(1, 1)),
        Criterion("bounds", "narrow", at(1, FIRST), at(0, FIRST)),
        Criterion("bounds", "wide", at(0, LAST), WIDER),
        Criterion("purpose", "shape", falls, (partial(bell, place=1), rises)),
    ),
    "simultaneous mode dropping": dropping_criteria(0.95),
    "sequential mode dropping": dropping_criteria(4),
    "mode dropping, invention": (
        both("bounds", "equal laws", at(1, 5)),
        Criterion("bounds", "one mode left", at(1, FIRST), None),
        Criterion("bounds", "five modes invented", None, at(1, LAST)),
        Criterion("purpose", "shape", falls, rises),
    ),
    "surfaces of spheres": shift_criteria(1, "small radius", "large radius"),
    "cubes, size of both": size_criteria("data"),
    "cubes, generated size": size_criteria("hyperparameters"),
    "ball and torus": (
        both("purpose", "shape", settles),
        both("bounds", "largest samples", at(0, LAST)),
    ),
    "two modes as one": (
        Criterion("purpose", "shape", falls, (falls, level)),
        both("bounds", "equal laws", at(1, FIRST)),
    ),
    "one coordinate scaled": (
        both("invariance", "shape", level),
        both("bounds", "first place", at(0, FIRST)),
        both("bounds", "last place", at(0, LAST)),
    ),
    "mean difference, Pareto": SHIFT,
    "one disjoint coordinate": (
        both("purpose", "shape", level),
        both("bounds", "first place", at(0, FIRST)),
        both("bounds", "last place", at(0, LAST)),
    ),
    "rounded and continuous": (
        both("purpose", "shape", level),
        Criterion("bounds", "coarse", at(0, FIRST), ROUGH),
        Criterion("bounds", "fine", at(0, LAST), FINE),
    ),
}
OTHER_LINES: Mapping[tuple[str, str], Sequence[Criterion]] = {
    ("rounded and continuous", "generated rounded"): (
        both("purpose", "shape", level),
        Criterion("bounds", "coarse", at(1, FIRST), at(0, FIRST)),
        Criterion("bounds", "fine", at(1, LAST), at(0, LAST)),
    ),
}
"""Of lines that are asked something else than the others of their toy."""


def criteria(toy: str, line: str) -> Sequence[Criterion]:
    return OTHER_LINES.get((toy, line), CRITERIA[toy])


def together(letters: Sequence[str]) -> str:
    """One letter for several criteria: F if one failed or high and low ones are mixed.

    Example:
        >>> together("TTH"), together("LH"), together("T"), together("FT")
        ('H', 'F', 'T', 'F')
    """
    asked = set(letters) - {""}
    if "F" in asked or {"L", "H"} <= asked:
        return "F"
    return next((letter for letter in LOW_OR_HIGH if letter in asked), "T")
