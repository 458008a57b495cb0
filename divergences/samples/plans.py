"""Optimal transport plans between samples, with a proof of how far from optimal they can be.

The network simplex method compares costs with a tolerance that is relative to the largest of
them. Between clusters that are far apart all costs that matter may be below it. So the cost of
each plan is compared with the dual value of its potentials; where they differ, the problem is
split into parts that no optimal plan connects, and each is solved in its own unit.
"""

import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from torch import Tensor

from divergences.samples.network_simplex import solvers

DENSE = 4096 * 4096  # pairs up to which all costs are kept: .7 GB, up to twice as fast
BLOCK = 2**20  # pairs whose costs are computed at once
PROVEN = 1e-9  # of a plan's cost, which its potentials have to attain all but
ROUNDINGS = 4 * float(np.finfo(float).eps)  # of a potential, in units of itself
METRIC = {1: "euclidean", 2: "sqeuclidean"}

Array = NDArray[Any]


class Coupling(NamedTuple):
    """A plan, as pairs ``(i, j)`` with weights, and its dual potentials.

    ``gap`` is the most that the plan's mean ``cost`` can be above that of an optimal one.
    """

    i: Tensor
    j: Tensor
    weight: Tensor
    u: Tensor
    v: Tensor
    cost: float
    gap: float


class _Solution(NamedTuple):
    i: Array
    j: Array
    weight: Array
    u: Array
    v: Array
    cost: float
    gap: float


def linear_program(x: Tensor, y: Tensor, order: int, max_iterations: int) -> Coupling:
    """Optimal plan between ``(n, d)`` and ``(m, d)``, by the network simplex method.

    Raises:
        RuntimeError: If that did not end within ``max_iterations``.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [1e8]], dtype=torch.float64)
        >>> plan = linear_program(x, x.flip(0) + 0.5, order=2, max_iterations=100)
        >>> plan.j.tolist(), plan.gap <= 1e-9
        ([2, 1, 0], True)
    """
    a, b = (sample.detach().cpu().double().numpy() for sample in (x, y))
    found = _solve(a, b, order, max_iterations)
    parts = (found.i, found.j, found.weight, found.u, found.v)
    return Coupling(
        *(torch.as_tensor(part).to(x.device) for part in parts), cost=found.cost, gap=found.gap
    )


def _solve(a: Array, b: Array, order: int, max_iterations: int) -> _Solution:
    centre = np.concatenate([a, b]).mean(0)
    a, b = a - centre, b - centre
    scale = float(max(np.abs(a).max(), np.abs(b).max())) or 1.0
    found = _simplex(a / scale, b / scale, order, max_iterations)
    if found.gap > PROVEN * found.cost:
        found = _in_parts(a / scale, b / scale, order, max_iterations, found)
    unit = scale**order
    return found._replace(
        u=unit * found.u, v=unit * found.v, cost=unit * found.cost, gap=unit * found.gap
    )


def _simplex(a: Array, b: Array, order: int, max_iterations: int) -> _Solution:
    if len(a) == len(b) == 1:
        cost = cdist(a, b, METRIC[order])  # type: ignore[call-overload]
        one, none = np.zeros(1, dtype=int), np.zeros(1)
        return _Solution(one, one, np.ones(1), cost[0], none, float(cost[0, 0]), 0.0)
    if len(a) * len(b) <= DENSE:
        costs = cdist(a, b, METRIC[order])  # type: ignore[call-overload]
        plan, log = _raise_what_pot_warns(solvers().emd, [], [], costs, numItermax=max_iterations)
        # seven times as fast as nonzero of numbers, which took 4 % of the whole
        i, j = np.divmod(np.flatnonzero(plan != 0), len(b))
        weight = plan[i, j]
        blocks = ((rows, costs[rows]) for rows in _rows(len(a), len(b)))
    else:
        _, log = _raise_what_pot_warns(
            solvers().emd2_lazy, a, b, metric=METRIC[order], numItermax=max_iterations
        )
        plan = log["G"].tocoo()
        i, j, weight = plan.row, plan.col, plan.data
        blocks = _blocks(a, b, order)
    distance = np.linalg.norm(a[i] - b[j], axis=1)
    cost = float(weight @ distance**order)
    u, v = log["u"], log["v"]
    # the largest potential of y that u allows: with it the dual value is a bound from below
    allowed = np.full(len(b), math.inf)
    for rows, block in blocks:
        block -= u[rows, None]  # of no further use
        np.minimum(allowed, block.min(0), out=allowed)
    gap = max(cost - float(u.mean() + allowed.mean()), 0.0)
    # between clusters potentials are as large as what lies between, and so is their rounding
    gap += ROUNDINGS * float(np.abs(u).mean() + np.abs(allowed).mean())
    gap = gap if cost > 0 else 0.0
    return _Solution(i, j, weight, u, v, cost, gap)


