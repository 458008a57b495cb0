"""Two samples on one shared grid, its edges quantiles of the pooled points.

No increasing map of an axis changes a cell, so neither units nor far points matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.floating]
Numbers = NDArray[np.intp]

MOST_BINS = 2**20  # along each axis, so that cells can be numbered in 64 bits
FEW_CELLS = 2**14  # up to which a table of them is faster than sorting


@dataclass(frozen=True)
class Cells:
    """The occupied cell of each point, numbered from 0.

    Attributes:
        x: Number of the cell of each point of the first sample, ``(n,)``.
        y: Of each point of the second, ``(m,)``.
        many: How many cells are occupied by either.
    """

    x: Numbers
    y: Numbers
    many: int

    @cached_property
    def counts(self) -> tuple[Array, Array]:
        """How many points of either sample are in each cell."""
        return self.count(self.x), self.count(self.y)

    def count(self, points: Numbers) -> Array:
        return np.bincount(points, minlength=self.many).astype(float)

    def counts_of_parts(self, parts: Numbers, many: int) -> tuple[Array, Array]:
        """The same in ``many`` parts of each cell, ``(cells, many)``, from the part of each point.

        Arguments:
            parts: Shape ``(n + m,)``, those of x first.
            many: How many parts a cell has.
        """
        n, size = len(self.x), self.many * many
        sides = (self.x * many + parts[:n], self.y * many + parts[n:])
        of_x, of_y = (np.bincount(side, minlength=size) for side in sides)
        return of_x.reshape(-1, many).astype(float), of_y.reshape(-1, many).astype(float)


@dataclass(frozen=True)
class QuantileGrid:
    """Grid cell of each point along each axis.

    Attributes:
        places: Integers ``(n + m, d)`` below ``bins``, the first sample's points first.
        n: Points of the first sample.
        bins: Cells along each axis.
    """

    places: Numbers
    n: int
    bins: int

    @classmethod
    def of(cls, x: Tensor, y: Tensor, bins: int, parts: int = 1) -> QuantileGrid:
        """The grid of ``bins`` cells along each axis in which both samples weigh the same.

        Equal values share a cell. Each of the cells is cut in so many parts along each axis; an
        axis with no more values than cells has a cell for each of them, in the first part.
        """
        a, b = (z.detach().double().cpu().numpy() for z in (x, y))
        weight = np.repeat([1 / len(a), 1 / len(b)], [len(a), len(b)])
        axes = np.concatenate([a, b]).T
        places = [_by_quantiles(np.ascontiguousarray(axis), weight, bins, parts) for axis in axes]
        return cls(np.stack(places).T, len(a), bins * parts)

    @property
    def cells_across(self) -> float:
        """Spread of the places in their narrowest direction, as if independent ones had ``bins``.

        An axis along which all points share a cell does not count.

        Example:
            >>> import torch
            >>> line = torch.linspace(0, 1, 100, dtype=torch.float64)[:, None]
            >>> points = torch.cat([line, 2 * line], 1)
            >>> round(QuantileGrid.of(points, points, 8).cells_across, 6)
            0.0
        """
        if self.places.shape[1] == 1:
            return float(self.bins)
        points = self.places - self.bins / 2
        mean = np.ones(len(points)) @ points / len(points)  # as fast as is a product of matrices
        covariance = points.T @ points / len(points) - np.outer(mean, mean)
        spread = np.sqrt(covariance.diagonal().clip(0))
        some = spread > 0
        correlation = covariance[np.ix_(some, some)] / np.outer(spread[some], spread[some])
        narrowest = np.linalg.eigvalsh(correlation)[:1].clip(0)
        return float(self.bins * np.sqrt(narrowest).sum()) if len(narrowest) else float(self.bins)

    def coarser(self, times: int) -> QuantileGrid:
        """The grid with so many times fewer cells along each axis."""
        return QuantileGrid(self.places // times, self.n, self.bins // times)

    def cells(self) -> Cells:
        """Number the cells that are occupied."""
        d = self.places.shape[1]
        numbers = sum(column * self.bins**axis for axis, column in enumerate(self.places.T))
        if self.bins**d <= FEW_CELLS:
            rank = np.cumsum(np.bincount(numbers) > 0) - 1
            labels, many = rank[numbers], int(rank[-1]) + 1
        else:
            distinct, labels = np.unique(numbers, return_inverse=True)
            many = len(distinct)
        return Cells(labels[: self.n], labels[self.n :], many)


def _by_quantiles(values: Array, weight: Array, bins: int, parts: int) -> Numbers:
    """Number of the part of each value, each with about the same weight, ties going together."""
    order = np.argsort(values)
    ordered = values[order]
    if (ordered[1:] > ordered[:-1]).all():
        cells = np.empty_like(order)
        cells[order] = _by_mass(weight[order], bins * parts)
        return cells
    distinct, which = np.unique(values, return_inverse=True)
    if len(distinct) <= bins:
        # a cell for each, far apart
        return parts * (which * (bins - 1) // max(len(distinct) - 1, 1))
    mass = np.bincount(which, weight).astype(float)
    return _by_mass(mass, bins * parts)[which]


def _by_mass(mass: Array, bins: int) -> Numbers:
    middle = np.cumsum(mass)
    middle -= mass / 2
    middle *= bins / 2  # both samples together weigh 2
    return np.minimum(middle.astype(np.intp), bins - 1)
