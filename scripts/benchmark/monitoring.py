"""CPU seconds of monitors against those of training, of whole runs of configurations."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from divergences.command_line import Parser
from divergences.whole_files import write_atomically
from gans.callbacks import MONITORS
from gans.cli.shipped import shipped
from gans.runtime.escaping import say
from gans.runtime.files import as_csv
from scripts.benchmark.cpu_profiler import CpuSeconds
from scripts.lab.jobs import Job
from scripts.lab.records import results

TRAINING = "run_training_batch"
"""Lightning's name of an iteration."""
NAMES = {monitor.__name__: name for name, monitor in MONITORS.items()}
NAMES |= {"Dashboard": "dashboard", "Checkpoints": "checkpoints"}
"""Callbacks of a run, and what their column is called."""


def add_arguments(command: Parser) -> None:
    every = list(shipped())
    command.flag("--only", "configurations", choices=every, default=every, metavar="NAME")
    what = "further flags of the training command, one string, such as '--model.iterations 100'"
    command.flag("--flags", what, default="")


def run(options: argparse.Namespace) -> None:
    """One row per configuration."""
    flags = tuple(options.flags.split())
    jobs = {name: Job(60, measure, name, flags) for name in options.only}
    rows = results(jobs, options)
    write_atomically(options.out / "monitoring.csv", as_csv(rows))
    for row in rows:
        parts = [f"{name} {100 * row[name] / row['training']:.1f} %" for name in NAMES.values()
                 if row[name]]  # fmt: skip
        say(
            f"{row['configuration']:25} {row['training']:6.1f} CPU s of training; monitors "
            f"{row['monitors']:.2f} s, {100 * row['monitors'] / row['training']:.1f} %: "
            f"{', '.join(parts)}"
        )


def measure(name: str, flags: tuple[str, ...]) -> dict[str, float | str]:
    """Train a configuration in a process of its own, and count."""
    with TemporaryDirectory() as folder:
        counted = Path(folder) / "cpu_seconds.json"
        command = [
            *(sys.executable, "-m", "scripts.train", "fit", "--config", name),
            *("--out", f"{folder}/run", "--allow-import", CpuSeconds.__module__),
            *("--trainer.profiler", f"{CpuSeconds.__module__}.{CpuSeconds.__name__}"),
            *("--trainer.profiler.path", str(counted), *flags),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {"configuration": name} | shares(json.loads(counted.read_text()))


def shares(spent: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds of training, of each callback, and of all monitors, from those of each hook.

    Example:
        >>> shares({"run_training_batch": 9.0, "[Callback]Coverage.on_train_end": 0.5})["monitors"]
        0.5
    """
    found = dict.fromkeys(NAMES.values(), 0.0)
    for hook, seconds in spent.items():
        callback = hook.removeprefix("[Callback]").split(".")[0]
        if hook.startswith("[Callback]") and callback in NAMES:
            found[NAMES[callback]] += seconds
    monitors = sum(seconds for name, seconds in found.items() if name != "checkpoints")
    return {"training": spent[TRAINING], "monitors": monitors, **found}
