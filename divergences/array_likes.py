"""What people give as numbers, as tensors: arrays, tensors, data frames, lists of rows.

The one conversion of this package. It changes no number, and refuses what it would have to change.
"""

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from divergences.checks import shown
from divergences.shown_text import listed, visible

HALVES = (torch.float16, torch.bfloat16)
FLOATS = (*HALVES, torch.float32, torch.float64)
TEXTS = ("object", "str", "string", "string[python]", "string[pyarrow]", "category", "utf8")
RESOLVED = 2**53  # integers above this are not told apart in double precision


def as_tensor(sample: Any, name: str = "x") -> Tensor:
    """The numbers of a sample, of whatever shape, as a dense tensor of floating-point numbers.

    Floating-point numbers keep their precision, but for those longer than double precision; a
    tensor of them is returned as it is. Integers and truth values become double precision. What a
    data frame lacks is NaN.

    Raises:
        TypeError: If it holds anything but real numbers.
        ValueError: If rows differ in length, values are masked, or integers are too large for
            double precision.

    Example:
        >>> as_tensor([[0.5, 1.0], [2.0, 3.0]]).dtype
        torch.float64
        >>> as_tensor(np.arange(3))
        tensor([0., 1., 2.], dtype=torch.float64)
    """
    rows = isinstance(sample, (list, tuple))
    if rows and sample and all(isinstance(row, Tensor) for row in sample):
        sample = _stacked(sample, name)
    if isinstance(sample, Tensor):
        return _from_tensor(sample, name)
    if not (hasattr(sample, "__array__") or rows):
        raise TypeError(
            f"{name} is a {type(sample).__name__}; pass an array, a torch.Tensor, a data frame or "
            "a list"
        )
    names = column_names(sample)
    if names is not None:
        _refuse_text_columns(sample, names, name)
    _refuse_masked(sample, name)
    try:
        array = np.asarray(sample)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}; give every row as many numbers") from None
    if array.dtype == object and names is not None:
        array = _with_gaps(sample, array)
    if array.dtype.kind == "f" and names is not None:
        _refuse_too_fine_columns(sample, array, name)
    if array.dtype == object and any(value is None for value in array.flat):
        raise TypeError(f"{name} holds None; remove such rows, or fill them")
    if array.dtype.kind in "mM":
        raise TypeError(
            f"{name} holds {visible(array.dtype)}; divide by a unit, such as "
            "numpy.timedelta64(1, 's'), and subtract a first date from dates"
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} holds {visible(array.dtype)}, not real numbers; convert it, for instance "
            "with numpy.asarray(x, dtype=float)"
        )
    _refuse_too_fine(array, name)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # to inf, which no estimator takes
            array = array.astype(np.float64)
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def as_sample(points: Any, name: str = "x") -> Tensor:
    """The same of points: a vector is as many points on the line, ``(n, 1)``.

    Example:
        >>> as_sample([0.5, 1.5, 2.5]).shape
        torch.Size([3, 1])
    """
    points = as_tensor(points, name)
    return points[:, None] if points.ndim == 1 else points


def as_pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both samples, in the precision of the finer one, and in single precision at least.

    Raises:
        TypeError: As :func:`as_tensor`, and if only one is in half precision.
        ValueError: As :func:`as_tensor`; if one is a vector and the other has several columns; if
            two data frames have other columns, or other places for them.

    Example:
        >>> x, y = as_pair([0, 1, 2], torch.zeros(5))
        >>> x.shape, y.shape, y.dtype
        (torch.Size([3, 1]), torch.Size([5, 1]), torch.float64)
    """
    a = as_tensor(x, "x")
    b = a if y is x else as_tensor(y, "y")
    _refuse_other_columns(x, y)
    for name, one, other in (("x", a, b), ("y", b, a)):
        if one.ndim == 1 and other.ndim > 1 and other.shape[-1] != 1:
            raise ValueError(
                f"{name} is a vector, which is {len(one)} points on the line, and the other "
                f"sample has the shape {tuple(other.shape)}; use {name}[None] for a single point"
            )
    if a.dtype != b.dtype and (a.dtype in HALVES or b.dtype in HALVES):
        raise TypeError(
            f"x holds {a.dtype} and y {b.dtype}: half precision is a coarse lattice, on which the "
            "other sample does not lie; round both alike, with x.to(y.dtype) or y.to(x.dtype)"
        )
    dtype = torch.promote_types(a.dtype, b.dtype)
    dtype = torch.float32 if dtype in HALVES else dtype  # an estimate needs more digits
    return as_sample(a.to(dtype)), as_sample(b.to(dtype))


def column_names(sample: Any) -> tuple[str, ...] | None:
    """Names of a data frame's columns; ``None`` of anything else."""
    if not hasattr(sample, "__array__"):  # a lazy frame has columns and no numbers yet
        return None
    # Arrow's columns are the numbers
    names = getattr(sample, "column_names", getattr(sample, "columns", None))
    return None if names is None or callable(names) else tuple(map(str, names))


