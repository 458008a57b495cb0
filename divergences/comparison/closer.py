"""Which of two samples is closer to a third: two generators against one target."""

import json
import math
from dataclasses import dataclass
from typing import Any, final

import torch
from scipy.special import ndtr
from torch import Tensor

from divergences.checks import seed_number, shown
from divergences.comparison.remarks import copies, series
from divergences.comparison.sentence import number, p_text
from divergences.comparison.tables import aligned, as_table
from divergences.comparison.terminal_text import table
from divergences.comparison.two_sample_test import some
from divergences.estimate import Estimate
from divergences.pair_distances import pair_distances
from divergences.samples.coordinates import in_deviations, standardised
from divergences.samples.energy_distance_and_mmd import EnergyDistance
from divergences.samples.few_points import Sum
from divergences.shown_text import visible
from divergences.whole_files import plain

LEVEL = 0.05
MOST_POINTS = 3000  # of each sample: matrices of all pairs of 72 MB
LEAST_P = 1e-4  # smaller ones are no more than that: tails of the normal law are not exact


@final
@dataclass(frozen=True)
class Closer:
    """What :func:`closer` found.

    Attributes:
        labels: What the target and both samples are called.
        n: Sizes of the three.
        names: Of the columns.
        distances: Energy distance of each sample to the target, in standard deviations.
        difference: The first less the second, with its interval; below 0 the first is closer.
        notes: What was done to the samples and what should be known of them.
    """

    labels: tuple[str, str, str]
    n: tuple[int, int, int]
    names: tuple[str, ...]
    distances: tuple[Estimate, Estimate]
    difference: Estimate
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        for part in (*self.distances, self.difference):
            if not isinstance(part, Estimate):
                raise TypeError(f"{shown(part)} is no Estimate: a Closer is what closer() returns")
        for name, many in (("labels", 3), ("n", 3), ("distances", 2)):
            if len(getattr(self, name)) != many:
                raise ValueError(f"{name} holds {len(getattr(self, name))}, not {many} of them")

    @property
    def p_value(self) -> float:
        """Of equal distances, two-sided, by the normal law; at least .0001.

        Where nothing varies, that of labels that part the two samples.
        """
        value, stderr = float(self.difference.value), float(self.difference.stderr)
        if not stderr > 0:
            n, m = self.n[1:]
            log_labels = math.lgamma(n + m + 1) - math.lgamma(n + 1) - math.lgamma(m + 1)
            parted = stderr == 0 and value != 0
            return max(min(1.0, 2 * math.exp(-log_labels)), LEAST_P) if parted else 1.0
        return max(2 * float(ndtr(-abs(value / stderr))), LEAST_P)

    @property
    def winner(self) -> str | None:
        """The label of the sample that is closer, at level .05; ``None`` if neither is seen to."""
        if self.p_value > LEVEL:
            return None
        return self.labels[1 if float(self.difference.value) < 0 else 2]

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        target, first, second = self.labels
        low, high = (float(end) for end in self.difference.ci)
        if self.winner is None:
            return (
                f"no difference seen (p {p_text(self.p_value)}) between the distances of {first} "
                f"and {second} to {target}: that of {first} is between {number(max(0.0, -low))} "
                f"less and {number(max(0.0, high))} more"
            )
        other = second if self.winner == first else first
        ends = sorted((abs(low), abs(high))) if low * high > 0 else [0.0, max(-low, high)]
        by = f"between {number(ends[0])} and {number(ends[1])} standard deviations"
        return (
            f"{self.winner} is closer to {target} than {other} (p {p_text(self.p_value)}): its "
            f"energy distance is less by {by}"
        )

    def __str__(self) -> str:
        rows = [(f"energy distance to {self.labels[0]}", "value", "95 % interval")]
        estimates = *self.distances, self.difference
        for name, found in zip((*self.labels[1:], "difference"), estimates, strict=True):
            low, high = (number(float(end)) for end in found.ci)
            rows.append((name, number(float(found.value)), f"{low} to {high}"))
        notes = [f"! {note}" for note in self.notes]
        blocks = [table(rows), *(["\n".join(notes)] if notes else []), self.sentence]
        return visible("\n\n".join(blocks), keep="\n")

    def to_json(self) -> str:
        """Everything as one JSON object; ``null`` stands for what is no number."""
        estimates = dict(zip(("first", "second", "difference"),
                             (*self.distances, self.difference), strict=True))  # fmt: skip
        found = {
            "sentence": self.sentence,
            "winner": self.winner,
            "p_value": self.p_value,
            "labels": self.labels,
            "n": self.n,
            "columns_compared": self.names,
            "energy_distances": {
                name: {"value": float(e.value), "low": float(e.ci[0]), "high": float(e.ci[1])}
                for name, e in estimates.items()
            },
            "notes": self.notes,
        }
        return json.dumps(plain(found), ensure_ascii=False, allow_nan=False, indent=1)


