"""Sums over cells that are halved where the sum still changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import final

import torch
from torch import Tensor

from divergences.numerical.cell_coordinates import Cells

LASTING = 0.03
"""Share of a cell's change that its parts are taken to have at least: at a kink a sum may come
out right by chance. A choice: it lengthens the interval and bounds nothing."""


def integrate(
    values_at: Callable[[Cells], Tensor],
    cells: Cells,
    nodes: int,
    members: int,
    tolerance: float,
    most: int,
    keep: Callable[[Cells], object],
    at_an_end: Callable[[Cells], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Sums over all cells, halved along the axis where that changes them most.

    Arguments:
        values_at: Integrals over each cell, ``(cells, members, 5)``: three that are to be exact
            to the tolerance, the rounding of the third, and what a kink may add to it.
        cells: To start with.
        nodes: Points per cell.
        members: How many integrals are taken at once.
        tolerance: Largest change in halving.
        most: Points, times members, after which to give up.
        keep: Told the cells that are settled.
        at_an_end: Which cells reach as far as the coordinate goes.

    Returns:
        Integrals ``(members, 5)``, the changes of the first three in the last halving, and what
        the cells at the ends of the coordinates contributed to the third.

    Raises:
        RuntimeError: If the tolerance is not reached.
    """
    values, spent = values_at(cells), len(cells) * nodes * members
    holds = (values != 0).flatten(1).any(1)  # where all underflows halving finds no more
    open_ = _Unsettled.of(cells[holds], values[holds])
    total, error = values.new_zeros(members, 4), values.new_zeros(members, 3)
    ends = values.new_zeros(members)
    while len(open_):
        best = open_.best()
        size = (total + best.nan_to_num().sum(0))[:, :3].abs().clamp_min(1)
        # what is left at the level of rounding cannot be refined away
        floor = 1e-13 * best[..., :3].abs() + 4 * best[..., 3:4]
        strict = torch.tensor([0.1, 0.1, 1.0], dtype=torch.float64)  # masses are known to be 1
        allowed = strict * tolerance / max(len(open_), 64) * size + floor.nan_to_num(math.inf)
        doubt = open_.doubt()
        closed = (doubt <= allowed).flatten(1).all(1)
        if bool(closed.any()):
            cells, best = open_.cells[closed], best[closed]
            keep(cells)
            total = total + best.sum(0)
            error = error + doubt[closed].sum(0)
            ends = ends + best[at_an_end(cells), :, 2].sum(0)
            open_ = open_[~closed]
        if not len(open_):
            break
        open_ = open_.halved(size)
        rows, along = open_.to_measure(size)
        spent += 2 * len(rows) * nodes * members
        if spent > most:
            raise RuntimeError(
                f"{spent} points would be needed for tolerance {tolerance:.1e}; raise "
                "tolerance or max_evaluations, put jumps of the densities on the edges of the "
                "box, or use MonteCarlo"
            )
        open_.measured_by(values_at(open_.cells[rows].parted(along)), rows, along)
    return total, error, ends


@final
@dataclass(frozen=True)
class _Unsettled:
    """Cells whose integrals are still in doubt, and what is known of them along each axis.

    Arguments:
        cells: The cells.
        values: Over each cell, ``(cells, members, 5)``.
        parts: Over both parts of each along each axis, ``(cells, d, 2, members, 5)``.
        change: What parting along each axis changes, ``(cells, d, members, 3)``: measured, or
            half of what it was for the cell that this is a part of.
        moved: How much it may change, infinite before it was first measured.
        measured: Along which axes the cell itself was parted, ``(cells, d)``.
        inherited: Doubt of the cell that this is a part of, ``(cells, members, 3)``.
    """

    cells: Cells
    values: Tensor
    parts: Tensor
    change: Tensor
    moved: Tensor
    measured: Tensor
    inherited: Tensor

    @staticmethod
    def of(cells: Cells, values: Tensor) -> _Unsettled:
        """Cells of which nothing else is known."""
        (count, d), members = cells.low.shape, values.shape[1]
        change = values.new_zeros(count, d, members, 3)
        return _Unsettled(
            cells,
            values,
            parts=values.new_zeros(count, d, 2, members, 5),
            change=change,
            moved=torch.full_like(change, math.inf),
            measured=torch.zeros(count, d, dtype=torch.bool),
            inherited=torch.zeros_like(change[:, 0]),
        )

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, which: Tensor) -> _Unsettled:
        return _Unsettled(*(getattr(self, f.name)[which] for f in fields(self)))

    def best(self) -> Tensor:
        """Integrals with all changes that are known, and their rounding."""
        rounding = self.parts[..., 3].sum(2).amax(1).maximum(self.values[..., 3])
        return torch.cat([self.values[..., :3] + self.change.sum(1), rounding[..., None]], -1)

    def doubt(self) -> Tensor:
        """How far they may be off, ``(cells, members, 3)``."""
        doubt = torch.maximum(self.moved.sum(1), LASTING * self.inherited)
        doubt[..., 2] += self.parts[..., 4].sum(2).amax(1)
        return doubt

    def _along(self, size: Tensor) -> Tensor:
        """The axis along which each cell may change most."""
        return (self.moved / size).flatten(2).amax(2).argmax(1)

    def halved(self, size: Tensor) -> _Unsettled:
        """With the parts of those that were measured along that axis in their place."""
        along, rows = self._along(size), torch.arange(len(self))
        ready = self.measured[rows, along]
        if not bool(ready.any()):
            return self
        if bool(ready.all()):
            return self._parted(along)
        whole, halves = self[~ready], self[ready]._parted(along[ready])
        return _Unsettled(
            Cells.together([whole.cells, halves.cells]),
            *(torch.cat([getattr(t, f.name) for t in (whole, halves)]) for f in fields(self)[1:]),
        )

    def _parted(self, along: Tensor) -> _Unsettled:
        rows, inherited = torch.arange(len(self)), self.doubt()
        change, moved = self.change / 2, self.moved / 2
        change[rows, along], moved[rows, along] = 0.0, LASTING * self.moved[rows, along]
        state = (torch.zeros_like(self.parts), change, moved)
        state += (torch.zeros_like(self.measured), inherited)
        values = self.parts[rows, along].flatten(0, 1)
        return _Unsettled(
            self.cells.parted(along), values, *(t.repeat_interleave(2, 0) for t in state)
        )

    def to_measure(self, size: Tensor) -> tuple[Tensor, Tensor]:
        """Cells and axes along which to part them: where they may change most, at first all."""
        wanted = torch.nn.functional.one_hot(self._along(size), self.measured.shape[1]) > 0
        rows, along = (wanted | self.moved.isinf().flatten(2).any(2)).nonzero().T
        return rows, along

    def measured_by(self, values: Tensor, rows: Tensor, along: Tensor) -> None:
        """Note integrals over the parts of cells along axes, ``(2 * rows, members, 5)``."""
        parts = values.unflatten(0, (-1, 2))
        change = (parts.sum(1) - self.values[rows])[..., :3]
        self.parts[rows, along] = parts
        self.change[rows, along] = change
        self.moved[rows, along] = change.abs().nan_to_num(math.inf)
        self.measured[rows, along] = True
