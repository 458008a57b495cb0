"""``python -m divergences A B``: compare two files of points."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, final

from divergences.comparison.closer import closer
from divergences.comparison.comparison import compare
from divergences.comparison.features import KINDS, features
from divergences.comparison.files import READERS, read_table
from divergences.comparison.permutation_tests import PERMUTATIONS
from divergences.shown_text import one_line, shortened, visible
from divergences.whole_files import write_atomically

BAD_INPUT, INTERRUPTED = 2, 130

DESCRIPTION = f"""\
Say how far apart the points in two files are, with what certainty, and where.

Each file holds one table of numbers: a row for each point, a column for each
coordinate. Files: {", ".join(READERS)}. A .csv file may have a header; columns of
two files with headers are matched by name. Folders of images are compared by their
features. Nothing in a file is executed.
"""

EPILOG = """\
What is printed: every estimate with its 95 % interval, p-values, the columns that
differ most, what should be known of the data, and one sentence. Lengths are in
standard deviations of the columns.

With --target T: which of A and B is closer to T, by the energy distance, with an
interval of the difference.

examples:
  python -m divergences real.csv generated.csv --out runs/comparison
  python -m divergences one.csv other.csv --target real.csv
  python -m divergences photos/ generated/ --features convolutions

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
        "--target", metavar="T", help="file of points: which of A and B is closer to them?"
    )
    parser.add_argument("--features", metavar="KIND", help=f"what is compared: {KINDS}")
    parser.add_argument(
        "--out", metavar="DIR", help="also write a page and what was found, as JSON, there"
    )
    parser.add_argument(
        "--permutations", type=int, default=PERMUTATIONS, metavar="N",
        help="relabellings for the p-values, 1 / (N + 1) at least (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(args)
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, MemoryError) as error:
        print(f"error: {_line(error)}", file=sys.stderr)
        return BAD_INPUT


def _run(options: argparse.Namespace) -> int:
    folder = Path(options.out) if options.out is not None else None
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(f"--out {folder}: is a file; give a folder")
    wanted = features(options.features) if options.features is not None else None
    paths = [path for path in (options.target, options.a, options.b) if path is not None]
    tables = [read_table(path) for path in paths]
    images = [table.label for table in tables if table.image is not None]
    if wanted is not None:
        tables = wanted(tables)
    elif images:
        raise ValueError(f"{images[0]}: is a folder of images; say --features: {KINDS}")
    first, second = tables[-2:]
    if options.target is None:
        found = compare(first, second, permutations=options.permutations)
        files = {"comparison.html": found.to_html, "comparison.json": found.to_json}
    else:
        found = closer(tables[0], first, second)
        files = {"closer.json": found.to_json}
    print(found)
    if folder is not None:
        for name, text in files.items():
            write_atomically(folder / name, text())
            print(visible(folder / name))
    return 0


def _line(message: object) -> str:
    """The message on one line, without what would move a cursor or fill a screen."""
    return shortened(one_line(message) or type(message).__name__)
