"""Three digits side by side: which of 1,000 combinations a game covers, after *R3GAN*."""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any, final

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Adam

import gans
from divergences import MLP
from gans.callbacks.picture_samples import grid
from gans.mode_coverage import covered_modes, mode_kl
from gans.monitors.picture_quality import class_of, classifier_of, scores_of
from scripts.lab.mode_table_settings.base import Benchmark, Protocol

RECOGNISED = 0.95
"""Share of held-out digits that score as digits of high quality do, by definition."""


@cache
def stacked_digits() -> gans.StackedDigits:
    """They take scikit-learn, which is optional: they are read when they are asked for."""
    return gans.StackedDigits()


@final
@dataclass(frozen=True)
class Combinations(Benchmark):
    """Pictures of several digits, whose modes are the combinations of classes.

    A classifier says which digits a picture shows. It takes any picture for one of them, as those
    of published tables do, so noise may cover all combinations. Of high quality are pictures whose
    digits all score as much as :data:`RECOGNISED` of the held-out ones.
    """

    iterations: int
    samples: int

    @property
    def target(self) -> gans.StackedDigits:
        return stacked_digits()

    def judged(self, points: Tensor) -> dict[str, Tensor]:
        law, classes = self.target, len(self.target.classes)
        classifier = classifier_of(law)
        found = class_of(law, classifier, points)
        best = classifier.scores(law.kept_back + law.width / 2).amax(-1)
        scores = scores_of(law, classifier, points).unflatten(-1, (law.stacked, -1)).amax(-1)
        good = (scores >= best.quantile(1 - RECOGNISED)).all(-1)
        counts = torch.stack([one.bincount(minlength=classes**law.stacked) for one in found])
        assert law.labels is not None
        weights = share = law.labels.bincount(minlength=classes).double() / len(law.labels)
        for _ in range(law.stacked - 1):
            weights = torch.outer(weights, share).flatten()
        return {
            "covered_1": covered_modes(counts, 1),
            "covered_20": covered_modes(counts, 20),
            "mode_reverse_kl": mode_kl(counts, weights).reverse,
            "high_quality": good.double().mean(-1),
            "core_width": torch.full((len(points),), torch.nan),
        }

    def drawn(self, critic: nn.Module | None, real: Tensor, fake: Tensor) -> Figure:
        return grid(self.target, self.target.rounded(fake[0, :40]), 10)


_ADAM = partial(Adam, lr=5e-4, betas=(0.0, 0.9), fused=True)
_COMMON: dict[str, Any] = {
    "generator": partial(gans.NoiseGenerator, latent=32, hidden=(128, 128)),
    "critic": partial(MLP, hidden=(128, 128), activation=nn.LeakyReLU),
    "generator_optimizer": _ADAM,
    "critic_optimizer": _ADAM,
    "batch_size": 64,
}
_GAN = partial(gans.VanillaGAN, **_COMMON)
_BOTH = gans.Combined([gans.R1(1.0), gans.R2(1.0)])

DIGITS = Protocol(
    source="digits of 8 x 8 pixels; generator and critic of two layers of 128, 32-dimensional "
    "noise, 64 points per side, Adam at 5e-4 (0, .9). R3GAN (Huang et al. 2025, arXiv "
    "2501.05441) has digits of 28 x 28 pixels, deeper networks and longer training",
    mixtures={"stacked_digits": Combinations(10_000, samples=26_000)},
    rows={
        "relativistic, R1 + R2": partial(_GAN, objective=gans.Relativistic(), constraint=_BOTH),
        "relativistic, R1": partial(_GAN, objective=gans.Relativistic(), constraint=gans.R1(1.0)),
        "non-saturating, R1 + R2": partial(_GAN, objective=gans.NonSaturating(), constraint=_BOTH),
        "non-saturating, R1": partial(
            _GAN, objective=gans.NonSaturating(), constraint=gans.R1(1.0)
        ),
        "non-saturating": partial(_GAN, objective=gans.NonSaturating()),
    },
)
