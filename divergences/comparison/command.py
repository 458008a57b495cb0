"""``python -m divergences A B``: compare two files of points."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, final

from divergences.comparison.comparison import compare
from divergences.comparison.files import READERS, read_table
from divergences.comparison.permutation_tests import PERMUTATIONS
from divergences.shown_text import one_line, shortened, visible
from divergences.whole_files import write_atomically

BAD_INPUT, INTERRUPTED = 2, 130

DESCRIPTION = f"""\
Say how far apart the points in two files are, with what certainty, and where.

Each file holds one table of numbers: a row for each point, a column for each
coordinate. Files: {", ".join(READERS)}. A .csv file may have a header; columns of
two files with headers are matched by name. Nothing in a file is executed.
"""

EPILOG = """\
What is printed: every estimate with its 95 % interval, p-values, the columns that
differ most, what should be known of the data, and one sentence. Lengths are in
standard deviations of the columns.

example:
  python -m divergences real.csv generated.csv --out runs/comparison

Exit code: 0 whether or not the samples differ, 2 for files that cannot be compared.
"""


@final
class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(_line(message))


def main(args: Sequence[str] | None = None) -> int:
    """Compare, print, write; 0 if that went well, 2 if a file is not fit."""
    parser = _Parser(
        prog="divergences",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="file of points x, such as real ones")
    parser.add_argument("b", metavar="B", help="file of points y, such as generated ones")
    parser.add_argument(
        "--out", metavar="DIR", help="also write comparison.html and comparison.json there"
    )
    parser.add_argument(
        "--permutations", type=int, default=PERMUTATIONS, metavar="N",
        help="relabellings for the p-values, 1 / (N + 1) at least (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(args)
    try:
        return _run(options.a, options.b, options.out, options.permutations)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, MemoryError) as error:
        print(f"error: {_line(error)}", file=sys.stderr)
        return BAD_INPUT


def _run(first: str, second: str, out: str | None, permutations: int) -> int:
    folder = Path(out) if out is not None else None
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(f"--out {folder}: is a file; give a folder")
    found = compare(read_table(first), read_table(second), permutations=permutations)
    print(found)
    if folder is not None:
        for name, text in (("html", found.to_html()), ("json", found.to_json())):
            path = folder / f"comparison.{name}"
            write_atomically(path, text)
            print(visible(path, keep="\n"))
    return 0


def _line(message: object) -> str:
    """The message on one line, without what would move a cursor or fill a screen."""
    return shortened(one_line(message) or type(message).__name__)
