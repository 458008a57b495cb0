"""What critic and generator minimise: one short class per objective, beside its equation."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import logsigmoid, relu, softplus

from divergences import bounds, exact
from divergences.checks import positive_number, shown
from divergences.estimate import Estimate
from divergences.estimator import Referenced
from divergences.f_divergences import ConvexGenerator, Pearson
from divergences.networks.constraint import Constraint


class Objective(Referenced, ABC):
    """A two-player objective. Scores have shape ``(K, n)``, losses ``(K,)``.

    Attributes:
        quantity: The divergence that the critic's optimum measures.
        pairs: Whether the generator's loss needs the scores of real points, too.
        needs_slope: Whether the critic's loss has no minimum unless its slope is bounded.
    """

    quantity: str
    pairs: ClassVar[bool] = False
    needs_slope: ClassVar[bool] = False

    @abstractmethod
    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises."""

    @abstractmethod
    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """What the generator minimises; ``real`` is given where ``pairs`` says so."""

    @abstractmethod
    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        """The divergence that scores of held-out points show."""

    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        """The value of the game, minus the least critic loss, between two exact laws.

        Raises:
            NotImplementedError: If no closed form is known for the objective or the pair.
        """
        raise NotImplementedError(f"no closed form of {self.quantity} between exact laws")

    def check(self, constraint: Constraint) -> None:
        """Refuse a constraint under which the game makes no sense.

        Raises:
            ValueError: With the reason.
        """
        if self.needs_slope and not constraint.bounds_slope:
            raise ValueError(
                f"{type(self).__name__} with {type(constraint).__name__}: the critic's loss has "
                "no minimum unless its slope is bounded; use WeightClipping, a gradient penalty, "
                "SpectralNorm or Orthogonal"
            )


class _Logistic(Objective):
    r"""The critic is a discriminator: :math:`D = \sigma(f)`, trained on
    :math:`-E_{real}\log D - E_{fake}\log(1 - D)`.

    References:
        | Generative Adversarial Nets (Goodfellow et al., 2014), https://arxiv.org/abs/1406.2661
    """

    quantity = "js"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean(-1) + softplus(fake).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        return bounds.jensen_shannon(real, fake)

    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        r""":math:`2\,\mathrm{JS}(P, Q) - 2 \log 2` (Theorem 1)."""
        return 2 * exact.js_divergence(p, q) - 2 * math.log(2)


@final
class Saturating(_Logistic):
    r"""The original game: the generator minimises :math:`E_{fake}\log(1 - D)`.

    At the optimal discriminator that is :math:`2\,\mathrm{JS} - 2\log 2` plus a term without the
    generator, so its gradient vanishes wherever JS is flat.
    """

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean(-1)


@final
class NonSaturating(_Logistic):
    r"""The :math:`-\log D` alternative: the generator minimises :math:`-E_{fake}\log D`.

    At the optimal discriminator its gradient is that of
    :math:`\mathrm{KL}(P_g \| P_r) - 2\,\mathrm{JS}` (Arjovsky & Bottou 2017, Theorem 2.5).
    """

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean(-1)


@final
class Wasserstein(Objective):
    r"""The critic maximises :math:`E_{real} f - E_{fake} f` under a Lipschitz constraint; the
    generator minimises it.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), https://arxiv.org/abs/1701.07875
    """

    quantity = "w1"
    needs_slope = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean(-1) - real.mean(-1)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        return bounds.kantorovich_rubinstein(real, fake)

    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        """W1 itself (Kantorovich-Rubinstein duality)."""
        return exact.wasserstein(p, q, 1)


@final
class LeastSquares(Objective):
    r"""Scores are regressed on 1 for real and 0 for generated points:
    :math:`\tfrac12 E_{real}(f - 1)^2 + \tfrac12 E_{fake} f^2`, against
    :math:`\tfrac12 E_{fake}(f - 1)^2`.

    The optimal score is :math:`p/(p + q)` and the least loss :math:`\tfrac14 - \Delta/8`, with
    :math:`\Delta = \int (p - q)^2/(p + q)` the triangular discrimination, at most 2.

    References:
        | Least Squares Generative Adversarial Networks (Mao et al., 2017), Equation 9
        | https://arxiv.org/abs/1611.04076
    """

    quantity = "triangular"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square().mean(-1) + fake.square().mean(-1)) / 2

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return (fake - 1).square().mean(-1) / 2

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        squares = -4 * (real.double() - 1).square(), -4 * fake.double().square()
        value, stderr = bounds.sum_of_means(*squares)
        n = (real.shape[-1], fake.shape[-1])
        return bounds.lower_bound(2 + value, stderr, 2.0, n, quantity=self.quantity)


