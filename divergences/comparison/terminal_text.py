"""A comparison as text for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from divergences.comparison.sentence import number
from divergences.estimate import Estimate
from divergences.shown_text import visible

if TYPE_CHECKING:
    from divergences.comparison.comparison import Comparison

SHOWN_COLUMNS = 5
WIDTH = 99


def as_text(found: Comparison) -> str:
    """The table of estimates, tests and columns, what is to be known, and the sentence."""
    blocks = [_estimates(found), _tests(found)]
    if len(found.names) > 1:
        blocks.append(_columns(found))
    told = [*found.notes, *warnings_of(found)]
    if told:
        blocks.append("\n".join(f"! {note}" for note in told))
    blocks.append(found.sentence)
    return visible("\n\n".join(blocks), keep="\n")


def _estimates(found: Comparison) -> str:
    rows = [("measure", "value", "95 % interval", "equal laws", "unit", "by")]
    for answer in found.answers:
        estimate = answer.estimate
        if estimate is None:
            rows.append((answer.name, "none", "", "", "", answer.by))
            continue
        low, high = (number(float(end)) for end in estimate.ci)
        mark = " !" if answer.warnings else ""
        value = number(float(estimate.value)) + mark
        equal = between_equal_laws(estimate)
        rows.append((answer.name, value, f"{low} to {high}", equal, answer.unit, answer.by))
    return table(rows)


def between_equal_laws(estimate: Estimate) -> str:
    """What the same estimator gives for samples of equal laws of these sizes, if it is known."""
    floor = float(estimate.floor)
    return "" if math.isnan(floor) else number(floor)


def _tests(found: Comparison) -> str:
    n, m = found.tested
    rows = [(f"test of equal laws ({n} and {m} points, {found.permutations} relabellings)", "p")]
    rows += [(name, number(p)) for name, p in found.tests.items()]
    return table(rows) + (f"\n{found.sufficient}" if found.sufficient is not None else "")


def _columns(found: Comparison) -> str:
    rows = [("column", "W1", "95 % interval", "p", "shift of y", "spread y / x")]
    for column in found.columns[:SHOWN_COLUMNS]:
        w1 = column.w1
        ends = "" if w1 is None else " to ".join(number(float(end)) for end in w1.ci)
        value = "" if w1 is None else number(float(w1.value))
        rows.append(
            (column.name[:40], value, ends, number(column.p_value), number(column.shift, 0.01),
             number(column.spread))
        )  # fmt: skip
    text = table(rows)
    more = len(found.columns) - SHOWN_COLUMNS
    text += f"\nand {more} columns that differ less" if more > 0 else ""
    if found.direction is not None and found.differ:
        said = found.direction.said(found.names)
        low, high = (number(float(end)) for end in found.direction.w1.ci)
        text += (
            f"\nlargest difference of the {found.direction.kind} along {said}: W1 {low} to {high} "
            "standard deviations"
        )
    return text


def warnings_of(found: Comparison) -> list[str]:
    """Each warning once, after the names of the estimates that give it."""
    told: dict[str, list[str]] = {}
    for answer in found.answers:
        for warning in answer.warnings:
            told.setdefault(warning, []).append(answer.name)
    return [f"{', '.join(names)}: {warning}" for warning, names in told.items()]


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows in columns of equal width, the first being their heads."""
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * min(WIDTH, max(map(len, lines))), *lines[1:]])
