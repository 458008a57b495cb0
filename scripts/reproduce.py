"""Run the arguments and print which claims hold: ``python -m scripts.reproduce [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from tqdm import tqdm

from gans.cli.errors import Parser, guarded
from gans.runtime.escaping import one_line, say, tell
from gans.runtime.files import as_csv, atomically, plain, write_atomically
from gans.runtime.locks import locked
from scripts.lab.checked_files import (
    Damaged,
    digest_of,
    load_or_set_aside,
    load_record,
    set_aside,
    write_record,
)
from scripts.lab.claims import Findings
from scripts.lab.jobs import Lab
from scripts.lab.record_shapes import Record, changed_files
from scripts.lab.workers import start_worker
from scripts.report import write_report

BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} so far, about {remaining} to go"
PROFILES = ("quick", "paper")
ARGUMENTS = {
    "information": "information, entropy, cross-entropy and KL between probability vectors",
    "segments": "two parallel segments: JS is stuck at log 2, W1 is |theta|",
    "optimal_discriminator": "a trained discriminator is p / (p + q), and what follows from it",
    "vanishing_gradient": "the better the discriminator, the less the generator hears",
    "log_d_alternative": "the -log D loss: a gradient that stays, at a price",
    "discriminator_vs_critic": "two Gaussians seen by a discriminator and by a critic",
    "wgan_in_practice": "does the critic's value track the distance, and is it one",
    "critic_accuracy": "which critics deserve the name W1, on pairs that know theirs",
    "clipping": "what weight clipping does to a deep critic",
    "dirac": "a generator of one point: which games come to rest",
    "mode_collapse": "rings and grids: which game keeps all modes, and how often one dies",
    "estimators": "divergences from samples, and whether their error bars are right",
}


def keep(
    name: str, findings: Findings, out: Path, settings: dict[str, Any], seconds: float
) -> None:
    """Write what an argument found; its record comes last, and marks it as finished."""
    written: list[Path] = []
    for title, figure in findings.figures.items():
        folder = out / "figures"
        written += [folder / f"{title}.png", folder / f"{title}.svg"]
        atomically(folder / f"{title}.png", partial(figure.savefig, dpi=150))
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):  # text stays text
            atomically(folder / f"{title}.svg", partial(figure.savefig, transparent=True))
    for title, rows in findings.tables.items():
        written.append(out / "tables" / f"{title}.csv")
        write_atomically(written[-1], as_csv(rows))
    for title, values in findings.data.items():
        written.append(out / "data" / f"{title}.json")
        write_atomically(written[-1], json.dumps(plain(values)))
    record = {
        "argument": name,
        "settings": settings,
        "seconds": seconds,
        "claims": [{"argument": name} | claim.record(seconds) for claim in findings.claims],
        "files": {path.relative_to(out).as_posix(): digest_of(path) for path in written},
    }
    write_record(out / "records" / f"{name}.json", record)


def run(name: str, executor: Executor, out: Path, settings: dict[str, Any]) -> None:
    """Run one argument, unless it was finished before with the same settings."""
    argument = importlib.import_module(f"scripts.arguments.{name}")
    profile = argument.PROFILES[settings["profile"]]
    settings = plain(settings | asdict(profile))
    if finished(name, out, settings):
        tell(f"{name}: finished before, kept")
        return
    start = time.perf_counter()
    with tqdm(total=0, desc=name, file=sys.stderr, bar_format=BAR) as bar:
        lab = Lab(executor, out, bar, settings["seeds"])
        findings = argument.run(lab, profile)
    keep(name, findings, out, settings, time.perf_counter() - start)


def finished(name: str, out: Path, settings: dict[str, Any]) -> bool:
    """Whether an earlier run with the same settings left this argument's record and files.

    What is damaged is named and set aside, and the argument then was not finished.
    """
    record = load_or_set_aside(out / "records" / f"{name}.json", Record)
    if record is not None and record["argument"] != name:
        reason = f"it is the record of {record['argument']}"
        set_aside(Damaged(out / "records" / f"{name}.json", reason))
        return False
    if record is None or record["settings"] != settings:
        return False
    damaged = changed_files(out, record)
    for one in damaged:
        if one.path.exists():
            set_aside(one)
        else:
            tell(one)
    return not damaged


def surprise(claim: dict[str, Any]) -> str:
    """What was expected instead, or which control came out as the checks should."""
    if claim["verdict"] != claim["expected"]:
        return f"NO: {claim['expected']}"
    unsound = [control["what"] for control in claim["controls"] if not control["sound"]]
    return f"NO: control failed ({unsound[0]})"


def table(claims: list[dict[str, Any]]) -> str:
    """The claims as fixed-width text, one line each."""

    def number(value: float | str | None) -> str:
        return "-" if value is None else f"{float(value):.4g}"

    rows = [("claim", "predicted", "measured", "stderr", "seeds", "verdict", "as expected")]
    rows += [
        (
            claim["id"],
            f"{claim['relation']} {number(claim['predicted'])}",
            number(claim["measured"]),
            number(claim["stderr"]),
            str(claim["n_seeds"]),
            claim["verdict"],
            "yes" if claim["as_expected"] else surprise(claim),
        )
        for claim in claims
    ]
    rows = [tuple(map(one_line, row)) for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m scripts.reproduce",
        description="Run arguments of the articles and say of each claim whether it holds.",
        epilog="Finished arguments are skipped when the command is given again with the same "
        "settings. Exit code 1 means an unexpected verdict, 2 bad input.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="arguments to run (default: all)")
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="quick: every claim in minutes (default); paper: the published protocols, hours",
    )
    parser.add_argument("--seeds", type=int, default=5, help="seeds per experiment (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="output folder")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="worker processes (default: cores)"
    )
    parser.add_argument("--list", action="store_true", help="list the arguments and stop")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(args)
    unknown = [name for name in options.names if name not in ARGUMENTS]
    if unknown:
        parser.error(f"unknown argument {unknown[0]!r}; there are: {', '.join(ARGUMENTS)}")
    if options.seeds < 2:
        parser.error(f"--seeds {options.seeds}: a standard error needs at least 2 seeds")
    if options.workers < 1:
        parser.error(f"--workers {options.workers} must be at least 1")
    out: Path = options.out
    ours = (out / "records").is_dir()
    if out.exists() and not ours and not (out.is_dir() and not any(out.iterdir())):
        parser.error(f"--out {out} exists and holds something else; name a new folder")
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Run, print the table, write ``claims.json`` and ``report.html``; 0 if all is as expected."""
    options = parse(args)
    return guarded(lambda: reproduce(options), options.debug)


