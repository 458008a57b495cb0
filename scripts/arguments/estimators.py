"""Can a divergence be measured from samples, and does the error bar say how well?

A short version of ``python -m scripts.benchmark estimators``: the estimators without networks, on
every pair of laws whose divergences are known.
"""

import math
from dataclasses import dataclass
from typing import Any

from torch.distributions import kl_divergence

from scripts.lab.claims import FAILS, Check, Claim, Findings
from scripts.lab.interval_coverage import Cell, cells, coverage_figure, measure
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.known_pairs import CASES

DROPPED = "ring and half of it"
SMOOTH = {case.id for case in CASES if case.smooth and case.dim == 2}
COST = 0.6  # nominal seconds of a cell


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Repeats per cell, and the sizes at which each estimator is tried."""

    repeats: int = 100
    sizes: tuple[int, ...] = (1024,)
    for_transport: tuple[int, ...] = (256,)


PROFILES = {
    "quick": Settings(),
    "paper": Settings(repeats=200, sizes=(256, 1024, 4096), for_transport=(256, 1024)),
}
CHEAP = ("HistogramJS", "HistogramTV", "RossJS", "NearestNeighbours", "KnownDensity")
HIGH = "normal 8-D shifted by 1"
"""Where the bias of an entropy outlasts its noise; tried at 4096 points in either profile."""


def experiments(settings: Settings) -> dict[str, Job]:
    sizes = dict.fromkeys(CHEAP, settings.sizes) | {"EarthMover": settings.for_transport}
    every = sorted({*settings.sizes, *settings.for_transport})
    wanted = {
        cell for cell in cells(every, settings.repeats) if cell.n in sizes.get(cell.estimator, ())
    }
    wanted.add(Cell("KnownDensity", HIGH, 4096, settings.repeats))
    return {
        cell.key: Job(COST * cell.n / 1024, measure, cell)
        for cell in sorted(wanted, key=lambda cell: (-cell.n, cell.estimator, cell.case))
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``est-js``, ``est-known-density``, ``est-mode-drop`` and ``est-coverage``."""
    rows = list(results.values())
    at_1024 = [row for row in rows if row["n"] == 1024]
    return Findings(
        claims=[
            js_claim(at_1024),
            density_claim(at_1024),
            dropped_claim(at_1024),
            coverage_claim(rows),
        ],
        figures={"estimators_coverage": coverage_figure(rows)},
        tables={"estimators": rows},
    )


def of(rows: list[dict[str, Any]], estimator: str) -> dict[str, dict[str, Any]]:
    """The rows of one estimator by case."""
    return {row["case"]: row for row in rows if row["estimator"] == estimator}


def near_truth(
    row: dict[str, Any], tolerance: float, truth: float | None = None, of: str = ""
) -> Check:
    """The mean over repeats must lie within ``tolerance`` of the truth, or of something else."""
    error = row["sd"] / math.sqrt(row["repeats"])
    what = f"{row['estimator']} on {row['case']}{of}, n = {row['n']}"
    predicted = row["truth"] if truth is None else truth
    return Check.near(what, predicted, row["mean"], tolerance, error)


def reversed_kl(row: dict[str, Any]) -> float:
    """KL(Q||P) of the row's case, by torch's own closed form."""
    densities = next(case for case in CASES if case.id == row["case"]).densities
    assert densities is not None
    return float(kl_divergence(densities[1], densities[0]))


def js_claim(rows: list[dict[str, Any]]) -> Claim:
    ross = of(rows, "RossJS")
    read, other = ross["normal 2-D shifted by 1"], ross["ring and turned ring"]
    return Claim(
        id="est-js",
        source="Ross 2014, PLoS ONE 9(2) e87357",
        statement="The information between a point and its label, from nearest neighbours, is the "
        "JS divergence: within .02 at 1024 points on overlapping laws in the plane.",
        checks=[near_truth(row, 0.02) for case, row in ross.items() if case in SMOOTH],
        controls=[near_truth(read, 0.02, other["truth"], f", against JS of {other['case']}")],
        equation=r"\mathrm{JS}(P, Q) = I(x; c) \approx \psi(2n) - \psi(n) + \psi(k) - "
        r"\frac{1}{2n} \sum_i \psi(m_i)",
        n_seeds=read["repeats"],
        figure="estimators_coverage",
    )


