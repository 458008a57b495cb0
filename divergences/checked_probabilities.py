"""Checks of probability vectors, which also run inside ``torch.func`` transforms."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from divergences.array_likes import as_tensor


def checked_pair(p: Any, q: Any) -> tuple[Tensor, Tensor]:
    """Return two checked probability vectors, broadcast against each other."""
    p, q = checked(p, "p", only_distributions), checked(q, "q", only_distributions)
    dtype = torch.promote_types(p.dtype, q.dtype)
    p, q = p.to(dtype), q.to(dtype)
    if p.device != q.device:
        raise ValueError(f"p is on {p.device} and q on {q.device}; move one of them")
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(
            f"p has shape {tuple(p.shape)} and q {tuple(q.shape)}: the last dimensions count the "
            "outcomes and must be equal"
        )
    try:
        shape = torch.broadcast_shapes(p.shape, q.shape)
    except RuntimeError:
        raise ValueError(
            f"p has shape {tuple(p.shape)} and q {tuple(q.shape)}: the leading dimensions do not "
            "broadcast; insert dimensions of size 1 with p[:, None]"
        ) from None
    return p.expand(shape), q.expand(shape)


def checked(p: Any, name: str, look: Callable[[Tensor, str], None]) -> Tensor:
    """The argument as a tensor whose values ``look`` lets pass."""
    p = as_tensor(p, name)
    if p.ndim == 0 and look is only_distributions:
        raise ValueError(f"{name} is a scalar; its last dimension must be the distribution")
    _Inspection.apply(p.detach(), name, look)
    return p


class _Inspection(torch.autograd.Function):
    """Looks at the values of a tensor, also at those that torch.func.vmap hides from Python."""

    @staticmethod
    def forward(p: Tensor, name: str, look: Callable[[Tensor, str], None]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        look(p, name)
        return p.new_empty(0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:
        return None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, p: Tensor, name: str, look: Callable) -> tuple:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Inspection.apply(p.movedim(in_dims[0], 0), name, look), None


def only_probabilities(p: Tensor, name: str) -> None:
    """Refuse values outside [0, 1]."""
    good = (p >= 0) & (p <= 1)
    if not good.all():
        where = (~good).nonzero()[0].tolist()
        raise ValueError(
            f"{name}{where or ''} is {p[tuple(where)].item():.6g}; probabilities lie in [0, 1]: "
            "pass logits through torch.sigmoid or torch.softmax, and look for what made a NaN"
        )


def only_distributions(p: Tensor, name: str) -> None:
    """Refuse rows that are negative somewhere or do not sum to one."""
    total = p.sum(-1, dtype=torch.float64)  # so that the check adds no rounding of its own
    tolerance = _rounding_of_a_sum(p)
    if ((p >= 0).all(-1) & ((total - 1).abs() <= tolerance)).all():
        return
    bad = ~((p >= 0) & p.isfinite())
    if bad.any():
        where = bad.nonzero()[0].tolist()
        raise ValueError(
            f"{name}{where} is {p[tuple(where)].item():.6g}; probabilities are finite and not "
            "negative: pass logits through torch.softmax, and look for what made a NaN or inf"
        )
    where = ((total - 1).abs() > tolerance).nonzero()[0].tolist()
    raise ValueError(
        f"{name}{where or ''} sums to {total[tuple(where)].item():.9g} and not to 1 within "
        f"{tolerance:.1g}, the tolerance of {p.dtype}; divide counts or weights by their sum"
    )


def _rounding_of_a_sum(p: Tensor) -> float:
    """How far from one rounding may take the sum of a row that was divided by its sum.

    Each probability is rounded to its dtype, the subnormal ones to a multiple of the smallest;
    the sum they were divided by was added up in float32 or better, with errors that grow like a
    random walk.
    """
    n, own = p.shape[-1], torch.finfo(p.dtype)
    added_up = min(own.eps, torch.finfo(torch.float32).eps)
    return own.eps**0.75 + math.sqrt(n) * added_up + n * own.tiny * own.eps / 2
