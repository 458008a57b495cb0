"""Where two densities are integrated: the box, where it is cut, and the places of their mass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.distributions import Distribution

from divergences.numerical.densities import Density, check_measures, dimension_of
from divergences.numerical.supports import centres_and_widths, edges


def ends_of(box: Sequence[tuple[float, float]]) -> tuple[Tensor, Tensor]:
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


def breaks_of(breaks: Sequence[Sequence[float]]) -> list[list[float]]:
    try:
        found = [[float(place) for place in places] for places in breaks]
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"breaks is {breaks!r}; pass a list of places per axis, such as [(0.3, 0.5)]"
        ) from error
    if not all(math.isfinite(place) for places in found for place in places):
        raise ValueError(f"breaks is {breaks!r}: places must be finite numbers")
    return found


@final
class Domain:
    """The box that two densities are integrated over.

    Attributes:
        d: Its dimension, 1 to 3.
        low, high: Its ends, ``(d,)``.
        hull: Ends of what is known to hold all of both densities.
        complete: Whether both are distributions of torch, whose supports are known.
        corners: Where supports end and densities jump, ``(m, d)``; NaN along other axes.
        centres, widths: Of the places where the densities have their mass, ``(m, d)`` each.
        middle, scale: Of all places; around the middle the coordinate is as fine as floats are.
    """

    def __init__(
        self,
        p: Density,
        q: Density,
        box: Sequence[tuple[float, float]] | None,
        breaks: Sequence[Sequence[float]],
    ) -> None:
        self.d = _dimension(p, q, box)
        known = [law for law in (p, q) if isinstance(law, Distribution)]
        self.complete = len(known) == 2
        corners = [edges(law).reshape(-1, self.d) for law in known]
        self.corners = torch.cat([torch.zeros(0, self.d).double(), *corners])
        # NaN is an end that is not known
        low, high = (
            self.corners.nan_to_num(end, math.inf, -math.inf) for end in (-math.inf, math.inf)
        )
        whole = torch.full((self.d,), math.inf, dtype=torch.float64)
        self.hull = (low.amin(0), high.amax(0)) if self.complete else (-whole, whole)
        if box is not None:
            self.low, self.high = ends_of(box)
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
        self._cut_at(breaks_of(breaks))
        if not self.complete:
            self._cut_in_quarters()
        if not self.complete or not len(centres):
            more, size = self._everywhere()
            centres, widths = torch.cat([centres, more]), torch.cat([widths, size])
        self.centres, self.widths = centres, widths
        self.middle = centres.gather(0, widths.argmin(0, keepdim=True))[0]
        self.scale = ((centres - self.middle).abs() + widths).amax(0)

    def _cut_at(self, breaks: list[list[float]]) -> None:
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

    def cuts(self, low: Tensor, high: Tensor) -> list[Tensor]:
        """Cuts of every axis between these ends, which are included."""
        kept = []
        for axis, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            column = self.corners[:, axis]
            column = column[(column > a) & (column < b)].unique()
            kept.append(torch.cat([low[axis : axis + 1], column, high[axis : axis + 1]]))
        return kept


def _dimension(p: Density, q: Density, box: Sequence[tuple[float, float]] | None) -> int:
    d = len(box) if box is not None else dimension_of(p) or dimension_of(q)
    if d is None or not 1 <= d <= 3:
        raise ValueError(
            f"cannot integrate in {d or 'an unknown number of'} dimensions: give a box for up "
            "to 3, use MonteCarlo beyond"
        )
    for density in (p, q):
        if dimension_of(density) not in (None, d):
            raise ValueError(
                f"{type(density).__name__} has an event_shape of {dimension_of(density)} "
                f"coordinates, expected {d}"
            )
    measure = check_measures(p, q)
    if measure != "volume":
        raise ValueError(
            f"{type(p).__name__} has a density with respect to {measure}, not volume: "
            "use divergences.exact, divergences.discrete or MonteCarlo"
        )
    return d
