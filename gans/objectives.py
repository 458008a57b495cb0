"""What critic and generator minimise: one short class per objective, beside its equation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import softplus

from divergences import exact, variational
from divergences.interface import Estimate


class Objective(ABC):
    """A two-player objective. Scores have shape ``(K, n)``, losses ``(K,)``.

    Attributes:
        quantity: The divergence that the critic's optimum measures.
        references: Where it comes from.
    """

    quantity: ClassVar[str]
    references: ClassVar[tuple[str, ...]]

    @abstractmethod
    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises."""

    @abstractmethod
    def generator_loss(self, fake: Tensor) -> Tensor:
        """What the generator minimises."""

    @abstractmethod
    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        """The divergence that scores of held-out points show."""

    @abstractmethod
    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        """The value of the game, minus the least critic loss, between two exact laws."""


class _Logistic(Objective):
    r"""The critic is a discriminator: :math:`D = \sigma(f)`, trained on
    :math:`-E_{real}\log D - E_{fake}\log(1 - D)`."""

    quantity = "js"
    references = (
        "Generative Adversarial Nets (Goodfellow et al., 2014), https://arxiv.org/abs/1406.2661",
    )

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean(-1) + softplus(fake).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        return variational.jensen_shannon(real, fake)

    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        r""":math:`2\,\mathrm{JS}(P, Q) - 2 \log 2` (Theorem 1)."""
        return 2 * exact.js_divergence(p, q) - 2 * math.log(2)


@final
class Saturating(_Logistic):
    r"""The original game: the generator minimises :math:`E_{fake}\log(1 - D)`.

    At the optimal discriminator that is :math:`2\,\mathrm{JS} - 2\log 2` plus a term without the
    generator, so its gradient vanishes wherever JS is flat.
    """

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -softplus(fake).mean(-1)


@final
class NonSaturating(_Logistic):
    r"""The :math:`-\log D` alternative: the generator minimises :math:`-E_{fake}\log D`.

    At the optimal discriminator its gradient is that of
    :math:`\mathrm{KL}(P_g \| P_r) - 2\,\mathrm{JS}` (Arjovsky & Bottou 2017, Theorem 2.5).
    """

    def generator_loss(self, fake: Tensor) -> Tensor:
        return softplus(-fake).mean(-1)


@final
class Wasserstein(Objective):
    r"""The critic maximises :math:`E_{real} f - E_{fake} f` under a Lipschitz constraint; the
    generator minimises it."""

    quantity = "w1"
    references = ("Wasserstein GAN (Arjovsky et al., 2017), https://arxiv.org/abs/1701.07875",)

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean(-1) - real.mean(-1)

    def generator_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        return variational.kantorovich_rubinstein(real, fake)

    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        """W1 itself (Kantorovich-Rubinstein duality)."""
        return exact.wasserstein(p, q, 1)
