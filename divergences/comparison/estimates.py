"""Every estimator that two samples allow, the recommended ones first."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from divergences.answers import UNANSWERED
from divergences.comparison.permutation_tests import fewer, some
from divergences.estimate import Estimate, Estimator
from divergences.in_words import possible
from divergences.samples.authenticity import Authenticity
from divergences.samples.clipped_coverage import ClippedCoverage, ClippedDensity
from divergences.samples.coordinates import standardised
from divergences.samples.coverage import Coverage, Density, Precision, Recall
from divergences.samples.earth_mover import EarthMover
from divergences.samples.frechet import FrechetDistance
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.histogram import HistogramJS, HistogramKL, HistogramTV
from divergences.samples.kernel import MMD, EnergyDistance
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.polynomial_kernel import KernelDistance
from divergences.samples.ross import RossJS
from divergences.samples.sliced import Sliced
from divergences.samples.two_sample_classifier import ClassifierAccuracy, ClassifierAUC

DEVIATIONS = "standard deviations"
SQUARED = "squared standard deviations"


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


def answers(x: Tensor, y: Tensor, ask: Sequence[Question]) -> list[Answer]:
    """The answer to each question about samples ``(n, d)`` and ``(m, d)``."""
    standard = standardised(x, y)
    return [
        _answer(question, *((standard.x, standard.y) if question.standard else (x, y)))
        for question in ask
    ]


def exchanged(text: str) -> str:
    """A sentence about x and y as one about y and x.

    Example:
        >>> exchanged("3 of 9 points of x lie in cells without a point of y")
        '3 of 9 points of y lie in cells without a point of x'
    """
    return re.sub(r"\b[xy]\b", lambda found: "y" if found[0] == "x" else "x", text)


def _answer(question: Question, x: Tensor, y: Tensor) -> Answer:
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


def _asked(ask: Callable[[], Estimate], reasons: list[str]) -> Estimate | None:
    try:
        return ask()
    except UNANSWERED as error:
        reasons.append(" ".join(str(error).split()))
        return None


def rounded_columns(x: Tensor, y: Tensor, names: Sequence[str]) -> list[str]:
    """The columns whose numbers are rounded to steps that are not small against their spread."""
    steps = standardised(x, y).resolution[0]
    return [names[int(j)] for j in (steps > 0.05).nonzero()[:, 0]]


def lengths(x: Tensor, y: Tensor) -> Tensor:
    """The standard deviation of each column that lengths are divided by, ``(d,)``."""
    return torch.as_tensor(standardised(x, y).scale)[0]
