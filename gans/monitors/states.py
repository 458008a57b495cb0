"""A name for the state of a GAN's training, with the numbers that it rests on.

Each rule looks at one cause and is silent unless its evidence is beyond chance: an interval lies
wholly on one side, or an outcome would be rarer than one in a thousand. A state that training may
pass through for a moment is named only if two measurements in a row show it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, final

import torch
from scipy.stats import beta
from torch import Tensor

from divergences.estimate import Estimate
from gans.monitors import tags
from gans.monitors.readings import Readings, interval_of_mean, value
from gans.monitors.real_cloud import RealCloud, nearest

RARE = 1e-3
"""Probability of the evidence under chance alone, below which a state is named."""


class State(NamedTuple):
    """A state's name and the numbers that it rests on."""

    name: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}"


@dataclass(frozen=True)
class Look:
    """What the rules judge: one member's points and scores at one iteration.

    Attributes:
        readings: What the monitors found.
        real: All known real points, ``(N, d)``; the others are compared with these.
        fake: Generated points ``(n, d)``.
        probe: Points from the same noise at every look, ``(m, d)``.
        training: Points from the same noise as ``probe``, with batch statistics; ``None`` if the
            networks have no batch normalisation.
        scores: The critic's, of real and of generated points, or ``None``.
        saturating: Mean size of the gradient of log(1 - D) at generated points; NaN if unknown.
        weights: The generator's parameters in one vector, or ``None``.
        wasserstein: Whether the critic is one of a Wasserstein GAN; ``None`` if unknown.
    """

    readings: Readings
    real: RealCloud
    fake: Tensor
    probe: Tensor
    training: Tensor | None = None
    scores: tuple[Tensor, Tensor] | None = None
    saturating: float = math.nan
    weights: Tensor | None = None
    wasserstein: bool | None = None

    @cached_property
    def to_real(self) -> tuple[Tensor, Tensor]:
        """Distance of each generated point to the nearest real one, and which that is."""
        return nearest(self.fake, self.real.points)

    @cached_property
    def elsewhere(self) -> bool:
        """Whether half the generated points are far from all real ones, as few real points are."""
        return bool(self.to_real[0].median() > 3 * self.real.widely_apart)

    def interval(self, tag: str) -> tuple[float, float]:
        """The 95 % interval of a reading; NaN where it has none."""
        reading = self.readings.get(tag)
        return interval_of_mean(reading) if isinstance(reading, Estimate) else (math.nan, math.nan)

    def around(self, tag: str) -> tuple[float, float]:
        """Mean and 1.96 standard errors either way, of what is no bound but a value itself."""
        found = self.readings.get(tag)
        if not isinstance(found, Estimate):
            return math.nan, math.nan
        half = 1.959964 * float(found.stderr.double().square().sum().sqrt()) / len(found.stderr)
        return self.number(tag) - half, self.number(tag) + half

    def number(self, tag: str) -> float:
        """A reading's mean, NaN where there is none."""
        return float(value(self.readings[tag]).mean()) if tag in self.readings else math.nan


