"""Warnings that do not depend on the method: of odd samples, and of impossible intervals."""

from __future__ import annotations

import torch
from torch import Tensor

from divergences.estimate import QUANTITIES, Estimate

COARSE = 1e-3  # of a spread, from which rounding of one sample alone shows
MOST_ROWS = 100  # of what is rather an image than a sample
FLATTEN = "if each entry is one point, such as an image, flatten it: x.reshape(len(x), -1)"


def perhaps_images(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where what is taken for members may well be points that are matrices.

    Members are few and have many points each. Images, or series of several channels, are many and
    small: as many as there are rows in each, which are :data:`MOST_ROWS` at most, or
    square.

    Example:
        >>> images = torch.zeros(60, 8, 8)
        >>> perhaps_images(images, images)[0]
        '3 axes are taken for 60 pairs of samples of 8 points each; if each entry is one ...'
        >>> perhaps_images(torch.zeros(4, 512, 2), torch.zeros(4, 512, 2))
        ()
    """
    if x.ndim != 3 or x.shape != y.shape:
        return ()
    members, n, d = x.shape
    if members == 1 or (n != d and n > min(members, MOST_ROWS)):
        return ()
    return (f"3 axes are taken for {members} pairs of samples of {n} points each; {FLATTEN}",)


def nothing_varies(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where all points of both samples are one and the same.

    How far from it others may lie, which neither sample holds, nothing shows.

    Example:
        >>> nothing_varies(torch.zeros(50, 2), torch.zeros(60, 2))[0]
        'all points of x and y are the same: others may have a probability of up to 0.06, ...'
        >>> nothing_varies(torch.zeros(50, 2), torch.ones(60, 2))
        ()
    """
    first = x.detach()[..., :1, :]
    # nearly always the first two points differ
    if any(bool((z != first).any(-1).any(-1).all()) for z in (x[..., :2, :], x, y)):
        return ()
    return (
        "all points of x and y are the same: others may have a probability of up to "
        f"{3 / min(x.shape[-2], y.shape[-2]):.1g}, and lie anywhere; no interval is known",
    )


def impossible(found: Estimate, quantity: str) -> tuple[str, ...]:
    """A warning where no value that the quantity can have is in the interval.

    Between equal laws chance does that to one interval in forty. Samples that are no independent
    draws do it always: a sample and a copy of it with a little noise are more alike than any two.

    Example:
        >>> low, high = torch.tensor(-0.4), torch.tensor(-0.1)
        >>> found = Estimate(torch.tensor(-0.2), torch.tensor(0.1), ci=(low, high))
        >>> impossible(found, "js")[0]
        'the interval ends at -0.1, and JS(x, y) is never below 0: ...'
    """
    known = QUANTITIES.get(quantity)
    if known is None:
        return ()
    low, high = found.ci
    below, above = high < known.least, low > known.largest * (1 + 1e-6)
    if below.any():
        return (
            f"the interval ends at {float(high[below].min()):.3g}, and {known.symbol} is never "
            f"below {known.least:g}: by chance, or x and y are more alike than independent draws",
        )
    if above.any():
        return (
            f"the interval begins at {float(low[above].max()):.3g}, and {known.symbol} is never "
            f"above {known.largest:.3g}: by chance, or x and y are no independent draws",
        )
    return ()


def rounded_apart(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where one sample was rounded to single precision, coarsely, and the other not.

    Such samples lie on different lattices, whatever their laws were before.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (1e6 + torch.randn(99, 1, generator=draw).double() / 3 for _ in range(2))
        >>> rounded_apart(x.float().double(), y)
        ('x is rounded to steps of up to 0.12, y is not: ...',)
        >>> rounded_apart(x, y) + rounded_apart(x.float(), y.float())
        ()
    """
    if torch.float32 in (x.dtype, y.dtype):
        return ()  # both are
    # nearly always the first point of double precision has digits that single precision lacks
    single = [all(bool((z == z.float()).all()) for z in (s[..., :1, :], s)) for s in (x, y)]
    if single[0] == single[1]:
        return ()
    one, other = (x, y) if single[0] else (y, x)
    steps = torch.finfo(torch.float32).eps * one.detach().abs().flatten(0, -2).amax(0)
    spread = other.detach().flatten(0, -2).std(0)
    if not bool(((steps > COARSE * spread) & (spread > 0)).any()):
        return ()
    names = "xy" if single[0] else "yx"
    return (
        f"{names[0]} is rounded to steps of up to {float(steps.max()):.2g}, {names[1]} is not: "
        "that is a difference of its own; subtract an offset before rounding, or round both alike",
    )
