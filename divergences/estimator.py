"""What an estimator takes, checks and returns."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from typing import Any, ClassVar

import torch
from torch import Tensor

from divergences.array_likes import FLOATS, as_pair
from divergences.estimate import Bound, Estimate, stack_members
from divergences.repeated_points import repeated
from divergences.sample_warnings import (
    FLATTEN,
    impossible,
    nothing_varies,
    perhaps_images,
    rounded_apart,
)


class Referenced:
    """What knows the papers that its documentation names, or that of its base.

    Attributes:
        references: Their addresses, in order.

    Example:
        >>> class Lasso(Referenced):
        ...     "Regression with few coefficients, https://doi.org/10.2307/2346178."
        >>> Lasso.references
        ('https://doi.org/10.2307/2346178',)
    """

    references: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        found = re.findall(r"https?://[^\s<>]+[^\s<>.,;)]", cls.__doc__ or "")
        cls.references = tuple(found) or cls.references


class Estimator(Referenced, ABC):
    r"""Estimates one quantity from two samples.

    Called on ``x`` of shape ``(n, d)`` drawn from P and ``y`` of shape ``(m, d)`` drawn from Q,
    or on both with a leading member axis, ``(K, n, d)`` and ``(K, m, d)``. A vector ``(n,)`` is
    ``n`` points on the line. Both are tensors, NumPy arrays, data frames, or lists, of
    floating-point numbers or integers. The estimate has the precision of the finer sample, single
    precision at least, and double precision for integers.

    Attributes:
        quantity: What is estimated: ``"kl"``, ``"js"``, ``"tv"``, ``"w1"``, ...
        bound: Which side of the true value the estimate lies on, in expectation.
        rate: The exponent ``r`` in ``error ~ n**-r`` on smooth overlapping 2-D pairs, or ``None``
            where the literature states none.
    """

    quantity: ClassVar[str]
    bound: ClassVar[Bound]
    rate: ClassVar[float | None] = None

    def __call__(self, x: Any, y: Any) -> Estimate:
        """Estimate the quantity between the laws of ``x`` and ``y``."""
        x, y = as_pair(x, y)
        found = self.measure(x, y)
        notes = (
            *found.warnings,
            *repeated(x, y),
            *rounded_apart(x, y),
            *nothing_varies(x, y),
            *impossible(found, self.quantity),
            *perhaps_images(x, y),
        )
        return replace(found, warnings=notes, quantity=self.quantity).in_dtype(x.dtype)

    @abstractmethod
    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        """What a call returns, in any precision; the samples are tensors, not checked so far."""


def check_samples(x: Tensor, y: Tensor, at_least: int = 2) -> tuple[Tensor, Tensor]:
    """Return ``x`` and ``y`` as ``(K, n, d)`` and ``(K, m, d)``, or say what is wrong with them.

    Raises:
        TypeError: If either is not a floating-point tensor, or their dtypes differ.
        ValueError: If shapes, dimensions, member counts or devices disagree, if a sample holds
            fewer than ``at_least`` points, or if any coordinate is NaN or infinite.

    Example:
        >>> x, y = check_samples(torch.zeros(4, 2), torch.ones(8, 2))
        >>> x.shape, y.shape
        (torch.Size([1, 4, 2]), torch.Size([1, 8, 2]))
    """
    for name, sample in (("x", x), ("y", y)):
        if not isinstance(sample, Tensor):
            raise TypeError(f"{name} is a {type(sample).__name__}; pass a torch.Tensor")
    if x.device != y.device:
        raise ValueError(f"x is on {x.device} and y on {y.device}; move one of them")
    for name, sample in (("x", x), ("y", y)):
        if sample.dtype not in FLOATS:
            raise TypeError(f"{name} has dtype {sample.dtype}; convert it with {name}.float()")
        if sample.layout != torch.strided:
            raise TypeError(f"{name} is sparse ({sample.layout}); convert it with .to_dense()")
        if sample.ndim not in (2, 3):
            remedy = f"; use {name}[:, None] for points on the line" if sample.ndim else ""
            raise ValueError(
                f"{name} has shape {tuple(sample.shape)}; expected (n, d), or (K, n, d) for K "
                "pairs" + (f"; {FLATTEN}" if sample.ndim > 3 else remedy)
            )
        if sample.shape[-2] < at_least or sample.shape[-1] < 1:
            raise ValueError(
                f"{name} has shape {tuple(sample.shape)}: at least {at_least} points of at least "
                "1 dimension are needed"
            )
        if sample.numel() and not all(map(isfinite, map(float, sample.detach().aminmax()))):
            bad = int((~sample.isfinite().all(-1)).sum())
            raise ValueError(
                f"{name} holds {bad} points with NaN or infinite coordinates (of "
                f"{sample.shape[:-1].numel()}); remove them, or find where they arose"
            )
    if x.ndim != y.ndim or x.shape[-1] != y.shape[-1] or (x.ndim == 3 and len(x) != len(y)):
        raise ValueError(
            f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}: they must agree in all but the "
            "number of points" + (f"; {FLATTEN}" if x.ndim == y.ndim == 3 else "")
        )
    if x.ndim == 3 and len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: there is no member to estimate")
    if x.dtype != y.dtype:
        raise TypeError(f"x has dtype {x.dtype} and y {y.dtype}; convert one of them")
    return (x, y) if x.ndim == 3 else (x[None], y[None])


def each_member(
    estimate: Callable[[Tensor, Tensor], Estimate], x: Tensor, y: Tensor, at_least: int = 2
) -> Estimate:
    """Estimate every member's pair in turn: one :class:`Estimate` of shape ``()`` or ``(K,)``.

    For methods that cannot be batched (trees, linear programs). Warnings say which member they
    belong to; ``seconds`` is the time of all members together.

    Arguments:
        estimate: The estimator of one pair, from ``(n, d)`` and ``(m, d)`` to shape ``()``.
        x: Points of shape ``(n, d)`` or ``(K, n, d)``.
        y: Points of shape ``(m, d)`` or ``(K, m, d)``.
        at_least: Fewest points per sample that ``estimate`` can work with.

    Raises:
        TypeError: As :func:`check_samples`.
        ValueError: As :func:`check_samples`.

    Example:
        >>> gap = lambda x, y: Estimate(y.mean() - x.mean(), torch.tensor(0.0), n=(len(x), len(y)))
        >>> each_member(gap, torch.zeros(3, 4, 1), torch.ones(3, 4, 1)).value
        tensor([1., 1., 1.])
    """
    start = time.perf_counter()
    estimates = [estimate(a, b) for a, b in zip(*check_samples(x, y, at_least), strict=True)]
    return stack_members(estimates, x.ndim == 3, time.perf_counter() - start)
