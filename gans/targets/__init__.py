"""Target distributions that know their true distances.

Every target is a ``torch.distributions.Distribution`` whose ``batch_shape`` is the member axis:
``()`` for one law shared by all members, ``(K,)`` for a law per member. Besides the usual
contract each can ``draw`` from the members' own random streams.
"""

from gans.targets.base import Target
from gans.targets.curves import SwissRoll
from gans.targets.embedded import Embedded
from gans.targets.gaussian import Gaussian
from gans.targets.modes import Grid, Modes, Ring
from gans.targets.segments import ParallelSegments

__all__ = [
    "Embedded",
    "Gaussian",
    "Grid",
    "Modes",
    "ParallelSegments",
    "Ring",
    "SwissRoll",
    "Target",
]
