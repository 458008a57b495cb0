"""The critics that are compared, and what each of them finds on a pair."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

import divergences as dv
from divergences.learned.base import Learned
from gans import Transported
from scripts.lab.jobs import CommonSettings
from scripts.lab.plotting import Colour
from scripts.lab.w1 import solvers
from scripts.lab.w1.accuracy import compared

Found = dict[tuple[str, int], dict[str, Tensor]]
"""What :func:`compared` finds, by a critic and its dimension or steps."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Sizes of the networks and lengths of training."""

    steps: int = 400
    budgets: tuple[int, ...] = (50, 100, 200)  # of shorter training, in most dimensions
    hidden: tuple[int, ...] = (64, 64)
    batch: int = 256
    members: int = 2  # of each critic
    candidates: int = 2048
    transport_points: int = 512
    dimensions: tuple[int, ...] = (2, 4, 16)
    generators: int = 3
    iterations: int = 200


CLIPPED, SPECTRAL, ORTHOGONAL, SORTED, RELEASED, PENALISED, TWO_SIDED, ANCHORED = (
    "clipped",
    "spectrally normalised",
    "orthonormal, MaxMin",
    "orthonormal, sorted, Muon",
    "the same, then one-sided penalty",
    "one-sided penalty",
    "two-sided penalty",
    "cones on sample points",
)
PERCEPTRONS: dict[str, tuple[dv.Constraint, type[nn.Module]]] = {
    CLIPPED: (dv.WeightClipping(0.04), nn.ReLU),
    SPECTRAL: (dv.SpectralNorm(), nn.ReLU),
    ORTHOGONAL: (dv.Orthogonal(), dv.MaxMin),
    PENALISED: (dv.LipschitzPenalty(10.0), nn.ReLU),
    TWO_SIDED: (dv.GradientPenalty(10.0), nn.ReLU),
}
TRAINED = (CLIPPED, SPECTRAL, ORTHOGONAL, SORTED, RELEASED, PENALISED)
COMPARED = (*TRAINED, ANCHORED)
COLOURS = {
    CLIPPED: Colour.TRAP,
    SPECTRAL: "#7a5195",
    ORTHOGONAL: "#2a8a57",
    SORTED: "#7ec8a0",
    RELEASED: "#c77dbb",
    PENALISED: Colour.FIRST,
    TWO_SIDED: Colour.EXACT,
    ANCHORED: Colour.W1,
}


def critics(settings: Settings) -> dict[str, Learned]:
    """All but the cones are perceptrons of the same size, trained as long."""
    adam: Any = partial(Adam, lr=2e-3, fused=True)
    sizes: dict[str, Any] = {"hidden": settings.hidden, "batch": settings.batch}
    perceptrons: dict[str, Learned] = {
        name: dv.Critic(
            constraint=constraint,
            activation=activation,
            steps=settings.steps,
            optimizer=adam,
            cooldown=0.5,
            **sizes,
        )
        for name, (constraint, activation) in PERCEPTRONS.items()
    }
    return perceptrons | {
        SORTED: dv.Critic(**solvers.SORTED, steps=settings.steps, **sizes),
        RELEASED: solvers.released(settings.steps, **sizes),
        ANCHORED: dv.AnchoredCritic(
            steps=300, anchors=64, candidates=settings.candidates, sweeps=3, batch=settings.batch
        ),
    }


def accuracy(name: str, law: Transported, seeds: int, settings: Settings) -> dict[str, Tensor]:
    """One critic against one pair: what :func:`compared` finds, one entry per seed."""
    learned = critics(settings)[name]
    return compared(learned.fit(law, law.base, range(seeds)), law, 2048)


def by_transport(law: Transported, seeds: int, settings: Settings) -> dict[str, Tensor]:
    """Exact transport between samples as a share of W1, less 1, and its floor."""
    readings, floors, truth = [], [], float(law.measured_w1(2**15))
    for seed in range(seeds):
        streams = dv.Streams([seed], "samples", dtype=torch.float64)
        n = settings.transport_points
        estimate = dv.EarthMover()(law.draw(streams, n)[0], law.base.draw(streams, n)[0])
        readings.append(float(estimate) / truth - 1)
        floors.append(float(estimate.floor) / truth)
    return {"deviation": torch.tensor(readings), "floor": torch.tensor(floors)}
