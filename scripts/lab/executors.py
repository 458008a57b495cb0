"""What runs jobs: worker processes here, or a Dask cluster."""

import math
import multiprocessing
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import resource_tracker
from typing import Any, final

from scripts.lab.killable_process import Child, Limited
from scripts.lab.origin import LIBRARY, OURS, fingerprint
from scripts.lab.workers import start_worker


class Engine(ABC):
    """Makes executors; another one when the last was lost.

    Attributes:
        window: How many jobs are handed to an executor at a time.
    """

    window: float

    @abstractmethod
    def executor(self) -> Any:
        """A context with an ``Executor`` that takes jobs."""

    def abandon(self) -> None:
        """Stop work in progress, when the command is interrupted."""


@final
class _Deaf(ProcessPoolExecutor):
    """Its processes do not get Ctrl-C, not even while they start, see :func:`start_worker`."""

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            return super().submit(*args, **kwargs)
        resource_tracker.ensure_running()  # which would let the signal through
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@final
class Local(Engine):
    """Spawned processes of one thread each.

    Arguments:
        workers: How many.
        apart: The work starts processes itself, as
            :class:`~scripts.lab.killable_process.Limited` does; threads then wait for them.
    """

    def __init__(self, workers: int, apart: bool = False):
        self.workers, self.apart = workers, apart
        self.window = 2 * workers  # a worker that is done finds the next job waiting
        self._pool: Executor | None = None

    @contextmanager
    def executor(self) -> Iterator[Executor]:
        if self.apart:
            self._pool = ThreadPoolExecutor(self.workers)
        else:
            # a new process would look for modules in the folder that somebody is in
            os.environ.setdefault("PYTHONSAFEPATH", "1")
            spawn = multiprocessing.get_context("spawn")
            self._pool = _Deaf(self.workers, spawn, initializer=start_worker)
        try:
            with self._pool:
                yield self._pool
        finally:
            for child in [*Child.everyone]:
                child.kill()

    def abandon(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()
        for child in [*Child.everyone]:
            child.kill()


@final
class Cluster(Engine):
    """A Dask scheduler and whatever workers are connected to it.

    Arguments:
        address: Of the scheduler, such as ``tcp://HOST:8786``.
        patience: Seconds to wait for a scheduler that does not answer.
    """

    window = math.inf  # the scheduler keeps the queue, so that workers can come and go

    def __init__(self, address: str, patience: float = 300.0):
        self.address, self.patience = address, patience

    @contextmanager
    def executor(self) -> Iterator[Executor]:
        client = self._connect()
        try:
            yield client.get_executor(pure=False)
        finally:
            client.close()

    def check(self) -> None:
        """Refuse workers that cannot run our code, or would run another version of it.

        Raises:
            ConnectionError: If the scheduler does not answer.
            ValueError: If a worker is not up to it.
        """
        with closing(self._connect()) as client:
            try:
                found = client.run(fingerprint, *LIBRARY, OURS)
            except ImportError as error:
                raise ValueError(
                    f"--scheduler {self.address}: its workers lack our code ({error}); start them "
                    "where the project is installed, or in its folder"
                ) from None
        here = fingerprint(*LIBRARY, OURS)
        for worker, code in found.items():
            if code != here:
                raise ValueError(
                    f"--scheduler {self.address}: worker {worker} has other code or another torch "
                    f"({code}, here {here}); update it"
                )
        if not found:
            print(f"{self.address} has no workers yet; waiting for them", file=sys.stderr)

    def _connect(self) -> Any:
        from distributed import Client

        deadline = time.monotonic() + self.patience
        timeout = max(0.5, min(5.0, self.patience))
        told = False
        while True:
            try:
                return Client(self.address, timeout=timeout, set_as_default=False)
            except (TimeoutError, OSError) as error:
                if time.monotonic() > deadline:
                    raise ConnectionError(
                        f"--scheduler {self.address} has not answered for {self.patience:g} s "
                        f"({type(error).__name__}); start `dask scheduler` there"
                    ) from None
            if not told:
                print(f"waiting for the scheduler at {self.address}", file=sys.stderr)
                told = True
            time.sleep(0.2)


def limited(work: Callable[[Any], Any], seconds: float | None) -> Callable[[Any], Any]:
    """The work, stopped when a job takes longer; ``None`` for no limit."""
    return work if seconds is None else Limited(work, seconds, start_worker)
