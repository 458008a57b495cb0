"""Critics against pairs whose W1, potential and gradient are known, beside the published table."""

import argparse
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from divergences.command_line import Parser
from divergences.shown_text import visible
from divergences.whole_files import atomically, write_atomically
from gans.runtime.escaping import as_label, say, tell
from gans.runtime.files import as_csv
from scripts.benchmark.published import published
from scripts.lab.jobs import Job
from scripts.lab.options import at_least, share
from scripts.lab.plotting import Colour, drawing
from scripts.lab.records import Records, results
from scripts.lab.w1 import accuracy
from scripts.lab.w1.solvers import SOLVERS

COLOURS = {"anchored": Colour.W1, "GP": Colour.JS, "sorted": Colour.EXACT, "released": "#c77dbb"}


def add_arguments(command: Parser) -> None:
    powers, sizes = [2**k for k in range(1, 8)], [4, 16, 64, 256]
    command.flag("--dimensions", "of the pairs", type=at_least(1), default=powers, metavar="D")
    command.flag("--funnels", "of each pair", type=at_least(1), default=sizes, metavar="N")
    command.flag("--solvers", "rows", choices=SOLVERS, default=list(SOLVERS), metavar="SOLVER")
    command.flag("--seeds", "members per row", type=at_least(2), default=5)
    what = "share of each protocol's steps; some are never cut below a few hundred"
    command.flag("--share", what, type=share, default=1.0)
    what = "a file of funnels, such as the published benchmark's, in place of those drawn here"
    command.add_argument("--pair", type=Path, help=what)
    what = "what pairs are drawn with; on 0 anchored, sorted and released got their settings"
    command.flag("--pair-seeds", what, type=at_least(0), default=[0], metavar="S")
    what = "D 2 and 16, N 4 and 16, 2 seeds, 1 %% of the steps"
    command.add_argument("--quick", action="store_true", help=what)


def check(options: argparse.Namespace) -> None:
    if options.pair is not None and not options.pair.is_file():
        raise ValueError(f"--pair {options.pair}: no such file")


def runs(options: argparse.Namespace) -> list[accuracy.Run]:
    """What there is to do."""
    if options.quick:
        options.dimensions, options.funnels = [2, 16], [4, 16]
        options.seeds, options.share = 2, 0.01
    pairs = [
        {"dimension": d, "funnels": n, "pair_seed": seed}
        for d in options.dimensions
        for n in options.funnels
        for seed in options.pair_seeds
    ]
    if options.pair is not None:
        law = accuracy.Funnels.load(options.pair)
        n = len(law.biases)
        pairs = [{"dimension": law.event_shape[0], "funnels": n, "pair": str(options.pair)}]
    return [
        accuracy.Run(solver=solver, seeds=options.seeds, share=options.share, **pair)
        for pair in pairs
        for solver in options.solvers
    ]


def run(options: argparse.Namespace) -> None:
    """Every solver on every pair; table and figure are of all records that the folder keeps."""
    out: Path = options.out
    wanted = runs(options)
    by_transport = list(dict.fromkeys(replace(r, solver="anchored", share=1.0) for r in wanted))
    pairs = {run.key: Job(1, accuracy.transport_row, run) for run in by_transport}
    results(pairs, options, out / "transport")
    asked = results({run.key: Job(1, accuracy.measure, run) for run in wanted}, options)
    by_seeds = sorted(kept(out / "transport"), key=lambda row: len(row["transport"]))
    transport = {_pair(row): row for row in by_seeds}
    everything = kept(out)
    columns = ("dimension", "funnels", "pair", "solver", "steps")
    records = [r for r in everything if _pair(r) in transport]
    records.sort(key=lambda row: [str(row[k]) if k == "pair" else row[k] for k in columns])
    if len(records) < len(everything):
        tell(
            f"{len(everything) - len(records)} records are left out: what transport says of their "
            "pairs is not there; give the command for those pairs again"
        )
    rows = [accuracy.as_row(r, transport[_pair(r)]) for r in records]
    write_atomically(out / "w1.csv", as_csv(rows))
    sizes = dict.fromkeys((row["dimension"], row["funnels"]) for row in rows)
    theirs = [row for d, n in sizes for row in published("w1", dimension=d, funnels=n)]
    if theirs:
        write_atomically(out / "published.csv", as_csv(theirs))
    drawn = by_dimension(longest(rows), theirs)
    for ending in ("svg", "png"):
        atomically(out / f"w1.{ending}", partial(drawn.savefig, dpi=150))
    for row in (row for row, record in zip(rows, records, strict=True) if record in asked):
        say(visible(line(row)))
    say(f"{len(rows)} rows kept; {out}: w1.csv, w1.png, beside published.csv")


