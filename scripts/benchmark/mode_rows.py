"""One row of a protocol's table: its seeds, members of one program, trained, judged and drawn."""

import math
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from divergences import Streams
from divergences.whole_files import atomically
from gans import Coverage, GeneratorModule, Gradients
from gans.callbacks import AtomicCheckpointIO, Checkpoints, InMemory, OrderedLogger
from gans.callbacks.checkpoints import newest_good
from gans.mode_coverage import exact_w1
from gans.monitors import Game, Monitor, Readings
from gans.networks import points_of
from scripts.lab.claims import in_table
from scripts.lab.mode_table_settings import PROTOCOLS
from scripts.lab.mode_table_settings.base import Benchmark, Protocol
from scripts.lab.training import quiet_trainer
from scripts.lab.training_monitors import CriticAgainstTransport, spearman

LOOKS, CURVE, PACKS = 20, 100, 240
"""How often training is measured, how many points TensorBoard's curves have, and from how many
generated points, in packs of 2 to 5, the gradient at them is taken."""
COUNTED = ("covered_1", "covered_20", "high_quality")
"""What is kept of the modes during training."""
FOR_TRANSPORT, DRAWS = 1000, 4
"""Points that exact transport is given, and over how many draws of them W1 is averaged.

One draw of 1000 scatters by a third of the floor, mostly for uneven counts per mode.
"""


@dataclass(frozen=True)
class Row:
    """One row of a protocol on one mixture, so many seeds."""

    protocol: str
    row: str
    target: str
    seeds: int
    share: float = 1.0

    @property
    def under(self) -> Protocol:
        return PROTOCOLS[self.protocol]

    @property
    def mixture(self) -> Benchmark:
        return self.under.mixtures[self.target]

    @property
    def iterations(self) -> int:
        return max(LOOKS, round(self.share * self.mixture.iterations))

    @property
    def key(self) -> str:
        """What its record, its picture and the folder of its logs are called."""
        words = f"{self.protocol} {self.target} {self.row} {self.iterations} x{self.seeds}"
        return "".join(c if c.isalnum() else "-" for c in words)

    def folder(self, out: Path) -> Path:
        """Where its TensorBoard logs and, until it has a record, its checkpoints are."""
        return out / "tensorboard" / self.key

    def module(self) -> GeneratorModule:
        """What is to be trained."""
        return self.under.module(self.row, self.target, range(self.seeds), self.iterations)


def quality(mixture: Benchmark, generator: nn.Module, seeds: tuple[int, ...]) -> dict[str, Any]:
    """What is judged of a generator, one number per seed."""
    points = points_of(generator, Streams(seeds, "quality"), mixture.samples)
    return {name: value.tolist() for name, value in mixture.judged(points).items()}


@final
class Judged(Monitor):
    """Which modes are covered during training."""

    def __init__(self, mixture: Benchmark, n: int = 2500):
        self.mixture, self.n = mixture, n

    @torch.no_grad()
    def read(self, game: Game) -> Readings:
        judged = self.mixture.judged(game.fake(self.n, game.streams("modes")))
        return {name: judged[name] for name in COUNTED}


