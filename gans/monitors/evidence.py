"""What the rules that name a GAN's state are given: one member's numbers at one look."""

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Tensor

from divergences.estimate import Estimate, Z
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
class Start:
    """What later looks are compared with: the first one.

    Attributes:
        slope: Mean slope of the critic.
        saturating: Mean size of the gradient of log(1 - D) at generated points.
        probe: Points from the same noise at every look.
        weights: Digest of the generator's parameters, or ``None``.
    """

    slope: float
    saturating: float
    probe: Tensor
    weights: str | None


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
        weights: The generator's parameters, or ``None`` if they are not known.
        wasserstein: Whether the critic is one of a Wasserstein GAN; ``None`` if unknown.
        before: Names of the doubtful states that the look before has shown.
    """

    readings: Readings
    real: RealCloud
    fake: Tensor
    probe: Tensor
    training: Tensor | None = None
    scores: tuple[Tensor, Tensor] | None = None
    saturating: float = math.nan
    weights: Sequence[Tensor] | None = None
    wasserstein: bool | None = None
    before: Collection[str] = ()

    @cached_property
    def digest(self) -> str | None:
        """Of the generator's parameters: another one as soon as one number is another."""
        if self.weights is None:
            return None
        digest = hashlib.blake2b(digest_size=16)
        for tensor in self.weights:
            numbers = tensor.detach().cpu().reshape(-1)
            digest.update(numbers.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def start(self) -> Start:
        """What later looks are compared with, if this is the first."""
        slope = self.number(tags.SLOPE_MEAN)
        return Start(slope, self.saturating, self.probe, self.digest)

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
        half = Z * float(found.stderr.double().square().sum().sqrt()) / len(found.stderr)
        return self.number(tag) - half, self.number(tag) + half

    def number(self, tag: str) -> float:
        """A reading's mean, NaN where there is none."""
        return float(value(self.readings[tag]).mean()) if tag in self.readings else math.nan


def share(hits: Any, of: int) -> tuple[Any, Any]:
    """Clopper-Pearson interval of a share, each end wrong with probability :data:`RARE`.

    Arguments:
        hits: A count, or an array of them.
        of: Of how many.

    Example:
        >>> [round(float(end), 3) for end in share(100, 100)]
        [0.933, 1.0]
    """
    hits = np.asarray(hits, float)
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), of - hits + 1, RARE), 0.0)
    high = np.where(hits < of, betaincinv(hits + 1, np.maximum(of - hits, 1), 1 - RARE), 1.0)
    return low, high


def spread(points: Tensor) -> float:
    """Root mean square distance from the mean."""
    return float((points.double() - points.double().mean(0)).square().sum(-1).mean().sqrt())
