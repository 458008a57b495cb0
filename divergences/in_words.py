"""An interval in words: only of values that the quantity can have."""

import math
from collections.abc import Callable

from divergences.estimate import QUANTITIES


def possible(quantity: str, low: float, high: float) -> bool:
    """Whether the quantity can have a value in an interval; so if that is NaN.

    Example:
        >>> possible("js", -0.1, 0.1), possible("js", -1.4, -0.6), possible("js", 0.7, 0.8)
        (True, False, False)
    """
    known = QUANTITIES.get(quantity)
    slack = 1e-6  # of rounding
    return known is None or not (high < known.least - slack or low > known.largest + slack)


def range_in_words(
    quantity: str, value: float, low: float, high: float, number: Callable[[float], str]
) -> str | None:
    """``.21 [.15, .39]``, ``at most .4``, ``at least .3``; ``None`` where nothing is known.

    An end beyond what the quantity can be is left out. Nothing is known where the interval holds
    all values, or none of those that are possible.

    Arguments:
        quantity: A key of :data:`divergences.estimate.QUANTITIES`.
        value: The estimate.
        low: Of its interval.
        high: Of its interval.
        number: How a number is written.

    Example:
        >>> cases = (0.2, 0.15, 0.39), (-0.01, -0.6, 0.42), (0.6, 0.3, 0.9), (-0.9, -1.4, -0.6)
        >>> [range_in_words("js", *case, str) for case in cases]
        ['0.2 [0.15, 0.39]', 'at most 0.42', 'at least 0.3', None]
    """
    least, largest = QUANTITIES[quantity].least, QUANTITIES[quantity].largest
    if math.isnan(value + low + high) or not possible(quantity, low, high):
        return None
    if low >= largest or high <= least:
        return number(largest if low >= largest else least)
    open_below, open_above = low <= least, high >= largest
    if open_below and open_above:
        return None
    if open_below:
        return f"at most {number(high)}"
    if open_above:
        return f"at least {number(low)}"
    return f"{number(value)} [{number(low)}, {number(high)}]"
