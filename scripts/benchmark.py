"""Measure what the library is worth: ``python -m scripts.benchmark estimators`` or ``modes``."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from scripts import mixtures
from scripts.calibration import cells, measure
from scripts.coverage import coverage_figure
from scripts.files import as_csv, atomically, plain, write_atomically
from scripts.lab import start_worker
from scripts.published import published


class Kept(Protocol):
    """A piece of work with a record of its own."""

    @property
    def file(self) -> str:
        """Name of its record."""
        ...


def run_all(
    wanted: Sequence[Kept], work: Callable[..., dict[str, Any]], out: Path, workers: int
) -> list[dict[str, Any]]:
    """Do what has no record yet; the records of all, as they were written."""
    records = out / "cells"
    missing = [piece for piece in wanted if not (records / piece.file).is_file()]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=start_worker) as executor:
        running = {executor.submit(work, piece): piece for piece in missing}
        progress = tqdm(
            as_completed(running),
            total=len(wanted),
            initial=len(wanted) - len(missing),
            desc="records",
            file=sys.stderr,
        )
        for future in progress:
            record = plain(future.result())
            write_atomically(records / running[future].file, json.dumps(record, indent=1))
    return [json.loads((records / piece.file).read_text()) for piece in wanted]


def estimators(options: argparse.Namespace) -> None:
    """Every estimator on every known case: a table and the coverage figure."""
    if options.quick:
        options.sizes, options.repeats = [256, 1024], 40
    out: Path = options.out or Path("runs/benchmark/estimators")
    wanted = cells(options.sizes, options.repeats)
    records = run_all(wanted, measure, out, options.workers)
    write_atomically(out / "estimators.csv", as_csv(records))
    for ending in ("svg", "png"):
        atomically(out / f"coverage.{ending}", coverage_figure(records).savefig)
    print(f"{len(records)} cells; {out / 'estimators.csv'} and {out / 'coverage.png'}")


def modes(options: argparse.Namespace) -> None:
    """Every objective and constraint on the mixtures: a table beside the published ones."""
    out: Path = options.out or Path("runs/benchmark/modes")
    wanted = [
        mixtures.Job(row, target, options.seeds, options.share)
        for target in options.targets
        for row in options.rows
    ]
    records = run_all(wanted, partial(mixtures.measure, out=out), out, options.workers)
    rows = [mixtures.as_row(record) for record in records]
    write_atomically(out / "modes.csv", as_csv(rows))
    theirs = [row for target in options.targets for row in published(target)]
    write_atomically(out / "published.csv", as_csv(plain(theirs)))
    for row in rows:
        print(
            f"{row['target']:5} {row['row']:44} modes {row['covered_20']:5.1f} (>= 20)  high "
            f"quality {row['high_quality']:.3f}  reverse KL {row['mode_reverse_kl']:.3f}  width "
            f"{row['core_width']:.2f}  own value tells {row['own_tells']:+.2f}"
        )
    print(f"{len(rows)} rows; {out / 'modes.csv'}, beside {out / 'published.csv'}")


def parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.benchmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    kept = "Finished records are kept; give the command again to continue."
    command = commands.add_parser(
        "estimators",
        help="bias, error bars, coverage and cost of every estimator on every known case",
        epilog=kept,
    )
    command.set_defaults(run=estimators)
    command.add_argument("--sizes", type=int, nargs="+", default=[256, 1024, 4096])
    command.add_argument(
        "--repeats", type=int, default=200, help="samples per cell (default: 200)"
    )
    command.add_argument("--quick", action="store_true", help="sizes 256 and 1024, 40 repeats")
    command = commands.add_parser(
        "modes", help="every objective and constraint on the ring and the grid", epilog=kept
    )
    command.set_defaults(run=modes)
    command.add_argument(
        "--targets", nargs="+", choices=mixtures.MIXTURES, default=list(mixtures.MIXTURES)
    )
    command.add_argument(
        "--rows",
        nargs="+",
        choices=mixtures.ROWS,
        metavar="ROW",
        default=list(mixtures.ROWS),
        help=f"rows of the table (default: all): {', '.join(mixtures.ROWS)}",
    )
    command.add_argument("--seeds", type=int, default=10, help="seeds per row (default: 10)")
    command.add_argument(
        "--share", type=float, default=1.0, help="share of the protocol's iterations (default: 1)"
    )
    for command in commands.choices.values():
        command.add_argument("--out", type=Path, help="folder (default: runs/benchmark/COMMAND)")
        command.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args(args)
    for name, least in (("repeats", 2), ("seeds", 2), ("workers", 1)):
        if getattr(options, name, least) < least:
            parser.error(f"--{name} {getattr(options, name)} must be at least {least}")
    if min(getattr(options, "sizes", [16])) < 16:
        parser.error(f"--sizes {min(options.sizes)}: estimators need at least 16 points")
    if not 0 < getattr(options, "share", 1.0) <= 1:
        parser.error(f"--share {options.share} must be above 0 and at most 1")
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Run a benchmark, write its table; exit code 0."""
    options = parse(args)
    options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
