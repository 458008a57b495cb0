"""How steep the critic is between the two supports, and what its dual value is worth."""

from typing import final

import torch

from divergences.checks import whole_number
from divergences.networks.lipschitz import lipschitz_audit
from gans.monitors import tags
from gans.monitors.game import Game
from gans.monitors.readings import Monitor, Readings


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
        real, fake, streams = game.held_out(self.n, "audit")
        slopes = lipschitz_audit(game.critic, real, fake, streams)
        with torch.no_grad():
            dual = game.scores(real).mean(-1) - game.scores(fake).mean(-1)
        steepest = slopes.amax(-1)
        return {
            tags.SLOPE_MAX: steepest,
            tags.SLOPE_MEAN: slopes.mean(-1),
            tags.DUAL: dual,
            tags.DUAL_NORMALISED: dual / steepest,
        }
