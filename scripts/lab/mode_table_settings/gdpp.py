"""GDPP's protocol: small tanh networks on 256-dimensional noise, batches of 512."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Adam

from divergences import MLP, GradientPenalty, Streams
from gans import WGAN, Grid, NoiseGenerator, NonSaturating, Ring, VanillaGAN
from gans.networks.published_layers import orthogonal
from scripts.lab.mode_table_settings.base import Mixture, Protocol

ITERATIONS, HIDDEN = 25_000, (128, 128)


def _network(
    streams: Streams, in_features: int, out_features: int, hidden: Sequence[int] = HIDDEN
) -> nn.Module:
    network = MLP(streams, in_features, out_features, hidden, nn.Tanh)
    return orthogonal(network, streams, gain=1.4)


_COMMON: dict[str, Any] = {
    "generator": partial(NoiseGenerator, latent=256, hidden=HIDDEN, network=_network),
    "critic": _network,
    "generator_optimizer": partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
    "critic_optimizer": partial(Adam, lr=1e-4, betas=(0.5, 0.999), fused=True),
    "batch_size": 512,
}

GDPP = Protocol(
    source="GDPP (Elfeki et al. 2019, arXiv 1812.00068), released code; there the ring draws one "
    "of its eight modes twice and both players step at once, here the modes are distinct and "
    "they alternate. The code has no WGAN-GP: its weight of 10 and five critic steps are those of "
    "arXiv 1704.00028, Algorithm 1",
    mixtures={"ring": Mixture(Ring(), ITERATIONS), "grid": Mixture(Grid(), ITERATIONS)},
    rows={
        "GAN": partial(VanillaGAN, objective=NonSaturating(), **_COMMON),
        "WGAN-GP": partial(WGAN, constraint=GradientPenalty(10.0), **_COMMON),
    },
)
