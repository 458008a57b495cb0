"""Member-steps per second: this library, a plain loop, the usual Lightning module, JAX."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from matplotlib.figure import Figure

from divergences.command_line import Parser
from divergences.shown_text import visible
from divergences.whole_files import atomically, write_atomically
from gans.runtime.escaping import as_label, say, tell
from gans.runtime.files import as_csv
from scripts.benchmark.racing.breakdown import Breakdown, Growth
from scripts.benchmark.racing.race import HAVE_JAX, Race
from scripts.benchmark.racing.tasks import TASKS
from scripts.lab.executors import Local
from scripts.lab.jobs import Job
from scripts.lab.plotting import Colour
from scripts.lab.records import results

TOY_WIDTH = 512
"""Of the networks in the toy example that the authors of WGAN-GP published."""
GPU_MEMBERS = (1, 64, 256, 1024, 4096)
STYLES = {
    "ours": (Colour.W1, "o-"),
    "ours, compiled": (Colour.W1, "o--"),
    "plain loop": (Colour.EXACT, "s-"),
    "usual module": (Colour.JS, "^-"),
    "JAX, batched": (Colour.TRAP, "d-"),
    "JAX, in turn": (Colour.TRAP, "v--"),
}


def add_arguments(command: Parser) -> None:
    command.flag("--tasks", "races", choices=TASKS, default=list(TASKS), metavar="TASK")
    command.flag("--widths", "of hidden layers", type=int, default=[32, 64, 128, 256])
    command.flag("--members", "of this library and JAX", type=int, default=[1, 8, 64, 256])
    command.flag("--rounds", "laps of each", type=int, default=5)
    command.flag("--seconds", "length of a lap", type=float, default=1.0)
    what = "widths 32 and 128, 1, 8 and 64 members, 3 laps of .4 s"
    command.add_argument("--quick", action="store_true", help=what)


def check(options: argparse.Namespace) -> None:
    if options.quick:
        options.widths, options.members = [32, 128], [1, 8, 64]
        options.rounds, options.seconds = 3, 0.4
    for name in ("widths", "members"):
        if min(getattr(options, name)) < 1:
            raise ValueError(f"--{name} {min(getattr(options, name))} must be at least 1")
    if options.rounds < 2:
        raise ValueError(f"--rounds {options.rounds}: a median takes at least 2 laps")
    if not options.seconds > 0:
        raise ValueError(f"--seconds {options.seconds} must be above 0")


class Piece(Protocol):
    """A part of the benchmark with a record of its own."""

    @property
    def key(self) -> str: ...

    def measure(self) -> dict[str, Any]: ...


def measure(piece: Piece) -> dict[str, Any]:
    """The record of one piece; a function, so that it can be sent to a process."""
    return piece.measure()


def run(options: argparse.Namespace) -> None:
    """Races, growth and breakdown."""
    out: Path = options.out
    laps = (options.rounds, options.seconds)
    members = tuple(sorted(options.members))
    races = [Race(task, w, members, *laps) for task in options.tasks for w in options.widths]
    if "WGAN-GP" in options.tasks and not options.quick:
        races.append(Race("WGAN-GP", TOY_WIDTH, (1, 8), *laps))
    if torch.cuda.is_available():
        races += [Race(task, 128, GPU_MEMBERS, *laps, gpu=True) for task in options.tasks]
    else:
        tell("no GPU here: the section on one is left out")
    if not HAVE_JAX:
        tell("jax is not installed: raced without it (pip install .[race])")
    grown = [Growth(*laps)]
    parts = [Breakdown("WGAN-GP", k, 128, max(20, 400 // k)) for k in (1, 8, 64)]
    parts.append(Breakdown("GAN", 8, 128, 50))  # monitoring weighs most beside short iterations
    pieces: list[Piece] = [*races, *grown, *parts]
    # one after the other: a second process would disturb the first
    jobs = {piece.key: Job(1, measure, piece) for piece in pieces}
    records = results(jobs, options, engine=Local(1))
    rows = [row for record in records[: len(races)] for row in record["rows"]]
    growth = records[len(races)]["rows"]
    breakdown = [record["rows"][0] for record in records[len(races) + 1 :]]
    write_atomically(out / "speed.csv", as_csv(rows))
    write_atomically(out / "growth.csv", as_csv(growth))
    write_atomically(out / "breakdown.csv", as_csv(breakdown))
    atomically(out / "speed.png", partial(picture(rows).savefig, dpi=110))
    processors = {str(row.get("processor", "a processor without a name")) for row in rows}
    say(visible(f"on {' and '.join(sorted(processors))}"))
    for row in rows:
        say(
            f"{visible(row['task']):15} width {row['width']:3}  "
            f"{visible(row['contender']):21} K {row['members']:4} "
            f"{row['member_steps_per_second']:9.1f}/s  {row['times_first']:5.2f}x  "
            f"{100 * row['share_of_ceiling']:4.0f} % of the ceiling  {row['megabytes']:6.0f} MB  "
            f"ready in {row['seconds_to_first_step']:.1f} s"
        )
    say(f"cost grows as {exponents(rows, growth)}")
    for row in breakdown:
        parts_of_it = (f"{k} {v:.2f}" for k, v in row.items() if isinstance(v, float))
        say(
            visible(
                f"{row['task']}, K = {row['members']}, ms per iteration: {', '.join(parts_of_it)}"
            )
        )


def exponents(rows: list[dict[str, Any]], growth: list[dict[str, Any]]) -> str:
    """Slopes of log cost against log K, width, batch and critic steps."""
    ours = [r for r in rows if r["contender"] == "ours" and r["task"] == rows[0]["task"]]

    def cost(row: dict[str, Any]) -> float:
        return row["members"] / row["member_steps_per_second"]

    widest = max(row["width"] for row in ours)
    largest = max(row["members"] for row in ours)
    curves = {
        "members": [(r["members"], cost(r)) for r in ours if r["width"] == widest],
        "width": [(r["width"], cost(r)) for r in ours if r["members"] == largest],
    }
    for what in ("batch", "n_critic"):
        curves[what] = [(r["value"], r["ms"]) for r in growth if r["what"] == what]
    return ", ".join(
        f"{what}^{np.polyfit(*np.log(np.array(curve)).T, deg=1)[0]:.2f}"
        for what, curve in curves.items()
        if len(curve) > 1
    )


def picture(rows: list[dict[str, Any]]) -> Figure:
    """Best rate of each contender over the width, one panel per task."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = Figure(figsize=(3.2 * len(tasks), 3.2), layout="constrained")
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        for name, (colour, style) in STYLES.items():
            best: dict[int, float] = {}
            for row in rows:
                if (row["task"], row["contender"], row["place"]) == (task, name, "cpu"):
                    rate = row["member_steps_per_second"]
                    best[row["width"]] = max(rate, best.get(row["width"], 0.0))
            if best:
                axes.plot(list(best), list(best.values()), style, color=colour, label=name, ms=4)
        axes.set(xscale="log", yscale="log", title=as_label(task), xlabel="units per hidden layer")
        axes.set_xticks(sorted({row["width"] for row in rows}), minor=False)
        axes.set_xticklabels(sorted({row["width"] for row in rows}))
        axes.minorticks_off()
    figure.axes[0].set_ylabel("member-steps per CPU-second")
    figure.axes[0].legend(fontsize=8)
    return figure
