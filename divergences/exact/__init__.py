r"""Exact divergences between distribution objects, looked up by the pair of their types.

:func:`kl_divergence`, :func:`js_divergence`, :func:`total_variation` and :func:`wasserstein` take
two ``torch.distributions`` objects and return the true value to the accuracy of its dtype, of
their broadcast batch shape, or raise ``NotImplementedError``: nothing here integrates, samples or
approximates. Which pairs have one is the table at the end of this file; ``knows`` asks for a pair
without raising, and ``register`` adds one:

    >>> import torch.distributions as td
    >>> class Point(td.Distribution):
    ...     arg_constraints = {}
    ...
    ...     def __init__(self, at):
    ...         self.at = at
    ...         super().__init__(batch_shape=at.shape)
    >>> a, b = Point(torch.tensor([0.0, 0.0])), Point(torch.tensor(3.0))
    >>> wasserstein.knows(a, b)
    False
    >>> @wasserstein.register(Point, Point)
    ... def _(p, q, order):
    ...     return (p.at - q.at).abs()
    >>> wasserstein(a, b, order=2)
    tensor([3., 3.])
"""

import math
from itertools import product

import torch
import torch.distributions as td
from torch import Tensor

from divergences.exact import (
    counts,
    different_families,
    finite,
    finite_transport,
    multivariate_normals,
    pushforwards,
    same_family,
    uniforms,
    univariate_normals,
    wisharts,
)
from divergences.exact.dispatch import ExactDivergence, exact
from divergences.exact.evaluation import rounded

DENSITIES = (
    "divergences.numerical for two densities, with MonteCarlo() for laws on counts or vectors"
)

__all__ = ["ExactDivergence", "js_divergence", "kl_divergence", "total_variation", "wasserstein"]


@exact(f"{DENSITIES}, divergences.KnownDensity or divergences.NearestNeighbours for samples")
def kl_divergence(p: td.Distribution, q: td.Distribution) -> Tensor:
    r"""The exact KL divergence KL(p||q) in nats.

    .. math:: \mathrm{KL}(p \| q) = \int p(x) \log \frac{p(x)}{q(x)} \, dx \in [0, \infty]

    Computed in float64 from the parameters that were given, and with more digits where that is
    not enough for the accuracy of the result's dtype. Formulas that others registered with torch
    are not used: nothing is known of where they hold. The image of two laws under the same
    injective transform has their divergence.

    Args:
        p, q: Distributions over the same space, batch shapes that broadcast.

    Returns:
        KL divergences, of the broadcast batch shape; infinite where ``p`` has mass and ``q`` none.

    Raises:
        NotImplementedError: If no formula is registered for the pair, or none that reaches it.
        RuntimeError: If several formulas fit and none is the most specific.
        TypeError: If either is not a distribution.
        ValueError: If event shapes differ or batch shapes do not broadcast; if a parameter is
            such that there is no density; if the value is finite and too large for the dtype.

    References:
        | On Information and Sufficiency (Kullback & Leibler, 1951), equation 2.4
        | https://doi.org/10.1214/aoms/1177729694

    Example:
        >>> import torch.distributions as td
        >>> p, q = td.Uniform(0.0, torch.tensor([1.0, 2.0])), td.Uniform(0.0, 1.0)
        >>> kl_divergence(p, q), kl_divergence(q, p)
        (tensor([0., inf]), tensor([0.0000, 0.6931]))
    """
    return kl_divergence.formula(p, q)(p, q)


@exact(f"{DENSITIES}, divergences.RossJS for samples, divergences.HistogramJS where values repeat")
def js_divergence(p: td.Distribution, q: td.Distribution) -> Tensor:
    r"""The exact Jensen-Shannon divergence in nats.

    .. math::
        \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \| m) + \tfrac12 \mathrm{KL}(q \| m)
        \in [0, \log 2], \qquad m = \tfrac12 (p + q)

    Two Gaussians have no closed form. Of laws on counts, such as Poisson and negative binomial
    ones, it is the sum over all counts that have mass.

    Args:
        p, q: Distributions over the same space, batch shapes that broadcast.

    Returns:
        JS divergences, of the broadcast batch shape; :math:`\log 2` iff the supports are disjoint.

    Raises:
        NotImplementedError: If no formula is registered for the pair.
        RuntimeError, TypeError, ValueError: As in :func:`kl_divergence`.

    References:
        | Divergence Measures Based on the Shannon Entropy (Lin, 1991), equation 4.1
        | https://doi.org/10.1109/18.61115

    Example:
        >>> import torch.distributions as td
        >>> shift = torch.tensor([0.0, 0.5, 2.0])
        >>> js_divergence(td.Uniform(0.0, 1.0), td.Uniform(shift, shift + 1))
        tensor([0.0000, 0.3466, 0.6931])
    """
    return js_divergence.formula(p, q)(p, q)


@exact(f"{DENSITIES}, divergences.HistogramTV for samples")
def total_variation(p: td.Distribution, q: td.Distribution) -> Tensor:
    r"""The exact total variation: the largest difference in the probability of one event.

    .. math:: \mathrm{TV}(p, q) = \max_A |p(A) - q(A)| = \tfrac12 \int |p(x) - q(x)| \, dx

    Args:
        p, q: Distributions over the same space, batch shapes that broadcast.

    Returns:
        Total variations in [0, 1], of the broadcast batch shape.

    Raises:
        NotImplementedError: If no formula reaches the pair.
        RuntimeError, TypeError, ValueError: As in :func:`kl_divergence`.

    References:
        | Markov Chains and Mixing Times (Levin & Peres, 2017), proposition 4.2
        | https://doi.org/10.1090/mbk/107

    Example:
        >>> import torch.distributions as td
        >>> total_variation(td.Normal(0.0, 1.0), td.Normal(torch.tensor([0.0, 1.0, 9.0]), 1.0))
        tensor([0.0000, 0.3829, 1.0000])
    """
    return total_variation.formula(p, q)(p, q)


