"""What is watched while the players train: divergences, gradients, critic, modes, pictures.

Everything is measured on fresh held-out points, on a fixed cadence, and written with the
generator iteration as its x-axis. Held-out points depend on seed and iteration alone, so watching
a run more or less often does not change it. Checkpoints remember what was seen.
"""

from gans.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints, Interrupted
from gans.callbacks.coverage import Coverage
from gans.callbacks.dashboard import Dashboard, dashboard
from gans.callbacks.divergences import Divergences, exact_divergences
from gans.callbacks.ordered import OrderedLogger
from gans.callbacks.periodic import Periodic, held_out, log_members
from gans.callbacks.players import Gradients, LipschitzAudit, Pictures, gradient_norms

MONITORS = {
    "divergences": Divergences,
    "gradients": Gradients,
    "lipschitz": LipschitzAudit,
    "pictures": Pictures,
    "coverage": Coverage,
}
"""What every training run is watched with, under its name in a configuration."""

__all__ = [
    "MONITORS",
    "AtomicCheckpointIO",
    "Checkpoints",
    "Coverage",
    "Dashboard",
    "Divergences",
    "Gradients",
    "Interrupted",
    "LipschitzAudit",
    "OrderedLogger",
    "Periodic",
    "Pictures",
    "dashboard",
    "exact_divergences",
    "gradient_norms",
    "held_out",
    "log_members",
]
