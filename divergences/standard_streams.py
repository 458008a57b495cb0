"""Standard streams that take what is written to them, however a command was started."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path

READER_GONE = 141
"""Exit code where nobody reads the output any more, as after ``| head -1``: 128 and SIGPIPE."""


def mend_streams() -> None:
    """Open those that are closed, and write what an encoding lacks as an escape.

    A file opened later would take the number of a closed stream, and whatever is printed would
    land in it. A character that a terminal cannot show is no reason to end.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the least free number, which is this one
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def drop_output() -> int:
    """Let nothing more be printed, now that nobody reads it; the exit code that says so."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return READER_GONE
