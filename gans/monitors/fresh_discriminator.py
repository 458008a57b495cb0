"""What a discriminator measures that is trained from scratch on fixed samples."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor
from torch.optim import Adam

from divergences.estimate import Estimate
from divergences.learned.discriminators import Discriminator
from divergences.learned.sources import Empirical


class HeldOutScores(NamedTuple):
    """What it finds on held-out points.

    Attributes:
        js: Lower bound on JS in nats, one number per member.
        accuracy: Share of the points of both sides that it puts on their side (C2ST), ``(K,)``.
    """

    js: Estimate
    accuracy: Tensor


def fresh_discriminator(
    real: Tensor,
    fake: Tensor,
    held_real: Tensor,
    held_fake: Tensor,
    seeds: Sequence[int],
    steps: int = 300,
    hidden: Sequence[int] = (128, 128),
) -> HeldOutScores:
    """Train a discriminator from scratch on two samples, and measure on two others.

    Arguments:
        real: To train on, shape ``(K, n, d)``.
        fake: Likewise.
        held_real: To measure on, shape ``(K, m, d)``.
        held_fake: Likewise.
        seeds: One per member.
        steps: Of training.
        hidden: Widths of the discriminators' hidden layers.

    Example:
        >>> import torch
        >>> x = torch.randn(1, 200, 2, generator=torch.Generator().manual_seed(0))
        >>> seen = fresh_discriminator(x[:, :90], x[:, :90] + 9, x[:, 90:], x[:, 90:] + 9, [0], 50)
        >>> bool(seen.js.value > 0.6), seen.accuracy
        (True, tensor([1.]))
    """
    optimizer = partial(Adam, lr=1e-3, fused=True)
    discriminator = Discriminator(steps=steps, hidden=hidden, optimizer=optimizer, cooldown=0.5)
    fit = discriminator.fit(Empirical(real), Empirical(fake), seeds)
    right = (fit.scores(held_real) > 0, fit.scores(held_fake) < 0)
    accuracy = (right[0].float().mean(-1) + right[1].float().mean(-1)) / 2
    return HeldOutScores(fit.estimate(held_real, held_fake), accuracy)
