"""What an estimate is, and what an estimator takes and returns."""

from __future__ import annotations

import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from divergences.array_likes import FLOATS, as_pair
from divergences.repeated_points import repeated

Bound = Literal["exact", "lower", "upper", "none"]
Z = 1.959964  # standard errors to either side of a 95 % interval of many points
LENGTH = "in the unit of the data"
SQUARE = "in the squared unit of the data"
COARSE = 1e-3  # of a spread, from which rounding of one sample alone shows
MOST_ROWS = 100  # of what is rather an image than a sample
FLATTEN = "if each entry is one point, such as an image, flatten it: x.reshape(len(x), -1)"


class Quantity(NamedTuple):
    """How a quantity is written, in which unit, and the largest and least values it can have."""

    symbol: str
    unit: str = ""
    largest: float = math.inf
    least: float = 0.0


QUANTITIES = {
    "kl": Quantity("KL(x‖y)", "nats"),
    "kl_reverse": Quantity("KL(y‖x)", "nats"),
    "js": Quantity("JS(x, y)", "nats", math.log(2)),
    "tv": Quantity("TV(x, y)", largest=1.0),
    "hellinger2": Quantity("squared Hellinger distance(x, y)", largest=2.0),
    "pearson": Quantity("Pearson χ²(x‖y)"),
    "triangular": Quantity("triangular discrimination(x, y)", largest=2.0),
    "js_of_pairs": Quantity("JS of pairs(x, y)", "nats", math.log(2)),
    "entropy": Quantity("H(x)", "nats", least=-math.inf),
    "cross_entropy": Quantity("H(x, y)", "nats", least=-math.inf),
    "w1": Quantity("W1(x, y)", LENGTH),
    "w2": Quantity("W2(x, y)", LENGTH),
    "sw1": Quantity("sliced W1(x, y)", LENGTH),
    "sw2": Quantity("sliced W2(x, y)", LENGTH),
    "energy": Quantity("energy distance(x, y)", LENGTH),
    "mmd": Quantity("MMD²(x, y)", largest=2.0),
    "frechet": Quantity("Fréchet distance(x, y)", SQUARE),
    "kid": Quantity("KID(x, y)"),
    "precision": Quantity("precision(x, y)", largest=1.0),
    "recall": Quantity("recall(x, y)", largest=1.0),
    "density": Quantity("density(x, y)"),
    "coverage": Quantity("coverage(x, y)", largest=1.0),
    "clipped_density": Quantity("clipped density(x, y)"),
    "clipped_coverage": Quantity("clipped coverage(x, y)"),
    "authenticity": Quantity("authenticity(x, y)", largest=1.0),
    "data_copying": Quantity("data copying(x, y)", largest=1.0),
    "c2st_accuracy": Quantity("C2ST accuracy(x, y)", largest=1.0),
    "c2st_auc": Quantity("C2ST AUC(x, y)", largest=1.0),
    "sinkhorn": Quantity("Sinkhorn divergence(x, y)", LENGTH),
    "sinkhorn2": Quantity("Sinkhorn divergence of order 2(x, y)", SQUARE),
}
"""The quantities estimated here, by the name that :attr:`Estimator.quantity` holds."""


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
        floor: What the same method measures at P = Q with the same sizes, ``nan`` if unmeasured.
            Shown beside the value, never subtracted from it.
        seconds: Wall-clock time spent.
        warnings: What the method knows it cannot know, one sentence each.
        quantity: What was estimated, a key of :data:`QUANTITIES`; ``""`` if nobody has said.

    Example:
        >>> found = Estimate(torch.tensor(0.5), torch.tensor(0.1), n=(64, 64), quantity="kl")
        >>> float(found.ci[1])
        0.6959...
        >>> print(found)
        KL(x‖y) = 0.50 nats, 95 % [0.30, 0.70]
    """

    value: Tensor
    stderr: Tensor
    ci: tuple[Tensor, Tensor] = None  # type: ignore[assignment]  # filled in below
    bound: Bound = "none"
    n: tuple[int, int] = (0, 0)
    floor: Tensor = None  # type: ignore[assignment]
    seconds: float = float("nan")
    warnings: tuple[str, ...] = ()
    quantity: str = ""

    def __post_init__(self) -> None:
        self._check(value=self.value, stderr=self.stderr)
        if self.ci is None:
            half = Z * self.stderr
            object.__setattr__(self, "ci", (self.value - half, self.value + half))
        if self.floor is None:
            object.__setattr__(self, "floor", torch.full_like(self.value, float("nan")))
        low, high = self.ci
        self._check(**{"ci[0]": low, "ci[1]": high, "floor": self.floor})
        if isinstance(self.warnings, str):
            raise TypeError(f"warnings = {self.warnings!r}: they must be a tuple of sentences")

    def _check(self, **numbers: Any) -> None:
        for name, number in numbers.items():
            if not (isinstance(number, Tensor) and number.is_floating_point()):
                kind = number.dtype if isinstance(number, Tensor) else type(number).__name__
                raise TypeError(
                    f"Estimate: {name} is {kind}; pass a floating-point tensor, such as "
                    "torch.tensor(0.5)"
                )
            if number.layout != torch.strided:
                raise TypeError(f"Estimate: {name} is {number.layout}; pass it dense")
            if number.shape != self.value.shape:
                raise ValueError(
                    f"Estimate: {name} has shape {tuple(number.shape)} and value "
                    f"{tuple(self.value.shape)}; there is one number for each member"
                )

    def __float__(self) -> float:
        return float(self.value)

    @property
    def unit(self) -> str:
        """The unit of ``value``: ``"nats"``, that of the data, or ``""`` for a pure number."""
        return QUANTITIES[self.quantity].unit if self.quantity in QUANTITIES else ""

    def __str__(self) -> str:
        """One line per member with quantity, unit, interval and floor; below them the warnings."""
        columns = (t.detach().reshape(-1).tolist() for t in (self.value, *self.ci, self.floor))
        lines = [self._line(*numbers) for numbers in zip(*columns, strict=True)]
        if self.value.ndim:
            lines = [f"member {k}: {line}" for k, line in enumerate(lines)]
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in self.warnings)])

    def _line(self, value: float, low: float, high: float, floor: float) -> str:
        known = QUANTITIES.get(self.quantity, Quantity(self.quantity or "estimate"))
        if math.isnan(value):
            return f"{known.symbol}: no estimate"
        text, low_text, high_text = _to_their_precision(value, low, high)
        parts = [" ".join(filter(None, [f"{known.symbol} = {text}", known.unit]))]
        if self.bound == "lower":
            parts.append("a lower bound")
        no_interval = math.isnan(low) or math.isnan(high)
        parts.append("no interval" if no_interval else f"95 % [{low_text}, {high_text}]")
        if not math.isnan(floor):
            parts.append(f"{floor:.2g} between equal laws")
        return ", ".join(parts)

    def in_dtype(self, dtype: torch.dtype) -> Estimate:
        """The same with every tensor in ``dtype``."""
        return self._with_tensors(lambda tensor: tensor.to(dtype))

    def of_only_member(self) -> Estimate:
        """The same with shape ``()``, from shape ``(1,)``."""
        return self._with_tensors(lambda tensor: tensor.squeeze(0))

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> Estimate:
        low, high = self.ci
        return replace(
            self,
            value=change(self.value),
            stderr=change(self.stderr),
            ci=(change(low), change(high)),
            floor=change(self.floor),
        )


def _to_their_precision(value: float, *ends: float) -> list[str]:
    """All numbers with as many digits as the interval's width lets two of the value count."""
    finite = [number for number in (value, *ends) if math.isfinite(number)]
    half = (max(finite, default=0.0) - min(finite, default=0.0)) / 2
    largest = max(map(abs, finite), default=0.0)
    digits = 4
    if half > 0:
        digits = 2 + math.floor(math.log10(largest)) - math.floor(math.log10(half))
    return [f"{number:#.{min(max(digits, 2), 15)}g}".rstrip(".") for number in (value, *ends)]


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


