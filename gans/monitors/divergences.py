"""Divergences of the generated from the real law: exact, from the critic, from samples."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, final

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor
from torch.distributions import Distribution

from divergences import exact
from divergences.checks import entries, whole_number
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from divergences.failed_estimates import Answers
from divergences.samples.earth_mover import EarthMover
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS
from gans.monitors import tags
from gans.monitors.critic_slope import slopes_between
from gans.monitors.game import Game
from gans.monitors.readings import Monitor, Readings

STEEP = 1e-3
"""By how much a critic's slope may exceed 1 for its value still to be called a bound on W1."""


def default_estimators() -> tuple[Estimator, ...]:
    """W1 from above and below, JS and KL."""
    return EarthMover(floor=False), HeldOutDual(), RossJS(), NearestNeighbours()


def exact_divergences(
    p: Distribution, q: Distribution | None, answers: Answers | None = None
) -> dict[str, Tensor]:
    """KL both ways, JS, total variation and W1, as far as the pair of laws has them exactly.

    NaN, with a warning by ``answers``, where the pair has no answer at these parameters.
    """
    if q is None:
        return {}
    known = {
        "kl": (exact.kl_divergence, p, q),
        "kl_reverse": (exact.kl_divergence, q, p),
        "js": (exact.js_divergence, p, q),
        "tv": (exact.total_variation, p, q),
        "w1": (exact.wasserstein, p, q),
    }
    answers = answers or Answers()
    none = torch.full(torch.broadcast_shapes(p.batch_shape, q.batch_shape), math.nan)
    values = {
        name: answers(f"exact {name}", partial(_if_known, *pair), none)
        for name, pair in known.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _if_known(
    divergence: exact.ExactDivergence, p: Distribution, q: Distribution
) -> Tensor | None:
    return divergence(p, q) if divergence.knows(p, q) else None


@torch.no_grad()
def critic_value(game: Game, real: Tensor, fake: Tensor) -> Estimate:
    """The objective's divergence as the game's critic gives it."""
    assert game.objective is not None
    return game.objective.estimate(game.scores(real), game.scores(fake))


def bound_by_critic(game: Game, real: Tensor, fake: Tensor, n: int) -> Estimate:
    """The critic's value; a critic steeper than 1 measures as many times W1, at most.

    The lower limit is then divided by its slope, the largest at ``n`` points between both
    laws, and the value is no bound.
    """
    found = critic_value(game, real, fake)
    if game.critic is None or game.objective is None or not game.objective.needs_slope:
        return found
    steepest = slopes_between(game, n).norms.amax(-1).clamp_min(1.0)
    low, high = found.ci
    bound = "none" if (steepest > 1 + STEEP).any() else found.bound
    return replace(found, ci=(low / steepest.to(low), high), bound=bound)


@final
class DivergenceEstimates(Monitor):
    """Exact divergences, the critic's value, and one estimate per estimator on held-out points.

    Arguments:
        n: Held-out points per side and member.
        estimators: What to estimate from samples; :func:`default_estimators` by default.
        warn: Called once with each warning of an estimate, and each reason that there is none.

    Raises:
        TypeError: If one of the estimators is none.
    """

    def __init__(
        self,
        n: int = 256,
        estimators: Sequence[Estimator] | None = None,
        warn: Callable[[str], object] = rank_zero_warn,
    ):
        self.n = whole_number("n", n)
        for estimator in estimators or ():
            if not isinstance(estimator, Estimator):
                raise TypeError(f"estimators holds {estimator!r}: each must be an Estimator")
        self.estimators = default_estimators() if estimators is None else tuple(estimators)
        self._warn = warn
        self.forget()

    def forget(self) -> None:
        self.floor: Tensor | None = None
        self._answers = Answers(self._warn)

    def read(self, game: Game) -> Readings:
        real, fake, streams = game.held_out(self.n, "divergences")
        if self.floor is None:
            again = game.described(game.again(real.shape[1], streams).to(real))
            transport = partial(EarthMover(floor=False), game.described(real), again)
            self.floor = self._ask(tags.W1_FLOOR, transport, real).value
        laws = game.laws()
        known = exact_divergences(*laws, self._answers) if laws else {}
        found: Readings = {tags.divergence(f"{name}_exact"): v for name, v in known.items()}
        if "kl" in known:
            found[tags.KL_IS_INFINITE] = torch.isinf(known["kl"]).float()
        if game.objective is not None and game.critic is not None:
            tag = tags.read_by_critic(game.objective.quantity)
            found[tag] = self._ask(tag, partial(bound_by_critic, game, real, fake, self.n), real)
        with torch.no_grad():
            real, fake = game.described(real), game.described(fake)
        for estimator in self.estimators:
            tag = tags.estimated_by(type(estimator))
            found[tag] = self._ask(tag, partial(estimator, real, fake), real)
        if any(
            tag.startswith(tags.divergence("w1_")) for tag in found
        ):  # with what it is compared
            found[tags.W1_FLOOR] = self.floor
        found[tags.LOG2] = torch.full_like(self.floor, math.log(2))
        return found

    def _ask(self, tag: str, ask: Callable[[], Estimate], real: Tensor) -> Estimate:
        """The estimate, one number per member; NaN where the points do not allow one."""
        name, none = tag.removeprefix("divergence/"), torch.full((len(real),), math.nan)
        found = self._answers(name, ask, Estimate(none, none))
        for warning in found.warnings:
            if len(real) == 1:
                warning = warning.removeprefix("member 0: ")
            self._answers.say(f"estimate {name}: {warning}")
        return found

    def state_dict(self) -> dict[str, Any]:
        return {"floor": self.floor}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        (self.floor,) = entries("Divergences", state, "floor")