@exact("divergences.EarthMover or divergences.Sliced on samples")
def wasserstein(p: td.Distribution, q: td.Distribution, order: float = 1) -> Tensor:
    r"""The exact Wasserstein distance: the least mean cost of moving ``p`` onto ``q``.

    .. math:: W_r(p, q) = \Bigl( \inf_{X \sim p,\, Y \sim q} E \|X - Y\|^r \Bigr)^{1/r}

    Distances between points are Euclidean; categories lie at the integers 0, 1, 2, ...

    Args:
        p, q: Distributions over the same space, batch shapes that broadcast.
        order: The exponent ``r >= 1``.

    Returns:
        Distances in the data's length, of the broadcast batch shape.

    Raises:
        NotImplementedError: If no formula reaches the pair at this order.
        RuntimeError, TypeError, ValueError: As in :func:`kl_divergence`; also if ``order`` is not
            a finite number of at least 1.

    References:
        | Computational Optimal Transport (Peyré & Cuturi, 2019), proposition 2.2
        | https://arxiv.org/abs/1803.00567

    Example:
        >>> import torch.distributions as td
        >>> wasserstein(td.Normal(0.0, 1.0), td.Normal(torch.tensor([0.0, 3.0]), 5.0), order=2)
        tensor([4., 5.])
    """
    if not 1 <= order < math.inf:
        raise ValueError(f"order is {order}; W is a distance for finite orders of at least 1")
    return wasserstein.formula(p, q)(p, q, order)


for _kind in (td.Categorical, td.Bernoulli):
    kl_divergence.register(_kind, _kind)(finite.kl_masses)
    js_divergence.register(_kind, _kind)(finite.js_masses)
    total_variation.register(_kind, _kind)(finite.tv_masses)
wasserstein.register(td.Categorical, td.Categorical)(finite_transport.wasserstein_categoricals)
wasserstein.register(td.Bernoulli, td.Bernoulli)(finite_transport.wasserstein_bernoullis)
kl_divergence.register(td.OneHotCategorical, td.OneHotCategorical)(finite.kl_one_hot)
kl_divergence.register(td.Geometric, td.Geometric)(finite.kl_geometrics)
COUNTED = (td.Bernoulli, td.Binomial, td.Poisson, td.Geometric, td.NegativeBinomial)
for _P, _Q in product(COUNTED, repeat=2):
    if (td.Bernoulli, td.Bernoulli) != (_P, _Q):
        js_divergence.register(_P, _Q)(counts.js_counts)
        total_variation.register(_P, _Q)(counts.tv_counts)
    if _P is not _Q or _P is td.NegativeBinomial:
        kl_divergence.register(_P, _Q)(counts.kl_counts)
kl_divergence.register(td.Binomial, td.Binomial)(counts.kl_binomials)
kl_divergence.register(td.Bernoulli, td.Poisson)(finite.kl_bernoulli_poisson)
for _kind in (td.Bernoulli, td.Binomial):
    kl_divergence.register(td.Poisson, _kind)(finite.kl_poisson_bounded)

for _P, _Q in product(different_families.LAWS, repeat=2):
    if _P is not _Q:
        kl_divergence.register(_P, _Q)(different_families.kl_on_the_line)
for _P, _Q in product((td.Gamma, td.Exponential), repeat=2):
    kl_divergence.register(_P, _Q)(same_family.kl_gammas)
for _P, _formula in same_family.FORMULAS.items():
    kl_divergence.register(_P, _P)(_formula)
kl_divergence.register(td.Wishart, td.Wishart)(wisharts.kl_wisharts)

js_divergence.register(td.Uniform, td.Uniform)(uniforms.js_uniforms)
total_variation.register(td.Uniform, td.Uniform)(uniforms.tv_uniforms)
wasserstein.register(td.Uniform, td.Uniform)(uniforms.wasserstein_uniforms)

total_variation.register(td.Normal, td.Normal)(univariate_normals.tv_normals)
wasserstein.register(td.Normal, td.Normal)(univariate_normals.wasserstein_normals)
for _P, _Q in product(
    (td.MultivariateNormal, td.LowRankMultivariateNormal, td.Independent), repeat=2
):
    total_variation.register(_P, _Q)(multivariate_normals.tv_gaussians)
    wasserstein.register(_P, _Q)(multivariate_normals.wasserstein_gaussians)
    kl_divergence.register(_P, _Q)(multivariate_normals.kl_gaussians)


@kl_divergence.register(td.Independent, td.Independent)
def _(
    p: td.Independent, q: td.Independent
) -> Tensor:  # the sum over coordinates, each known to us
    n = p.reinterpreted_batch_ndims
    if n != q.reinterpreted_batch_ndims:
        raise NotImplementedError("they reinterpret different numbers of batch dimensions")
    value = kl_divergence(p.base_dist, q.base_dist)
    if not n:
        return value
    total = value.sum(tuple(range(-n, 0)), dtype=torch.float64)
    infinite = value.isinf().any(-1) if n == 1 else value.isinf().flatten(-n).any(-1)
    total = rounded(torch.where(infinite, 0, total), value.dtype)
    return torch.where(infinite, math.inf, total)


@kl_divergence.register(td.TransformedDistribution, td.TransformedDistribution)
def _(p: td.TransformedDistribution, q: td.TransformedDistribution) -> Tensor:
    value = kl_divergence(*pushforwards.bases_of(p, q))
    if pushforwards.loses_nothing(p, q) or bool((value == 0).all()):  # one law stays one law
        return value
    raise NotImplementedError("their transform is not injective on the supports of their bases")
