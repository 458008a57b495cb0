"""What makes a file no table of numbers, in one line each."""

from collections.abc import Sequence
from pathlib import Path

from divergences.available_memory import available, gigabytes
from divergences.comparison.tables import MOST_NUMBERS
from divergences.shown_text import listed

TAKEN = 64
"""Bytes for each number of a file that its comparison takes at most, measured for 2e7 numbers."""


def check_size(path: Path, numbers: int) -> None:
    """Refuse more numbers than a table may have, or than there is memory for.

    Raises:
        ValueError: With what it takes, what there is, and how many of the rows would fit.
    """
    if numbers > MOST_NUMBERS:
        raise too_large(path, f"{numbers:.2g} numbers")
    takes, there = TAKEN * numbers, available()
    if there is not None and takes > there:
        raise ValueError(
            f"{path}: holds {numbers:.2g} numbers, whose comparison takes about "
            f"{gigabytes(takes)} of memory, and {gigabytes(there)} are available; take about "
            f"{max(1, int(80 * there / takes))} % of its rows at random first"
        )


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


def too_many_digits(path: Path, name: str) -> ValueError:
    return ValueError(
        f"{path}: {listed([name])} holds numbers that differ only beyond the 15 to 17 digits of "
        "double precision, so that they would be equal; subtract an offset first, or leave the "
        "column out with --without"
    )
