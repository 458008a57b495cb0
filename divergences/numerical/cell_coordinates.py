r"""Cells of a box, in coordinates that reach all ends of supports, and those to begin with.

Each axis is cut at the ends of supports. A piece with ends a and b is run through by a coordinate
v between -LIMIT and LIMIT,

.. math:: x = a + (b - a) / (1 + e^{-v}), \quad x = a + s e^v, \quad x = b - s e^{-v}, \quad
          x = c + s \sinh v

where both ends, the lower, the upper or neither is finite: tails that fall as a power of x fall
exponentially in v, and so does what surrounds a singularity at an end. There v may have to go
further than LIMIT (``singular_ends``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from divergences.numerical.singular_ends import APART, Ends, continued_from

LIMIT = 230.0
"""Of the coordinate: a distance of 1e-100 or 1e100 in units of the scale."""
HUGE = torch.finfo(torch.float64).max
MOST_LOG = math.log(HUGE)
LAST_CELL = 5.0
INNER_CELL = 20.0
WIDEST = 4.0
"""Widths of a place that a cell may have to begin with within two of it; more further out."""
FARTHEST = 8.0
"""Widths beyond these two at which a cell may have any size. A choice, not a bound: what is found
to change is halved anyway."""
UNEVEN = 0.45
"""Where a cell is parted: a jump near its middle would not change the sum over equal halves."""


@final
@dataclass(frozen=True)
class Cells:
    """Boxes in the coordinate v: ``low`` and ``width``, and of what piece, all ``(cells, d)``."""

    low: Tensor
    width: Tensor
    a: Tensor
    b: Tensor

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, which: Tensor | slice) -> Cells:
        return Cells(self.low[which], self.width[which], self.a[which], self.b[which])

    def parted(self, axis: Tensor) -> Cells:
        """Both parts of every cell along its axis, beside each other."""
        on = torch.nn.functional.one_hot(axis, self.low.shape[1]).to(self.low)
        first = self.width * (1 - on * (1 - UNEVEN))
        second = self.width * (1 - on * UNEVEN)
        low = torch.stack([self.low, self.low + first * on], 1).flatten(0, 1)
        width = torch.stack([first, second], 1).flatten(0, 1)
        return Cells(low, width, *(t.repeat_interleave(2, 0) for t in (self.a, self.b)))

    @staticmethod
    def together(several: list[Cells]) -> Cells:
        fields = ("low", "width", "a", "b")
        return Cells(*(torch.cat([getattr(c, name) for c in several]) for name in fields))


@final
@dataclass(frozen=True)
class Coordinates:
    """Ends of the pieces of every axis, and the centre and scale of their places, ``(d,)``."""

    ends: list[Ends]
    centre: Tensor
    scale: Tensor

    def points(self, cells: Cells, v: Tensor) -> tuple[Tensor, Tensor]:
        """The points ``(cells, n, d)`` at these coordinates, and log dx/dv along each axis."""
        a, b = cells.a[:, None], cells.b[:, None]
        below, above = a > -math.inf, b < math.inf
        if not bool((below | above).any()):
            x = self.centre + self.scale * v.sinh()
            return x.clamp(-HUGE, HUGE), (self.scale * v.cosh()).log()
        size = v.abs()
        near = torch.exp(-size)
        length = torch.where(below & above, b - a, 1.0)
        share = length * near / (1 + near)
        log_grown = self.scale.log() + torch.where(below, v, -v)
        grown = log_grown.clamp_max(MOST_LOG).exp()
        x = torch.where(below, a + grown, b - grown)
        x = torch.where(below & above, torch.where(v < 0, a + share, b - share), x)
        inner = length.log() - size - 2 * torch.log1p(near)
        log_slope = torch.where(below & above, inner, log_grown)
        if not bool((below | above).all()):
            x = torch.where(below | above, x, self.centre + self.scale * v.sinh())
            on_line = (self.scale * v.clamp(-LIMIT, LIMIT).cosh()).log()
            log_slope = torch.where(below | above, log_slope, on_line)
        # rounding must not put a point on an end, where a density may be infinite
        return torch.maximum(x, a.nextafter(b)).minimum(b.nextafter(a)), log_slope

    def near_ends(
        self, cells: Cells, v: Tensor, x: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Points that are far enough from singular ends, or continued from such ones.

        Returns:
            The points ``(cells, n, d)``: themselves, or those to continue from. Points farther
            from the end, and how many times the change to each is to be added; both twice.
        """
        steps = self._at_both(cells, 0)
        a, b = cells.a[:, None], cells.b[:, None]
        below, above = a > -math.inf, b < math.inf
        at_a = below & (~above | (v < 0))
        step = torch.where(at_a, steps[0][:, None], steps[1][:, None])
        log_length = torch.where(below & above, b - a, 1.0).log()
        inner = log_length - v.abs() - torch.log1p((-v.abs()).exp())
        outer = self.scale.log() + torch.where(below, v, -v)
        log_distance = torch.where(below & above, inner, outer)
        low = (step > 0) & (log_distance < step.log())
        end = torch.where(low, torch.where(at_a, a, b), 0.0)
        signed = torch.where(low, torch.where(at_a, step, -step), 1.0)
        nodes = [end + times * signed for times in (1.0, *APART)]
        distances = [(t - end).detach().abs() for t in nodes]
        times = continued_from(log_distance.where(low, distances[0].log()), distances)
        near, *farther = (torch.where(low, node, x) for node in nodes)
        return near, farther, [torch.where(low, t, 0.0) for t in times]

    @property
    def singular(self) -> bool:
        return any(bool(ends.steps.any()) for ends in self.ends)

    def at_an_end(self, cells: Cells) -> Tensor:
        """Which cells reach as far as the coordinate goes."""
        low, high = (t * (1 - 1e-12) for t in self._at_both(cells, 1))
        return ((cells.low <= -low) | (cells.low + cells.width >= high)).any(1)

    def _at_both(self, cells: Cells, what: int) -> tuple[Tensor, Tensor]:
        """Steps (0) or limits (1) at both ends of every cell's piece, ``(cells, d)`` each."""
        found = [
            ends.of(cells.a[:, axis], cells.b[:, axis])[what]
            for axis, ends in enumerate(self.ends)
        ]
        low, high = zip(*found, strict=True)
        return torch.stack(low, 1), torch.stack(high, 1)

    def cells(self, centres: Tensor, widths: Tensor, most: int) -> Cells:
        """Cells to start with: the closer to a place, the smaller.

        Arguments:
            centres: Of the places, ``(m, d)``.
            widths: Theirs.
            most: Cells beyond which to give up.

        Raises:
            RuntimeError: If more are needed.
        """
        per_axis = [_first_cells(ends) for ends in self.ends]
        count = math.prod(map(len, per_axis))
        _refuse(count, most)
        index = torch.cartesian_prod(*(torch.arange(len(t)) for t in per_axis))
        index = index.reshape(count, len(per_axis))
        chosen = torch.stack([t[i] for t, i in zip(per_axis, index.T, strict=True)], 1)
        a, b, low, width = chosen.unbind(-1)
        open_, done = Cells(low, width, a, b), []
        while len(open_):
            relative = self._relative_size(open_, centres, widths)
            wide = relative.amax(1) > WIDEST
            done.append(open_[~wide])
            open_ = open_[wide].parted(relative[wide].argmax(1))
            _refuse(sum(map(len, done)) + len(open_), most)
        return Cells.together(done)

    def _relative_size(self, cells: Cells, centres: Tensor, widths: Tensor) -> Tensor:
        """Size ``(cells, d)`` by what the places near allow, 0 if there is none."""
        if not len(centres):
            return torch.zeros_like(cells.low)
        found = []
        for some in _parts(cells, len(centres) * cells.low.shape[1]):
            ends = torch.stack([some.low, some.low + some.width], 1)
            low, high = self.points(some, ends)[0].unbind(1)
            beyond = torch.maximum(low[:, None] - centres, centres - high[:, None]) / widths - 2
            gap = beyond.amax(-1, keepdim=True).clamp_min(0)
            size = (high - low)[:, None] / widths / (1 + gap)
            found.append(torch.where(gap < FARTHEST, size, 0.0).amax(1))
        return torch.cat(found)


def _first_cells(ends: Ends) -> Tensor:
    """Both ends, lower coordinate and width of the cells of an axis, ``(cells, 4)``."""
    a, b = ends.cuts[:-1], ends.cuts[1:]
    low, high = ends.of(a, b)[1]
    inner = torch.full_like(low, INNER_CELL)
    steps = torch.stack([-low, LAST_CELL - low, -inner, inner, high - LAST_CELL, high], 1)
    pieces = torch.stack([a, b], 1)[:, None].expand(-1, steps.shape[1] - 1, -1)
    spans = torch.stack([steps[:, :-1], steps.diff(dim=1)], -1)
    return torch.cat([pieces, spans], -1).flatten(0, 1)


def _parts(cells: Cells, numbers: int) -> list[Cells]:
    step = max(1, 2**21 // numbers)
    return [cells[i : i + step] for i in range(0, len(cells), step)]


def _refuse(count: int, most: int) -> None:
    if count > most:
        raise RuntimeError(
            f"{count} cells would be needed to begin with, and max_evaluations allows {most}: "
            "raise it, give a box, or use MonteCarlo"
        )
