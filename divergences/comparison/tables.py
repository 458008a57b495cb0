"""What compare() is given, as two tables of numbers with the same columns, or what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from divergences.checks import shown
from divergences.estimate import refuse_masked
from divergences.shown_text import visible

MOST_COLUMNS = 4096
LONGEST_NAME = 1000  # characters
MOST_NUMBERS = 100_000_000  # of one table: 800 MB in double precision
FEWEST_ROWS = 4
LISTED = 5  # names that a message shows
TEXTS = ("object", "str", "string", "string[python]", "string[pyarrow]", "category", "utf8")
RESOLVED = 2.0**53  # integers above this are not told apart in double precision


@dataclass(frozen=True)
class Table:
    """Rows of numbers with a name for each column.

    Attributes:
        label: What messages call it, such as the name of a file; what cannot be seen of it, such
            as a line break, is replaced.
        values: Of shape ``(n, d)``, in double precision.
        names: Of the columns, likewise, or ``None`` where they have none.
        notes: What is to be known of how it was read.
        image: Rows, columns and channels of the images that its rows are, if they are any.
    """

    label: str
    values: Tensor
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    image: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", visible(self.label))
        if self.names is not None:
            object.__setattr__(self, "names", tuple(map(visible, self.names)))


@dataclass(frozen=True)
class Matched:
    """Both samples with the same columns in the same order.

    Attributes:
        x: Of shape ``(n, d)``.
        y: Of shape ``(m, d)``.
        names: What each column is called; ``column 0``, ``column 1``, ... if it has no name.
        labels: What x and y are called.
        notes: What was done to them, one sentence each.
    """

    x: Tensor
    y: Tensor
    names: tuple[str, ...]
    labels: tuple[str, str]
    notes: tuple[str, ...] = ()


def as_table(sample: Any, label: str) -> Table:
    """The table that an array, a tensor, a data frame or a list of rows is.

    Raises:
        TypeError: If it holds anything but real numbers.
        ValueError: If it is no table, or integers in it are too large for double precision.
    """
    if isinstance(sample, Table):
        return sample
    framed = hasattr(sample, "__array__")  # a lazy frame has columns and no numbers yet
    columns = getattr(sample, "columns", None) if framed else None
    names = getattr(sample, "column_names", columns)  # Arrow's columns are the numbers
    if framed and names is not None and not callable(names):
        names = tuple(map(str, names))
        _refuse_text_columns(sample, names, label)
    else:
        names = None
    if isinstance(sample, Tensor):
        sample = _as_array(sample, label)
    refuse_masked(sample, label)
    if not (hasattr(sample, "__array__") or isinstance(sample, (list, tuple))):
        raise TypeError(f"{label} is a {type(sample).__name__}; pass an array or a data frame")
    try:
        array = np.asarray(sample)
    except ValueError as error:
        raise ValueError(f"{label} is no table: {error}; give every row as many numbers") from None
    if array.dtype == object and names is not None:
        array = _with_gaps(sample, array, label)
    return Table(label, numbers(array, label), names)


def _with_gaps(frame: Any, cells: np.ndarray, label: str) -> np.ndarray:
    """The numbers of a frame whose columns can lack values without being NaN, which they are then.

    Raises:
        ValueError: If there are integers that double precision cannot tell apart.
    """
    try:
        filled = frame.to_numpy(dtype=float, na_value=np.nan)  # pandas
    except (TypeError, ValueError, AttributeError):
        try:
            filled = cells.astype(float)  # decimal numbers
        except (TypeError, ValueError):
            return cells
    whole = any(
        kind in str(kind_of).lower() for kind in ("int", "dec") for kind_of in frame.dtypes
    )
    if whole and filled.size and np.nanmax(np.abs(filled), initial=0) > RESOLVED:
        raise _too_fine(label)
    return filled


def _too_fine(label: str) -> ValueError:
    return ValueError(
        f"{label} holds integers beyond 2**53, which double precision cannot tell apart; "
        "subtract an offset first"
    )


def _as_array(sample: Tensor, label: str) -> np.ndarray:
    plain = sample.layout == torch.strided and not sample.is_nested
    if not plain or sample.is_quantized or sample.is_meta:
        kind = "quantized" if sample.is_quantized else "meta" if sample.is_meta else sample.layout
        raise TypeError(f"{label} is a {kind} tensor; pass a dense one that holds its numbers")
    sample = sample.detach().cpu().resolve_neg()
    if sample.is_complex():
        raise TypeError(f"{label} holds {sample.dtype}, not real numbers; pass sample.real")
    return (sample.double() if sample.is_floating_point() else sample).numpy()


def _refuse_text_columns(frame: Any, names: tuple[str, ...], label: str) -> None:
    kinds = getattr(frame, "dtypes", None)
    if kinds is None:
        return
    text = {n: kind for n, kind in zip(names, kinds, strict=False) if _is_text(kind)}
    if text:
        first = str(next(iter(text.values()))).lower()
        found = "text" if first in TEXTS else shown(first)
        raise TypeError(
            f"{label}: {listed([*text])}: {found}, not numbers; encode it as numbers in both "
            "samples alike, or leave them out of both"
        )


def _is_text(kind: Any) -> bool:
    name = str(kind).lower().removeprefix("sparse[")
    return not name.startswith(("int", "uint", "float", "double", "bool", "decimal"))


def numbers(array: np.ndarray, label: str) -> Tensor:
    """The array as a matrix in double precision.

    Raises:
        TypeError: If it does not hold real numbers.
        ValueError: If it has no or more than two axes, or integers that double precision cannot
            tell apart.
    """
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{label} holds {array.dtype}, not real numbers; convert it, for instance with "
            "numpy.asarray(x, dtype=float)"
        )
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(
            f"{label} has shape {array.shape}; a table has rows and columns: use "
            "x.reshape(len(x), -1) if each entry is one point"
        )
    if (
        array.dtype.kind in "iu"
        and array.size
        and float(np.abs(array.astype(float)).max()) > RESOLVED
    ):
        raise _too_fine(label)
    return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))


def listed(names: Sequence[str]) -> str:
    """Names in quotes, not more than a few."""
    if all(re.fullmatch(r"column \d{1,9}", name) for name in names):  # of no names
        plain = ", ".join(names[:LISTED])
        return f"{plain} and {len(names) - LISTED} more" if len(names) > LISTED else plain
    some = ", ".join(shown(name) for name in names[:LISTED])
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"column{'s' if len(names) > 1 else ''} {some}{more}"


def matched(first: Table, second: Table) -> Matched:
    """Both tables with the same columns; by name if both have names.

    Columns that are constant, and the same in both, carry no difference: a note says that they
    are left out.

    Raises:
        ValueError: If columns differ, have one name twice, or hold missing or infinite values; if
            there are too few rows or too many columns, or nothing that varies.
    """
    (first, second), names, notes = aligned(first, second)
    labels = first.label, second.label
    return _varying(Matched(first.values, second.values, names, labels, notes))


def aligned(
    *tables: Table, widest: int = MOST_COLUMNS
) -> tuple[list[Table], tuple[str, ...], tuple[str, ...]]:
    """Tables with their columns in one order, ``widest`` at most, the names of these, and notes.

    Raises:
        ValueError: As :func:`matched`.
    """
    for table in tables:
        _check(table, widest)
    model = next((t for t in tables if t.names is not None), tables[0])
    found, notes = [], [note for table in tables for note in table.notes]
    for table in tables:
        if table.names is None or model.names is None:
            if table.values.shape[1] != model.values.shape[1]:
                raise ValueError(
                    f"{model.label} has {model.values.shape[1]} columns and {table.label} "
                    f"{table.values.shape[1]}; give both the same ones"
                )
            if model.names is not None:
                notes.append(
                    f"{model.label} has names of columns and {table.label} none: they are "
                    "matched by position"
                )
        elif table is not model:
            table, moved = _by_name(model, table)
            notes += moved
        found.append(table)
    names = model.names or tuple(f"column {j}" for j in range(model.values.shape[1]))
    return found, names, tuple(notes)


def _check(table: Table, widest: int) -> None:
    rows, columns = table.values.shape
    if columns > widest:
        raise ValueError(
            f"{table.label} has {columns} columns, more than {widest}: compare fewer "
            "features, such as the first principal components of both (--features pca:50)"
        )
    if columns < 1 or rows < FEWEST_ROWS:
        wanted = "1 column" if columns < 1 else f"{FEWEST_ROWS} rows"
        raise ValueError(
            f"{table.label} has {rows} row{'s' * (rows != 1)} and {columns} "
            f"column{'s' * (columns != 1)}: at least {wanted} "
            f"{'is' if columns < 1 else 'are'} needed"
        )
    if table.names is not None:
        if "" in table.names:
            raise ValueError(
                f"{table.label}: column {table.names.index('')} (from 0) has no name; name it, or "
                "leave it out if it numbers the rows (pandas: to_csv(..., index=False))"
            )
        long = [len(name) for name in table.names if len(name) > LONGEST_NAME]
        if long:
            raise ValueError(
                f"{table.label}: a column's name has {max(long)} characters, more than "
                f"{LONGEST_NAME}; give it a shorter one"
            )
        twice = [name for name, count in Counter(table.names).items() if count > 1]
        if twice:
            raise ValueError(
                f"{table.label}: {listed(twice)} occur more than once; give each its own name"
            )
    bad = ~torch.isfinite(table.values)
    if not bad.any():
        return
    row, column = (int(i) for i in bad.nonzero()[0])
    name = shown(table.names[column]) if table.names else str(column)
    kind = "missing (NaN)" if bool(table.values[bad].isnan().all()) else "missing or infinite"
    many = int(bad.sum())
    raise ValueError(
        f"{table.label}: {many} value{'s are' if many > 1 else ' is'} {kind}, the first in row "
        f"{row} (from 0) of column {name}; remove such rows or fill them, in both samples alike"
    )


def _by_name(first: Table, second: Table) -> tuple[Table, tuple[str, ...]]:
    assert first.names is not None
    assert second.names is not None
    if first.names == second.names:
        return second, ()
    for one, other in ((first, second), (second, first)):
        lacking = [name for name in one.names or () if name not in set(other.names or ())]
        if lacking:
            raise ValueError(
                f"{other.label} lacks {listed(lacking)} of {one.label}; keep the columns that "
                "both have, or give them the same names"
            )
    place = {name: j for j, name in enumerate(second.names)}
    order = [place[name] for name in first.names]
    moved = replace(second, values=second.values[:, order], names=first.names)
    note = f"the columns of {second.label} are in another order; they are matched by name"
    return moved, (note,)


def _varying(pair: Matched) -> Matched:
    """The columns that are not one and the same number, with notes on those that are peculiar."""
    notes, (x, y) = list(pair.notes), (pair.x, pair.y)
    still = [(z == z[:1]).all(0) for z in (x, y)]
    same = still[0] & still[1] & (x[0] == y[0])
    if bool(same.all()):
        raise ValueError("every column is one and the same number in both: nothing to compare")
    if bool(same.any()):
        gone = [name for name, out in zip(pair.names, same.tolist(), strict=True) if out]
        notes.append(f"{listed(gone)}: one and the same number in both, left out")
    kept = (~same).nonzero()[:, 0].tolist()
    names = tuple(pair.names[j] for j in kept)
    x, y = x[:, kept], y[:, kept]
    for label, constant in zip(pair.labels, still, strict=True):
        only = [pair.names[j] for j in kept if constant[j]]
        if only:
            notes.append(f"{listed(only)}: constant in {label}")
    counted = [
        name for name, column in zip(names, x.T, strict=True) if bool((column.diff() == 1).all())
    ]
    if counted:
        notes.append(
            f"{listed(counted)}: counts the rows of {pair.labels[0]} one by one; leave it out if "
            "it is an index and no measurement"
        )
    notes += _copies(x, y, names)
    return Matched(x, y, names, pair.labels, tuple(notes))


def _copies(x: Tensor, y: Tensor, names: tuple[str, ...]) -> list[str]:
    """A note on columns that repeat another one."""
    first: dict[bytes, int] = {}
    copies = []
    for j, name in enumerate(names):
        key = x[:, j].numpy().tobytes() + y[:, j].numpy().tobytes()
        if first.setdefault(key, j) != j:
            copies.append(f"{shown(name)} = {shown(names[first[key]])}")
    if not copies:
        return []
    more = f" and {len(copies) - LISTED} more" if len(copies) > LISTED else ""
    return [f"equal columns count twice: {', '.join(copies[:LISTED])}{more}; remove one of each"]
