"""Measure what the library is worth: ``python -m scripts.benchmark COMMAND``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divergences.command_line import Parser
from gans.cli.errors import guarded
from gans.runtime.locks import locked
from scripts.benchmark import (
    cost,
    estimators,
    modes,
    monitoring,
    reliability_of_compare,
    speed,
    w1,
)
from scripts.lab.options import add_flags, check_folder

COMMANDS = {
    "comparison": reliability_of_compare,
    "cost": cost,
    "estimators": estimators,
    "modes": modes,
    "monitoring": monitoring,
    "speed": speed,
    "w1": w1,
}


def parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m scripts.benchmark", description="Measure what the library is worth."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, benchmark in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=(benchmark.__doc__ or "").splitlines()[0],
            description=(benchmark.__doc__ or "").splitlines()[0],
            epilog="Finished records are kept; give the command again to continue.",
        )
        benchmark.add_arguments(command)
        out = Path("runs/benchmark") / name
        command.flag("--out", "folder", type=Path, default=out)
        add_flags(command)
    options = parser.parse_args(args)
    try:
        if hasattr(benchmark := COMMANDS[options.command], "check"):
            benchmark.check(options)
    except ValueError as error:
        commands.choices[options.command].error(str(error))
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Run a benchmark, write its table; exit code 0, or 2 for bad input."""
    options = parse(args)
    return guarded(lambda: measure(options), options.debug)


def measure(options: argparse.Namespace) -> int:
    """Do as the options say, alone in the folder."""
    check_folder(options.out, "jobs")
    with locked(options.out):
        (options.out / "jobs").mkdir(exist_ok=True)
        return COMMANDS[options.command].run(options) or 0


if __name__ == "__main__":
    sys.exit(main())
