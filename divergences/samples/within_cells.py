r"""Whether two samples differ within the cells of a grid, by more than chance.

A grid does not show it, however sure the counts of its cells are.
"""

import math
from collections.abc import Iterator
from typing import final

import numpy as np
from torch import Tensor

from divergences.samples.quantile_grid import Array, Cells, QuantileGrid

DEPTH = 7  # how often a cell is halved along an axis, at most
PARTS = 2**DEPTH  # of a cell along an axis
STRIPS = 4  # how often half cells side by side are halved along one axis
FEWEST_IN_A_PART = 4  # points, of both samples together
SURE = 4.5  # standard errors from which a difference is no chance
RARE_END = 1e-4  # how rarely chance gives one sample as many of the lowest points


def js_within_cells(cells: Cells, fine: QuantileGrid) -> float:
    """By how much JS is larger on some parts of the cells than on these; 0 where chance does it.

    The cells are cut along one axis at a time, in two and in as many parts as leave some points
    in each: the teeth of a comb may be narrow, and alike in both halves of a cell. In more than a
    line few points are left, so half cells that lie side by side are cut together as well, and
    cells along all axes at once.

    Arguments:
        cells: Those of the points of x and y.
        fine: The grid of their parts, :data:`PARTS` along each axis.

    Example:
        >>> import torch
        >>> x = (torch.arange(64).double() / 64)[:, None]
        >>> def measured(y):
        ...     fine = QuantileGrid.of(x, y, 4, PARTS)
        ...     return js_within_cells(fine.coarser(PARTS).cells(), fine)
        >>> measured(x + 1 / 128), measured(1 / 8 + x / 8) > 0.01
        (0.0, True)
    """
    most = 0.0
    for counts in _cuts(cells, fine):
        unseen = InformationOfParts(*counts)
        if unseen.value > most and unseen.value > SURE * unseen.stderr:
            most = unseen.value
    return most


def _cuts(cells: Cells, fine: QuantileGrid) -> Iterator[tuple[Array, Array]]:
    """How many points of x and of y are in the parts of cells, ``(cells, parts)`` each."""
    n, d = fine.places.shape
    parts = fine.places & (PARTS - 1)
    in_each = max(n / cells.many, 2)
    for places, part in zip(fine.places.T, parts.T, strict=True):
        levels = {1, min(DEPTH, int(math.log2(max(in_each / FEWEST_IN_A_PART, 2))))}
        if d == 1:  # teeth as narrow as the points are apart
            levels.add(min(DEPTH, int(math.log2(in_each))))
        finest = max(levels)
        counts = cells.counts_of_parts(part >> (DEPTH - finest), 2**finest)
        for level in levels:
            each = np.ones(2 ** (finest - level))  # a product of matrices is the fastest sum
            of_x, of_y = (count.reshape(-1, len(each)) @ each for count in counts)
            yield of_x.reshape(-1, 2**level), of_y.reshape(-1, 2**level)
        if d > 1:
            strips = places >> (DEPTH - 1)
            side_by_side = Cells(strips[: fine.n], strips[fine.n :], 2 * fine.bins // PARTS)
            many = 2**STRIPS // 2
            yield side_by_side.counts_of_parts(part >> (DEPTH - STRIPS) & (many - 1), many)
    if d > 1:  # along all axes at once, as a chessboard looks alike along each
        level = min(DEPTH, max(1, round(math.log2(in_each) / d)))
        numbers = (parts >> (DEPTH - level)) @ (2**level) ** np.arange(d)
        yield cells.counts_of_parts(numbers, 2 ** (level * d))


def js_beyond_ends(cells: Cells, x: Tensor, y: Tensor) -> float:
    """By how much JS is larger if points beyond the other sample's range have cells of their own.

    A density that begins with a step is not smooth there, however fine the cells: where it is
    shifted a little, one sample holds all of the lowest points. Runs that chance makes are left
    out.

    Arguments:
        cells: Those of the points of x and y.
        x: Shape ``(n, d)``.
        y: Shape ``(m, d)``.

    Example:
        >>> import torch
        >>> x = torch.linspace(0, 1, 64)[:, None]
        >>> def measured(y):
        ...     return js_beyond_ends(QuantileGrid.of(x, y, 2).cells(), x, y)
        >>> measured(x + 0.01), measured(x + 0.3) > 0.01
        (0.0, True)
    """
    pair = [np.ascontiguousarray(sample.detach().cpu().numpy().T) for sample in (x, y)]
    sizes = [sample.shape[1] for sample in pair]
    outside = [np.zeros(size, bool) for size in sizes]
    for ends, beyond in ((np.min, np.less), (np.max, np.greater)):
        last = [ends(sample, 1) for sample in pair]
        for one, other in ((0, 1), (1, 0)):
            run = math.log(RARE_END) / math.log(sizes[one] / sum(sizes))
            for axis, end in zip(pair[one], last[other], strict=True):
                farther = beyond(axis, end)
                if np.count_nonzero(farther) > run:
                    outside[one] |= farther
    parts = np.concatenate(outside)
    if not parts.any():
        return 0.0
    return max(0.0, InformationOfParts(*cells.counts_of_parts(parts, 2)).value)


@final
class InformationOfParts:
    r"""What parts of the cells say about a point's sample that the cells do not, in nats.

    With equal weights of both samples that is what JS on the parts is above JS on the cells. To
    second order it is half of Pearson's :math:`\chi^2` of part and sample in each cell, less its
    mean over all ways to deal the cell's points out, over the number of all points.

    Arguments:
        of_x: How many points of x are in each part, ``(cells, parts)``.
        of_y: Likewise of y.

    Attributes:
        value: The estimate.

    References:
        | A simplified expression for the variance of the chi-squared function on a contingency
          table (Dawson, 1954)
        | https://doi.org/10.1093/biomet/41.1-2.280
    """

    def __init__(self, of_x: Array, of_y: Array) -> None:
        each = np.ones(of_x.shape[1])
        sampled, others = of_x @ each, of_y @ each
        n, points = float(sampled.sum()), float(sampled.sum() + others.sum())
        mixed = np.minimum(sampled, others) > 0
        of_x, total, sampled, others = (
            count[mixed] for count in (of_x, of_x + of_y, sampled, others)
        )
        size = sampled + others
        share = sampled / size
        weights = 1 / np.maximum(total, 1)
        found = (of_x * of_x * weights) @ each - share * sampled
        found /= share * (1 - share)
        occupied = np.minimum(total, 1) @ each
        excess = float((found - (occupied - 1) * size / (size - 1)).sum())
        weight = n / points
        self._unit = 8 * weight * (1 - weight) * points
        self._counts = sampled, others, occupied, weights @ each - (len(each) - occupied)
        self.value = excess / self._unit

    @property
    def stderr(self) -> float:
        """Of the estimate if the parts say nothing, by all ways to deal the points out."""
        sampled, others, occupied, inverses = self._counts
        size, freedom = sampled + others, occupied - 1
        beyond = np.maximum(size - 2, 1)  # what these divide is 0 where they are too small
        of_samples = (size - 2) / (size - 1)
        of_parts = freedom * (size - freedom - 1) / (size - 1)
        uneven_samples = (size / sampled + size / others - 4) / beyond
        uneven_parts = (size * inverses - occupied**2) / beyond
        variance = (of_samples - uneven_samples) * (of_parts - uneven_parts)
        variance = 2 * size / np.maximum(size - 3, 1) * variance
        variance += size**2 / (size - 1) * uneven_samples * uneven_parts
        return math.sqrt(max(float(variance.sum()), 0.0)) / self._unit