def perhaps_images(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where what is taken for members may well be points that are matrices.

    Members are few and have many points each. Images, or series of several channels, are many and
    small: as many as there are rows in each, which are :data:`MOST_ROWS` at most, or
    square.

    Example:
        >>> images = torch.zeros(60, 8, 8)
        >>> perhaps_images(images, images)[0]
        '3 axes are taken for 60 pairs of samples of 8 points each; if each entry is one ...'
        >>> perhaps_images(torch.zeros(4, 512, 2), torch.zeros(4, 512, 2))
        ()
    """
    if x.ndim != 3 or x.shape != y.shape:
        return ()
    members, n, d = x.shape
    if members == 1 or (n != d and n > min(members, MOST_ROWS)):
        return ()
    return (f"3 axes are taken for {members} pairs of samples of {n} points each; {FLATTEN}",)


def nothing_varies(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where all points of both samples are one and the same.

    How far from it others may lie, which neither sample holds, nothing shows.

    Example:
        >>> nothing_varies(torch.zeros(50, 2), torch.zeros(60, 2))[0]
        'all points of x and y are the same: others may have a probability of up to 0.06, ...'
        >>> nothing_varies(torch.zeros(50, 2), torch.ones(60, 2))
        ()
    """
    first = x.detach()[..., :1, :]
    # nearly always the first two points differ
    if any(bool((z != first).any(-1).any(-1).all()) for z in (x[..., :2, :], x, y)):
        return ()
    return (
        "all points of x and y are the same: others may have a probability of up to "
        f"{3 / min(x.shape[-2], y.shape[-2]):.1g}, and lie anywhere; no interval is known",
    )


def impossible(found: Estimate, quantity: str) -> tuple[str, ...]:
    """A warning where no value that the quantity can have is in the interval.

    Between equal laws chance does that to one interval in forty. Samples that are no independent
    draws do it always: a sample and a copy of it with a little noise are more alike than any two.

    Example:
        >>> low, high = torch.tensor(-0.4), torch.tensor(-0.1)
        >>> found = Estimate(torch.tensor(-0.2), torch.tensor(0.1), ci=(low, high))
        >>> impossible(found, "js")[0]
        'the interval ends at -0.1, and JS(x, y) is never below 0: ...'
    """
    known = QUANTITIES.get(quantity)
    if known is None:
        return ()
    low, high = found.ci
    below, above = high < known.least, low > known.largest * (1 + 1e-6)
    if below.any():
        return (
            f"the interval ends at {float(high[below].min()):.3g}, and {known.symbol} is never "
            f"below {known.least:g}: by chance, or x and y are more alike than independent draws",
        )
    if above.any():
        return (
            f"the interval begins at {float(low[above].max()):.3g}, and {known.symbol} is never "
            f"above {known.largest:.3g}: by chance, or x and y are no independent draws",
        )
    return ()


def rounded_apart(x: Tensor, y: Tensor) -> tuple[str, ...]:
    """A warning where one sample was rounded to single precision, coarsely, and the other not.

    Such samples lie on different lattices, whatever their laws were before.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (1e6 + torch.randn(99, 1, generator=draw).double() / 3 for _ in range(2))
        >>> rounded_apart(x.float().double(), y)
        ('x is rounded to steps of up to 0.12, y is not: ...',)
        >>> rounded_apart(x, y) + rounded_apart(x.float(), y.float())
        ()
    """
    if torch.float32 in (x.dtype, y.dtype):
        return ()  # both are
    # nearly always the first point of double precision has digits that single precision lacks
    single = [all(bool((z == z.float()).all()) for z in (s[..., :1, :], s)) for s in (x, y)]
    if single[0] == single[1]:
        return ()
    one, other = (x, y) if single[0] else (y, x)
    steps = torch.finfo(torch.float32).eps * one.detach().abs().flatten(0, -2).amax(0)
    spread = other.detach().flatten(0, -2).std(0)
    if not bool(((steps > COARSE * spread) & (spread > 0)).any()):
        return ()
    names = "xy" if single[0] else "yx"
    return (
        f"{names[0]} is rounded to steps of up to {float(steps.max()):.2g}, {names[1]} is not: "
        "that is a difference of its own; subtract an offset before rounding, or round both alike",
    )


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
