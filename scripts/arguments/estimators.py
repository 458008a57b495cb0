"""Can a divergence be measured from samples, and does the error bar say how well?

A short version of ``python -m scripts.benchmark estimators``: the estimators without networks, on
every pair of laws whose divergences are known.
"""

from __future__ import annotations

import math
from typing import Any

from scripts.calibration import Cell, cells, measure
from scripts.coverage import coverage_figure
from scripts.findings import FAILS, HOLDS, QUALIFIED, Check, Claim, Findings
from scripts.lab import Lab
from tests.cases import CASES

REPEATS = 100
SIZES = {
    "HistogramJS": 1024,
    "HistogramTV": 1024,
    "RossJS": 1024,
    "NearestNeighbours": 1024,
    "KnownDensity": 1024,
    "EarthMover": 256,
}
"""The size at which each is tried here."""
DROPPED = "ring and half of it"
SMOOTH = {case.id for case in CASES if case.smooth and case.dim == 2}
COST = 0.6  # nominal seconds of a cell
NARROW = Cell("KnownDensity", "normal 8-D shifted by 1", 4096, REPEATS)
"""Where an interval is known to be too narrow: a bias that outlasts the shrinking error."""


def run(lab: Lab) -> Findings:
    """Claims ``est-js``, ``est-known-density``, ``est-mode-drop`` and ``est-coverage``."""
    wanted = [
        cell
        for cell in cells(sorted(set(SIZES.values())), REPEATS)
        if SIZES.get(cell.contender) == cell.n
    ]
    waiting = [lab.submit(COST, measure, cell) for cell in [*wanted, NARROW]]
    *rows, narrow = [future.result() for future in waiting]
    return Findings(
        claims=[
            js_claim(rows),
            density_claim(rows),
            dropped_claim(rows),
            coverage_claim(rows, narrow),
        ],
        figures={"estimators_coverage": coverage_figure([*rows, narrow])},
        tables={"estimators": [*rows, narrow]},
    )


def of(rows: list[dict[str, Any]], estimator: str) -> dict[str, dict[str, Any]]:
    """The rows of one estimator by case."""
    return {row["case"]: row for row in rows if row["estimator"] == estimator}


def near_truth(row: dict[str, Any], tolerance: float) -> Check:
    """The mean over repeats must lie within ``tolerance`` of the truth."""
    error = row["sd"] / math.sqrt(row["repeats"])
    what = f"{row['estimator']} on {row['case']}, n = {row['n']}"
    return Check.near(what, row["truth"], row["mean"], tolerance, error)


def js_claim(rows: list[dict[str, Any]]) -> Claim:
    ross = of(rows, "RossJS")
    return Claim(
        id="est-js",
        source="Ross 2014, PLoS ONE 9(2) e87357",
        statement="The information between a point and its label, from nearest neighbours, is the "
        "JS divergence: within .02 at 1024 points on overlapping laws in the plane.",
        expected=HOLDS,
        checks=[near_truth(row, 0.02) for case, row in ross.items() if case in SMOOTH],
        n_seeds=REPEATS,
        figure="estimators_coverage",
    )


def density_claim(rows: list[dict[str, Any]]) -> Claim:
    known = of(rows, "KnownDensity")
    return Claim(
        id="est-known-density",
        source="Kozachenko & Leonenko 1987",
        statement="KL to a law whose density is known can be measured from one sample: within .07 "
        "at 1024 points, and within 1 where a generator has dropped modes.",
        expected=HOLDS,
        checks=[
            *(near_truth(row, 0.07) for case, row in known.items() if case in SMOOTH),
            near_truth(known[DROPPED], 1.0),
        ],
        n_seeds=REPEATS,
        figure="estimators_coverage",
    )


def dropped_claim(rows: list[dict[str, Any]]) -> Claim:
    row = of(rows, "NearestNeighbours")[DROPPED]
    return Claim(
        id="est-mode-drop",
        source="Wang, Kulkarni & Verdú 2009, 10.1109/TIT.2009.2016060",
        statement="KL estimated from two samples shows that a generator has dropped modes.",
        expected=FAILS,
        checks=[near_truth(row, 0.1 * row["truth"])],
        n_seeds=REPEATS,
        figure="estimators_coverage",
        note=f"{100 * row['warned']:.0f} % of the estimates carry a warning. No sample can show "
        "how small a density is where it has no points; a known density can.",
    )


def coverage_claim(rows: list[dict[str, Any]], narrow: dict[str, Any]) -> Claim:
    least = 0.90 - 3 * math.sqrt(0.90 * 0.10 / REPEATS)
    silent = [row for row in rows if row["warned"] <= 0.5]
    checks = [
        Check.at_least(
            f"{row['estimator']} on {row['case']}, n = {row['n']}",
            least,
            row["coverage_unwarned"],
        )
        for row in silent
    ]
    wide = sum(row["coverage_unwarned"] > 0.99 for row in silent)
    alarmed = [row for row in rows if row["warned"] > 0.5]
    return Claim(
        id="est-coverage",
        source="the estimators' own statement of their error",
        statement="Where an estimator does not warn, its 95 % interval holds the truth at least "
        "90 % of the time.",
        expected=QUALIFIED,
        checks=sorted(checks, key=lambda check: check.measured),
        limits=[
            Check.at_most(
                f"{narrow['estimator']} on {narrow['case']}, n = {narrow['n']}",
                least,
                narrow["coverage_unwarned"],
            )
        ],
        n_seeds=REPEATS,
        figure="estimators_coverage",
        note=f"Tolerance: three binomial standard errors below 90 %. {len(silent)} cells are "
        f"judged; in {len(alarmed)} more most estimates warn, and there at least "
        f"{100 * min(row['covered_or_warned'] for row in alarmed):.0f} % warn or hold the truth. "
        f"{wide} cells cover more than 99 %: an interval that allows for a bias is wider than it "
        "need be where there is none.",
    )
