"""Numbers and tables as a reader wants them; every text that goes into the page is escaped."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

WORDS = {"inf": "∞", "-inf": "−∞"}
DECIMALS = 7  # beyond that, powers of ten
RELATIONS = {"=": "=", "<=": "≤", ">=": "≥"}


def escape(text: Any) -> str:
    """Text between tags or within a quoted attribute."""
    return html.escape(str(text))


def number(value: float | str | None) -> str:
    """Four digits; JSON has infinities as text and, where there is no number, null."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return WORDS.get(value) or escape(value)
    return f"{value:.4g}".replace("-", "−")


def with_error(value: float | str | None, stderr: float | str | None) -> str:
    """A measurement and its standard error, if it has one."""
    return number(value) if stderr is None else " ± ".join(to_error(value, stderr))


def to_error(value: float | str | None, stderr: float | str | None) -> tuple[str, str]:
    """A measurement to its standard error's second digit, and that error."""
    if not isinstance(value, int | float) or not isinstance(stderr, int | float) or stderr <= 0:
        return number(value), number(stderr)
    decimals = max(0, 1 - math.floor(math.log10(stderr)))
    if decimals > DECIMALS:
        return number(value), number(float(f"{stderr:.2g}"))
    return f"{value:.{decimals}f}".replace("-", "−"), f"{stderr:.{decimals}f}"


def name_of(quantity: str) -> str:
    """The name of a quantity, its one-letter indices set as indices."""
    return re.sub(r"_(\w)\b", r"<sub>\1</sub>", escape(quantity))


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    label: str,
    numeric: Collection[int] = (),
) -> str:
    """A table in a region that scrolls sideways where the screen is narrow.

    Args:
        head: Column names, as HTML.
        rows: Cells, as HTML; the first of each row is its header.
        label: What the table is, for those who hear the page.
        numeric: Columns of numbers, counted from 0.
    """

    def cell(i: int, content: str) -> str:
        kind = ' class="number"' if i in numeric else ""
        return f"<td{kind}>{content}</td>" if i else f'<th scope="row"{kind}>{content}</th>'

    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(f"<tr>{''.join(cell(i, c) for i, c in enumerate(row))}</tr>\n" for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}"><table>'
        f"<thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def read_json(path: Path) -> Any:
    """The file's content.

    Raises:
        ValueError: If it is not JSON; names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is not JSON ({error}); run python -m scripts.reproduce"
        ) from error


def same_length(where: str, lengths: dict[str, int], expected: int) -> None:
    """Check that every list has one entry per step.

    Raises:
        ValueError: If one has not; names it.
    """
    for name, length in lengths.items():
        if length != expected:
            raise ValueError(
                f"{where}: {name} has {length} entries, expected {expected}; "
                "run the argument that writes this file again"
            )
