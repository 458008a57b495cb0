"""Every objective and constraint on mixtures, ours or a published protocol's, beside theirs."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from divergences.shown_text import visible
from divergences.whole_files import plain, write_atomically
from gans.runtime.escaping import say
from gans.runtime.files import as_csv
from scripts.benchmark import mixtures
from scripts.benchmark.published import published
from scripts.lab.jobs import Job
from scripts.lab.mode_protocols import PROTOCOLS
from scripts.lab.records import results


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--protocol", choices=PROTOCOLS, default="ours", help="whose settings (default: ours)"
    )
    command.add_argument(
        "--targets",
        nargs="+",
        metavar="TARGET",
        help="default: ring and grid, where the protocol has them; ours also has grid100",
    )
    command.add_argument(
        "--rows", nargs="+", metavar="ROW", help="rows of the protocol's table (default: all)"
    )
    command.add_argument(
        "--seeds",
        type=int,
        default=10,
        help="seeds per row (default: 10); one has no standard error",
    )
    command.add_argument(
        "--share", type=float, default=1.0, help="share of the protocol's iterations (default: 1)"
    )


def check(options: argparse.Namespace) -> None:
    protocol = PROTOCOLS[options.protocol]
    for flag, given, there in (
        ("--targets", options.targets, protocol.mixtures),
        ("--rows", options.rows, protocol.rows),
    ):
        for name in given or ():
            if name not in there:
                raise ValueError(
                    f"{flag} {name}: protocol {options.protocol} has {', '.join(there)}"
                )
    if options.seeds < 1:
        raise ValueError(f"--seeds {options.seeds} must be at least 1")
    if not 0 < options.share <= 1:
        raise ValueError(f"--share {options.share} must be above 0 and at most 1")


def rows_of(options: argparse.Namespace) -> list[mixtures.Row]:
    """What the flags ask for; the hundred modes, which take an hour a row, only by name."""
    protocol = PROTOCOLS[options.protocol]
    targets = options.targets or [name for name in protocol.mixtures if name != "grid100"]
    return [
        mixtures.Row(options.protocol, row, target, options.seeds, options.share)
        for target in targets
        for row in options.rows or protocol.rows
    ]


def run(options: argparse.Namespace) -> None:
    """A protocol's rows on its mixtures: a table beside the published ones."""
    out: Path = options.out
    wanted = rows_of(options)
    jobs = {row.key: Job(row.iterations, mixtures.measure, row, folder=".") for row in wanted}
    records = results(jobs, options)
    for row in wanted:
        shutil.rmtree(row.folder(out) / "checkpoints", ignore_errors=True)
    rows = [mixtures.as_row(record) for record in records]
    table = out / f"modes_{options.protocol}.csv"
    write_atomically(table, as_csv(rows))
    theirs = [
        row for target in dict.fromkeys(j.target for j in wanted) for row in published(target)
    ]
    beside = ""
    if theirs:
        write_atomically(out / "published.csv", as_csv(plain(theirs)))
        beside = f", beside {out / 'published.csv'}"
    say(f"{options.protocol}: {PROTOCOLS[options.protocol].source}")
    for row in rows:
        say(
            f"{visible(row['target']):7} {visible(row['row']):44} "
            f"modes {row['covered_1']:5.1f} (>= 1) {row['covered_20']:5.1f} (>= 20)  "
            f"high quality {row['high_quality']:.3f}  reverse KL {row['mode_reverse_kl']:.3f}  "
            f"width {row['core_width']:.2f}  own value tells {row['own_tells']:+.2f}"
        )
    say(f"{len(rows)} rows; {table}{beside}")
