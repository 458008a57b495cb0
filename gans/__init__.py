"""What does a GAN learn from each divergence? Generators against critics on known targets."""

from gans.callbacks import Dashboard, Divergences, Gradients, LipschitzAudit, Pictures
from gans.modules import WGAN, AdversarialModule, NonFiniteLoss, VanillaGAN
from gans.networks import Generator, NoiseGenerator, SegmentGenerator
from gans.objectives import NonSaturating, Objective, Saturating, Wasserstein
from gans.targets import (
    Embedded,
    Gaussian,
    Grid,
    Modes,
    ParallelSegments,
    Ring,
    SwissRoll,
    Target,
)

__all__ = [
    "WGAN",
    "AdversarialModule",
    "Dashboard",
    "Divergences",
    "Embedded",
    "Gaussian",
    "Generator",
    "Gradients",
    "Grid",
    "LipschitzAudit",
    "Modes",
    "NoiseGenerator",
    "NonFiniteLoss",
    "NonSaturating",
    "Objective",
    "ParallelSegments",
    "Pictures",
    "Ring",
    "Saturating",
    "SegmentGenerator",
    "SwissRoll",
    "Target",
    "VanillaGAN",
    "Wasserstein",
]
