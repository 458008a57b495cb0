"""How far apart are two distributions? Exactly, numerically, or from samples with an error bar."""

from divergences import discrete, exact, fdivergence, lipschitz, numerical, variational
from divergences.anchored import AnchoredCritic, McShane
from divergences.batches import (
    BatchTransport,
    ComparedTransforms,
    CTransform,
    EntropicPairPenalty,
    PairPenalty,
)
from divergences.critic import Critic
from divergences.discriminators import (
    NWJ,
    Discriminator,
    DiscriminatorKL,
    DonskerVaradhan,
    FDivergence,
)
from divergences.dual import HeldOutDual
from divergences.guard import guard
from divergences.histogram import HistogramJS, HistogramKL, HistogramTV
from divergences.interface import Estimate, Estimator
from divergences.kernel import MMD, EnergyDistance
from divergences.known_density import KnownDensity
from divergences.lipschitz import (
    Constraint,
    GradientPenalty,
    LipschitzPenalty,
    Orthogonal,
    SpectralNorm,
    Unconstrained,
    WeightClipping,
)
from divergences.maximin import Maximin, ReversedMaximin
from divergences.metrics import DivergenceMetric
from divergences.monte_carlo import MonteCarlo
from divergences.muon import Muon
from divergences.neighbours import NearestNeighbours
from divergences.networks import MLP, FourierFeatures, FullSort, MaxMin, Whiten
from divergences.quadrature import Quadrature
from divergences.ross import RossJS
from divergences.sinkhorn import Sinkhorn
from divergences.sliced import Sliced
from divergences.streams import Streams
from divergences.transport import EarthMover

__all__ = [
    "MLP",
    "MMD",
    "NWJ",
    "AnchoredCritic",
    "BatchTransport",
    "CTransform",
    "ComparedTransforms",
    "Constraint",
    "Critic",
    "Discriminator",
    "DiscriminatorKL",
    "DivergenceMetric",
    "DonskerVaradhan",
    "EarthMover",
    "EnergyDistance",
    "EntropicPairPenalty",
    "Estimate",
    "Estimator",
    "FDivergence",
    "FourierFeatures",
    "FullSort",
    "GradientPenalty",
    "HeldOutDual",
    "HistogramJS",
    "HistogramKL",
    "HistogramTV",
    "KnownDensity",
    "LipschitzPenalty",
    "MaxMin",
    "Maximin",
    "McShane",
    "MonteCarlo",
    "Muon",
    "NearestNeighbours",
    "Orthogonal",
    "PairPenalty",
    "Quadrature",
    "ReversedMaximin",
    "RossJS",
    "Sinkhorn",
    "Sliced",
    "SpectralNorm",
    "Streams",
    "Unconstrained",
    "WeightClipping",
    "Whiten",
    "discrete",
    "exact",
    "fdivergence",
    "lipschitz",
    "numerical",
    "variational",
]

guard(__name__)
