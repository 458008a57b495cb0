"""How accurate estimators are on known pairs, and how often their intervals hold the truth.

A cell is one estimator on one case at one sample size, repeated on fresh samples. Its record says
what was estimated against the truth, how often the 95 % interval covered it, and what it cost.
"""

import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from divergences.estimate import Z
from gans.runtime.escaping import as_label
from scripts.lab.compared_estimators import COMPARED
from scripts.lab.known_pairs import CASES
from scripts.lab.plotting import captioned, drawing


@dataclass(frozen=True)
class Cell:
    """One estimator, one case, one sample size, so many repeats."""

    estimator: str
    case: str
    n: int
    repeats: int

    @property
    def key(self) -> str:
        """Name of its record."""
        return f"{self.estimator} {self.case} {self.n} x{self.repeats}"


def cells(sizes: list[int], repeats: int) -> list[Cell]:
    """Every estimator on every case that has a truth for it, at every size it is tried on."""
    return [
        Cell(estimator.name, case.id, n, repeats)
        for estimator in COMPARED
        for case in CASES
        if estimator.fits(case)
        for n in sizes
        if n <= estimator.largest
    ]


def measure(cell: Cell) -> dict[str, Any]:
    """Run one cell; its record as plain numbers."""
    estimator = next(c for c in COMPARED if c.name == cell.estimator)
    case = next(c for c in CASES if c.id == cell.case)
    truth = getattr(case, estimator.quantity)
    draws = [case.draw(cell.n, seed) for seed in range(cell.repeats)]
    x, y = (torch.stack(side) for side in zip(*draws, strict=True))
    read = estimator.make(case)
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
        "quantity": estimator.quantity,
        "estimator": estimator.name,
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


def number(value: float | None) -> bool:
    """Whether there is a number, in a fresh record (NaN) or one read from JSON (null)."""
    return value is not None and not math.isnan(value)


@captioned
def coverage_figure(records: list[dict[str, Any]]) -> Figure:
    """Each dot is one estimator on one pair of distributions. Inside or to the right of the band
    its intervals hold the truth often enough.
    """
    rows = [r for r in records if number(r["coverage_unwarned"])]
    names = sorted({r["estimator"] for r in rows})
    figure, axes = drawing(8.5, 0.8 + 0.45 * max(1, len(names)))
    axes.axvspan(0.90, 0.99, color="#1d7f4e", alpha=0.15, lw=0, label="90 to 99 %")
    axes.axvline(0.95, color="#222222", lw=0.8, ls=":")
    sizes = sorted({r["n"] for r in rows})
    for i, size in enumerate(sizes):
        offset = 0.18 * (i - (len(sizes) - 1) / 2)
        for alarmed in (False, True):
            marks = [r for r in rows if r["n"] == size and (r["warned"] > 0.5) == alarmed]
            axes.scatter(
                [r["coverage_unwarned"] for r in marks],
                [names.index(r["estimator"]) + offset for r in marks],
                s=16,
                alpha=0.75,
                label=None if alarmed else f"n = {size}",
                edgecolors=f"C{i}",
                facecolors="none" if alarmed else f"C{i}",
            )
    axes.set_yticks(range(len(names)), list(map(as_label, names)))
    axes.set_xlabel(
        "share of intervals that hold the truth, where no warning came with them\n"
        "(hollow: most estimates of the cell did warn)"
    )
    axes.set_xlim(-0.02, 1.02)
    axes.legend(fontsize=8, loc="lower left")
    return figure
