"""Time and memory of estimators against the number of points, beside others' for the same."""

import argparse
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
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from torch import Tensor

import divergences as dv
from divergences.command_line import Parser
from divergences.whole_files import write_atomically
from gans.runtime.escaping import say
from gans.runtime.files import as_csv
from gans.runtime.malloc import give_back_memory
from scripts.lab.jobs import Job
from scripts.lab.options import at_least
from scripts.lab.records import results

LINES = 200
SHIFT = 0.3  # between the two normal laws
STATUS = Path("/proc/self/status")


def _mean_of_others(kernel: np.ndarray) -> float:
    """The mean of a matrix of pairs without those of a point with itself."""
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


def _pot_transport(x: np.ndarray, y: np.ndarray) -> float:
    return float(ot.emd2([], [], ot.dist(x, y, "euclidean"), numItermax=10_000_000))  # pyright: ignore


def _pot_sliced(x: np.ndarray, y: np.ndarray) -> float:
    generator = torch.Generator().manual_seed(0)
    lines = torch.randn(LINES, x.shape[1], generator=generator, dtype=torch.float64)
    lines = (lines / lines.norm(dim=1, keepdim=True)).T.numpy()
    return float(ot.sliced_wasserstein_distance(x, y, projections=lines, p=1))  # pyright: ignore


def _scipy_energy(x: np.ndarray, y: np.ndarray) -> float:
    own = _mean_of_others(cdist(x, x)) + _mean_of_others(cdist(y, y))
    return float(2 * cdist(x, y).mean()) - own


def _sklearn_mmd(x: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics.pairwise import rbf_kernel

    own = sum(_mean_of_others(rbf_kernel(z, gamma=0.5)) for z in (x, y))
    return own - float(2 * rbf_kernel(x, y, gamma=0.5).mean())


def _scipy_frechet(x: np.ndarray, y: np.ndarray) -> float:
    a, b = np.cov(x.T), np.cov(y.T)
    between = np.square(x.mean(0) - y.mean(0)).sum()
    return float(between + np.trace(a + b - 2 * np.real(sqrtm(a @ b))))  # pyright: ignore


def _torchmetrics_kid(x: np.ndarray, y: np.ndarray) -> float:
    from torchmetrics.image.kid import poly_mmd

    return float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y)))


@dataclass(frozen=True)
class TimedEstimator:
    """An estimator, and who else computes its value.

    Attributes:
        ours: The estimator.
        rival: The other's name.
        theirs: Its value of two arrays, without an error or a warning.
        largest: Most points a side that it is tried on.
    """

    ours: dv.Estimator
    rival: str = ""
    theirs: Callable[[np.ndarray, np.ndarray], float] | None = None
    largest: int = 10**6


TIMED = {
    "EarthMover": TimedEstimator(dv.EarthMover(floor=False), "POT, emd2", _pot_transport, 8192),
    "Sliced": TimedEstimator(
        dv.Sliced(projections=LINES, floor=False), "POT, sliced", _pot_sliced
    ),
    "EnergyDistance": TimedEstimator(dv.EnergyDistance(), "SciPy, cdist", _scipy_energy, 16384),
    "MMD": TimedEstimator(dv.MMD(bandwidth=1.0), "scikit-learn, rbf_kernel", _sklearn_mmd, 16384),
    "KernelDistance": TimedEstimator(
        dv.KernelDistance(), "torchmetrics, KID", _torchmetrics_kid, 16384
    ),
    "FrechetDistance": TimedEstimator(dv.FrechetDistance(), "SciPy, sqrtm", _scipy_frechet),
    "NearestNeighbours": TimedEstimator(dv.NearestNeighbours()),
    "RossJS": TimedEstimator(dv.RossJS()),
    "HistogramKL": TimedEstimator(dv.HistogramKL()),
    "Coverage": TimedEstimator(dv.Coverage(), largest=16384),
    "ClassifierAUC": TimedEstimator(dv.ClassifierAUC(), largest=16384),
    "HeldOutDual": TimedEstimator(dv.HeldOutDual(), largest=8192),
    "Sinkhorn": TimedEstimator(dv.Sinkhorn(order=2, floor=False), largest=1024),
}


