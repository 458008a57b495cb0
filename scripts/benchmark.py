"""Measure what the library is worth: ``python -m scripts.benchmark estimators``."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scripts.calibration import Cell, cells, measure
from scripts.coverage import coverage_figure
from scripts.files import as_csv, atomically, plain, write_atomically
from scripts.lab import start_worker


def estimators(out: Path, sizes: list[int], repeats: int, workers: int) -> list[dict[str, Any]]:
    """Run every cell that has no record yet; the records of all cells, as they were written."""
    wanted = cells(sizes, repeats)
    missing = [cell for cell in wanted if not (out / "cells" / cell.file).is_file()]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=start_worker) as executor:
        running = {executor.submit(measure, cell): cell for cell in missing}
        progress = tqdm(
            as_completed(running),
            total=len(wanted),
            initial=len(wanted) - len(missing),
            desc="cells",
            file=sys.stderr,
        )
        for future in progress:
            cell: Cell = running[future]
            record = plain(future.result())
            write_atomically(out / "cells" / cell.file, json.dumps(record, indent=1))
    return [json.loads((out / "cells" / cell.file).read_text()) for cell in wanted]


def parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.benchmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "estimators",
        help="bias, error bars, coverage and cost of every estimator on every known case",
        epilog="Finished cells are kept; give the command again to continue.",
    )
    command.add_argument("--sizes", type=int, nargs="+", default=[256, 1024, 4096])
    command.add_argument(
        "--repeats", type=int, default=200, help="samples per cell (default: 200)"
    )
    command.add_argument("--quick", action="store_true", help="sizes 256 and 1024, 40 repeats")
    command.add_argument("--out", type=Path, default=Path("runs/benchmark/estimators"))
    command.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args(args)
    if options.quick:
        options.sizes, options.repeats = [256, 1024], 40
    for name, least in (("repeats", 2), ("workers", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name} {getattr(options, name)} must be at least {least}")
    if min(options.sizes) < 16:
        parser.error(f"--sizes {min(options.sizes)}: estimators need at least 16 points")
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Run the benchmark, write its table and figure; exit code 0."""
    options = parse(args)
    out: Path = options.out
    records = estimators(out, options.sizes, options.repeats, options.workers)
    write_atomically(out / "estimators.csv", as_csv(records))
    for ending in ("svg", "png"):
        atomically(out / f"coverage.{ending}", coverage_figure(records).savefig)
    print(f"{len(records)} cells; {out / 'estimators.csv'} and {out / 'coverage.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
