"""Jobs without torch for the tests of sweeps: what runs them starts in a second."""

import ctypes
import os
import signal
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """Numbers to square, and a folder for what happened on the way."""

    name: str
    numbers: tuple[int, ...]
    folder: str = ""

    def alone(self):
        return [Task(self.name, (number,), self.folder) for number in self.numbers]


def square(task):
    return [number**2 for number in task.numbers]


def square_slowly(task):
    time.sleep(0.1)
    return square(task)


def no_seven(task):
    """Fails wherever there is a 7."""
    if 7 in task.numbers:
        raise ArithmeticError(f"7 is not wanted in {task.numbers}")
    return square(task)


def seven_at_the_third_time(task):
    """Fails on a 7 that is alone, until it has been asked twice."""
    if task.numbers == (7,):
        asked = os.path.join(task.folder, "asked")
        with open(asked, "a") as file:
            file.write("x")
        if os.path.getsize(asked) < 3:
            raise ArithmeticError("not yet")
    return no_seven(task) if len(task.numbers) > 1 else square(task)


def seven_kills(task):
    """A 7 takes the process with it, as memory running out does."""
    if 7 in task.numbers:
        time.sleep(0.2)  # so that others are under way
        os.kill(os.getpid(), signal.SIGKILL)
    return square_slowly(task)


def seven_hangs(task):
    """A 7 never ends: asleep, deaf to SIGTERM and SIGINT, or in native code with Python's lock."""
    if 7 in task.numbers:
        with open(os.path.join(task.folder, "hung"), "a") as file:
            file.write("x")
        if task.name.startswith("native"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ctypes.PyDLL(None).sleep(1000)  # keeps the lock that all threads need
        if task.name.startswith("stopped"):
            os.kill(os.getpid(), signal.SIGSTOP)
        if task.name.startswith("deaf"):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1000)
    return square(task)


def nothing():
    """What a process does first that needs no preparation."""
