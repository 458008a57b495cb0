"""The published table of W1 critics on min-funnel pairs, for one seed of each.

From the files ``metrics/metrics_nd/*/metrics_deg_8_seed_2.csv`` of
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

TABLE = Path(__file__).with_suffix(".csv")


def published(dimension: int, funnels: int) -> list[dict[str, Any]]:
    """The published rows of one pair, as rows of a table; none where it was not published."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            {
                "dimension": dimension,
                "funnels": funnels,
                "solver": row["solver"],
                "cosine": float(row["cosine"]),
                "l2": float(row["l2"]),
                "deviation": int(row["deviation_percent"]) / 100,
                "w1": float(row["w1"]),
            }
            for row in csv.DictReader(file)
            if (int(row["dimension"]), int(row["funnels"])) == (dimension, funnels)
        ]
