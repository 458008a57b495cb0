"""Pairs of samples with one staged difference: what ``compare`` is to say of them is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class StagedPair:
    """Two samples and what is true of their laws.

    Attributes:
        x: Of shape ``(n, d)``.
        y: Of shape ``(m, d)``.
        differ: Whether the laws differ.
        column: The only column in which they differ; ``None`` if there is none.
    """

    x: Points
    y: Points
    differ: bool
    column: int | None


def _shifted(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    y[:, j] += 0.8


def _wider(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    y[:, j] *= 2


def _correlated(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    other = (j + 1) % x.shape[1]
    y[:, other] = 0.9 * y[:, j] + 0.436 * y[:, other]


def _without_a_mode(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    x[:, j] = rng.choice([-4, 0, 4], len(x)) + 0.5 * x[:, j]
    y[:, j] = rng.choice([-4, 0], len(y)) + 0.5 * y[:, j]


def _heavier(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    y[:, j] = rng.standard_t(1.5, len(y))


def _contaminated(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    y[rng.permutation(len(y))[: len(y) // 100], j] += 12


def _repeating(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    y[len(y) // 2 :] = y[: len(y) - len(y) // 2]


def _in_other_units(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    factors, offsets = 10 ** rng.uniform(-6, 6, x.shape[1]), rng.standard_normal(x.shape[1])
    y[:, j] += 0.8
    for z in (x, y):
        z *= factors
        z += offsets * factors


def _equal(rng: np.random.Generator, x: Points, y: Points, j: int) -> None:
    pass


@dataclass(frozen=True)
class Stage:
    """A kind of difference.

    Attributes:
        change: Changes the columns of two normal samples, column ``j`` first of all.
        differ: Whether the laws differ then.
        of_column: Whether in that column alone.
        sizes: Of both samples, one of which is picked.
    """

    change: Callable[[np.random.Generator, Points, Points, int], None]
    differ: bool = True
    of_column: bool = True
    sizes: tuple[tuple[int, int], ...] = ((400, 400), (500, 300))


STAGES = {
    "shift of .8 in one column": Stage(_shifted),
    "twice the spread in one column": Stage(_wider),
    "correlation of .9, columns alike": Stage(_correlated, of_column=False),
    "one of three modes dropped": Stage(_without_a_mode),
    "Student t with 1.5 degrees of freedom": Stage(_heavier),
    "1 % of the points 12 away": Stage(_contaminated, sizes=((1000, 1000),)),
    "half of the rows repeated, equal laws": Stage(_repeating, differ=False, of_column=False),
    "shift of .8, other units in every column": Stage(_in_other_units),
    "800 and 100 points, equal laws": Stage(
        _equal, differ=False, of_column=False, sizes=((800, 100),)
    ),
    "equal laws": Stage(_equal, differ=False, of_column=False),
}


def staged(name: str, seed: int) -> StagedPair:
    """A pair of the stage with this name, in 2, 4 or 8 dimensions."""
    rng, stage = np.random.default_rng(seed), STAGES[name]
    d = int(rng.choice([2, 4, 8]))
    n, m = stage.sizes[int(rng.integers(len(stage.sizes)))]
    x, y, j = rng.standard_normal((n, d)), rng.standard_normal((m, d)), int(rng.integers(d))
    stage.change(rng, x, y, j)
    return StagedPair(x, y, stage.differ, j if stage.of_column else None)
