"""Two densities, the first of which points are drawn from."""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from divergences.numerical.densities import (
    Density,
    batch_of,
    check_measures,
    checked_log_prob,
    dimension_of,
    prepared,
)
from divergences.numerical.supports import edges


@final
class DrawnPair:
    """Two densities, and how to draw from and evaluate the first."""

    def __init__(self, p: Density, q: Density) -> None:
        self.given = p, q
        self.p = prepared(p)
        self.q = self.p if q is p else prepared(q)
        self.measure = check_measures(self.p, self.q)
        sizes = {dimension_of(d) for d in (p, q)} - {None}
        if len(sizes) > 1:
            raise ValueError(
                f"{type(p).__name__} and {type(q).__name__} have event_shape of "
                f"{dimension_of(p)} and {dimension_of(q)} coordinates; they must agree"
            )

    def exchanged(self) -> DrawnPair:
        other = copy.copy(self)
        other.given, other.p, other.q = self.given[::-1], self.q, self.p
        vars(other).pop("_of_draws", None)
        return other

    def has_gradient(self) -> bool:
        """Whether parameters ask for one, and none of them moves an end of a support."""
        if any(isinstance(d, Distribution) and edges(d, False).requires_grad for d in self.both()):
            return False
        return any(log.requires_grad for log in self.logs(self.draw(1)))

    @property
    def eps(self) -> float:
        """By what part log-densities are rounded: one of the user's own in the draws' dtype."""
        known = all(isinstance(d, Distribution) for d in self.both())
        return torch.finfo(torch.float64 if known else self._dtype()).eps

    def both(self) -> tuple[Density, Density]:
        return self.p, self.q

    def draw(self, n: int) -> Tensor:
        """``(n, 1 or K, d)``."""
        points = sample(self.p, n)
        batch = batch_of(self.p)
        try:
            return points.reshape(n, *(batch or (1,)), dimension_of(self.p) or -1)
        except RuntimeError:
            raise ValueError(
                f"sample of {type(self.p).__name__} returned shape {tuple(points.shape)} for "
                f"{n} points; expected ({n}, ...)"
            ) from None

    def logs(self, points: Tensor) -> tuple[Tensor, Tensor]:
        log_p = self._log(self.p, points)
        return log_p, log_p if self.q is self.p else self._log(self.q, points)

    def _log(self, density: Density, points: Tensor) -> Tensor:
        if isinstance(density, Distribution):
            return checked_log_prob(density, points.double())
        return checked_log_prob(density, points.to(self._dtype()))

    def _dtype(self) -> torch.dtype:
        """Of draws as they were given: a density of the user's own may take no other."""
        if not hasattr(self, "_of_draws"):
            found = sample(self.given[0], 1).dtype
            self._of_draws = found if found.is_floating_point else torch.float64
        return self._of_draws


def sample(density: Any, n: int) -> Tensor:
    if not callable(getattr(density, "sample", None)):
        raise TypeError(f"{type(density).__name__} has no sample; Monte Carlo draws from it")
    points = density.sample((n,))
    if not isinstance(points, Tensor) or len(points) != n:
        raise TypeError(
            f"sample of {type(density).__name__} returned "
            f"{tuple(points.shape) if isinstance(points, Tensor) else type(points).__name__}; "
            f"expected a tensor of {n} points"
        )
    return points.detach().cpu()
