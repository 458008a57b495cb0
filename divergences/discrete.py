r"""Information measures of probability vectors.

The last dimension of every array is the distribution, the leading dimensions broadcast. Arguments
are tensors, NumPy arrays or lists; of two, the finer precision counts. Results are in nats, or in
units of ``log(base)``: ``base=2`` gives bits.

Zeros and infinities are exact: :math:`0 \log 0 = 0`, and :math:`p \log(p / 0) = \infty` for
:math:`p > 0`. Gradients stay finite there: a term that is zero or infinite because a probability
is zero counts as a constant, although its true one-sided derivative may be infinite.

Vectors are checked, never repaired: a row must be non-negative and sum to one within the rounding
that a softmax of its length leaves: ``eps ** 0.75`` of its dtype (2e-12 in float64, 6e-6 in
float32), and ``sqrt(n)`` rounding errors for adding up ``n`` exponentials (6e-5 for 256,000
float32 outcomes). The check also runs inside ``torch.func`` transforms.
"""

import math
from typing import Any

import torch
from torch import Tensor

from divergences.checked_probabilities import (
    checked,
    checked_pair,
    only_distributions,
    only_probabilities,
)

__all__ = [
    "cross_entropy",
    "entropy",
    "js_distance",
    "js_divergence",
    "kl_divergence",
    "self_information",
    "total_variation",
]


def self_information(p: Any, base: float = math.e) -> Tensor:
    r"""How surprising an event of probability ``p`` is.

    .. math:: I(p) = -\log p

    Zero for a certain event, larger for a rarer one, infinite for an impossible one; that of
    independent events adds.

    Args:
        p: Probabilities of events, any shape; they need not sum to one.
        base: Base of the logarithm; 2 gives bits.

    Returns:
        The information of each event, shaped like ``p``.

    Raises:
        TypeError: If ``p`` holds no real numbers.
        ValueError: If a value lies outside [0, 1] or is NaN, or ``base`` is not a base.

    References:
        | A Mathematical Theory of Communication (Shannon, 1948), section 6
        | https://doi.org/10.1002/j.1538-7305.1948.tb01338.x

    Example:
        >>> self_information(torch.tensor([1.0, 0.5, 0.25, 0.0]), base=2)
        tensor([0., 1., 2., inf])
    """
    unit, p = _unit(base), checked(p, "p", only_probabilities)
    possible = p > 0
    # 0 - x and not -x, here and below: a certain event carries 0, not -0
    return torch.where(possible, 0 - torch.where(possible, p, 1).log(), math.inf) / unit


def entropy(p: Any, base: float = math.e) -> Tensor:
    r"""The mean information of a draw from ``p``.

    .. math:: H(p) = -\sum_i p_i \log p_i \in [0, \log n]

    Args:
        p: Probability vectors, shape ``(..., n)``.
        base: Base of the logarithm; 2 gives bits.

    Returns:
        Entropies, shape ``(...)``.

    Raises:
        TypeError: If ``p`` holds no real numbers.
        ValueError: If a row is not a probability vector, or ``base`` is not a base.

    References:
        | A Mathematical Theory of Communication (Shannon, 1948), section 6
        | https://doi.org/10.1002/j.1538-7305.1948.tb01338.x

    Example:
        >>> entropy(torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]), base=2)
        tensor([1.5000, 0.0000])
    """
    unit, p = _unit(base), checked(p, "p", only_distributions)
    possible = p > 0
    terms = torch.where(possible, p * torch.where(possible, p, 1).log(), 0)
    return (0 - terms.sum(-1)) / unit


