r"""Exact divergences between distribution objects, looked up by the pair of their types.

:func:`kl_divergence`, :func:`js_divergence`, :func:`total_variation` and :func:`wasserstein` take
two ``torch.distributions`` objects and return the true value, of their broadcast batch shape, or
raise ``NotImplementedError``: nothing here integrates, samples or approximates. Which pairs have
one is the table at the end of this file; ``knows`` asks for a pair without raising, and
``register`` adds one:

    >>> class Point(Distribution):
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

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from itertools import product
from typing import Concatenate, Generic, ParamSpec, TypeVar, final

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    Uniform,
)

from divergences import closed_forms

__all__ = ["ExactDivergence", "js_divergence", "kl_divergence", "total_variation", "wasserstein"]

Options = ParamSpec("Options")
Formula = TypeVar("Formula", bound=Callable[..., Tensor])


@final
class ExactDivergence(Generic[Options]):
    """The exact value of one divergence, by a formula that depends on both arguments' types.

    Calling it checks the two distributions and then runs ``evaluate``, which asks
    :meth:`formula` which of the registered formulas applies.

    Args:
        evaluate: The divergence as a function of ``p``, ``q`` and its own options; lends the
            object its name, signature and docstring.
        instead: What to use for a pair without a formula, said in the error.
    """

    def __init__(
        self,
        evaluate: Callable[Concatenate[Distribution, Distribution, Options], Tensor],
        instead: str,
    ) -> None:
        self._evaluate = evaluate
        self._instead = instead
        self._formulas: dict[tuple[type, type], Callable[..., Tensor]] = {}
        self.__name__: str
        self.__qualname__: str
        functools.update_wrapper(self, evaluate)

    def __call__(
        self, p: Distribution, q: Distribution, *args: Options.args, **options: Options.kwargs
    ) -> Tensor:
        shape = _check_pair(p, q)
        try:
            value = self._evaluate(p, q, *args, **options)
        except NotImplementedError as reason:
            raise NotImplementedError(
                f"{self.__name__} of {_name(p)} and {_name(q)} has no exact value here: {reason}. "
                f"Use {self._instead}, or register a formula with "
                f"@{self.__name__}.register({type(p).__name__}, {type(q).__name__})"
            ) from reason
        if value.isnan().any():
            raise ValueError(
                f"{self.__name__} of {_name(p)} and {_name(q)}: the formula gives nan, as its "
                "terms overflow at these parameters or one of them is nan; rescale the space, "
                f"or use {self._instead}"
            )
        return value.expand(shape)

    def register(self, P: type, Q: type) -> Callable[[Formula], Formula]:
        """Return a decorator that makes a function the formula of a pair of types.

        The function is called with ``p``, ``q`` and the divergence's options (for
        :func:`wasserstein` the order) and returns their broadcast batch shape. It may raise
        ``NotImplementedError(why)`` where its formula does not reach. It also serves subclasses,
        until a more specific pair is registered; the same pair again replaces it.

        Raises:
            TypeError: If ``P`` or ``Q`` is not a class of distributions.
        """
        for kind in (P, Q):
            if not (isinstance(kind, type) and issubclass(kind, Distribution)):
                raise TypeError(f"{kind!r} is not a subclass of torch.distributions.Distribution")

        def remember(formula: Formula) -> Formula:
            self._formulas[P, Q] = formula
            return formula

        return remember

    def formula(
        self,
        p: Distribution,
        q: Distribution,
        otherwise: Callable[..., Tensor] | None = None,
    ) -> Callable[..., Tensor]:
        """Return the most specific registered formula for a pair, or ``otherwise`` if none fits.

        Raises:
            NotImplementedError: If no formula fits and there is no ``otherwise``.
            RuntimeError: If several fit and none is the most specific in both arguments.
        """
        fitting = [(P, Q) for P, Q in self._formulas if isinstance(p, P) and isinstance(q, Q)]
        best = [
            (P, Q)
            for P, Q in fitting
            if not any(
                (P, Q) != (R, S) and issubclass(R, P) and issubclass(S, Q) for R, S in fitting
            )
        ]
        if len(best) > 1:
            pairs = " and ".join(f"({P.__name__}, {Q.__name__})" for P, Q in best)
            raise RuntimeError(
                f"{self.__name__} of {_name(p)} and {_name(q)} is ambiguous between {pairs}; "
                f"register ({type(p).__name__}, {type(q).__name__}) itself"
            )
        if best:
            return self._formulas[best[0]]
        if otherwise is None:
            raise NotImplementedError("no formula is registered for this pair of types")
        return otherwise

    @torch.no_grad()
    def knows(
        self, p: Distribution, q: Distribution, *args: Options.args, **options: Options.kwargs
    ) -> bool:
        """Whether a call with the same arguments returns a value: no ``NotImplementedError``.

        Bad input raises here as it does in the call.
        """
        try:
            self(p, q, *args, **options)
        except NotImplementedError:
            return False
        return True

    def __reduce__(self) -> str:  # pickled and copied by name, like the function it stands for
        return self.__qualname__


def _exact(
    instead: str,
) -> Callable[
    [Callable[Concatenate[Distribution, Distribution, Options], Tensor]], ExactDivergence[Options]
]:
    return lambda evaluate: ExactDivergence(evaluate, instead)


def _check_pair(p: Distribution, q: Distribution) -> torch.Size:
    """Return the broadcast batch shape of two comparable distributions."""
    for name, side in (("p", p), ("q", q)):
        if not isinstance(side, Distribution):
            raise TypeError(
                f"{name} is a {type(side).__name__}; pass a torch.distributions.Distribution, or "
                "use divergences.discrete for probability vectors and an estimator for samples"
            )
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p has event shape {tuple(p.event_shape)} and q {tuple(q.event_shape)}: they must "
            "live in the same space; torch.distributions.Independent turns batch into event "
            "dimensions"
        )
    try:
        return torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    except RuntimeError:
        raise ValueError(
            f"p has batch shape {tuple(p.batch_shape)} and q {tuple(q.batch_shape)}: they do not "
            "broadcast; use expand, or parameters with a dimension of size 1"
        ) from None


def _name(side: Distribution) -> str:
    if isinstance(side, Independent):
        return f"{type(side).__name__}({_name(side.base_dist)})"
    return type(side).__name__


def _torch_kl(p: Distribution, q: Distribution) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return torch.distributions.kl_divergence(p, q)
        except RuntimeWarning as ambiguous:  # torch picks one of the formulas and goes on
            raise RuntimeError(str(ambiguous)) from None


@_exact(
    "divergences.numerical for two densities, divergences.KnownDensity or "
    "divergences.NearestNeighbours for samples"
)
def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    r"""The exact KL divergence KL(p||q) in nats.

    .. math:: \mathrm{KL}(p \| q) = \int p(x) \log \frac{p(x)}{q(x)} \, dx \in [0, \infty]

    Pairs not registered here fall through to ``torch.distributions.kl_divergence``.

    Args:
        p, q: Distributions over the same space, batch shapes that broadcast.

    Returns:
        KL divergences, of the broadcast batch shape; infinite where ``p`` has mass and ``q`` none.

    Raises:
        NotImplementedError: If neither this nor torch's registry has a formula for the pair.
        RuntimeError: If several formulas fit and none is the most specific.
        TypeError: If either is not a distribution.
        ValueError: If event shapes differ or batch shapes do not broadcast.

    References:
        | On Information and Sufficiency (Kullback & Leibler, 1951), equation 2.4
        | https://doi.org/10.1214/aoms/1177729694

    Example:
        >>> p, q = Uniform(0.0, torch.tensor([1.0, 2.0])), Uniform(0.0, 1.0)
        >>> kl_divergence(p, q), kl_divergence(q, p)
        (tensor([0., inf]), tensor([0.0000, 0.6931]))
    """
    return kl_divergence.formula(p, q, otherwise=_torch_kl)(p, q)


@_exact("divergences.numerical for two densities, divergences.RossJS for samples")
def js_divergence(p: Distribution, q: Distribution) -> Tensor:
    r"""The exact Jensen-Shannon divergence in nats.

    .. math::
        \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \| m) + \tfrac12 \mathrm{KL}(q \| m)
        \in [0, \log 2], \qquad m = \tfrac12 (p + q)

    Two Gaussians have no closed form.

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
        >>> shift = torch.tensor([0.0, 0.5, 2.0])
        >>> js_divergence(Uniform(0.0, 1.0), Uniform(shift, shift + 1))
        tensor([0.0000, 0.3466, 0.6931])
    """
    return js_divergence.formula(p, q)(p, q)


@_exact("divergences.numerical for two densities, divergences.Histogram for samples")
def total_variation(p: Distribution, q: Distribution) -> Tensor:
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
        >>> total_variation(Normal(0.0, 1.0), Normal(torch.tensor([0.0, 1.0, 9.0]), 1.0))
        tensor([0.0000, 0.3829, 1.0000])
    """
    return total_variation.formula(p, q)(p, q)


