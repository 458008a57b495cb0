r"""Divergences between two densities: by quadrature up to three dimensions, by Monte Carlo in any.

For pairs without a closed form, such as mixtures, which ``torch.distributions.kl_divergence``
refuses. A density is a ``torch.distributions.Distribution``, of ``batch_shape`` ``()`` or, for K
members at once, ``(K,)``; or any object whose ``log_prob`` maps points ``(N, d)`` to ``(N,)``.

The reverse KL of ``p`` and ``q`` is ``kl_divergence(q, p)``.

Example:
    >>> from torch.distributions import Categorical, MixtureSameFamily, Normal
    >>> p = MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.tensor([-2.0, 2.0]), 1.0))
    >>> q = Normal(torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 5**0.5]))  # two members
    >>> kl_divergence(p, q).value
    tensor([3.3673, 0.1720], dtype=torch.float64)
"""

import math

import torch
from torch import Tensor

from divergences.estimate import Estimate
from divergences.numerical.densities import Density
from divergences.numerical.integration import Average, Integrator
from divergences.numerical.quadrature import Quadrature

DEFAULT = Quadrature()


def entropy(p: Density, integrator: Integrator = DEFAULT) -> Estimate:
    r"""Differential entropy :math:`H(P) = -E_p \log p`, in nats. May be negative.

    Example:
        >>> from torch.distributions import Uniform
        >>> entropy(Uniform(0.0, 0.5), Quadrature(box=[(0.0, 0.5)])).value
        tensor(-0.6931, dtype=torch.float64)
    """
    return _average(Average("entropy", lambda log_p, _: -log_p), p, p, integrator)


def cross_entropy(p: Density, q: Density, integrator: Integrator = DEFAULT) -> Estimate:
    r"""Cross-entropy :math:`-E_p \log q`, in nats; ``inf`` where q is 0 and p is not.

    Example:
        >>> from torch.distributions import Normal
        >>> p, q = Normal(0.0, 1.0), Normal(1.0, 2.0)
        >>> cross_entropy(p, q).value - entropy(p).value - kl_divergence(p, q).value
        tensor(..., dtype=torch.float64)
    """
    return _average(Average("cross_entropy", lambda _, log_q: -log_q), p, q, integrator)


def kl_divergence(p: Density, q: Density, integrator: Integrator = DEFAULT) -> Estimate:
    r"""KL divergence :math:`E_p \log p/q`, in nats; ``inf``, exactly, where q is 0 and p is not.

    Example:
        >>> from torch.distributions import Uniform
        >>> wide, narrow, box = Uniform(0.0, 4.0), Uniform(0.0, 1.0), [(0.0, 4.0)]
        >>> kl_divergence(narrow, wide, Quadrature(box)).value
        tensor(1.3863, dtype=torch.float64)
        >>> kl_divergence(wide, narrow, Quadrature(box)).value
        tensor(inf, dtype=torch.float64)
    """
    return _average(Average("kl", lambda log_p, log_q: log_p - log_q), p, q, integrator)


def js_divergence(p: Density, q: Density, integrator: Integrator = DEFAULT) -> Estimate:
    r"""Jensen-Shannon divergence, in nats, from 0 to log 2.

    .. math:: \tfrac12 \mathrm{KL}(P \| \tfrac{P + Q}2) + \tfrac12 \mathrm{KL}(Q \| \tfrac{P + Q}2)

    Example:
        >>> from torch.distributions import Uniform
        >>> p, q, box = Uniform(0.0, 1.0), Uniform(2.0, 3.0), [(0.0, 4.0)]
        >>> js_divergence(p, q, Quadrature(box)).value
        tensor(0.6931, dtype=torch.float64)
    """

    def log_share_of_mean(log_p: Tensor, log_q: Tensor) -> Tensor:
        return math.log(2) - torch.logaddexp(log_q - log_p, torch.zeros_like(log_q))

    return _average(
        Average("js", log_share_of_mean, both=True, largest=math.log(2)), p, q, integrator
    )


def total_variation(p: Density, q: Density, integrator: Integrator = DEFAULT) -> Estimate:
    r"""Total variation :math:`\tfrac12 \int |p - q| = E_p \max(0, 1 - q/p)`, from 0 to 1.

    Example:
        >>> from torch.distributions import Uniform
        >>> p, q, box = Uniform(0.0, 2.0), Uniform(1.0, 3.0), [(0.0, 4.0)]
        >>> total_variation(p, q, Quadrature(box)).value
        tensor(0.5000, dtype=torch.float64)
    """

    def lacking(log_p: Tensor, log_q: Tensor) -> Tensor:
        return (-torch.expm1(log_q - log_p)).relu()

    return _average(Average("tv", lacking, both=True, largest=1.0, smooth=False), p, q, integrator)


def _average(of: Average, p: Density, q: Density, integrator: Integrator) -> Estimate:
    if not isinstance(integrator, Integrator):
        raise TypeError(
            f"integrator is a {type(integrator).__name__}; pass a Quadrature or a MonteCarlo"
        )
    return integrator.average(of, p, q)
