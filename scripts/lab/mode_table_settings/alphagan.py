"""The protocol under which the saturating GAN was found to fail in 29.5 % of 200 seeds."""

import math
from functools import partial
from typing import Any, final

from torch import nn
from torch.optim import Adam

from divergences import MLP
from gans import Alpha, NoiseGenerator, NonSaturating, Objective, Ring, Saturating, VanillaGAN
from scripts.lab.mode_table_settings.base import Mixture, Protocol

BATCH = 128
ITERATIONS = 400 * math.ceil(50_000 / BATCH)
"""400 epochs of 50000 points."""


@final
class Leaky(nn.LeakyReLU):
    """With slope .2 below zero."""

    def __init__(self):
        super().__init__(0.2)


def game(
    objective: Objective, generator: int = 400, critic: int = 200, rate: float = 1e-4
) -> partial[VanillaGAN]:
    """The protocol with an objective; narrow networks at a higher rate make a shorter game."""
    adam = partial(Adam, lr=rate, fused=True)
    common: dict[str, Any] = {"generator_optimizer": adam, "critic_optimizer": adam}
    return partial(
        VanillaGAN,
        objective=objective,
        generator=partial(NoiseGenerator, latent=2, hidden=(generator,) * 4),
        critic=partial(MLP, hidden=(critic,) * 4, activation=Leaky),
        batch_size=BATCH,
        **common,
    )


ALPHAGAN = Protocol(
    source="(alpha_D, alpha_G)-GANs (Welfert et al. 2023, arXiv 2302.14320), released code and "
    "its table of saturating games; there the 50000 training points are fixed and a generator "
    "step uses the noise of the discriminator step before it, here every number is fresh",
    mixtures={"ring": Mixture(Ring(), ITERATIONS, samples=25000)},
    rows={
        "saturating": game(Saturating()),
        "non-saturating": game(NonSaturating()),
        "alpha_D = .5, alpha_G = 1": game(Alpha(0.5, 1.0)),
        "alpha_D = .3, alpha_G = 1": game(Alpha(0.3, 1.0)),
    },
)
