r"""Evaluating a formula to the accuracy of the result's dtype.

A formula is a function ``(F, *parameters)`` over a namespace ``F`` of
:mod:`divergences.exact.functions`. It returns addends, each exact to a few roundings of its size:
a number, whose size is its own, or a pair ``(number, size)``. :func:`evaluate` adds them up in
float64. Where the addends cancel so far that the sum may be wrong in a digit of the result, or
where one of them overflows, it evaluates the same formula again with as many digits as it takes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import torch
from torch import Tensor

from divergences.exact.functions import DIGITS, FLOAT64

__all__ = ["ROUNDINGS", "evaluate", "numbers", "result_dtype", "rounded"]

ROUNDINGS = 8 * 2.0**-53  # of an addend, relative to its size
MOST_DIGITS = 2000


def result_dtype(*parameters: Tensor) -> torch.dtype:
    """The dtype that holds all parameters, as in arithmetic between them."""
    dtype = parameters[0].dtype
    for x in parameters[1:]:
        dtype = torch.promote_types(dtype, x.dtype)
    return dtype if dtype.is_floating_point else torch.get_default_dtype()


def tolerance(dtype: torch.dtype) -> float:
    """Relative error that a result may have before it is rounded to its dtype."""
    return max(torch.finfo(dtype).eps / 8, 1e-12)


def evaluate(
    formula: Callable[..., Sequence[Any]],
    parameters: Sequence[Tensor],
    dtype: torch.dtype,
    infinite: Tensor | None = None,
    events: int = 0,
) -> Tensor:
    """The value of a formula, rounded to ``dtype``.

    Args:
        formula: Called with a namespace of functions and the parameters.
        parameters: Tensors whose batch shapes broadcast.
        dtype: Of the result.
        infinite: Where the divergence is infinite and the formula does not hold.
        events: Number of trailing dimensions of each parameter that belong to one distribution.

    Raises:
        ValueError: If a value or its derivative is too large for the dtype.
    """
    shapes = [x.shape[: x.ndim - events] for x in parameters]
    shape = torch.broadcast_shapes(*shapes, () if infinite is None else infinite.shape)
    parameters = [x.double().expand((*shape, *x.shape[x.ndim - events :])) for x in parameters]
    if infinite is None or not bool(infinite.any()):
        return rounded(_finite(formula, parameters, tolerance(dtype)), dtype)
    inside = ~infinite.expand(shape)
    value = torch.full(shape, math.inf, dtype=torch.float64, device=inside.device)
    if bool(inside.any()):
        found = _finite(formula, [x[inside] for x in parameters], tolerance(dtype))
        value = value.masked_scatter(inside, rounded(found, dtype).double())
    return value.to(dtype)


def rounded(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A finite float64 value in another dtype.

    Raises:
        ValueError: If it is too large for it.
    """
    result = value.to(dtype)
    if not bool(result.isfinite().all()):
        most = value.detach().abs().max().item()
        raise ValueError(
            f"the divergence is finite, but larger than {dtype} can hold"
            + (f" ({most:.3g})" if math.isfinite(most) else "")
            + "; convert the parameters to float64, or compare laws that are less far apart"
        )
    return result


def _finite(formula: Callable[..., Sequence[Any]], parameters: list[Tensor], tol: float) -> Tensor:
    value, size = _added(formula(FLOAT64, *parameters))
    with torch.no_grad():
        hard = ~(size * ROUNDINGS <= tol * value) | ~value.isfinite()  # NaN as well
    if not bool(hard.any()):
        return value
    rows = [x.detach()[hard].cpu().numpy() for x in parameters]
    exact = [_in_digits(formula, [x[i] for x in rows], tol) for i in range(int(hard.sum()))]
    with torch.no_grad():
        right = torch.zeros_like(value).masked_scatter(hard, value.new_tensor(exact))
    value = value.expand(hard.shape)
    lost = hard & ~value.isfinite()
    if bool(lost.any()) and value.requires_grad:
        raise ValueError(
            "the divergence is known at these parameters, but its derivatives overflow; detach "
            "the parameters, or rescale the space"
        )
    # the float64 formula still gives the derivatives: its own error there is of first order
    near = torch.where(lost, 0, value)
    return torch.where(hard, right + (near - near.detach()), near)


def _added(addends: Sequence[Any]) -> tuple[Any, Any]:
    value, size = 0, 0
    for addend in addends:
        x, s = addend if isinstance(addend, tuple) else (addend, abs(addend))
        value, size = value + x, size + s
    return value, size


def _in_digits(formula: Callable[..., Sequence[Any]], row: list[Any], tol: float) -> float:
    """The value at one set of parameters, with more digits until enough of them are right."""
    for digits in itertools.takewhile(lambda d: d < MOST_DIGITS, (150 * 3**k for k in range(9))):
        with mpmath.workdps(digits):
            value, size = _added(formula(DIGITS, *(numbers(x) for x in row)))
            if abs(value) > size * mpmath.mpf(10) ** (-digits / 2):
                return float(value)
    return 0.0  # equal to hundreds of digits: the two laws are the same


def numbers(x: Any) -> Any:
    """mpmath's numbers in place of float64: one, or an array of them."""
    return np.vectorize(mpmath.mpf, otypes=[object])(x)[()]
