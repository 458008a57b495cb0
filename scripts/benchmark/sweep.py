"""What a sweep costs besides training: per job, per worker, and where a scheduler is full."""

from __future__ import annotations

import argparse
import importlib.util
import math
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from matplotlib.figure import Figure

from gans.runtime.files import as_csv, atomically, write_atomically
from scripts.benchmark import sweep_jobs
from scripts.benchmark.sweep_jobs import SECONDS, Piece
from scripts.sweep.engines import Cluster, Engine
from scripts.sweep.job import Outcome
from scripts.sweep.plan import Setting
from scripts.sweep.readings import Curves
from scripts.sweep.records import Folder
from scripts.sweep.running import complete

WAITING = "Dask, jobs that wait"


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--jobs", type=int, default=10_000, help="empty jobs per engine (default: 10000)"
    )
    command.add_argument(
        "--sleepers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128, 256],
        help="simulated workers, which only wait (default: 1 2 4 ... 256)",
    )  # fmt: skip


def check(options: argparse.Namespace) -> None:
    if options.jobs < 1:
        raise ValueError(f"--jobs {options.jobs} must be at least 1")
    if min(options.sleepers) < 1:
        raise ValueError(f"--sleepers {min(options.sleepers)} must be at least 1")
    if not importlib.util.find_spec("distributed"):
        raise ValueError("this benchmark needs Dask: pip install '.[cluster]'")


@final
class Processes(Engine):
    """Local processes without the project's imports, which a job that does nothing can spare."""

    def __init__(self, workers: int):
        self.workers, self.window = workers, 2 * workers

    @contextmanager
    def executor(self) -> Iterator[Executor]:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, spawn) as pool:
            list(pool.map(sweep_jobs.nothing, [Piece(-1)] * self.workers))  # they have started
            yield pool


