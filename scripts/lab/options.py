"""Flags of every command that does jobs, and the engine that they ask for."""

from __future__ import annotations

import argparse
import os
import threading

from scripts.lab.executors import Cluster, Engine, Local


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add where and how often jobs run."""
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes (default: cores)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="use a Dask cluster instead, e.g. tcp://HOST:8786"
    )
    parser.add_argument(
        "--patience", type=float, default=300.0, metavar="S",
        help="seconds to wait for a scheduler that does not answer (default: 300)",
    )  # fmt: skip
    parser.add_argument(
        "--retries", type=int, default=1, metavar="N", help="of what fails (default: 1)"
    )
    parser.add_argument(
        "--timeout", type=float, metavar="S",
        help="stop a job that takes longer and count it as failed; each job then has a process of "
        "its own, which is killed, on a Dask worker's machine, too (default: no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--again", action="store_true", help="do again what has been done, and replace it"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def check_flags(options: argparse.Namespace) -> None:
    """Refuse values that make no sense.

    Raises:
        ValueError: Naming the flag.
    """
    for flag, least in (("workers", 1), ("retries", 0)):
        if getattr(options, flag) < least:
            raise ValueError(f"--{flag} {getattr(options, flag)} must be at least {least}")
    if options.timeout is not None and not 0 < options.timeout < threading.TIMEOUT_MAX:
        raise ValueError(f"--timeout {options.timeout} must be a number of seconds above 0")
    if options.timeout is not None and os.name != "posix":
        raise ValueError("--timeout kills processes as POSIX systems do, which this one is not")
    if not options.patience >= 0:
        raise ValueError(f"--patience {options.patience} must be at least 0 seconds")


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
