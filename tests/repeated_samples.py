"""What an estimator does on repeated samples of pairs whose divergences are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scripts.lab.known_pairs import CASES, Case


def having(quantity: str, **facts: bool) -> list[Case]:
    """The cases with a known value of ``quantity`` and the given facts."""
    return [
        case
        for case in CASES
        if getattr(case, quantity) is not None
        and all(getattr(case, name) == fact for name, fact in facts.items())
    ]


@dataclass(frozen=True)
class Calibration:
    """What an estimator did on repeated samples of a case."""

    truth: float
    values: Tensor
    stderrs: Tensor
    covered: Tensor
    warned: Tensor

    @property
    def bias(self) -> float:
        return float(self.values.mean()) - self.truth

    @property
    def rmse(self) -> float:
        return float((self.values - self.truth).square().mean().sqrt())

    @property
    def coverage(self) -> float:
        return float(self.covered.float().mean())

    @property
    def stderr_over_sd(self) -> float:
        """Of the estimates without a warning, where most are."""
        silent = ~self.warned if self.warned.float().mean() < 0.5 else torch.ones_like(self.warned)
        return float(self.stderrs[silent].mean() / self.values[silent].std())

    @property
    def covered_or_warned(self) -> float:
        return float((self.covered | self.warned).float().mean())


def calibrate(
    estimator: Callable[[Tensor, Tensor], Any], case: Case, truth: float, n: int, repeats: int
) -> Calibration:
    """Run an estimator on ``repeats`` fresh samples; seeds are 0, 1, 2, ...

    Truths by quadrature are good to 1e-9, so intervals without width are given that much.
    """
    estimates = [estimator(*case.draw(n, seed)) for seed in range(repeats)]
    return Calibration(
        truth,
        torch.stack([e.value for e in estimates]),
        torch.stack([e.stderr for e in estimates]),
        torch.tensor([bool(e.ci[0] - 1e-9 <= truth <= e.ci[1] + 1e-9) for e in estimates]),
        torch.tensor([bool(e.warnings) for e in estimates]),
    )
