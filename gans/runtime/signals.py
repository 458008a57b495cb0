"""Signals that ask a command to stop: it ends in order, and leaves nothing half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Stopped(BaseException):
    """A signal asked to stop.

    No ``Exception``, nor a ``KeyboardInterrupt``: it passes through what tries one thing, and then
    another, and through Lightning, which turns Ctrl-C into an exit code of its own.

    Attributes:
        signal: Which one.
    """

    def __init__(self, received: int):
        super().__init__(f"stopped by {signal.Signals(received).name}")
        self.signal = received


@contextmanager
def stopped_in_order() -> Iterator[None]:
    """Raise :class:`Stopped` at the first signal; a second one ends the process at once.

    A signal that is ignored, as ``nohup`` has SIGHUP, stays so. Only the main thread can say what
    signals do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    taken = {number: what for number, what in before.items() if what is not signal.SIG_IGN}

    def stop(number: int, frame: Any) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
        taken.clear()  # what is left to do is to end
        raise Stopped(number)

    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
