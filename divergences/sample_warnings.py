"""Warnings that do not depend on the method: of odd samples, and of impossible intervals."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from divergences.estimate import QUANTITIES, Estimate

COARSE = 1e-3  # of a spread, from which rounding of one sample alone shows
FORMATS = {torch.float32: 23, torch.float16: 10, torch.bfloat16: 7}
"""Binary digits behind the point."""
BITS = {torch.float64: (np.int64, 52), torch.float32: (np.int32, 23)}
"""The same of what a sample holds, and integers of its size."""
FEWEST_SMALL = 10  # numbers that tell which lattice they lie on
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
    """A warning where a column of one sample was rounded to fewer digits, coarsely, the other not.

    Such samples lie on different lattices, whatever their laws were before. Rounding to single or
    half precision or to bfloat16 is noticed, also of numbers that have another type by now.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (1e6 + torch.randn(99, 1, generator=draw).double() / 3 for _ in range(2))
        >>> rounded_apart(x.float().double(), y)
        ('x is rounded to steps of up to 0.12, y is not: ...',)
        >>> rounded_apart((y - 1e6).half().double(), y - 1e6)
        ('x is rounded to steps of up to 0.00094, y is not: ...',)
        >>> rounded_apart(x, y) + rounded_apart(x.float(), y.float())
        ()
    """
    bits, digits = BITS[x.dtype]
    pair = [z.detach().flatten(0, -2) for z in (x, y)]
    used = [np.bitwise_or.reduce(z.cpu().numpy().view(bits), 0) for z in pair]
    for kind, kept in FORMATS.items():
        within = [(digits_used & 2 ** (digits - kept) - 1) == 0 for digits_used in used]
        if (within[0] == within[1]).all():  # as nearly always
            continue
        for k, name, other in ((0, "x", "y"), (1, "y", "x")):
            only = torch.from_numpy(within[k] & ~within[1 - k]).to(x.device)
            largest, spread = pair[k].abs().amax(0), pair[1 - k].std(0)
            steps = torch.finfo(kind).eps * largest
            found = only & (steps > COARSE * spread) & (spread > 0)
            found = found & (pair[k] == pair[k].to(kind)).all(0)  # its range is smaller, too
            if kind != torch.float32:
                found = found & _uses_last_digits(pair[k], kind)
            if bool(found.any()):
                return (
                    f"{name} is rounded to steps of up to {float(steps[found].max()):.2g}, "
                    f"{other} is not: that is a difference of its own; subtract an offset before "
                    "rounding, or round both alike",
                )
    return ()


def _uses_last_digits(z: Tensor, kind: torch.dtype) -> Tensor:
    """In which columns numbers below half of the largest have steps of this format's own size.

    Numbers at equal distances, as counts and decimals are, lie on no such lattice.
    """
    odd = (z.to(kind).view(torch.int16) & 1) > 0
    small = (z.abs() < z.abs().amax(0) / 2) & (z != 0)
    return ((odd & small).sum(0) > small.sum(0) / 4) & (small.sum(0) > FEWEST_SMALL)
