"""Results as JSON, every bit of them: tensors, infinities, NaN, tuples and keys of any kind.

A file says what it holds and nothing of how to make it, so that reading one runs nothing.
"""

import base64
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

DTYPES = {str(t).removeprefix("torch."): t for t in (torch.float64, torch.float32, torch.int64)}
DTYPES |= {"bool": torch.bool, "int32": torch.int32}
KIND = "is"
"""The key of a mapping that stands for something JSON does not have."""


def stored(value: Any) -> Any:
    """The value as JSON can hold it.

    Raises:
        TypeError: For what :func:`restored` could not give back.

    Example:
        >>> stored({"a": (1, float("inf"))})
        {'a': {'is': 'tuple', 'of': [1, {'is': 'float', 'of': 'inf'}]}}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        value = float(value)
        return value if math.isfinite(value) else {KIND: "float", "of": repr(value)}
    if isinstance(value, Tensor):
        return _stored_tensor(value)
    if isinstance(value, list):
        return [stored(inner) for inner in value]
    if isinstance(value, tuple):
        return {KIND: "tuple", "of": [stored(inner) for inner in value]}
    if isinstance(value, dict):
        if KIND not in value and all(isinstance(key, str) for key in value):
            return {key: stored(inner) for key, inner in value.items()}
        return {KIND: "dict", "of": [[stored(k), stored(v)] for k, v in value.items()]}
    raise TypeError(
        f"{type(value).__name__} cannot be kept: return numbers, text and tensors, in lists, "
        "tuples and dicts"
    )


def _stored_tensor(value: Tensor) -> dict[str, Any]:
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise TypeError(f"a tensor of {value.dtype} cannot be kept: use {', '.join(DTYPES)}")
    # in the order in which it lay in memory, on which the rounding of sums depends
    order = sorted(range(value.ndim), key=value.stride, reverse=True)
    laid = value.detach().cpu().permute(order).contiguous()
    content = base64.b64encode(laid.numpy().tobytes()).decode()
    return {KIND: dtype, "shape": list(laid.shape), "order": order, "of": content}


def restored(value: Any) -> Any:
    """What was stored.

    Raises:
        ValueError: If this is nothing that :func:`stored` makes.
    """
    if isinstance(value, list):
        return [restored(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if KIND not in value:
        return {key: restored(inner) for key, inner in value.items()}
    try:
        return _restored(value[KIND], value)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{value[KIND]!r:.40} in it cannot be read ({error})") from None


def _restored(kind: Any, value: dict[str, Any]) -> Any:
    content = value["of"]
    if kind == "float":
        return float({"nan": "nan", "inf": "inf", "-inf": "-inf"}[content])
    if kind == "tuple":
        return tuple(restored(list(content)))
    if kind == "dict":
        return {restored(key): restored(inner) for key, inner in content}
    dtype = DTYPES[kind]
    laid = np.frombuffer(base64.b64decode(content, validate=True), str(dtype)[6:])
    shape, order = list(value["shape"]), list(value["order"])
    back = [order.index(d) for d in range(len(order))]
    return torch.from_numpy(laid.copy()).view(shape).permute(back)
