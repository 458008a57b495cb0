"""Estimators, ours and others', that are compared on pairs of laws with known divergences."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import ot
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.optim import Adam

import divergences as dv
from divergences.failed_estimates import Answers
from scripts.lab.known_pairs import Case

Reading = tuple[float, float, float, float, bool]
"""Value, standard error, interval's ends, and whether a warning came with it."""


@dataclass(frozen=True)
class ComparedEstimator:
    """A way to estimate one quantity.

    Attributes:
        name: Its row in the table.
        quantity: What it estimates, the name of the truth in a case.
        make: From a case to what is called on samples of many repeats, ``(R, n, d)``.
        dims: Dimensions it works in.
        largest: Largest sample size it is tried on; at 4096 points 200 exact transports take
            half an hour per cell.
        densities: Whether it has to know the laws' densities.
    """

    name: str
    quantity: str
    make: Callable[[Case], Callable[[Tensor, Tensor], list[Reading]]]
    dims: range = range(1, 9)
    largest: int = 4096
    densities: bool = False

    def fits(self, case: Case) -> bool:
        """Whether the case has a finite truth, and points, for this estimator."""
        truth = getattr(case, self.quantity)
        return (
            truth is not None
            and math.isfinite(truth)
            and case.dim in self.dims
            and not case.atoms
            and not (self.densities and case.densities is None)
        )


def _ours(estimator: dv.Estimator) -> Callable[[Case], Callable[[Tensor, Tensor], list[Reading]]]:
    def read(x: Tensor, y: Tensor) -> list[Reading]:
        readings, answers = [], Answers()
        for a, b in zip(x, y, strict=True):
            e = answers("a repeat", partial(estimator, a, b), None)
            if e is None:
                readings.append((math.nan, math.nan, math.nan, math.nan, True))
                continue
            ends = (float(e.ci[0]), float(e.ci[1]))
            readings.append((float(e.value), float(e.stderr), *ends, bool(e.warnings)))
        return readings

    return lambda case: read


def _learned(
    estimator: dv.Estimator,
) -> Callable[[Case], Callable[[Tensor, Tensor], list[Reading]]]:
    """All repeats as members of one program, in float32."""

    def read(x: Tensor, y: Tensor) -> list[Reading]:
        e = estimator(x.float(), y.float())
        warned = [
            any(w.startswith((f"member {k}:", f"member {k} ")) for w in e.warnings)
            for k in range(len(x))
        ]
        columns = (e.value, e.stderr, *e.ci)
        rows = zip(*(c.tolist() for c in columns), warned, strict=True)
        return list(rows)

    return lambda case: read


def _known_density(case: Case) -> Callable[[Tensor, Tensor], list[Reading]]:
    assert case.densities is not None
    return _ours(dv.KnownDensity(case.densities[1].log_prob))(case)


def _theirs(
    function: Callable[[np.ndarray, np.ndarray], float],
) -> Callable[[Case], Callable[[Tensor, Tensor], list[Reading]]]:
    """Somebody else's function of two arrays: a value and no error."""

    def read(x: Tensor, y: Tensor) -> list[Reading]:
        pairs = zip(x.numpy(), y.numpy(), strict=True)
        return [(float(function(a, b)), math.nan, math.nan, math.nan, False) for a, b in pairs]

    return lambda case: read


def _pot(x: np.ndarray, y: np.ndarray) -> float:
    return float(ot.emd2([], [], ot.dist(x, y, "euclidean"), numItermax=10_000_000))  # pyright: ignore


def _scipy(x: np.ndarray, y: np.ndarray) -> float:
    return wasserstein_distance(x[:, 0], y[:, 0])


def _scikit_learn(x: np.ndarray, y: np.ndarray) -> float:
    """JS as mutual information of point and label; scikit-learn has it one feature at a time."""
    from sklearn.feature_selection import mutual_info_classif

    labels = np.repeat([0, 1], [len(x), len(y)])
    information = mutual_info_classif(np.concatenate([x, y]), labels, random_state=0)
    return float(information[0])


def _torchmetrics(metric: Any, x: np.ndarray, y: np.ndarray) -> float:
    """A torchmetrics function of probability vectors, on a 16-bin histogram per axis."""
    pooled = np.concatenate([x, y])
    edges = [np.linspace(column.min(), column.max(), 17) for column in pooled.T]
    p, q = (torch.from_numpy(np.histogramdd(s, edges)[0].ravel() / len(s)) for s in (x, y))
    return float(metric(p[None], q[None]))


def _torchmetrics_kl(x: np.ndarray, y: np.ndarray) -> float:
    from torchmetrics.functional import kl_divergence

    return _torchmetrics(kl_divergence, x, y)


def _torchmetrics_js(x: np.ndarray, y: np.ndarray) -> float:
    from torchmetrics.functional.regression import jensen_shannon_divergence

    return _torchmetrics(jensen_shannon_divergence, x, y)


FLAT, LOW, LINE = range(1, 4), range(1, 3), range(1, 2)
_SHORT: dict[str, Any] = {
    "steps": 150,
    "hidden": (32,),
    "optimizer": partial(Adam, lr=3e-3),
    "cooldown": 0.5,
}
"""Training that a thousand points can bear; the defaults are for samplers without end."""
_WAVES = {**_SHORT, "steps": 300, "fourier": (1.0, 2.0)}

COMPARED = (
    ComparedEstimator("HistogramKL", "kl", _ours(dv.HistogramKL()), LOW),
    ComparedEstimator("NearestNeighbours", "kl", _ours(dv.NearestNeighbours())),
    ComparedEstimator("KnownDensity", "kl", _known_density, densities=True),
    ComparedEstimator("DiscriminatorKL", "kl", _learned(dv.DiscriminatorKL(**_SHORT))),
    ComparedEstimator("torchmetrics KL, 16 bins", "kl", _theirs(_torchmetrics_kl), LOW),
    ComparedEstimator("HistogramJS", "js", _ours(dv.HistogramJS()), LOW),
    ComparedEstimator("RossJS", "js", _ours(dv.RossJS())),
    ComparedEstimator("Discriminator", "js", _learned(dv.Discriminator(**_SHORT))),
    ComparedEstimator("Discriminator, Fourier", "js", _learned(dv.Discriminator(**_WAVES)), LOW),
    ComparedEstimator("scikit-learn mutual_info", "js", _theirs(_scikit_learn), LINE),
    ComparedEstimator("torchmetrics JS, 16 bins", "js", _theirs(_torchmetrics_js), LOW),
    ComparedEstimator("HistogramTV", "tv", _ours(dv.HistogramTV()), LOW),
    ComparedEstimator("EarthMover", "w1", _ours(dv.EarthMover()), largest=1024),
    ComparedEstimator("HeldOutDual", "w1", _ours(dv.HeldOutDual()), largest=1024),
    ComparedEstimator("Critic", "w1", _learned(dv.Critic(**_SHORT))),
    ComparedEstimator("POT emd2", "w1", _theirs(_pot), largest=1024),
    ComparedEstimator("SciPy wasserstein_distance", "w1", _theirs(_scipy), LINE),
    ComparedEstimator("EarthMover(order=2)", "w2", _ours(dv.EarthMover(order=2)), largest=1024),
)