def closer(target: Any, a: Any, b: Any, *, seed: int = 0) -> Closer:
    r"""Which of two samples is closer to the target, by the energy distance.

    .. math:: \Delta = \bigl(2 E\|T - A\| - E\|A - A'\|\bigr)
        - \bigl(2 E\|T - B\| - E\|B - B'\|\bigr)

    Both distances share the points of the target, so that its chance cancels. Interval and p-value
    are those of a normal law with the jackknife's variance, of every point's influence on
    :math:`\Delta`. That variance is never too small in expectation (Efron and Stein); where all
    three laws are equal it is too large, and the interval holds 0 in more than 95 %. Relabelling
    the points of a and b would test whether their laws are equal instead. Columns are standardised
    by all three samples.

    References:
        | Energy statistics (Székely and Rizzo, 2013), equation (4)
        | https://doi.org/10.1016/j.jspi.2013.03.018
        | The Jackknife Estimate of Variance (Efron and Stein, 1981)
        | https://doi.org/10.1214/aos/1176345462

    Arguments:
        target: Points of shape ``(n, d)``, as for :func:`compare`.
        a: Points of the first sample.
        b: Points of the second.
        seed: Of the points that are used where there are more than 3000.

    Raises:
        TypeError: If a sample holds anything but real numbers.
        ValueError: If columns differ, values are missing, or there are too few rows.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> target, a, b = (torch.randn(300, 2, generator=draw) for _ in range(3))
        >>> closer(target, a + 0.2, b + 1).winner
        'a'
    """
    seed_number("seed", seed)
    given = zip((target, a, b), ("target", "a", "b"), strict=True)
    tables, names, notes = aligned(*(as_table(sample, label) for sample, label in given))
    used = [some(t.values, MOST_POINTS, int(seed) + k) for k, t in enumerate(tables)]
    fewer = [
        f"{len(some_of)} of {len(t.values)} points of {t.label} used, at random"
        for t, some_of in zip(tables, used, strict=True)
        if len(some_of) < len(t.values)
    ]
    wanted, *samples = tables
    remarked = [note for t in tables for note in series(t.values, t.label, names)]
    for t in samples:
        remarked += copies(wanted.values, t.values, (wanted.label, t.label))
    both = torch.cat(used)
    points = in_deviations(standardised(both, both)).x
    z, first, second = points.split([len(part) for part in used])
    difference = energy_difference(z, first, second)
    distance = EnergyDistance()
    distances = distance(z, first), distance(z, second)
    warnings = (w for e in (*distances, difference) for w in e.warnings)
    return Closer(
        labels=(tables[0].label, tables[1].label, tables[2].label),
        n=(len(tables[0].values), len(tables[1].values), len(tables[2].values)),
        names=names,
        distances=distances,
        difference=difference,
        notes=(*notes, *fewer, *remarked, *dict.fromkeys(warnings)),
    )


def energy_difference(z: Tensor, a: Tensor, b: Tensor) -> Estimate:
    """The energy distance of ``z`` to ``a`` less that to ``b``, points of shape ``(n, d)``."""
    to_a, to_b = (pair_distances(z, other) for other in (a, b))
    of_a, of_b = (
        2 * (across.mean(0) - pair_distances(own, own).sum(1) / (len(own) - 1))
        for across, own in ((to_a, a), (to_b, b))
    )
    of_z = 2 * (to_a.mean(1) - to_b.mean(1))
    value = (of_z.mean() + of_a.mean() - of_b.mean()) / 2
    error = Sum(of_z, of_a, of_b)
    stderr = error.variance.sqrt()
    ends = (value - error.reach * stderr, value + error.reach * stderr)
    return Estimate(
        value, stderr, ends, "exact", (len(a), len(b)), warnings=error.rests_on_few(),
        quantity="energy",
    )  # fmt: skip
