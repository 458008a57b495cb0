"""Numbers of tables that are written with more digits than double precision holds."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, InvalidOperation

import numpy as np

HELD = 15
"""Digits in which any two decimal numbers are two in double precision, as well."""


def column_read_as_equal(rows: Iterable[Sequence[str]], values: np.ndarray) -> int | None:
    """The first column in which two numbers are one in double precision; ``None`` if none is.

    Two numbers are told apart by the digits that both are written with, so that .1 and
    .10000000000000001 are one.

    Arguments:
        rows: The cells of the table, which are looked at only where a column has equal values.
        values: What they were read as, ``(n, d)``.

    Example:
        >>> rows = [("1", "12345678901234567890"), ("1", "12345678901234567891")]
        >>> column_read_as_equal(rows, np.array(rows, float))
        1
        >>> rows = [(".1",), ("0.1",), (".1000000000000000055511",), (".10000000000000001",)]
        >>> print(column_read_as_equal(rows, np.array(rows, float)))
        None
    """
    equal = [j for j in range(values.shape[1]) if len(np.unique(values[:, j])) < len(values)]
    known: list[dict[float, Decimal]] = [{} for _ in equal]
    texts: list[set[str]] = [set() for _ in equal]
    for row in rows if equal else ():
        for j, of_value, seen in zip(equal, known, texts, strict=True):
            cell = row[j].strip()
            if len(cell) <= HELD or cell in seen:
                continue
            seen.add(cell)
            try:
                written = Decimal(cell)
            except InvalidOperation:
                continue
            if written.is_finite() and _differ(written, of_value.setdefault(float(cell), written)):
                return j
    return None


def _differ(a: Decimal, b: Decimal) -> bool:
    """Whether two numbers differ in the digits that both have."""
    digits = min(len(a.as_tuple().digits), len(b.as_tuple().digits))
    rounded = Context(prec=digits, Emin=-(10**6), Emax=10**6).plus
    return rounded(a) != rounded(b)
