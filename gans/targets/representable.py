"""Lengths that neither overflow nor vanish, and known values that a precision can hold."""

import torch
from torch import Tensor


def representable(
    what: str, value: Tensor, like: Tensor, may_vanish: Tensor | bool = False
) -> Tensor:
    """A float64 value in the precision of ``like``, which can hold all of its digits.

    Arguments:
        what: The value is, for the message.
        value: As computed in float64.
        like: A tensor of the wanted precision.
        may_vanish: Where 0 is a true value.

    Raises:
        ValueError: If it overflows or vanishes there, or is so small that digits are lost.

    Example:
        >>> representable("the variance", torch.tensor(1e30).double() ** 2, torch.tensor(1.0))
        Traceback (most recent call last):
        ...
        ValueError: the variance is 1e+60, which torch.float32 cannot hold; use float64, or ...
    """
    kept = value.to(like.dtype)
    size = kept.detach().abs()
    lost = ~size.isfinite() | ((size < torch.finfo(like.dtype).tiny) & (value != 0))
    lost |= (value == 0) & ~torch.as_tensor(may_vanish, device=value.device)
    if bool(lost.any()):
        number = float(value.detach()[lost][0])
        shown = "too small" if number == 0 else "too large" if abs(number) > 1e308 else number
        raise ValueError(
            f"{what} is {shown if isinstance(shown, str) else f'{shown:.3g}'}, which {like.dtype} "
            "cannot hold; use float64, or another unit of length"
        )
    return kept


def length(points: Tensor, keepdim: bool = False) -> Tensor:
    """Euclidean norms over the last axis, whose squares neither overflow nor vanish.

    Where they would not anyway the result is that of ``torch.linalg.vector_norm``, to the last
    bit, because the unit is a power of two.

    Example:
        >>> length(torch.tensor([3e30, 4e30]))
        tensor(5.0000e+30)
    """
    largest = points.detach().abs().amax(-1, keepdim=True)
    significand = torch.frexp(largest).mantissa
    ordinary = (largest > 0) & largest.isfinite()
    unit = torch.where(ordinary, largest / (2 * significand), 1)
    norms = torch.linalg.vector_norm(points / unit, dim=-1, keepdim=True) * unit
    return norms if keepdim else norms.squeeze(-1)
