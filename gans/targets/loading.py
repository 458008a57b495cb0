"""Points and pictures from a user's files, or an error that says what is wrong with them."""

import csv
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from divergences.image_pixels import read_image
from divergences.long_numbers import column_read_as_equal
from divergences.shown_text import is_number, parted_by_a_comma
from gans.targets.resolution import check_resolved

MOST_NUMBERS = 2**28
"""What a compressed file may grow to: 2 GB in double precision."""


def _existing(path: str | Path, readable: tuple[str, ...]) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (looked in {Path.cwd()})")
    if path.suffix.lower() not in readable:
        raise ValueError(f"{path}: cannot read {path.suffix!r}; give one of {', '.join(readable)}")
    return path


def read_points(path: str | Path) -> Tensor:
    """Points of shape ``(n, d)`` from a file, which is read as numbers and nothing else.

    ``.npy`` holds an array, not pickled. ``.csv`` holds one point per line, numbers between
    commas, and perhaps names of the columns in its first line. ``.parquet`` holds a column per
    coordinate; it takes pyarrow, which ``pip install 'gan-divergences[table]'`` brings.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another ending, does not hold numbers, has a first line of numbers
            that look like names, or holds integers so large that double precision cannot tell
            them apart. Names line and column where it can; no
            message shows what is in the file.
    """
    path = _existing(path, (".npy", ".csv", ".parquet"))
    try:
        values = _READERS[path.suffix.lower()](path)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from None
    except MemoryError:
        raise ValueError(
            f"{path}: announces more numbers than there is memory for, in a file of "
            f"{path.stat().st_size:,} bytes; give a part, or save it again if it is damaged"
        ) from None
    except Exception as error:  # what a library says of bytes that are no array can be anything
        raise ValueError(
            f"{path}: cannot be read as an array of numbers ({type(error).__name__}); save it "
            "again, a .npy file not pickled, a .csv file in UTF-8"
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"{path}: holds {kind}, not real numbers")
    points = torch.from_numpy(values.astype(np.float64))
    if (values.dtype.kind in "iu" or values.dtype.itemsize > 8) and values.ndim == 2:
        check_resolved(str(path), values, points)
    return points


class Unreadable(ValueError):
    """Why a file does not hold points, without what it holds: it need not be the user's own."""


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_csv(path: Path) -> np.ndarray:
    header = _has_header(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "loadtxt: input contained no data")
        try:
            values = np.loadtxt(
                path, delimiter=",", ndmin=2, encoding="utf-8-sig", quotechar='"', skiprows=header
            )
        except UserWarning:
            raise Unreadable("the file is empty, or has a header only") from None
        except ValueError as error:
            raise _first_fault(path) or error from None
    if header and (fault := _first_fault(path)):  # names may be more or fewer than numbers
        raise fault
    if not header:
        _check_first_line(path, values)
        if values.shape[1] % 2 == 0 and (values == np.floor(values)).all():
            _refuse_parted_numbers(path)
    rows = (cells for number, cells in _rows(path) if number > header)
    if (column := column_read_as_equal(rows, values)) is not None:
        raise Unreadable(
            f"column {column + 1} holds numbers that differ only beyond the 15 to 17 digits of "
            "double precision; subtract an offset, such as the least of them"
        )
    return values


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number, from 1, and cells of each line that is neither empty nor a comment."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(line.partition("#")[0] for line in lines)
        for cells in reader:
            if any(cell.strip() for cell in cells) or len(cells) > 1:
                yield reader.line_num, cells


def _has_header(path: Path) -> int:
    """How many lines at the top, up to that with the names of the columns, hold no point."""
    number, cells = next(_rows(path), (0, []))
    if not cells or any(map(is_number, cells)):
        return 0
    if not cells[0].strip():
        raise Unreadable(
            f"line {number}, column 1 is a column without a name, as a table's row numbers are; "
            "save it without them (pandas: index=False), or give the column a name"
        )
    return number


