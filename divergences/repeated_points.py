"""Whether a sample repeats points that no law repeats: copied rows, a bootstrap."""

import numpy as np
import torch
from torch import Tensor

SHARE = 0.1
"""Of a sample's points, from which on repeats shorten its intervals visibly."""
FEWEST = 20
"""Different points that are repeated; fewer are categories, and may be a law's atoms."""


def repeated(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where a sample repeats points, and not because of its law.

    Such points are no independent draws: intervals are too short, and a distance is seen between
    equal laws. Three kinds of repeats are a law's own, and are not meant: points that both samples
    hold (atoms of both laws), few points that are held often (atoms of one law), and points on a
    lattice so coarse that they have to meet (counts, rounded values).

    Arguments:
        x: Shape ``(n, d)`` or ``(K, n, d)``.
        y: Likewise.

    Example:
        >>> points = torch.rand(64, 1, generator=torch.Generator().manual_seed(0))
        >>> repeated(points, torch.cat([points[:32], points[:32]]) + 1)[0]
        'y holds only 32 different points of 64: repeated points are no independent draws, ...'
        >>> repeated(points, torch.zeros(64, 1))
        ()
    """
    sides = [sample.detach().reshape(-1, *sample.shape[-2:]) for sample in (x, y)]
    members = max(map(len, sides))  # a single sample goes with each of several
    pairs = zip(*(side.expand(members, -1, -1) for side in sides), strict=True)
    found = [_notes(*pair) for pair in pairs]
    several = members > 1
    return tuple(f"member {k}: {n}" if several else n for k, ns in enumerate(found) for n in ns)


def _notes(x: Tensor, y: Tensor) -> list[str]:
    pair = [sample.cpu() for sample in (x, y)]
    return [
        f"{name} holds only {few} different points of {len(sample)}: repeated points are no "
        "independent draws, and the interval is too short"
        for name, sample, other in (("x", *pair), ("y", *pair[::-1]))
        if (few := different(sample, other)) is not None
    ]


def different(sample: Tensor, other: Tensor) -> int | None:
    """How many different points the sample holds, if it repeats them and its law does not."""
    n = len(sample)
    ordered = np.sort(sample[:, 0].numpy())
    if np.count_nonzero(ordered[1:] == ordered[:-1]) < SHARE * n:  # as nearly always
        return None
    points, times = torch.unique(sample, dim=0, return_counts=True)
    several = times > 1
    shared = {row.tobytes() for row in other.numpy()}
    own = several.clone()
    only_here = [row.tobytes() not in shared for row in points[several].numpy()]
    own[several] = torch.tensor(only_here, dtype=torch.bool)
    met = float((times * (times - 1) / 2)[own].sum())
    extra = int((times - 1)[own].sum())
    if extra < SHARE * n or own.sum() < FEWEST or met <= _neighbours(points, times):
        return None
    return len(points)


def _neighbours(points: Tensor, times: Tensor) -> float:
    """Pairs of a sample's points that are one step of the lattice apart, in one coordinate.

    Where a smooth law is rounded, these are 2 d times as many as pairs that are equal.
    """
    steps = []
    for column in points.T:
        gaps = torch.unique(column).diff()
        steps.append(gaps.min() if len(gaps) else torch.ones_like(column[0]))
    places = ((points - points.min(0).values) / torch.stack(steps)).round().numpy()
    weight = dict(zip((row.tobytes() for row in places), times.tolist(), strict=True))
    found = 0.0
    for axis in range(points.shape[1]):
        beside = places.copy()
        beside[:, axis] += 1
        for row, count in zip(beside, times.tolist(), strict=True):
            found += count * weight.get(row.tobytes(), 0)
    return found
