"""Target distributions, among them some that know their true distances.

Every target is a ``torch.distributions.Distribution`` whose ``batch_shape`` is the member axis:
``()`` for one law shared by all members, ``(K,)`` for a law per member. Besides the usual
contract each can ``draw`` from the members' own random streams.
"""

from gans.targets.base import Target
from gans.targets.cell_densities import Checkerboard, ImageDensity
from gans.targets.curves import Circles, SwissRoll, TwoMoons
from gans.targets.embedded import Embedded
from gans.targets.empirical import PointCloud
from gans.targets.funnels import Funnels
from gans.targets.gaussian import Gaussian
from gans.targets.gaussian_mixtures import Grid, Modes, Ring
from gans.targets.images import Images, StackedDigits
from gans.targets.pinwheel import Pinwheel
from gans.targets.segments import ParallelSegments
from gans.targets.subspace import SubspaceModes
from gans.targets.transport_maps import Move as Move
from gans.targets.transport_maps import OneFunnel, Shifted, Transported
from gans.targets.uniform import Ball, Box

__all__ = [
    "Ball",
    "Box",
    "Checkerboard",
    "Circles",
    "Embedded",
    "Funnels",
    "Gaussian",
    "Grid",
    "ImageDensity",
    "Images",
    "Modes",
    "OneFunnel",
    "ParallelSegments",
    "Pinwheel",
    "PointCloud",
    "Ring",
    "Shifted",
    "StackedDigits",
    "SubspaceModes",
    "SwissRoll",
    "Target",
    "Transported",
    "TwoMoons",
]
