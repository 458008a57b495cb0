"""Write the report of a folder once more: ``python -m scripts.report DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import guarded
from scripts.foreign import one_line, say
from scripts.locks import locked
from scripts.report import write_report
from scripts.reproduce import ARGUMENTS


def main(args: Sequence[str] | None = None) -> int:
    """Write it and print where; 0 if that went well, 2 if the folder is not whole."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.report", description="Write report.html from a reproduce folder."
    )
    parser.add_argument("out", type=Path, help="folder that scripts.reproduce wrote")
    out: Path = parser.parse_args(args).out
    return guarded(lambda: write(out))


def write(out: Path) -> int:
    """Write the page and say where it is."""
    if not out.is_dir():
        raise FileNotFoundError(
            f"{out}: no such folder; run python -m scripts.reproduce --out {out}"
        )
    with locked(out):
        say(one_line(write_report(out, ARGUMENTS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
