"""Every job done once, whatever happens to those who do them."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, Protocol, Self, TypeVar

from scripts.lab.executors import Engine


class Splits(Protocol):
    """A job that may consist of several members."""

    def alone(self) -> list[Self]:
        """A job for each of them."""
        ...


J = TypeVar("J", bound=Splits)
R = TypeVar("R")


@dataclass(frozen=True)
class Failure(Generic[J]):
    """A job of one member that did not succeed, and why, the last time."""

    job: J
    error: BaseException


class Ledger(Generic[J]):
    """Which jobs wait, which are suspected of killing workers, and which have failed.

    A job of several members that fails is split, because one of them may have failed them all;
    that costs no retry. A worker that dies takes the jobs of its whole pool with it: all of them
    are suspects then, and run one at a time until it is clear whose fault it is.
    """

    def __init__(self, jobs: Iterable[J], retries: int):
        self.waiting, self.suspects = deque(jobs), deque[J]()
        self.failures: list[Failure[J]] = []
        self._retries, self._strikes = retries, Counter[J]()

    def next(self, running: int, window: float) -> J | None:
        """The job to start now, if any, while so many are running."""
        if self.suspects:
            return None if running else self.suspects.popleft()
        return self.waiting.popleft() if self.waiting and running < window else None

    def failed(self, job: J, error: BaseException) -> None:
        parts = job.alone()
        if len(parts) > 1:
            self.waiting.extend(parts)
            return
        self._strikes[job] += 1
        if self._strikes[job] > self._retries:
            self.failures.append(Failure(job, error))
        else:
            self.waiting.append(job)

    def lost(self, jobs: list[J], error: BaseException) -> None:
        """The executor went down with these jobs on it."""
        if isinstance(error, CancelledError):  # a scheduler went; no job is to blame
            self.waiting.extendleft(reversed(jobs))
        elif len(jobs) == 1:
            self.failed(jobs[0], error)
        else:
            self.suspects.extend(jobs)


def complete(
    jobs: Iterable[J],
    work: Callable[[J], R],
    engine: Engine,
    retries: int,
    done: Callable[[J, R], None],
) -> list[Failure[J]]:
    """Do ``work`` on every job and give each result to ``done``, in this thread; what failed.

    Arguments:
        jobs: Hashable, each with its members.
        work: A function that can be found by name where the engine runs it.
        engine: Makes the executors; asked for a new one whenever one is lost.
        retries: How often a job of one member may fail and be tried again.
        done: Takes each result as it comes.
    """
    ledger = Ledger(jobs, retries)
    while ledger.waiting or ledger.suspects:
        with engine.executor() as executor:
            try:
                _run(ledger, work, executor, engine.window, done)
            except BaseException as stop:  # or a result cannot be kept: do not wait for more
                stop.add_note("finished jobs are kept; give the command again to go on")
                engine.abandon()
                executor.shutdown(wait=False)
                raise
    return ledger.failures


def _run(
    ledger: Ledger[J],
    work: Callable[[J], R],
    executor: Executor,
    window: float,
    done: Callable[[J, R], None],
) -> None:
    """Until nothing is left, or the executor is lost."""
    running: dict[Future[R], J] = {}
    finished: SimpleQueue[Future[R]] = SimpleQueue()
    while True:
        while (job := ledger.next(len(running), window)) is not None:
            try:
                future = executor.submit(work, job)
            except BrokenExecutor as error:
                ledger.lost([*running.values(), job], error)
                return
            running[future] = job
            future.add_done_callback(finished.put)
        if not running:
            return
        future = finished.get()
        try:
            result = future.result()
        except (BrokenExecutor, CancelledError) as error:
            # what finished before the end counts
            while not finished.empty():
                other = finished.get()
                if other.cancelled() or other.exception() is not None:
                    continue
                done(running.pop(other), other.result())
            ledger.lost(list(running.values()), error)
            return
        except Exception as error:
            ledger.failed(running.pop(future), error)
        else:
            done(running.pop(future), result)
