"""How far apart are two distributions? Exactly, numerically, or from samples with an error bar."""

from divergences import discrete, exact, lipschitz, variational
from divergences.interface import Estimate, Estimator
from divergences.lipschitz import (
    Constraint,
    GradientPenalty,
    LipschitzPenalty,
    SpectralNorm,
    Unconstrained,
    WeightClipping,
)
from divergences.neighbours import NearestNeighbours, RossJS
from divergences.networks import MLP
from divergences.neural import Critic, Discriminator
from divergences.streams import Streams
from divergences.transport import EarthMover

__all__ = [
    "MLP",
    "Constraint",
    "Critic",
    "Discriminator",
    "EarthMover",
    "Estimate",
    "Estimator",
    "GradientPenalty",
    "LipschitzPenalty",
    "NearestNeighbours",
    "RossJS",
    "SpectralNorm",
    "Streams",
    "Unconstrained",
    "WeightClipping",
    "discrete",
    "exact",
    "lipschitz",
    "variational",
]
