"""Objectives and constraints on mixtures and stacked digits, beside published tables."""

import argparse
import math
import shutil
from pathlib import Path

from divergences.command_line import Parser
from divergences.shown_text import visible
from divergences.whole_files import plain, write_atomically
from gans.runtime.escaping import say
from gans.runtime.files import as_csv
from scripts.benchmark import mode_rows
from scripts.benchmark.published import published
from scripts.lab.jobs import Job
from scripts.lab.mode_table_settings import PROTOCOLS
from scripts.lab.options import at_least, share
from scripts.lab.records import results

SHOWN = {
    "covered_1": "modes {covered_1:5.1f} (>= 1)",
    "covered_20": "{covered_20:5.1f} (>= 20)",
    "high_quality": "high quality {high_quality:.3f}",
    "mode_reverse_kl": "reverse KL {mode_reverse_kl:.3f}",
    "core_width": "width {core_width:.2f}",
    "own_tells": "own value tells {own_tells:+.2f}",
}
"""What is printed of a row, where there is a number."""


def add_arguments(command: Parser) -> None:
    what = "whose settings (default: ours; of stacked_digits: digits)"
    command.add_argument("--protocol", choices=PROTOCOLS, help=what)
    what = "default: all of the protocol's but grid100"
    command.add_argument("--targets", nargs="+", metavar="TARGET", help=what)
    what = "rows of the protocol's table (default: all)"
    command.add_argument("--rows", nargs="+", metavar="ROW", help=what)
    what = "seeds per row; one has no standard error"
    command.flag("--seeds", what, type=at_least(1), default=10)
    command.flag("--share", "share of the protocol's iterations", type=share, default=1.0)


def protocol_of(options: argparse.Namespace) -> str:
    """Whose settings: those named, or the first that has the first target."""
    if options.protocol:
        return options.protocol
    first = (options.targets or ["ring"])[0]
    return next((name for name, p in PROTOCOLS.items() if first in p.mixtures), "ours")


def check(options: argparse.Namespace) -> None:
    name_of_protocol = protocol_of(options)
    protocol = PROTOCOLS[name_of_protocol]
    for flag, given, there in (
        ("--targets", options.targets, protocol.mixtures),
        ("--rows", options.rows, protocol.rows),
    ):
        for name in given or ():
            if name not in there:
                raise ValueError(
                    f"{flag} {name}: protocol {name_of_protocol} has {', '.join(there)}"
                )


def rows_of(options: argparse.Namespace) -> list[mode_rows.Row]:
    """What the flags ask for; the hundred modes, which take an hour a row, only by name."""
    name = protocol_of(options)
    protocol = PROTOCOLS[name]
    targets = options.targets or [target for target in protocol.mixtures if target != "grid100"]
    return [
        mode_rows.Row(name, row, target, options.seeds, options.share)
        for target in targets
        for row in options.rows or protocol.rows
    ]


def run(options: argparse.Namespace) -> None:
    """A protocol's rows on its mixtures: a table beside the published ones."""
    out: Path = options.out
    wanted = rows_of(options)
    jobs = {row.key: Job(row.iterations, mode_rows.measure, row, folder=".") for row in wanted}
    records = results(jobs, options)
    for row in wanted:
        shutil.rmtree(row.folder(out) / "checkpoints", ignore_errors=True)
    rows = [mode_rows.as_row(record) for record in records]
    protocol = protocol_of(options)
    table = out / f"modes_{protocol}.csv"
    write_atomically(table, as_csv(rows))
    theirs = [
        row
        for target in dict.fromkeys(j.target for j in wanted)
        for row in published("modes", target=target)
    ]
    beside = ""
    if theirs:
        write_atomically(out / "published.csv", as_csv(plain(theirs)))
        beside = f", beside {out / 'published.csv'}"
    say(f"{protocol}: {PROTOCOLS[protocol].source}")
    for row in rows:
        found = [text for name, text in SHOWN.items() if not math.isnan(row[name])]
        measured = "  ".join(found).format(**row)
        say(f"{visible(row['target']):7} {visible(row['row']):44} {measured}")
    say(f"{len(rows)} rows; {table}{beside}")
