"""Checks of single settings: the value as a plain number, or an error that names it.

For constructors. A bool is not a number here, nor is a string; NumPy's scalars and tensors of
one element are, if they hold the right kind.
"""

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, SupportsIndex, TypeVar

Item = TypeVar("Item")

LARGEST = 10**9  # what counts steps, points or widths: days of work, or all of the memory


def shown(value: object) -> str:
    """The value as an error shows it, on one line of at most 40 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def whole_number(name: str, value: Any, least: int = 1, most: int = LARGEST) -> int:
    """The value as an ``int`` from ``least`` to ``most``.

    Raises:
        TypeError: If it is no integer; ``3.0`` is none.
        ValueError: If it is out of range.

    Example:
        >>> whole_number("k", 5)
        5
        >>> whole_number("k", 3.3)
        Traceback (most recent call last):
        ...
        TypeError: k = 3.3: it must be an integer, at least 1
    """
    try:
        if is_bool(value) or not isinstance(value, SupportsIndex):
            raise TypeError
        number = value.__index__()
    except (TypeError, ValueError, RuntimeError):
        text = f"{name} = {shown(value)}: it must be an integer, at least {least}"
        raise TypeError(text) from None
    if not least <= number <= most:
        wanted = f"at least {least}" if number < least else f"at most {most}"
        raise ValueError(f"{name} = {shown(number)}: it must be {wanted}")
    return number


def positive_number(name: str, value: Any) -> float:
    """The value as a finite ``float`` above 0.

    Raises:
        TypeError: If it is no real number.
        ValueError: If it is not above 0, infinite, NaN, or too large for a ``float``.

    Example:
        >>> positive_number("bandwidth", 2)
        2.0
        >>> positive_number("bandwidth", 0)
        Traceback (most recent call last):
        ...
        ValueError: bandwidth = 0: it must be a finite number above 0
    """
    number = _as_float(name, value, "a number above 0")
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} = {shown(value)}: it must be a finite number above 0")
    return number


def real_number(name: str, value: Any) -> float:
    """The value as a finite ``float``.

    Raises:
        TypeError: If it is no real number.
        ValueError: If it is infinite, NaN, or too large for a ``float``.

    Example:
        >>> real_number("threshold", -1)
        -1.0
    """
    number = _as_float(name, value, "a number")
    if not math.isfinite(number):
        raise ValueError(f"{name} = {shown(value)}: it must be a finite number")
    return number


def _as_float(name: str, value: Any, wanted: str) -> float:
    try:
        scalar = value.item() if getattr(value, "shape", None) == () else value
        if is_bool(scalar) or not isinstance(scalar, numbers.Real):
            raise TypeError
        return float(scalar)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} = {shown(value)}: it must be {wanted}") from None


def boolean(name: str, value: Any) -> bool:
    """The value, if it is ``True`` or ``False``.

    Raises:
        TypeError: If it is anything else.

    Example:
        >>> boolean("floor", True)
        True
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} = {shown(value)}: it must be True or False")
    return value


def seed_number(name: str, value: Any) -> int:
    """The value as an ``int`` that seeds a :class:`torch.Generator`: a signed 64-bit integer.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it does not fit.

    Example:
        >>> seed_number("seed", 0)
        0
    """
    return whole_number(name, value, least=-(2**63), most=2**63 - 1)


def each(name: str, values: Any, check: Callable[[str, Any], Item]) -> tuple[Item, ...]:
    """What a check of single settings makes of every item of a sequence.

    Raises:
        TypeError: If it is no sequence, or as ``check`` raises.
        ValueError: As ``check`` raises.

    Example:
        >>> each("hidden", [64, 32], whole_number)
        (64, 32)
        >>> each("hidden", 64, whole_number)
        Traceback (most recent call last):
        ...
        TypeError: hidden = 64: it must be a sequence, such as (64,)
    """
    if isinstance(values, (str, bytes, Mapping, Set)) or not isinstance(values, Iterable):
        text = shown(values)
        raise TypeError(f"{name} = {text}: it must be a sequence, such as ({text},)")
    return tuple(check(f"{name}[{i}]", value) for i, value in enumerate(values))


def entries(owner: str, state: Any, *names: str) -> tuple[Any, ...]:
    """What a saved state holds under these names.

    Raises:
        TypeError: If it is no mapping.
        ValueError: If a name is missing.

    Example:
        >>> entries("Periodic", {"seen": 3, "other": 4}, "seen")
        (3,)
        >>> entries("Periodic", {"a": 1}, "seen")
        Traceback (most recent call last):
        ...
        ValueError: Periodic: the saved state has no 'seen', only ['a']; was it saved by another?
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"{owner}: the saved state is {shown(state)}: it must be a dict")
    for name in names:
        if name not in state:
            held = shown(list(state))
            raise ValueError(
                f"{owner}: the saved state has no {name!r}, only {held}; was it saved by another?"
            )
    return tuple(state[name] for name in names)


def is_bool(value: Any) -> bool:
    """Whether it is a truth value, of Python, NumPy or torch."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")