@final
class Hinge(Objective):
    r"""Scores beyond the margin earn nothing more: :math:`E_{real}\max(0, 1 - f) +
    E_{fake}\max(0, 1 + f)`, against :math:`-E_{fake} f`.

    The least loss is :math:`2 - 2\,\mathrm{TV}`, at :math:`f = \mathrm{sign}(p - q)`.

    References:
        | Geometric GAN (Lim & Ye, 2017), Equation 19, https://arxiv.org/abs/1705.02894
    """

    quantity = "tv"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean(-1) + relu(1 + fake).mean(-1)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        margins = -relu(1 - real.double()) / 2, -relu(1 + fake.double()) / 2
        value, stderr = bounds.sum_of_means(*margins)
        n = (real.shape[-1], fake.shape[-1])
        return bounds.lower_bound(1 + value, stderr, 1.0, n, quantity=self.quantity)

    def value_at_optimum(self, p: Distribution, q: Distribution) -> Tensor:
        return 2 * exact.total_variation(p, q) - 2


@final
class FGAN(Objective):
    r"""Any f-divergence by its variational bound: the critic maximises
    :math:`E_{real}\,g_f(v) - E_{fake}\,f^*(g_f(v))`, the generator minimises it.

    References:
        | f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization
          (Nowozin et al., 2016), Equation 6
        | https://arxiv.org/abs/1606.00709

    Arguments:
        f: Which divergence, one of those in :mod:`divergences.f_divergences`.
    """

    quantity = "pearson"

    def __init__(self, f: ConvexGenerator | None = None):
        if not isinstance(f, ConvexGenerator | None):
            raise TypeError(f"FGAN: f = {shown(f)}: it must be one of divergences.fdivergence")
        self.f = f or Pearson()
        self.quantity = self.f.quantity

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.f.conjugate_at(fake).mean(-1) - self.f.activation(real).mean(-1)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -self.f.conjugate_at(fake).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        return self.f.estimate(real, fake)


@final
class Alpha(Objective):
    r"""Both players under alpha-losses, which make of log-loss (alpha = 1) a family:

    .. math:: \ell_\alpha(p) = \frac{\alpha}{\alpha - 1}\left(1 - p^{(\alpha - 1)/\alpha}\right)

    of the probability p given to the true label. The discriminator minimises
    :math:`E_{real}\,\ell(D) + E_{fake}\,\ell(1 - D)`; the generator, with an alpha of its own,
    minimises :math:`-E_{fake}\,\ell(1 - D)`. (1, 1) is the saturating GAN.

    References:
        | (alpha_D, alpha_G)-GANs: Addressing GAN Training Instabilities via Dual Objectives
          (Welfert et al., 2023), Section III
        | https://arxiv.org/abs/2302.14320

    Arguments:
        alpha: Of the discriminator, above 0.
        alpha_generator: Of the generator; the same by default.
    """

    quantity = "js"

    def __init__(self, alpha: float = 1.0, alpha_generator: float | None = None):
        own = alpha if alpha_generator is None else alpha_generator
        self.alpha = positive_number("Alpha: alpha", alpha)
        self.alpha_generator = positive_number("Alpha: alpha_generator", own)

    @staticmethod
    def _loss(logit: Tensor, alpha: float) -> Tensor:
        exponent = (alpha - 1) / alpha
        if exponent == 0:
            return -logsigmoid(logit)
        return -(exponent * logsigmoid(logit)).expm1() / exponent

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self._loss(real, self.alpha).mean(-1) + self._loss(-fake, self.alpha).mean(-1)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -self._loss(-fake, self.alpha_generator).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        """JS as the discriminator's probabilities bound it, whatever they were trained on."""
        return bounds.jensen_shannon(real, fake)


@final
class Relativistic(Objective):
    r"""Relativistic pairing (RpGAN): each real point is to score above a generated one,
    :math:`E\,\mathrm{softplus}(f(y) - f(x))`, and the other way round for the generator.

    The optimal difference of scores is :math:`\log\frac{p(x)\,q(y)}{q(x)\,p(y)}`, so the game
    measures JS between the ordered pair :math:`P \otimes Q` and the exchanged :math:`Q \otimes P`.

    References:
        | The relativistic discriminator: a key element missing from standard GAN
          (Jolicoeur-Martineau, 2018), https://arxiv.org/abs/1807.00734
        | The GAN is dead; long live the GAN! A Modern GAN Baseline (Huang et al., 2025),
          Section 2, https://arxiv.org/abs/2501.05441
    """

    quantity = "js_of_pairs"
    pairs = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean(-1)

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        if real is None:
            raise ValueError("Relativistic compares generated points with real ones: pass both")
        return softplus(real - fake).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Estimate:
        n = min(real.shape[-1], fake.shape[-1])
        ahead = (real[..., :n] - fake[..., :n]).double()
        value, stderr = bounds.sum_of_means(logsigmoid(ahead))
        sizes, most = (real.shape[-1], fake.shape[-1]), math.log(2)
        return bounds.lower_bound(most + value, stderr, most, sizes, quantity=self.quantity)
