"""What a test of two samples is: which points it takes, what it returns, and at which level."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from divergences.array_likes import as_pair, as_tensor
from divergences.checks import seed_number, whole_number
from divergences.comparison.permutations import Pooled, Ranked
from divergences.estimator import Referenced, check_samples

PERMUTATIONS = 999
LEVEL = 0.05  # of what is called a difference
MOST_PERMUTATIONS = 100_000
MOST_POINTS = 1000  # of each sample: matrices of all pairs stay small, and a test takes seconds


@dataclass(frozen=True)
class TestResult:
    """What a test found.

    Attributes:
        name: Of the test.
        p_value: The share of labellings that look at least as different, of shape ``()`` or
            ``(K,)``; never 0.
        n: How many points of each sample were used.
        permutations: How many other labellings were tried.
        notes: What was done to the samples, one sentence each.
    """

    __test__: ClassVar[bool] = False

    name: str
    p_value: Tensor
    n: tuple[int, int]
    permutations: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(f"{p:.4f}".lstrip("0") for p in self.p_value.reshape(-1).tolist())
        return "\n".join([f"{self.name}: p = {shown}", *(f"  note: {n}" for n in self.notes)])


@dataclass(frozen=True)
class TwoSampleTest(Referenced, ABC):
    """A permutation test.

    Arguments:
        permutations: Labellings besides the true one. No p-value is below
            ``1 / (permutations + 1)``.
        seed: Of labellings and directions.
        most_points: Of larger samples so many points are used, picked at random, with a note.
    """

    __test__: ClassVar[bool] = False
    name: ClassVar[str]

    permutations: int = PERMUTATIONS
    seed: int = 0
    most_points: int = MOST_POINTS

    def __post_init__(self) -> None:
        whole_number("permutations", self.permutations, least=19, most=MOST_PERMUTATIONS)
        seed_number("seed", self.seed)
        whole_number("most_points", self.most_points, least=2, most=20_000)

    def __call__(self, x: Any, y: Any) -> TestResult:
        """Test whether ``x`` and ``y`` are of one law.

        Raises:
            TypeError: If either holds no floating-point numbers.
            ValueError: If shapes disagree, points are not finite, or a sample has fewer than 2.
        """
        first, second = prepared(x, y)
        pairs = [self.one(a, b) for a, b in zip(first, second, strict=True)]
        p = torch.tensor([pair.p_value for pair in pairs], dtype=torch.float64)
        single = as_tensor(x).ndim < 3
        return TestResult(
            self.name, p[0] if single else p, pairs[0].n, self.permutations, pairs[0].notes
        )

    def one(self, x: Tensor, y: Tensor) -> TestResult:
        """The test of one pair of samples in double precision."""
        a, b = (some(z, self.most_points, self.seed) for z in (x, y))
        pooled = Pooled.of(a, b, int(self.permutations), int(self.seed))
        p = self.ranked(pooled).p[0]
        n = len(a), len(b)
        return TestResult(self.name, p, n, self.permutations, fewer((len(x), len(y)), n))

    def ranked(self, pooled: Pooled) -> Ranked:
        """The p-value of every labelling, ``(B + 1,)``."""
        return Ranked.of(self.statistics(pooled)).smallest()

    @abstractmethod
    def statistics(self, pooled: Pooled) -> Tensor:
        """One or more statistics of every labelling, ``(S, B + 1)``, large where laws differ."""


def prepared(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both samples as ``(K, n, d)`` and ``(K, m, d)`` in double precision."""
    a, b = check_samples(*as_pair(x, y))
    return a.detach().double().cpu(), b.detach().double().cpu()


def some(points: Tensor, most: int, seed: int = 0) -> Tensor:
    """All points, or so many of them at random, whatever their order means."""
    if len(points) <= most:
        return points
    picked = np.random.default_rng(seed % 2**63).permutation(len(points))[: int(most)]
    return points[torch.from_numpy(np.sort(picked))]


def fewer(all_of: tuple[int, int], used: tuple[int, int]) -> tuple[str, ...]:
    """A note where not all points were used."""
    if all_of == used:
        return ()
    return (f"{used[0]} of {all_of[0]} and {used[1]} of {all_of[1]} points used, at random",)
