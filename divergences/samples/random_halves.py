"""Points in random order: halves and folds of a sample, whatever its rows are sorted by."""

import torch
from torch import Tensor


def random_order(n: int, sample: int) -> Tensor:
    """A random order of ``n`` points, the same in each call, shape ``(n,)``.

    Arguments:
        n: How many points.
        sample: Which of several samples, from 0. Each has an order of its own: one order for two
            samples that are sorted alike would pair their points.

    Example:
        >>> first, second = random_order(99, 0), random_order(99, 1)
        >>> torch.equal(first, second), torch.equal(first.sort().values, second.sort().values)
        (False, True)
    """
    return torch.randperm(n, generator=torch.Generator().manual_seed(sample))


def halves(points: Tensor, sample: int, most: int | None = None) -> tuple[Tensor, Tensor]:
    """Two disjoint halves at random, of up to ``most`` points each.

    Arguments:
        points: Shape ``(n, ...)``.
        sample: Which of several samples, as in :func:`random_order`.
        most: Points of a half; half of all, rounded down, if not given.
    """
    n = len(points)
    order = random_order(n, sample).to(points.device)
    size = n // 2 if most is None else min(n // 2, most)
    return points[order[:size]], points[order[n - size :]]