def _rows(n: int, m: int) -> Iterator[slice]:
    """The rows of a matrix of costs, a block at a time."""
    rows = max(1, BLOCK // m)
    return (slice(start, start + rows) for start in range(0, n, rows))


def _blocks(a: Array, b: Array, order: int) -> Iterator[tuple[slice, Array]]:
    """All costs, a block of rows at a time."""
    for rows in _rows(len(a), len(b)):
        yield rows, cdist(a[rows], b, METRIC[order])  # type: ignore[call-overload]


def _in_parts(a: Array, b: Array, order: int, max_iterations: int, whole: _Solution) -> _Solution:
    """The plan again, made of plans of parts, or ``whole`` if there are no parts.

    A vertex of the polytope of plans moves at least 1/lcm(n, m) along each pair it uses. So no
    optimal one uses a pair of more than lcm(n, m) times the cost of any plan.
    """
    n, m = len(a), len(b)
    parts, part_of_a, part_of_b = _parts(a, b, order, whole.cost * math.lcm(n, m))
    inside_a, inside_b = (np.bincount(part, minlength=parts) for part in (part_of_a, part_of_b))
    if parts == 1 or (inside_a * m != inside_b * n).any():
        return whole
    order_a, order_b = np.argsort(part_of_a, kind="stable"), np.argsort(part_of_b, kind="stable")
    of_a = np.split(order_a, inside_a.cumsum()[:-1])
    of_b = np.split(order_b, inside_b.cumsum()[:-1])
    u, v, pairs, cost, gap = whole.u.copy(), whole.v.copy(), [], 0.0, 0.0
    for rows, columns in zip(of_a, of_b, strict=True):
        share = len(rows) / n
        found = _solve(a[rows], b[columns], order, max_iterations)
        # potentials of a part are known up to a constant, which the whole problem bounds
        shift = float((whole.u[rows] - found.u).mean())
        u[rows], v[columns] = found.u + shift, found.v - shift
        pairs.append((rows[found.i], columns[found.j], share * found.weight))
        cost, gap = cost + share * found.cost, gap + share * found.gap
    i, j, weight = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return _Solution(i, j, weight, u, v, cost, gap)


def _parts(a: Array, b: Array, order: int, most: float) -> tuple[int, Array, Array]:
    """Number of parts that pairs of a cost up to ``most`` leave, and the part of each point."""
    i, j = [], []
    for rows, block in _blocks(a, b, order):
        near, column = np.nonzero(block <= most)
        i.append(near + rows.start)
        j.append(column + len(a))
    i, j = np.concatenate(i), np.concatenate(j)
    size = len(a) + len(b)
    graph = coo_array((np.ones(len(i), dtype=np.int8), (i, j)), shape=(size, size))
    parts, part = connected_components(graph, directed=False)
    return parts, part[: len(a)], part[len(a) :]


def _raise_what_pot_warns(solve: Any, *args: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, log = solve(*args, **options, log=True)
    messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    if log["warning"]:
        messages.append(log["warning"])
    if messages:
        raise RuntimeError(
            f"no optimal plan found ({messages[0]}); raise max_iterations = "
            f"{options['numItermax']}, or use fewer points"
        )
    return found, log


def _staircase(n: int, m: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Cells and weights of the monotone plan between ``n`` and ``m`` sorted points.

    All ``n + m - 1`` cells of the path are listed, so that consecutive ones share a row or a
    column; where both end at once one of them has weight 0.
    """
    ends = torch.cat([torch.arange(1, n) * m, torch.arange(1, m) * n])
    ends, event = ends.sort(stable=True)
    right = (event < n - 1).long()
    start = torch.zeros(1, dtype=torch.long)
    i, j = (torch.cat([start, step.cumsum(0)]) for step in (right, 1 - right))
    edges = torch.cat([start, ends, torch.tensor([n * m])])
    return i.to(device), j.to(device), (edges.diff().double() / (n * m)).to(device)


def monotone(x: Tensor, y: Tensor, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cost of optimal 1-D plans, and their potentials, for ``(..., n)`` and ``(..., m)``.

    Along the path of the monotone plan a step to the right changes only ``u``, a step down only
    ``v``, each by the change in cost; for a convex cost these potentials are feasible.
    """
    (x, of_x), (y, of_y) = x.sort(-1), y.sort(-1)
    if x.shape[-1] == y.shape[-1]:  # a step to the right and one down in turn
        cost = _line_costs(x, y, order)
        mean, on = cost.mean(-1), cost.detach()
        below = _line_costs(x[..., 1:], y[..., :-1], order).detach()
        right, down = below - on[..., :-1], on[..., 1:] - below
    else:
        i, j, weight = _staircase(x.shape[-1], y.shape[-1], x.device)
        cost = _line_costs(x[..., i], y[..., j], order)
        mean, on = (cost * weight).sum(-1), cost.detach()
        change, to_right = on.diff(dim=-1), i.diff() == 1
        ends = [step.nonzero()[:, 0] for step in (to_right, ~to_right)]
        right, down = (change[..., end] for end in ends)
    start = on[..., :1]
    u = torch.cat([torch.zeros_like(start), right], -1).cumsum(-1)
    v = torch.cat([start, down], -1).cumsum(-1)
    return mean, torch.empty_like(u).scatter(-1, of_x, u), torch.empty_like(v).scatter(-1, of_y, v)


def matched(x: Tensor, y: Tensor, order: int) -> Tensor:
    """Mean cost of optimal 1-D plans between equally many points, ``(..., n)`` each."""
    return _line_costs(x.sort(-1).values, y.sort(-1).values, order).mean(-1)


def _line_costs(x: Tensor, y: Tensor, order: int) -> Tensor:
    return (x - y).square() if order == 2 else (x - y).abs()


def costs(x: Tensor, y: Tensor, order: int) -> Tensor:
    """Distance between matching points to the power ``order``; gradient 0 where they coincide."""
    difference = x - y
    return (
        difference.square().sum(-1) if order == 2 else torch.linalg.vector_norm(difference, dim=-1)
    )