@dataclass(frozen=True)
class Loopback:
    """A Dask scheduler and workers of so many threads each, over TCP on this machine."""

    workers: int
    threads: int = 1

    @contextmanager
    def engine(self) -> Iterator[tuple[Engine, Callable[[], float]]]:
        """The engine, and what tells the CPU seconds that its scheduler has used so far."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        with ExitStack() as stack:
            scheduler = _spawn(stack, "scheduler", "--host=127.0.0.1", f"--port={port}")
            for _ in range(self.workers):
                _spawn(stack, "worker", address, "--no-nanny", f"--nthreads={self.threads}")
            engine = Cluster(address, patience=60)
            with engine.executor() as executor:
                client: Any = executor._client  # pyright: ignore
                client.wait_for_workers(self.workers, timeout=60)
            yield engine, lambda: sum(scheduler.cpu_times()[:2])


def _spawn(stack: ExitStack, what: str, *flags: str) -> Any:
    import psutil  # comes with distributed

    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return psutil.Process(process.pid)


def measured(
    what: str,
    workers: int,
    engine: Engine,
    count: int,
    work: Callable[[Piece], Any] = sweep_jobs.nothing,
    scheduler: Callable[[], float] = lambda: math.nan,
) -> dict[str, Any]:
    """So many jobs from the first submitted to the last kept, as a row of the table.

    CPU time is that of the sweep's own process and of the scheduler: on a machine that does
    other things beside, it says more than wall time.
    """
    start, cpu, theirs = time.perf_counter(), time.process_time(), scheduler()
    failures = complete([Piece(i) for i in range(count)], work, engine, 0, lambda *_: None)
    taken, cpu, theirs = (
        time.perf_counter() - start,
        time.process_time() - cpu,
        scheduler() - theirs,
    )
    if failures:
        raise RuntimeError(f"{len(failures)} jobs failed, the first with {failures[0].error!r}")
    return _row(what, workers, count, taken, cpu, theirs)


def run(options: argparse.Namespace) -> None:
    """Empty jobs through both engines, then jobs that wait on ever more simulated workers."""
    out: Path = options.out
    rows = []
    for row in rows_of(options):
        rows.append(row)
        write_atomically(out / "sweep.csv", as_csv(rows))
        print(
            f"{row['what']:22} {row['workers']:4d} workers {row['jobs']:6d} jobs "
            f"{row['jobs_per_second']:8.1f} jobs/s; ms per job {row['ms']:7.3f}, CPU of the sweep "
            f"{row['sweep_cpu_ms']:7.3f}, of the scheduler {row['scheduler_cpu_ms']:7.3f}",
            flush=True,
        )
    atomically(out / "sweep.png", lambda path: figure(rows).savefig(path, format="png", dpi=130))
    print(f"{os.cpu_count()} cores; {out / 'sweep.csv'}, {out / 'sweep.png'}")


def rows_of(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The table, row by row as it is measured."""
    yield keeping(min(options.jobs, 200))
    for workers in _up_to(options.workers):
        yield measured("processes", workers, Processes(workers), options.jobs)
    for workers in _up_to(options.workers):
        with Loopback(workers).engine() as (engine, cpu):
            yield measured("Dask", workers, engine, options.jobs, scheduler=cpu)
    for sleepers in options.sleepers:
        processes = min(sleepers, 4)
        with Loopback(processes, -(-sleepers // processes)).engine() as (engine, cpu):
            count = min(options.jobs, max(40, 20 * sleepers))
            yield measured(WAITING, sleepers, engine, count, sweep_jobs.wait, cpu)


def _up_to(workers: int) -> list[int]:
    """1, 2, 4, ... and the number itself."""
    return sorted({2**i for i in range(workers.bit_length()) if 2**i <= workers} | {workers})


def keeping(count: int) -> dict[str, Any]:
    """Writing the files of so many runs, of 40 observations and 24 readings each."""
    values: dict[str, list[float | None]] = {f"reading/{i}": [0.1 * i] * 40 for i in range(24)}
    curves = Curves([100 * i for i in range(40)], [0.5 * i for i in range(40)], values)
    setting = Setting({"axis": "value"}, "axis=value", {}, {"model": "one"})
    with tempfile.TemporaryDirectory() as folder:
        kept = Folder(Path(folder))
        start, cpu = time.perf_counter(), time.process_time()
        for seed in range(count):
            kept.keep(setting, Outcome(seed, curves, 1.0, 1, "code"))
        taken, cpu = time.perf_counter() - start, time.process_time() - cpu
    return _row("keeping a run's files", 1, count, taken, cpu, math.nan)


def _row(
    what: str, workers: int, jobs: int, taken: float, cpu: float, scheduler: float
) -> dict[str, Any]:
    return {
        "what": what,
        "workers": workers,
        "jobs": jobs,
        "seconds": taken,
        "jobs_per_second": jobs / taken,
        "ms": 1000 * taken / jobs,
        "sweep_cpu_ms": 1000 * cpu / jobs,
        "scheduler_cpu_ms": 1000 * scheduler / jobs,
    }


def figure(rows: list[dict[str, Any]]) -> Figure:
    """Jobs per second against simulated workers, and how many a scheduler keeps busy, on paper."""
    drawn = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    waiting = [row for row in rows if row["what"] == WAITING]
    workers = [row["workers"] for row in waiting]
    left.loglog(workers, [w / SECONDS for w in workers], ":", color="#222222",
                label=f"workers / {SECONDS:g} s")  # fmt: skip
    rates = [row["jobs_per_second"] for row in waiting]
    left.loglog(workers, rates, "o-", color="#1f5fa8", label="measured")
    left.set(xlabel="simulated workers", ylabel="jobs per second", title="jobs that only wait")
    left.legend(frameon=False)
    lengths = [0.1 * 10 ** (i / 10) for i in range(51)]
    empty = max((row for row in rows if row["what"] == "Dask"), key=lambda row: row["workers"])
    kept = next(row for row in rows if row["what"].startswith("keeping"))
    for label, milliseconds, colour in (
        ("scheduler", empty["scheduler_cpu_ms"], "#c8501e"),
        ("the sweep's own process", empty["sweep_cpu_ms"] + kept["sweep_cpu_ms"], "#1f5fa8"),
    ):
        right.loglog(
            lengths, [1000 * s / milliseconds for s in lengths], color=colour,
            label=f"{label}: {milliseconds:.1f} ms per job",
        )  # fmt: skip
    right.set(
        xlabel="seconds of a job",
        ylabel="workers kept busy",
        title="on paper: seconds of a job / CPU per job",
    )
    right.legend(frameon=False, loc="lower right")
    return drawn
