"""Where two samples differ: in which columns, in which direction, in which region."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from divergences.comparison.dependence import equal_dependence
from divergences.comparison.permutations import Pooled, Ranked, p_values
from divergences.comparison.tables import Matched
from divergences.comparison.two_sample_test import LEVEL, some
from divergences.estimate import Estimate
from divergences.samples.coordinates import Standardised
from divergences.samples.earth_mover import EarthMover
from divergences.samples.random_halves import random_order

MOST_POINTS = 20_000
MOST_ESTIMATES = 100  # columns that get a W1 with its interval; those that differ most
NEIGHBOURS = 10  # at least, around each point
RARE = 0.01  # share of points that equal laws leave without a neighbour of the other sample


@dataclass(frozen=True)
class Column:
    """How much one column differs.

    Attributes:
        index: Among the columns that are compared, from 0.
        name: Of the column.
        w1: W1 of this column alone, in the comparison's unit; ``None`` beyond the first hundred.
        p_value: Adjusted for the number of columns, by permutation.
        score: By how many standard deviations of relabelled samples W1, of the column or of its
            squares, is above their mean.
        shift: Of the mean, in the same unit, y less x.
        spread: Ratio of the standard deviations, y over x; ``nan`` where x is constant.
    """

    index: int
    name: str
    w1: Estimate | None
    p_value: float
    score: float
    shift: float
    spread: float


def columns(pair: Matched, pooled: Pooled, standard: Standardised | None) -> list[Column]:
    """Every column, those that differ most first; in standard deviations if these are given."""
    ranked = Ranked.of(pooled.of_columns.flatten(0, 1))
    adjusted = ranked.adjusted().reshape(2, -1).amin(0).tolist()
    scores = ranked.excess[:, 0].reshape(2, -1).amax(0)
    x, y = pair.x, pair.y
    a, b = (some(z, MOST_POINTS) for z in ((standard.x, standard.y) if standard else (x, y)))
    scale = standard.scale if standard else torch.ones(1, x.shape[1])
    order = scores.argsort(descending=True, stable=True).tolist()
    mover, found = EarthMover(), []
    for place, j in enumerate(map(int, order)):
        w1 = mover(a[:, j : j + 1], b[:, j : j + 1]) if place < MOST_ESTIMATES else None
        sd = [float(z[:, j].std()) for z in (x, y)]
        found.append(
            Column(
                index=j,
                name=pair.names[j],
                w1=w1,
                p_value=adjusted[j],
                score=float(scores[j]),
                shift=float((y[:, j].mean() - x[:, j].mean()) / scale[0, j]),
                spread=sd[1] / sd[0] if sd[0] > 0 else math.nan,
            )
        )
    return found


@dataclass(frozen=True)
class Pattern:
    """Whether a difference is in a few columns, in many of them, or in how they go together.

    Attributes:
        named: Columns that are seen to differ alone, and at least half as much as the first.
        others: P-value of equal laws of all other columns, each alone, taken together.
        mostly: Whether what is seen in the named columns is more than what is seen in the others.
        together: P-value of equal dependence between columns, whatever the law of each.
    """

    named: tuple[str, ...]
    others: float
    mostly: bool
    together: float


def pattern(x: Tensor, y: Tensor, pooled: Pooled, found: Sequence[Column], seed: int) -> Pattern:
    """Of the points ``(n, d)`` and ``(m, d)`` that were tested, which differ, ``d`` at least 2."""
    seen = [c for c in found if c.p_value <= LEVEL]
    seen = [c for c in seen if c.score >= seen[0].score / 2]
    rest = [c.index for c in found if c not in seen]
    others, beyond = 1.0, 0.0
    if rest:
        excess = Ranked.of(pooled.of_columns[:, rest].flatten(0, 1)).excess
        excess = excess.reshape(2, len(rest), -1).amax(0)
        excess = (excess - excess.mean(1, keepdim=True)).sum(0)
        points = pooled.points[:, rest]
        sums = torch.stack([points.sum(1), points.abs().sum(1)]).float()
        others = float(
            Ranked.of(torch.stack([excess, *(sums @ pooled.weights.T).abs()])).smallest().p[0]
        )
        beyond = float(excess[0])
    return Pattern(
        named=tuple(c.name for c in seen),
        others=others,
        mostly=others > LEVEL or sum(c.score for c in seen) > beyond,
        together=equal_dependence(x, y, len(pooled.weights) - 1, seed),
    )


@dataclass(frozen=True)
class Direction:
    """A direction in which the samples differ, found on one half and measured on the other.

    Attributes:
        weights: Of the standardised columns, ``(d,)``, of length 1.
        w1: W1 of the other half's points along it, in the unit of the standardised columns.
        kind: Whether the mean or the spread differs most along it.
    """

    weights: Tensor
    w1: Estimate
    kind: str

    def said(self, names: Sequence[str], most: int = 3) -> str:
        """The direction as a sum of its largest terms."""
        order = self.weights.abs().argsort(descending=True)[:most].tolist()
        terms = [f"{float(self.weights[j]):+.2f} {names[j][:40]}" for j in order]
        rest = " + ..." if len(self.weights) > most else ""
        return " ".join(terms).lstrip("+") + rest


def direction(x: Tensor, y: Tensor) -> Direction | None:
    """The linear direction of the largest W1, of those of mean and of variance.

    Of standardised columns, over the standard deviation along it. Columns in which neither sample
    varies are left out. ``None`` in one dimension, or where a half has fewer points than columns.
    """
    vary = [bool(p.max() > p.min() or q.max() > q.min()) for p, q in zip(x.T, y.T, strict=True)]
    if sum(vary) < 2:
        return None
    if not all(vary):
        found = direction(x[:, vary], y[:, vary])
        if found is None:
            return None
        weights = torch.zeros(len(vary), dtype=found.weights.dtype)
        weights[torch.tensor(vary)] = found.weights
        return replace(found, weights=weights)
    d = x.shape[1]
    halves = [[z[0::2], z[1::2]] for z in map(_shuffled, (x, y), (0, 1))]
    if min(len(h) for pair in halves for h in pair) < max(8, 2 * d):
        return None
    (a, a_held), (b, b_held) = halves
    cov = [torch.from_numpy(np.atleast_2d(np.cov(z.numpy().T))) for z in (a, b)]
    within = (cov[0] + cov[1]) / 2
    within = within + 1e-3 * within.diagonal().mean() * torch.eye(d, dtype=torch.float64)
    root = torch.linalg.cholesky(within)
    mean = torch.cholesky_solve((b.mean(0) - a.mean(0))[:, None], root)[:, 0]
    whitened = torch.linalg.solve_triangular(root, cov[1] - cov[0], upper=False)
    whitened = torch.linalg.solve_triangular(root, whitened.mT, upper=False)
    vectors = torch.linalg.eigh((whitened + whitened.mT) / 2).eigenvectors[:, [0, -1]]
    spread = torch.linalg.solve_triangular(root.mT, vectors, upper=True)
    tried = [("mean", mean), ("spread", spread[:, 0]), ("spread", spread[:, 1])]
    mover, best = EarthMover(floor=False), None
    for kind, weights in tried:
        size = torch.linalg.vector_norm(weights)
        if not size > 0:
            continue
        weights = weights / size
        scale = float(torch.sqrt(weights @ within @ weights))
        w1 = float(mover((a @ weights)[:, None], (b @ weights)[:, None]).value) / scale
        if best is None or w1 > best[0]:
            best = w1, kind, weights
    if best is None:
        return None
    _, kind, weights = best
    lines = [(z @ weights)[:, None] for z in (a_held, b_held)]
    return Direction(weights, EarthMover()(*lines), kind)


def _shuffled(points: Tensor, sample: int) -> Tensor:
    points = some(points, MOST_POINTS)
    return points[random_order(len(points), sample)]


@dataclass(frozen=True)
class Region:
    """Which points of one sample the other does not cover.

    A point is uncovered if none of its nearest neighbours is of the other sample. Of so many
    neighbours, ten or more, that between equal laws it happens to a point in a hundred.

    Attributes:
        of_x: Whether each of the points ``shown_x`` is uncovered by y.
        of_y: Whether each of the points ``shown_y`` is uncovered by x.
        shares: Of x and of y that are uncovered.
        usual: The same after relabelling, on average: what equal laws show.
        p_values: Of both shares, by permutation; never 0.
        shown_x: Standardised points of x that were looked at, ``(n, d)``.
        shown_y: Of y, ``(m, d)``.
    """

    of_x: Tensor
    of_y: Tensor
    shares: tuple[float, float]
    usual: tuple[float, float]
    p_values: tuple[float, float]
    shown_x: Tensor
    shown_y: Tensor


def region(pooled: Pooled) -> Region:
    """The uncovered points among those that the tests looked at."""
    labels = (pooled.weights > 0).float()
    size, n = len(pooled.points), int(labels[0].sum())
    larger = max(n, size - n) / size
    k = min(max(NEIGHBOURS, math.ceil(math.log(RARE) / math.log(larger))), max(1, size // 4))
    graph = pooled.neighbours(k)
    of_x = labels @ graph.T  # neighbours of each point that count as x
    # of places that points equally far share, each has a part
    alone = [(of_x > k - 1e-3) & (labels > 0), (of_x < 1e-3) & (labels == 0)]
    shares = torch.stack([alone[0].sum(1) / n, alone[1].sum(1) / (size - n)]).double()
    p, usual = p_values(shares)[:, 0].tolist(), shares[:, 1:].mean(1).tolist()
    truth = labels[0] > 0
    return Region(
        alone[0][0][truth], alone[1][0][~truth],
        (float(shares[0, 0]), float(shares[1, 0])), (usual[0], usual[1]), (p[0], p[1]),
        pooled.points[truth], pooled.points[~truth],
    )  # fmt: skip
