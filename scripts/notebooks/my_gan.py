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
# # Is my GAN learning?
#
# A GAN of your own, in a plain loop, and a monitor that measures it. On Colab, run
# `!pip install git+URL_OF_THIS_REPOSITORY` first.

# %%
import os

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from gans import DivergenceMonitor, NonSaturating, Ring

SMALL = bool(os.environ.get("SMALL"))  # seconds instead of half a minute
torch.manual_seed(0)

# %% [markdown]
# ## Data and networks
#
# Put your own here. `real(n)` gives n points of the data, `fake(n)` n generated ones.

# %%
ring = Ring(scale=0.05)


def real(n: int) -> Tensor:
    """Points of eight modes on a circle, shape ``(n, 2)``."""
    return ring.sample(torch.Size([n]))


G = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
                  nn.Linear(64, 1))  # fmt: skip


def fake(n: int) -> Tensor:
    """Generated points."""
    return G(torch.randn(n, 2))


# %% [markdown]
# ## The monitor
#
# It needs the two functions, and measures more if it is given the critic and its objective.
# Training is the same with it and without it.

# %%
monitor = DivergenceMonitor(real, fake, critic=D, objective=NonSaturating())

# %% [markdown]
# ## Your loop, with one line more

# %%
steps, every = (40, 20) if SMALL else (3000, 500)
for_g = torch.optim.Adam(G.parameters(), 5e-4, (0.5, 0.999))
for_d = torch.optim.Adam(D.parameters(), 5e-4, (0.5, 0.999))
softplus = nn.functional.softplus
history = []
for step in range(steps + 1):
    if step % every == 0:
        monitor.read(step)
        history.append((step, dict(monitor.latest)))
    x, y = real(128), fake(128)
    for_d.zero_grad()
    (softplus(-D(x)) + softplus(D(y.detach()))).mean().backward()
    for_d.step()
    for_g.zero_grad()
    softplus(-D(y)).mean().backward()
    for_g.step()

# %% [markdown]
# ## What was measured
#
# The last readings, by tag. `w1_lower` and `w1_upper` bracket W1.

# %%
for tag, reading in monitor.latest.items():
    print(f"{tag:40} {reading}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
tags = [tag for tag in history[-1][1] if tag.startswith("divergence/")]
for tag in tags[:4]:
    at = [step for step, readings in history if tag in readings]
    values = [float(getattr(readings[tag], "value", readings[tag])) for step, readings in history
              if tag in readings]  # fmt: skip
    left.plot(at, values, "o-", label=tag)
left.set(xlabel="step")
left.legend(fontsize=8)
with torch.no_grad():
    right.plot(*real(500).T, ".", ms=3, label="real")
    right.plot(*fake(500).T, ".", ms=3, label="generated")
right.set_aspect("equal")
right.legend()
