"""Run the arguments and print which claims hold: ``python -m scripts.reproduce [NAME ...]``."""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context

from divergences.command_line import Parser, suggestion
from divergences.shown_text import one_line
from divergences.whole_files import atomically, plain, write_atomically
from gans.cli.errors import guarded
from gans.runtime.escaping import say, tell
from gans.runtime.files import as_csv
from gans.runtime.locks import locked
from scripts.arguments import ARGUMENTS
from scripts.lab.checked_files import (
    Damaged,
    digest_of,
    load_or_set_aside,
    set_aside,
    write_record,
)
from scripts.lab.claims import Findings
from scripts.lab.executors import Engine
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.options import add_flags, at_least, check_folder, engine_of
from scripts.lab.origin import fingerprint, origin
from scripts.lab.plotting import as_pictures, laid_out
from scripts.lab.record_shapes import Record, changed_files
from scripts.lab.records import Records, run_all
from scripts.report import write_report

PROFILES = ("quick", "paper")


@dataclass(frozen=True)
class Argument:
    """An argument with its settings and the jobs that it needs.

    Attributes:
        name: Its name.
        parts: Its modules, each with ``experiments`` and ``judge``.
        settings: Those of the profile, with the seeds that were asked for.
        profile: The profile's name.
    """

    name: str
    parts: tuple[Any, ...]
    settings: CommonSettings
    profile: str

    @classmethod
    def of(cls, name: str, profile: str, seeds: int) -> "Argument":
        module = importlib.import_module(f"scripts.arguments.{name}")
        settings = replace(module.PROFILES[profile], seeds=seeds)
        return cls(name, getattr(module, "PARTS", (module,)), settings, profile)

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Its experiments, by key."""
        parts = (part.experiments(self.settings) for part in self.parts)
        return {key: job for part in parts for key, job in part.items()}

    @property
    def told(self) -> dict[str, Any]:
        """The settings as the record has them."""
        return plain({"profile": self.profile} | asdict(self.settings))

    def origin(self) -> str:
        """What its findings come from: experiments, the code that judges them, the library."""
        measured = {key: job.origin for key, job in self.jobs.items()}
        return origin(measured, [p.judge for p in self.parts], self.told, fingerprint())

    def findings(self, results: Results) -> Findings:
        """What its parts make of what its experiments returned."""
        return Findings.merged([part.judge(results, self.settings) for part in self.parts])

    def judge(self, out: Path) -> None:
        """Make findings of the results in the folder and keep them."""
        start = time.perf_counter()
        records = {key: Records(out / "jobs").read(f"{self.name}/{key}") for key in self.jobs}
        whole = {key: record for key, record in records.items() if record is not None}
        results = {key: record["result"] for key, record in whole.items()}
        findings = self.findings(results)
        seconds = sum(record["seconds"] for record in whole.values())
        seconds += time.perf_counter() - start
        keep(self.name, findings, out, self.told, seconds, self.origin())


def keep(
    name: str, findings: Findings, out: Path, settings: dict[str, Any], seconds: float, origin: str
) -> None:
    """Write what an argument found; its record comes last, and marks it as finished."""
    written: list[Path] = []
    for title, figure in findings.figures.items():
        folder = out / "figures"
        written += [folder / f"{title}.png", folder / f"{title}.svg"]
        laid_out(figure)
        atomically(folder / f"{title}.png", partial(figure.savefig, dpi=150))
        as_pictures(figure)
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):  # text stays text
            told: Any = {"Description": figure.get_label(), "Date": None}
            drawn = partial(figure.savefig, transparent=True, metadata=told)
            atomically(folder / f"{title}.svg", drawn)
    for title, rows in findings.tables.items():
        written.append(out / "tables" / f"{title}.csv")
        write_atomically(written[-1], as_csv(rows))
    for title, values in findings.data.items():
        written.append(out / "data" / f"{title}.json")
        write_atomically(written[-1], json.dumps(plain(values)))
    record = {
        "argument": name,
        "settings": settings,
        "origin": origin,
        "seconds": seconds,
        "claims": [{"argument": name} | claim.record(seconds) for claim in findings.claims],
        "files": {path.relative_to(out).as_posix(): digest_of(path) for path in written},
    }
    write_record(out / "records" / f"{name}.json", record)


def finished(name: str, out: Path, settings: dict[str, Any], origin: str) -> bool:
    """Whether an earlier run with the same settings and code left this argument's findings.

    What is damaged is named and set aside, and the argument then was not finished.
    """
    record = load_or_set_aside(out / "records" / f"{name}.json", Record)
    if record is not None and record["argument"] != name:
        reason = f"it is the record of {record['argument']}"
        set_aside(Damaged(out / "records" / f"{name}.json", reason))
        return False
    if record is None:
        return False
    if "origin" not in record:
        tell(f"{name}: found by an earlier version of this command, which kept no results of jobs")
    if (record["settings"], record.get("origin")) != (settings, origin):
        return False
    damaged = changed_files(out, record)
    for one in damaged:
        if one.path.exists():
            set_aside(one)
        else:
            tell(one)
    return not damaged


def outcome(claim: dict[str, Any]) -> str:
    """Yes, or what was expected instead, or which control came out as the checks should."""
    if claim["verdict"] != claim["expected"]:
        return f"NO: {claim['expected']}"
    unsound = [control["what"] for control in claim["controls"] if not control["sound"]]
    return f"NO: control failed ({unsound[0]})" if unsound else "yes"


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
            outcome(claim),
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
        epilog="What is finished is kept: give the command again to continue. An experiment is "
        "run again when its code or its settings are others, a claim judged again when anything "
        "is. Exit code 1 means an unexpected verdict or an experiment that failed, 2 bad input.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="arguments to run (default: all)")
    what = "quick: every claim in minutes; paper: the published protocols, hours"
    parser.flag("--profile", what, choices=PROFILES, default="quick")
    parser.flag("--seeds", "seeds per experiment", type=at_least(2), default=5)
    parser.flag("--out", "output folder", type=Path, default=Path("runs/reproduce"))
    parser.add_argument("--list", action="store_true", help="list the arguments and stop")
    add_flags(parser)
    options = parser.parse_args(args)
    unknown = [name for name in options.names if name not in ARGUMENTS]
    if unknown:
        meant = suggestion(unknown[0], list(ARGUMENTS)) or f"; there are: {', '.join(ARGUMENTS)}"
        parser.error(f"unknown argument {unknown[0]!r}{meant}")
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
    check_folder(options.out, "records", "jobs")
    engine = engine_of(options)
    with locked(options.out):
        return reproduce_into(options.out, engine, options)


def reproduce_into(out: Path, engine: Engine, options: argparse.Namespace) -> int:
    """Measure and judge what is not yet, and put everything together; the exit code."""
    (out / "records").mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys(options.names or ARGUMENTS)
    arguments = [Argument.of(name, options.profile, options.seeds) for name in names]
    failed = measure(arguments, out, engine, options)
    for argument in arguments:
        if argument.name in failed:
            tell(f"{argument.name}: not judged, because experiments failed")
        elif finished(argument.name, out, argument.told, argument.origin()):
            tell(f"{argument.name}: finished before, kept")
        else:
            argument.judge(out)
    records = all_records(out)
    claims: list[Any] = [claim for record in records for claim in record["claims"]]
    if claims:
        write_atomically(out / "claims.json", json.dumps(claims, indent=1))
        write_report(out, ARGUMENTS)
    asked = [claim for claim in claims if claim["argument"] in names]
    say(table(asked))
    seconds = sum(record["seconds"] for record in records if record["argument"] in names)
    others = f"; {len(claims) - len(asked)} claims of other arguments" if asked != claims else ""
    page = one_line(out / "report.html")
    say(f"\n{len(asked)} claims, {seconds:.0f} s of computing{others}; {page}")
    return int(bool(failed) or not all(outcome(claim) == "yes" for claim in asked))


def all_records(out: Path) -> list[Record]:
    """The records of all arguments there are, whichever command wrote them."""
    records = []
    for name in ARGUMENTS:
        path = out / "records" / f"{name}.json"
        there = path.exists()
        record = load_or_set_aside(path, Record)
        if record is not None:
            records.append(record)
        elif there:
            tell(f"{name}: its claims are gone until python -m scripts.reproduce {name}")
    return records


def measure(
    arguments: Sequence[Argument], out: Path, engine: Engine, options: argparse.Namespace
) -> set[str]:
    """Run every experiment that has no result of today's code; the arguments where one failed."""
    jobs = {f"{one.name}/{key}": job for one in arguments for key, job in one.jobs.items()}
    longest_first = dict(sorted(jobs.items(), key=lambda item: -item[1].cost))
    failures = run_all(longest_first, out, engine, options, current=True)
    return {failure.key.partition("/")[0] for failure in failures}


if __name__ == "__main__":
    sys.exit(main())
