"""What compare() is given, as two tables of numbers with the same columns, or what is wrong."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from divergences.array_likes import as_sample, column_names
from divergences.checks import shown
from divergences.shown_text import LISTED, listed, visible

MOST_COLUMNS = 4096
LONGEST_NAME = 1000  # characters
MOST_NUMBERS = 100_000_000  # of one table: 800 MB in double precision
FEWEST_ROWS = 4
LARGEST_VALUE = 1e75  # fourth powers of larger ones, and of those below its inverse, are lost


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
        all_names: Of all columns in a file of which not all were read.
    """

    label: str
    values: Tensor
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    image: tuple[int, ...] | None = None
    all_names: tuple[str, ...] = ()

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
    return Table(label, numbers(sample, label), column_names(sample))


def numbers(sample: Any, label: str) -> Tensor:
    """The sample as a matrix in double precision.

    Raises:
        TypeError: If it does not hold real numbers.
        ValueError: If it has no or more than two axes, or integers that double precision cannot
            tell apart.
    """
    values = as_sample(sample, label)
    if values.ndim != 2:
        raise ValueError(
            f"{label} has shape {tuple(values.shape)}; a table has rows and columns: use "
            "x.reshape(len(x), -1) if each entry is one point"
        )
    return values.detach().cpu().double().contiguous()


def matched(first: Table, second: Table) -> Matched:
    """Both tables with the same columns; by name if both have names.

    Columns that are constant, and the same in both, carry no difference: a note says that they
    are left out.

    Raises:
        ValueError: If columns differ, have one name twice, or hold values that are missing,
            infinite, or out of reach, such as 1e300; if there are too few rows or too many
            columns, or nothing that varies.
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
        _check_units(table)
        return
    row, column = (int(i) for i in bad.nonzero()[0])
    name = shown(table.names[column]) if table.names else str(column)
    kind = "missing (NaN)" if bool(table.values[bad].isnan().all()) else "missing or infinite"
    many = int(bad.sum())
    raise ValueError(
        f"{table.label}: {many} value{'s are' if many > 1 else ' is'} {kind}, the first in row "
        f"{row} (from 0) of column {name}; remove such rows or fill them, in both samples alike"
    )


def _check_units(table: Table) -> None:
    largest = table.values.abs().amax(0)
    odd = (largest > LARGEST_VALUE) | (largest > 0) & (largest < 1 / LARGEST_VALUE)
    if odd.any():
        column = int(odd.nonzero()[0])
        name = shown(table.names[column]) if table.names else str(column)
        raise ValueError(
            f"{table.label}: column {name} has values of up to {float(largest[column]):.2g}, of "
            "which double precision cannot hold the powers; give it in another unit, or remove "
            "such rows, in both samples alike"
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
            copies.append(f"{listed([name])} = {listed([names[first[key]]])}")
    if not copies:
        return []
    more = f" and {len(copies) - LISTED} more" if len(copies) > LISTED else ""
    return [f"equal columns count twice: {', '.join(copies[:LISTED])}{more}; remove one of each"]
