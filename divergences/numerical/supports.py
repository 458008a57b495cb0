"""Where a distribution has its mass: draws of every component, and the ends of its support."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints

from divergences.numerical.log_densities import log_weights

MOST_COMBINED = 512
"""Components of a product of mixtures beyond which they are no longer told apart."""


def component_draws(law: td.Distribution, n: int) -> Tensor:
    """``n`` draws of every component of positive weight, ``(components, n, *batch, *event)``.

    NaN stands for draws of a component that has weight 0 in one member of a batch.
    """
    if isinstance(law, td.MixtureSameFamily):
        parts = component_draws(law.component_distribution, n)
        weights, axis = log_weights(law.mixture_distribution), 2 + len(law.batch_shape)
        weights = weights.expand(*law.batch_shape, -1)
        absent = (weights == -math.inf).reshape(*weights.shape, *(1,) * len(law.event_shape))
        return torch.where(absent, math.nan, parts).movedim(axis, 0).flatten(0, 1)
    if isinstance(law, td.Independent):
        return _combined(law, component_draws(law.base_dist, n), torch.stack)
    if isinstance(law, td.TransformedDistribution):
        parts = component_draws(law.base_dist, n)
        for transform in law.transforms:
            parts: Tensor = transform(parts)  # type: ignore[assignment]
        return parts
    return law.sample((n,))[None].double()


def component_log_weights(law: td.Distribution) -> Tensor:
    """Logarithms of the weights of the components that :func:`component_draws` draws from.

    Of shape ``(components, *batch)``.
    """
    if isinstance(law, td.MixtureSameFamily):
        parts = component_log_weights(law.component_distribution)
        weights = parts + log_weights(law.mixture_distribution)
        return weights.movedim(-1, 0).flatten(0, 1)
    if isinstance(law, td.Independent):
        parts = component_log_weights(law.base_dist)
        if law.reinterpreted_batch_ndims == 0:
            return parts
        found = _combined(law, parts, lambda rows, _: torch.stack(rows).sum(0))
        return found if found is not parts else parts[..., 0]
    if isinstance(law, td.TransformedDistribution):
        return component_log_weights(law.base_dist)
    return torch.zeros(1, *law.batch_shape, dtype=torch.float64)


def _combined(
    law: td.Independent, parts: Tensor, join: Callable[[list[Tensor], int], Tensor]
) -> Any:
    """Every choice of one component per coordinate, where coordinates are mixtures each."""
    d = law.event_shape[-1] if law.event_shape else 1
    apart = law.reinterpreted_batch_ndims == 1 and not law.base_dist.event_shape
    if not apart or len(parts) == 1 or d > 8 or len(parts) ** d > MOST_COMBINED:
        return parts
    return torch.stack(
        [
            join([parts[c][..., axis] for axis, c in enumerate(choice)], -1)
            for choice in itertools.product(range(len(parts)), repeat=d)
        ]
    )


def centres_and_widths(law: td.Distribution) -> tuple[Tensor, Tensor]:
    """Middle and half-width of the middle two thirds of every component, ``(m, d)`` each."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # of the CPU alone, where the laws are
        draws = component_draws(law, 400)
    low, middle, high = draws.quantile(draws.new_tensor([0.16, 0.5, 0.84]), dim=1)
    d = math.prod(law.event_shape)
    centre, width = middle.reshape(-1, d), (high - low).reshape(-1, d) / 2
    known = (centre.isfinite() & width.isfinite() & (width > 0)).all(-1)
    return centre[known], width[known]


def edges(law: td.Distribution, kinks: bool = True) -> Tensor:
    """Corners of the supports of all components, ``(m, *batch, *event)``, and kinks if asked for.

    Coordinates are infinite where the support has no end, and NaN where it is not known.
    """
    shape = law.batch_shape + law.event_shape
    if isinstance(law, td.MixtureSameFamily):
        axis = 1 + len(law.batch_shape)
        return edges(law.component_distribution, kinks).movedim(axis, 1).flatten(0, 1)
    if isinstance(law, td.Independent):
        return edges(law.base_dist, kinks)
    if isinstance(law, td.TransformedDistribution):
        return _moved_edges(law, kinks)
    found = _ends(law, shape)
    if kinks and isinstance(law, td.Laplace):
        found = torch.cat([found, law.loc[None]])
    return found


def _moved_edges(law: td.TransformedDistribution, kinks: bool) -> Tensor:
    """Those of the base where every coordinate is mapped alone, else the image's own."""
    shape = law.batch_shape + law.event_shape
    found = edges(law.base_dist, kinks)
    own = type(law).log_prob is not td.TransformedDistribution.log_prob
    for transform in law.transforms:
        coupled = transform.domain.event_dim or not transform.bijective  # type: ignore
        if own or coupled or found.shape[1:] != shape:
            return _ends(law, shape)
        found = _moved(transform, found)
    return found


def _moved(transform: Any, ends: Tensor) -> Tensor:
    """Images of ends; gradients pass through finite ones alone, as those of infinity are NaN."""
    with torch.no_grad():
        moved: Tensor = transform(ends)
        finite = ends.isfinite()
        some = torch.where(finite, ends, -math.inf).amax(0)
    safe = torch.where(finite, ends, some)
    return torch.where(finite, transform(safe), moved) if finite.any(0).all() else moved


def _ends(law: td.Distribution, shape: torch.Size) -> Tensor:
    if isinstance(law, td.VonMises):
        low, high = -math.pi, math.pi
    else:
        try:
            support: Any = law.support
        except NotImplementedError:
            support = None
        while hasattr(support, "base_constraint"):
            support = support.base_constraint
        binary = isinstance(support, type(constraints.boolean))
        low = 0 if binary else getattr(support, "lower_bound", -math.inf)
        high = 1 if binary else getattr(support, "upper_bound", math.inf)
    ends = [torch.as_tensor(end, dtype=torch.float64) for end in (low, high)]
    return torch.stack([torch.broadcast_to(end, shape) for end in ends])
