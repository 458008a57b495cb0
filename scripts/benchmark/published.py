"""Published tables to stand beside ours: files ``published_*.csv``.

``modes`` has the protocol of each row, under whose numbers others do not compare: PacGAN's plain
GAN covers 6.3 modes of the ring and VEEGAN's covers 1. An empty cell was not published; of R1
alone R3GAN's table says that training fails.

``w1`` is of critics on min-funnel pairs, one seed each, from the files
``metrics/metrics_nd/*/metrics_deg_8_seed_2.csv`` of
https://github.com/justkolesov/Wasserstein1Benchmark (MIT), commit 359d2b1, that belong to
Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al., 2022,
arXiv 2206.07767). WC clips weights, GP and LP are penalties, SN spectral normalisation, SO sorts
between orthonormal layers, LS is the large-scale dual, MM are max-min solvers, DOT is exact
transport between 4096 points. Cosine, L2 and deviation are on the moved side; the value that
deviates is the raw one, not divided by any slope. An L2 of 10 stands for more than that.
"""

import csv
from pathlib import Path
from typing import Any


def published(table: str, **wanted: Any) -> list[dict[str, Any]]:
    """The rows of a table that have these values; none where nothing was published."""
    path = Path(__file__).with_name(f"published_{table}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{key: _value(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
    return [row for row in rows if wanted.items() <= row.items()]


def _value(cell: str) -> int | float | str | None:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None
