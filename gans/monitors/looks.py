"""Everything that is measured of one game after another, and the state of each member."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from divergences.checks import entries
from divergences.estimator import Estimator
from divergences.in_words import range_in_words
from divergences.networks.slopes import input_gradient
from gans.logits import refuse_probabilities
from gans.monitors import tags
from gans.monitors.critic_slope import CriticSlope
from gans.monitors.divergences import DivergenceEstimates
from gans.monitors.evidence import Look, State
from gans.monitors.game import Game
from gans.monitors.gradient_norms import PlayerGradients
from gans.monitors.networks_found import whole_of
from gans.monitors.readings import Readings, interval_of_mean, of_member, value
from gans.monitors.real_cloud import RealCloud
from gans.monitors.states import States
from gans.monitors.without_trace import Evaluation
from gans.objectives import Wasserstein

PROBE = 256
"""Points from the same noise at every look, by which a generator is seen to move."""


class Seen(NamedTuple):
    """What one look has found.

    Attributes:
        readings: Tag to estimates or numbers, of shape ``(K,)``.
        states: What is wrong, if anything is.
        real: Some of the real points, as divergences are estimated from them, ``(K, n, d)``.
        fake: As many generated ones.
        networks: Those that were called for points, as ``generator``, and for scores, ``critic``.
    """

    readings: Readings
    states: list[State]
    real: Tensor
    fake: Tensor
    networks: dict[str, nn.Module]


@final
class Looks:
    """Measures divergences, gradients and slopes of a game, and names the state that they show.

    Arguments:
        n: Points per side and member.
        estimators: What to estimate from samples.
    """

    def __init__(self, n: int, estimators: Sequence[Estimator] | None = None):
        self.n = n
        self._divergences = DivergenceEstimates(n, estimators)
        self._monitors = (self._divergences, PlayerGradients(n), CriticSlope(n))
        self._states: list[States] = []
        self._clouds: list[RealCloud] = []
        self._checked = torch.empty(0)

    def look(self, game: Game, evaluation: Evaluation) -> Seen:
        """Measure the game as it is now, within an :class:`Evaluation`."""
        with torch.no_grad():
            made = game.probe(PROBE)
            generators = list(evaluation.called)
            if game.critic is not None:
                game.scores(made)
            critics = [net for net in evaluation.called if net not in generators]
            probe, training = game.described(made), None
            if evaluation.any_batch_statistics():
                with evaluation.by_batch():
                    training = game.described(game.probe(PROBE))
        if game.critic is not None:
            refuse_probabilities(game.objective, game.scores, made[:, :64])
        readings: Readings = {}
        for monitor in self._monitors:
            readings |= monitor.read(game)
        real, fake, _ = game.held_out(4 * self.n, "state")
        with torch.no_grad():
            if fake.shape[1] < 2 * self.n:  # as few as there are real ones show little
                fake = game.fake(4 * self.n, game.streams("state"))
            real_vectors, fake_vectors = game.described(real), game.described(fake)
        clouds, (scores, saturating) = self._clouds_of(game), _scored(game, real, fake)
        found = {"generator": whole_of(generators), "critic": whole_of(critics)}
        networks = {name: net for name, net in found.items() if net is not None}
        generator = networks.get("generator")
        weights = [p.detach() for p in generator.parameters()] if generator else []
        members = len(game.seeds)
        self._states = self._states or [States() for _ in range(members)]
        states: list[State] = []
        for k in range(members):
            of_k = None if not weights else [w if members == 1 else w[k] for w in weights]
            shown = self._states[k].judge(
                Look(
                    readings={tag: of_member(r, k) for tag, r in readings.items()},
                    real=clouds[min(k, len(clouds) - 1)],
                    fake=fake_vectors[k],
                    probe=probe[k],
                    training=None if training is None else training[k],
                    scores=None if scores is None else (scores[0][k], scores[1][k]),
                    saturating=math.nan if saturating is None else float(saturating[k]),
                    weights=of_k,
                    wasserstein=_wasserstein(game),
                )
            )
            who = f"member {k} (seed {game.seeds[k]}): " if members > 1 else ""
            states += [State(state.name, who + state.evidence) for state in shown]
        some = real_vectors[:, : self.n], fake_vectors[:, : self.n]
        return Seen(readings, states, *some, networks)

    def _clouds_of(self, game: Game) -> list[RealCloud]:
        """The real points of each member; those of the look before, if they are the same."""
        with torch.no_grad():
            pool = game.pool()
            some = game.described(pool[:, :16])
            if not self._clouds or not torch.equal(some, self._checked):
                self._checked = some
                self._clouds = [RealCloud(points) for points in game.described(pool)]
        return self._clouds

    def state_dict(self) -> dict[str, Any]:
        """What must survive in a checkpoint."""
        states = [state.state_dict() for state in self._states]
        return {"states": states, **self._divergences.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the state that was saved."""
        (states,) = entries("Looks", state, "states")
        self._divergences.load_state_dict(state)
        self._states = [States() for _ in states]
        for one, saved in zip(self._states, states, strict=True):
            one.load_state_dict(saved)


def _wasserstein(game: Game) -> bool | None:
    return None if game.objective is None else isinstance(game.objective, Wasserstein)


def _scored(
    game: Game, real: Tensor, fake: Tensor
) -> tuple[tuple[Tensor, Tensor] | None, Tensor | None]:
    """Scores of both sides, and the mean size of the gradient of log(1 - D) at generated points.

    D is the sigmoid of the scores, or the scores themselves where they are probabilities.
    """
    if game.critic is None:
        return None, None
    with torch.no_grad():
        scores = game.scores(real), game.scores(fake)
    gradient = input_gradient(game.critic, fake).norm(dim=-1)
    saturating = (torch.sigmoid(scores[1]) * gradient).mean(-1)
    within = torch.cat(scores, -1)
    if not _wasserstein(game) and 0 <= float(within.min()) <= float(within.max()) <= 1:
        saturating = (gradient / (1 - scores[1]).clamp(min=1e-7)).mean(-1)
    return scores, saturating


def summary(readings: Readings, states: Sequence[State]) -> str:
    """A look in one line: JS, W1, gradients, slope, and the state if it has one."""

    def number(tag: str) -> float:
        return float(value(readings[tag]).mean())

    def interval(tag: str) -> tuple[float, float]:
        found: Any = readings.get(tag)
        return interval_of_mean(found) if hasattr(found, "ci") else (math.nan, math.nan)

    js, lower, upper = (interval(tag) for tag in (tags.JS, tags.W1_LOWER, tags.W1_UPPER))
    parts = []
    if js[0] == js[0]:
        said = range_in_words("js", number(tags.JS), *js, "{:.2f}".format)
        by_critic = interval(tags.read_by_critic("js"))[0]  # a lower bound
        if said is None or by_critic > js[1]:
            said = f"at least {by_critic:.2f}" if 0.005 < by_critic <= math.log(2) else "unknown"
        parts.append(f"JS {said}")
    if upper[1] == upper[1]:
        parts.append(f"W1 from {max(0.0, lower[0]):.3g} to {upper[1]:.3g}")
    norms = [tag for tag in readings if tag.startswith("gradient/")]
    parts += [f"{tag.replace('/', ' of ')} {number(tag):.2g}" for tag in norms]
    if tags.SLOPE_MEAN in readings:
        parts.append(f"critic's slope {number(tags.SLOPE_MEAN):.2g}")
    return ", ".join(parts) + "".join(f"; {state}" for state in states)
