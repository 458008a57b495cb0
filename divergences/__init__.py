"""How far apart are two distributions? Exactly, numerically, or from samples with an error bar."""

from typing import TYPE_CHECKING, Any

from divergences import bounds, discrete, exact, f_divergences, numerical
from divergences.comparison import Closer, Comparison, closer, compare
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from divergences.guard import guard
from divergences.learned.anchored import AnchoredCritic
from divergences.learned.critic import Critic
from divergences.learned.discriminators import (
    NWJ,
    Discriminator,
    DiscriminatorKL,
    DonskerVaradhan,
    FDivergence,
)
from divergences.learned.sources import Empirical
from divergences.networks.constraint import Constraint, Unconstrained
from divergences.networks.gradient_penalty import GradientPenalty, LipschitzPenalty
from divergences.networks.layers import MLP, FourierFeatures, FullSort, MaxMin, Whiten
from divergences.networks.mcshane import McShane
from divergences.networks.muon import Muon
from divergences.networks.weight_constraints import Orthogonal, SpectralNorm, WeightClipping
from divergences.numerical.monte_carlo import MonteCarlo
from divergences.numerical.quadrature import Quadrature
from divergences.random_streams import Streams
from divergences.samples.authenticity import Authenticity, DataCopying
from divergences.samples.clipped_coverage import ClippedCoverage, ClippedDensity
from divergences.samples.coverage import Coverage, Density, Precision, Recall
from divergences.samples.earth_mover import EarthMover
from divergences.samples.energy_distance_and_mmd import MMD, EnergyDistance
from divergences.samples.frechet import FrechetDistance
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.histogram import HistogramJS, HistogramKL, HistogramTV
from divergences.samples.kernel_distance import KernelDistance
from divergences.samples.known_density import KnownDensity
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS
from divergences.samples.sinkhorn import Sinkhorn
from divergences.samples.sliced import Sliced
from divergences.samples.two_sample_classifier import ClassifierAccuracy, ClassifierAUC

if TYPE_CHECKING:
    from divergences.metrics import DivergenceMetric

__all__ = [
    "MLP",
    "MMD",
    "NWJ",
    "AnchoredCritic",
    "Authenticity",
    "ClassifierAUC",
    "ClassifierAccuracy",
    "ClippedCoverage",
    "ClippedDensity",
    "Closer",
    "Comparison",
    "Constraint",
    "Coverage",
    "Critic",
    "DataCopying",
    "Density",
    "Discriminator",
    "DiscriminatorKL",
    "DivergenceMetric",
    "DonskerVaradhan",
    "EarthMover",
    "Empirical",
    "EnergyDistance",
    "Estimate",
    "Estimator",
    "FDivergence",
    "FourierFeatures",
    "FrechetDistance",
    "FullSort",
    "GradientPenalty",
    "HeldOutDual",
    "HistogramJS",
    "HistogramKL",
    "HistogramTV",
    "KernelDistance",
    "KnownDensity",
    "LipschitzPenalty",
    "MaxMin",
    "McShane",
    "MonteCarlo",
    "Muon",
    "NearestNeighbours",
    "Orthogonal",
    "Precision",
    "Quadrature",
    "Recall",
    "RossJS",
    "Sinkhorn",
    "Sliced",
    "SpectralNorm",
    "Streams",
    "Unconstrained",
    "WeightClipping",
    "Whiten",
    "bounds",
    "closer",
    "compare",
    "discrete",
    "exact",
    "f_divergences",
    "numerical",
]

__version__ = "0.1.0"
fdivergence, variational = f_divergences, bounds  # their names in earlier versions
guard(__name__)


def __getattr__(name: str) -> Any:
    """The metric when it is asked for: torchmetrics takes half a second to import."""
    if name != "DivergenceMetric":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from divergences.metrics import DivergenceMetric

    return DivergenceMetric
