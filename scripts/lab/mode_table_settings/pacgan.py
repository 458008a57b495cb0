"""PacGAN's protocol: batch-normalised generators against maxout discriminators, 400 epochs."""

from collections.abc import Sequence
from functools import partial

from torch import nn
from torch.optim import Adam

from divergences import Streams
from gans import Grid, NoiseGenerator, NonSaturating, Packed, Ring, VanillaGAN
from gans.networks.published_layers import BatchNormMLP, MaxoutMLP, normal
from scripts.lab.mode_table_settings.base import Mixture, Protocol

ITERATIONS, BATCH, SCALE = 400_000, 100, 0.02
_ADAM = partial(Adam, lr=1e-4, betas=(0.8, 0.999), fused=True)


def _generator(streams: Streams, latent: int, dimension: int, hidden: Sequence[int]) -> nn.Module:
    network = BatchNormMLP(streams, latent, dimension, hidden, momentum=0.05, eps=1e-4)
    return normal(network, streams, SCALE)


def _critic(streams: Streams, in_features: int, out_features: int) -> nn.Module:
    return normal(MaxoutMLP(streams, in_features, out_features), streams, SCALE)


def _packing(pack: int) -> partial[VanillaGAN]:
    return partial(
        VanillaGAN,
        objective=NonSaturating(),
        generator=partial(NoiseGenerator, latent=2, hidden=(400,) * 4, network=_generator),
        critic=partial(Packed, pack=pack, network=_critic),
        generator_optimizer=_ADAM,
        critic_optimizer=_ADAM,
        batch_size=BATCH * pack,
    )


PACGAN = Protocol(
    source="PacGAN (Lin et al. 2018, arXiv 1712.04086), Section 4.1 and released code; there the "
    "100000 training points are fixed and both players step at once, here every point is fresh "
    "and they alternate",
    mixtures={"ring": Mixture(Ring(), ITERATIONS), "grid": Mixture(Grid(), ITERATIONS)},
    rows={"GAN": _packing(1)} | {f"PacGAN{pack}": _packing(pack) for pack in (2, 3, 4)},
)