def _check_first_line(path: Path, values: np.ndarray) -> None:
    """Refuse a first line of whole numbers that is unlike the others: names such as 0, 1 or years.

    It is unlike them if no other line is of whole numbers only, or if it counts on by 1 from
    column to column, outside the range of each.
    """
    number, cells = next(_rows(path))
    first, rest = values[0], values[1:]
    if len(rest) < 3 or not all(re.fullmatch(r"\s*[+-]?\d{1,300}\s*", cell) for cell in cells):
        return
    alone = not (rest == np.floor(rest)).all(1).any()
    outside = ((first < rest.min(0)) | (first > rest.max(0))).all()
    counts = len(first) > 1 and (np.diff(first) == 1).all() and outside and len(rest) >= 8
    if alone or counts:
        raise Unreadable(
            f"line {number} holds whole numbers, unlike the lines below, as names of columns do; "
            "if they are names, use text, and if they are a point, write 1.0 instead of 1"
        )


def _refuse_parted_numbers(path: Path) -> None:
    for number, cells in _rows(path):
        if any(map(parted_by_a_comma, cells[::2], cells[1::2])):
            raise Unreadable(
                f"line {number} looks like numbers with decimal commas: write decimal points; if "
                "each comma is between two numbers, write them without leading zeros"
            )


def _first_fault(path: Path) -> Unreadable | None:
    """The first cell that is no number, or the first line of another length than that before."""
    width, header = None, _has_header(path)
    for number, cells in _rows(path):
        if width is not None and len(cells) != width:
            return Unreadable(
                f"line {number} has {len(cells)} columns and those before have {width}; a .csv "
                "file has one point per line, numbers between commas"
            )
        width = len(cells)
        for column, cell in enumerate(cells, 1):
            if number > header and not is_number(cell):
                return Unreadable(
                    f"line {number}, column {column} "
                    f"{'holds no number' if cell.strip() else 'is empty'}; a .csv file has one "
                    "point per line, numbers between commas, and names in the first line if any"
                )
    return None


def _read_parquet(path: Path) -> np.ndarray:
    try:
        from pyarrow import parquet, types
    except ImportError:
        raise Unreadable(
            "reading .parquet takes pyarrow: pip install 'gan-divergences[table]', or save a .csv"
        ) from None
    with path.open("rb") as content:  # a name might be an address
        file = parquet.ParquetFile(content)
        size = file.metadata.num_rows * file.metadata.num_columns
        if size > MOST_NUMBERS:
            raise Unreadable(f"holds {size:.2g} numbers, more than {MOST_NUMBERS}; take a part")
        for number, field in enumerate(file.schema_arrow, 1):
            if field.name.startswith("__index_level_"):
                raise Unreadable(
                    f"column {number} holds a table's row numbers (pandas: save with index=False)"
                )
            kinds = (types.is_integer, types.is_floating, types.is_boolean)
            if not any(is_kind(field.type) for is_kind in kinds):
                raise Unreadable(f"column {number} holds no numbers; leave it out")
        table = file.read()
    for number, column in enumerate(table.columns, 1):
        if column.null_count:
            raise Unreadable(
                f"column {number} lacks {column.null_count} of {len(column)} numbers; remove "
                "those rows, or fill them"
            )
    columns = [column.to_numpy() for column in table.columns]
    for number, column in enumerate(columns, 1):
        whole = column.dtype.kind in "iu" and np.abs(column).max(initial=0) >= 2**53
        if whole and len(np.unique(column.astype(np.float64))) < len(np.unique(column)):
            raise Unreadable(
                f"column {number} holds whole numbers that double precision cannot tell apart; "
                "subtract an offset, such as the least of them"
            )
    return np.stack(columns, 1) if columns else np.empty((table.num_rows, 0))


_READERS = {".npy": _read_npy, ".csv": _read_csv, ".parquet": _read_parquet}


def read_levels(path: str | Path) -> Tensor:
    """Levels in [0, 1] of shape ``(rows, columns)``, or with 3 or 4 channels at the end.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has an unknown ending, or is no whole picture of 8 bits a level.
    """
    path = _existing(path, (".png", ".jpg", ".jpeg", ".bmp"))
    return torch.from_numpy(read_image(path, opacity=True) / 255)
