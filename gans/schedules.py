"""Learning-rate schedules, as what makes one from an optimizer."""

from __future__ import annotations

from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@final
class ConstantThenLinear:
    """The full rate for a share of the iterations, then linearly down to a small one.

    Generators of mixtures jitter about their modes at any constant rate; what they have learnt
    shows once the rate has fallen.

    Arguments:
        iterations: Of the whole run.
        constant: Share of them at the full rate.
        final: Share of the rate that is left at the end.

    Raises:
        ValueError: If a count or share is out of range.

    Example:
        >>> [round(ConstantThenLinear(100).factor(i), 2) for i in (0, 50, 75, 100)]
        [1.0, 1.0, 0.51, 0.02]
    """

    def __init__(self, iterations: int, constant: float = 0.5, final: float = 0.02):
        if iterations < 1:
            raise ValueError(f"iterations = {iterations} must be at least 1")
        for name, share in (("constant", constant), ("final", final)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} = {share} is a share, from 0 to 1")
        self.iterations, self.constant, self.final = iterations, constant, final

    def factor(self, iteration: int) -> float:
        """What the rate is multiplied by at an iteration."""
        falling = max(1.0, self.iterations * (1 - self.constant))
        left = min(1.0, max(0.0, self.iterations - iteration) / falling)
        return self.final + (1 - self.final) * left

    def __call__(self, optimizer: Optimizer) -> LambdaLR:
        return LambdaLR(optimizer, self.factor)
