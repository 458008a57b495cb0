"""One integral over two densities: what a cell contributes, and the gradient of the sum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils.checkpoint import checkpoint

from divergences.numerical.adaptive_cells import integrate
from divergences.numerical.cell_coordinates import LIMIT, Cells, Coordinates
from divergences.numerical.densities import (
    Density,
    checked_log_prob,
    has_gradient,
    numbers_per_point,
)
from divergences.numerical.domain import Domain
from divergences.numerical.integration import EPS, LARGEST_ARRAY, NO_MASS, Average
from divergences.numerical.log_densities import TINIEST
from divergences.numerical.singular_ends import Continued, measured_ends
from divergences.numerical.supports import edges

AT_KINKS = 0.015
"""Share of the sum over a cell by which Gauss' rule is off at most for the distance from a point
of it, with ten nodes."""
BEYOND_NODES = 0.1
"""Of the range of a log-ratio at the nodes, how far it may go from there to the edges: a straight
one goes 1.4 %, and where a change of sign is not seen, halving changes nothing."""
UNLIKE = 30.0
"""Log-ratio from which on it does not matter how large it is."""
PLACES = 8
"""At most, from which it is measured how densities rise towards the ends of an axis."""


@final
class Integral:
    """Both masses and the mean of a function of two log-densities, and what was met on the way.

    Arguments:
        f: The function, averaged over the first density.
        p: The first density.
        q: The second.
        members: Of their common batch.
        domain: Where they are integrated.
        tolerance: Largest change in halving a cell.
        most: Points, times members, after which to give up.

    Attributes:
        infinite, infinite_below: Which members' integrand is infinite where p has mass.
        overflowed: Which members' log-densities leave float64.
    """

    def __init__(
        self,
        f: Average,
        p: Density,
        q: Density,
        members: int,
        domain: Domain,
        tolerance: float,
        most: int,
    ) -> None:
        self.f, self.p, self.q, self.members = f, p, q, members
        self.domain, self.tolerance, self.most = domain, tolerance, most
        self.infinite = torch.zeros(members, dtype=torch.bool)
        self.infinite_below = torch.zeros(members, dtype=torch.bool)
        self.overflowed = torch.zeros(members, dtype=torch.bool)
        self.nodes, self.which, self.weights = _rule(domain.d)
        # torch's laws are 0 off their support alone, others may have underflowed
        self.least_mass = -math.inf if domain.complete else NO_MASS

    def inside(self) -> tuple[Tensor, Tensor, Tensor]:
        self.leaves: list[Cells] = []
        found = self._over(self._cells(self.domain.low, self.domain.high), self.leaves.append)
        self.inner = self.coordinates
        return found

    def outside(self, inside: Tensor) -> tuple[Tensor, Tensor] | None:
        """What two distributions contribute beyond a box of the user's, and how far that is off.

        It is what the integral over both supports has more or less than that over the box.
        ``None`` where the box has all of them.
        """
        box, (low, high) = self.domain, self.domain.hull
        if not box.complete or bool(((box.low <= low) & (box.high >= high)).all()):
            return None
        total, error, _ = self._over(self._cells(low, high))
        beyond = torch.where(inside.isfinite(), (total[:, 2] - inside).abs(), 0.0)
        return beyond.nan_to_num(math.inf), error[:, 2]

    def _cells(self, low: Tensor, high: Tensor) -> Cells:
        box = self.domain
        cuts = box.cuts(low, high)
        some = torch.linspace(0, len(box.centres) - 1, PLACES).long().unique()
        places = box.centres[some].maximum(low).minimum(high)
        ends = measured_ends(cuts, places, box.widths[some], LIMIT, self._log_densities)
        self.coordinates = Coordinates(ends, box.middle, box.scale)
        most = self.most // (len(self.weights) * self.members * (2 * box.d + 1))
        return self.coordinates.cells(box.centres, box.widths, most)

    def _log_densities(self, points: Tensor) -> Tensor:
        found = [checked_log_prob(law, points[:, None]) for law in (self.p, self.q)]
        return torch.cat(found, 1)

    def _over(
        self, cells: Cells, keep: Callable[[Cells], object] = lambda _: None
    ) -> tuple[Tensor, Tensor, Tensor]:
        size = len(self.weights), self.members, self.tolerance, self.most
        return integrate(self._values, cells, *size, keep, self.coordinates.at_an_end)

    def with_gradient(self, value: Tensor) -> Tensor:
        """The value, through which a gradient reaches the parameters if they ask for it.

        It is that of the sum over the cells that were settled on, each halved once more. Cells
        move with the ends of supports, so that what an end sweeps over counts.
        """
        if not has_gradient(self.p, self.q, self.domain.middle[None, None]):
            return value
        self.coordinates = self.inner
        laws = [law for law in (self.p, self.q) if isinstance(law, Distribution)]
        corners = [edges(law).reshape(-1, self.domain.d) for law in laws]
        ends = torch.cat(corners) if corners else self.domain.corners
        cells = Cells.together(self.leaves)
        for axis in range(self.domain.d):
            cells = cells.parted(torch.full((len(cells),), axis))
        sums = []
        for some in self._chunks(cells):
            a, b = (_attached(t, ends) for t in (some.a, some.b))
            moving = Cells(some.low, some.width, a, b)
            sums.append(checkpoint(self._for_gradient, moving, use_reentrant=False))
        total = torch.stack(sums).sum(0)
        return torch.where(value.isfinite(), value + (total - total.detach()), value)

    def _for_gradient(self, cells: Cells) -> Tensor:
        log_p, log_q, log_size, _ = self._at_nodes(cells)
        sums = torch.zeros(self.members, dtype=torch.float64)
        sides = [(log_p, log_q), (log_q, log_p)] if self.f.both else [(log_p, log_q)]
        for one, other in sides:
            # what is -inf or weighs nothing would have a gradient of NaN
            alive = one + log_size > NO_MASS
            one = torch.where(alive, one, 0.0)
            other = torch.where(alive, other.clamp_min(TINIEST), 0.0)
            value = torch.where(alive, (one + log_size).exp() * self.f.of(one, other), 0.0)
            share = torch.einsum("cnm,n,c->m", value, self.weights, cells.width.prod(-1))
            sums = sums + share / len(sides)
        return sums

    def _values(self, cells: Cells) -> Tensor:
        """Over each cell, ``(cells, members, 5)``: both masses, the integrand, its rounding, and
        how far a kink may put it off.
        """
        parts = [self._some(some) for some in self._chunks(cells)]
        return torch.cat(parts) if parts else torch.zeros(0, self.members, 5).double()

    def _chunks(self, cells: Cells) -> list[Cells]:
        numbers = numbers_per_point(self.p) + numbers_per_point(self.q)
        step = max(1, LARGEST_ARRAY // (numbers * len(self.weights)))
        return [cells[i : i + step] for i in range(0, len(cells), step)]

    def _some(self, cells: Cells) -> Tensor:
        log_p, log_q, log_size, blur = self._at_nodes(cells)
        value, rounding = self._weighted(log_p, log_q, log_size, blur)
        if self.f.both:
            other, more = self._weighted(log_q, log_p, log_size, blur)
            value, rounding = (value + other) / 2, (rounding + more) / 2
        masses = ((log + log_size).exp() for log in (log_p, log_q))
        values = torch.stack([*masses, value, rounding], -1)
        sums = torch.einsum("cnmk,n,c->cmk", values, self.weights, cells.width.prod(-1))
        # in more dimensions a kink runs through many cells, and halving some of them shows it
        kink = torch.zeros_like(sums[..., 2])
        if not self.f.smooth and self.domain.d == 1:
            kink = torch.where(_may_be_equal(log_p, log_q), AT_KINKS * sums[..., 2], kink)
        return torch.cat([sums, kink[..., None]], -1).expand(-1, self.members, -1)

    def _at_nodes(self, cells: Cells) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log-densities ``(cells, nodes, members)`` and the log of dx/dv there; and how far the
        rounding of a point may move it, as a share of the scale it lies at.
        """
        # along each axis alone first: there are r**d points, but r coordinates of an axis
        v = cells.low[:, None] + self.nodes[:, None] * cells.width[:, None]
        along, log_slopes = self.coordinates.points(cells, v)
        scales = log_slopes.exp()
        continued = None
        if self.coordinates.singular:
            along, farther, times = self.coordinates.near_ends(cells, v, along)
            # how far from the end the point is that the density is continued from
            scales = torch.where(times[0] != 0, (farther[0] - along).abs(), scales)
            continued = farther, times
        blurs = EPS * along.abs() / scales

        def at_points(t: Tensor) -> Tensor:
            return torch.stack([t[:, self.which[:, k], k] for k in range(self.domain.d)], -1)

        x, size, blur = (at_points(t) for t in (along, log_slopes, blurs))
        points = x.flatten(0, 1)[:, None]
        if continued is not None:
            continued = _along_axes(
                points, *([at_points(t).flatten(0, 1) for t in ts] for ts in continued)
            )
        log_p = self._log_prob(self.p, points, continued).unflatten(0, x.shape[:2])
        log_q = log_p
        if self.q is not self.p:
            log_q = self._log_prob(self.q, points, continued).unflatten(0, x.shape[:2])
        log_p, log_q = torch.broadcast_tensors(log_p, log_q)
        return log_p, log_q, size.sum(-1)[..., None], blur.amax(-1, keepdim=True).clamp_max(1.0)

    @staticmethod
    def _log_prob(
        density: Density, points: Tensor, continued: tuple[Tensor, Continued] | None
    ) -> Tensor:
        found = checked_log_prob(density, points)
        if continued is None:
            return found
        which, how = continued
        return found.index_put((which,), checked_log_prob(density, points[which], how))

    def _weighted(
        self, log_p: Tensor, log_q: Tensor, log_size: Tensor, blur: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``p f`` where finite, and its rounding; notes where it is infinite though p has mass."""
        value = torch.where(log_p > -math.inf, self.f.of(log_p, log_q), 0.0)
        infinite = value.isinf()
        mass = log_p + log_size
        # a point that rounding may have put beyond an end tells nothing
        told = infinite & (blur < 1e-3) & (mass > self.least_mass)
        self.infinite = self.infinite | (told & (value > 0)).any(0).any(0)
        self.infinite_below = self.infinite_below | (told & (value < 0)).any(0).any(0)
        value = torch.where(infinite, 0.0, value)
        weight = mass.exp()
        weighted = torch.where(weight > 0, weight * value, 0.0)
        huge = (value.abs() > -TINIEST / 10) & (weighted.abs() > self.tolerance)
        self.overflowed = self.overflowed | huge.any(0).any(0)
        # what rounding of the logs moves: where q is nearly 0, TV and JS have no slope in them
        off_p, off_q = (EPS * (1 + t.abs().clamp_max(-TINIEST)) for t in (log_p, log_q))
        ends = (self.f.of(log_p + s * off_p, log_q - s * off_q) for s in (1, -1))
        moved = torch.stack([(end - value).abs() for end in ends]).amax(0)
        moved = moved + (off_p + blur) * value.abs()
        rounding = torch.where((weight > 0) & ~infinite, weight * moved, 0.0)
        return weighted, rounding


def _may_be_equal(log_p: Tensor, log_q: Tensor) -> Tensor:
    """In which cells two densities are equal somewhere, maybe beyond the outermost nodes."""
    ratio = (log_p - log_q).nan_to_num(0.0).clamp(-UNLIKE, UNLIKE)
    low, high = ratio.aminmax(dim=1)
    beyond = BEYOND_NODES * (high - low)
    return (low - beyond < 0) & (high + beyond > 0)


def _along_axes(
    points: Tensor, farther: list[Tensor], times: list[Tensor]
) -> tuple[Tensor, Continued] | None:
    """Which of the points ``(N, 1, d)`` are continued, and how, from coordinates ``(N, d)``."""
    (which,) = (times[0] != 0).any(1).nonzero(as_tuple=True)
    if not len(which):
        return None
    moved, weights = [], []
    for coordinates, weight in zip(farther, times, strict=True):
        for axis in range(points.shape[-1]):
            other = points[which].clone()
            other[..., axis] = coordinates[which, None, axis]
            moved.append(other)
            weights.append(weight[which, axis, None])
    return which, Continued(moved, weights)


def _attached(ends: Tensor, known: Tensor) -> Tensor:
    """The same ends, but those among the known ones carry their gradients; ``(..., d)`` each."""
    if not known.requires_grad:
        return ends
    columns = []
    for axis in range(ends.shape[-1]):
        found, among = ends[..., axis, None], known[:, axis]
        same = (found == among.detach()) & found.isfinite()
        among = torch.where(same, among.nan_to_num(0.0, 0.0, 0.0), 0.0).sum(-1)
        mean = among / same.sum(-1).clamp_min(1)
        columns.append(torch.where(same.any(-1), mean, ends[..., axis]))
    return torch.stack(columns, -1)


@cache
def _rule(d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Gauss-Legendre nodes of an axis ``(r,)``; which of them a point in the unit cube has along
    every axis, ``(r**d, d)``; and its weight, ``(r**d,)``.
    """
    count = 10 if d < 3 else 6
    nodes, weights = (torch.as_tensor(t / 2) for t in np.polynomial.legendre.leggauss(count))
    index = torch.tensor(list(itertools.product(range(count), repeat=d)))
    return nodes + 0.5, index, weights[index].prod(-1)