def share(hits: int, of: int) -> tuple[float, float]:
    """Clopper-Pearson interval of a share, each end wrong with probability :data:`RARE`.

    Example:
        >>> [round(end, 3) for end in share(100, 100)]
        [0.933, 1.0]
    """
    low = float(beta.ppf(RARE, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - RARE, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def spread(points: Tensor) -> float:
    """Root mean square distance from the mean."""
    return float((points.double() - points.double().mean(0)).square().sum(-1).mean().sqrt())


def diverging(look: Look, first: Look | None) -> State | None:
    bad = int((~torch.isfinite(look.fake).all(-1)).sum())
    if bad:
        what = f"{bad} of {len(look.fake)} generated points are NaN or infinite"
        return State("not finite", what)
    scores = torch.cat(look.scores) if look.scores else torch.zeros(1)
    if not torch.isfinite(scores).all():
        return State("not finite", "the critic's scores are NaN or infinite")
    norms = {t: look.number(t) for t in look.readings if t.startswith("gradient/")}
    broken = [tag for tag, norm in norms.items() if not math.isfinite(norm)]
    if broken:
        return State("not finite", f"{broken[0]} is {norms[broken[0]]}")
    if look.weights is not None and not torch.isfinite(look.weights).all():
        return State("not finite", "the generator's parameters are NaN or infinite")
    if first is None:
        return None
    now, then = look.number(tags.SLOPE_MEAN), first.number(tags.SLOPE_MEAN)
    largest = float(scores.abs().max())
    if then > 0 and now > 1000 * then and largest > 1000:
        return State(
            "exploding critic",
            f"its mean slope is {now / then:.2g} times that at the start, and scores reach "
            f"{largest:.2g}",
        )
    return None


def other_scale(look: Look, first: Look | None) -> State | None:
    real, fake = spread(look.real.points), spread(look.fake)
    if not 0 < real < math.inf:
        return None
    ratio = fake / real
    if (ratio > 10 or ratio < 0.1) and look.elsewhere:
        return State(
            "another scale",
            f"generated points spread {ratio:.2g} times as widely as real ones ({fake:.3g} and "
            f"{real:.3g}); scale both alike",
        )
    return None


def copies(look: Look, first: Look | None) -> State | None:
    own = look.real.apart
    close = 0.01 * float(own.median())
    if close <= 0 or float((own <= close).double().mean()) > 0.01:
        return None  # repeated or lattice points: a coincidence proves nothing
    distance, which = look.to_real
    near = distance <= close
    low, _ = share(int(near.sum()), len(near))
    different = len(which[near].unique())
    if low > 0.2 and different >= 8:
        return State(
            "copies of training points",
            f"{int(near.sum())} of {len(near)} generated points lie on {different} real ones",
        )
    return None


def missing_regions(look: Look, first: Look | None) -> State | None:
    if look.elsewhere:
        return None  # it is not that some regions are left out
    known, seen = look.real.held, look.real.in_regions(look.fake)
    lows = [share(int(k), len(look.real.points))[0] for k in known]
    chances = [(1 - low) ** len(look.fake) for low in lows]
    empty = [k for k, c in enumerate(chances) if seen[k] == 0 and c * len(known) < RARE]
    held = float(known[empty].sum() / known.sum()) if empty else 0.0
    if len(empty) < 3 or held < 0.1:
        return None
    return State(
        "missing regions",
        f"{len(empty)} of {len(known)} regions, which hold {100 * held:.0f} % of the real "
        f"points, have none of {len(look.fake)} generated ones",
    )


def separated(look: Look, first: Look | None) -> State | None:
    if look.scores is None or look.wasserstein or first is None:
        return None
    low, high = look.interval(tags.JS)
    left = look.saturating / first.saturating if first.saturating else math.nan
    right = ranked(*look.scores)
    if right[0] > 0.95 and high >= math.log(2) * 0.95 and low > 0.6 and left < 0.1:
        return State(
            "JS at log 2",
            f"JS is {low:.2f} to {high:.2f} nats, the discriminator separates more than "
            f"{100 * right[0]:.0f} % of pairs, and the saturating gradient is {100 * left:.2g} % "
            "of its start",
        )
    return None


def ranked(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Interval of the share of pairs whose real point has the higher score."""
    n = min(len(real), len(fake))
    return share(int((real[:n] > fake[:n]).sum()), n)


def swapped(look: Look, first: Look | None) -> State | None:
    if look.scores is None or first is None:
        return None
    _, high = ranked(*look.scores)
    js_low, _ = look.interval(tags.JS)
    if high < 0.1 and js_low > 0.2:
        return State(
            "labels swapped",
            "the critic ranks generated points above real ones in more than "
            f"{100 * (1 - high):.0f} % of pairs",
        )
    return None


def wrong_slope(look: Look, first: Look | None) -> State | None:
    if not look.wasserstein or first is None:
        return None
    low, high = look.interval(tags.W1_LOWER)[0], look.interval(tags.W1_UPPER)[1]
    critic_low, critic_high = look.around(tags.W1_CRITIC)
    if low > 0 and critic_high < low / 1.5:
        factor = low / critic_high if critic_high > 0 else math.inf
        return State(
            "critic too flat",
            f"W1 is at least {low:.3g}, the critic's value at most {critic_high:.3g}: a factor of "
            f"{factor:.2g} or more",
        )
    if high > 0 and critic_low > 1.5 * high:
        return State(
            "critic too steep",
            f"W1 is at most {high:.3g}, the critic's value at least {critic_low:.3g}: a factor of "
            f"{critic_low / high:.2g} or more",
        )
    return None


def stuck(look: Look, first: Look | None) -> State | None:
    if first is None:
        return None
    if look.weights is not None and first.weights is not None:
        same = torch.equal(look.weights, first.weights)
    else:
        moved = float((look.probe - first.probe).abs().max()) if look.fake.numel() else 0.0
        same = moved <= 1e-6 * spread(look.probe)
    what = "parameters have" if look.weights is not None else "points from the same noise have"
    return State("generator does not move", f"its {what} not changed") if same else None


def batch_statistics(look: Look, first: Look | None) -> State | None:
    if look.training is None or first is None:
        return None
    away = float((look.training.double().mean(0) - look.probe.double().mean(0)).norm())
    wide = spread(look.training)
    narrow = spread(look.probe)
    if away > 0.5 * wide or not 0.5 < narrow / max(wide, 1e-300) < 2:
        return State(
            "batch normalisation",
            f"samples differ between evaluation and training mode: their means by {away:.2g}, "
            f"their spreads are {narrow:.2g} and {wide:.2g}",
        )
    return None


def unresolved(look: Look, first: Look | None) -> State | None:
    (low, _), upper, floor = (
        look.interval(tags.W1_LOWER),
        look.number(tags.W1_UPPER),
        look.number(tags.W1_FLOOR),
    )
    if low <= 0 and upper <= 1.1 * floor:
        return State(
            "W1 below what the sample resolves",
            f"transport reads {upper:.3g} between the two sides, and {floor:.3g} between two real "
            "samples of the same size",
        )
    return None


Rule = Callable[[Look, Look | None], State | None]
AT_ONCE: tuple[Rule, ...] = (copies, stuck)
TWICE: tuple[Rule, ...] = (
    other_scale,
    swapped,
    separated,
    wrong_slope,
    batch_statistics,
    missing_regions,
    unresolved,
)


@final
class States:
    """Names what is wrong, if anything is, from look to look; the first look is the reference."""

    def __init__(self) -> None:
        self.first: Look | None = None
        self._before: set[str] = set()

    def judge(self, look: Look) -> list[State]:
        """The states that this look shows; of points that are not finite nothing else."""
        broken = diverging(look, self.first)
        if broken is not None:
            return [broken]
        found = [s for rule in AT_ONCE if (s := rule(look, self.first)) is not None]
        doubtful = [s for rule in TWICE if (s := rule(look, self.first)) is not None]
        found += [state for state in doubtful if state.name in self._before]
        self._before = {state.name for state in doubtful}
        self.first = self.first or look
        return found
