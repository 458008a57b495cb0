"""What has a log-density: its members, its dimension, its log-density checked."""

import math
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    MixtureSameFamily,
    TransformedDistribution,
    constraints,
)

from divergences.numerical.log_densities import in_double, log_density, measure_of
from divergences.numerical.singular_ends import Continued

_ONE_AT_A_TIME = (
    type(constraints.real),
    type(constraints.positive),
    constraints.greater_than,
    constraints.greater_than_eq,
    constraints.interval,
)


class Density(Protocol):
    """What has a log-density, and for Monte Carlo a ``sample`` of a given shape."""

    def log_prob(self, value: Tensor, /) -> Tensor: ...


def batch_of(density: Density) -> tuple[int, ...]:
    if not callable(getattr(density, "log_prob", None)) or isinstance(density, type):
        raise TypeError(
            f"a {type(density).__name__} has no log_prob; pass a density, such as a distribution"
        )
    batch = tuple(getattr(density, "batch_shape", ()))
    if len(batch) > 1 or batch == (0,):
        raise ValueError(
            f"{type(density).__name__} has batch_shape {batch}; only () and (K,) are members. "
            "Wrap coordinates in torch.distributions.Independent"
        )
    return batch


def members_of(p: Density, q: Density) -> tuple[int, ...]:
    """The batch shape of both together.

    Raises:
        ValueError: If they have different numbers of members.
    """
    one, other = batch_of(p), batch_of(q)
    try:
        return tuple(torch.broadcast_shapes(one, other))
    except RuntimeError:
        raise ValueError(
            f"the densities have batch_shape {one} and {other}: as many members, or one"
        ) from None


def dimension_of(density: Density) -> int | None:
    """Number of coordinates, where the density states it."""
    event = getattr(density, "event_shape", None)
    return None if event is None else math.prod(event)


def prepared(density: Density) -> Density:
    """The density itself, or if torch knows it, a copy with parameters in float64.

    Raises:
        TypeError: If it has no ``log_prob``.
        ValueError: If a parameter is NaN or out of its range, or a law is mapped by a transform
            that is not defined where it has mass.
    """
    batch_of(density)
    if not isinstance(density, Distribution):
        return density
    law = in_double(density)
    _check_parameters(law)
    return law


def _check_parameters(law: Distribution) -> None:
    for name, constraint in law.arg_constraints.items():
        if name not in vars(law) or not isinstance(constraint, _ONE_AT_A_TIME):
            continue
        value = vars(law)[name]
        if isinstance(value, Tensor) and not constraint.check(value).all():
            raise ValueError(
                f"{type(law).__name__} has {name} = {value.flatten()[:4].tolist()}, outside of "
                f"{constraint}"
            )
    if isinstance(law, MixtureSameFamily):
        _check_parameters(law.mixture_distribution)
        _check_parameters(law.component_distribution)
    elif isinstance(law, (Independent, TransformedDistribution)):
        _check_parameters(law.base_dist)
    if isinstance(law, TransformedDistribution):
        x = law.base_dist.sample((64,))
        for transform in law.transforms:
            if not bool(transform.domain.check(x).all()):  # type: ignore[attr-defined]
                raise ValueError(
                    f"{type(transform).__name__} is not defined everywhere the law it maps has "
                    "mass; it maps no density there"
                )
            x = transform(x)


def check_measures(p: Density, q: Density) -> str:
    """What both are densities with respect to, ``"volume"`` for objects that do not say.

    Raises:
        ValueError: If they differ, as a mass and a density do: no number compares them.
    """
    kinds = [measure_of(d) if isinstance(d, Distribution) else "volume" for d in (p, q)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"{type(p).__name__} has a density with respect to {kinds[0]} and {type(q).__name__} "
            f"with respect to {kinds[1]}: their log_prob cannot be compared"
        )
    return kinds[0]


def has_gradient(p: Density, q: Density, points: Tensor) -> bool:
    """Whether log-densities at ``points`` depend on a tensor that asks for a gradient."""
    if not torch.is_grad_enabled():
        return False
    return any(checked_log_prob(density, points).requires_grad for density in (p, q))


def numbers_per_point(density: Density) -> int:
    """How many numbers one point becomes inside ``log_prob``: members, components, coordinates."""
    size = math.prod(tuple(getattr(density, "batch_shape", ()))) * (dimension_of(density) or 1)
    law: Any = density
    while isinstance(law, (MixtureSameFamily, Independent, TransformedDistribution)):
        if isinstance(law, MixtureSameFamily):
            law = law.component_distribution
            size *= law.batch_shape[-1]
        else:
            law = law.base_dist
    return max(size, 1)


def checked_log_prob(
    density: Density, points: Tensor, continued: Continued | None = None
) -> Tensor:
    """Log-density in float64 at ``(N, 1 or K, d)``, as ``(N, 1 or K)``; ``-inf`` off the support.

    Continued towards ends of the support where that is asked for.

    Raises:
        TypeError: If the log-density is no tensor of real numbers.
        ValueError: If the density is for points of another dimension, or its log-density has
            another shape than ``(N, *batch)``, or is NaN or ``+inf`` somewhere.
    """
    batch, d = batch_of(density), points.shape[-1]
    event = tuple(getattr(density, "event_shape", (d,)))
    if math.prod(event) != d:
        raise ValueError(
            f"{type(density).__name__} has event_shape {event}, but the points {d} coordinates"
        )
    members = points.shape[1] if not batch else batch[0]

    def of_members(points: Tensor) -> Tensor:
        return points.expand(-1, members, -1).reshape(-1, *batch, *event)

    points = of_members(points)
    if continued is not None:
        continued = continued.changed(
            of_members, lambda times: times.expand(-1, members).reshape(-1, *batch)
        )
    if isinstance(density, Distribution):
        result = log_density(density, points, continued)
    elif continued is not None:
        result = continued.log_density(density.log_prob, points)
    else:
        result = density.log_prob(points)
    if not isinstance(result, Tensor) or result.is_complex():
        kind = result.dtype if isinstance(result, Tensor) else type(result).__name__
        raise TypeError(f"log_prob of {type(density).__name__} returns {kind}, not a real tensor")
    result = result.double()
    if result.shape != (len(points), *batch):
        raise ValueError(
            f"log_prob of {type(density).__name__} maps points {tuple(points.shape)} to "
            f"{tuple(result.shape)}; expected {(len(points), *batch)}"
        )
    bad = int((result.isnan() | result.isposinf()).sum())
    if bad:
        raise ValueError(
            f"log_prob of {type(density).__name__} is NaN or +inf at {bad} of {result.numel()} "
            "points; if it has a singularity, name its place in breaks of Quadrature"
        )
    return result.reshape(-1, members)
