"""How a table is made: targets, networks, optimizers, batch, length. One file per protocol."""

from scripts.lab.mode_protocols.alphagan import ALPHAGAN
from scripts.lab.mode_protocols.gdpp import GDPP
from scripts.lab.mode_protocols.pacgan import PACGAN
from scripts.lab.mode_protocols.stacked_digits import DIGITS
from scripts.lab.mode_protocols.this_project import OURS

PROTOCOLS = {"ours": OURS, "digits": DIGITS, "pacgan": PACGAN, "gdpp": GDPP, "alphagan": ALPHAGAN}
