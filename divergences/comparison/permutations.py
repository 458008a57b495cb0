"""Permutation p-values: every statistic is computed for all relabellings of the points at once.

The points of both samples are pooled and shuffled, so that nothing but a label says where one came
from. If both laws are equal, the true labels are one of many equally likely ones: the p-value is
the share of labellings, the true one included, under which a statistic is at least as large.
It is never 0, and a test at level a rejects equal laws in at most a share a of all samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from divergences.pair_distances import pair_distances
from divergences.samples.coordinates import standardised

FAR = 10.0  # spreads from the median up to which coordinates stay as they are
ALIKE = 1e-4  # of a statistic's spread, below which two values differ by rounding at most
EQUAL = 1e-9  # relative difference of distances that rounding explains
BLURRED = 1e-6  # part of a statistic that single precision rounds
AT_ONCE = 2**17  # labels in the processor's cache at a time


@dataclass(frozen=True)
class Pooled:
    """Both samples in one shuffled set of points, and the labellings to compare.

    Attributes:
        points: Of shape ``(N, d)``, in coordinates that know nothing of the labels.
        weights: Of shape ``(B + 1, N)``: ``1/n`` where a point counts as x and ``-1/m`` where it
            counts as y. The first row is the truth.
    """

    points: Tensor
    weights: Tensor

    @classmethod
    def of(cls, x: Tensor, y: Tensor, permutations: int, seed: int) -> Pooled:
        """Points ``(n, d)`` and ``(m, d)`` with the true and ``permutations`` other labellings."""
        n, m = len(x), len(y)
        draw = np.random.default_rng(seed % 2**63)
        order = draw.permutation(n + m)
        labels = np.tile(order < n, (permutations + 1, 1))
        draw.permuted(labels[1:], axis=1, out=labels[1:])
        both = torch.cat([x, y]).detach().cpu().double()
        points = _drawn_in(standardised(both, both).x)[torch.from_numpy(order)]
        weights = torch.from_numpy(np.where(labels, np.float32(1 / n), np.float32(-1 / m)))
        return cls(points, weights)

    @cached_property
    def distances(self) -> Tensor:
        """Euclidean, of shape ``(N, N)``."""
        return pair_distances(self.points, self.points)

    @cached_property
    def of_columns(self) -> Tensor:
        """W1 of each column, and of its squares with their signs, ``(2, d, B + 1)``.

        The second is what few points far out change most.
        """
        lines = self.points.T
        both = self.on_lines(torch.cat([lines, lines * lines.abs()]))
        return both.reshape(2, len(lines), -1)

    def neighbours(self, k: int) -> Tensor:
        """1 where a column's point is among the ``k`` nearest of a row's, ``(N, N)``.

        Points that are equally far share what places are left: which of them comes first would
        be chance, but with one seed the same chance for all samples of these sizes.
        """
        apart = self.distances.clone().fill_diagonal_(math.inf)
        k = min(k, len(apart) - 1)
        last = apart.topk(k, largest=False).values[:, -1:]
        nearer, reached = (apart < (1 - EQUAL) * last), (apart <= (1 + EQUAL) * last)
        tied = (reached & ~nearer).float()
        return nearer + tied * ((k - nearer.sum(1)) / tied.sum(1))[:, None]

    def forms(self, matrix: Tensor) -> Tensor:
        """The quadratic form of the weights of every labelling with a matrix ``(N, N)``.

        Weights add up to 0, so means of rows and columns do not matter; less digits are lost
        without them.
        """
        centred = matrix - matrix.mean(0) - matrix.mean(1, keepdim=True) + matrix.mean()
        scale = centred.abs().max()
        if scale > 0:
            centred = centred / scale
        return ((self.weights @ centred.float()) * self.weights).sum(1)

    def on_lines(self, lines: Tensor) -> Tensor:
        """W1 on each line, ``(R, B + 1)``, from coordinates of shape ``(R, N)``."""
        ordered, order = lines.sort(1)
        gaps = ordered.diff(dim=1).float()
        found = []
        for some in self.weights.split(max(1, AT_ONCE // len(self.points))):
            pairs = zip(order, gaps, strict=True)
            rows = [some[:, o].cumsum(1)[:, :-1].abs_() @ gap for o, gap in pairs]
            found.append(torch.stack(rows))
        return torch.cat(found, 1)


def _drawn_in(points: Tensor) -> Tensor:
    """The points, with distances from the median beyond ``FAR`` on a logarithmic scale."""
    size = points.abs()
    beyond = FAR + torch.log1p((size - FAR).clamp_min(0))
    return torch.where(size <= FAR, points, points.sign() * beyond)


def p_values(statistics: Tensor) -> Tensor:
    """Share of labellings under which each statistic is at least as large.

    Arguments:
        statistics: Of shape ``(..., B + 1)``, large where samples differ.

    Example:
        >>> p_values(torch.tensor([3.0, 1.0, 2.0, 3.0]))
        tensor([0.5000, 1.0000, 0.7500, 0.5000], dtype=torch.float64)
    """
    values = statistics.double()
    tolerance = (ALIKE * values.std(-1, keepdim=True)).maximum(_blur(values))
    ordered = values.sort(-1).values
    below = torch.searchsorted(ordered, (values - tolerance).contiguous())
    size = values.shape[-1]
    return (size - below).double() / size


def _blur(values: Tensor) -> Tensor:
    """By how much single precision rounds statistics, which may be all that they differ by."""
    return BLURRED * values.abs().amax(-1, keepdim=True)


class Ranked(NamedTuple):
    """How a statistic ranks every labelling.

    Attributes:
        p: Of every labelling, ``(..., B + 1)``.
        excess: By how many standard deviations the statistic is above its mean over labellings.
    """

    p: Tensor
    excess: Tensor

    @classmethod
    def of(cls, statistics: Tensor) -> Ranked:
        """From statistics ``(..., B + 1)``, large where samples differ."""
        values = statistics.double()
        spread = values.std(-1, keepdim=True)
        off = values - values.mean(-1, keepdim=True)
        return cls(p_values(values), torch.where(spread > _blur(values), off / spread, 0.0))

    @property
    def order(self) -> Tensor:
        """The p-values; equal ones differ by less than a step, the larger excess being less."""
        ties = self.excess.clamp_min(0)
        return self.p - 0.99 * ties / (1 + ties) / self.p.shape[-1]

    def smallest(self) -> Ranked:
        """One ranking from several of the same labellings, ``(S, B + 1)``: by their smallest.

        Being the smallest of many costs what it costs under the other labellings, no more: there
        is no correction for statistics that say the same.
        """
        if len(self.p) == 1:
            return Ranked(self.p[0], self.excess[0])
        return Ranked(_share_not_above(self.order.amin(0)), self.excess.amax(0))

    def adjusted(self) -> Tensor:
        """The p-value of each of several statistics for being one of so many, ``(S,)``."""
        least = self.order.amin(0)
        return (least <= self.order[:, :1] + 1e-12).double().mean(1)


def _share_not_above(values: Tensor) -> Tensor:
    ordered = values.sort().values
    return torch.searchsorted(ordered, values + 1e-12, right=True).double() / len(values)
