"""The parameters that distributions were given, in float64 and before torch clamps them."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.distributions import Binomial, Distribution, NegativeBinomial
from torch.distributions.utils import probs_to_logits

__all__ = ["all_finite", "finite", "from_logits", "given", "not_negative", "positive", "trials"]


def all_finite(x: Tensor) -> bool:
    """Whether no element is infinite or NaN."""
    return _within(x, -math.inf, math.inf)


def _within(x: Tensor, low: float, high: float) -> bool:
    """Whether all elements are between two numbers, neither of which they may be."""
    if not x.numel():
        return True
    least, most = x.detach().aminmax()  # NaN if an element is
    return low < least.item() and most.item() < high


def finite(side: Distribution, *names: str) -> Iterator[Tensor]:
    """Parameters by name.

    Raises:
        ValueError: If one is NaN or infinite.
    """
    for name in names:
        x = getattr(side, name)
        if not all_finite(x):
            _refuse(side, name, x, ~x.isfinite(), "finite")
        yield x


def positive(side: Distribution, *names: str) -> Iterator[Tensor]:
    """Parameters by name.

    Raises:
        ValueError: If one is NaN, infinite, zero or negative.
    """
    for name, x in zip(names, finite(side, *names), strict=True):
        if not _within(x, 0, math.inf):
            _refuse(side, name, x, x <= 0, "positive")
        yield x


def not_negative(side: Distribution, *names: str) -> Iterator[Tensor]:
    """Parameters by name.

    Raises:
        ValueError: If one is NaN, infinite or negative.
    """
    for name, x in zip(names, finite(side, *names), strict=True):
        _refuse(side, name, x, x < 0, "at least 0")
        yield x


def trials(side: Binomial | NegativeBinomial) -> Tensor:
    """How many trials a binomial law has, or how many misses end a negative binomial one.

    Raises:
        ValueError: If it is NaN, infinite or negative, or of a binomial law no whole number.
    """
    (x,) = not_negative(side, "total_count")
    if isinstance(side, Binomial):
        _refuse(side, "total_count", x, x != x.floor(), "a whole number")
    return x


def _refuse(side: Distribution, name: str, x: Tensor, bad: Tensor, what: str) -> None:
    if bool(bad.any()):
        raise ValueError(
            f"{name} of {type(side).__name__} is {x[bad][0].item():.6g}; it must be {what} for "
            "the distribution to have a density: look for what made it"
        )


def from_logits(side: Distribution, is_binary: bool) -> bool:
    """Whether a distribution that takes ``probs`` or ``logits`` was given ``logits``.

    torch keeps the other one in the same dictionary once it was asked for. Logits it made itself
    are those of clamped probabilities; logits that were given are kept to their full precision.
    """
    held = vars(side)
    if "probs" not in held or "logits" not in held:
        return "logits" in held
    return not torch.equal(held["logits"], probs_to_logits(held["probs"], is_binary=is_binary))


def given(side: Distribution, is_binary: bool = True) -> tuple[Tensor, bool]:
    """The parameter that was given, and whether it is ``logits``.

    Raises:
        ValueError: If it is NaN, or a probability outside [0, 1].
    """
    logits = from_logits(side, is_binary)
    x = vars(side)["logits" if logits else "probs"]
    if logits:
        _refuse(side, "logits", x, x.isnan() | (x.isposinf() & (not is_binary)), "a number")
    else:
        _refuse(side, "probs", x, ~((x >= 0) & (x <= 1)), "a probability")
    return x, logits
