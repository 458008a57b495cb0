"""Every objective and constraint on the ring and the grid: one row of the table at a time.

The protocol is ours: data divided by their standard deviation, generator and critic of two layers
of 128, 128 points per side, Adam at 1e-3 (.5, .9), the rate constant for half of the run and then
falling linearly to 2 %. The seeds of a row are members of one program.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Adam

from divergences.fdivergence import SquaredHellinger
from divergences.lipschitz import (
    GradientPenalty,
    LipschitzPenalty,
    SpectralNorm,
    WeightClipping,
)
from divergences.networks import MLP
from divergences.streams import Streams
from gans.coverage import exact_w1
from gans.figures import draw_state
from gans.metrics import ModeCoverage
from gans.modules import WGAN, AdversarialModule, VanillaGAN
from gans.networks import NoiseGenerator, PackedMLP
from gans.objectives import (
    FGAN,
    Alpha,
    Hinge,
    LeastSquares,
    NonSaturating,
    Relativistic,
    Saturating,
)
from gans.penalties import DRAGAN, R1, R2, GradientClipping, Together
from gans.schedules import ConstantThenLinear
from gans.targets import Grid, Modes, Ring
from scripts.files import atomically
from scripts.lab import train
from scripts.witness import Witness, spearman

SAMPLES, FOR_TRANSPORT, LOOKS = 2500, 1000, 20


@dataclass(frozen=True)
class Mixture:
    """A target divided by the standard deviation of its coordinates, and how long to train."""

    target: Modes
    iterations: int


MIXTURES = {
    "ring": Mixture(Ring(math.sqrt(2), 0.01 * math.sqrt(2)), 8000),
    "grid": Mixture(Grid(2 / math.sqrt(8), 0.05 / math.sqrt(8)), 20000),
}

_ADAM = partial(Adam, lr=1e-3, betas=(0.5, 0.9), fused=True)
_LEAKY = partial(MLP, hidden=(128, 128), activation=nn.LeakyReLU)
_PACKED = partial(PackedMLP, hidden=(128, 128), activation=nn.LeakyReLU, pack=2)
_GAN, _WGAN = partial(VanillaGAN, critic=_LEAKY), partial(WGAN, critic=_LEAKY)
_BOTH = Together([R1(0.1), R2(0.1)])

ROWS: dict[str, Callable[..., AdversarialModule]] = {
    "saturating": partial(_GAN, objective=Saturating()),
    "non-saturating": partial(_GAN, objective=NonSaturating()),
    "non-saturating, R1": partial(_GAN, objective=NonSaturating(), constraint=R1(0.1)),
    "non-saturating, R1 + R2": partial(_GAN, objective=NonSaturating(), constraint=_BOTH),
    "non-saturating, DRAGAN": partial(_GAN, objective=NonSaturating(), constraint=DRAGAN(1.0)),
    "non-saturating, packs of 2": partial(_GAN, objective=NonSaturating(), critic=_PACKED),
    "least squares": partial(_GAN, objective=LeastSquares()),
    "hinge, spectral norm": partial(_GAN, objective=Hinge(), constraint=SpectralNorm()),
    "f-GAN, squared Hellinger, gradient clipping": partial(
        _GAN, objective=FGAN(SquaredHellinger()), constraint=GradientClipping(1.0)
    ),
    "alpha = .5": partial(_GAN, objective=Alpha(0.5)),
    "relativistic": partial(_GAN, objective=Relativistic()),
    "relativistic, R1 + R2": partial(_GAN, objective=Relativistic(), constraint=_BOTH),
    "WGAN, clipping at .1": partial(_WGAN, constraint=WeightClipping(0.1)),
    "WGAN-GP, weight .1": partial(_WGAN, constraint=GradientPenalty(0.1)),
    "WGAN-GP, weight 10": partial(_WGAN, constraint=GradientPenalty(10.0)),
    "WGAN, one-sided, weight 10": partial(_WGAN, constraint=LipschitzPenalty(10.0)),
}


@dataclass(frozen=True)
class Job:
    """One row on one mixture, so many seeds."""

    row: str
    mixture: str
    seeds: int
    share: float = 1.0

    @property
    def iterations(self) -> int:
        return max(LOOKS, round(self.share * MIXTURES[self.mixture].iterations))

    @property
    def file(self) -> str:
        """Name of its record."""
        words = f"{self.mixture} {self.row} {self.iterations} x{self.seeds}"
        return "".join(c if c.isalnum() else "-" for c in words) + ".json"


def module_of(job: Job) -> AdversarialModule:
    """The row's module under the protocol."""
    return ROWS[job.row](
        target=MIXTURES[job.mixture].target,
        generator=partial(NoiseGenerator, hidden=(128, 128)),
        generator_optimizer=_ADAM,
        critic_optimizer=_ADAM,
        scheduler=partial(ConstantThenLinear, iterations=job.iterations),
        ema=0.999,
        batch_size=128,
        iterations=job.iterations,
        seeds=range(job.seeds),
    )


