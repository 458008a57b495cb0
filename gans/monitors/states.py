"""A name for the state of a GAN's training, with the numbers that it rests on.

Each rule looks at one cause and is silent unless its evidence is beyond chance: an interval lies
wholly on one side, or an outcome would be rarer than one in a thousand. A state that training may
pass through for a moment is named only if two measurements in a row show it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from divergences.checks import entries
from gans.monitors import tags
from gans.monitors.evidence import RARE, Look, Start, State, share, spread

COPY = 0.2
"""Distance of a copy, over that from the copied point to its nearest neighbour."""


def diverging(look: Look, first: Start | None) -> State | None:
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
    if any(not torch.isfinite(tensor).all() for tensor in look.weights or ()):
        return State("not finite", "the generator's parameters are NaN or infinite")
    if first is None:
        return None
    now, then = look.number(tags.SLOPE_MEAN), first.slope
    largest = float(scores.abs().max())
    if then > 0 and now > 1000 * then and largest > 1000:
        return State(
            "exploding critic",
            f"its mean slope is {now / then:.2g} times that at the start, and scores reach "
            f"{largest:.2g}",
        )
    return None


def other_scale(look: Look, first: Start | None) -> State | None:
    real, fake = spread(look.real.points), spread(look.fake)
    if not 0 < real < math.inf:
        return None
    ratio = fake / real
    # twice as near once it is named: what is about to pass is not named and dropped by turns
    unlike = 5 if "another scale" in look.before else 10
    far_off = ratio > unlike or ratio < 1 / unlike
    if (look.elsewhere and far_off) or _is_dwarfed(look, ratio):
        return State(
            "another scale",
            f"generated points spread {ratio:.2g} times as widely as real ones ({fake:.3g} and "
            f"{real:.3g}); scale both alike",
        )
    return None


def _is_dwarfed(look: Look, ratio: float) -> bool:
    """Whether generated points are all near 0, and real ones around somewhere else.

    In many dimensions 0 is no farther from the real points than these are from each other. What
    has collapsed to a real point is as large as that, or lies in the middle of all.
    """
    fake, real = look.fake.double(), look.real.points.double()
    away = float((fake.mean(0) - real.mean(0)).norm())
    size = float((fake.square().mean() / real.square().mean()).sqrt())
    return ratio < 1 / 30 and size < 1 / 30 and away > spread(real) / 2


def copies(look: Look, first: Start | None) -> State | None:
    """Generated points lie on real ones, and more of them than real points of another half do."""
    near = look.real.closeness(*look.to_real) <= COPY
    by_chance = look.real.closeness_by_chance <= COPY
    low, _ = share(int(near.sum()), len(near))
    _, high = share(int(by_chance.sum()), len(by_chance))
    different = len(look.to_real[1][near].unique())
    if low > 0.2 + high and different >= 5:  # five by chance are rarer than one in a thousand
        return State(
            "copies of training points",
            f"{int(near.sum())} of {len(near)} generated points lie on {different} real ones: "
            "their distance is less than a fifth of that to the next real point",
        )
    return None


def missing_regions(look: Look, first: Start | None) -> State | None:
    if look.elsewhere or other_scale(look, first):
        return None  # it is not that some regions are left out
    known, seen = look.real.held, look.real.in_regions(look.fake)
    low, _ = share(known.cpu().numpy(), len(look.real.points))
    rare = torch.as_tensor((1 - low) ** len(look.fake) * len(known) < RARE)
    none = ((seen.cpu() == 0) & rare).nonzero()[:, 0].tolist()
    empty = [k for k in none if look.real.is_left_out(k, look.fake)]
    held = float(known[empty].sum() / known.sum()) if empty else 0.0
    if len(empty) < 3 or held < 0.1:
        return None
    return State(
        "missing regions",
        f"{len(empty)} of {len(known)} regions, which hold {100 * held:.0f} % of the real "
        f"points, have none of {len(look.fake)} generated ones",
    )


def separated(look: Look, first: Start | None) -> State | None:
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


def swapped(look: Look, first: Start | None) -> State | None:
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


def wrong_slope(look: Look, first: Start | None) -> State | None:
    if not look.wasserstein or first is None:
        return None
    low, high = look.interval(tags.W1_LOWER)[0], look.interval(tags.W1_UPPER)[1]
    critic_low, critic_high = look.around(tags.W1_CRITIC)
    if low > 0 and critic_high < low / 1.5:
        factor = f": a factor of {low / critic_high:.2g} or more" if critic_high > 0 else ""
        return State(
            "critic too flat",
            f"W1 is at least {low:.3g}, the critic's value at most {critic_high:.3g}{factor}",
        )
    if high > 0 and critic_low > 1.5 * high:
        return State(
            "critic too steep",
            f"W1 is at most {high:.3g}, the critic's value at least {critic_low:.3g}: a factor of "
            f"{critic_low / high:.2g} or more",
        )
    return None


def stuck(look: Look, first: Start | None) -> State | None:
    if first is None:
        return None
    if look.digest is not None and first.weights is not None:
        same = look.digest == first.weights
    else:
        moved = float((look.probe - first.probe).abs().max()) if look.fake.numel() else 0.0
        same = moved <= 1e-6 * spread(look.probe)
    what = "parameters have" if look.weights is not None else "points from the same noise have"
    return State("generator does not move", f"its {what} not changed") if same else None


def batch_statistics(look: Look, first: Start | None) -> State | None:
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


def unresolved(look: Look, first: Start | None) -> State | None:
    (low, _), upper, floor = (
        look.interval(tags.W1_LOWER),
        look.number(tags.W1_UPPER),
        look.number(tags.W1_FLOOR),
    )
    if low <= 0 and upper <= 1.1 * floor:
        return State(
            "W1 below what the sample resolves",
            f"transport measures {upper:.3g} between the two sides, and {floor:.3g} between two "
            "real samples of the same size",
        )
    return None


Rule = Callable[[Look, Start | None], State | None]
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
        self.first: Start | None = None
        self._before: set[str] = set()

    def judge(self, look: Look) -> list[State]:
        """The states that this look shows; of points that are not finite nothing else."""
        look = replace(look, before=frozenset(self._before))
        broken = diverging(look, self.first)
        if broken is not None:
            return [broken]
        found = [s for rule in AT_ONCE if (s := rule(look, self.first)) is not None]
        doubtful = [s for rule in TWICE if (s := rule(look, self.first)) is not None]
        found += [state for state in doubtful if state.name in self._before]
        self._before = {state.name for state in doubtful}
        self.first = self.first or look.start()
        return found

    def state_dict(self) -> dict[str, Any]:
        return {"first": vars(self.first) if self.first else None, "before": sorted(self._before)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        first, before = entries("States", state, "first", "before")
        self.first, self._before = Start(**first) if first else None, {*before}
