"""Write the report of a folder once more: ``python -m scripts.report DIR``.

With ``--readme`` write the tables of claims in the README of the arguments instead.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from divergences.command_line import Parser
from divergences.shown_text import one_line
from gans.cli.errors import guarded
from gans.runtime.escaping import say
from gans.runtime.locks import locked
from scripts.arguments import ARGUMENTS
from scripts.report import write_report
from scripts.report.claims_table import write_readme


def main(args: Sequence[str] | None = None) -> int:
    """Write it and print where; 0 if that went well, 2 if the folder is not whole."""
    parser = Parser(
        prog="python -m scripts.report", description="Write report.html from a reproduce folder."
    )
    parser.add_argument(
        "out", type=Path, nargs="+", metavar="DIR", help="folder that scripts.reproduce wrote"
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="write the tables of claims in scripts/arguments/README.md instead; a second folder, "
        "of another profile, adds a column",
    )
    options = parser.parse_args(args)
    if len(options.out) > 1 and not options.readme:
        parser.error("a page is of one folder; several are for --readme")
    return guarded(lambda: write(options.out, options.readme))


def write(folders: list[Path], readme: bool) -> int:
    """Write the page, or the tables of the README, and say where."""
    for out in folders:
        if not (out.exists() or out.is_symlink()):
            raise FileNotFoundError(
                f"{out}: no such folder; run python -m scripts.reproduce --out {out}"
            )
    with ExitStack() as stack:
        for out in folders:
            stack.enter_context(locked(out))
        path = write_readme(folders, ARGUMENTS) if readme else write_report(folders[0], ARGUMENTS)
        say(one_line(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
