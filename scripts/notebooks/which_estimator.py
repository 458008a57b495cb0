# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Which estimator?
#
# Two normal laws in the plane, a unit apart, whose divergences are known. Estimators beside the
# truth, from few points to many. On Colab, run `!pip install git+URL_OF_THIS_REPOSITORY` first.

# %%
import os
import warnings

import matplotlib.pyplot as plt
import torch
from torch.distributions import Independent, Normal

from divergences import (
    EarthMover,
    Estimator,
    HeldOutDual,
    HistogramJS,
    HistogramKL,
    KnownDensity,
    NearestNeighbours,
    Quadrature,
    RossJS,
    exact,
    numerical,
)

SMALL = bool(os.environ.get("SMALL"))  # seconds instead of ten

# %% [markdown]
# ## The truth
#
# KL and W1 have formulas. JS has none between normal laws and is integrated.


# %%
def normal(shift: float) -> Independent:
    """The standard normal law of the plane, moved along the first axis."""
    mean = torch.tensor([shift, 0.0], dtype=torch.float64)
    return Independent(Normal(mean, torch.ones(2, dtype=torch.float64)), 1)


p, q = normal(0.0), normal(1.0)
truth = {
    "kl": float(exact.kl_divergence(p, q)),
    "js": float(numerical.js_divergence(p, q, Quadrature()).value),
    "w1": 1.0,  # a translation by 1 moves all points by 1, and none can do with less
}
print(truth)

# %% [markdown]
# ## The estimates
#
# Eight pairs of samples of each size: the mean, and how often the 95 % interval holds the truth.

# %%
estimators: dict[str, Estimator] = {
    "RossJS": RossJS(),
    "HistogramJS": HistogramJS(),
    "NearestNeighbours": NearestNeighbours(),
    "HistogramKL": HistogramKL(),
    "KnownDensity": KnownDensity(q.log_prob),
    "EarthMover": EarthMover(),
    "HeldOutDual": HeldOutDual(),
}
sizes = (64, 128) if SMALL else (64, 256, 1024, 2048)
repeats = 2 if SMALL else 8
torch.manual_seed(0)
found: dict[str, list[tuple[float, float]]] = {name: [] for name in estimators}
for n in sizes:
    samples = [(p.sample((n,)), q.sample((n,))) for _ in range(repeats)]
    for name, estimator in estimators.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each is in the estimate, too
            estimates = [estimator(x, y) for x, y in samples]
        target = truth[estimators[name].quantity]
        values = [float(estimate.value) for estimate in estimates]
        covered = [float(e.ci[0]) <= target <= float(e.ci[1]) for e in estimates]
        found[name].append((sum(values) / repeats, sum(covered) / repeats))
        print(f"n = {n:5} {name:18} {found[name][-1][0]:7.3f} for {target:.3f}, "
              f"interval right in {found[name][-1][1]:.0%}")  # fmt: skip

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
for axes, (quantity, target) in zip(panels, truth.items(), strict=True):
    axes.axhline(target, color="k", lw=0.8, label="truth")
    for name, estimator in estimators.items():
        if estimator.quantity == quantity:
            axes.plot(sizes, [value for value, _ in found[name]], "o-", label=name)
    axes.set(xscale="log", xlabel="points of each", title=quantity.upper())
    axes.legend(fontsize=8)

# %% [markdown]
# ## What to take
#
# - JS from two samples: `RossJS`. W1: `EarthMover` beside `HeldOutDual`, which bracket it.
# - KL to a law whose density is known: `KnownDensity`. KL from two samples needs overlap.
# - Between laws that do not overlap KL is infinite, and no sample can show how far.
