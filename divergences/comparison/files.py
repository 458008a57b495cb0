"""Tables from files, or one line that says what is wrong. Nothing in them is executed."""

from __future__ import annotations

import csv
import io
import math
import re
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from divergences.array_likes import RESOLVED
from divergences.checks import shown
from divergences.comparison.image_folders import read_folder
from divergences.comparison.tables import MOST_NUMBERS, Table, numbers
from divergences.shown_text import is_number, listed, shortened, visible

LARGEST_FILE = 2 * 2**30
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}


def read_table(path: str | Path) -> Table:
    """The table in a file: ``.npy``, ``.npz`` with one array, ``.csv``, ``.tsv``, ``.parquet``.

    Or that of a folder of images.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, is empty or too large, or does not hold one table of
            numbers.
        TypeError: If it holds something else than numbers.
    """
    path = Path(path)
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileNotFoundError(f"{path}: cannot be opened ({reason}); check the name") from None
    if stat.S_ISDIR(found.st_mode):
        return read_folder(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: is no regular file; give a file of points")
    read = READERS.get(path.suffix.lower())
    if read is None:
        as_csv = "; name text .csv, with commas, semicolons or tabs in the place of spaces"
        raise ValueError(
            f"{path}: cannot read {path.suffix!r} files; give one of {', '.join(READERS)}"
            f"{as_csv if path.suffix.lower() in ('.txt', '.dat', '') else ''}"
        )
    if found.st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    if found.st_size > LARGEST_FILE:
        raise _too_large(path, f"{found.st_size / 2**30:.1f} GiB")
    return read(path)


def _too_large(path: Path, size: str) -> ValueError:
    return ValueError(
        f"{path}: holds {size}, more than fits; take some of its rows at random first"
    )


def _array(path: Path, stream: io.BufferedIOBase, available: int) -> np.ndarray:
    """The array of a stream in NumPy's format, once its header fits what is there."""
    damaged = f"{path}: is no whole .npy array; save it again with numpy.save"
    try:
        version = np.lib.format.read_magic(stream)  # pyright: ignore[reportArgumentType]
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = header(stream)  # pyright: ignore[reportArgumentType]
    except Exception:  # what NumPy says of bytes that are no array can be anything
        raise ValueError(damaged) from None
    if dtype.hasobject:
        raise ValueError(
            f"{path}: holds pickled objects, which are not loaded; save numbers, with "
            "numpy.save(path, numpy.asarray(x, dtype=float))"
        )
    if dtype.names:
        raise ValueError(
            f"{path}: holds records, not a table; save numpy.lib.recfunctions."
            "structured_to_unstructured(x)"
        )
    count = 1
    for length in shape:
        count *= int(length)
    if count > MOST_NUMBERS:
        raise _too_large(path, f"{count:.2g} numbers")
    if count * dtype.itemsize > available:
        raise ValueError(f"{path}: is cut off: {shape} numbers are announced, fewer are there")
    data = stream.read(count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise ValueError(f"{path}: is cut off: {shape} numbers are announced, fewer are there")
    array = np.frombuffer(data, dtype=dtype, count=count)
    return array.reshape(shape, order="F" if fortran else "C")


def _read_npy(path: Path) -> Table:
    with path.open("rb") as stream:
        return Table(path.name, numbers(_array(path, stream, path.stat().st_size), str(path)))


def _read_npz(path: Path) -> Table:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.infolist()
            if len(inside) != 1:
                held = ", ".join(shown(member.filename) for member in inside[:5])
                raise ValueError(
                    f"{path}: holds {len(inside)} arrays ({held}); save the one to compare alone"
                )
            if inside[0].file_size > 8 * MOST_NUMBERS + 2**20:
                raise _too_large(path, f"{inside[0].file_size / 2**30:.1f} GiB")
            with archive.open(inside[0]) as stream:
                array = _array(path, stream, inside[0].file_size)  # pyright: ignore
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"{path}: is no whole .npz archive ({type(error).__name__})") from None
    return Table(path.name, numbers(array, str(path)))


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ValueError(
            f"{path}: .parquet needs pyarrow; install it, or save the table as .csv"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        if rows * len(schema) > MOST_NUMBERS:
            raise _too_large(path, f"{rows * len(schema):.2g} numbers")
        types = pyarrow.types
        kinds = types.is_floating, types.is_integer, types.is_boolean
        other = [f for f in schema if not any(is_kind(f.type) for is_kind in kinds)]
        if other:
            names = [field.name for field in other]
            raise TypeError(f"{_no_numbers(path, names)} ({shown(str(other[0].type))})")
        table = file.read()
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path}: is no whole .parquet file ({type(error).__name__})") from None
    columns = []
    for name, column in zip(schema.names, table.columns, strict=True):
        try:
            columns.append(column.cast("float64").to_numpy(zero_copy_only=False))
        except pyarrow.ArrowInvalid:
            raise ValueError(_too_fine(path, name)) from None
    array = np.stack(columns, 1) if columns else np.empty((rows, 0))
    return Table(path.name, numbers(array, str(path)), tuple(map(str, schema.names)))


def _no_numbers(path: Path, text: list[str]) -> str:
    return (
        f"{path}: {listed(text)}: text or dates, not numbers; encode it as numbers in both files "
        "alike, or leave them out of both"
    )


def _too_fine(path: Path, name: str) -> str:
    return (
        f"{path}: column {shown(name)} holds whole numbers beyond 2**53, which double precision "
        "cannot tell apart; subtract an offset first"
    )


def _read_text(path: Path, separator: str | None = None) -> Table:
    """A text file with a separator that its first line shows, and with or without a header."""
    first = _first_row(path)
    if separator is None:
        counts = {mark: first.count(mark) for mark in (",", ";", "\t")}
        separator = max(counts, key=lambda mark: counts[mark])
    try:
        cells = [cell.strip() for cell in next(csv.reader([first], delimiter=separator))]
    except csv.Error:
        raise _too_long(path) from None
    texts = (cell.lower() not in MISSING and not is_number(cell) for cell in cells)
    header = _is_count(cells) or any(texts)
    names = tuple(cells) if header else None
    skip = int(header)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = np.loadtxt(
                path, delimiter=separator, skiprows=skip, ndmin=2, encoding="utf-8-sig",
                quotechar='"', comments=None, dtype=np.float64,
            )  # fmt: skip
    except Exception:  # what NumPy says of text that is no table can be anything
        raise _why(path, separator, names, len(cells)) from None
    if values.size > MOST_NUMBERS:
        raise _too_large(path, f"{values.size:.2g} numbers")
    if values.shape[1] != len(cells):
        raise ValueError(
            f"{path}: the header has {len(cells)} cells and the rows {values.shape[1]}; give "
            "every column a name"
        )
    if values.size and np.abs(values).max() > RESOLVED:
        try:
            _refuse_fine(path, separator, names)
        except csv.Error:
            raise _too_long(path) from None
    notes = ()
    line = f"{visible(path.name)}: the first line, {shortened(', '.join(cells[:3]))}"
    if _is_count(cells):
        notes = (f"{line}, ..., is taken as names",)
    elif not header and _may_be_names(cells, values):
        notes = (
            f"{line}{', ...' * (len(cells) > 3)}, is taken as a row of numbers, but looks like "
            "names of columns; if it is, give them names with letters, such as c1",
        )
    return Table(path.name, numbers(values, str(path)), names, notes)


def _is_count(cells: list[str]) -> bool:
    """Whether these are the names that a table without names gets: 0, 1, 2, ..."""
    return len(cells) > 1 and cells == [str(j) for j in range(len(cells))]


def _may_be_names(cells: list[str], values: np.ndarray) -> bool:
    """Whether a first row of whole numbers, such as years, is unlike all others."""
    if len(values) < 2 or not all(re.fullmatch(r"[+-]?\d+", cell) for cell in cells):
        return False
    first, rest = values[0], values[1:]
    alone_whole = not (rest == np.round(rest)).all(1).any()
    counts = len(first) > 1 and bool((np.diff(first) == 1).all())
    counts = counts and not (np.diff(rest, axis=1) == 1).all(1).any()
    outside = len(first) > 1 and bool(((first < rest.min(0)) | (first > rest.max(0))).all())
    return alone_whole or counts or outside


def _too_long(path: Path) -> ValueError:
    return ValueError(
        f"{path}: a cell has more than {csv.field_size_limit()} characters; is this a table?"
    )


def _refuse_fine(path: Path, separator: str, names: tuple[str, ...] | None) -> None:
    """Refuse whole numbers that double precision rounds."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.reader(lines, delimiter=separator):
            for j, cell in enumerate(map(str.strip, row)):
                whole = 15 < len(cell) < 400 and cell.lstrip("+-").isdigit()
                if whole and math.isfinite(float(cell)) and int(cell) != int(float(cell)):
                    raise ValueError(_too_fine(path, names[j] if names else str(j)))


def _first_row(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline=None) as lines:
            first = lines.readline(2**22)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text in UTF-8; save the table as .csv again") from None
    if "\0" in first:
        raise ValueError(f"{path}: is no text; save the table as .csv again")
    if not first.strip():
        raise ValueError(f"{path}: the first line is empty; remove empty lines")
    if first.count('"') % 2:
        raise ValueError(f"{path}: a name in the first line has a line break or an open quote")
    if len(first) >= 2**22:
        raise ValueError(f"{path}: the first line is longer than 4 MB; is this a table?")
    return first.rstrip("\n")


def _why(path: Path, separator: str, names: tuple[str, ...] | None, width: int) -> Exception:
    """What keeps a text file from being a table, from its first bad cells."""
    missing, text, place, rows = 0, {}, None, 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.reader(lines, delimiter=separator), 1):
                if number == 1 and names is not None:
                    continue
                if not row:
                    continue
                rows += 1
                if len(row) != width:
                    return ValueError(
                        f"{path}: line {number} has {len(row)} cells and the first {width}; give "
                        "every row as many, with quotes around text that holds separators"
                    )
                for j, cell in enumerate(row):
                    cell = cell.strip()
                    if cell.lower() in MISSING:
                        missing += 1
                        place = place or (number, names[j] if names else str(j))
                    elif not is_number(cell):
                        text.setdefault(j, (number, cell))
    except (UnicodeDecodeError, csv.Error):
        return ValueError(f"{path}: is no text in UTF-8; save the table as .csv again")
    if text and all(re.fullmatch(r"[+-]?\d+,\d+", cell) for _, cell in text.values()):
        line, cell = text[min(text)]
        return TypeError(
            f"{path}: line {line} has {shown(cell)}: write numbers with a decimal point, not a "
            "comma"
        )
    if text:
        columns = [names[j] if names else str(j) for j in sorted(text)]
        line, cell = text[min(text)]
        return TypeError(f"{_no_numbers(path, columns)} (line {line} has {shown(cell)})")
    if missing and place:
        return ValueError(
            f"{path}: {missing} cells are missing, the first in line {place[0]}, column "
            f"{shown(place[1])}; remove such rows or fill them, in both files alike"
        )
    if not rows:
        return ValueError(f"{path}: holds a header and no rows")
    return ValueError(f"{path}: is no table of numbers; save it as .csv again")


READERS: dict[str, Callable[[Path], Table]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_text,
    ".tsv": lambda path: _read_text(path, "\t"),
    ".parquet": _read_parquet,
}
