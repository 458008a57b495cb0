"""Values of six measures of fidelity and diversity, from one set of distances."""

import numpy as np
import torch
from torch import Tensor

from divergences.pair_distances import pair_distances
from divergences.samples.clipped_coverage import SPARE, ClippedCoverage, ClippedDensity, Near
from divergences.samples.coverage import AT_ONCE
from divergences.samples.units import in_own_unit

FIDELITY = ("precision", "density", "clipped density")
DIVERSITY = ("recall", "coverage", "clipped coverage")
MEASURES = FIDELITY + DIVERSITY
K_SUPPORT, K = 3, 5  # the second is the least with a coverage of .95 between equal laws


def scores(x: Tensor, y: Tensor) -> list[float]:
    """The values of ``MEASURES`` for real points ``(n, d)`` and generated ones ``(m, d)``.

    They are those of the estimators ``Precision``, ``Density``, ``ClippedDensity``, ``Recall``,
    ``Coverage`` and ``ClippedCoverage``, whose errors cost ten times as much. The clipped ones are
    capped at 1, as in their paper.
    """
    x, y, _ = in_own_unit(x, y)
    n, m = len(x), len(y)
    reach_of_y = neighbours(y, K_SUPPORT).values[:, -1]
    near = neighbours(x, min(2 * K + SPARE, n - 1))
    reach, support = near.values[:, K - 1, None], near.values[:, K_SUPPORT - 1, None]
    precise, held = torch.zeros(m, dtype=torch.bool), 0
    recalled, covered, pairs = [], [], []
    for rows in torch.arange(n).split(max(1, AT_ONCE // m)):
        across = pair_distances(x[rows], y)
        precise |= (across <= support[rows]).any(0)
        recalled.append((across <= reach_of_y).any(1))
        inside = across <= reach[rows]
        held += int(inside.sum())
        covered.append(inside.any(1))
        i, j = (across <= near.values[rows, -1:]).nonzero(as_tuple=True)
        pairs.append((rows[i], j, across[i, j]))
    centre, point, apart = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
    found = Near(near.indices.numpy(), near.values.numpy(), centre, point, apart)
    everything = np.ones(n, bool), np.ones(m, bool)
    clipped = [
        min(1.0, estimator.of_points(found, *everything, K))
        for estimator in (ClippedDensity(), ClippedCoverage())
    ]
    shares = (float(torch.cat(flags).double().mean()) for flags in (recalled, covered))
    return [
        float(precise.double().mean()), held / (K * m), clipped[0], *shares, clipped[1],
    ]  # fmt: skip


def neighbours(points: Tensor, k: int) -> torch.return_types.topk:
    """Distances to and indices of the nearest other points, nearest first."""
    found = []
    for rows in torch.arange(len(points)).split(max(1, AT_ONCE // len(points))):
        apart = pair_distances(points[rows], points)
        apart[torch.arange(len(rows)), rows] = torch.inf
        found.append(apart.topk(k, largest=False, sorted=True))
    values, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    return torch.return_types.topk((values, indices))
