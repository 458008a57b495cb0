"""Write the report of a folder once more: ``python -m scripts.report DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.report import write_report
from scripts.reproduce import ARGUMENTS


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.report", description="Write report.html from a reproduce folder."
    )
    parser.add_argument("out", type=Path, help="folder that scripts.reproduce wrote")
    try:
        print(write_report(parser.parse_args().out, ARGUMENTS))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
