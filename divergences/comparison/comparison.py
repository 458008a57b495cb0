"""How far apart two samples are, with what certainty, and where: one call for all of it."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from torch import Tensor

from divergences.checks import boolean, seed_number, shown, whole_number
from divergences.comparison.estimates import (
    DEVIATIONS,
    OWN_UNITS,
    Answer,
    answers,
    in_own_units,
    questions,
)
from divergences.comparison.permutation_tests import CombinedTest
from divergences.comparison.permutations import Pooled
from divergences.comparison.remarks import once_each, remarks, widest, without_spread
from divergences.comparison.sentence import sentence
from divergences.comparison.sufficient_points import Sufficient, sufficient
from divergences.comparison.tables import as_table, matched
from divergences.comparison.terminal_text import as_text
from divergences.comparison.two_sample_test import (
    LEVEL,
    MOST_PERMUTATIONS,
    MOST_POINTS,
    PERMUTATIONS,
    some,
)
from divergences.comparison.where import (
    Column,
    Direction,
    Pattern,
    Region,
    columns,
    direction,
    pattern,
    region,
)
from divergences.samples.coordinates import in_deviations, standardised
from divergences.whole_files import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found.

    Attributes:
        labels: What the samples are called.
        n: Sizes of the samples.
        names: Of the columns that were compared.
        answers: Every estimate with its interval, the recommended ones first.
        tests: P-value of each test by its name, the recommended one first; never 0.
        permutations: How many relabellings they tried.
        tested: How many points of each sample the tests used.
        columns: Every column, those that differ most first.
        pattern: Whether a few columns differ, or many, or how they go together, if there are
            several and a difference is seen.
        direction: The linear direction of the largest difference, if there are columns to choose
            from.
        region: Which points of one sample the other does not cover.
        sufficient: How few points would have shown the difference, if one is seen.
        notes: What was done to the samples and what should be known of them.
        seconds: Wall-clock time spent.
        unit: Of the lengths.
        without_spread: Columns whose lengths have no standard deviation as their unit, because
            they are constant in each sample; their difference stands for it.
        points: Both samples as they were compared, up to some thousand points, for pictures.
    """

    labels: tuple[str, str]
    n: tuple[int, int]
    names: tuple[str, ...]
    answers: tuple[Answer, ...]
    tests: dict[str, float]
    permutations: int
    tested: tuple[int, int]
    columns: tuple[Column, ...]
    pattern: Pattern | None
    direction: Direction | None
    region: Region
    sufficient: Sufficient | None
    notes: tuple[str, ...]
    seconds: float
    unit: str
    without_spread: tuple[str, ...]
    points: tuple[Tensor, Tensor] = field(repr=False)

    def __post_init__(self) -> None:
        kinds = (self.region, Region), *((a, Answer) for a in self.answers)
        for part, kind in (*kinds, *((c, Column) for c in self.columns)):
            if not isinstance(part, kind):
                raise TypeError(
                    f"{shown(part)} is no {kind.__name__}: a Comparison is what compare() returns"
                )

    @property
    def p_value(self) -> float:
        """That of the recommended test, all tests together; never 0."""
        return next(iter(self.tests.values()))

    @property
    def differ(self) -> bool:
        """Whether a difference is seen, at level .05."""
        return self.p_value <= LEVEL

    @property
    def where(self) -> tuple[str, ...]:
        """Names of the columns in which most of the difference is seen, if it is in a few."""
        return self.pattern.named if self.pattern is not None and self.pattern.mostly else ()

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        return sentence(self)

    def __str__(self) -> str:
        return as_text(self)

    def to_frame(self) -> Any:
        """The table of estimates and tests as a :class:`pandas.DataFrame`.

        Raises:
            ModuleNotFoundError: If pandas is not installed.
        """
        try:
            import pandas  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "to_frame makes a table of pandas: pip install pandas, or use records()"
            ) from error
        return pandas.DataFrame(self.records())

    def records(self) -> list[dict[str, Any]]:
        """The table of estimates and tests, one mapping for each row."""
        rows: list[dict[str, Any]] = []
        for answer in self.answers:
            found = answer.estimate
            numbers = (
                [math.nan] * 5
                if found is None
                else [float(t) for t in (found.value, *found.ci, found.stderr, found.floor)]
            )
            heads = "value", "low", "high", "stderr", "between_equal_laws"
            rows.append(
                {
                    "measure": answer.name,
                    **dict(zip(heads, numbers, strict=True)),
                    "unit": answer.unit,
                    "by": answer.by,
                    "warnings": "; ".join(answer.warnings),
                }
            )
        for name, p in self.tests.items():
            rows.append({"measure": f"p-value: {name}", "value": p, "by": "permutation"})
        return rows

    def to_json(self) -> str:
        """Everything as one JSON object; ``null`` stands for what is no number."""
        found = {
            "sentence": self.sentence,
            "p_value": self.p_value,
            "labels": self.labels,
            "n": self.n,
            "columns_compared": self.names,
            "unit": self.unit,
            "without_spread": self.without_spread,
            "estimates": [row for row in self.records() if "low" in row],
            "tests": self.tests,
            "permutations": self.permutations,
            "tested": self.tested,
            "columns": [_column(column) for column in self.columns],
            "mostly_in": self.where,
            "pattern": self.pattern and vars(self.pattern),
            "direction": self.direction
            and {
                "weights": self.direction.weights.tolist(),
                "kind": self.direction.kind,
                **_interval(self.direction.w1),
            },
            "uncovered": {
                "shares": self.region.shares,
                "usual": self.region.usual,
                "p_values": self.region.p_values,
            },
            "sufficient": self.sufficient and vars(self.sufficient),
            "notes": self.notes,
            "seconds": self.seconds,
        }
        return json.dumps(plain(found), ensure_ascii=False, allow_nan=False, indent=1)

    def figure(self) -> Figure:
        """Both samples in two principal components, and the columns that differ most."""
        from divergences.comparison.pictures import figure

        return figure(self)

    def to_html(self) -> str:
        """A page that stands alone: the sentence, the tables, the pictures."""
        from divergences.comparison.comparison_page import page

        return page(self)


