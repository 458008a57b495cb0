"""The name that each measured quantity has in every chart, record and checkpoint."""

from divergences.estimator import Estimator
from divergences.samples.earth_mover import EarthMover
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS


def divergence(name: str) -> str:
    """The tag of a divergence, such as ``w1_exact``.

    Example:
        >>> divergence("w1_exact"), estimated_by(HeldOutDual)
        ('divergence/w1_exact', 'divergence/w1_HeldOutDual')
    """
    return f"divergence/{name}"


def estimated_by(estimator: type[Estimator]) -> str:
    """The tag of what an estimator finds: renaming its class renames the tag everywhere."""
    return divergence(f"{estimator.quantity}_{estimator.__name__}")


def read_by_critic(quantity: str) -> str:
    """The tag of the quantity as the game's own critic gives it."""
    return divergence(f"{quantity}_critic")


W1_LOWER, W1_UPPER = estimated_by(HeldOutDual), estimated_by(EarthMover)
JS, KL = estimated_by(RossJS), estimated_by(NearestNeighbours)
W1_FLOOR, W1_EXACT, W1_CRITIC = (
    divergence("w1_floor"),
    divergence("w1_exact"),
    read_by_critic("w1"),
)
LOG2, KL_IS_INFINITE = divergence("log2"), "flag/kl_is_infinite"
"""The flag has a group of its own: beside divergences it would be a line at 1."""

SHOWN = {"W1": W1_UPPER, "JS": JS}
"""The two numbers in the progress bar and in the HParams table."""

INPUT_GRADIENT = "gradient/input"
SLOPE_MAX, SLOPE_MEAN = "critic/slope_max", "critic/slope_mean"
DUAL, DUAL_NORMALISED = "critic/dual", "critic/dual_normalised"


def gradient(group: str) -> str:
    """The tag of the norm of the gradient of a group of parameters."""
    return f"gradient/{group}"
