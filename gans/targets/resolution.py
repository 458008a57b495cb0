"""Whether points are still told apart once they are held in fewer digits."""

import math

import numpy as np
import torch
from torch import Tensor

KEPT = 0.99
"""Share of the values that a well scaled column keeps apart which every column has to."""

SAME = 40
"""Bits of the significand in which two numbers agree that count as one: more is rounding noise."""

MOST = 2**14
"""Points that are looked at, evenly spaced among all."""


def check_resolved(name: str, before: Tensor | np.ndarray, after: Tensor) -> None:
    r"""Refuse points whose coordinates fewer digits no longer tell apart.

    Of b uniform numbers in a precision of relative spacing :math:`\epsilon`, about
    :math:`c (1 - e^{-b/c})` are distinct, with :math:`c = 2 / \epsilon`. A column that keeps
    clearly fewer lies far from 0 for its spread, as map coordinates and time stamps do, or below
    the smallest number.

    Arguments:
        name: Of the points, for the message.
        before: As they were given, shape ``(n, d)``.
        after: The same in the precision that is wanted.

    Raises:
        ValueError: Names the columns and what to do.

    Example:
        >>> northings = 5e6 + torch.arange(8, dtype=torch.float64)[:, None] / 16
        >>> check_resolved("map", northings, northings.float())
        Traceback (most recent call last):
        ...
        ValueError: map: float32 cannot tell the points apart in column 0 (2 of 8 values, ...
    """
    step = -(-len(before) // MOST)
    before, after = before[::step], after[::step]
    cells = 2 / torch.finfo(after.dtype).eps
    lost = []
    for j in range(before.shape[1]):
        given, kept = _distinct(before[:, j]), len(torch.unique(after[:, j]))
        if kept < KEPT * -cells * math.expm1(-given / cells):
            lost.append(f"column {j} ({kept} of {given} values, near {float(after[0, j]):g})")
    if lost:
        raise ValueError(
            f"{name}: {str(after.dtype).removeprefix('torch.')} cannot tell the points apart in "
            f"{', '.join(lost)}; subtract an offset, such as the mean, from such a column and "
            "divide it by its spread, or pass a float64 tensor"
        )


def _distinct(column: Tensor | np.ndarray) -> int:
    """How many values differ in more than rounding noise; integers have none."""
    if isinstance(column, np.ndarray):
        return len(np.unique(column))
    if column.is_floating_point():
        significand, exponent = torch.frexp(column.double())
        column = torch.ldexp((significand * 2.0**SAME).round(), exponent - SAME)
    return len(torch.unique(column))