def _interval(w1: Any) -> dict[str, float]:
    return {"w1": float(w1.value), "low": float(w1.ci[0]), "high": float(w1.ci[1])}


def _column(column: Column) -> dict[str, Any]:
    rest = {
        "name": column.name,
        "index": column.index,
        "p_value": column.p_value,
        "shift": column.shift,
        "spread": column.spread,
    }
    return {**rest, **(_interval(column.w1) if column.w1 is not None else {})}


def compare(
    x: Any,
    y: Any,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    own_units: bool = False,
) -> Comparison:
    """How far apart two samples are, with intervals, tests and where they differ.

    Arguments:
        x: Points of shape ``(n, d)`` or ``(n,)``: a tensor, an array, a data frame, a list of
            rows.
        y: Points of shape ``(m, d)`` or ``(m,)``. Columns of two data frames are matched by name.
        permutations: Relabellings that each test tries; no p-value is below
            ``1 / (permutations + 1)``.
        seed: Of the relabellings.
        own_units: Whether distances are those of the columns as they are, for columns of one
            unit. P-values do not depend on it.

    Returns:
        A :class:`Comparison`. Printing it gives the table and one sentence. Lengths are in
        standard deviations of the columns, of points brought in to the quantiles .025 and .975 of
        both samples, so that no outlier sets them; or in the columns' own unit.

    Raises:
        TypeError: If a sample holds anything but real numbers.
        ValueError: If columns differ, values are missing, or there are too few rows.

    Example:
        >>> import torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (torch.randn(200, 3, generator=draw) for _ in range(2))
        >>> y[:, 1] += 1
        >>> found = compare(x, y, permutations=199)
        >>> found.p_value, found.where
        (0.005, ('column 1',))
    """
    start = time.perf_counter()
    whole_number("permutations", permutations, least=19, most=MOST_PERMUTATIONS)
    seed_number("seed", seed)
    boolean("own_units", own_units)
    pair = matched(as_table(x, "x"), as_table(y, "y"))
    first, second = pair.x, pair.y
    standard = standardised(first, second)
    notes = [*pair.notes, *remarks(pair, standard)]
    standard = in_deviations(standard)
    ask = questions(first.shape[1])
    if own_units:
        ask, notes = in_own_units(ask), [*notes, *widest(pair, standard)]
    test = CombinedTest(permutations=permutations, seed=seed)
    a, b, repeats = once_each(pair)
    a, b = (some(z, MOST_POINTS, seed) for z in (a, b))
    pooled = Pooled.of(a, b, int(permutations), int(seed))
    tests = test.each(pooled)
    differing = columns(pair, pooled, None if own_units else standard)
    differ = next(iter(tests.values())) <= LEVEL
    several = differ and len(pair.names) > 1
    return Comparison(
        labels=pair.labels,
        n=(len(first), len(second)),
        names=pair.names,
        answers=tuple(answers(first, second, ask, int(seed), standard)),
        tests=tests,
        permutations=int(permutations),
        tested=(len(a), len(b)),
        columns=tuple(differing),
        pattern=pattern(a, b, pooled, differing, int(seed)) if several else None,
        direction=direction(standard.x, standard.y),
        region=region(pooled),
        sufficient=sufficient(a, b, seed) if differ else None,
        notes=(*notes, *repeats),
        seconds=time.perf_counter() - start,
        unit=OWN_UNITS if own_units else DEVIATIONS,
        without_spread=() if own_units else tuple(without_spread(pair)),
        points=(some(first, MOST_POINTS), some(second, MOST_POINTS)),
    )
