r"""Densities that are infinite at an end of their support, such as Beta(.1, .1).

Much of the mass then lies closer to the end than numbers are to each other: of Beta(.1, .1), 2 %
within 1e-16 of 1. A density is known down to some distance from the end, and there it is a power
of that distance, as those of Beta, Gamma, Weibull and Kumaraswamy laws are. Closer it is continued
as that power. Whether it is one shows in the mass, which has to be 1: that of RelaxedBernoulli is
none, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

EPS = torch.finfo(torch.float64).eps
TINY = 1e-280
"""Distance from an end at 0 down to which densities are known."""
APART = (4.0, 16.0)
"""Of that distance, further ones at which a density is looked at."""
SINGULAR = -0.25
"""Power of the distance below which a density is continued. With larger ones no more than 1e-12
of the mass lies closer than numbers are."""
LEAST = 1e-6
"""Of the power of a mass: with smaller ones nothing could be integrated."""
NEGLIGIBLE = 40.0
"""Logarithm of a mass over that which may be left out."""
ROUNDED = 1e-10
"""Of an end's size: what is narrower is not resolved beside it."""
UNKNOWN = -1e200
"""Log-density below which it has no power."""


@final
@dataclass(frozen=True)
class Ends:
    """How near to the cuts of an axis densities are known, and how near coordinates have to go.

    Attributes:
        cuts: In order, ``(m,)``.
        steps: Distance from each cut, above it and below, from which on densities are continued,
            ``(m, 2)``; 0 where they are not.
        limits: Of the coordinate, likewise.
    """

    cuts: Tensor
    steps: Tensor
    limits: Tensor

    def of(self, a: Tensor, b: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Steps and limits at both ends of pieces from ``a`` to ``b``."""
        low, high = (torch.searchsorted(self.cuts, t.detach().contiguous()) for t in (a, b))
        return (
            (self.steps[low, 0], self.steps[high, 1]),
            (self.limits[low, 0], self.limits[high, 1]),
        )


@final
@dataclass(frozen=True)
class Continued:
    """Points of which log-densities are continued to others.

    Attributes:
        farther: Points farther from an end along one axis, ``(N, ...)`` each.
        times: How many times the change from the point itself to each of these is added.
    """

    farther: list[Tensor]
    times: list[Tensor]

    def changed(
        self, points: Callable[[Tensor], Tensor], numbers: Callable[[Tensor], Tensor]
    ) -> Continued:
        """The same in another shape."""
        return Continued([points(t) for t in self.farther], [numbers(t) for t in self.times])

    def log_density(self, log_density: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        found = here = log_density(x)
        for farther, times in zip(self.farther, self.times, strict=True):
            change = log_density(farther) - here
            known = (here > UNKNOWN) & (change < -UNKNOWN)
            found = found + torch.where(known, times * torch.where(known, change, 0.0), 0.0)
        return found


def continued_from(log_distance: Tensor, nodes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    r"""How many times the changes from the nearest node to both others a log-density has changed.

    With :math:`C + s \log t + c t` through three distances t from an end.

    Arguments:
        log_distance: Of the point.
        nodes: The distances, the nearest first.
    """
    near, *others = nodes
    logs = [(t / near).log() for t in others]
    ratios = [t / near - 1 for t in others]
    log = log_distance - near.log()
    ratio = torch.expm1(log)
    unit = logs[0] * ratios[1] - logs[1] * ratios[0]
    first = (log * ratios[1] - logs[1] * ratio) / unit
    return first, (logs[0] * ratio - log * ratios[0]) / unit


def measured_ends(
    cuts: list[Tensor],
    places: Tensor,
    widths: Tensor,
    limit: float,
    log_densities: Callable[[Tensor], Tensor],
) -> list[Ends]:
    """Where densities are singular along each axis.

    Arguments:
        cuts: Of every axis, in order.
        places: Where the densities have their mass, ``(m, d)``.
        widths: How wide they are there.
        limit: Of the coordinate at other ends.
        log_densities: From points ``(N, d)`` to ``(N, ...)``; raises ``ValueError`` where one is
            infinite.
    """
    try:
        return _measured(cuts, places, widths, limit, log_densities, TINY)
    except ValueError:  # an end at 0 that is the image of another number, and rounded like that
        return _measured(cuts, places, widths, limit, log_densities, 0.0)


def _measured(
    cuts: list[Tensor],
    places: Tensor,
    widths: Tensor,
    limit: float,
    log_densities: Callable[[Tensor], Tensor],
    tiny: float,
) -> list[Ends]:
    found = [
        Ends(cut, torch.zeros(len(cut), 2).double(), torch.full((len(cut), 2), limit).double())
        for cut in cuts
    ]
    looked_at, near, far = [], [], []
    for axis, cut in enumerate(cuts):
        for k, end in enumerate(cut.tolist()):
            for side, other in ((0, k + 1), (1, k - 1)):
                if not math.isfinite(end) or not 0 <= other < len(cut):
                    continue
                length = abs(float(cut[other]) - end)
                step = _step(end, length, places[:, axis], widths[:, axis])
                step = step if end else tiny or step
                looked_at.append((axis, k, side, step))
                for points, times in ((near, 1.0), (far, APART[0])):
                    points.append(places.clone())
                    points[-1][:, axis] = end + times * (step if side == 0 else -step)
    if not looked_at:
        return found
    one, other = log_densities(torch.cat(near + far)).chunk(2)
    powers = (other - one) / math.log(APART[0])
    powers = torch.where((one > UNKNOWN) & powers.isfinite(), powers, 0.0)
    powers = powers.unflatten(0, (len(looked_at), -1)).flatten(1).amin(1).tolist()
    singular = {(axis, k) for (axis, k, *_), power in zip(looked_at, powers, strict=True)
                if power < SINGULAR}  # fmt: skip
    for (axis, k, side, step), power in zip(looked_at, powers, strict=True):
        # on the other side, too: rounding may put a point onto the end itself
        if (axis, k) in singular:
            found[axis].steps[k, side] = step
        if power < SINGULAR:
            needed = NEGLIGIBLE / max(1 + power, LEAST)
            found[axis].limits[k, side] = max(limit, needed)
    return found


def _step(end: float, length: float, places: Tensor, widths: Tensor) -> float:
    """Distance from an end that its rounding blurs as little as the curve of a density bends."""
    sizes = (places - end).abs() + widths
    sizes = sizes[sizes > ROUNDED * abs(end)]  # draws all of which are rounded onto the end
    size = min([length, *sizes.tolist()])
    return size * max(EPS * abs(end) / size, EPS) ** 0.4