def density_claim(rows: list[dict[str, Any]]) -> Claim:
    known = of(rows, "KnownDensity")
    scaled = known["normal 2-D scaled by 1.5"]
    return Claim(
        id="est-known-density",
        source="Kozachenko & Leonenko 1987",
        statement="KL to a law whose density is known can be measured from one sample: within .07 "
        "at 1024 points, and within 1 where a generator has dropped modes.",
        checks=[
            *(near_truth(row, 0.07) for case, row in known.items() if case in SMOOTH),
            near_truth(known[DROPPED], 1.0),
        ],
        controls=[near_truth(scaled, 0.07, reversed_kl(scaled), ", against the reverse KL")],
        equation=r"-\hat H(x) - \frac{1}{n} \sum_i \log q(x_i) \to \mathrm{KL}(P \| Q)",
        n_seeds=scaled["repeats"],
        figure="estimators_coverage",
    )


def dropped_claim(rows: list[dict[str, Any]]) -> Claim:
    nearest = of(rows, "NearestNeighbours")
    row, whole = nearest[DROPPED], nearest["normal 2-D shifted by 1"]
    return Claim(
        id="est-mode-drop",
        source="Wang, Kulkarni & Verdú 2009, 10.1109/TIT.2009.2016060",
        statement="KL estimated from two samples shows that a generator has dropped modes.",
        expected=FAILS,
        checks=[near_truth(row, 0.1 * row["truth"])],
        controls=[near_truth(whole, 0.1 * whole["truth"])],
        equation=r"\frac{d}{n} \sum_i \log \frac{\nu_k(i)}{\rho_k(i)} + \log \frac{m}{n - 1}",
        n_seeds=row["repeats"],
        figure="estimators_coverage",
        note=f"{100 * row['warned']:.0f} % of the estimates carry a warning. No sample can show "
        "how small a density is where it has no points; a known density can.",
    )


def coverage_claim(rows: list[dict[str, Any]]) -> Claim:
    repeats = rows[0]["repeats"]
    least = 0.90 - 3 * math.sqrt(0.90 * 0.10 / repeats)
    silent = [row for row in rows if row["warned"] <= 0.5]
    alarmed = [row for row in rows if row["warned"] > 0.5]

    def covers(row: dict[str, Any], column: str, by: str = "") -> Check:
        what = f"{row['estimator']} on {row['case']}, n = {row['n']}{by}"
        return Check.at_least(what, least, row[column])

    checks = [covers(row, "coverage_unwarned") for row in silent]
    naive = min(silent, key=lambda row: row["coverage_by_stderr"])
    wide = sum(row["coverage_unwarned"] > 0.99 for row in silent)
    return Claim(
        id="est-coverage",
        source="the estimators' own statement of their error",
        statement="Where an estimator does not warn, its 95 % interval holds the truth at least "
        "90 % of the time.",
        checks=sorted(checks, key=lambda check: check.measured),
        controls=[covers(naive, "coverage_by_stderr", ": value ± 1.96 standard errors")],
        n_seeds=repeats,
        figure="estimators_coverage",
        note=f"Tolerance: three binomial standard errors below 90 %. {len(silent)} cells are "
        f"judged; in {len(alarmed)} more most estimates warn, and there at least "
        f"{100 * min(row['covered_or_warned'] for row in alarmed):.0f} % warn or hold the truth. "
        f"{wide} cells cover more than 99 %: an interval that allows for a bias is wider than it "
        "need be where there is none.",
    )
