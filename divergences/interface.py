"""What an estimate is and what an estimator promises. Imports nothing of this package."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

Bound = Literal["exact", "lower", "upper", "none"]


@dataclass(frozen=True)
class Estimate:
    r"""A number measured from samples, together with how far it can be trusted.

    Every tensor field has the shape of the member axis: ``()`` for one pair of samples, ``(K,)``
    for ``K`` pairs at once. Nothing is clipped: a bound on a divergence may come out negative,
    an infinite divergence is ``inf``.

    Attributes:
        value: The estimate, in nats for information measures, in the data's length for transport.
        stderr: Its standard error, ``nan`` where the method has none.
        ci: Lower and upper end of its 95 % interval; ``value ± 1.96 stderr`` unless the method
            knows better.
        bound: Which side of the true value the *expectation* of ``value`` lies on: ``"exact"``
            (no bias), ``"lower"``, ``"upper"`` or ``"none"`` (no such promise).
        n: Sizes of the two samples.
        floor: What the same method reads at P = Q with the same sizes, ``nan`` if unmeasured.
            Shown beside the value, never subtracted from it.
        seconds: Wall-clock time spent.
        warnings: What the method knows it cannot know, one sentence each.

    Example:
        >>> float(Estimate(torch.tensor(0.5), torch.tensor(0.1), n=(64, 64)).ci[1])
        0.6959...
    """

    value: Tensor
    stderr: Tensor
    ci: tuple[Tensor, Tensor] = None  # type: ignore[assignment]  # filled in below
    bound: Bound = "none"
    n: tuple[int, int] = (0, 0)
    floor: Tensor = None  # type: ignore[assignment]
    seconds: float = float("nan")
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ci is None:
            half = 1.959964 * self.stderr
            object.__setattr__(self, "ci", (self.value - half, self.value + half))
        if self.floor is None:
            object.__setattr__(self, "floor", torch.full_like(self.value, float("nan")))

    def __float__(self) -> float:
        return float(self.value)


class Estimator(ABC):
    r"""Estimates one quantity from two samples.

    Called on ``x`` of shape ``(n, d)`` drawn from P and ``y`` of shape ``(m, d)`` drawn from Q,
    or on both with a leading member axis, ``(K, n, d)`` and ``(K, m, d)``.

    Attributes:
        quantity: What is estimated: ``"kl"``, ``"js"``, ``"tv"``, ``"w1"``, ...
        bound: Which side of the true value the estimate lies on, in expectation.
        rate: The exponent ``r`` in ``error ~ n**-r`` on smooth overlapping 2-D pairs, or ``None``
            where the literature promises none.
        references: The papers it comes from.
    """

    quantity: ClassVar[str]
    bound: ClassVar[Bound]
    rate: ClassVar[float | None] = None
    references: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __call__(self, x: Tensor, y: Tensor) -> Estimate:
        """Estimate the quantity between the laws of ``x`` and ``y``."""


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
        if not sample.is_floating_point():
            raise TypeError(f"{name} has dtype {sample.dtype}; convert it with {name}.float()")
        if sample.ndim not in (2, 3):
            raise ValueError(
                f"{name} has shape {tuple(sample.shape)}; expected (n, d), or (K, n, d) for K "
                + ("pairs; use x[:, None] for 1-D points" if sample.ndim == 1 else "pairs")
            )
        if sample.shape[-2] < at_least or sample.shape[-1] < 1:
            raise ValueError(
                f"{name} has shape {tuple(sample.shape)}: at least {at_least} points of at least "
                "1 dimension are needed"
            )
        finite = torch.isfinite(sample)
        if not finite.all():
            bad = int((~finite.all(-1)).sum())
            raise ValueError(
                f"{name} holds {bad} points with NaN or infinite coordinates (of "
                f"{sample.shape[:-1].numel()}); remove them, or find where they arose"
            )
    if x.ndim != y.ndim or x.shape[-1] != y.shape[-1] or (x.ndim == 3 and len(x) != len(y)):
        raise ValueError(
            f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}: they must agree in all but the "
            "number of points"
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


def stack_members(estimates: Sequence[Estimate], members: bool, seconds: float) -> Estimate:
    """One :class:`Estimate` of shape ``(K,)`` from ``K`` of shape ``()``.

    Arguments:
        estimates: One per member, at least one.
        members: Whether there is a member axis; without it the only estimate keeps shape ``()``.
        seconds: Time spent on all of them.

    Example:
        >>> one = Estimate(torch.tensor(1.0), torch.tensor(0.1), n=(8, 8), warnings=("rough",))
        >>> both = stack_members([one, one], True, 0.0)
        >>> both.value, both.warnings
        (tensor([1., 1.]), ('member 0: rough', 'member 1: rough'))
    """
    first = estimates[0]
    if not members:
        return replace(first, seconds=seconds)
    return Estimate(
        value=torch.stack([e.value for e in estimates]),
        stderr=torch.stack([e.stderr for e in estimates]),
        ci=(torch.stack([e.ci[0] for e in estimates]), torch.stack([e.ci[1] for e in estimates])),
        bound=first.bound,
        n=first.n,
        floor=torch.stack([e.floor for e in estimates]),
        seconds=seconds,
        warnings=tuple(f"member {i}: {w}" for i, e in enumerate(estimates) for w in e.warnings),
    )
