"""``python -m divergences A B``: compare two files of points."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divergences.available_memory import lack_of_memory, limit_memory
from divergences.command_line import Parser
from divergences.comparison.chosen_columns import Choice
from divergences.comparison.closer import closer
from divergences.comparison.compared_files import READERS, read_table
from divergences.comparison.comparison import compare
from divergences.comparison.features import KINDS, features
from divergences.comparison.two_sample_test import PERMUTATIONS
from divergences.shown_text import one_line, shortened, visible
from divergences.standard_streams import drop_output, mend_streams
from divergences.whole_files import write_atomically

BAD_INPUT, INTERRUPTED = 2, 130
FEWER = "take some of the rows at random first, or fewer columns with --columns"

DESCRIPTION = f"""\
Say how far apart the points in two files are, with what certainty, and where.

Each file holds one table of numbers: a row for each point, a column for each
coordinate. Files: {", ".join(READERS)}.
A text file may have a header; columns of two files with headers are matched by name.
Folders of images are compared by their features. Nothing in a file is executed.
"""

EPILOG = """\
What is printed: every estimate with its 95 % interval and what it is between equal
laws, p-values, the columns that differ most, what should be known of the data, and
one sentence. Lengths are in standard deviations of the columns, unless --own-units.

With --target T: which of A and B is closer to T, by the energy distance, with an
interval of the difference.

examples:
  python -m divergences real.csv generated.csv --out runs/comparison
  python -m divergences real.csv generated.csv --without id,date
  python -m divergences one.csv other.csv --target real.csv
  python -m divergences photos/ generated/ --features convolutions

Exit code: 0 whether or not the samples differ, 2 for files that cannot be compared.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Compare, print, write; 0 if that went well, 2 if a file is not fit."""
    parser = Parser(
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
    names = parser.add_mutually_exclusive_group()
    names.add_argument(
        "--columns", metavar="NAMES", help="compare these columns only: names with commas between "
        "them, or numbers from 0 where columns have no names",
    )  # fmt: skip
    names.add_argument(
        "--without", metavar="NAMES", help="leave out these columns, such as text or an index"
    )
    parser.add_argument(
        "--own-units", action="store_true", help="columns as they are, for columns of one unit: "
        "lengths are in that unit",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="DIR", help="also write a page and what was found, as JSON, there; it "
        "must hold no earlier comparison",
    )  # fmt: skip
    parser.add_argument(
        "--permutations", type=int, default=PERMUTATIONS, metavar="N",
        help="relabellings for the p-values, 1 / (N + 1) at least (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(args)
    limit_memory()
    mend_streams()
    try:
        _run(options)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        return drop_output()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError) as error:
        lack = lack_of_memory(error, FEWER)
        if lack is None and isinstance(error, RuntimeError):
            raise
        print(f"error: {lack or _line(error)}", file=sys.stderr)
        return BAD_INPUT


def _run(options: argparse.Namespace) -> None:
    ends = ("json",) if options.target is not None else ("html", "json")
    name = "closer" if options.target is not None else "comparison"
    written = _free(options.out, [f"{name}.{end}" for end in ends])
    if options.own_units and options.target is not None:
        raise ValueError("--own-units does not go with --target; leave out one of them")
    wanted = features(options.features) if options.features is not None else None
    choice = Choice.of_text(options.columns, options.without)
    paths = [path for path in (options.target, options.a, options.b) if path is not None]
    tables = [read_table(path, choice) for path in paths]
    choice.check(tables)
    images = [table.label for table in tables if table.image is not None]
    if wanted is not None:
        tables = wanted(tables)
    elif images:
        raise ValueError(f"{images[0]}: is a folder of images; say --features: {KINDS}")
    first, second = tables[-2:]
    if options.target is None:
        found = compare(
            first, second, permutations=options.permutations, own_units=options.own_units
        )
        texts = {"html": found.to_html, "json": found.to_json}
    else:
        found = closer(tables[0], first, second)
        texts = {"json": found.to_json}
    try:
        for path in written:
            write_atomically(path, texts[path.suffix[1:]]())
    finally:  # it may be that files cannot be written, or that nobody reads what is printed
        print("\n".join([str(found), *map(visible, filter(Path.exists, written))]))


def _free(out: str | None, names: Sequence[str]) -> list[Path]:
    """The files to write, none of which is there."""
    if out is None:
        return []
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out {folder}: is a file; give a folder")
    files = [folder / name for name in names]
    held = [file.name for file in files if file.exists() or file.is_symlink()]
    if held:
        raise ValueError(
            f"--out {folder}: holds {held[0]} of an earlier comparison; name another folder, or "
            "move that file away"
        )
    return files


def _line(message: object) -> str:
    """The message on one line, without what would move a cursor or fill a screen."""
    return shortened(one_line(message) or type(message).__name__)
