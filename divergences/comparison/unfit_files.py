"""What makes a file no table of numbers, in one line each."""

from collections.abc import Sequence
from pathlib import Path

from divergences.shown_text import listed


def too_large(path: Path, size: str) -> ValueError:
    return ValueError(
        f"{path}: holds {size}, more than fits; take some of its rows at random first"
    )


def no_numbers(path: Path, names: Sequence[str], what: str) -> TypeError:
    return TypeError(
        f"{path}: {listed(names)}: text or dates, not numbers; encode it as numbers in both files "
        f"alike, or leave it out with --without ({what})"
    )


def too_fine(path: Path, name: str) -> ValueError:
    return ValueError(
        f"{path}: {listed([name])} holds whole numbers beyond 2**53, which double precision "
        "cannot tell apart; subtract an offset first"
    )