def cross_entropy(p: Any, q: Any, base: float = math.e) -> Tensor:
    r"""The mean information of a draw from ``p``, measured with the probabilities ``q``.

    .. math:: H(p, q) = -\sum_i p_i \log q_i = H(p) + \mathrm{KL}(p \| q)

    Infinite where ``p`` has mass and ``q`` none. At a one-hot ``p``, the information ``q`` assigns
    to the label.

    Args:
        p, q: Probability vectors, shape ``(..., n)``.
        base: Base of the logarithm; 2 gives bits.

    Returns:
        Cross-entropies, of the broadcast leading shape.

    Raises:
        TypeError: If either holds no real numbers.
        ValueError: If a row is not a probability vector, shapes do not match, or base is no base.

    References:
        | Elements of Information Theory (Cover & Thomas, 2006), theorem 5.4.3
        | https://doi.org/10.1002/047174882X

    Example:
        >>> labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> cross_entropy(labels, torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.1, 0.8]]), base=2).sum()
        tensor(0.4739)
    """
    unit = _unit(base)
    p, q = checked_pair(p, q)
    possible = q > 0
    terms = torch.where(possible, p * torch.where(possible, q, 1).log(), 0)
    terms = torch.where((p > 0) & ~possible, -math.inf, terms)
    return (0 - terms.sum(-1)) / unit


def kl_divergence(p: Any, q: Any, base: float = math.e) -> Tensor:
    r"""The information lost when ``q`` stands in for ``p``.

    .. math:: \mathrm{KL}(p \| q) = \sum_i p_i \log \frac{p_i}{q_i} \ge 0

    Zero iff ``p == q``, infinite where ``p`` has mass and ``q`` none, not symmetric. Where the two
    differ by a small relative amount ``t``, the result keeps a relative accuracy of ``eps / t``.

    Args:
        p, q: Probability vectors, shape ``(..., n)``.
        base: Base of the logarithm; 2 gives bits.

    Returns:
        KL divergences, of the broadcast leading shape.

    Raises:
        TypeError: If either holds no real numbers.
        ValueError: If a row is not a probability vector, shapes do not match, or base is no base.

    References:
        | On Information and Sufficiency (Kullback & Leibler, 1951), equation 2.4
        | https://doi.org/10.1214/aoms/1177729694

    Example:
        >>> p, q = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.7, 0.2, 0.1])
        >>> kl_divergence(p, q), kl_divergence(p, q, base=2), kl_divergence(q, p)
        (tensor(0.3567), tensor(0.5146), tensor(inf))
    """
    unit = _unit(base)
    p, q = checked_pair(p, q)
    both = (p > 0) & (q > 0)
    a, b = torch.where(both, p, 1), torch.where(both, q, 1)
    near = (a <= 2 * b) & (b <= 2 * a)  # where a - b is exact in floating point
    near_log = torch.log1p(torch.where(near, a - b, 0) / torch.where(near, b, 1))
    # not log(a / b): the quotient overflows where q is subnormal
    far_log = torch.where(near, 1, a).log() - torch.where(near, 1, b).log()
    terms = torch.where(both, a * torch.where(near, near_log, far_log), 0)
    terms = torch.where((p > 0) & (q == 0), math.inf, terms)
    # sum(q - p) is zero; added term by term it makes every term non-negative, so that nothing
    # cancels between them. Detached, it leaves the derivatives those of the formula above.
    return (terms + (q - p).detach()).sum(-1) / unit


def js_divergence(p: Any, q: Any, base: float = math.e) -> Tensor:
    r"""The mean divergence of ``p`` and ``q`` from their midpoint.

    .. math::
        \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \| m) + \tfrac12 \mathrm{KL}(q \| m)
        \in [0, \log 2], \qquad m = \tfrac12 (p + q)

    Symmetric, zero iff ``p == q``, :math:`\log 2` (one bit) iff their supports are disjoint.
    Accurate to rounding also where ``p`` is close to ``q``. The divergence, not its root: see
    :func:`js_distance`.

    Args:
        p, q: Probability vectors, shape ``(..., n)``.
        base: Base of the logarithm; 2 gives bits.

    Returns:
        JS divergences, of the broadcast leading shape.

    Raises:
        TypeError: If either holds no real numbers.
        ValueError: If a row is not a probability vector, shapes do not match, or base is no base.

    References:
        | Divergence Measures Based on the Shannon Entropy (Lin, 1991), equation 4.1
        | https://doi.org/10.1109/18.61115

    Example:
        >>> p = torch.tensor([0.5, 0.5, 0.0])
        >>> js_divergence(p, torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), base=2)
        tensor([0., 1.])
    """
    unit = _unit(base)
    return js_nats(*checked_pair(p, q)) / unit


