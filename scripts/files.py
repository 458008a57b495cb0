"""Text files whole or not at all, names that stay in a folder, values as files hold them."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
import stat
from pathlib import Path
from typing import Any

from gans.files import atomically
from scripts.foreign import as_cell

__all__ = ["as_csv", "atomically", "contents", "inside", "plain", "write_atomically"]
LARGEST = 2**28
"""Bytes of any file of ours that is read back."""


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


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


def plain(value: Any) -> Any:
    """The value as strict JSON has it: NaN becomes null, an infinity the string ``"inf"``."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys as CSV with a header; no cell of it is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(as_cell, rows[0]))
    writer.writerows([as_cell(row[key]) for key in rows[0]] for row in rows)
    return text.getvalue()