def reproduce(options: argparse.Namespace) -> int:
    """Do as the options say; the exit code."""
    if options.list:
        print("\n".join(f"{name:12} {what}" for name, what in ARGUMENTS.items()))
        return 0
    with locked(options.out):
        return reproduce_into(options.out, options)


def reproduce_into(out: Path, options: argparse.Namespace) -> int:
    """Run what has no record there, and put everything together; the exit code."""
    (out / "records").mkdir(parents=True, exist_ok=True)
    settings = {"profile": options.profile, "seeds": options.seeds}
    names = options.names or list(ARGUMENTS)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, spawn, initializer=start_worker) as executor:
        try:
            for name in names:
                run(name, executor, out, settings)
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            executor.shutdown(cancel_futures=True)
            tell("\ninterrupted; finished arguments are kept, run again to go on")
            return 130
    records = [load_record(out / "records" / f"{name}.json", Record) for name in names]
    claims: list[Any] = [claim for record in records for claim in record["claims"]]
    write_atomically(out / "claims.json", json.dumps(claims, indent=1))
    write_report(out, ARGUMENTS)
    say(table(claims))
    seconds = sum(record["seconds"] for record in records)
    say(f"\n{len(claims)} claims in {seconds:.0f} s; report: {out / 'report.html'}")
    return int(not all(claim["as_expected"] for claim in claims))


if __name__ == "__main__":
    sys.exit(main())