def kept(out: Path) -> list[dict[str, Any]]:
    """All records of a folder, whichever command wrote them, in the order of their files."""
    return [record["result"] for record in Records(out / "jobs")]


def line(row: dict[str, Any]) -> str:
    """A row in words."""
    penalised = not math.isnan(row["corrected"])
    parts = [
        f"D={row['dimension']:<4}N={row['funnels']:<4}pair {row['pair']:<3}{row['solver']:23}"
        f"cosine {row['cosine']:+.3f} ± {row['cosine_stderr']:.3f}",
        f"L2 {row['l2']:.3f}",
        f"value {row['deviation']:+.1%}",
        f"over its slope {row['per_slope']:+.1%}",
        *([f"less the penalty's overshoot {row['corrected']:+.1%}"] if penalised else []),
        f"samples alone {row['held_out_dual_deviation']:+.0%} "
        f"to {row['transport_deviation']:+.0%}",
        f"{row['seconds']:.1f} s ({row['full_seconds']:.0f} s at full length)",
    ]
    return "  ".join(parts)


def _pair(record: dict[str, Any]) -> tuple[Any, ...]:
    return record["dimension"], record["funnels"], record["pair"]


def longest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each solver on each pair the row of most steps, then of most seeds."""
    by_length = sorted(rows, key=lambda row: (row["steps"], row["seeds"]))
    return list({(row["solver"], *_pair(row)): row for row in by_length}.values())


def by_dimension(rows: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Figure:
    """Cosine and error of the value, one column per number of funnels; published ones hollow."""
    funnels = sorted({row["funnels"] for row in rows})
    dimensions = sorted({row["dimension"] for row in [*rows, *theirs]})
    shared: dict[str, Any] = {"sharex": True, "sharey": "row", "squeeze": False}
    figure, panels = drawing(3.2 * len(funnels) + 1.2, 6.4, 2, len(funnels), **shared)
    for n, (top, bottom) in zip(funnels, panels.T, strict=True):
        for solver in dict.fromkeys(row["solver"] for row in rows):
            ours = [r for r in rows if r["funnels"] == n and r["solver"] == solver]
            x = sorted({r["dimension"] for r in ours})
            by_pair = [[r for r in ours if r["dimension"] == d] for d in x]
            for axes, key, shown in ((top, "cosine", float), (bottom, "deviation", abs)):
                axes.errorbar(
                    x,
                    [shown(sum(r[key] for r in p) / len(p)) for p in by_pair],
                    # pairs differ, seeds on one pair are independent of those on another
                    [sum(r[f"{key}_stderr"] ** 2 for r in p) ** 0.5 / len(p) for p in by_pair],
                    color=COLOURS.get(solver, Colour.TRAP),
                    marker="o",
                    ms=4,
                    lw=1.2,
                    label=as_label(solver) if solver in COLOURS else None,
                )
        for dimension in dimensions:
            best = [r for r in theirs if (r["funnels"], r["dimension"]) == (n, dimension)]
            if best:
                hollow: dict[str, Any] = {"mfc": "none", "mec": Colour.JS, "ms": 9}
                top.plot(dimension, max(r["cosine"] for r in best), "o", **hollow)
                bottom.plot(dimension, min(r["deviation"] for r in best), "o", **hollow)
        top.set(title=f"{n} funnels", ylim=(-0.6, 1.02))
        top.axhline(0, color=Colour.TRAP, lw=0.6)
        bottom.set_yscale("symlog", linthresh=0.01)  # some published errors round to 0
        bottom.set_xlabel("dimension")
        bottom.set_xscale("log", base=2)
        bottom.set_xlim(dimensions[0] / 1.5, dimensions[-1] * 1.5)
        bottom.set_xticks(dimensions, [str(d) for d in dimensions])
    first, below = panels[:, 0]
    first.set_ylabel("cosine with the true gradient")
    below.set_ylabel("error of the value, |value / W1 - 1|")
    below.set_ylim(bottom=-0.001)
    first.plot([], [], "o", mfc="none", mec=Colour.JS, ms=9, label="best published")
    first.plot([], [], "o", color=Colour.TRAP, ms=4, label="other critics")
    first.legend(fontsize=8)
    return figure