def transport(mixture: Benchmark, generator: nn.Module, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Exact W1 of a generator and its floor, each a mean over draws, one number per seed."""
    streams, target = Streams(seeds, "transport"), mixture.target
    reads = []
    for _ in range(DRAWS):
        points = points_of(generator, streams, FOR_TRANSPORT)
        fresh, again = (target.draw(streams, FOR_TRANSPORT) for _ in range(2))
        reads.append(exact_w1(points, fresh, again))
    return {
        name: torch.stack([read[name] for read in reads]).mean(0).reshape(-1).tolist()
        for name in ("w1", "w1_floor")
    }


@final
class Spent(pl.Callback):
    """CPU seconds of a run, over all its continuations."""

    def __init__(self):
        self.before, self.start = 0.0, time.process_time()

    @property
    def seconds(self) -> float:
        return self.before + time.process_time() - self.start

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.before = state_dict["seconds"]


def play(module: GeneratorModule, folder: Path, *callbacks: pl.Callback) -> None:
    """Train to the end, from the newest good checkpoint in ``folder`` if there is one.

    What is written on the way does not grow with the length of the run.
    """
    every = max(1, module.iterations // CURVE)
    newest = newest_good(folder / "checkpoints", partial(print, file=sys.stderr))
    trainer = quiet_trainer(
        default_root_dir=folder,
        # what curves there are after the checkpoint are drawn again
        logger=OrderedLogger(folder, purge_step=int(newest.stem) + 1 if newest else 0),
        callbacks=[
            Coverage(every),
            Gradients(every, n=PACKS),
            *callbacks,
            Checkpoints(every, keep=2),
        ],
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=True,
        log_every_n_steps=every,
    )
    trainer.fit(module, ckpt_path=newest, weights_only=True)


def measure(folder: str, job: Row) -> dict[str, Any]:
    """Train one row; its record as plain numbers, a picture and TensorBoard logs beside it."""
    module, mixture, stem, out = job.module(), job.mixture, job.key, Path(folder)
    every = job.iterations // LOOKS
    measured = InMemory(CriticAgainstTransport(), every, first=True)
    seen, spent = InMemory(Judged(mixture), every, first=True), Spent()
    play(module, job.folder(out), spent, measured, seen)
    seconds = spent.seconds
    averaged = module.generator_ema
    streams = Streams(module.seeds, "picture")
    real, fake = module.target.draw(streams, 500), points_of(module.generator, streams, 500)
    picture = still(module, real, fake, job)
    atomically(out / "figures" / f"{stem}.png", partial(picture.savefig, dpi=110))
    readings = measured.readings
    return {
        "protocol": job.protocol,
        "row": job.row,
        "target": job.target,
        "iterations": job.iterations,
        "seeds": job.seeds,
        "cpu_seconds": seconds,
        "live": quality(mixture, module.generator, module.seeds)
        | transport(mixture, module.generator, module.seeds),
        "ema": averaged and quality(mixture, averaged, module.seeds),
        "tells": {
            "own": spearman(readings["own"], readings["transport"]).tolist(),
            "js": spearman(readings["fresh"], readings["transport"]).tolist(),
        },
        "looks": seen.iterations,
        "seen": {name: seen.readings[name].tolist() for name in COUNTED},
        "pull_first": readings["pull"][:, 0].tolist(),
        "pull_last": readings["pull"][:, -1].tolist(),
    }


def still(module: GeneratorModule, real: Tensor, fake: Tensor, job: Row) -> Figure:
    """The first seed's samples, where possible over its critic; of a packed one, of copies."""
    critic = module.players().get("critic")
    pack = getattr(critic, "pack", 1)
    critic = _Copies(critic, pack) if critic is not None and pack > 1 else critic
    figure = job.mixture.drawn(critic, real, fake)
    figure.suptitle(f"{job.target}, {job.row}", fontsize=10)
    return figure


class _Copies(nn.Module):
    """A packed critic's score of each point together with copies of itself."""

    def __init__(self, critic: nn.Module, pack: int):
        super().__init__()
        self.critic, self.pack = critic, pack

    def forward(self, points: Tensor) -> Tensor:
        return self.critic(points.repeat_interleave(self.pack, dim=1))


def as_row(record: dict[str, Any]) -> dict[str, Any]:
    """Means over seeds and standard errors, as one row of the table."""

    def over_seeds(name: str, values: list[float | None] | None) -> dict[str, float]:
        # what JSON could not hold: no sample of high quality has no reverse KL
        seen = torch.tensor([math.nan if v is None else float(v) for v in values or [None]])
        return in_table(**{name: seen.double()})

    keys = ("protocol", "target", "row", "iterations", "seeds", "cpu_seconds")
    row = {key: record[key] for key in keys}
    live, ema = record["live"], record["ema"] or {}
    for name in ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width", "w1"):
        row |= over_seeds(name, live[name])
    row["w1_floor"] = sum(live["w1_floor"]) / record["seeds"]
    row["no_mode"] = sum(count == 0 for count in live["covered_1"]) / record["seeds"]
    row |= over_seeds("high_quality_ema", ema.get("high_quality"))
    row |= over_seeds("core_width_ema", ema.get("core_width"))
    row |= over_seeds("own_tells", record["tells"]["own"])
    row |= over_seeds("js_tells", record["tells"]["js"])
    return row
