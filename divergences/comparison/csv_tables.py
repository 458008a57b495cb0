"""Tables from text files, or one line that says what is wrong."""

import csv
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from divergences.array_likes import RESOLVED
from divergences.checks import shown
from divergences.comparison.chosen_columns import Choice, numbered
from divergences.comparison.tables import Table, numbers
from divergences.comparison.unfit_files import check_size, no_numbers, too_fine, too_many_digits
from divergences.long_numbers import column_read_as_equal
from divergences.shown_text import is_number, listed, parted_by_a_comma, shortened, visible

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
BLANKS = ""  # stands for a separator of any blanks


def read_text(path: Path, choice: Choice, separator: str | None = None) -> Table:
    """A text file with a separator that its first line shows, and with or without a header."""
    first = _first_row(path)
    remark = path.suffix.lower() == ".txt" and first.lstrip().startswith("#")  # as NumPy writes it
    if remark:
        first = first.lstrip("# \t")
    if separator is None:
        separator = _separator(path, first)
        _refuse_commas(path, first)
    try:
        cells = [cell.strip() for cell in next(_rows([first], separator), [])]
    except csv.Error:
        raise _too_long(path) from None
    texts = (cell.lower() not in MISSING and not is_number(cell) for cell in cells)
    header = remark or _is_count(cells) or any(texts)
    known = tuple(cells) if header else numbered(len(cells))
    wanted = choice.places(known, str(path))
    places = list(range(len(cells))) if wanted is None else wanted
    file = _File(path, separator, known, header, places)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = np.loadtxt(
                path, delimiter=separator or None, skiprows=int(header), ndmin=2,
                encoding="utf-8-sig", quotechar='"', comments=None, dtype=np.float64,
                usecols=wanted,
            )  # fmt: skip
        if wanted is not None and (fault := file.fault()) is not None:  # rows of other lengths
            raise fault
    except MemoryError:
        raise
    except Exception:  # what NumPy says of text that is no table can be anything
        raise file.fault() or ValueError(
            f"{path}: is no table of numbers; save it as .csv again"
        ) from None
    check_size(path, values.size)
    if values.shape[1] != len(places):
        raise ValueError(
            f"{path}: the header has {len(cells)} cells and the rows {values.shape[1]}; give "
            "every column a name"
        )
    if separator == "," and not header and values.shape[1] % 2 == 0 and _whole(values):
        file.refuse_halves_of_numbers()
    try:
        if values.size and np.abs(values).max() >= RESOLVED:
            file.refuse_fine()
        file.refuse_equal(values)
    except csv.Error:
        raise _too_long(path) from None
    notes = ()
    chosen = [cells[j] for j in places]
    line = f"{visible(path.name)}: the first line, {shortened(', '.join(cells[:3]))}"
    if _is_count(cells):
        notes = (f"{line}, ..., is taken as names",)
    elif not header and _may_be_names(chosen, values):
        notes = (
            f"{line}{', ...' * (len(cells) > 3)}, is taken as a row of numbers, but looks like "
            "names of columns; if it is, give them names with letters, such as c1",
        )
    names = tuple(known[j] for j in places) if header or wanted is not None else None
    return Table(path.name, numbers(values, str(path)), names, notes, all_names=known)


def _separator(path: Path, first: str) -> str:
    counts = {mark: first.count(mark) for mark in (",", ";", "\t")}
    likely = max(counts, key=lambda mark: counts[mark])
    return BLANKS if path.suffix.lower() == ".txt" and not counts[likely] else likely


def _refuse_commas(path: Path, first: str) -> None:
    """Refuse a first line of numbers with decimal commas between other separators."""
    for cells in (first.split(";"), first.split("\t"), first.split()):
        with_comma = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
        others = all(is_number(cell) for cell in cells if cell not in with_comma)
        if len(cells) > 1 and with_comma and others:
            raise _decimal_comma(path, 1, with_comma[0].strip())


def _decimal_comma(path: Path, line: int, cell: str) -> TypeError:
    return TypeError(
        f"{path}: line {line} has {shown(cell)}: write numbers with a decimal point, not a comma"
    )


