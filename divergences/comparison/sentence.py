"""One sentence that says what a comparison found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scipy.special import entr, ndtri

from divergences.comparison.two_sample_test import LEVEL
from divergences.estimate import Estimate
from divergences.in_words import range_in_words

if TYPE_CHECKING:
    from divergences.comparison.comparison import Comparison

POWER = 0.8
MANY_TESTS = 1.2  # a shift that one of many tests is to see, over that for the best test alone
LONGEST = 60  # characters of a column's name in the sentence
NAMED = 3  # columns that the sentence names
FINEST, WIDEST = 1e-4, 1e6  # sizes of numbers that are written out
SURE = 0.01  # level of what is said beside the columns that differ


def sentence(found: Comparison) -> str:
    """Whether the samples differ, by how much and where; or what could not have been seen."""
    if not found.differ:
        return _no_difference(found)
    parts = [f"the samples differ (p {p_text(found.p_value)})", *_how_far(found)]
    return "; ".join([*parts, *_where(found)])


def _how_far(found: Comparison) -> list[str]:
    by_key: dict[str, Estimate] = {}
    for answer in found.answers:
        lower = answer.estimate is not None and answer.estimate.bound == "lower"
        if answer.estimate is not None and not (lower and answer.key in ("w1", "js")):
            by_key.setdefault(answer.key, answer.estimate)
    parts = []
    w1, js = by_key.get("w1"), by_key.get("js")
    if found.without_spread:
        verb = "is" if len(found.without_spread) == 1 else "are"
        parts.append(
            f"{_listed(found.without_spread[:NAMED])} {verb} constant in each of them, at another "
            "value, so that W1 has no standard deviation as its unit"
        )
    elif w1 is not None:
        low, high = (float(end) for end in w1.ci)
        if low > 0:
            parts.append(f"W1 between {number(low)} and {number(high)} {found.unit}")
        elif found.where and (alone := found.columns[0].w1) is not None and alone.ci[0] > 0:
            low, high = (float(end) for end in alone.ci)
            name = _named(found.columns[0].name)
            parts.append(
                f"W1 of {name} alone between {number(low)} and {number(high)} {found.unit}"
            )
        else:
            parts.append(f"W1 at most {number(high)} {found.unit}")
    said = _js(js, by_key.get("c2st_accuracy"))
    return [*parts, f"JS {said}"] if said else parts


def _js(js: Estimate | None, accuracy: Estimate | None) -> str | None:
    """What is known of JS: of its estimate, unless a classifier shows that it is wrong.

    A doubtful estimate that is no larger than between equal laws says nothing.
    """
    if js is not None and js.warnings and not float(js.ci[0]) > float(js.floor):
        js = None
    at_least = _js_at_least(float(accuracy.ci[0])) if accuracy is not None else 0.0
    if js is not None:
        value, low, high = (float(t) for t in (js.value, *js.ci))
        said = range_in_words("js", value, low, high, lambda t: number(t, 0.01))
        if said is not None and high >= at_least - 0.005:
            return said.replace(" [", " nats [") if "[" in said else f"{said} nats"
    return f"at least {number(at_least, 0.01)} nats" if at_least >= 0.01 else None


def _js_at_least(accuracy: float) -> float:
    """JS of a fair label and of what a classifier of this balanced accuracy says of it."""
    right = min(max(accuracy, 0.5), 1.0)
    return math.log(2) - float(entr(right) + entr(1 - right))


def _where(found: Comparison) -> list[str]:
    pattern = found.pattern
    if pattern is None:
        return []
    listed = pattern.named[:NAMED]
    more = f" and {len(pattern.named) - NAMED} more" if len(pattern.named) > NAMED else ""
    together = pattern.together <= (SURE if listed else LEVEL)
    if listed:
        start = "mostly in" if pattern.mostly else "in many columns, most of all in"
        if more and len(pattern.named) > len(found.names) / 2:
            start, more = f"in {len(pattern.named)} of {len(found.names)} columns, as in", ""
        also = ", and in how columns go together" if together else ""
        return [f"{start} {_listed(listed)}{more}{also}"]
    if pattern.others <= LEVEL:
        also = ", and in how columns go together" if together else ""
        return [f"in many columns together, in none of them enough to be seen alone{also}"]
    if together:
        return ["in no single column, but in how columns go together"]
    return ["where is not seen, neither in single columns nor in pairs of them"]


def _named(name: str) -> str:
    return _listed([name])


def _listed(names: Sequence[str]) -> str:
    """Columns by their names.

    Example:
        >>> _listed(["column 3"]), _listed(["column 3", "column 5"]), _listed(["a", "b", "c"])
        ('column 3', 'columns 3 and 5', 'columns a, b and c')
    """
    short = [n if len(n) <= LONGEST else f"{n[: LONGEST - 3]}..." for n in names]
    plain = [name.removeprefix("column ") for name in short]
    if len(names) == 1:
        return f"column {plain[0]}"
    return f"columns {', '.join(plain[:-1])} and {plain[-1]}"


def _no_difference(found: Comparison) -> str:
    n, m = found.tested
    points = f"{n:,}" if n == m else f"{n:,} and {m:,}"
    each = " each" if n == m else ""
    unseen = least_shift(n, m, len(found.names))
    return (
        f"no difference seen (p {p_text(found.p_value)}) with {points} points{each}: a shift of "
        f"one column below {number(unseen)} standard deviations would be missed in more than one "
        "of five such samples"
    )


def least_shift(n: int, m: int, d: int) -> float:
    """Shift of one of ``d`` normal columns that ``compare`` finds in four of five samples.

    In standard deviations: that for the difference of two means at level ``.05 / d``, times a
    factor that was measured (``python -m scripts.benchmark comparison``), as many tests share
    the level.

    Example:
        >>> round(least_shift(2000, 2000, 1), 3)
        0.106
    """
    z = ndtri(POWER) - ndtri(0.025 / d)
    return float(MANY_TESTS * z * math.sqrt(1 / n + 1 / m))


def p_text(p: float) -> str:
    """``= .0002``, with the digits that relabellings give.

    Example:
        >>> p_text(0.0002), p_text(1.0), p_text(0.25)
        ('= .0002', '= 1', '= .25')
    """
    return f"= {number(p)}"


def number(value: float, least: float = 0.0) -> str:
    """Two digits that count, no zero before the point; to ``least`` at the finest.

    Example:
        >>> number(0.314), number(12.3), number(-0.0512), number(0.0044, 0.01), number(1234.0)
        ('.31', '12', '-.051', '.00', '1234')
        >>> number(6.7e-16), number(-1.23e20)
        ('6.7e-16', '-1.2e+20')
    """
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "unknown")
    size = abs(value)
    if not least and size and not FINEST <= size < WIDEST:
        return f"{value:.1e}"
    digits = 0 if size == 0 or size >= 10 else 1 - math.floor(math.log10(size))
    if least:
        digits = min(digits, -math.floor(math.log10(least)))
    text = f"{value:.{max(digits, 0)}f}"
    if "." in text and not least:
        text = text.rstrip("0").rstrip(".")
    if text.startswith(("0.", "-0.")):
        text = text.replace("0.", ".", 1)
    return text
