"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path


def atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it.

    A crash leaves either the old file or the new one, never half of one; so does a full disk,
    and a power cut, because the bytes are on the disk before the name is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
