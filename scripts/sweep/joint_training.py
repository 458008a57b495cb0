"""The seeds of a setting trained together: a function of a configuration and those seeds alone.

Nothing is read but the configuration and nothing is written: what was found comes back as the
return value, so that a job can run on a machine that shares no disk with the sweep's, be lost with
its worker and run again, or run twice, and still count once.
"""

import json
import logging
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, final

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import DummyLogger

from divergences import Estimator
from divergences.available_memory import limit_memory
from divergences.checks import whole_number
from gans import GeneratorModule, monitors
from gans.callbacks import Periodic
from gans.cli.configuration import Parser, check_sections, limit_imports, model_parser
from gans.monitors.tags import LOG2
from gans.runtime.memory_of_training import check_fits, training
from scripts.lab.origin import fingerprint
from scripts.lab.training import quiet_trainer


@dataclass
class Curves:
    """One member's readings: a column per tag, a row per observation.

    Attributes:
        step: Generator iteration of each observation.
        seconds: Since the first of them.
        values: Tag to readings, ``None`` where there was none yet.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    values: dict[str, list[float | None]] = field(default_factory=dict)

    def final(self) -> dict[str, float | None]:
        """The last of each."""
        return {tag: column[-1] for tag, column in self.values.items()}


@final
class Readings(Periodic):
    """Divergences, losses, gradients, slopes and covered modes of every member by itself.

    The tags are those of the training command's callbacks, which write the members' mean.

    Arguments:
        every: Iterations between observations.
        n: Held-out points per side and member.
        samples: Generated points per member for the coverage of modes.
        estimators: As for :class:`~gans.Divergences`.
    """

    def __init__(
        self,
        every: int = 100,
        n: int = 256,
        samples: int = 2500,
        estimators: Sequence[Estimator] | None = None,
    ):
        super().__init__(every)
        self.monitors: tuple[monitors.Monitor, ...] = (
            monitors.DivergenceEstimates(n, estimators),
            monitors.PlayerGradients(n),
            monitors.CriticSlope(n),
            monitors.CoveredModes(whole_number("samples", samples)),
        )
        self._step: list[int] = []
        self._seconds: list[float] = []
        self._read: list[dict[str, list[float]]] = []

    def observe(self, trainer: pl.Trainer, game: monitors.Game) -> None:
        found = {tag: r for monitor in self.monitors for tag, r in monitor.read(game).items()}
        self._step.append(trainer.global_step)
        self._seconds.append(time.perf_counter())
        members = len(game.seeds)
        self._read.append(
            {tag: monitors.value(r).expand(members).tolist() for tag, r in found.items()}
        )

    def curves(self) -> list[Curves]:
        """What was read so far, one entry per member."""
        seconds = [at - self._seconds[0] for at in self._seconds]
        tags = dict.fromkeys(tag for read in self._read for tag in read)
        return [
            Curves(
                self._step,
                seconds,
                {tag: [r[tag][k] if tag in r else None for r in self._read] for tag in tags},
            )
            for k in range(len(self._read[0][LOG2]))
        ]


@dataclass(frozen=True)
class JointTraining:
    """The seeds of one setting that are trained together, as members of one program.

    Attributes:
        key: Hash of the setting's complete configuration.
        label: The setting in words.
        config: The setting's configuration as it was given.
        seeds: One per member.
        modules: Whose classes the configuration may name besides those that are listed.
    """

    key: str
    label: str
    config: dict[str, Any] = field(compare=False)  # the key stands for it
    seeds: tuple[int, ...]
    modules: tuple[str, ...] = ()

    def alone(self) -> list["JointTraining"]:
        """A job for each seed."""
        return [replace(self, seeds=(seed,)) for seed in self.seeds]


@dataclass(frozen=True)
class TrainedMember:
    """What became of one seed.

    Attributes:
        seed: Whose.
        curves: Every reading at every observation.
        seconds: Wall time of the job, all its members together.
        members: How many those were.
        code: Fingerprint of the code that ran.
    """

    seed: int
    curves: Curves
    seconds: float
    members: int
    code: str


def run(job: JointTraining) -> list[TrainedMember]:
    """Train the job's members to the end; what was read of each."""
    torch.set_num_threads(1)
    limit_memory()
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch
    warnings.filterwarnings("ignore", message=".* has no estimate")  # the curves say NaN
    check_memory(job)
    module, readings = build(with_seeds(job.config, job.seeds), job.modules)
    start = time.perf_counter()
    trainer = quiet_trainer(logger=DummyLogger(), callbacks=[readings], log_every_n_steps=1)
    trainer.fit(module)
    seconds = time.perf_counter() - start
    return [
        TrainedMember(seed, curves, seconds, len(job.seeds), fingerprint())
        for seed, curves in zip(job.seeds, readings.curves(), strict=True)
    ]


def check_memory(job: JointTraining) -> None:
    """Refuse members that do not fit together, before they are built."""
    batch_size = job.config["model"].get("init_args", {}).get("batch_size", 128)

    def make(members: int) -> GeneratorModule:
        return build(with_seeds(job.config, job.seeds[:members]), job.modules)[0]

    check_fits(make, len(job.seeds), [training(batch_size)])


def build(config: dict[str, Any], modules: Sequence[str] = ()) -> tuple[GeneratorModule, Readings]:
    """The module and what watches it."""
    with _parsing(config, modules) as (understands, parsed):
        built: Any = understands.instantiate_classes(parsed)
    return built.model, built.readings


@contextmanager
def _parsing(config: dict[str, Any], modules: Sequence[str]) -> Iterator[tuple[Parser, Any]]:
    known = limit_imports(modules)  # in whichever process this is
    check_sections(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Lightning's use of the parser
        understands = model_parser(readings=Readings)
        parsed = understands.parse_object(deepcopy(config))
        known.check(parsed)
        yield understands, parsed


def with_seeds(config: dict[str, Any], seeds: tuple[int, ...]) -> dict[str, Any]:
    """The configuration with these seeds for its members."""
    model = config["model"]
    arguments = {**model.get("init_args", {}), "seeds": list(seeds)}
    return {**config, "model": {**model, "init_args": arguments}}


def complete(config: dict[str, Any], modules: Sequence[str] = ()) -> dict[str, Any]:
    """The configuration with every default filled in and without seeds; it is built to be sure.

    Raises:
        Exception: Whatever the parser or a class has against it.
    """
    model = config.get("model")
    if not isinstance(model, dict) or "class_path" not in model:
        raise ValueError(f"model = {model!r:.60}: name its class, e.g. class_path: gans.WGAN")
    with _parsing(with_seeds(config, (0,)), modules) as (understands, parsed):
        understands.instantiate_classes(parsed)
        dumped = understands.dump(parsed, format="json", skip_validation=True)
    # a default that is an object, not a class, is known by its text; where it lay in memory is not
    filled = json.loads(re.sub(r" at 0x[0-9a-f]+", "", dumped))
    del filled["model"]["init_args"]["seeds"]
    return filled
