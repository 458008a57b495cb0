"""Between what W1 lies, and whether the critic's value agrees, in a sentence."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from divergences.estimate import Z
from gans.monitors.tags import W1_CRITIC as CRITIC
from gans.monitors.tags import W1_EXACT as EXACT
from gans.monitors.tags import W1_FLOOR as FLOOR
from gans.monitors.tags import W1_LOWER as LOWER
from gans.monitors.tags import W1_UPPER as UPPER

NEAR = 0.05
"""By which share of W1 a critic may be off and be called right."""


class Mean(NamedTuple):
    """A mean over members and half of its 95 % interval; members err independently."""

    value: float
    half: float

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.half:.2g}"


def w1_bracket(values: Mapping[str, Tensor], stderr: Mapping[str, Tensor]) -> str | None:
    """Between what W1 lies, and what that says of the critic; ``None`` without these readings.

    Of means over members. Where W1 is known exactly it is said; elsewhere it is at least the lower
    end of the 95 % interval of a potential that has not seen the points, and at most the upper end
    of that of transport between samples. A critic measures more or less than W1 only if its own
    interval lies wholly above or below, and its value is off by more than :data:`NEAR`.

    Arguments:
        values: Tag to values of shape ``(K,)``, of :class:`~gans.Divergences`.
        stderr: Tag to their standard errors.

    Example:
        >>> from torch import tensor
        >>> read = {LOWER: tensor([0.9]), UPPER: tensor([1.1]), FLOOR: tensor([0.2])}
        >>> w1_bracket(read, {LOWER: tensor([0.05]), UPPER: tensor([0.05])})
        'W1 is at least 0.802 (95 %; held-out dual 0.9 ± 0.098) and at most 1.2 (95 %; ...'
    """
    means = {tag: _mean(values[tag], stderr[tag]) for tag in stderr if tag in values}
    if EXACT in values and math.isfinite(float(values[EXACT].mean())):
        low = high = float(values[EXACT].mean())
        said = f"W1 is {low:.3g} (exact)"
    elif LOWER in means and UPPER in means and math.isfinite(means[UPPER].high):
        low, high = means[LOWER].low, means[UPPER].high
        dual = f"held-out dual {means[LOWER]}"
        at_least = f"at least {low:.3g} (95 %; {dual})"
        said = (
            f"W1 is {at_least if low > 0 else f'not told from 0 ({dual})'} and at most "
            f"{high:.3g} (95 %; transport between samples, which gives "
            f"{float(values[FLOOR].mean()):.3g} between samples of the target)"
        )
    else:
        return None
    if CRITIC not in means or not math.isfinite(means[CRITIC].half):
        return said
    critic = means[CRITIC]
    if critic.low > high and critic.value > (1 + NEAR) * high:
        verdict = "more than that: its slope is above 1, so divide by the slope or do not quote it"
    elif critic.high < low and critic.value < (1 - NEAR) * low:
        verdict = "less than that: it is held too flat, or lags behind (n_critic, warmup)"
    else:
        verdict = "which agrees with that"
    return f"{said}; the critic measures {critic}, {verdict}"


def _mean(values: Tensor, stderr: Tensor) -> Mean:
    half = Z * float(stderr.double().square().sum().sqrt()) / len(stderr)
    return Mean(float(values.double().mean()), half)