def add_arguments(command: Parser) -> None:
    command.flag("--sizes", "points a side", type=at_least(16), default=[256, 1024, 4096])
    command.flag("--dimension", "of the points", type=at_least(2), default=2, metavar="D")
    command.flag("--repeats", "of which the best counts", type=at_least(1), default=3)
    every = list(TIMED)
    command.flag("--only", "rows", choices=every, default=every, metavar="ESTIMATOR")


def run(options: argparse.Namespace) -> None:
    """One row per estimator and size, and how time grows."""
    jobs = {
        f"{name}/{n}x{options.dimension}": Job(n / 1000, measure, name, n, options.dimension,
                                               options.repeats)
        for name in options.only
        for n in sorted(options.sizes)
        if n <= TIMED[name].largest
    }  # fmt: skip
    rows = results(jobs, options)
    write_atomically(options.out / "cost.csv", as_csv(rows))
    for row in rows:
        beside = ""
        if row["rival"]:
            beside = (
                f"; {row['rival']} {row['their_seconds']:.4f} s, {row['their_megabytes']:.0f} MB, "
                f"values apart by {row['apart']:.0e}"
            )
        say(
            f"{row['estimator']:18} {row['points']:6} points: {row['seconds']:.4f} CPU s, "
            f"{row['megabytes']:.0f} MB{beside}"
        )
    for name in options.only:
        own = [(row["points"], row["seconds"]) for row in rows if row["estimator"] == name]
        if len(own) > 1:
            (n, slow), (m, fast) = own[-1], own[-2]
            say(f"{name:18} grows as n^{np.log(slow / fast) / np.log(n / m):.1f} at the end")


def measure(name: str, n: int, d: int, repeats: int) -> dict[str, Any]:
    """CPU seconds and memory of one estimator, and of its rival, on the same points."""
    timed = TIMED[name]
    x, y = samples(n, d)
    warnings.filterwarnings("ignore", message="estimate ")
    timed.ours(x[:16], y[:16])
    value, seconds, megabytes = cost(partial(timed.ours, x, y), repeats)
    row = {
        "estimator": name, "points": n, "dimensions": d, "seconds": seconds,
        "megabytes": megabytes, "rival": timed.rival, "their_seconds": np.nan,
        "their_megabytes": np.nan, "apart": np.nan,
    }  # fmt: skip
    if timed.theirs is not None:
        arrays = x.numpy(), y.numpy()
        timed.theirs(*(z[:16] for z in arrays))
        theirs, their_seconds, their_megabytes = cost(partial(timed.theirs, *arrays), repeats)
        apart = abs(float(value.value) - theirs) / abs(theirs)
        row |= {
            "their_seconds": their_seconds, "their_megabytes": their_megabytes, "apart": apart,
        }  # fmt: skip
    return row


def samples(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Points of two normal laws, shifted against each other."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return x, y + SHIFT


def cost(call: Callable[[], Any], repeats: int) -> tuple[Any, float, float]:
    """What a call returns, its least CPU seconds, and the megabytes that it adds at most."""
    give_back_memory()
    before = resident("VmRSS", reset=True)
    result, seconds = None, []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return result, min(seconds), resident("VmHWM") - before


def resident(what: str, reset: bool = False) -> float:
    """This process's memory now (VmRSS) or at most (VmHWM), in MB; ``nan`` outside Linux."""
    if not STATUS.exists():
        return float("nan")
    if reset:
        STATUS.with_name("clear_refs").write_text("5")  # the most is counted anew
    line = next(s for s in STATUS.read_text().splitlines() if s.startswith(what))
    return int(line.split()[1]) / 1024
