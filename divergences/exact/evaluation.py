r"""Evaluating a formula to the accuracy of the result's dtype.

A formula is a function ``(F, *parameters)`` over a namespace ``F`` of
:mod:`divergences.exact.float64`. It returns addends, each exact to a few roundings of its size:
a number, whose size is its own, or a pair ``(number, size)``. :func:`evaluate` adds them up in
float64. Where the addends cancel so far that the sum may be wrong in a digit of the result, or
where one of them overflows, it evaluates the same formula again with as many digits as it takes.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import torch
from torch import Tensor

from divergences.exact.digits import DIGITS, numbers
from divergences.exact.float64 import FLOAT64, ROUNDINGS
from divergences.exact.parameters import all_finite
from divergences.exact.quick import quick_for

__all__ = ["evaluate", "few_enough", "result_dtype", "rounded", "tolerance"]

MOST_DIGITS = 2000
BLOCK = 8192  # numbers computed at a time, which fit a processor's cache
MOST_ELEMENTS = 10_000  # that are computed with more digits, at a millisecond or more each


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
    quick: bool = False,
) -> Tensor:
    """The value of a formula, rounded to ``dtype``.

    Args:
        formula: Called with a namespace of functions and the parameters.
        parameters: Tensors whose batch shapes broadcast.
        dtype: Of the result.
        infinite: Where the divergence is infinite and the formula does not hold.
        events: Number of trailing dimensions of each parameter that belong to one distribution.
        quick: Whether to try :mod:`divergences.exact.quick` first, which pays where addends do not
            cancel.

    Raises:
        NotImplementedError: If more than :data:`MOST_ELEMENTS` values need more digits.
        ValueError: If a value or its derivative is too large for the dtype.
    """
    shapes = [x.shape[: x.ndim - events] for x in parameters]
    shape = torch.broadcast_shapes(*shapes, () if infinite is None else infinite.shape)
    inside = None if infinite is None or not bool(infinite.any()) else ~infinite.expand(shape)
    rows = [x.expand((*shape, *x.shape[x.ndim - events :])) for x in parameters]
    if inside is None:
        rows = [x.reshape(-1, *x.shape[x.ndim - events :]) for x in rows]
    else:
        rows = [x[inside] for x in rows]
    found = rounded(_finite(formula, rows, tolerance(dtype), quick), dtype)
    if inside is None:
        return found.reshape(shape)
    return torch.full_like(inside, math.inf, dtype=dtype).masked_scatter(inside, found)


def rounded(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A finite float64 value in another dtype.

    Raises:
        ValueError: If it is too large for it.
    """
    result = value.to(dtype)
    if not all_finite(result):
        most = value.detach().abs().max().item()
        raise ValueError(
            f"the divergence is finite, but larger than {dtype} can hold"
            + (f" ({most:.3g})" if math.isfinite(most) else "")
            + "; convert the parameters to float64, or compare laws that are less far apart"
        )
    return result


def _finite(
    formula: Callable[..., Sequence[Any]], rows: list[Tensor], tol: float, quick: bool
) -> Tensor:
    """Values of a formula, by the cheapest functions that are accurate enough for each."""
    length = max(1, BLOCK // max(1, *(x[:1].numel() for x in rows)))
    blocks = zip(*(x.split(length) for x in rows), strict=True)
    settled = [_in_float64(formula, [x.double() for x in block], tol, quick) for block in blocks]
    value = torch.cat([v for v, _ in settled])
    if all(hard is None for _, hard in settled):
        return value
    none = [torch.zeros_like(v, dtype=torch.bool) if h is None else h for v, h in settled]
    hard = torch.cat(none)
    few_enough(int(hard.sum()))
    numbers = [x.detach()[hard].double().cpu().numpy() for x in rows]
    exact = [_in_digits(formula, row) for row in zip(*numbers, strict=True)]
    with torch.no_grad():
        right = torch.zeros_like(value).masked_scatter(hard, value.new_tensor(exact))
    lost = hard & ~value.isfinite()
    if bool(lost.any()) and value.requires_grad:
        raise ValueError(
            "the divergence is known at these parameters, but its derivatives overflow; detach "
            "the parameters, or rescale the space"
        )
    # the float64 formula still gives the derivatives: its own error there is of first order
    near = torch.where(lost, 0, value)
    return torch.where(hard, right + (near - near.detach()), near)


def _in_float64(
    formula: Callable[..., Sequence[Any]], rows: list[Tensor], tol: float, quick: bool
) -> tuple[Tensor, Tensor | None]:
    """Values of a formula, and where they are not known to be right; None if everywhere."""
    if not quick:
        return _tried(FLOAT64, formula, rows, tol)
    value, unsure = _tried(quick_for(tol), formula, rows, tol)
    if unsure is None:
        return value, None
    if value.requires_grad:  # its gradient would pass through what is dropped below
        return _tried(FLOAT64, formula, rows, tol)
    rest, hard = _tried(FLOAT64, formula, [x[unsure] for x in rows], tol)
    value = value.masked_scatter(unsure, rest)
    return value, None if hard is None else unsure.masked_scatter(unsure, hard)


def few_enough(count: int) -> None:
    """Refuse more values than can be computed with more digits in a minute.

    Raises:
        NotImplementedError: If there are too many.
    """
    if count > MOST_ELEMENTS:
        raise NotImplementedError(
            f"float64 has too few digits for {count} values of the batch, and at most "
            f"{MOST_ELEMENTS} are computed with more at a time; split the batch"
        )


def _tried(
    F: Any, formula: Callable[..., Sequence[Any]], rows: list[Tensor], tol: float
) -> tuple[Tensor, Tensor | None]:
    """The same with these functions."""
    value, size = _added(F.slack, formula(F, *rows))
    with torch.no_grad():
        sure = tol * value - ROUNDINGS * size  # NaN for infinite values
        if not sure.numel() or sure.amin().item() >= 0:
            return value, None
        return value, ~(sure >= 0)


def _added(slack: float, addends: Sequence[Any]) -> tuple[Any, Any]:
    value, size = 0, 0
    for addend in addends:
        if isinstance(addend, tuple):
            x, s = addend
        else:
            x = addend
            s = abs(x.detach() if isinstance(x, Tensor) else x) * slack
        value, size = value + x, size + s
    return value, size


def _in_digits(formula: Callable[..., Sequence[Any]], row: Sequence[Any]) -> float:
    """The value at one set of parameters, with more digits until enough of them are right."""
    for digits in itertools.takewhile(lambda d: d < MOST_DIGITS, (150 * 3**k for k in range(9))):
        with mpmath.workdps(digits):
            value, size = _added(1, formula(DIGITS, *(numbers(x) for x in row)))
            if abs(value) > size * mpmath.mpf(10) ** (-digits / 2):
                return float(value)
    return 0.0  # equal to hundreds of digits: the two laws are the same
