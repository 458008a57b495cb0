"""Every objective and constraint on the ring and the grid, beside the published rows."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from scripts.benchmark import mixtures
from scripts.benchmark.published import published
from scripts.benchmark.records import run_all
from scripts.files import as_csv, plain, write_atomically


def add_arguments(command: argparse.ArgumentParser) -> None:
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


def check(options: argparse.Namespace) -> None:
    if options.seeds < 2:
        raise ValueError(f"--seeds {options.seeds} must be at least 2")
    if not 0 < options.share <= 1:
        raise ValueError(f"--share {options.share} must be above 0 and at most 1")


def run(options: argparse.Namespace) -> None:
    """Every objective and constraint on the mixtures: a table beside the published ones."""
    out: Path = options.out
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
