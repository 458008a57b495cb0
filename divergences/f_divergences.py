r"""f-divergences and their variational bounds: one short class per convex function.

For a convex f on the positive numbers with f(1) = 0,

.. math:: D_f(P \| Q) = E_Q\!\left[f\!\left(\frac{p}{q}\right)\right]
    \ge E_P[T] - E_Q[f^*(T)], \qquad f^*(t) = \sup_{u \ge 0}\,(ut - f(u)),

with equality at :math:`T = f'(p/q)`. The score v that a network gives to a point becomes
:math:`T = g_f(v)`, which maps the real line onto values that f can have as slopes.

References:
    | f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization
      (Nowozin et al., 2016), Equation 4 and Tables 1, 2 and 6, https://arxiv.org/abs/1606.00709
    | Estimating divergence functionals and the likelihood ratio by convex risk minimization
      (Nguyen, Wainwright & Jordan, 2010), Lemma 1, https://arxiv.org/abs/0809.0853
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from divergences.bounds import (
    check_scores,
    lower_bound,
    out_of_reach,
    rests_on_few,
    sum_of_means,
)
from divergences.estimate import QUANTITIES, Estimate


class ConvexGenerator(ABC):
    r"""The convex function f that generates an f-divergence, and what its bound is made of.

    All methods work elementwise on tensors of any shape.

    Attributes:
        quantity: The divergence it generates.
        needs_q: Whether the divergence is infinite if P has mass where Q has none.
        needs_p: Whether it is infinite if Q has mass where P has none.
        supremum: Its value between laws without common support, the largest there is.
    """

    quantity: ClassVar[str]
    supremum: ClassVar[float] = math.inf
    needs_q: ClassVar[bool] = False
    needs_p: ClassVar[bool] = False

    @abstractmethod
    def f(self, u: Tensor) -> Tensor:
        """f at density ratios ``u = p/q``, at least 0."""

    @abstractmethod
    def slope(self, u: Tensor) -> Tensor:
        """The derivative of f, which is the optimal T at density ratio ``u``."""

    @abstractmethod
    def conjugate(self, t: Tensor) -> Tensor:
        r""":math:`f^*(t) = \sup_{u \ge 0}(ut - f(u))`, ``inf`` where there is no supremum."""

    @abstractmethod
    def activation(self, v: Tensor) -> Tensor:
        """The increasing :math:`g_f` from scores to slopes of f."""

    @abstractmethod
    def conjugate_at(self, v: Tensor) -> Tensor:
        r""":math:`f^*(g_f(v))`, without the overflow of taking one after the other."""

    @abstractmethod
    def score(self, log_ratio: Tensor) -> Tensor:
        r"""The optimal score, :math:`g_f^{-1}(f'(p/q))`, at :math:`\log p/q`."""

    def log_weights(self, p_scores: Tensor, q_scores: Tensor) -> tuple[Tensor, ...]:
        """Logarithms of the unbounded terms whose mean a few points may carry."""
        return ()

    def estimate(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        r"""Lower bound :math:`E_P[g_f(v)] - E_Q[f^*(g_f(v))]` on the divergence.

        Arguments:
            p_scores: Scores of points of P, shape ``(..., n)``.
            q_scores: Scores of points of Q, shape ``(..., m)``.

        Example:
            >>> scores = torch.tensor([5.0, 6.0])
            >>> TotalVariation().estimate(scores, -scores).value
            tensor(0.9999, dtype=torch.float64)
        """
        on_p, on_q = check_scores(p_scores, q_scores)
        value, stderr = sum_of_means(self.activation(on_p), -self.conjugate_at(on_q))
        stderr, warnings = rests_on_few(value, stderr, *self.log_weights(on_p, on_q))
        symbol = QUANTITIES[self.quantity].symbol if self.quantity in QUANTITIES else self.quantity
        if self.needs_q:
            warnings += out_of_reach(on_p, on_q, symbol)
        if self.needs_p:
            warnings += out_of_reach(-on_q, -on_p, symbol)
        n = (on_p.shape[-1], on_q.shape[-1])
        return lower_bound(value, stderr, self.supremum, n, warnings, self.quantity)


@final
class KullbackLeibler(ConvexGenerator):
    r"""KL(P||Q), in nats: :math:`f = u\log u`, :math:`f^* = e^{t-1}`, :math:`g_f = v`.

    Example:
        >>> KullbackLeibler().score(torch.tensor(0.0))
        tensor(1.)
    """

    quantity = "kl"
    needs_q = True

    def f(self, u: Tensor) -> Tensor:
        return torch.xlogy(u, u)

    def slope(self, u: Tensor) -> Tensor:
        return 1 + u.log()

    def conjugate(self, t: Tensor) -> Tensor:
        return (t - 1).exp()

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate_at(self, v: Tensor) -> Tensor:
        return (v - 1).exp()

    def score(self, log_ratio: Tensor) -> Tensor:
        return 1 + log_ratio

    def log_weights(self, p_scores: Tensor, q_scores: Tensor) -> tuple[Tensor, ...]:
        return (q_scores,)


@final
class ReverseKullbackLeibler(ConvexGenerator):
    r"""KL(Q||P), in nats: :math:`f = -\log u`, :math:`f^* = -1 - \log(-t)`,
    :math:`g_f = -e^{-v}`.

    Example:
        >>> ReverseKullbackLeibler().conjugate(torch.tensor([-1.0, 0.0]))
        tensor([-1., inf])
    """

    quantity = "kl_reverse"
    needs_p = True

    def f(self, u: Tensor) -> Tensor:
        return -u.log()

    def slope(self, u: Tensor) -> Tensor:
        return -1 / u

    def conjugate(self, t: Tensor) -> Tensor:
        return torch.where(t < 0, -1 - (-t).clamp(min=0).log(), math.inf)

    def activation(self, v: Tensor) -> Tensor:
        return -(-v).exp()

    def conjugate_at(self, v: Tensor) -> Tensor:
        return v - 1

    def score(self, log_ratio: Tensor) -> Tensor:
        return log_ratio

    def log_weights(self, p_scores: Tensor, q_scores: Tensor) -> tuple[Tensor, ...]:
        return (-p_scores,)


@final
class Pearson(ConvexGenerator):
    r"""Pearson :math:`\chi^2 = \int (p - q)^2 / q`: :math:`f = (u - 1)^2`, :math:`g_f = v`,
    :math:`f^* = t^2/4 + t` from :math:`t = -2` on, and -1 below.

    The parabola alone is the conjugate of f continued to negative ratios. It rises again below
    -2, where no positive ratio has its slope, and its bound is looser there.

    Example:
        >>> Pearson().conjugate(torch.tensor([-9.0, -2.0, 0.0, 2.0]))
        tensor([-1., -1.,  0.,  3.])
    """

    quantity = "pearson"
    needs_q = True

    def f(self, u: Tensor) -> Tensor:
        return (u - 1).square()

    def slope(self, u: Tensor) -> Tensor:
        return 2 * (u - 1)

    def conjugate(self, t: Tensor) -> Tensor:
        return (t / 2 + 1).clamp(min=0).square() - 1

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate_at(self, v: Tensor) -> Tensor:
        return self.conjugate(v)

    def score(self, log_ratio: Tensor) -> Tensor:
        return 2 * log_ratio.expm1()

    def log_weights(self, p_scores: Tensor, q_scores: Tensor) -> tuple[Tensor, ...]:
        # where every point of Q sits at f* = -1 no weight is left; they then count equally
        tiny = torch.finfo(q_scores.dtype).tiny
        return (2 * (q_scores / 2 + 1).clamp(min=tiny).log(),)


@final
class SquaredHellinger(ConvexGenerator):
    r"""Squared Hellinger distance :math:`\int (\sqrt p - \sqrt q)^2`, between 0 and 2:
    :math:`f = (\sqrt u - 1)^2`, :math:`f^* = t/(1 - t)`, :math:`g_f = 1 - e^{-v}`.

    Example:
        >>> SquaredHellinger().conjugate(torch.tensor([0.5, 1.0]))
        tensor([1., inf])
    """

    quantity = "hellinger2"
    supremum = 2.0

    def f(self, u: Tensor) -> Tensor:
        return (u.sqrt() - 1).square()

    def slope(self, u: Tensor) -> Tensor:
        return 1 - u.rsqrt()

    def conjugate(self, t: Tensor) -> Tensor:
        return torch.where(t < 1, t / (1 - t), math.inf)

    def activation(self, v: Tensor) -> Tensor:
        return -(-v).expm1()

    def conjugate_at(self, v: Tensor) -> Tensor:
        return v.expm1()

    def score(self, log_ratio: Tensor) -> Tensor:
        return log_ratio / 2

    def log_weights(self, p_scores: Tensor, q_scores: Tensor) -> tuple[Tensor, ...]:
        return -p_scores, q_scores


@final
class JensenShannon(ConvexGenerator):
    r"""Jensen-Shannon divergence, at most log 2, in nats:
    :math:`f = \tfrac12\left[u\log u - (u + 1)\log\tfrac{u + 1}{2}\right]`,
    :math:`f^* = -\tfrac12\log(2 - e^{2t})`, :math:`g_f = \tfrac12(\log 2 + \log\sigma(v))`.

    Half of what f-GAN's tables call Jensen-Shannon, so that P and Q weigh 1/2 each. Its bound is
    :func:`~divergences.bounds.jensen_shannon`, with the score as the logit.

    Example:
        >>> JensenShannon().f(torch.tensor(0.0))  # Q's half where P has no mass
        tensor(0.3466)
    """

    quantity = "js"
    supremum = math.log(2)

    def f(self, u: Tensor) -> Tensor:
        return (torch.xlogy(u, u) - (u + 1) * ((u + 1) / 2).log()) / 2

    def slope(self, u: Tensor) -> Tensor:
        return (2 * u / (u + 1)).log() / 2

    def conjugate(self, t: Tensor) -> Tensor:
        room = 2 - (2 * t).exp()
        return torch.where(room > 0, -room.clamp(min=0).log() / 2, math.inf)

    def activation(self, v: Tensor) -> Tensor:
        return (math.log(2) - softplus(-v)) / 2

    def conjugate_at(self, v: Tensor) -> Tensor:
        return (softplus(v) - math.log(2)) / 2

    def score(self, log_ratio: Tensor) -> Tensor:
        return log_ratio


@final
class TotalVariation(ConvexGenerator):
    r"""Total variation distance :math:`\tfrac12\int |p - q|`, at most 1:
    :math:`f = \tfrac12|u - 1|`, :math:`f^* = \max(t, -\tfrac12)` up to :math:`t = \tfrac12`,
    :math:`g_f = \tfrac12\tanh v`.

    Example:
        >>> TotalVariation().conjugate(torch.tensor([-3.0, 0.25, 0.75]))
        tensor([-0.5000,  0.2500,     inf])
    """

    quantity = "tv"
    supremum = 1.0

    def f(self, u: Tensor) -> Tensor:
        return (u - 1).abs() / 2

    def slope(self, u: Tensor) -> Tensor:
        return (u - 1).sign() / 2

    def conjugate(self, t: Tensor) -> Tensor:
        return torch.where(t <= 0.5, t.clamp(min=-0.5), math.inf)

    def activation(self, v: Tensor) -> Tensor:
        return v.tanh() / 2

    def conjugate_at(self, v: Tensor) -> Tensor:
        return v.tanh() / 2

    def score(self, log_ratio: Tensor) -> Tensor:
        return torch.where(log_ratio == 0, 0.0, log_ratio.sign() * math.inf)
