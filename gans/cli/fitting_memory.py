"""Whether a configured run fits into memory, before anything of it is built."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jsonargparse import Namespace

from divergences.available_memory import available
from gans.callbacks import MONITORS
from gans.cli import left_out
from gans.cli.configuration import model_parser
from gans.generator_module import GeneratorModule
from gans.monitors.game import AdversarialGame
from gans.networks import evaluating
from gans.runtime.memory_of_training import Wanted, check_fits, training

WATCHED = ("gradients", "lipschitz", "coverage", "divergences")
"""Monitors that take the more memory the more points they are given. The others have as many as
there are pictures, or draw one member."""

MEMBERS = 1000
"""At most, of a run. The time of the parser grows with the square of a list's length."""


def first_seeds(arguments: Sequence[str]) -> tuple[list[str], int]:
    """The command line with at most :data:`MEMBERS` seeds, and how many it has.

    Example:
        >>> first_seeds(["fit", "--model.seeds=[0, 1, 2]"])
        (['fit', '--model.seeds=[0, 1, 2]'], 3)
    """
    kept, members = list(arguments), 0
    for place, argument in enumerate(kept):
        flag, _, seeds = argument.rpartition("=")
        before = flag or (kept[place - 1] if place else "")
        if before in ("--model.seeds", "--model.init_args.seeds"):
            given = seeds.split(",")
            members = len(given)
            if members > MEMBERS:
                kept[place] = argument[: len(argument) - len(seeds)] + ",".join(given[:MEMBERS])
                kept[place] += "]" * seeds.rstrip().endswith("]")
    return kept, members


def refuse_what_does_not_fit(config: Namespace, members: int = 0) -> None:
    """Refuse a run whose members, steps or looks take more memory than there is.

    Arguments:
        config: Of ``gans fit``, parsed.
        members: That were asked for, where not all of their seeds were parsed.

    Raises:
        ValueError: Names the setting, what it takes, what there is, and what would fit.
    """
    given, devices = config.model.init_args, config.trainer.devices
    processes = max(1, devices) if isinstance(devices, int) else 1
    switched_off = left_out.names(config)
    wanted = [training(max(1, given.batch_size // processes))]
    for name in WATCHED:
        if name not in switched_off:
            wanted.append(Wanted(f"{name}.n", config[name].n, partial(_look, MONITORS[name])))
    there = available()
    if torch.cuda.is_available() and config.trainer.accelerator not in ("cpu", "mps"):
        there = torch.cuda.mem_get_info()[0]
    elif there is not None:
        there //= processes
    check_fits(partial(_made, config), max(members, len(given.seeds)), wanted, there)
    if members > MEMBERS:
        raise ValueError(
            f"model.seeds has {members} seeds, and a run has at most {MEMBERS}; train the others "
            "in further runs, or with python -m scripts.sweep"
        )


def _made(config: Namespace, members: int) -> GeneratorModule:
    """The first members of the run."""
    model = config.model.clone()
    model.init_args.seeds = list(model.init_args.seeds)[:members]
    if "compile_from" in model.init_args:
        model.init_args.compile_from = None  # compiling takes a minute
    module = model_parser().instantiate_classes(Namespace(model=model))["model"]
    return module.double() if str(config.trainer.precision).startswith("64") else module


def _look(kind: Any, module: GeneratorModule, points: int) -> None:
    """What a monitor does, on so many points."""
    monitor, game = kind().monitor, AdversarialGame(module)
    monitor.n = points
    with evaluating(game.networks()):
        monitor.read(game)
