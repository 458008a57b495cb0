"""What a monitor returns, and the numbers that a chart shows of it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from divergences.estimate import Estimate
from gans.monitors.game import Game

Reading = Estimate | Tensor
"""An estimate or plain numbers, one for each of K members."""
Readings = dict[str, Reading]
"""Tag to what is read."""


class Monitor(ABC):
    """Measures a game; writes nothing."""

    @abstractmethod
    def read(self, game: Game) -> Readings:
        """What is measured, tag to numbers of shape ``(K,)``."""

    def forget(self) -> None:
        """Begin with nothing measured, as for another game."""

    def state_dict(self) -> dict[str, Any]:
        """What must survive in a checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the state that was saved."""


def value(reading: Reading) -> Tensor:
    """The numbers alone, shape ``(K,)``."""
    return reading.value if isinstance(reading, Estimate) else reading


def of_member(reading: Reading, k: int) -> Reading:
    """One member's part, of shape ``(1,)``."""
    if not isinstance(reading, Estimate):
        return reading.reshape(-1)[k : k + 1]
    tensors = {"value": reading.value, "stderr": reading.stderr, "floor": reading.floor}
    low, high = reading.ci
    one = {name: tensor[k : k + 1] for name, tensor in tensors.items()}
    return replace(reading, ci=(low[k : k + 1], high[k : k + 1]), **one)


def scalars(readings: Mapping[str, Reading]) -> dict[str, float]:
    """Each tag's mean over members; in the group ``range/`` their range and the 95 % interval.

    That group is last in TensorBoard's alphabetical list of charts.

    ``range/TAG/min`` and ``max`` are the least and greatest member, where there are several.
    ``range/TAG/low`` and ``high`` are the ends of the mean's 95 % interval, where they are finite:
    errors of members are independent.

    Example:
        >>> one = Estimate(torch.tensor([0.5]), torch.tensor([0.1]))
        >>> {tag: round(number, 2) for tag, number in scalars({"w1": one}).items()}
        {'w1': 0.5, 'range/w1/low': 0.3, 'range/w1/high': 0.7}
    """
    found = {}
    for tag, reading in readings.items():
        members = value(reading)
        found[tag] = float(members.mean())
        if members.numel() > 1:
            found[f"range/{tag}/min"] = float(members.min())
            found[f"range/{tag}/max"] = float(members.max())
        if isinstance(reading, Estimate):
            low, high = interval_of_mean(reading)
            ends = {"low": low, "high": high}.items()
            found |= {f"range/{tag}/{end}": at for end, at in ends if math.isfinite(at)}
    return found


def interval_of_mean(estimate: Estimate) -> tuple[float, float]:
    """Ends of the 95 % interval of the mean over members, NaN where a member has none."""
    of_member = estimate.value.double()
    mean = of_member.mean()
    low, high = (
        (end.double() - of_member).square().sum().sqrt() / max(1, of_member.numel())
        for end in estimate.ci
    )
    return float(mean - low), float(mean + high)


def log10(readings: Mapping[str, Reading]) -> Readings:
    """Each reading's decimal logarithm, as ``TAG_log10``."""
    return {f"{tag}_log10": torch.log10(value(reading)) for tag, reading in readings.items()}
