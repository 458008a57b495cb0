"""What an estimate is: a number, its interval, and the quantity that it is of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Bound = Literal["exact", "lower", "upper", "none"]
Z = 1.959964  # standard errors to either side of a 95 % interval of many points
LENGTH = "in the unit of the data"
SQUARE = "in the squared unit of the data"


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
        return float(self.value.detach())

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
        if all(t.dtype == dtype for t in (self.value, self.stderr, *self.ci, self.floor)):
            return self
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
