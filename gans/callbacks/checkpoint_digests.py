"""A digest of what a checkpoint holds, written into it, by which a later change is noticed."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

SEAL = "seal"
"""Where a checkpoint keeps its digest."""


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content with its digest.

    Example:
        >>> broken({**sealed({"global_step": 4}), "global_step": 5})
        True
    """
    return {**content, SEAL: digest(content)}


def broken(content: dict[str, Any]) -> bool:
    """Whether the content has a digest, and it is of something else."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    return SEAL in content and content[SEAL] != digest(rest)


def digest(content: Any) -> str:
    """SHA-256 of nested containers, tensors and plain values, in their order.

    Example:
        >>> wide = torch.ones(1).expand(3)
        >>> digest(wide) == digest(torch.ones(3)) != digest(torch.ones(3, dtype=torch.bfloat16))
        True
    """
    hashed = hashlib.sha256()
    for part in _parts(content):
        hashed.update(part)
    return hashed.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)};".encode()
        flat = torch.empty(value.numel(), dtype=value.dtype)  # whatever strides it has
        yield flat.copy_(value.detach().reshape(-1)).view(torch.uint8).numpy().tobytes()
    elif isinstance(value, dict):
        yield f"dict {len(value)};".encode()
        for key, inner in value.items():
            yield f"{key!r}:".encode()
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        yield f"{'list' if isinstance(value, list) else 'tuple'} {len(value)};".encode()
        for inner in value:
            yield from _parts(inner)
    else:
        yield f"{type(value).__name__} {value!r};".encode()
