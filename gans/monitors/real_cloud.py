"""What is found out of the real points once, for all looks at a generator."""

import math
from functools import cached_property

import torch
from torch import Tensor

from divergences.pair_distances import pair_distances
from divergences.samples.random_halves import random_order

REGIONS = 32
"""Parts that the real points are divided into."""
WIDER, HARDLY, FAR = 4, 0.05, 6.0
"""What is no edge: see :meth:`RealCloud.is_left_out`."""
AT_ONCE = 2**24
"""Distances that are in memory at a time."""


def nearest(points: Tensor, among: Tensor, itself: bool = False) -> tuple[Tensor, Tensor]:
    """Distance to the nearest, and which; ``itself`` skips a point's distance of 0 to itself."""
    skipped = torch.arange(len(points), device=points.device) if itself else None
    return _nearest(points.double(), among.double(), skipped)


def _nearest(points: Tensor, among: Tensor, skipped: Tensor | None) -> tuple[Tensor, Tensor]:
    values, indices = [], []
    size = max(1, AT_ONCE // len(among))
    for start in range(0, len(points), size):
        distances = pair_distances(points[start : start + size], among)
        if skipped is not None:
            distances.scatter_(1, skipped[start : start + size, None], math.inf)
        found = distances.min(-1)
        values.append(found.values)
        indices.append(found.indices)
    return torch.cat(values), torch.cat(indices)


class RealCloud:
    """The real points ``(N, d)``, with what is found out of them once for all looks."""

    def __init__(self, points: Tensor):
        self.points = points
        self._apart = torch.full(
            (len(points),), math.nan, dtype=torch.float64, device=points.device
        )

    def closeness(self, distance: Tensor, which: Tensor) -> Tensor:
        """Distance to a real point, over the distance from that one to its own nearest.

        It does not depend on the unit, nor on how dense the points are, and is 0 for copies.

        Arguments:
            distance: To the nearest real point, as :func:`nearest` gives it.
            which: That one.

        Example:
            >>> points = torch.tensor([[0.0], [1.0], [3.0]])
            >>> RealCloud(points).closeness(*nearest(torch.tensor([[0.5], [3.0]]), points))
            tensor([0.5000, 0.0000], dtype=torch.float64)
        """
        new = which[self._apart[which].isnan()].unique()
        if len(new):
            self._apart[new] = _nearest(self.points[new].double(), self.points.double(), new)[0]
        return torch.where(distance > 0, distance / self._apart[which], 0.0)

    @cached_property
    def closeness_by_chance(self) -> Tensor:
        """That of one half of the points to the other half."""
        some = self._some(4000)
        other = RealCloud(some[1::2])
        return other.closeness(*nearest(some[0::2], other.points))

    @cached_property
    def widely_apart(self) -> float:
        """The distance to the nearest neighbour that one of twenty points exceeds."""
        some = self.points[:1000]
        return float(nearest(some, some, itself=True)[0].quantile(0.95))

    @cached_property
    def centres(self) -> Tensor:
        """Of regions, by k-means; the same for the same points."""
        some = self._some(2000).double()
        centres = some[: min(REGIONS, len(some) // 8 or 1)].clone()
        for _ in range(10):
            which = nearest(some, centres)[1]
            for k in range(len(centres)):
                if (which == k).any():
                    centres[k] = some[which == k].mean(0)
        return centres

    def _some(self, most: int) -> Tensor:
        """Points at random, the same for the same points."""
        order = random_order(len(self.points), 0)[:most]
        return self.points[order.to(self.points.device)]

    def in_regions(self, points: Tensor) -> Tensor:
        """How many of the points lie in each region."""
        return torch.bincount(nearest(points, self.centres)[1], minlength=len(self.centres))

    def is_left_out(self, region: int, points: Tensor) -> bool:
        """Whether points without one in a region are not beside it, either.

        At the edges of what is too narrow there are regions without a point, too. Those count that
        have hardly a point in the ball around them that holds :data:`WIDER` times as many real
        ones, and those that are more than :data:`FAR` standard deviations from the nearest point.
        """
        inside = self.points[self.in_which == region].double()
        middle = inside.mean(0)
        away = (points.double() - middle).norm(dim=-1)
        held = min(len(self.points), WIDER * len(inside))
        reach = (self.points.double() - middle).norm(dim=-1).kthvalue(held).values
        if (away <= reach).double().mean() < HARDLY * held / len(self.points):
            return True
        line = points[away.argmin()].double() - middle
        along = (inside - middle) @ line / away.min()  # so that dimensions play no part
        return bool(away.min() > FAR * along.std())

    @cached_property
    def in_which(self) -> Tensor:
        """The region of each point."""
        return nearest(self.points, self.centres)[1]

    @cached_property
    def held(self) -> Tensor:
        """How many real points lie in each region."""
        return torch.bincount(self.in_which, minlength=len(self.centres))
