"""Learning-rate schedules, as torch has them: made from an optimizer, stepped per iteration."""

from typing import final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from divergences.checks import real_number, whole_number


@final
class ConstantThenLinear(LRScheduler):
    """The full rate for a share of the iterations, then linearly down to a small one.

    Generators of mixtures jitter about their modes at any constant rate; what they have learnt
    shows once the rate has fallen.

    Arguments:
        optimizer: Whose rates are scheduled.
        iterations: Of the whole run.
        constant: Share of them at the full rate.
        last: Share of the rate that is left at the end.

    Raises:
        ValueError: If a count or share is out of range.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
        >>> schedule = ConstantThenLinear(optimizer, iterations=100)
        >>> [round(schedule.factor(i), 2) for i in (0, 50, 75, 100)]
        [1.0, 1.0, 0.51, 0.02]
    """

    def __init__(
        self, optimizer: Optimizer, iterations: int, constant: float = 0.5, last: float = 0.02
    ):
        iterations = whole_number("iterations", iterations)
        for name, share in (("constant", constant), ("last", last)):
            if not 0 <= real_number(name, share) <= 1:
                raise ValueError(f"{name} = {share} is a share, from 0 to 1")
        self.iterations, self.constant, self.last = iterations, constant, last
        super().__init__(optimizer)

    def factor(self, iteration: int) -> float:
        """What the rate is multiplied by at an iteration."""
        falling = max(1.0, self.iterations * (1 - self.constant))
        left = min(1.0, max(0.0, self.iterations - iteration) / falling)
        return self.last + (1 - self.last) * left

    def get_lr(self) -> list[float]:  # pyright: ignore  # torch has tensors here, too
        return [rate * self.factor(self.last_epoch) for rate in self.base_lrs]  # pyright: ignore
