"""Whether two samples differ at scales below the distances that an estimate rests on."""

import numpy as np

from divergences.samples.neighbour_distances import Array

SURE = 4.0  # standard errors by which nearer neighbours are more alike, from which they are
BY_MUCH = 1 / 2  # of how much more alike than chance the farther ones are
SMOOTH = 0.3  # how much more alike the nearer ones of smooth laws are, over (k / n)**(2 / d)


def finer_structure(
    to_own: Array, to_other: Array, other_size: int, dimension: int
) -> tuple[str, ...]:
    """A warning where points agree with their two nearest neighbours, but not with the next few.

    Whether a neighbour comes from a point's own sample then depends on how near it is, as where
    the teeth of a comb are hardly wider than points are apart. An estimate from farther neighbours
    says that there is nothing.

    Arguments:
        to_own: Distances to the nearest neighbours from a point's own sample, ``(n, k)``; with
            fewer than four of them nothing is said.
        to_other: To those from the other sample, ``(n, k)``.
        other_size: Points of the other sample.
        dimension: Of the space that the points lie in.

    Example:
        >>> near = np.tile([1.0, 2, 5, 6], (99, 1))
        >>> finer_structure(near, near + np.random.default_rng(0).normal(size=(99, 4)), 100, 2)
        ()
        >>> finer_structure(near, np.tile([3.0, 4, 7, 8], (99, 1)), 100, 2)[0]
        'biased: of the two nearest neighbours of an x 100 % are x, of the next ones 0 %: ...'
    """
    n, k = to_own.shape
    if k < 4:
        return ()
    order = np.argsort(np.concatenate([to_own, to_other], 1), 1)[:, :k]  # as many are known
    own = (order < k).astype(float)
    near, next_ones = own[:, :2].mean(1), own[:, max(2, 2 * k // 5) :].mean(1)
    more = near - next_ones
    beyond_chance = max(float(next_ones.mean()) - (n - 1) / (n - 1 + other_size), 0.0)
    expected = BY_MUCH * beyond_chance + SMOOTH * (k / n) ** (2 / dimension)
    if more.mean() <= max(SURE * more.std() / np.sqrt(n), expected):
        return ()
    return (
        f"biased: of the two nearest neighbours of an x {100 * near.mean():.0f} % are x, of the "
        f"next ones {100 * next_ones.mean():.0f} %: p and q differ at scales that points hardly "
        "show, and the value is too low; give more points",
    )
