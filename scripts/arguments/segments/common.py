"""What the parts of the argument share: the thetas, their members, the segments themselves."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gans import ParallelSegments
from scripts.lab.jobs import CommonSettings

SOURCE = "Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875"
LOG2 = math.log(2)
THETAS = torch.tensor(
    [-1, -0.3, -0.1, -0.03, -0.01, -0.001, 0, 0.001, 0.01, 0.03, 0.1, 0.3, 1], dtype=torch.float64
)
FAR = THETAS.abs() >= 0.1
"""Where estimates are held to a relative tolerance."""
HOME = ParallelSegments(0.0)
LOOKS = (100, 300, 1000)
"""Discriminator steps after which the generator's gradient is looked at."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Training of the opponents over theta, of those followed at theta = 1, of the generators."""

    steps: int = 1000
    followed: int = 3000
    iterations: int = 400


@dataclass(frozen=True)
class Members:
    """Thetas x seeds as one member axis, theta the slow index."""

    thetas: Tensor
    seeds: int

    @property
    def flat_seeds(self) -> list[int]:
        return list(range(self.seeds)) * len(self.thetas)

    @property
    def moved(self) -> ParallelSegments:
        return ParallelSegments(self.thetas.float().repeat_interleave(self.seeds))

    def table(self, per_member: Tensor) -> Tensor:
        """Values of shape ``(thetas, seeds)``."""
        return per_member.detach().double().view(len(self.thetas), self.seeds)


def on_quadrature(theta: ParallelSegments, members: int, n: int = 256) -> Tensor:
    """Points of the segment at ``n`` midpoints of its length, ``(members, n, 2)``."""
    height = ((torch.arange(n) + 0.5) / n).expand(members, n)
    return torch.stack([theta.theta.expand(members)[:, None].expand_as(height), height], -1)
