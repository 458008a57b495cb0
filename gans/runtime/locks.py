"""One process at a time writes to a folder; the system ends its claim when the process ends."""

import os
import platform
import stat
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
        FileNotFoundError: At the end, if the folder was removed or replaced meanwhile.
        ValueError: If it is no folder, if another process has it, which the message says, or if
            something in it is a link.
    """
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        raise ValueError(f"{folder} is no folder; name one")
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
            if not _is(file, path):
                raise FileNotFoundError(
                    f"{folder} was removed or replaced while this command wrote there; what it "
                    "had written before is not there: give the command again"
                )
        finally:
            with suppress(OSError):  # the disk may be gone
                if _is(file, path):
                    path.unlink()
                for level in made:
                    level.rmdir()


def check_within(folder: Path) -> None:
    """Refuse a folder with anything in it but files and folders.

    What is written to a link could land elsewhere; writing to a pipe may never end.

    Raises:
        ValueError: Names the link, pipe, socket or device.
    """
    for path in folder.rglob("*"):
        try:
            kind = path.lstat().st_mode
        except FileNotFoundError:  # it has gone since it was listed
            continue
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            what = "a link" if stat.S_ISLNK(kind) else "no regular file"
            raise ValueError(
                f"{path} is {what}, and what is written there may land elsewhere; put the file or "
                "folder itself there, or delete it"
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
            if _is(file, path):  # its holder may have ended in between, and removed it
                yield file
                return


def _is(file: IO[str], path: Path) -> bool:
    """Whether the opened file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _holder(file: IO[str]) -> str:
    """Who has the file, which may have taken it this moment and not have said so yet."""
    time.sleep(0.2)
    file.seek(0)
    return printable(file.read(300) or "another process")


def _self() -> str:
    """This process in words."""
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    return f"process {os.getpid()} on {platform.node()} ({Path(sys.argv[0]).name}, since {since})"
