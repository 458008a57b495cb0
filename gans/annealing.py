"""A penalty that makes room: strong while the modes are found, weak while they get their width."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from divergences.checks import positive_number, real_number, whole_number
from divergences.lipschitz import Constraint
from divergences.streams import Streams


@final
class Annealed(Constraint):
    r"""Another constraint's penalty times a factor that falls geometrically from 1 to ``last``.

    A zero-centred penalty of weight :math:`\gamma` keeps a critic from seeing structure finer than
    about :math:`\sqrt\gamma`: a bump of height 1 and width :math:`\sigma` costs
    :math:`\gamma / 2\sigma^2`. Without the penalty the players lose modes early on; with it they
    keep modes narrower than the data's. The critic steps are counted in the critic's own buffer
    ``annealed``, so that a resumed run goes on where it was.

    References:
        | The GAN is dead; long live the GAN! A Modern GAN Baseline (Huang et al., 2025), in whose
          released code the weights of R1 and R2 fall along a cosine
        | https://arxiv.org/abs/2501.05441

    Arguments:
        constraint: Whose penalty is annealed.
        last: The factor in the end, greater than 0.
        steps: Critic steps of the whole run.
        start: Share of the steps at full weight.
        end: Share of the steps after which the factor is ``last``.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> from gans.penalties import R1
        >>> annealed = Annealed(R1(0.1), last=1e-4, steps=100)
        >>> [f"{annealed.factor(torch.tensor(s)):.4f}" for s in (0, 25, 50, 75, 100)]
        ['1.0000', '1.0000', '0.0100', '0.0001', '0.0001']
    """

    def __init__(
        self,
        constraint: Constraint,
        last: float,
        steps: int,
        start: float = 0.25,
        end: float = 0.75,
    ):
        self.steps = whole_number("Annealed: steps", steps)
        start = real_number("Annealed: start", start)
        end = real_number("Annealed: end", end)
        if not 0 <= start < end <= 1:
            raise ValueError(f"Annealed: start = {start} and end = {end} are shares, in order")
        self.constraint, self.start, self.end = constraint, start, end
        self.last = positive_number("Annealed: last", last)
        self.certified = constraint.certified  # pyright: ignore  # of this instance
        self.bounds_slope = constraint.bounds_slope  # pyright: ignore

    def factor(self, step: Tensor) -> Tensor:
        """What the penalty is multiplied by at a critic step."""
        share = (step / self.steps - self.start) / (self.end - self.start)
        return self.last ** share.clamp(0, 1)

    def parametrize(self, critic: nn.Module) -> None:
        self.constraint.parametrize(critic)
        critic.register_buffer("annealed", torch.zeros((), dtype=torch.long))

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        if not hasattr(critic, "annealed"):
            raise ValueError("Annealed: call parametrize(critic) first, which counts its steps")
        step = critic.get_buffer("annealed")
        factor = self.factor(step).to(real)
        step += 1
        return factor * self.constraint.penalty(critic, real, fake, streams)

    def limit(self, critic: nn.Module) -> None:
        self.constraint.limit(critic)

    def project(self, critic: nn.Module) -> None:
        self.constraint.project(critic)
