"""Distances of all pairs of points, to the last digit."""

import torch
from torch import Tensor


def pair_distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances ``(..., n, m)`` of points ``(..., n, d)`` and ``(..., m, d)``.

    Coincident points are 0 apart, with gradient 0. torch's faster way, through matrix products,
    loses digits where points are far from the origin or near each other.

    Example:
        >>> pair_distances(torch.tensor([[1e4, 0.0]]), torch.tensor([[1e4, 1e-3]]))
        tensor([[0.0010]])
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
