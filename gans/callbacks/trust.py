"""What a run's last W1 is worth, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

LOWER, UPPER = "divergence/w1_HeldOutDual", "divergence/w1_EarthMover"
FLOOR, CRITIC = "divergence/w1_floor", "divergence/w1_critic"


def trust_in_w1(readings: Mapping[str, Tensor]) -> str | None:
    """Between what W1 lies, and what that says of the critic; ``None`` without these readings.

    Means over members. The bracket holds in expectation: a potential that has not seen the points
    reads too little, transport between samples too much.

    Arguments:
        readings: Tag to values of shape ``(K,)``, of :class:`~gans.callbacks.Divergences`.

    Example:
        >>> from torch import tensor
        >>> trust_in_w1({LOWER: tensor([0.9]), UPPER: tensor([1.1]), FLOOR: tensor([0.2])})
        'W1 is at least 0.9 (held-out dual) and at most 1.1 (transport between samples, ...'
    """
    if LOWER not in readings or UPPER not in readings:
        return None
    low, high = float(readings[LOWER].mean()), float(readings[UPPER].mean())
    floor = float(readings[FLOOR].mean())
    least = f"{low:.3g} (held-out dual)" if low > 0 else f"0 (held-out dual: {low:.3g})"
    bracket = (
        f"W1 is at least {least} and at most {high:.3g} (transport between samples, which reads "
        f"{floor:.3g} between samples of the target)"
    )
    if CRITIC not in readings:
        return bracket
    critic = float(readings[CRITIC].mean())
    if critic > high:
        verdict = "more than that: its slope is above 1, so divide by the slope or do not quote it"
    elif critic < low:
        verdict = "less than that: it is held too flat, or lags behind (n_critic, warmup)"
    else:
        verdict = "in between"
    return f"{bracket}; the critic reads {critic:.3g}, {verdict}"
