"""Averages over densities, and what the two ways of taking them have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from divergences.estimate import Estimate
from divergences.numerical.densities import Density

LARGEST_ARRAY = 2**21
"""Float64 numbers that one array of a computation in chunks may hold: 16 MiB."""
NO_MASS = -600.0
"""Logarithm of a mass below which one law has none where the other's density underflows."""
EPS = torch.finfo(torch.float64).eps


@final
@dataclass(frozen=True)
class Average:
    """What is averaged: an expectation under one law, or half under each of two.

    Attributes:
        quantity: Its name, a key of :data:`divergences.estimate.QUANTITIES`.
        of: From the log-densities of the law averaged under, and of the other, to the integrand.
            Where that is ``inf`` though the law has mass, so is the average.
        both: Take half of it under P, and half under Q with the log-densities exchanged.
        largest: What the integrand cannot exceed.
        smooth: Whether it has no kinks of its own, as where two densities are equal.
    """

    quantity: str
    of: Callable[[Tensor, Tensor], Tensor]
    both: bool = False
    largest: float = float("inf")
    smooth: bool = True


class Integrator(ABC):
    """Averages functions of two log-densities."""

    @abstractmethod
    def average(self, f: Average, p: Density, q: Density) -> Estimate:
        """The average over ``p``, or over both, in float64 and without a gradient."""


def members_that(flags: Tensor, batch: tuple[int, ...]) -> str:
    """Names the flagged members where there are several: the beginning of a warning."""
    which = flags.expand(batch or (1,)).nonzero().flatten().tolist()
    return f"members {which}: " if batch else ""
