"""Averages over densities by adaptive quadrature, up to three dimensions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils.checkpoint import checkpoint

from divergences.checks import positive_number, whole_number
from divergences.estimate import QUANTITIES, Estimate
from divergences.numerical.adaptive_cells import (
    LIMIT,
    Cells,
    Coordinates,
    box_cells,
    integrate,
    rule,
)
from divergences.numerical.densities import (
    Density,
    check_measures,
    checked_log_prob,
    dimension_of,
    has_gradient,
    members_of,
    numbers_per_point,
    prepared,
)
from divergences.numerical.integration import (
    EPS,
    LARGEST_ARRAY,
    NO_MASS,
    Average,
    Integrator,
    members_that,
)
from divergences.numerical.log_densities import TINIEST
from divergences.numerical.singular_ends import Continued, measured_ends
from divergences.numerical.supports import centres_and_widths, edges

ROUNDED = 1e-9
"""Distance of a mass from 1 that rounding explains."""
BEYOND = 20.0
"""How much more than the last cell everything beyond it may hold, if it falls as x**-.01."""
SAFETY = 2.0
"""Of the interval: a jump inside a cell may leave more than the last halving changed. This factor
and the next bound nothing by proof: they are checked on the random pairs of
``tests/test_numerical_laws.py``."""
PLACES = 8
"""At most, from which it is measured how densities rise towards the ends of an axis."""
SAFETY_AT_KINKS = 10.0
"""The same for integrands with kinks, which may lie between the points of a cell."""


@final
@dataclass(frozen=True)
class Quadrature(Integrator):
    """Integrates over cells that are halved until halving them no longer changes the integral.

    Gauss-Legendre nodes in every cell, in coordinates in which the whole line is an interval (see
    ``adaptive_cells``). Cells start no wider than four widths of a density, or of a
    component of a mixture, where it has its mass, and end where its support ends. The interval is
    twice the change in the last halving (ten times for the kinks of total variation) and the
    rounding of the log-densities; ``stderr`` is ``nan``, nothing being random. Both densities must
    have mass 1.

    A density that is infinite at an end, as Beta(.1, .1) at 0 and 1, is continued towards it as a
    power of the distance, which is checked by its mass (``singular_ends``).

    Where an integral still grows 1e100 widths away, its value is ``inf``, the interval begins at
    the part that was found, and a warning says so.

    Values can be differentiated in the parameters, ends of supports included.

    Arguments:
        box: Lower and upper end along each axis, possibly infinite. If not given, the supports of
            both densities, which must then be distributions of torch. Of a density of your own
            nothing is known outside of the box; of two distributions, what lies outside is
            measured and said where it matters.
        tolerance: Largest change in a mass or in the result (relative to it, above 1).
        mass_tolerance: Largest accepted distance of a mass from 1.
        max_evaluations: Points, times members of a batch, after which to give up. Bounds time and
            memory: at a microsecond for both log-densities of a point, the default is half a
            minute.
        breaks: Per axis, where a density of your own jumps or is infinite inside of the box, as in
            ``[(0.3,)]``. Of distributions that is known.

    Raises:
        TypeError: If an argument is of another type, or in use a density has no ``log_prob``.
        ValueError: If an argument is out of range. In use, if there is no box and a density is
            not torch's, there are more than 3 dimensions, the laws are not densities with respect
            to volume, a mass is not 1, or a ``log_prob`` is NaN or ``+inf``.
        NotImplementedError: In use, for a law mapped by a transform that is not one-to-one.
        RuntimeError: In use, if the tolerance was not reached.

    Example:
        >>> from torch.distributions import Normal
        >>> from divergences.numerical import entropy, kl_divergence
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0), Quadrature()).value
        tensor(0.5000, dtype=torch.float64)
        >>> entropy(Normal(0.0, 1.0), Quadrature(box=[(-1, 1)]))
        Traceback (most recent call last):
        ...
        ValueError: the first density has mass 0.682689 in the box [[-1.0, 1.0]]; ...
    """

    box: Sequence[tuple[float, float]] | None = None
    tolerance: float = 1e-6
    mass_tolerance: float = 1e-6
    max_evaluations: int = 2**25
    breaks: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        for name in ("tolerance", "mass_tolerance"):
            value = positive_number(name, getattr(self, name))
            if value >= 1:
                raise ValueError(f"{name} = {value}: it must lie between 0 and 1")
        whole_number("max_evaluations", self.max_evaluations)
        if self.box is not None:
            _ends_of(self.box)
        _breaks_of(self.breaks)

    def average(self, f: Average, p: Density, q: Density) -> Estimate:
        start = time.perf_counter()
        batch = members_of(p, q)
        pair = prepared(p), prepared(q)
        if q is p:
            pair = pair[0], pair[0]
        with torch.no_grad():
            work = _Work(self, f, *pair, math.prod(batch))
            found = self._over(work, batch)
        value = work.with_gradient(found.value.reshape(-1)).reshape(batch)
        seconds = time.perf_counter() - start
        return replace(found, value=value, seconds=seconds, quantity=f.quantity)

    def _over(self, work: _Work, batch: tuple[int, ...]) -> Estimate:
        f = work.f
        total, error, ends = work.inside()
        self._check_masses(total, work)
        safety = SAFETY if f.smooth else SAFETY_AT_KINKS
        value, doubt = total[:, 2], safety * error[:, 2] + 4 * total[:, 3]
        # what a mass lacks or has too much is a sign of what else was missed
        amiss = (total[:, :2] - 1).abs().amax(1)
        doubt = doubt + 10 * amiss * (1 + value.abs()) + BEYOND * ends.abs()
        warnings = []
        outside = work.outside(value)
        unexplained = amiss > ROUNDED + error[:, :2].amax(1)
        if not work.complete and unexplained.any():  # torch's laws lie where they are known to
            warnings.append(
                f"{members_that(unexplained, batch)}a mass is off 1 by {amiss.max():.2g}, more "
                "than the cells explain: what lies beyond the box, or is narrow, may have been "
                "missed, and nothing bounds what it contributes; widen the box, give one of which "
                "an edge lies there, or normalise the density"
            )
        if outside is not None:
            beyond, off = outside
            doubt = doubt + beyond + off
            matters = beyond - off - error[:, 2] > self.tolerance * value.abs().clamp_min(1)
            if matters.any():
                warnings.append(
                    f"{members_that(matters, batch)}what lies outside of the box contributes "
                    f"{beyond.max():.3g}; the value leaves it out: widen the box"
                )
        low, high = value - doubt, value + doubt
        grows = ~(ends.abs() <= self.tolerance * value.abs().clamp_min(1)) | ~value.isfinite()
        grows = (grows | work.overflowed) & ~work.infinite & ~work.infinite_below
        if grows.any():
            warnings.append(
                f"{members_that(grows, batch)}the integral still grows where coordinates or "
                "log-densities leave what float64 can hold: it is infinite, or converges too "
                "slowly"
            )
            least = QUANTITIES[f.quantity].least
            low = torch.where(grows, low.nan_to_num(0.0, posinf=0.0).clamp_min(least), low)
            high, value = (torch.where(grows, math.inf, t) for t in (high, value))
        infinities = [torch.where(f, math.inf, 0.0) for f in (work.infinite, work.infinite_below)]
        beyond = infinities[0] - infinities[1]  # NaN where both
        value, low, high = (t + beyond for t in (value, low, high))
        value, low, high = (t.expand(batch or (1,)).reshape(batch) for t in (value, low, high))
        return Estimate(
            value,
            torch.full_like(value, math.nan),
            (low, high),
            bound="exact",
            warnings=tuple(warnings),
        )

    def _check_masses(self, total: Tensor, work: _Work) -> None:
        for name, mass in zip(("first", "second"), total[:, :2].T, strict=True):
            worst = mass[(mass - 1).abs().nan_to_num(math.inf).argmax()].item()
            if not abs(worst - 1) <= self.mass_tolerance:
                box = torch.stack([work.low, work.high], 1).tolist()
                where = f"in the box {box}" if self.box is not None else f"on its support {box}"
                steep = "; where it rises towards an end like no power of the distance, map both "
                steep += "laws so that it does not, to logits for instance: KL, JS and TV stay"
                raise ValueError(
                    f"the {name} density has mass {worst:.6g} {where}; it must be 1: widen the "
                    "box, name jumps and singularities in breaks, or normalise the density"
                    + steep
                    * work.coordinates.singular
                )


def _ends_of(box: Sequence[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    try:
        ends = torch.tensor([[float(end) for end in pair] for pair in box], dtype=torch.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"box is {box!r}; pass a list of one (low, high) per axis, such as [(-5, 5)]"
        ) from error
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise ValueError(f"box is {box!r}; pass a list of one (low, high) per axis")
    low, high = ends.T
    if not bool((low < high).all()):
        raise ValueError(f"the box has no volume: low {low.tolist()}, high {high.tolist()}")
    return low, high


def _breaks_of(breaks: Sequence[Sequence[float]]) -> list[list[float]]:
    try:
        found = [[float(place) for place in places] for places in breaks]
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"breaks is {breaks!r}; pass a list of places per axis, such as [(0.3, 0.5)]"
        ) from error
    if not all(math.isfinite(place) for places in found for place in places):
        raise ValueError(f"breaks is {breaks!r}: places must be finite numbers")
    return found


class _Work:
    """One integral to take: the densities, where they lie, and what was met on the way."""

    def __init__(self, by: Quadrature, f: Average, p: Density, q: Density, members: int) -> None:
        self.by, self.f, self.members = by, f, members
        self.p, self.q = p, q
        self.d = self._dimension()
        self.infinite = torch.zeros(members, dtype=torch.bool)
        self.infinite_below = torch.zeros(members, dtype=torch.bool)
        self.overflowed = torch.zeros(members, dtype=torch.bool)
        self.nodes, self.which, self.weights = rule(self.d)
        known = [law for law in (self.p, self.q) if isinstance(law, Distribution)]
        self.complete = len(known) == 2
        # torch's laws are 0 off their support alone, others may have underflowed
        self.least_mass = -math.inf if self.complete else NO_MASS
        corners = [edges(law).reshape(-1, self.d) for law in known]
        self.corners = torch.cat([torch.zeros(0, self.d).double(), *corners])
        # NaN is an end that is not known
        low, high = (
            self.corners.nan_to_num(end, math.inf, -math.inf) for end in (-math.inf, math.inf)
        )
        whole = torch.full((self.d,), math.inf, dtype=torch.float64)
        self.hull = (low.amin(0), high.amax(0)) if self.complete else (-whole, whole)
        if by.box is not None:
            self.low, self.high = _ends_of(by.box)
        elif self.complete:
            self.low, self.high = self.hull
        else:
            raise ValueError(
                "no box was given, and not both densities are distributions of torch to make one "
                "from; give box=[(low, high), ...]"
            )
        places = [centres_and_widths(law) for law in known]
        centres, widths = (
            torch.cat([torch.zeros(0, self.d).double(), *ts])
            for ts in (zip(*places, strict=True) if places else ([], []))
        )
        self._cut_at_breaks()
        if not self.complete:
            self._cut_in_quarters()
        if not self.complete or not len(centres):
            more, size = self._everywhere()
            centres, widths = torch.cat([centres, more]), torch.cat([widths, size])
        self.centres, self.widths = centres, widths
        # around the middle the coordinate is as fine as floats are
        self.middle = centres.gather(0, widths.argmin(0, keepdim=True))[0]
        self.scale = ((centres - self.middle).abs() + widths).amax(0)

    def _dimension(self) -> int:
        box = self.by.box
        d = len(box) if box is not None else dimension_of(self.p) or dimension_of(self.q)
        if d is None or not 1 <= d <= 3:
            raise ValueError(
                f"cannot integrate in {d or 'an unknown number of'} dimensions: give a box for up "
                "to 3, use MonteCarlo beyond"
            )
        for density in (self.p, self.q):
            if dimension_of(density) not in (None, d):
                raise ValueError(
                    f"{type(density).__name__} has an event_shape of {dimension_of(density)} "
                    f"coordinates, expected {d}"
                )
        measure = check_measures(self.p, self.q)
        if measure != "volume":
            raise ValueError(
                f"{type(self.p).__name__} has a density with respect to {measure}, not volume: "
                "use divergences.exact, divergences.discrete or MonteCarlo"
            )
        return d

    def _cut_at_breaks(self) -> None:
        breaks = _breaks_of(self.by.breaks)
        if breaks and len(breaks) != self.d:
            raise ValueError(f"breaks has places for {len(breaks)} axes, the points {self.d}")
        for axis, places in enumerate(breaks):
            corners = torch.full((len(places), self.d), math.nan, dtype=torch.float64)
            corners[:, axis] = torch.tensor(places, dtype=torch.float64)
            self.corners = torch.cat([self.corners, corners])

    def _cut_in_quarters(self) -> None:
        """Jumps of a density of the user's own are looked for there; three axes are too many."""
        size = (self.high - self.low) / 4
        if self.d < 3 and bool(size.isfinite().all()):
            cuts = torch.stack([self.low + k * size for k in (1, 2, 3)])
            self.corners = torch.cat([self.corners, cuts])

    def _everywhere(self) -> tuple[Tensor, Tensor]:
        """A grid of places, for densities that do not tell where they lie."""
        low = torch.where(self.low.isfinite(), self.low, self.high.clamp_max(1) - 2)
        high = torch.where(self.high.isfinite(), self.high, low + 2)
        size = (high - low) / 8
        steps = torch.cartesian_prod(*[torch.arange(4).double() for _ in range(self.d)])
        return low + (2 * steps.reshape(-1, self.d) + 1) * size, size.expand(4**self.d, -1) / 2

    def inside(self) -> tuple[Tensor, Tensor, Tensor]:
        self.leaves: list[Cells] = []
        found = self._over(self._cells(self.low, self.high), self.leaves.append)
        self.inner = self.coordinates
        return found

    def outside(self, inside: Tensor) -> tuple[Tensor, Tensor] | None:
        """What two distributions contribute beyond a box of the user's, and how far that is off.

        It is what the integral over both supports has more or less than that over the box.
        ``None`` where the box has all of them.
        """
        low, high = self.hull
        if not self.complete or bool(((self.low <= low) & (self.high >= high)).all()):
            return None
        total, error, _ = self._over(self._cells(low, high))
        beyond = torch.where(inside.isfinite(), (total[:, 2] - inside).abs(), 0.0)
        return beyond.nan_to_num(math.inf), error[:, 2]

    def _cells(self, low: Tensor, high: Tensor) -> Cells:
        cuts = box_cells(self.corners, low, high)
        some = torch.linspace(0, len(self.centres) - 1, PLACES).long().unique()
        places = self.centres[some].maximum(low).minimum(high)
        ends = measured_ends(cuts, places, self.widths[some], LIMIT, self._log_densities)
        self.coordinates = Coordinates(ends, self.middle, self.scale)
        most = self.by.max_evaluations // (len(self.weights) * self.members * (2 * self.d + 1))
        return self.coordinates.cells(self.centres, self.widths, most)

    def _log_densities(self, points: Tensor) -> Tensor:
        found = [checked_log_prob(law, points[:, None]) for law in (self.p, self.q)]
        return torch.cat(found, 1)

    def _over(
        self, cells: Cells, keep: Callable[[Cells], object] = lambda _: None
    ) -> tuple[Tensor, Tensor, Tensor]:
        by, nodes = self.by, len(self.weights)
        return integrate(
            self._values,
            cells,
            nodes,
            self.members,
            by.tolerance,
            by.max_evaluations,
            keep,
            self.coordinates.at_an_end,
        )

    def with_gradient(self, value: Tensor) -> Tensor:
        """The value, through which a gradient reaches the parameters if they ask for it.

        It is that of the sum over the cells that were settled on, each halved once more. Cells
        move with the ends of supports, so that what an end sweeps over counts.
        """
        if not has_gradient(self.p, self.q, self.middle[None, None]):
            return value
        self.coordinates = self.inner
        laws = [law for law in (self.p, self.q) if isinstance(law, Distribution)]
        corners = [edges(law).reshape(-1, self.d) for law in laws]
        ends = torch.cat(corners) if corners else self.corners
        cells = Cells.together(self.leaves)
        for axis in range(self.d):
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
        """Over each cell: both masses, the integrand, its rounding; ``(cells, members, 4)``."""
        parts = [self._some(some) for some in self._chunks(cells)]
        return torch.cat(parts) if parts else torch.zeros(0, self.members, 4).double()

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
        return sums.expand(-1, self.members, -1)

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
            return torch.stack([t[:, self.which[:, k], k] for k in range(self.d)], -1)

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
        huge = (value.abs() > -TINIEST / 10) & (weighted.abs() > self.by.tolerance)
        self.overflowed = self.overflowed | huge.any(0).any(0)
        logs = log_p.abs() + torch.where(log_q > -math.inf, log_q.abs(), 0.0)
        logs = torch.where(log_p > -math.inf, logs, 0.0)
        of_logs = (EPS * (1 + logs)).clamp_max(self.f.largest)
        rounding = torch.where(weight > 0, weight * (of_logs + blur * value.abs()), 0.0)
        return weighted, rounding


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