def _refuse_other_columns(x: Any, y: Any) -> None:
    first, second = column_names(x), column_names(y)
    if first is None or second is None or first == second:
        return
    lacking = [name for name in first if name not in set(second)]
    if lacking or len(first) != len(second):
        lacking = lacking or [name for name in second if name not in set(first)] or [*second]
        raise ValueError(
            f"x and y do not both have {listed(lacking)}; keep the columns that both have, in one "
            "order, or pass their values"
        )
    raise ValueError(
        "x and y have the same columns in another order; bring those of y into that of x, with "
        "y[list(x.columns)]"
    )


def _stacked(rows: Any, name: str) -> Tensor:
    try:
        return torch.stack(list(rows))
    except RuntimeError:
        shapes = sorted({tuple(row.shape) for row in rows})
        raise ValueError(
            f"{name} is a list of tensors that do not stack, of shapes {shown(shapes)}; give "
            "every row as many numbers, all on one device"
        ) from None


def _from_tensor(sample: Tensor, name: str) -> Tensor:
    plain = sample.layout == torch.strided and not sample.is_nested
    if not plain or sample.is_quantized or sample.is_meta:
        kind = "quantized" if sample.is_quantized else "meta" if sample.is_meta else sample.layout
        kind = "nested" if sample.is_nested else kind
        raise TypeError(f"{name} is a {kind} tensor; pass a dense one that holds its numbers")
    if sample.is_complex():
        raise TypeError(f"{name} holds {sample.dtype}, not real numbers; pass sample.real")
    if sample.dtype in FLOATS:
        return sample.resolve_neg() if sample.is_neg() else sample
    if not sample.is_floating_point():
        _refuse_too_fine(sample.detach().cpu().numpy(), name)
    return sample.double()


def _refuse_too_fine(array: np.ndarray, name: str) -> None:
    wide = array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size
    if wide and (int(array.max()) > RESOLVED or int(array.min()) < -RESOLVED):
        raise _too_fine(name)


def _too_fine(name: str) -> ValueError:
    return ValueError(
        f"{name} holds integers beyond 2**53, which double precision cannot tell apart; "
        "subtract an offset first"
    )


def _refuse_masked(sample: Any, name: str) -> None:
    """Raise a ValueError if values are masked, which NumPy's conversion would bring back."""
    rows = sample if isinstance(sample, (list, tuple)) else (sample,)
    if any(isinstance(row, np.ma.MaskedArray) and np.ma.is_masked(row) for row in rows):
        raise ValueError(
            f"{name} holds masked values, which are missing; remove such rows, or fill them with "
            "numbers"
        )


def _refuse_text_columns(frame: Any, names: tuple[str, ...], name: str) -> None:
    kinds = getattr(frame, "dtypes", None)
    if kinds is None:
        return
    text = {n: kind for n, kind in zip(names, kinds, strict=False) if _is_text(kind)}
    if text:
        first = str(next(iter(text.values()))).lower()
        found = "text" if first in TEXTS else shown(first)
        raise TypeError(
            f"{name}: {listed([*text])}: {found}, not numbers; encode it as numbers in both "
            "samples alike, or leave them out of both"
        )


def _is_text(kind: Any) -> bool:
    name = str(kind).lower().removeprefix("sparse[")
    return not name.startswith(("int", "uint", "float", "double", "bool", "decimal"))


def _with_gaps(frame: Any, cells: np.ndarray) -> np.ndarray:
    """The numbers of a frame whose columns can lack values, which are NaN then."""
    try:
        return frame.to_numpy(dtype=float, na_value=np.nan)  # pandas
    except (TypeError, ValueError, AttributeError):
        try:
            return cells.astype(float)  # decimal numbers
        except (TypeError, ValueError):
            return cells


def _refuse_too_fine_columns(frame: Any, cells: np.ndarray, name: str) -> None:
    """Refuse whole numbers that became floating-point ones beside a gap or another column."""
    schema = getattr(frame, "schema", None)  # Arrow's
    kinds = frame.dtypes if hasattr(frame, "dtypes") else getattr(schema, "types", ())
    whole = [j for j, kind in enumerate(kinds) if re.search("int|dec", str(kind).lower())]
    if whole and np.nanmax(np.abs(cells[:, whole]), initial=0) > RESOLVED:
        raise _too_fine(name)