def js_distance(p: Any, q: Any, base: float = math.e) -> Tensor:
    r"""The root of the JS divergence, which is a metric.

    .. math:: d(p, q) = \sqrt{\mathrm{JS}(p, q)}

    Like a norm it has a kink at ``p == q``; its gradient there is returned as zero.

    Args:
        p, q: Probability vectors, shape ``(..., n)``.
        base: Base of the logarithm inside the root, greater than 1; 2 gives distances in [0, 1].

    Returns:
        JS distances, of the broadcast leading shape.

    Raises:
        TypeError: If either holds no real numbers.
        ValueError: If a row is not a probability vector, the shapes do not match, or ``base`` is
            not greater than 1.

    References:
        | A New Metric for Probability Distributions (Endres & Schindelin, 2003), theorem 1
        | https://doi.org/10.1109/TIT.2003.813506

    Example:
        >>> js_distance(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), base=2)
        tensor(1.)
    """
    unit = _unit(base)
    if unit < 0:
        raise ValueError(
            f"base is {base}: information is negative there and has no root; use 1/base"
        )
    js = js_nats(*checked_pair(p, q)) / unit
    apart = js > 0
    return torch.where(apart, torch.where(apart, js, 1).sqrt(), 0)


def total_variation(p: Any, q: Any) -> Tensor:
    r"""The largest difference between the probabilities that ``p`` and ``q`` give to one event.

    .. math:: \mathrm{TV}(p, q) = \max_A |p(A) - q(A)| = \tfrac12 \sum_i |p_i - q_i| \in [0, 1]

    Args:
        p, q: Probability vectors, shape ``(..., n)``.

    Returns:
        Total variations, of the broadcast leading shape. No logarithm, hence no base.

    Raises:
        TypeError: If either holds no real numbers.
        ValueError: If a row is not a probability vector, or the shapes do not match.

    References:
        | Markov Chains and Mixing Times (Levin & Peres, 2017), proposition 4.2
        | https://doi.org/10.1090/mbk/107

    Example:
        >>> total_variation(torch.tensor([0.5, 0.5]), torch.tensor([0.75, 0.25]))
        tensor(0.2500)
    """
    p, q = checked_pair(p, q)
    return (p - q).abs().sum(-1) / 2


def js_nats(p: Tensor, q: Tensor, gap: Tensor | None = None) -> Tensor:
    """JS of checked vectors; ``gap`` is q - p where it is known better."""
    return js_terms(p, q, q - p if gap is None else gap).sum(-1)


def js_terms(p: Tensor, q: Tensor, gap: Tensor) -> Tensor:
    """Of which JS is the sum, from the larger and the smaller of each pair of probabilities.

    With v = (high - low) / (high + low), a pair contributes half of
    high log(1 + v) + low log(1 - v) = (high - low) log(1 + v) + low log(1 - v^2),
    whose parts are of second order in v each, so that nothing cancels when v is small.
    """
    swap = (
        gap > 0
    )  # not minimum and maximum: they split the gradient at ties, which v must not see
    low, high = torch.where(swap, p, q), torch.where(swap, q, p)
    total = high + low
    gap = torch.where(swap, gap, -gap)
    v = gap / torch.where(total > 0, total, 1)
    near = high < 3 * low  # v < 1/2; beyond it 1 - v^2 is taken from low, which v forgets
    far = ~near & (low > 0)
    ratio = torch.where(far, low, 1) / torch.where(far, total / 2, 1)
    near_log = torch.log1p(-(torch.where(near, v, 0) ** 2))
    far_log = ratio.log() + torch.log1p(v)
    return (gap * torch.log1p(v) + low * torch.where(near, near_log, far_log)) / 2


def _unit(base: float) -> float:
    """The natural logarithm of ``base``, by which nats are divided."""
    if not 0 < base < math.inf or base == 1:
        raise ValueError(
            f"base is {base}; use a positive number other than 1: e for nats, 2 for bits"
        )
    return math.log(base)
