"""Rows of published tables, with the protocol each belongs to.

Numbers under one protocol do not compare with those under another: PacGAN's plain GAN covers 6.3
modes of the ring and VEEGAN's covers 1.
"""

import math
from typing import Any

PACGAN = "PacGAN (Lin et al. 2018, arXiv 1712.04086), Table 1: 10 runs, 2500 samples"
VEEGAN = "VEEGAN (Srivastava et al. 2017, arXiv 1705.07761), Table 1: 5 runs, 2500 samples"
GDPP = "GDPP (Elfeki et al. 2019, arXiv 1812.00068), Table 1: 2500 samples"

STACKED = "PacGAN (Lin et al. 2018, arXiv 1712.04086), Table 2: 28 x 28 pixels, 26000 samples"
R3GAN = "R3GAN (Huang et al. 2025, arXiv 2501.05441): 28 x 28 pixels"

Row = tuple[str, str, str, float, float | None, float | None]
ROWS: tuple[Row, ...] = (
    ("ring", "GAN", PACGAN, 6.3, 98.2, 0.45),
    ("ring", "ALI", PACGAN, 6.6, 97.6, 0.36),
    ("ring", "PacGAN2", PACGAN, 7.9, 95.6, 0.07),
    ("ring", "PacGAN3", PACGAN, 7.8, 97.7, 0.10),
    ("ring", "PacGAN4", PACGAN, 7.8, 95.9, 0.07),
    ("ring", "GAN", VEEGAN, 1.0, 99.3, None),
    ("ring", "ALI", VEEGAN, 2.8, 0.13, None),
    ("ring", "Unrolled GAN", VEEGAN, 7.6, 35.6, None),
    ("ring", "VEEGAN", VEEGAN, 8.0, 52.9, None),
    ("ring", "WGAN-GP", GDPP, 6.8, 59.6, None),
    ("ring", "GDPP-GAN", GDPP, 8.0, 71.7, None),
    ("grid", "GAN", PACGAN, 17.3, 94.8, 0.70),
    ("grid", "ALI", PACGAN, 24.1, 95.7, 0.14),
    ("grid", "PacGAN2", PACGAN, 23.8, 91.3, 0.13),
    ("grid", "PacGAN3", PACGAN, 24.6, 94.2, 0.06),
    ("grid", "PacGAN4", PACGAN, 24.8, 93.6, 0.04),
    ("grid", "GAN", VEEGAN, 3.3, 0.5, None),
    ("grid", "ALI", VEEGAN, 15.8, 1.6, None),
    ("grid", "Unrolled GAN", VEEGAN, 23.6, 16.0, None),
    ("grid", "VEEGAN", VEEGAN, 24.6, 40.0, None),
    ("grid", "WGAN-GP", GDPP, 24.2, 28.7, None),
    ("grid", "GDPP-GAN", GDPP, 24.8, 68.5, None),
    ("stacked_digits", "DCGAN", STACKED, 99.0, None, 3.40),
    ("stacked_digits", "ALI", STACKED, 16.0, None, 5.40),
    ("stacked_digits", "Unrolled GAN", STACKED, 48.7, None, 4.32),
    ("stacked_digits", "VEEGAN", STACKED, 150.0, None, 2.95),
    ("stacked_digits", "DCGAN, their own run", STACKED, 78.9, None, 4.50),
    ("stacked_digits", "PacDCGAN2", STACKED, 1000.0, None, 0.06),
    ("stacked_digits", "relativistic, R1 + R2", R3GAN, 1000.0, None, 0.0781),
    ("stacked_digits", "non-saturating, R1 + R2", R3GAN, 693.0, None, 0.9270),
    ("stacked_digits", "relativistic, R1", R3GAN, math.nan, None, None),
    ("stacked_digits", "non-saturating, R1", R3GAN, math.nan, None, None),
)
"""Target, name, table, covered modes (>= 1 sample), high quality in percent, reverse KL.

R3GAN's table says of R1 alone that training fails."""


def published(target: str) -> list[dict[str, Any]]:
    """The published rows of one target, as rows of a table."""
    columns = ("target", "row", "source", "covered_1", "high_quality", "mode_reverse_kl")
    return [
        dict(zip(columns, (*row[:4], row[4] and row[4] / 100, row[5]), strict=True))
        for row in ROWS
        if row[0] == target
    ]
