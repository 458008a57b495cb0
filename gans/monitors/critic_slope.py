"""How steep the critic is between the two supports, and what its dual value is worth."""

from typing import NamedTuple, final

import torch
from torch import Tensor

from divergences.checks import whole_number
from divergences.networks.slopes import lipschitz_audit
from gans.monitors import tags
from gans.monitors.game import Game
from gans.monitors.readings import Monitor, Readings


class Slopes(NamedTuple):
    """Held-out points of both sides, ``(K, n, d)``, and the slopes between them, ``(K, n)``."""

    real: Tensor
    fake: Tensor
    norms: Tensor


def slopes_between(game: Game, n: int) -> Slopes:
    """The slopes of a game's critic at ``n`` points; all monitors of a game get the same ones."""
    assert game.critic is not None
    critic = game.critic

    def measured() -> Slopes:
        real, fake, streams = game.held_out(n, "audit")
        return Slopes(real, fake, lipschitz_audit(critic, real, fake, streams))

    return game.once(f"slopes at {n}", measured)


@final
class CriticSlope(Monitor):
    """Norms of the critic's gradient between real and generated points, and its dual value.

    ``critic/slope_max`` and ``critic/slope_mean`` are over points on segments between the two
    sides; ``critic/dual`` is the difference of mean scores, and ``critic/dual_normalised`` that
    over the greatest slope. Of a game without a critic nothing is measured.

    Arguments:
        n: Points per side and member.
    """

    def __init__(self, n: int = 512):
        self.n = whole_number("n", n)

    def read(self, game: Game) -> Readings:
        if game.critic is None:
            return {}
        real, fake, slopes = slopes_between(game, self.n)
        with torch.no_grad():
            dual = game.scores(real).mean(-1) - game.scores(fake).mean(-1)
        steepest = slopes.amax(-1)
        return {
            tags.SLOPE_MAX: steepest,
            tags.SLOPE_MEAN: slopes.mean(-1),
            tags.DUAL: dual,
            tags.DUAL_NORMALISED: dual / steepest,
        }
