"""Every estimator that two samples allow, the recommended ones first."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from divergences.comparison.two_sample_test import fewer, some
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from divergences.failed_estimates import UNANSWERED
from divergences.in_words import possible
from divergences.samples.authenticity import Authenticity
from divergences.samples.clipped_coverage import ClippedCoverage, ClippedDensity
from divergences.samples.coordinates import Standardised, in_deviations, standardised
from divergences.samples.coverage import Coverage, Density, Precision, Recall
from divergences.samples.earth_mover import EarthMover
from divergences.samples.energy_distance_and_mmd import MMD, EnergyDistance
from divergences.samples.frechet import FrechetDistance
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.histogram import HistogramJS, HistogramKL, HistogramTV
from divergences.samples.kernel_distance import KernelDistance
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS
from divergences.samples.sliced import Sliced
from divergences.samples.two_sample_classifier import ClassifierAccuracy, ClassifierAUC

DEVIATIONS = "standard deviations"
SQUARED = "squared standard deviations"
OWN_UNITS = "units of the data"
DEALS, DEALT = 8, 4000  # at most so many deals, and so many points in all of them


@dataclass(frozen=True)
class Question:
    """A quantity to estimate, by the first of several estimators that has an answer.

    Attributes:
        key: A key of :data:`divergences.estimate.QUANTITIES`.
        name: What the table calls it.
        estimators: In the order in which they are asked.
        most_points: Of larger samples so many points are used.
        unit: Of the value.
        standard: Whether columns are standardised first; what does not depend on units is asked of
            the columns as they are.
        swapped: Whether x and y change places.
    """

    key: str
    name: str
    estimators: tuple[Estimator, ...]
    most_points: int
    unit: str = ""
    standard: bool = False
    swapped: bool = False


@dataclass(frozen=True)
class Answer:
    """An estimate in the table of a comparison, or why there is none.

    Attributes:
        key: Of the quantity.
        name: What the table calls it.
        estimate: ``None`` if there is none.
        unit: Of the value; lengths are in standard deviations of the columns.
        by: Class of the estimator.
        warnings: Those of the estimate, and how many points were used; without an estimate why.
    """

    key: str
    name: str
    estimate: Estimate | None
    unit: str
    by: str
    warnings: tuple[str, ...]


def questions(d: int) -> tuple[Question, ...]:
    """What is asked of points with ``d`` columns, recommended first."""
    trees = 10_000 if d <= 3 else 2000
    grid = d <= 3
    js: tuple[Estimator, ...] = (RossJS(), *([HistogramJS()] if grid else []))
    kl: tuple[Estimator, ...] = (NearestNeighbours(), *([HistogramKL()] if grid else []))
    rows = [
        Question("w1", "W1", (EarthMover(),), 100_000 if d == 1 else 1500, DEVIATIONS, True),
        Question("js", "JS", js, trees, "nats"),
        Question("kl", "KL(x‖y)", kl, trees, "nats"),
        Question("kl_reverse", "KL(y‖x)", kl, trees, "nats", swapped=True),
        Question("energy", "energy distance", (EnergyDistance(),), 3000, DEVIATIONS, True),
        Question("mmd", "MMD²", (MMD(),), 3000, standard=True),
        Question("sw1", "sliced W1", (Sliced(),), 10_000, DEVIATIONS, True),
        Question("w1", "W1, lower bound", (HeldOutDual(),), 1500, DEVIATIONS, True),
    ]
    rows += [
        Question("c2st_accuracy", "C2ST accuracy", (ClassifierAccuracy(),), 20_000),
        Question("c2st_auc", "C2ST AUC", (ClassifierAUC(),), 20_000),
        Question("precision", "precision of y", (Precision(),), 2000, standard=True),
        Question("recall", "recall of x", (Recall(),), 2000, standard=True),
        Question("density", "density", (Density(),), 2000, standard=True),
        Question("coverage", "coverage", (Coverage(),), 2000, standard=True),
        Question("clipped_density", "clipped density", (ClippedDensity(),), 2000, standard=True),
        Question(
            "clipped_coverage", "clipped coverage", (ClippedCoverage(),), 2000, standard=True
        ),
        Question("authenticity", "authenticity of y", (Authenticity(),), 2000, standard=True),
        Question("frechet", "Fréchet distance", (FrechetDistance(),), 50_000, SQUARED, True),
        Question("kid", "KID", (KernelDistance(),), 3000, standard=True),
    ]
    if grid:
        rows.insert(4, Question("tv", "TV, lower bound", (HistogramTV(),), 100_000))
    return tuple(rows)


def in_own_units(ask: Sequence[Question]) -> tuple[Question, ...]:
    """The same questions about columns as they are."""
    units = {DEVIATIONS: OWN_UNITS, SQUARED: f"squared {OWN_UNITS}"}
    return tuple(replace(q, standard=False, unit=units.get(q.unit, q.unit)) for q in ask)


def answers(
    x: Tensor,
    y: Tensor,
    ask: Sequence[Question],
    seed: int = 0,
    standard: Standardised | None = None,
) -> list[Answer]:
    """The answer to each question about samples ``(n, d)`` and ``(m, d)``.

    Each estimate has a floor: what the same estimator gives for samples of equal laws of these
    sizes. Where it measures none itself, both samples are dealt anew from the points of both, on
    average over a few deals if there are few points. ``standard`` are both samples in standard
    deviations, if they are known.
    """
    standard = standard or in_deviations(standardised(x, y))
    return [
        _answer(question, *((standard.x, standard.y) if question.standard else (x, y)), seed)
        for question in ask
    ]


def exchanged(text: str) -> str:
    """A sentence about x and y as one about y and x.

    Example:
        >>> exchanged("3 of 9 points of x lie in cells without a point of y")
        '3 of 9 points of y lie in cells without a point of x'
    """
    return re.sub(r"\b[xy]\b", lambda found: "y" if found[0] == "x" else "x", text)


def _answer(question: Question, x: Tensor, y: Tensor, seed: int) -> Answer:
    a, b = (some(z, question.most_points) for z in (x, y))
    notes = fewer((len(x), len(y)), (len(a), len(b)))
    if question.swapped:
        a, b = b, a
    reasons: list[str] = []
    for estimator in question.estimators:
        start = time.perf_counter()
        found = _asked(lambda estimator=estimator: estimator(a, b), reasons)
        # of an unbiased estimate it may be so by chance
        biased = found is not None and found.bound == "none"
        if found is not None and biased and not possible(question.key, *map(float, found.ci)):
            reasons.append(
                f"{type(estimator).__name__} gives {float(found.value):.2g}, with an interval "
                "that holds no value that is possible"
            )
            found = None
        if found is not None and not bool(found.value.isnan()):
            if bool(found.floor.isnan()):
                found = replace(found, floor=_between_equal_laws(estimator, a, b, seed))
            found = replace(found, quantity=question.key, seconds=time.perf_counter() - start)
            if question.swapped:
                found = replace(found, warnings=tuple(map(exchanged, found.warnings)))
            return Answer(
                question.key, question.name, found, question.unit, type(estimator).__name__,
                (*found.warnings, *notes),
            )  # fmt: skip
        reasons += found.warnings if found is not None else ()
    names = ", ".join(type(e).__name__ for e in question.estimators)
    return Answer(question.key, question.name, None, question.unit, names, tuple(reasons[:1]))


def _between_equal_laws(estimator: Estimator, x: Tensor, y: Tensor, seed: int) -> Tensor:
    """The mean of its values for samples dealt from the points of both, where it gives any."""
    pool, values = torch.cat([x, y]), []
    draw = np.random.default_rng(seed % 2**63)
    for _ in range(min(DEALS, max(1, DEALT // len(pool)))):
        order = torch.from_numpy(draw.permutation(len(pool)))
        dealt = pool[order[: len(x)]], pool[order[len(x) :]]
        found = _asked(lambda dealt=dealt: estimator(*dealt), [])
        if found is not None:
            values.append(found.value)
    return torch.stack(values).mean() if values else x.new_tensor(torch.nan)


def _asked(ask: Callable[[], Estimate], reasons: list[str]) -> Estimate | None:
    try:
        return ask()
    except UNANSWERED as error:
        reasons.append(" ".join(str(error).split()))
        return None
