"""A process that does one job after the other, and can be killed in the middle of any.

A thread cannot be stopped, and a process that hangs in native code heeds no signal that it could
catch. So a job whose time is limited runs in a process of its own, which is killed.
"""

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")
START = 300.0
"""Seconds that a new process has for its imports, which are no part of a job's time."""
IDLE = 60.0
"""Seconds after which a process without a job ends by itself."""
GRACE = 30.0
"""Seconds past its time after which a job that nobody stopped ends its process itself."""


class Died(RuntimeError):
    """The process ended in the middle of a job: out of memory, or killed."""


class Child:
    """Does jobs in a process of its own, which is started when there is none.

    They all end with the one that started them, however it ends.

    Arguments:
        prepare: What a new process does first; that is no part of a job's time.
    """

    everyone: set["Child"] = set()
    """Those of this process."""

    def __init__(self, prepare: Callable[[], object]) -> None:
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._alive: int | None = None
        self.everyone.add(self)

    def do(self, work: Callable[[J], R], job: J, seconds: float) -> R:
        """The job's result.

        Raises:
            TimeoutError: If it takes longer; the process is killed.
            Died: If the process ends before the job does.
            Exception: Whatever the job raises.
        """
        connection = self._ready()
        try:
            connection.send((work, job, seconds))
            if not connection.poll(seconds):
                self.kill()
                raise TimeoutError(f"it took more than {seconds:g} s (--timeout) and was stopped")
            done, result = connection.recv()
        except (EOFError, ConnectionError) as error:
            code = self.kill()
            raise Died(f"its process ended with code {code} before it did") from error
        if done:
            return result
        raise result

    def kill(self) -> int | None:
        """End the process, whatever it is doing; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a disk that is gone
            process.wait(5)
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None
        return process.returncode

    def _ready(self) -> Connection:
        if self._process is None or self._process.poll() is not None or self._connection is None:
            self.kill()
            self._connection = self._start()
        return self._connection

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        ends, self._alive = os.pipe()
        fds = (theirs.fileno(), ends)
        self._process = subprocess.Popen(
            # -P: no module is taken from the folder that somebody is in, unless it is from there
            [sys.executable, "-P", "-m", __name__, *map(str, fds)],
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # its own processes are killed with it
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
        )
        theirs.close()
        os.close(ends)
        try:
            ours.send(self._prepare)
            if ours.poll(START):
                ours.recv()
                return ours
        except (EOFError, ConnectionError):
            pass
        raise Died(f"a process for jobs did not start (code {self.kill()})")


_of_thread = threading.local()


@dataclass(frozen=True)
class Limited(Generic[J, R]):
    """Work that is stopped when it takes too long.

    Attributes:
        work: A function that can be found by name.
        seconds: How long a job may take.
        prepare: What a process for jobs does first.
    """

    work: Callable[[J], R]
    seconds: float
    prepare: Callable[[], object]

    def __call__(self, job: J) -> R:
        """Do the job in the process that belongs to this thread."""
        if not hasattr(_of_thread, "child"):
            _of_thread.child = Child(self.prepare)
        return _of_thread.child.do(self.work, job, self.seconds)


def _serve(connection: Connection, alive: int) -> None:
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    prepare = connection.recv()
    prepare()
    connection.send("ready")
    while connection.poll(IDLE):
        try:
            work, job, seconds = connection.recv()
        except EOFError:
            return
        # this clock needs neither Python's lock nor a parent
        faulthandler.dump_traceback_later(seconds + GRACE, exit=True)
        try:
            answer: tuple[bool, Any] = True, work(job)
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = False, error
        faulthandler.cancel_dump_traceback_later()
        try:
            connection.send(answer)
        except (BrokenPipeError, EOFError):
            return
        except Exception as error:  # what cannot be sent is told in words
            connection.send((False, RuntimeError(f"{answer[1]!r:.500} cannot be sent: {error}")))


def _end_with(alive: int) -> None:
    """End this process when the other end of the pipe has gone, with whoever held it."""
    os.read(alive, 1)
    os._exit(1)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), int(sys.argv[2]))
