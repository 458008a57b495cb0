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
# # How far apart are my two samples?
#
# On Colab, run `!pip install git+URL_OF_THIS_REPOSITORY` first.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from divergences import EarthMover, HeldOutDual, NearestNeighbours, RossJS, compare

SMALL = bool(os.environ.get("SMALL"))  # seconds instead of ten

# %% [markdown]
# ## The points
#
# Put your own here: arrays of shape `(points, columns)`, with the same columns, such as
# `np.loadtxt("a.csv", delimiter=",", skiprows=1)`. Those below differ in their first column only,
# by 1/2. So W1 is 1/2, KL is 1/8 and JS is .0303.

# %%
random = np.random.default_rng(0)
n = 150 if SMALL else 1000
x = random.standard_normal((n, 3))
y = random.standard_normal((n, 3)) + np.array([0.5, 0.0, 0.0])

# %% [markdown]
# ## Everything at once
#
# Estimates with 95 % intervals, tests of equal laws, and the columns that differ. The last line
# says it in a sentence. Lengths are in standard deviations of the columns.

# %%
comparison = compare(x, y)
print(comparison)

# %% [markdown]
# ## One question, one number
#
# An estimate prints its interval, and a warning where it cannot be trusted on these points.

# %%
estimates = [RossJS()(x, y), NearestNeighbours()(x, y), EarthMover()(x, y), HeldOutDual()(x, y)]
for estimate in estimates:
    print(estimate)

# %% [markdown]
# ## What no difference looks like
#
# W1 between two samples is above 0 even if their laws are equal. Here x is halved at random and
# compared with itself. A value no larger than this shows nothing.

# %%
halves = random.permutation(x)
alike = EarthMover()(halves[: n // 2], halves[n // 2 :])
print(alike)

# %% [markdown]
# ## Column by column

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", sharey=True)
for k, axes in enumerate(panels):
    axes.hist([x[:, k], y[:, k]], bins=30, label=["x", "y"], histtype="step")
    axes.set(title=f"column {k}")
panels[0].legend()
