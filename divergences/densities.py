"""What has a log-density: its members, its dimension, its centres, its log-density checked."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily


class Density(Protocol):
    """What has a log-density, and for Monte Carlo a ``sample`` of a given shape."""

    def log_prob(self, value: Tensor, /) -> Tensor: ...


def batch_of(density: Density) -> tuple[int, ...]:
    if not hasattr(density, "log_prob"):
        raise TypeError(
            f"a {type(density).__name__} has no log_prob; pass a density, such as a distribution"
        )
    batch = tuple(getattr(density, "batch_shape", ()))
    if len(batch) > 1:
        raise ValueError(
            f"{type(density).__name__} has batch_shape {batch}; only () and (K,) are members. "
            "Wrap coordinates in torch.distributions.Independent"
        )
    return batch


def dimension_of(density: Density) -> int | None:
    """Number of coordinates, where the density states it."""
    event = getattr(density, "event_shape", None)
    return None if event is None else math.prod(event)


def centres_of(density: Density) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation where it has them; of a mixture's components if it is one."""
    if isinstance(density, MixtureSameFamily):
        return centres_of(density.component_distribution)
    if not isinstance(density, Distribution):
        return []
    try:
        mean, spread = density.mean, density.stddev
    except NotImplementedError:
        return []
    return [(mean, spread)] if bool((mean.isfinite() & spread.isfinite()).all()) else []


def checked_log_prob(density: Density, points: Tensor) -> Tensor:
    """Log-density in float64 at ``(N, 1 or K, d)``, as ``(N, 1 or K)``; ``-inf`` off the support.

    Raises:
        ValueError: If the density is for points of another dimension, or its log-density has
            another shape than ``(N, *batch)``, or is NaN or ``+inf`` somewhere.
    """
    batch, d = batch_of(density), points.shape[-1]
    event = tuple(getattr(density, "event_shape", (d,)))
    if event != (d,) and (event, d) != ((), 1):
        raise ValueError(
            f"{type(density).__name__} has event_shape {event}, but the points {d} coordinates"
        )
    members = points.shape[1] if not batch else batch[0]
    points = points.expand(-1, members, -1)
    points = points.reshape(-1, *batch, *event)
    inside = None
    if isinstance(density, Distribution):
        for mean, _ in centres_of(density):
            points = points.to(mean)
        inside = density.support.check(points).expand(len(points), *batch)  # type: ignore[union-attr]
        if not inside.any():
            return torch.full((len(points), *batch), -math.inf).double().reshape(-1, members)
        # torch raises off the support, so ask there about some point on it
        somewhere = points.expand(*inside.shape, *event)[inside][0]
        points = torch.where(inside.reshape(*inside.shape, *(1 for _ in event)), points, somewhere)
    result = density.log_prob(points).double()
    if result.shape != (len(points), *batch):
        raise ValueError(
            f"log_prob of {type(density).__name__} maps points {tuple(points.shape)} to "
            f"{tuple(result.shape)}; expected {(len(points), *batch)}"
        )
    if inside is not None:
        result = torch.where(inside, result, -math.inf)
    bad = int((result.isnan() | result.isposinf()).sum())
    if bad:
        raise ValueError(
            f"log_prob of {type(density).__name__} is NaN or +inf at {bad} of {result.numel()} "
            "points; if it has a singularity, put it on the edge of the box"
        )
    return result.reshape(-1, members)
