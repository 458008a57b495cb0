"""KL divergences of transformed laws, which injective transforms leave as they are."""

import math
from typing import Any

import torch
import torch.distributions as td
from torch.distributions import constraints
from torch.distributions.transforms import Transform, _InverseTransform

from divergences.exact.parameters import positive

__all__ = ["bases_of", "loses_nothing"]

Constraint = constraints.Constraint


def bases_of(
    p: td.TransformedDistribution, q: td.TransformedDistribution
) -> tuple[td.Distribution, td.Distribution]:
    """The laws before a transform that both share.

    Raises:
        NotImplementedError: If the transforms differ.
        ValueError: If a parameter of a named law, such as Weibull's, is out of its range.
    """
    for side in (p, q):
        of_transforms = [
            name for name, kind in side.arg_constraints.items() if kind is constraints.positive
        ]
        list(positive(side, *of_transforms))
    try:
        same = p.transforms == q.transforms
    except RuntimeError:  # tensors of different shapes
        same = False
    if not same:
        raise NotImplementedError("their transforms differ")
    return p.base_dist, q.base_dist


def loses_nothing(p: td.TransformedDistribution, q: td.TransformedDistribution) -> bool:
    """Whether the shared transform maps no two points of the supports to the same.

    Goes by what each transform says of itself (``bijective``), by its parameters, and by whether
    its domain covers what it is given: the square is injective on the positive numbers only. The
    absolute value folds laws that are symmetric about zero along their symmetry, which loses
    nothing either.
    """
    parts = _flat(p.transforms)
    if any(d.base_dist.batch_shape != d.batch_shape for d in (p, q)):
        return False  # it mixes the members of a batch
    if len(parts) == 1 and isinstance(parts[0], td.transforms.AbsTransform):
        return all(_is_symmetric(d.base_dist) for d in (p, q))
    return all(_is_injective(parts, d.base_dist) for d in (p, q))


def _is_symmetric(base: td.Distribution) -> bool:
    while isinstance(base, td.Independent):
        base = base.base_dist
    return isinstance(base, td.Normal | td.Laplace | td.Cauchy) and bool((base.loc == 0).all())


def _flat(parts: list[Transform]) -> list[Transform]:
    """The transforms one after the other, out of compositions and of maps of each coordinate."""
    flat: list[Transform] = []
    for part in parts:
        plain = part.inv if isinstance(part, _InverseTransform) else part
        if isinstance(part, td.transforms.ComposeTransform):  # its inverse is one, too
            flat += _flat(part.parts)
        elif isinstance(plain, td.transforms.IndependentTransform):
            inner = plain.base_transform
            flat += _flat([inner if plain is part else inner.inv])
        else:
            flat.append(part)
    return flat


def _is_injective(parts: list[Transform], base: td.Distribution) -> bool:
    try:
        support = base.support
    except NotImplementedError:
        support = None
    given = [support, *(part.codomain for part in parts)]
    return all(
        part.bijective and not _is_degenerate(part) and _covers(part.domain, before)
        for part, before in zip(parts, given, strict=False)
    )


def _is_degenerate(part: Transform) -> bool:
    """Whether its parameters make a transform constant, though it calls itself bijective."""
    if isinstance(part, _InverseTransform):
        part = part.inv
    if isinstance(part, td.transforms.AffineTransform):
        return bool((torch.as_tensor(part.scale) == 0).any())
    if isinstance(part, td.transforms.PowerTransform):
        return bool((part.exponent == 0).any())
    return False


def _covers(domain: Constraint, support: Constraint | None) -> bool:
    """Whether a transform is defined on all of a support."""
    domain, support = _element(domain), _element(support)
    if domain is constraints.real:
        return True
    outer, inner = _ends(domain), _ends(support)
    if outer is None or inner is None:
        return outer is inner and type(domain) is type(support)
    least, most = (torch.as_tensor(x) for x in inner)
    return bool((least >= outer[0]).all() and (most <= outer[1]).all())


def _element(constraint: Any) -> Any:
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return constraint


def _ends(constraint: Any) -> tuple[Any, Any] | None:
    """The ends of an interval, to which a point of no mass may belong or not."""
    if constraint is constraints.real:
        return -math.inf, math.inf
    low = getattr(constraint, "lower_bound", None)
    high = getattr(constraint, "upper_bound", None)
    if low is None and high is None:
        return None
    return -math.inf if low is None else low, math.inf if high is None else high
