"""What does a GAN learn from each divergence? Generators against critics on known targets."""

from divergences import __version__ as __version__
from divergences.guard import guard
from gans import networks, targets
from gans.callbacks import (
    Coverage,
    Dashboard,
    DivergenceMonitor,
    Divergences,
    Gradients,
    LipschitzAudit,
    Pictures,
    Samples,
)
from gans.discriminator_regularisers import DRAGAN, R1, R2, Annealed, Combined, GradientClipping
from gans.generator_module import GeneratorModule, NonFiniteLoss
from gans.minimum_distance import MinimumDistance
from gans.mode_metrics import ModeCoverage
from gans.modules import WGAN, AdversarialModule, VanillaGAN
from gans.networks import *  # noqa: F403  # their names stand in __all__ there
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
from gans.schedules import ConstantThenLinear
from gans.sharing import SharedBatch
from gans.targets import *  # noqa: F403

__all__ = [
    "DRAGAN",
    "FGAN",
    "R1",
    "R2",
    "WGAN",
    "AdversarialModule",
    "Alpha",
    "Annealed",
    "Combined",
    "ConstantThenLinear",
    "Coverage",
    "Dashboard",
    "DivergenceMonitor",
    "Divergences",
    "GeneratorModule",
    "GradientClipping",
    "Gradients",
    "Hinge",
    "LeastSquares",
    "LipschitzAudit",
    "MinimumDistance",
    "ModeCoverage",
    "NonFiniteLoss",
    "NonSaturating",
    "Objective",
    "Pictures",
    "Relativistic",
    "Samples",
    "Saturating",
    "SharedBatch",
    "VanillaGAN",
    "Wasserstein",
]
__all__ += networks.__all__
__all__ += targets.__all__

Moved, Together = targets.Transported, Combined  # their names in earlier versions
guard(__name__)
