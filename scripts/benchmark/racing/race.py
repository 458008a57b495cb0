"""Contenders against each other on one task, lap by lap, each in a process of its own."""

import importlib.util
import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from scripts.benchmark.racing.loops import plain_loop, usual_module
from scripts.benchmark.racing.ours import ours
from scripts.benchmark.racing.tasks import TASKS, Size, Steps, Task, flop
from scripts.lab.workers import start_worker

MOST_COMPILED = 64  # members, for the same reason
MOST_IN_JAX = 8  # members; each number is compiled anew, and 64 were no faster than 8
HAVE_JAX = importlib.util.find_spec("jax") is not None


def jax(task: Task, size: Size, batched: bool) -> Steps:
    """The optional contender, on one thread."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"
    from scripts.benchmark.racing.in_jax import in_jax

    return in_jax(task, size, batched)


@dataclass(frozen=True)
class Contender:
    """A way to train, and for how many members at once."""

    name: str
    members: int
    start: Callable[[Task, Size], Steps]

    @property
    def label(self) -> str:
        return f"{self.name}, K = {self.members}"

    @property
    def library(self) -> str:
        """Those of one library share a process: starting one takes longer than a lap."""
        return "JAX" if self.name.startswith("JAX") else "torch"


@dataclass
class Running:
    """What a contender's process keeps of it between laps."""

    steps: Steps
    members: int
    memory: int = 0
    setup: float = 0.0
    per_lap: int = 1

    def spent(self, steps: int) -> tuple[int, float]:
        """How many steps were taken, and the seconds that took."""
        begin = clock()
        taken = self.steps(steps)
        return taken, clock() - begin

    def lap(self) -> tuple[float, int]:
        """Member-steps per second, and the memory that came with the contender."""
        taken, seconds = self.spent(self.per_lap)
        return taken * self.members / (seconds - self.setup), self.memory


_started: dict[str, Running] = {}


def resident() -> int:
    """Memory of this process in bytes; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return (
        int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0
    )


def processor(about: Path = Path("/proc/cpuinfo")) -> str:
    """The name of this machine's processor, and its units for products, by Linux's description."""
    text = about.read_text() if about.exists() else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.+)$", text, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in has]
    return ", ".join([name[1] if name else platform.processor() or platform.machine(), *units])


def clock() -> float:
    """Seconds of this process; of the wall where a GPU does the work, when it has done it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def enter(contender: Contender, task: Task, size: Size, seconds: float) -> float:
    """Build, take the first steps and find how many fill a lap; seconds until it was ready."""
    start = time.perf_counter()
    empty = resident()
    running = Running(contender.start(task, size), contender.members)
    taken = running.steps(1)
    ready = time.perf_counter() - start
    # a call costs something before its first step: a trainer is set up anew in each
    least = min(running.spent(1)[1] for _ in range(2)) if taken == 1 else 0.0
    while True:
        taken, spent = running.spent(2 * taken)
        if spent - least > seconds / 4:
            break
    step = (spent - least) / (taken - 1) if least else spent / taken
    # where a step is about a lap, the difference of two steps says nothing about a setup
    running.setup = max(0.0, least - step) if least < seconds / 4 else 0.0
    running.per_lap = max(1, round(seconds / step))
    running.memory = resident() - empty
    _started[contender.label] = running
    return ready


def lap(label: str) -> tuple[float, int]:
    """One lap of a contender that has entered here."""
    return _started[label].lap()


def ceiling(width: int, batch: int, seconds: float = 0.5) -> float:
    """Floating-point operations per second of the product that the hidden layers consist of."""
    x, w = torch.randn(2 * batch, width), torch.randn(width, width)
    best = 0.0
    for _ in range(5):
        count, begin = 0, time.process_time()
        while (spent := time.process_time() - begin) < seconds / 5:
            torch.mm(x, w)
            count += 1
        best = max(best, count * 2.0 * len(x) * width**2 / spent)
    return best


@dataclass(frozen=True)
class Race:
    """All contenders on one task at one width; on a GPU this library against itself.

    Attributes:
        task: Name of the task.
        width: Units per hidden layer.
        members: Numbers of members for contenders with a member axis.
        rounds: Laps of each contender, in turn.
        seconds: Length of a lap.
        gpu: Whether it is held on a GPU.
    """

    task: str
    width: int
    members: tuple[int, ...]
    rounds: int
    seconds: float
    gpu: bool = False

    @property
    def key(self) -> str:
        place = "gpu" if self.gpu else "cpu"
        laps = f"{self.rounds} {self.seconds:g}"
        return f"{place} {self.task} {self.width} {self.members} {laps}"

    def contenders(self) -> list[Contender]:
        """All that can run here; those without a member axis run with one member."""
        if self.gpu:
            return [Contender("ours", k, partial(ours, accelerator="gpu")) for k in self.members]
        entered = [
            Contender("usual module", 1, usual_module),
            Contender("usual module, logging", 1, partial(usual_module, log=True)),
            Contender("plain loop", 1, plain_loop),
        ]
        entered += [Contender("ours", k, ours) for k in self.members]
        compiled = partial(ours, compile_from=0)
        few = [k for k in self.members if 1 < k <= MOST_COMPILED]
        entered += [Contender("ours, compiled", k, compiled) for k in few]
        if HAVE_JAX:
            few = [k for k in self.members if k <= MOST_IN_JAX]
            entered += [Contender("JAX, batched", k, partial(jax, batched=True)) for k in few]
            entered += [
                Contender("JAX, in turn", k, partial(jax, batched=False)) for k in few if k > 1
            ]
        return entered

    def measure(self) -> dict[str, Any]:
        """Medians over interleaved laps; ratios to the first are medians of ratios in a round."""
        spawn = multiprocessing.get_context("spawn")
        entered, task = self.contenders(), TASKS[self.task]
        sizes = [Size(contender.members, self.width) for contender in entered]
        with ExitStack() as stack:
            processes = {
                library: stack.enter_context(
                    ProcessPoolExecutor(1, spawn, initializer=start_worker)
                )
                for library in {contender.library for contender in entered}
            }
            pools = [processes[contender.library] for contender in entered]
            ready = [
                pool.submit(enter, contender, task, size, self.seconds).result()
                for pool, contender, size in zip(pools, entered, sizes, strict=True)
            ]
            top = pools[0].submit(ceiling, self.width, sizes[0].batch).result()
            laps = [
                [
                    pool.submit(lap, contender.label).result()
                    for pool, contender in zip(pools, entered, strict=True)
                ]
                for _ in range(self.rounds)
            ]
        rows = []
        for i, contender in enumerate(entered):
            rates = [one_round[i][0] for one_round in laps]
            rate = statistics.median(rates)
            rows.append(
                {
                    "place": "gpu" if self.gpu else "cpu",
                    "processor": processor(),
                    "task": self.task,
                    "width": self.width,
                    "contender": contender.name,
                    "members": contender.members,
                    "member_steps_per_second": rate,
                    "slowest_lap": min(rates),
                    "fastest_lap": max(rates),
                    "times_first": statistics.median(r[i][0] / r[0][0] for r in laps),
                    "share_of_ceiling": rate * flop(task, sizes[i]) / top,
                    "ceiling_gflops": top / 1e9,
                    "megabytes": max(one_round[i][1] for one_round in laps) / 2**20,
                    "seconds_to_first_step": ready[i],
                }
            )
        return {"rows": rows}
