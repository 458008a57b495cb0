"""Commands in forked processes that are watched and have little time and memory.

An audit hook sees every file that is opened to be written, every import, socket and process.
"""

import contextlib
import io
import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SECONDS = int(os.environ.get("WATCHED_SECONDS", "15"))
"""Of the processor's time that a command may take; of the clock's, 20 times as much."""
MEMORY = 6 * 2**30
"""Bytes of addresses that it may have."""
TOO_LONG, CRASHED = "stopped by time", "crashed"


class Ended(NamedTuple):
    """How a command ended: its code, what it did that it should not, and what it said."""

    code: int | str
    seen: list[list[str]]
    said: str


class Watch:
    """What the process does that it should not, seen by Python's audit events."""

    def __init__(self):
        self.here, self.on, self.seen = str(Path.cwd().resolve()), False, []
        sys.addaudithook(self)

    def __call__(self, event, args):
        if not self.on:
            return
        if event == "open" and args[0] is not None and not isinstance(args[0], int):
            mode, flags = args[1] or "", args[2] or 0
            written = any(c in mode for c in "wax+") or flags & (os.O_WRONLY | os.O_RDWR)
            secret = any(name in str(args[0]) for name in ("passwd", "canary"))
            if secret or (written and not self.inside(args[0])):
                self.seen.append([event, str(args[0])])
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink", "os.link"):
            if not self.inside(args[0]):
                self.seen.append([event, str(args[0])])
        elif event == "import" and args[0].startswith("evil"):
            self.seen.append([event, args[0]])
        elif event in ("socket.bind", "socket.connect") or event.startswith(
            ("subprocess.", "os.system", "os.exec", "os.spawn", "os.fork")
        ):
            self.seen.append([event, str(args)[:200]])

    def inside(self, path):
        own = ("/dev/null", "/proc/self", self.here)
        return os.path.realpath(os.fsdecode(path)).startswith(own)


def ended(command: Callable[[], int | None], watch: Watch) -> Ended:
    """Do it in a forked process, and say how that ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 2))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        answer = _alone(command, watch)
        with open(writing, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        if not select.select([file], [], [], 20 * SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        answer = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        too_long = status in (-signal.SIGXCPU, -signal.SIGKILL)
        return Ended(TOO_LONG if too_long else CRASHED, [], f"exit {status}")
    return Ended(*json.loads(answer))


def _alone(command: Callable[[], int | None], watch: Watch) -> Ended:
    printed, watch.on = io.StringIO(), True
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(printed):
        try:
            code = command() or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else str(end.code)
        except BaseException as error:
            code = type(error).__name__
    watch.on = False
    return Ended(code, watch.seen, printed.getvalue())
