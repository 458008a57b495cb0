"""How often compare() is right: sizes of its tests, its sentence, and the least shift it sees."""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from divergences import compare
from divergences.command_line import Parser
from divergences.comparison.dependence import equal_dependence
from divergences.comparison.permutation_tests import CombinedTest
from divergences.comparison.permutations import Pooled
from divergences.comparison.sentence import least_shift
from divergences.samples.coordinates import in_deviations, standardised
from divergences.whole_files import write_atomically
from gans.runtime.escaping import say
from gans.runtime.files import as_csv
from scripts.lab.jobs import Job
from scripts.lab.options import at_least
from scripts.lab.records import results
from scripts.lab.staged_pairs import STAGES, Points, staged

LEVEL, RELABELLINGS = 0.05, 199
DIMENSIONS = 1, 5, 50
SHIFTED = (
    *(("normal", n, d) for n, d in ((100, 1), (100, 5), (100, 50), (400, 1), (400, 5), (1000, 2))),
    *((law, 200, 5) for law in ("uniform", "exponential", "Student t, 3", "lognormal")),
)
"""Law of the columns, points of each sample, and columns."""

Law = Callable[[np.random.Generator, int, int], Points]

NULLS = "normal", "rounded to whole numbers", "0 or 1", "Cauchy", "float32, 1000 spreads off"

LAWS: dict[str, Law] = {
    "normal": lambda rng, n, d: rng.standard_normal((n, d)),
    "rounded to whole numbers": lambda rng, n, d: np.round(rng.standard_normal((n, d))),
    "0 or 1": lambda rng, n, d: (rng.random((n, d)) < 0.2).astype(float),
    "Cauchy": lambda rng, n, d: rng.standard_t(1, (n, d)),
    "Student t, 3": lambda rng, n, d: rng.standard_t(3, (n, d)),
    "uniform": lambda rng, n, d: rng.random((n, d)),
    "exponential": lambda rng, n, d: rng.exponential(size=(n, d)),
    "lognormal": lambda rng, n, d: np.exp(rng.standard_normal((n, d))),
    "float32, 1000 spreads off": lambda rng, n, d: (
        (1000 + rng.standard_normal((n, d))).astype(np.float32).astype(float)
    ),
}


def add_arguments(command: Parser) -> None:
    command.flag("--nulls", "pairs of equal laws per cell", type=at_least(0), default=1000)
    command.flag("--pairs", "pairs per stage", type=at_least(0), default=20)
    command.flag("--shifts", "shifted pairs per cell", type=at_least(0), default=200)


def run(options: argparse.Namespace) -> None:
    """Three tables, as far as pairs are asked for."""
    out: Path = options.out
    jobs = {}
    if options.nulls:
        jobs |= {
            f"size/{law}+{d}": Job(0.1 * options.nulls, size, law, d, options.nulls)
            for law in NULLS
            for d in DIMENSIONS
        }
        jobs |= {
            f"dependence/{law}+{d}": Job(0.2 * options.nulls, dependent, law, d, options.nulls)
            for law in NULLS
            for d in DIMENSIONS[1:]
        }
    if options.pairs:
        jobs |= {
            f"sentence/{name}": Job(2.0 * options.pairs, said, name, options.pairs)
            for name in STAGES
        }
    if options.shifts:
        jobs |= {
            f"shift/{law}+{n}+{d}": Job(n / 500 * options.shifts, seen, law, n, d, options.shifts)
            for law, n, d in SHIFTED
        }
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in results(jobs, options):
        rows.setdefault(row["table"], []).append(row)
    for table, found in rows.items():
        write_atomically(out / f"{table}.csv", as_csv(found))
        for row in found:
            say("  ".join(f"{key} {value}" for key, value in row.items() if key != "table"))
    say(f"{len(jobs)} cells; {out}")


@dataclass(frozen=True)
class Shares:
    """How many of so many pairs each test rejects."""

    rejected: Counter[str]
    pairs: int

    def row(self, **what: Any) -> dict[str, Any]:
        """What was tested and the shares, as a row of a table."""
        return {**what, **{k: round(v / self.pairs, 4) for k, v in self.rejected.items()}}


def rejected(pairs: int, draw: Callable[[int], tuple[Points, Points]]) -> Shares:
    """The shares of p-values of at most .05, of the recommended test and of its parts."""
    found: Counter[str] = Counter()
    for seed in range(pairs):
        x, y = map(torch.from_numpy, draw(seed))
        pooled = Pooled.of(x, y, RELABELLINGS, seed)
        for name, p in CombinedTest(permutations=RELABELLINGS, seed=seed).each(pooled).items():
            found[name] += p <= LEVEL
    return Shares(found, pairs)


def size(law: str, d: int, nulls: int, n: int = 60, m: int = 60) -> dict[str, Any]:
    """How often each test rejects equal laws."""

    def draw(seed: int) -> tuple[Points, Points]:
        rng = np.random.default_rng([1, seed, d])
        return LAWS[law](rng, n, d), LAWS[law](rng, m, d)

    return rejected(nulls, draw).row(table="sizes", law=law, dimensions=d, pairs=nulls)


def dependent(law: str, d: int, nulls: int, n: int = 100, m: int = 100) -> dict[str, Any]:
    """How often the test of equal dependence between columns rejects equal laws."""
    rejected = 0
    for seed in range(nulls):
        rng = np.random.default_rng([3, seed, d])
        x, y = (torch.from_numpy(LAWS[law](rng, size, d)) for size in (n, m))
        rejected += equal_dependence(x, y, RELABELLINGS, seed) <= LEVEL
    share = round(rejected / nulls, 4)
    return {"table": "dependence", "law": law, "dimensions": d, "pairs": nulls, "rejected": share}


def seen(law: str, n: int, d: int, pairs: int) -> dict[str, Any]:
    """How often the shift is seen that the sentence says would be."""
    shift = least_shift(n, n, d)

    def draw(seed: int) -> tuple[Points, Points]:
        rng = np.random.default_rng([2, seed, d])
        x, y = LAWS[law](rng, n, d), LAWS[law](rng, n, d)
        found = in_deviations(standardised(*map(torch.from_numpy, (x, y))))
        y[:, 0] += shift * float(found.scale[0, 0])
        return x, y

    what = {"table": "shifts", "law": law, "points": n, "dimensions": d, "shift": round(shift, 3)}
    return rejected(pairs, draw).row(**what, pairs=pairs)


def said(name: str, pairs: int) -> dict[str, Any]:
    """How often the sentence of staged pairs is right, and the column that it names."""
    right = named = 0
    columns = STAGES[name].of_column
    for seed in range(pairs):
        pair = staged(name, seed)
        found = compare(pair.x, pair.y, permutations=RELABELLINGS, seed=seed)
        start = "the samples differ" if pair.differ else "no difference seen"
        right += found.sentence.startswith(start)
        if columns:
            named += found.where[:1] == (f"column {pair.column}",)
        elif pair.differ:
            named += "how columns go together" in found.sentence
    where = {"named": named} if STAGES[name].differ else {"named": "–"}
    return {"table": "sentences", "pair": name, "pairs": pairs, "right": right, **where}
