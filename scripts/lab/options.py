"""Flags of every command that does jobs, the numbers they take, and the engine they ask for."""

import argparse
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from divergences.available_memory import available, gigabytes
from divergences.command_line import Parser
from divergences.shown_text import is_number
from gans.runtime.locks import LOCK
from scripts.lab.executors import Cluster, Engine, Local

WORKER = 200_000_000
"""Bytes that a process takes at least, for what it imports."""
PARTS = {"curves", "jobs", "records"}
"""Folders that tell whose a folder is."""


def at_least(least: int) -> Callable[[str], int]:
    """What reads a flag's whole number that must not be below ``least``."""

    def number(text: str) -> int:
        if not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise argparse.ArgumentTypeError(f"{text} is no whole number, such as {least}")
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} must be at least {least}")
        return int(text)

    return number


def share(text: str) -> float:
    """The number of a flag for a share."""
    if not 0 < _number(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be above 0 and at most 1")
    return _number(text)


def seconds(text: str) -> float:
    """The number of a flag for a length of time."""
    if not 0 <= _number(text) < threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"{text} must be at least 0 seconds")
    return _number(text)


def _number(text: str) -> float:
    if not is_number(text):
        raise argparse.ArgumentTypeError(f"{text} is no number")
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


def check_folder(out: Path, first: str, *more: str) -> None:
    """Refuse an ``--out`` that holds anything, but for what its own command leaves.

    Arguments:
        out: The folder.
        first: A folder in it that the command makes before anything else.
        more: Others of :data:`PARTS` that the command makes.
    """
    there = {path.name for path in out.iterdir()} - {LOCK} if out.is_dir() else set()
    if there and (first not in there or (there & PARTS) - {first, *more}):
        raise ValueError(f"--out {out} exists and holds something else; name a new folder")


def check_workers(workers: int) -> None:
    """Refuse processes beyond those of this machine's cores for which there is no memory."""
    there = available()
    if workers > (os.cpu_count() or 1) and there is not None and workers * WORKER > there:
        raise ValueError(
            f"--workers {workers}: they take at least {gigabytes(workers * WORKER)}, and "
            f"{gigabytes(there)} are available; give one for each core"
        )


def engine_of(options: argparse.Namespace) -> Engine:
    """What runs the jobs.

    Raises:
        ValueError: If it is a cluster that cannot run our code, or more processes than memory
            has room for.
        ConnectionError: If its scheduler does not answer.
    """
    if options.scheduler is None:
        check_workers(options.workers)
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
