"""Estimators, ours and others', on pairs of laws whose divergences are known: one cell at a time.

A cell is one contender on one case at one sample size, repeated on fresh samples. Its record says
what was estimated against the truth, how often the 95 % interval covered it, and what it cost.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ot
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.optim import Adam

import divergences as dv
from divergences.estimate import Z
from divergences.failed_estimates import Answers
from scripts.lab.known_pairs import CASES, Case

Reading = tuple[float, float, float, float, bool]
"""Value, standard error, interval's ends, and whether a warning came with it."""


@dataclass(frozen=True)
class Contender:
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
        """Whether the case has a finite truth, and points, for this contender."""
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

CONTENDERS = (
    Contender("HistogramKL", "kl", _ours(dv.HistogramKL()), LOW),
    Contender("NearestNeighbours", "kl", _ours(dv.NearestNeighbours())),
    Contender("KnownDensity", "kl", _known_density, densities=True),
    Contender("DiscriminatorKL", "kl", _learned(dv.DiscriminatorKL(**_SHORT))),
    Contender("torchmetrics KL, 16 bins", "kl", _theirs(_torchmetrics_kl), LOW),
    Contender("HistogramJS", "js", _ours(dv.HistogramJS()), LOW),
    Contender("RossJS", "js", _ours(dv.RossJS())),
    Contender("Discriminator", "js", _learned(dv.Discriminator(**_SHORT))),
    Contender("Discriminator, Fourier", "js", _learned(dv.Discriminator(**_WAVES)), LOW),
    Contender("scikit-learn mutual_info", "js", _theirs(_scikit_learn), LINE),
    Contender("torchmetrics JS, 16 bins", "js", _theirs(_torchmetrics_js), LOW),
    Contender("HistogramTV", "tv", _ours(dv.HistogramTV()), LOW),
    Contender("EarthMover", "w1", _ours(dv.EarthMover()), largest=1024),
    Contender("HeldOutDual", "w1", _ours(dv.HeldOutDual()), largest=1024),
    Contender("Critic", "w1", _learned(dv.Critic(**_SHORT))),
    Contender("POT emd2", "w1", _theirs(_pot), largest=1024),
    Contender("SciPy wasserstein_distance", "w1", _theirs(_scipy), LINE),
    Contender("EarthMover(order=2)", "w2", _ours(dv.EarthMover(order=2)), largest=1024),
)


@dataclass(frozen=True)
class Cell:
    """One contender, one case, one sample size, so many repeats."""

    contender: str
    case: str
    n: int
    repeats: int

    @property
    def key(self) -> str:
        """Name of its record."""
        return f"{self.contender} {self.case} {self.n} x{self.repeats}"


def cells(sizes: list[int], repeats: int) -> list[Cell]:
    """Every contender on every case that has a truth for it, at every size it is tried on."""
    return [
        Cell(contender.name, case.id, n, repeats)
        for contender in CONTENDERS
        for case in CASES
        if contender.fits(case)
        for n in sizes
        if n <= contender.largest
    ]


def measure(cell: Cell) -> dict[str, Any]:
    """Run one cell; its record as plain numbers."""
    contender = next(c for c in CONTENDERS if c.name == cell.contender)
    case = next(c for c in CASES if c.id == cell.case)
    truth = getattr(case, contender.quantity)
    draws = [case.draw(cell.n, seed) for seed in range(cell.repeats)]
    x, y = (torch.stack(side) for side in zip(*draws, strict=True))
    read = contender.make(case)
    before = _memory("VmRSS", reset=True)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a rival warns of shows in its bias
        readings = read(x, y)
    seconds = time.process_time() - start
    values, stderrs, lows, highs, warned = (np.array(c) for c in zip(*readings, strict=True))
    answered = np.isfinite(values)
    has_interval = np.isfinite(lows) | np.isinf(highs)
    slack = 1e-12 * max(1.0, abs(truth))  # rounding of the truth itself
    covered = (lows - slack <= truth) & (truth <= highs + slack)
    by_stderr = np.abs(values - truth) <= Z * stderrs + slack
    silent = ~warned.astype(bool)

    def mean(column: np.ndarray, rows: np.ndarray) -> float:
        return float(column[rows].mean()) if rows.any() else math.nan

    return {
        "quantity": contender.quantity,
        "estimator": contender.name,
        "case": case.id,
        "n": cell.n,
        "truth": truth,
        "mean": mean(values, answered),
        "bias": mean(values, answered) - truth,
        "sd": float(values[answered].std(ddof=1)) if answered.sum() > 1 else math.nan,
        "stderr": mean(stderrs, answered),
        "coverage": mean(covered, has_interval),
        "coverage_unwarned": mean(covered, has_interval & silent),
        "coverage_by_stderr": mean(by_stderr, has_interval & silent),
        "covered_or_warned": mean(covered | ~silent, has_interval),
        "warned": float(warned.mean()),
        "answered": float(answered.mean()),
        "repeats": cell.repeats,
        "seconds": seconds / cell.repeats,
        "peak_mib": (_memory("VmHWM") - before) / 1024,
    }


def _memory(field: str, reset: bool = False) -> float:
    """Resident memory of this process in KiB, NaN where the system does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return float(next(line for line in lines if line.startswith(field)).split()[1])
    except (OSError, StopIteration):
        return math.nan
