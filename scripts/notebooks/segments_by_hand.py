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
# # Two segments: which distance gives a gradient?
#
# The data are uniform on a unit segment at 0. The generator makes a parallel segment at theta.
# On Colab, run `!pip install git+URL_OF_THIS_REPOSITORY` first.

# %%
import logging
import math
import os

import matplotlib.pyplot as plt
import pytorch_lightning as pl
import torch
from torch.optim import SGD

from divergences import Critic, Discriminator, SpectralNorm, exact
from gans import WGAN, NonSaturating, ParallelSegments, Saturating, SegmentGenerator, VanillaGAN

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
SMALL = bool(os.environ.get("SMALL"))  # seconds instead of half a minute

# %% [markdown]
# ## What the formulas say
#
# KL is infinite, JS is log 2 and total variation is 1 at every theta but 0. W1 is |theta|.

# %%
thetas = torch.tensor([0.0, 0.01, 0.1, 0.3, 1.0], dtype=torch.float64)
home, away = ParallelSegments(0.0), ParallelSegments(thetas)
formulas = {
    "KL": exact.kl_divergence(home, away),
    "JS": exact.js_divergence(home, away),
    "TV": exact.total_variation(home, away),
    "W1": exact.wasserstein(home, away),
}
for name, values in formulas.items():
    print(name, [f"{value:.4g}" for value in values.tolist()])

# %% [markdown]
# ## What trained networks measure
#
# One network for each theta, trained side by side. The discriminator measures JS, the critic W1.

# %%
steps = 100 if SMALL else 1000
seeds = list(range(len(thetas)))
moved = ParallelSegments(thetas.float())
discriminator = Discriminator(steps=steps).fit(home, moved, seeds)
critic = Critic(steps=steps, constraint=SpectralNorm()).fit(home, moved, seeds)
js, w1 = discriminator.held_out(home, moved), critic.held_out(home, moved)
for theta, one, other in zip(thetas.tolist(), js.value.tolist(), w1.value.tolist(), strict=True):
    print(f"theta = {theta:<5g} JS {one:.4f}   W1 {other:.4f}")

# %% [markdown]
# ## What lies between
#
# JS measured by a discriminator whose slope is at most L is
# `log 2 - log(1 + exp(-L |theta| / 2))`. For small L it is L/4 times W1; for large L it is JS. Its
# gradient is not 0: the limited slope gives the gradient, not the Wasserstein objective.

# %%
line = torch.linspace(-3, 3, 601, dtype=torch.float64)


def limited_js(slope: float) -> torch.Tensor:
    """JS under the slope L, in nats."""
    return math.log(2) - torch.log1p(torch.exp(-slope * line.abs() / 2))


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for slope in (0.25, 1.0, 4.0, 64.0):
    left.plot(line, limited_js(slope), label=f"L = {slope:g}")
    right.plot(line, 4 / slope * limited_js(slope))
left.axhline(math.log(2), color="k", lw=0.8, ls=":", label="JS")
right.plot(line, line.abs(), color="k", lw=0.8, ls=":", label="W1")
left.set(title="JS of slope at most L", xlabel="theta", ylabel="nats")
right.set(title="times 4 / L", xlabel="theta")
left.legend()
right.legend()

# %% [markdown]
# ## Where training takes theta
#
# The same loop with three objectives, from theta = 1. The saturating loss stalls if its
# discriminator is trained well first; -log D and WGAN move.


# %%
class Path(pl.Callback):
    """Theta after every iteration."""

    def __init__(self) -> None:
        self.thetas = [1.0]

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        self.thetas.append(pl_module.generator.theta.item())


iterations = 3 if SMALL else 150
warmup = 100 if SMALL else 1500
shared = {
    "target": home,
    "generator": SegmentGenerator,
    "n_critic": 5,
    "warmup": warmup,
    "iterations": iterations,
}
games = {
    "GAN, saturating": VanillaGAN(
        objective=Saturating(),
        critic_optimizer=lambda p: torch.optim.Adam(p, 1e-3),
        generator_optimizer=lambda p: SGD(p, 0.02),
        **shared,
    ),
    "GAN, -log D": VanillaGAN(
        objective=NonSaturating(),
        critic_optimizer=lambda p: torch.optim.Adam(p, 1e-3),
        generator_optimizer=lambda p: SGD(p, 0.005),
        **shared,
    ),
    "WGAN, spectral norm": WGAN(
        constraint=SpectralNorm(),
        critic_optimizer=lambda p: torch.optim.Adam(p, 1e-3, (0.0, 0.9)),
        generator_optimizer=lambda p: SGD(p, 0.02),
        **shared,
    ),
}
paths = {}
for name, module in games.items():
    path = Path()
    pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[path],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(module)
    paths[name] = path.thetas
    print(f"{name}: theta after {iterations} iterations: {path.thetas[-1]:.3f}")

# %%
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, path in paths.items():
    axes.plot(path, label=name)
axes.set(xlabel="generator iterations", ylabel="theta")
axes.legend()
