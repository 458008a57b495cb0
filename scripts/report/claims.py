"""What the page says of claims: the sign and the colour of each verdict."""

from __future__ import annotations

from scripts.lab.claims import FAILS, HOLDS, QUALIFIED

TONES = {HOLDS: ("holds", "✓"), QUALIFIED: ("part", "◐"), FAILS: ("fails", "✗")}
