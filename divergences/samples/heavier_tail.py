"""Whether P has a heavier tail than Q, in which nearest neighbours cannot show what KL has."""

import math

import numpy as np
import torch

from divergences.samples.neighbour_distances import Array
from divergences.tail_index import tail_index, tail_index_by_chance

TAIL = 0.1  # of the y: the outermost, which tell how Q falls off
RARE = 1e-3  # as few points of Q where the farthest x lies are none


def heavier_tail(x: Array, y: Array) -> tuple[str, ...]:
    r"""A warning where the farthest x lie where Q has nothing, and P's tail is heavier than Q's.

    Of normal laws the squared distance from the middle has an exponential tail. Where that of the
    y is taken to go on so, and that of the x is heavier, :math:`\log p/q` is largest at points
    that are rare and far from all others, whose neighbours do not show it.

    Arguments:
        x: Points of P, ``(n, d)``, in units in which a distance has a meaning.
        y: Those of Q, ``(m, d)``.

    Example:
        >>> normal, rng = np.random.default_rng(0).normal(size=(500, 2)), np.random.default_rng(1)
        >>> heavier_tail(normal + 1, normal), heavier_tail(2 * normal, normal)
        ((), ())
        >>> heavier_tail(rng.standard_t(3, size=(500, 2)), normal)[0][:55]
        'heavy: distances of the x from the middle of the y have'
    """
    middle = np.median(y, 0)
    of_x, of_y = (np.square(z - middle).sum(1) for z in (x, y))
    start = np.quantile(of_y, 1 - TAIL)
    beyond = of_y[of_y > start] - start
    if not len(beyond) or of_x.max() - start <= beyond.mean() * math.log(TAIL * len(y) / RARE):
        return ()
    ours, theirs = (float(tail_index(torch.from_numpy(z)[:, None])) for z in (of_x, of_y))
    if ours - max(theirs, 0.0) <= tail_index_by_chance(len(x)):
        return ()
    return (
        f"heavy: distances of the x from the middle of the y have a tail of index {ours / 2:.2g}, "
        f"those of the y of {max(theirs, 0.0) / 2:.2g}: far points, which are rare, may have most "
        "of KL, and their neighbours do not show it; use numerical or KnownDensity with densities",
    )
