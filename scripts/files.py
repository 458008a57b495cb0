"""Text files whole or not at all, names that stay in a folder, values as files hold them."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from gans.files import atomically
from scripts.foreign import as_cell

__all__ = ["as_csv", "atomically", "inside", "plain", "write_atomically"]


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


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
