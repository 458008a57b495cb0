"""What a pair of laws with known divergences is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Generator, Tensor
from torch.distributions import Distribution

Sampler = Callable[[int, Generator], Tensor]
LOG2 = math.log(2)


@dataclass(frozen=True)
class Case:
    """Two laws and the divergences between them; ``None`` where unknown.

    ``smooth`` pairs overlap and have densities in all dimensions, without thin parts.
    """

    id: str
    dim: int
    p: Sampler
    q: Sampler
    kl: float | None = None
    js: float | None = None
    tv: float | None = None
    w1: float | None = None
    w2: float | None = None
    densities: tuple[Distribution, Distribution] | None = None
    atoms: bool = False
    smooth: bool = False

    def draw(self, n: int, seed: int, m: int | None = None) -> tuple[Tensor, Tensor]:
        """Independent samples of ``n`` and ``m`` points."""
        generator = Generator().manual_seed(seed)
        return self.p(n, generator), self.q(m or n, generator)


def from_log_densities(log_p: np.ndarray, log_q: np.ndarray, cell: float) -> dict[str, Any]:
    log_mean = np.logaddexp(log_p, log_q) - LOG2
    p, q = np.exp(log_p), np.exp(log_q)
    return {
        "kl": cell * float((p * (log_p - log_q)).sum()),
        "js": cell * float((p * (log_p - log_mean) + q * (log_q - log_mean)).sum()) / 2,
        "tv": cell * float(np.abs(p - q).sum()) / 2,
    }
