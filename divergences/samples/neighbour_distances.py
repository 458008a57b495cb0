"""What estimators from distances to nearest neighbours share.

A stderr from the influence of every single point, and an interval that also covers the bias. The
bias depends on ``k / n`` alone, so the change from ``2k`` to ``k`` neighbours is the change from
``n / 2`` to ``n`` points, on the same sample and for free.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.special import digamma
from torch import Tensor

from divergences.estimate import Estimate, Z

Array = NDArray[np.floating]
Reading = tuple[float, list[Array]]  # a value, and each point's influence on it, per sample

ENOUGH_TO_SHARE = 1000  # queries from which starting threads costs less than they save
DUPLICATES = 0.01  # share of coincident points that float32 rounding can explain
CLUMPS = 0.3  # dimensions that near copies seem to have, at most; a line has 1
FLAT = 0.75  # share of the dimensions that the points of a curved set seem to have, at most


def as_points(sample: Tensor) -> Array:
    return sample.detach().cpu().double().numpy()


def k_nearest(points: Array, queries: Array, k: int) -> tuple[Array, NDArray[np.intp]]:
    """Distances to and indices of the ``k`` nearest ``points``, leaving out the query itself."""
    own = int(points is queries)
    if points.shape[1] == 1:
        return _nearest_on_a_line(points[:, 0], queries[:, 0], k, own)
    leaf = 16 if points.shape[1] <= 4 else 32  # faster by a quarter in eight dimensions
    tree = KDTree(points, leafsize=leaf, compact_nodes=False)
    distances, indices = tree.query(queries, k=k + own, workers=threads_for(len(queries)))
    return np.reshape(distances, (len(queries), -1))[:, own:], np.reshape(
        indices, (len(queries), -1)
    )[:, own:]


def threads_for(queries: int) -> int:
    """How many threads SciPy's trees may use: torch's, where there is work for several."""
    return torch.get_num_threads() if queries >= ENOUGH_TO_SHARE else 1


def _nearest_on_a_line(
    points: Array, queries: Array, k: int, own: int
) -> tuple[Array, NDArray[np.intp]]:
    """By sorting, three times as fast as a tree: one step outward for each further neighbour."""
    order = np.argsort(points)
    line = np.concatenate([np.full(k + 1, -np.inf), points[order], np.full(k + 1, np.inf)])
    if own:
        below = np.empty_like(order)
        below[order] = np.arange(len(order))
        below += k
    else:
        below = np.searchsorted(line, queries) - 1
    above = below + 1 + own
    distances = np.empty((k, len(queries)))
    at = np.empty((k, len(queries)), np.intp)
    for j in range(k):
        left, right = queries - line[below], line[above] - queries
        nearer = left <= right
        np.minimum(left, right, out=distances[j])
        at[j] = np.where(nearer, below, above)
        below -= nearer
        above += ~nearer
    return np.ascontiguousarray(distances.T), np.ascontiguousarray(order[at - (k + 1)].T)


def refuse_ties(nearest: Array, kth: Array, where: str) -> None:
    coincident = int((nearest == 0).sum())
    if (kth == 0).any() or coincident > max(1, DUPLICATES * len(nearest)):
        raise ValueError(
            f"{coincident} of {len(nearest)} points coincide with {where}: nearest-neighbour "
            "estimates need a density, which has no ties. Draw in float64, remove the duplicates "
            "(torch.unique(x, dim=0)), or add noise well below the scale of interest; for "
            "counts and other values that repeat use HistogramJS, HistogramKL or HistogramTV"
        )


def seen_dimension(distances: Array, k: int) -> float:
    """Dimension of the set on which distances grow so with the neighbour's order.

    It is 0 where more than k points coincide.
    """
    kth = distances[:, k - 1]
    if not kth.all():
        return 0.0
    growth = float((np.log(distances[:, 2 * k - 1]) - np.log(kth)).mean())
    return float(digamma(2 * k) - digamma(k)) / growth if growth > 0 else math.inf


def thin(seen: float, dimension: int, k: int) -> tuple[str, ...]:
    """A warning where the points seem to have fewer dimensions than their subspace."""
    if seen > FLAT * dimension:
        return ()
    return (
        f"the points lie as if in {seen:.1f} dimensions, not {dimension}: on a curve or surface, "
        f"in more dimensions than so few points can show, or in clumps of fewer than {2 * k} "
        "points, where the value is meaningless",
    )


def clumped(distances: Array, name: str) -> tuple[str, ...]:
    """A warning where points lie in clumps of a few, such as copies with a little noise.

    Distances to the first few neighbours then are of two sizes. Of a density they grow by a
    factor that depends on the dimension alone, and on a curve by no more than on a line.

    Arguments:
        distances: To the nearest neighbours of the same sample, ``(n, 2k)``.
        name: Of the sample.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(200, 2))
        >>> clumped(k_nearest(points, points, 6)[0], "x")
        ()
        >>> twice = np.concatenate([points, points + 1e-6])
        >>> clumped(k_nearest(twice, twice, 6)[0], "x")[0]
        'x lies in clumps of few points: near copies are no independent draws, ...'
    """
    apart = np.maximum(distances, np.finfo(float).tiny)
    if min(seen_dimension(apart, k) for k in range(1, distances.shape[1] // 2 + 1)) > CLUMPS:
        return ()
    return (
        f"{name} lies in clumps of few points: near copies are no independent draws, and a "
        "distance is seen between equal laws; keep one of each clump",
    )


def stderr_of(influences: list[Array]) -> float:
    """Standard error of a mean over each sample, added up."""
    return math.sqrt(sum(_variance(i) / len(i) for i in influences))


def _variance(values: Array) -> float:
    deviations = values - values.mean()
    return float(deviations @ deviations) / (len(values) - 1)


def extrapolated(near: Reading, far: Reading, rate: float) -> tuple[float, float]:
    """The value without a bias of ``c (k / n)**rate``, by those at k and 2k; and its stderr."""
    factor = 1 / (2**rate - 1)
    changes: list[Array] = [a + factor * (a - b) for a, b in zip(near[1], far[1], strict=True)]
    return near[0] + factor * (near[0] - far[0]), stderr_of(changes)


def from_influences(
    near: Reading,
    far: Reading,
    rate: float,
    like: Tensor,
    slack: float = 0.0,
    at_jumps: float | None = None,
) -> Estimate:
    """Estimate from the values at ``k`` and ``2k`` neighbours and each point's influence on them.

    With a bias of ``c (k / n)**rate`` the value without bias is known (:func:`extrapolated`).
    The interval reaches from 1.96 standard errors beyond the value to 1.96 standard errors beyond
    that, and ``slack`` further; its upper end so, too, with the rate where densities jump.
    """
    value, error = near[0], stderr_of(near[1])
    known = [(value, error), extrapolated(near, far, rate)]
    low = min(v - Z * e for v, e in known) - slack
    if at_jumps is not None:
        known.append(extrapolated(near, far, at_jumps))
    high = max(v + Z * e for v, e in known) + slack
    ends = like.new_tensor(low), like.new_tensor(high)
    return Estimate(like.new_tensor(value), like.new_tensor(error), ci=ends)


def known(value: float, reason: str, like: Tensor) -> Estimate:
    exact = like.new_tensor(value)
    return Estimate(exact, torch.zeros_like(exact), ci=(exact, exact), warnings=(reason,))


def known_apart(value: float, meaning: str, like: Tensor) -> Estimate:
    """The value between laws on different subspaces, with a warning that says when it holds."""
    reason = "x and y lie in different affine subspaces (lines, planes): if each has a density "
    return known(value, f"{reason}there, {meaning}", like)


def no_estimate(reason: str, like: Tensor) -> Estimate:
    nan = like.new_tensor(math.nan)
    return Estimate(nan, nan, ci=(nan, nan), warnings=(reason,))


FLATTENED = (
    "all points lie within the rounding of their numbers of one another: subtract offsets, or "
    "draw in float64"
)
