"""Target distributions, among them some that know their true distances.

Every target is a ``torch.distributions.Distribution`` whose ``batch_shape`` is the member axis:
``()`` for one law shared by all members, ``(K,)`` for a law per member. Besides the usual
contract each can ``draw`` from the members' own random streams.
"""

from gans.targets.base import Target
from gans.targets.cells import Checkerboard, ImageDensity
from gans.targets.curves import Circles, SwissRoll, TwoMoons
from gans.targets.embedded import Embedded
from gans.targets.gaussian import Gaussian
from gans.targets.modes import Grid, Modes, Ring
from gans.targets.pinwheel import Pinwheel
from gans.targets.points import PointCloud
from gans.targets.segments import ParallelSegments
from gans.targets.subspace import SubspaceModes

__all__ = [
    "Checkerboard",
    "Circles",
    "Embedded",
    "Gaussian",
    "Grid",
    "ImageDensity",
    "Modes",
    "ParallelSegments",
    "Pinwheel",
    "PointCloud",
    "Ring",
    "SubspaceModes",
    "SwissRoll",
    "Target",
    "TwoMoons",
]
