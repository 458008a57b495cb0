"""Flags of every command that does jobs, the numbers they take, and the engine they ask for."""

import argparse
import os
import threading
from collections.abc import Callable
from pathlib import Path

from gans.cli.errors import Parser
from gans.runtime.locks import LOCK
from scripts.lab.executors import Cluster, Engine, Local


def at_least(least: int) -> Callable[[str], int]:
    """What reads a flag's whole number that must not be below ``least``."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} must be at least {least}")
        return int(text)

    return number


def share(text: str) -> float:
    """The number of a flag for a share."""
    if not 0 < float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be above 0 and at most 1")
    return float(text)


def seconds(text: str) -> float:
    """The number of a flag for a length of time."""
    if not 0 <= float(text) < threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"{text} must be at least 0 seconds")
    return float(text)


def time_limit(text: str) -> float:
    """The number of ``--timeout``."""
    if os.name != "posix":
        raise argparse.ArgumentTypeError("this system does not kill processes as POSIX has it")
    if not seconds(text):
        raise argparse.ArgumentTypeError(f"{text} must be above 0 seconds")
    return seconds(text)


def add_flags(parser: Parser) -> None:
    """Add where and how often jobs run."""
    parser.flag("--workers", "processes", type=at_least(1), default=os.cpu_count())
    what = "use a Dask cluster instead, e.g. tcp://HOST:8786"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=what)
    what = "seconds to wait for a scheduler that does not answer"
    parser.flag("--patience", what, type=seconds, default=300.0, metavar="S")
    parser.flag("--retries", "of what fails", type=at_least(0), default=1, metavar="N")
    what = "stop a job that takes longer and count it as failed; each job then has a process of "
    what += "its own, which is killed, on a Dask worker's machine, too (default: no limit)"
    parser.add_argument("--timeout", type=time_limit, metavar="S", help=what)
    what = "do again what has been done, and replace it"
    parser.add_argument("--again", action="store_true", help=what)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def check_folder(out: Path) -> None:
    """Refuse an ``--out`` that is a file, or holds something else than what its command leaves."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a folder")
    there = {path.name for path in out.iterdir()} if out.exists() else set()
    if there - {LOCK} and "records" not in there:
        raise ValueError(f"--out {out} exists and holds something else; name a new folder")


def engine_of(options: argparse.Namespace) -> Engine:
    """What runs the jobs.

    Raises:
        ValueError: If it is a cluster that cannot run our code.
        ConnectionError: If its scheduler does not answer.
    """
    if options.scheduler is None:
        return Local(options.workers, apart=options.timeout is not None)
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise ValueError(
            f"--scheduler {options.scheduler} needs Dask: pip install '.[cluster]'"
        ) from None
    cluster = Cluster(options.scheduler, options.patience)
    cluster.check()
    return cluster
