"""What does a GAN learn from each divergence? Generators against critics on known targets."""

from divergences import __version__ as __version__
from divergences.guard import guard
from gans.callbacks import (
    Coverage,
    Dashboard,
    DivergenceMonitor,
    Divergences,
    Gradients,
    LipschitzAudit,
    Pictures,
)
from gans.generator_module import GeneratorModule, NonFiniteLoss
from gans.minimum_distance import MinimumDistance
from gans.mode_metrics import ModeCoverage
from gans.modules import WGAN, AdversarialModule, VanillaGAN
from gans.networks import (
    Generator,
    NoiseGenerator,
    Packed,
    PlainCritic,
    PlainGenerator,
    SegmentGenerator,
)
from gans.objectives import (
    FGAN,
    Alpha,
    Hinge,
    LeastSquares,
    NonSaturating,
    Objective,
    Relativistic,
    Saturating,
    Wasserstein,
)
from gans.penalties import DRAGAN, R1, R2, Annealed, Combined, GradientClipping
from gans.schedules import ConstantThenLinear
from gans.sharing import SharedBatch
from gans.targets import (
    Ball,
    Box,
    Checkerboard,
    Circles,
    Embedded,
    Funnels,
    Gaussian,
    Grid,
    ImageDensity,
    Modes,
    OneFunnel,
    ParallelSegments,
    Pinwheel,
    PointCloud,
    Ring,
    Shifted,
    SubspaceModes,
    SwissRoll,
    Target,
    Transported,
    TwoMoons,
)

__all__ = [
    "DRAGAN",
    "FGAN",
    "R1",
    "R2",
    "WGAN",
    "AdversarialModule",
    "Alpha",
    "Annealed",
    "Ball",
    "Box",
    "Checkerboard",
    "Circles",
    "Combined",
    "ConstantThenLinear",
    "Coverage",
    "Dashboard",
    "DivergenceMonitor",
    "Divergences",
    "Embedded",
    "Funnels",
    "Gaussian",
    "Generator",
    "GeneratorModule",
    "GradientClipping",
    "Gradients",
    "Grid",
    "Hinge",
    "ImageDensity",
    "LeastSquares",
    "LipschitzAudit",
    "MinimumDistance",
    "ModeCoverage",
    "Modes",
    "NoiseGenerator",
    "NonFiniteLoss",
    "NonSaturating",
    "Objective",
    "OneFunnel",
    "Packed",
    "ParallelSegments",
    "Pictures",
    "Pinwheel",
    "PlainCritic",
    "PlainGenerator",
    "PointCloud",
    "Relativistic",
    "Ring",
    "Saturating",
    "SegmentGenerator",
    "SharedBatch",
    "Shifted",
    "SubspaceModes",
    "SwissRoll",
    "Target",
    "Transported",
    "TwoMoons",
    "VanillaGAN",
    "Wasserstein",
]

Moved, Together = Transported, Combined  # their names in earlier versions
guard(__name__)
