"""Jobs that train nothing, importable without torch, for measuring what a sweep costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

SECONDS = 0.05
"""Length of a job that only waits, so that there can be more workers than cores."""


@dataclass(frozen=True)
class Piece:
    """One job, by its number."""

    number: int

    def alone(self) -> list[Piece]:
        return [self]


def nothing(piece: Piece) -> int:
    """The least a job can do."""
    return piece.number


def wait(piece: Piece) -> int:
    """Take time without a core."""
    time.sleep(SECONDS)
    return piece.number
