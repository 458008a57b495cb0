"""How a table is made: targets, networks, optimizers, batch, length. One file per protocol."""

from scripts.benchmark.protocols.alphagan import ALPHAGAN
from scripts.benchmark.protocols.base import Mixture, Protocol
from scripts.benchmark.protocols.gdpp import GDPP
from scripts.benchmark.protocols.ours import OURS
from scripts.benchmark.protocols.pacgan import PACGAN

PROTOCOLS = {"ours": OURS, "pacgan": PACGAN, "gdpp": GDPP, "alphagan": ALPHAGAN}

__all__ = ["ALPHAGAN", "GDPP", "OURS", "PACGAN", "PROTOCOLS", "Mixture", "Protocol"]