def _whole(values: np.ndarray) -> bool:
    return bool((values == np.round(values)).all())


def _rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    if separator == BLANKS:
        return map(str.split, lines)
    return csv.reader(lines, delimiter=separator)


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


def _first_row(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline=None) as lines:
            first = lines.readline(2**22)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text in UTF-8; save the table so") from None
    if "\0" in first:
        raise ValueError(f"{path}: is no text; save the table as .csv again")
    if not first.strip():
        raise ValueError(f"{path}: the first line is empty; remove empty lines")
    if first.count('"') % 2:
        raise ValueError(f"{path}: a name in the first line has a line break or an open quote")
    if len(first) >= 2**22:
        raise ValueError(f"{path}: the first line is longer than 4 MB; is this a table?")
    return first.rstrip("\n")


@dataclass(frozen=True)
class _File:
    """A text file that is to hold a table, for what is wrong with it.

    Attributes:
        path: Of the file.
        separator: Of its cells.
        names: Of its columns; their numbers if it has no header.
        header: Whether the first line names the columns.
        places: Of the wanted columns.
    """

    path: Path
    separator: str
    names: tuple[str, ...]
    header: bool
    places: Sequence[int]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number of each line and its cells, without the header and empty lines."""
        with self.path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(_rows(lines, self.separator), 1):
                if row and (number > 1 or not self.header):
                    yield number, row

    def refuse_fine(self) -> None:
        """Refuse whole numbers that double precision rounds."""
        for _, row in self.rows():
            for j in self.places:
                cell = row[j].strip()
                whole = 15 < len(cell) < 400 and cell.lstrip("+-").isdigit()
                if whole and math.isfinite(float(cell)) and int(cell) != int(float(cell)):
                    raise too_fine(self.path, self.names[j])

    def refuse_equal(self, values: np.ndarray) -> None:
        """Refuse a column in which two numbers have so many digits that they are read as one."""
        rows = ([row[j] for j in self.places] for _, row in self.rows())
        column = column_read_as_equal(rows, values)
        if column is not None:
            raise too_many_digits(self.path, self.names[self.places[column]])

    def refuse_halves_of_numbers(self) -> None:
        """Refuse pairs of columns such as 0 and 0876, of which -0 or a leading zero shows that a
        comma has parted them."""
        for number, row in self.rows():
            for whole, part in zip(row[::2], row[1::2], strict=True):
                if parted_by_a_comma(whole, part):
                    raise TypeError(
                        f"{self.path}: line {number} has {shown(f'{whole},{part}')}, which looks "
                        "like a number with a decimal comma: write a decimal point. If these are "
                        "two numbers, write them without leading zeros"
                    )

    def fault(self) -> Exception | None:
        """What keeps it from being a table, from its first bad cells; ``None`` if nothing does."""
        path, width = self.path, len(self.names)
        missing, text, place, many = 0, {}, None, 0
        try:
            for number, row in self.rows():
                many += 1
                if len(row) != width:
                    return ValueError(
                        f"{path}: line {number} has {len(row)} cells and the first {width}; give "
                        "every row as many, with quotes around text that holds separators"
                    )
                for j in self.places:
                    cell = row[j].strip()
                    if cell.lower() in MISSING:
                        missing += 1
                        place = place or (number, self.names[j])
                    elif not is_number(cell):
                        text.setdefault(j, (number, cell))
        except (UnicodeDecodeError, csv.Error):
            return ValueError(f"{path}: is no text in UTF-8; save the table so")
        if text and all(DECIMAL_COMMA.fullmatch(cell) for _, cell in text.values()):
            return _decimal_comma(path, *text[min(text)])
        if text:
            line, cell = text[min(text)]
            what = f"line {line} has {shown(cell)}"
            return no_numbers(path, [self.names[j] for j in sorted(text)], what)
        if missing and place:
            return ValueError(
                f"{path}: {missing} cells are missing, the first in line {place[0]}, "
                f"{listed([place[1]])}; remove such rows or fill them, in both files alike, or "
                "leave the column out with --without"
            )
        return None if many else ValueError(f"{path}: holds a header and no rows")