@torch.no_grad()
def quality(module: AdversarialModule, generator: nn.Module) -> dict[str, list[float]]:
    """Mode metrics and exact W1 of a generator, one number per seed."""
    target = module.target
    assert isinstance(target, Modes)
    streams = Streams(module.seeds, "quality")
    points = generator.draw(streams, SAMPLES)  # pyright: ignore
    metric = ModeCoverage.of(target)
    metric.update(points)
    read = metric.compute()
    fresh, again = (target.draw(streams, FOR_TRANSPORT) for _ in range(2))
    read |= exact_w1(points[:, :FOR_TRANSPORT], fresh, again)
    return {name: value.reshape(-1).double().tolist() for name, value in read.items()}


def measure(job: Job, out: Path) -> dict[str, Any]:
    """Train one row; its record as plain numbers, a picture and TensorBoard logs beside it."""
    module = module_of(job)
    witness = Witness(every=job.iterations // LOOKS)
    start = time.process_time()
    train(module, str(out / "tensorboard" / Path(job.file).stem), witness)
    seconds = time.process_time() - start
    readings = witness.readings
    live = quality(module, module.generator)
    assert module.generator_ema is not None
    streams = Streams(module.seeds, "picture")
    with torch.no_grad():
        real, fake = module.target.draw(streams, 500), module.generator.draw(streams, 500)
    picture = still(module, real, fake, job)
    atomically(out / "figures" / f"{Path(job.file).stem}.png", partial(picture.savefig, dpi=110))
    return {
        "row": job.row,
        "target": job.mixture,
        "iterations": job.iterations,
        "seeds": job.seeds,
        "cpu_seconds": seconds,
        "live": live,
        "ema": quality(module, module.generator_ema),
        "tells": {
            "own": spearman(readings["own"], readings["transport"]).tolist(),
            "js": spearman(readings["fresh"], readings["transport"]).tolist(),
        },
        "pull_first": readings["pull"][:, 0].tolist(),
        "pull_last": readings["pull"][:, -1].tolist(),
    }


def still(module: AdversarialModule, real: Tensor, fake: Tensor, job: Job) -> Figure:
    """The first seed's samples over its critic; of a packed critic, scores of copies."""
    pack = getattr(module.critic, "pack", 1)
    critic = _Copies(module.critic, pack) if pack > 1 else module.critic
    figure = draw_state(critic, real, fake)
    figure.suptitle(f"{job.mixture}, {job.row}", fontsize=10)
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

    def over_seeds(name: str, values: list[float | None]) -> dict[str, float]:
        # what JSON could not hold: no sample of high quality has no reverse KL
        seen = torch.tensor([math.nan if v is None else float(v) for v in values])
        seen = seen.double()
        return {
            name: float(seen.mean()),
            f"{name}_stderr": float(seen.std() / math.sqrt(len(seen))),
        }

    row = {key: record[key] for key in ("target", "row", "iterations", "seeds", "cpu_seconds")}
    for name in ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width", "w1"):
        row |= over_seeds(name, record["live"][name])
    row["w1_floor"] = sum(record["live"]["w1_floor"]) / record["seeds"]
    row |= over_seeds("high_quality_ema", record["ema"]["high_quality"])
    row |= over_seeds("core_width_ema", record["ema"]["core_width"])
    row |= over_seeds("own_tells", record["tells"]["own"])
    row |= over_seeds("js_tells", record["tells"]["js"])
    return row
