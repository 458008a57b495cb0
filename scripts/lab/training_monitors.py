"""What experiments measure during training beside the usual monitors."""

import math
from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.optim import Adam

from divergences import Discriminator, EarthMover
from divergences.failed_estimates import Answers
from divergences.learned.sources import Empirical
from gans.monitors import Game, Monitor, Readings, critic_value, descent_at

POINTS, FEW = 4080, 480
"""Held-out points for critics, and how many of them exact transport is given; both in packs of 2
to 5."""


@final
class CriticAgainstTransport(Monitor):
    """The critic's own value beside numbers that do not depend on it.

    ``own`` is what the game's critic measures, ``transport`` exact transport between samples,
    ``fresh`` JS as a discriminator trained from scratch measures it, and ``pull`` the mean size of
    the generator loss's gradient at its points. What has no answer is NaN, as are ``own`` and
    ``pull`` of a game without a critic.

    Arguments:
        fresh_steps: Training of the fresh discriminator.
    """

    def __init__(self, fresh_steps: int = 200):
        self.fresh_steps = fresh_steps
        self._answers = Answers()

    def read(self, game: Game) -> Readings:
        real, fake, _ = game.held_out(POINTS, "witness")
        few, none = (real[:, :FEW], fake[:, :FEW]), torch.full((len(real),), math.nan)
        alone = game.critic is None
        found = {
            "own": none if alone else critic_value(game, real, fake).value,
            "transport": self._answers(
                "transport", lambda: EarthMover(floor=False)(*few).value, none
            ),
            "fresh": self._answers("fresh", lambda: self.fresh_js(real, fake, game.seeds), none),
            "pull": none if alone else descent_at(game, fake[:, :FEW]).norm(dim=-1).mean(-1),
        }
        return {name: value.double() for name, value in found.items()}

    def fresh_js(self, real: Tensor, fake: Tensor, seeds: Sequence[int]) -> Tensor:
        """JS from a discriminator of its own: trained on one half, read on the other."""
        discriminator = Discriminator(
            steps=self.fresh_steps, optimizer=partial(Adam, lr=3e-3, fused=True)
        )
        (x, x_held), (y, y_held) = real.chunk(2, dim=1), fake.chunk(2, dim=1)
        return discriminator.fit(Empirical(x), Empirical(y), seeds).estimate(x_held, y_held).value


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation over the looks, one per member."""
    rows = zip(a.numpy(), b.numpy(), strict=True)
    return torch.tensor([spearmanr(x, y).statistic for x, y in rows], dtype=torch.float64)  # pyright: ignore
