"""Bias, error bars, coverage and cost of every estimator on every known case."""

import argparse
from pathlib import Path

from divergences.command_line import Parser
from divergences.whole_files import atomically, write_atomically
from gans.runtime.files import as_csv
from scripts.lab.interval_coverage import cells, coverage_figure, measure
from scripts.lab.jobs import Job
from scripts.lab.options import at_least
from scripts.lab.records import results


def add_arguments(command: Parser) -> None:
    command.flag("--sizes", "points a side", type=at_least(16), default=[256, 1024, 4096])
    command.flag("--repeats", "samples per cell", type=at_least(2), default=200)
    command.add_argument("--quick", action="store_true", help="sizes 256 and 1024, 40 repeats")


def run(options: argparse.Namespace) -> None:
    """Every estimator on every known case: a table and the coverage figure."""
    if options.quick:
        options.sizes, options.repeats = [256, 1024], 40
    out: Path = options.out
    wanted = cells(options.sizes, options.repeats)
    records = results({cell.key: Job(1, measure, cell) for cell in wanted}, options)
    write_atomically(out / "estimators.csv", as_csv(records))
    for ending in ("svg", "png"):
        atomically(out / f"coverage.{ending}", coverage_figure(records).savefig)
    print(f"{len(records)} cells; {out / 'estimators.csv'} and {out / 'coverage.png'}")
