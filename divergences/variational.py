r"""Lower bounds on a divergence, read from the scores a critic gives to samples.

Each function takes the scores of points from P and of points from Q, of shape ``(..., n)`` and
``(..., m)``, and returns an :class:`~divergences.interface.Estimate` of shape ``(...)``. The
bounds hold for any critic that has *not* seen these points; on its training points a critic that
overfits reads anything up to the maximum.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from divergences.interface import Estimate


def _sum_of_means(*terms: Tensor) -> tuple[Tensor, Tensor]:
    """Value and standard error of a sum of independent sample means over the last dimension."""
    value = torch.stack([t.mean(-1) for t in terms]).sum(0)
    variance = torch.stack([t.var(-1) / t.shape[-1] for t in terms]).sum(0)
    return value, variance.sqrt()


def jensen_shannon(p_logits: Tensor, q_logits: Tensor) -> Estimate:
    r"""Lower bound on the Jensen-Shannon divergence from a discriminator's logits, in nats.

    .. math:: \mathrm{JS}(P, Q) \ge \log 2
        + \tfrac12 E_P[\log \sigma(f)] + \tfrac12 E_Q[\log \sigma(-f)]

    with equality iff :math:`f = \log p/q`. At most :math:`\log 2`; negative where the
    discriminator does worse than a coin. Computed in float64 through log-sigmoid, because the gap
    to log 2 is the quantity of interest and float32 loses it below 6e-8.

    References:
        | Generative Adversarial Nets (Goodfellow et al., 2014), Theorem 1
        | https://arxiv.org/abs/1406.2661

    Arguments:
        p_logits: Logits on points of P, shape ``(..., n)``.
        q_logits: Logits on points of Q, shape ``(..., m)``.

    Example:
        >>> jensen_shannon(torch.full((4,), 9.0), torch.full((4,), -9.0)).value
        tensor(0.6930, dtype=torch.float64)
    """
    on_p, on_q = logsigmoid(p_logits.double()), logsigmoid(-q_logits.double())
    value, stderr = _sum_of_means(on_p / 2, on_q / 2)
    return Estimate(
        math.log(2) + value, stderr, bound="lower", n=(p_logits.shape[-1], q_logits.shape[-1])
    )


def kantorovich_rubinstein(p_scores: Tensor, q_scores: Tensor) -> Estimate:
    r"""Lower bound on W1 from the scores of a 1-Lipschitz critic, in the data's own length.

    .. math:: W_1(P, Q) \ge E_P[f] - E_Q[f] \quad\text{for every } \|f\|_{Lip} \le 1

    with equality at the Kantorovich potential. A critic with Lipschitz constant K bounds
    :math:`K\,W_1` instead: a lower bound on W1 only after division by K.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Equation 2
        | https://arxiv.org/abs/1701.07875

    Arguments:
        p_scores: Scores of points of P, shape ``(..., n)``.
        q_scores: Scores of points of Q, shape ``(..., m)``.

    Example:
        >>> x = torch.linspace(0, 1, 5)
        >>> kantorovich_rubinstein(x + 3, x).value
        tensor(3., dtype=torch.float64)
    """
    value, stderr = _sum_of_means(p_scores.double(), -q_scores.double())
    return Estimate(value, stderr, bound="lower", n=(p_scores.shape[-1], q_scores.shape[-1]))
