"""Run a sweep: ``python -m scripts.sweep configs/sweeps/NAME.yaml``."""

import argparse
import importlib.util
import json
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from divergences.available_memory import limit_memory
from divergences.command_line import Parser
from divergences.shown_text import one_line
from divergences.whole_files import write_atomically
from gans.cli.errors import guarded
from gans.runtime.escaping import printable, say, tell
from scripts.lab.checked_files import set_aside
from scripts.lab.executors import Engine, limited
from scripts.lab.options import add_flags, at_least, check_folder, engine_of
from scripts.lab.origin import fingerprint
from scripts.lab.progress import Progress
from scripts.lab.running import Failure, complete
from scripts.sweep.joint_training import JointTraining, TrainedMember, run
from scripts.sweep.plan import Plan, jobs, read
from scripts.sweep.summary import gather
from scripts.sweep.sweep_folder import Folder


def parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m scripts.sweep",
        description="Train every setting of a sweep with every seed.",
        epilog="Finished runs are kept: give the command again to continue. Exit code 1 means "
        "that runs failed, 2 bad input.",
    )
    parser.add_argument("sweep", type=Path, metavar="SWEEP.yaml", help="base, axes and seeds")
    parser.add_argument("--out", type=Path, help="folder (default: runs/sweeps/NAME of the file)")
    what = "seeds of a setting that make one job, trained side by side"
    parser.flag("--members", what, type=at_least(1), default=10, metavar="N")
    what = "start at most N jobs, then stop"
    parser.add_argument("--limit", type=at_least(1), metavar="N", help=what)
    parser.add_argument("--dry-run", action="store_true", help="list what would run, and stop")
    parser.add_argument(
        "--allow-import", action="append", default=[], metavar="MODULE",
        help="let configurations name classes of MODULE, as for gans.cli.train",
    )  # fmt: skip
    add_flags(parser)
    return parser.parse_args(args)


def main(args: Sequence[str] | None = None) -> int:
    """Run what has no record yet; 0 if nothing failed, 1 if runs did, 2 for bad input."""
    options = parse(args)
    return guarded(lambda: start(options), options.debug)


def start(options: argparse.Namespace) -> int:
    """Read the sweep, and run it or show what would run."""
    limit_memory()
    plan = read(options.sweep, options.allow_import)
    folder = Folder(options.out or Path("runs/sweeps") / plan.name)
    check_folder(folder.path, "records", "curves")
    if options.dry_run:
        return show(plan, folder, options)
    engine = engine_of(options)
    with folder.locked():
        for damaged in folder.damaged(plan.runs()):
            set_aside(damaged)
        return sweep(plan, folder, engine, options)


def wanted(plan: Plan, folder: Folder, options: argparse.Namespace) -> list[JointTraining]:
    """The jobs that do what has no record, as many as the limit allows."""
    missing = [
        (s, seed) for s, seed in plan.runs() if options.again or folder.read(s, seed) is None
    ]
    return jobs(missing, options.members)[: options.limit]


def show(plan: Plan, folder: Folder, options: argparse.Namespace) -> int:
    """Print what would be done."""
    for damaged in folder.damaged(plan.runs()):
        tell(damaged)
    todo = wanted(plan, folder, options)
    for job in todo:
        say(f"{one_line(job.label)}: seeds {', '.join(map(str, job.seeds))}")
    runs = len(plan.settings) * len(plan.seeds)
    there = sum(folder.read(s, seed) is not None for s, seed in plan.runs())
    say(
        f"{len(plan.settings)} settings x {len(plan.seeds)} seeds = {runs} runs, {there} of them "
        f"finished; would start {len(todo)} jobs for {sum(len(j.seeds) for j in todo)} runs"
    )
    return 0


def sweep(plan: Plan, folder: Folder, engine: Engine, options: argparse.Namespace) -> int:
    """Run the missing jobs, put everything together, and tell what failed."""
    settings = {setting.key: setting for setting in plan.settings}
    todo = wanted(plan, folder, options)
    runs = sum(len(job.seeds) for job in todo)
    with Progress(runs, runs) as progress:

        def keep(job: JointTraining, outcomes: list[TrainedMember]) -> None:
            for outcome in outcomes:
                folder.keep(settings[job.key], outcome)
                progress.advance(1, f"{job.label}, seed {outcome.seed}")

        failures = complete(todo, limited(run, options.timeout), engine, options.retries, keep)
    rows = gather(plan, folder)
    report(failures, folder, options.retries)
    others = Counter(row["code"] for row in rows if row["code"] != fingerprint())
    for code, count in others.items():
        tell(f"{count} runs were made by other code ({one_line(code)}); kept")
    if not importlib.util.find_spec("pyarrow"):
        tell("no table.parquet: it takes pip install '.[table]'")
    all_runs = len(plan.settings) * len(plan.seeds)
    say(
        f"{len(rows)} of {all_runs} runs finished, {len(failures)} failed; table, figure and "
        f"TensorBoard runs: {one_line(folder.path)}"
    )
    return int(bool(failures))


def report(failures: list[Failure[JointTraining]], folder: Folder, retries: int) -> None:
    """List what failed, with the whole traceback in a file."""
    path = folder.path / "failures.json"
    path.unlink(missing_ok=True)
    if not failures:
        return
    told = [
        {
            "setting": failure.job.label,
            "seed": failure.job.seeds[0],
            "config": failure.job.config,
            "error": f"{type(failure.error).__name__}: {failure.error}",
            "traceback": "".join(traceback.format_exception(failure.error)),
        }
        for failure in failures
    ]
    write_atomically(path, json.dumps(told, indent=1))
    for entry in told:
        name, line = one_line(entry["setting"]), printable(entry["error"])
        tell(f"failed: {name}, seed {entry['seed']}: {line}")
    tell(f"failed {1 + retries} times each; tracebacks: {path}")


if __name__ == "__main__":
    sys.exit(main())
