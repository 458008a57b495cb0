"""One process at a time writes to a folder; the system ends its claim when the process ends."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from gans.runtime.escaping import printable, tell
from gans.runtime.files import clear_partial

try:
    import fcntl
except ImportError:  # not on Windows, where two commands can then share a folder unnoticed
    fcntl = None

LOCK = ".lock"
"""The file in the folder; it says who holds it, and goes with them, but for a killed process."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Write to the folder alone, without what killed processes were in the middle of writing.

    Folders that were made for this and have remained empty go again.

    Raises:
        ValueError: If another process has it, which the message says, or if something in it
            leads out of it.
    """
    made = [level for level in (folder, *folder.parents) if not level.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    with _claimed(path) as file:
        file.truncate(0)
        file.write(_self())
        file.flush()
        try:
            check_within(folder)
            clear_partial(folder, below=True)
            yield
        finally:
            with suppress(OSError):  # the disk may be gone
                path.unlink()
                for level in made:
                    level.rmdir()


def check_within(folder: Path) -> None:
    """Refuse a folder with a link in it to a folder elsewhere: what is written would land there.

    Raises:
        ValueError: Names the link.
    """
    for path in folder.rglob("*"):
        if path.is_symlink() and path.is_dir():
            raise ValueError(
                f"{path} is a link to a folder elsewhere, which may be somebody else's; put a "
                "folder there"
            )


def _opened(path: Path) -> IO[str]:
    """The lock's file; a link would lead to another file, which is not ours to write."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    links = path.is_symlink() or (path.exists() and path.stat().st_nlink > 1)
    if links or (path.exists() and not path.is_file()):
        raise ValueError(f"{path} is no file of this command; delete it")
    return os.fdopen(os.open(path, flags, 0o666), "a+", encoding="utf-8")


@contextmanager
def _claimed(path: Path) -> Iterator[IO[str]]:
    """The file, locked, and still the one of that name."""
    while True:
        with _opened(path) as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError(
                        f"{path.parent}: {_holder(file)} is writing there; wait for it, or name "
                        "another folder"
                    ) from None
                except OSError as error:
                    tell(
                        f"{path.parent} cannot be locked ({error.strerror}); see to it that no "
                        "other process writes there"
                    )
            try:
                same = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:  # its holder has ended in between, and removed it
                same = False
            if same:
                yield file
                return


def _holder(file: IO[str]) -> str:
    """Who has the file, which may have taken it this moment and not have said so yet."""
    time.sleep(0.2)
    file.seek(0)
    return printable(file.read(300) or "another process")


def _self() -> str:
    """This process in words."""
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    return f"process {os.getpid()} on {platform.node()} ({Path(sys.argv[0]).name}, since {since})"
