"""What is measured of a GAN; :mod:`gans.callbacks` says when, and where it is written.

A monitor measures a :class:`~gans.monitors.game.Game`: our modules, or anybody's networks.
"""

from gans.monitors.covered_modes import CoveredModes
from gans.monitors.critic_slope import CriticSlope
from gans.monitors.divergences import DivergenceEstimates, critic_value, exact_divergences
from gans.monitors.game import AdversarialGame, Game, HeldOut, held_out
from gans.monitors.gradient_norms import PlayerGradients, PointDescent, descent_at, gradient_norms
from gans.monitors.readings import Monitor, Readings, scalars, value

__all__ = [
    "AdversarialGame",
    "CoveredModes",
    "CriticSlope",
    "DivergenceEstimates",
    "Game",
    "HeldOut",
    "Monitor",
    "PlayerGradients",
    "PointDescent",
    "Readings",
    "critic_value",
    "descent_at",
    "exact_divergences",
    "gradient_norms",
    "held_out",
    "scalars",
    "value",
]
