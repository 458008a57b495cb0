"""How a table is made: targets, networks, optimizers, batch, length. One file per protocol."""

from scripts.lab.mode_table_settings.alphagan import ALPHAGAN
from scripts.lab.mode_table_settings.gdpp import GDPP
from scripts.lab.mode_table_settings.our_settings import OURS
from scripts.lab.mode_table_settings.pacgan import PACGAN
from scripts.lab.mode_table_settings.stacked_digits import DIGITS

PROTOCOLS = {"ours": OURS, "digits": DIGITS, "pacgan": PACGAN, "gdpp": GDPP, "alphagan": ALPHAGAN}
