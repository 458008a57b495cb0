"""What is found out of the real points once, for all looks at a generator."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from divergences.pair_distances import pair_distances

REGIONS = 32
"""Parts that the real points are divided into."""


def nearest(points: Tensor, among: Tensor, itself: bool = False) -> tuple[Tensor, Tensor]:
    """Distance to the nearest, and which; ``itself`` skips a point's distance of 0 to itself."""
    distances = pair_distances(points.double(), among.double())
    if itself:
        distances.fill_diagonal_(math.inf)
    found = distances.min(-1)
    return found.values, found.indices


class RealCloud:
    """The real points ``(N, d)``, with what is found out of them once for all looks."""

    def __init__(self, points: Tensor):
        self.points = points

    @cached_property
    def apart(self) -> Tensor:
        """Distance of points to their nearest neighbours."""
        some = self.points[:2000]
        return nearest(some, some, itself=True)[0]

    @cached_property
    def widely_apart(self) -> float:
        """The distance to the nearest neighbour that one of twenty points exceeds."""
        some = self.points[:1000]
        return float(nearest(some, some, itself=True)[0].quantile(0.95))

    @cached_property
    def centres(self) -> Tensor:
        """Of regions, by k-means; the same for the same points."""
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(len(self.points), generator=generator).to(self.points.device)
        some = self.points[order[:2000]].double()
        centres = some[: min(REGIONS, len(some) // 8 or 1)].clone()
        for _ in range(10):
            which = nearest(some, centres)[1]
            for k in range(len(centres)):
                if (which == k).any():
                    centres[k] = some[which == k].mean(0)
        return centres

    def in_regions(self, points: Tensor) -> Tensor:
        """How many of the points lie in each region."""
        return torch.bincount(nearest(points, self.centres)[1], minlength=len(self.centres))

    @cached_property
    def held(self) -> Tensor:
        """How many real points lie in each region."""
        return self.in_regions(self.points)
