"""Our own protocol: every objective and constraint under one setting that suits most of them."""

import math
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Adam

import divergences as dv
import gans
from divergences.f_divergences import SquaredHellinger
from scripts.lab.mode_table_settings.base import Mixture, Protocol

# over the standard deviation of a coordinate: of the ring 1 / sqrt 2, of a grid with s modes a
# side and spacing 1 sqrt((s^2 - 1) / 12)
_LARGE = math.sqrt(99 / 12)
DISTANCES: dict[str, dv.Estimator] = {
    "energy distance": dv.EnergyDistance(),
    "MMD, width .3": dv.MMD(bandwidth=0.3),
    "MMD, width .01": dv.MMD(bandwidth=0.01),
    "Sinkhorn divergence": dv.Sinkhorn(0.5, order=2, tolerance=1e-2, floor=False),
    "exact transport": dv.EarthMover(floor=False),
}
"""What generators without a critic minimise, between minibatches."""
MIXTURES = {
    "ring": Mixture(gans.Ring(math.sqrt(2), 0.01 * math.sqrt(2)), 8000),
    "grid": Mixture(gans.Grid(2 / math.sqrt(8), 0.05 / math.sqrt(8)), 20000),
    # four times the modes of the grid share a batch, so that each is seen as often in four times
    # the iterations; 100 samples per mode judge it as 2500 judge the grid
    "grid100": Mixture(gans.Grid(1 / _LARGE, 0.03 / _LARGE, side=10), 80000, samples=10000),
}

_ADAM = partial(Adam, lr=1e-3, betas=(0.5, 0.9), fused=True)
_LEAKY = partial(dv.MLP, hidden=(128, 128), activation=nn.LeakyReLU)
_COMMON: dict[str, Any] = {
    "generator": partial(gans.NoiseGenerator, hidden=(128, 128)),
    "generator_optimizer": _ADAM,
    "critic_optimizer": _ADAM,
    "batch_size": 128,
    "ema": 0.999,
}
_GAN = partial(gans.VanillaGAN, critic=_LEAKY, **_COMMON)
_WGAN = partial(gans.WGAN, critic=_LEAKY, **_COMMON)
_PLAIN = partial(
    gans.MinimumDistance, **{k: v for k, v in _COMMON.items() if k != "critic_optimizer"}
)
_PACKED = partial(gans.Packed, pack=2, network=_LEAKY)
_EIGHT = partial(gans.NoiseGenerator, latent=8, hidden=(128, 128))
_COINS = partial(gans.NoiseGenerator, bits=8, hidden=(128, 128))


def _both(weight: float = 0.1) -> gans.Combined:
    return gans.Combined([gans.R1(weight), gans.R2(weight)])


def _annealed(
    iterations: int,
    n_critic: int = 1,
    weight: float = 0.1,
    last: float = 1e-4,
    start: float = 0.25,
    end: float = 0.75,
    **kwargs: Any,
) -> gans.AdversarialModule:
    """Weights of R1 and R2 that fall, to a ten thousandth by default; 8-dimensional noise."""
    return gans.VanillaGAN(
        objective=gans.Relativistic(),
        constraint=gans.Annealed(_both(weight), last, iterations * n_critic, start, end),
        iterations=iterations,
        n_critic=n_critic,
        **(_COMMON | {"critic": _LEAKY, "generator": _EIGHT} | kwargs),
    )


def _waves(streams: dv.Streams, in_features: int, out_features: int) -> nn.Module:
    """A critic that is shown waves down to the length of a mode's width."""
    features = dv.FourierFeatures(streams, in_features, scales=(1.0, 4.0, 32.0), frequencies=16)
    network = dv.MLP(streams, features.out_features, out_features, (128, 128), nn.LeakyReLU)
    return nn.Sequential(features, network)


OURS = Protocol(
    source="data divided by their standard deviation; generator and critic of two layers of 128, "
    "2-dimensional noise, 128 points per side, Adam at 1e-3 (.5, .9), the rate constant for half "
    "of the run and then falling linearly to 2 %",
    mixtures=MIXTURES,
    rows={
        "saturating": partial(_GAN, objective=gans.Saturating()),
        "non-saturating": partial(_GAN, objective=gans.NonSaturating()),
        "non-saturating, R1": partial(
            _GAN, objective=gans.NonSaturating(), constraint=gans.R1(0.1)
        ),
        "non-saturating, R1 + R2": partial(
            _GAN, objective=gans.NonSaturating(), constraint=_both()
        ),
        "non-saturating, DRAGAN": partial(
            _GAN, objective=gans.NonSaturating(), constraint=gans.DRAGAN(1.0)
        ),
        "non-saturating, packs of 2": partial(
            _GAN, objective=gans.NonSaturating(), critic=_PACKED
        ),
        "least squares": partial(_GAN, objective=gans.LeastSquares()),
        "hinge, spectral norm": partial(
            _GAN, objective=gans.Hinge(), constraint=dv.SpectralNorm()
        ),
        "f-GAN, squared Hellinger, gradient clipping": partial(
            _GAN, objective=gans.FGAN(SquaredHellinger()), constraint=gans.GradientClipping(1.0)
        ),
        "alpha = .5": partial(_GAN, objective=gans.Alpha(0.5)),
        "relativistic": partial(_GAN, objective=gans.Relativistic()),
        "relativistic, R1 + R2": partial(_GAN, objective=gans.Relativistic(), constraint=_both()),
        "relativistic, R1 + R2 annealed": _annealed,
        "relativistic, R1 + R2 annealed from .01": partial(_annealed, weight=0.01),
        "relativistic, R1 + R2 annealed, waves": partial(_annealed, critic=_waves, n_critic=2),
        "relativistic, R1 + R2 annealed, coins": partial(_annealed, generator=_COINS),
        "relativistic, R1 + R2 annealed, coins, slow generator": partial(
            _annealed,
            generator=_COINS,
            generator_optimizer=partial(_ADAM, lr=1e-4),
            last=1e-3,
            start=0.1,
            end=0.4,
        ),
        "WGAN, clipping at .1": partial(_WGAN, constraint=dv.WeightClipping(0.1)),
        "WGAN-GP, weight .1": partial(_WGAN, constraint=dv.GradientPenalty(0.1)),
        "WGAN-GP, weight 10": partial(_WGAN, constraint=dv.GradientPenalty(10.0)),
        "WGAN, one-sided, weight 10": partial(_WGAN, constraint=dv.LipschitzPenalty(10.0)),
        **{name: partial(_PLAIN, distance=distance) for name, distance in DISTANCES.items()},
    },
    schedule=gans.ConstantThenLinear,
)
