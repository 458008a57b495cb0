"""Points at random from what can only be gone through in an order of its own."""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor

from divergences.comparison.permutation_tests import EnergyTest

LOOKED_AT = 4
"""Times as many points as are kept that are gone through."""
COMPARED = 250
"""Points of the first half and of the second that are compared with each other."""
CHANCE = 0.002
"""How rarely halves of points in random order differ as much."""


def at_random(batches: Iterable[Tensor], keep: int) -> Tensor:
    """At most ``keep`` points ``(n, ...)``, at random of the first ``4 keep``.

    All that was gone through is equally likely to be kept (a reservoir). If there are more points
    and the first of them differ from the later ones, a warning says so: the rest may differ, too.

    Raises:
        ValueError: If points have another shape than those before.

    References:
        | Random sampling with a reservoir (Vitter, 1985), algorithm R
        | https://doi.org/10.1145/3147.3165

    Example:
        >>> in_order = torch.arange(4096.0).reshape(-1, 256, 1)
        >>> points = at_random(in_order, 2048)
        >>> points.shape, bool(points.mean() > 1900)
        (torch.Size([2048, 1]), True)
    """
    generator = torch.Generator().manual_seed(0)
    kept, places, seen = torch.empty(0), torch.empty(0), 0
    for points in batches:
        if seen >= LOOKED_AT * keep:
            _compare(kept, places < seen / 2, seen)
            break
        if points.ndim == 0 or (seen and points.shape[1:] != kept.shape[1:]):
            raise ValueError(
                f"real holds points of shape {tuple(points.shape[1:])} after others of shape "
                f"{tuple(kept.shape[1:]) if seen else ()}; all must have the same"
            )
        number = seen + torch.arange(len(points))
        fresh = number < keep
        first = points[fresh]
        kept = torch.cat([kept, first]) if seen else first.clone()
        places = torch.cat([places, number[fresh]])
        slots = (torch.rand(len(points), generator=generator).double() * (number + 1)).long()
        later = {int(slots[i]): i for i in (~fresh & (slots < keep)).nonzero().flatten().tolist()}
        kept[list(later)] = points[list(later.values())].to(kept.dtype)
        places[list(later)] = number[list(later.values())].to(places.dtype)
        seen += len(points)
    return kept


def _compare(points: Tensor, early: Tensor, seen: int) -> None:
    rows = points.reshape(len(points), -1).double()
    halves = [rows[which][:COMPARED] for which in (early, ~early)]
    if not rows.isfinite().all() or float(EnergyTest()(*halves).p_value) > CHANCE:
        return
    warnings.warn(
        f"real is not in random order: of its first {seen} points, at which the monitor stops, "
        "the first half differs from the second; shuffle it, or give a dataset",
        stacklevel=2,
    )
