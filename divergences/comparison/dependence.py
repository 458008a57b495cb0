"""Whether columns depend on each other alike in two samples, whatever the law of each column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from divergences.comparison.permutations import Ranked

RELABELLINGS = 199  # at most: columns are ranked anew for each
MOST_COLUMNS = 64  # of which pairs are looked at; more are drawn at random


def equal_dependence(x: Tensor, y: Tensor, permutations: int, seed: int = 0) -> float:
    r"""The p-value of equal dependence between columns, by relabelling; never 0.

    Each sample's columns are replaced by the normal quantiles of their ranks within the sample,
    so that all columns have one law and only their dependence is left. Compared are correlations
    between the quantiles of different columns, and those with what their squares add: the sum of
    the squares of the differences, and the largest. Dependence that no pair of columns has is not
    looked at.

    For the relabellings the ranked samples are pooled, and each part is ranked anew: the level
    holds for large samples, also where the columns' laws differ.

    References:
        | Randomization Tests for Equality in Dependence Structure (Seo, 2021), section 3
        | https://doi.org/10.1080/07350015.2020.1738236

    Arguments:
        x: Of shape ``(n, d)`` in double precision, ``d`` at least 2.
        y: Of shape ``(m, d)``.
        permutations: Relabellings, up to 199.
        seed: Of the relabellings.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (torch.randn(200, 2, generator=draw, dtype=torch.float64) for _ in range(2))
        >>> y[:, 1] += y[:, 0]
        >>> equal_dependence(x, y, 99), equal_dependence(x, 5 * x.exp(), 99)
        (0.01, 1.0)
    """
    draw = np.random.default_rng([seed % 2**63, 1])
    n, size, d = len(x), len(x) + len(y), x.shape[1]
    if d > MOST_COLUMNS:
        picked = torch.from_numpy(np.sort(draw.permutation(d)[:MOST_COLUMNS]))
        x, y = x[:, picked], y[:, picked]
    ranked, found = _Ranks.of(x, y), []
    of_x = torch.arange(size) < n
    for _ in range(min(permutations, RELABELLINGS) + 1):
        apart = (ranked.correlations(of_x, True) - ranked.correlations(of_x, False)).square()
        monotone, apart[0, :, 0] = apart[0, :, 0].clone(), 0
        found.append(
            torch.stack([f(part) for part in (monotone, apart) for f in (torch.sum, torch.max)])
        )
        of_x = of_x[torch.from_numpy(draw.permutation(size))]
    return float(Ranked.of(torch.stack(found, 1)).smallest().p[0])


class _Ranks(NamedTuple):
    """Columns of pooled points in order, from which ranks in any part of them are counted.

    Attributes:
        order: The points by their value in each column, ``(d, N)``.
        first: Place in that order of the first value that equals each, ``(d, N)``.
        last: Place after the last such.
    """

    order: Tensor
    first: Tensor
    last: Tensor

    @classmethod
    def of(cls, x: Tensor, y: Tensor) -> _Ranks:
        """Both samples as shares of their own values that are below, equal ones by half."""
        shares = []
        for columns in (x.T.contiguous(), y.T.contiguous()):
            ordered = columns.sort(1).values
            twice = torch.searchsorted(ordered, columns)
            twice += torch.searchsorted(ordered, columns, right=True)
            shares.append(twice.double() / columns.shape[1])
        ordered, order = torch.cat(shares, 1).sort(1)
        last = torch.searchsorted(ordered, ordered, right=True)
        return cls(order, torch.searchsorted(ordered, ordered), last)

    def correlations(self, of_x: Tensor, inside: bool) -> Tensor:
        """Of normal quantiles and their squares within a part, ``(2, d, 2, d)``; 0 in a column."""
        part = of_x if inside else ~of_x
        count = torch.nn.functional.pad(part[self.order].cumsum(1), (1, 0))
        twice = count.gather(1, self.first) + count.gather(1, self.last)
        n = int(part.sum())
        quantiles = torch.special.ndtri(torch.arange(2 * n + 1).double() / (2 * n))
        scores = quantiles[torch.empty_like(twice).scatter_(1, self.order, twice)[:, part]]
        scores = _unit(scores - scores.mean(1, keepdim=True))
        squares = scores.square() - 1 / n
        squares = squares - (squares * scores).sum(1, keepdim=True) * scores
        features = torch.cat([scores, _unit(squares)])  # 0 where squares say what scores do
        blocks = (features @ features.T).reshape(2, len(scores), 2, len(scores))
        blocks.diagonal(dim1=1, dim2=3).zero_()
        return blocks


def _unit(rows: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return torch.where(length > 1e-6, rows / length, 0.0)
