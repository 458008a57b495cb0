"""When training is monitored, and where what is measured goes: loggers, memory, checkpoints.

Everything is measured on fresh held-out points, on a fixed cadence, and written with the
generator iteration as its x-axis. Held-out points depend on seed and iteration alone, so watching
a run more or less often does not change it. Checkpoints remember what was seen.
"""

from gans.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints, Interrupted
from gans.callbacks.dashboard import Dashboard, dashboard
from gans.callbacks.divergence_monitor import DivergenceMonitor
from gans.callbacks.in_memory import InMemory
from gans.callbacks.logged_measurements import (
    Coverage,
    Divergences,
    Gradients,
    LipschitzAudit,
    Pictures,
)
from gans.callbacks.periodic import Periodic
from gans.callbacks.picture_samples import Samples
from gans.callbacks.tensorboard_logger import OrderedLogger

MONITORS = {
    "divergences": Divergences,
    "gradients": Gradients,
    "lipschitz": LipschitzAudit,
    "pictures": Pictures,
    "coverage": Coverage,
    "samples": Samples,
}
"""What every training run is watched with, under its name in a configuration."""

__all__ = [
    "MONITORS",
    "AtomicCheckpointIO",
    "Checkpoints",
    "Coverage",
    "Dashboard",
    "DivergenceMonitor",
    "Divergences",
    "Gradients",
    "InMemory",
    "Interrupted",
    "LipschitzAudit",
    "OrderedLogger",
    "Periodic",
    "Pictures",
    "Samples",
    "dashboard",
]
