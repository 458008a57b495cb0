"""Files whole or not at all, names that stay in a folder, values as files hold them."""

import csv
import errno
import io
import os
import re
import stat
from pathlib import Path
from typing import Any

from gans.runtime.escaping import as_cell

LARGEST = 2**28
"""Bytes of any file of ours that is read back."""


def clear_partial(folder: Path, below: bool = False) -> None:
    """Remove what killed processes were in the middle of writing to ``folder``.

    What belongs to a process that runs on this machine, as its name says, stays.

    Arguments:
        folder: Where to look.
        below: Whether to look in the folders in it, too.
    """
    for path in folder.rglob(".partial-*") if below else folder.glob(".partial-*"):
        named = re.match(r"\.partial-(\d+)-", path.name)
        if named and not _runs(int(named[1])) and not path.is_dir():
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether another process of this number exists."""
    if process == os.getpid() or os.name == "nt":  # where asking would be a signal
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def contents(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of a file; one more than ``most`` if it has more.

    Raises:
        IsADirectoryError: If it is a folder.
        OSError: If it cannot be read.
        ValueError: If it is a pipe or a device, which may never end.
    """
    # a pipe that nobody writes to is waited for when it is opened
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = os.fstat(file).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(kind):
            raise ValueError("it is no regular file")
        with os.fdopen(file, "rb", closefd=False) as opened:
            return opened.read(most + 1)
    finally:
        os.close(file)


def inside(folder: Path, name: str) -> Path:
    """The path of ``name`` in ``folder``.

    Raises:
        ValueError: If it would lie elsewhere, as ``../name`` and ``/name`` do.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
        raise ValueError(f"{name!r} leads out of {folder}; give a plain name")
    return path


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys as CSV with a header; no cell of it is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(as_cell, rows[0]))
    writer.writerows([as_cell(row[key]) for key in rows[0]] for row in rows)
    return text.getvalue()