@_exact("divergences.EarthMover or divergences.Sliced on samples")
def wasserstein(p: Distribution, q: Distribution, order: float = 1) -> Tensor:
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
        >>> wasserstein(Normal(0.0, 1.0), Normal(torch.tensor([0.0, 3.0]), 5.0), order=2)
        tensor([4., 5.])
    """
    if not 1 <= order < math.inf:
        raise ValueError(f"order is {order}; W is a distance for finite orders of at least 1")
    return wasserstein.formula(p, q)(p, q, order)


for _kind in (Categorical, Bernoulli):
    kl_divergence.register(_kind, _kind)(closed_forms.kl_masses)
    js_divergence.register(_kind, _kind)(closed_forms.js_masses)
    total_variation.register(_kind, _kind)(closed_forms.tv_masses)
wasserstein.register(Categorical, Categorical)(closed_forms.wasserstein_categoricals)
wasserstein.register(Bernoulli, Bernoulli)(closed_forms.wasserstein_bernoullis)

kl_divergence.register(Uniform, Uniform)(closed_forms.kl_uniforms)
js_divergence.register(Uniform, Uniform)(closed_forms.js_uniforms)
total_variation.register(Uniform, Uniform)(closed_forms.tv_uniforms)
wasserstein.register(Uniform, Uniform)(closed_forms.wasserstein_uniforms)

total_variation.register(Normal, Normal)(closed_forms.tv_normals)
wasserstein.register(Normal, Normal)(closed_forms.wasserstein_normals)
for _P, _Q in product((MultivariateNormal, Independent), repeat=2):
    total_variation.register(_P, _Q)(closed_forms.tv_gaussians)
    wasserstein.register(_P, _Q)(closed_forms.wasserstein_gaussians)
    if _P is not _Q:
        kl_divergence.register(_P, _Q)(closed_forms.kl_gaussians)


@kl_divergence.register(Independent, Independent)
def _(p: Independent, q: Independent) -> Tensor:  # the sum over coordinates, each known to us
    n = p.reinterpreted_batch_ndims
    if n != q.reinterpreted_batch_ndims:
        raise NotImplementedError("they reinterpret different numbers of batch dimensions")
    value = kl_divergence(p.base_dist, q.base_dist)
    return value.sum(tuple(range(-n, 0))) if n else value
