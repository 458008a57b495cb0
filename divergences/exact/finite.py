r"""Laws on finitely many points, and on counts: from the probabilities or logits that were given.

Everything is computed in float64. With :math:`u_i` the logarithm of the ratio of two laws'
probabilities,

.. math:: \mathrm{KL}(p \| q) = \sum_i p_i (e^{u_i} - 1 - u_i)

is a sum of terms that are not negative. Where the laws are close, :math:`u_i` keeps its digits: it
is the difference of the logarithms of the weights, less the small
:math:`\log(1 + \sum_i p_i (e^{\delta_i} - 1))` that normalises them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.distributions as td
from torch import Tensor

from divergences import discrete
from divergences.exact.evaluation import rounded, tolerance
from divergences.exact.float64 import FLOAT64, ROUNDINGS
from divergences.exact.parameters import given, not_negative, trials

Binary = td.Bernoulli | td.Binomial | td.Geometric


class Weights:
    """Weights of points along a last dimension, in float64.

    Attributes:
        log: Logarithms of the weights; ``-inf`` for none.
        mass: Probabilities, which sum to one up to rounding.
        total: Logarithm of the sum of the weights.
        dtype: Of the parameter that was given.
    """

    def __init__(self, side: td.Categorical | Binary, at: Tensor | None = None) -> None:
        binary = not isinstance(side, td.Categorical)
        x, from_logits = given(side, binary)
        if at is not None:  # some members of a batch of this shape
            x = x.expand((*at.shape, *x.shape[x.ndim - (not binary) :]))[at]
        self.dtype, x = x.dtype, x.double()
        self.weights: Tensor | None = None  # where probabilities were given
        self.chance: Tensor | None = None  # of success, where it was
        if from_logits:
            self.log = _log_odds(x) if binary else x
            self.mass = self.log.softmax(-1)
        elif binary:
            self.chance = x
            self.mass = self.weights = torch.stack([1 - x, x], -1)
            self.log = torch.stack([_log(1 - x, -x), _log(x, x - 1)], -1)
        else:
            self.weights = x
            self.mass = x / x.sum(-1, keepdim=True)
            self.log = _log(x, x - 1)
        self.some = self.log > -math.inf
        self.total = self.log.logsumexp(-1, keepdim=True)
        if binary and from_logits:  # which keeps a small weight beside a large one
            self.total = torch.logaddexp(*self.log.unbind(-1)).unsqueeze(-1)
        elif binary:  # its two weights sum to one, without rounding
            self.total = torch.zeros_like(self.total)

    def gaps(self, other: Weights) -> Tensor | None:
        """Differences of given probabilities, exactly."""
        if self.weights is None or other.weights is None:
            return None
        if self.chance is not None and other.chance is not None:
            gap = other.chance - self.chance
            return torch.stack([-gap, gap], -1)
        return other.weights - self.weights

    def log_ratios(self, other: Weights) -> Tensor:
        """log(other's probability / own), where both have some, else 0."""
        both = self.some & other.some
        mine, theirs = torch.where(both, self.log, 0), torch.where(both, other.log, 0)
        gaps = self.gaps(other)
        ratios = theirs - mine
        if gaps is None:
            close = ratios.abs() < 1
            small = torch.where(both & close, ratios, 0)
            # more than e^1 is not small, and the sums are used instead
            far = torch.where(other.some, other.log, -math.inf) - self.total
            far = torch.where(both & close, 0, far.clamp(max=1).exp() - self.mass)
            change = torch.where(both & close, self.mass * torch.expm1(small), far).sum(-1, True)
        else:
            weights = self.weights if self.weights is not None else self.mass
            near = both & (gaps.abs() <= weights / 2)
            ratio = torch.where(near, gaps, 0) / torch.where(near, weights, 1)
            ratios = torch.where(near, torch.log1p(ratio), ratios)
            change = gaps.sum(-1, keepdim=True) * torch.exp(-self.total)
        small = change.abs() < 0.5
        close = ratios - torch.log1p(torch.where(small, change, 0))
        far = (theirs - other.total) - (mine - self.total)
        return torch.where(both, torch.where(small, close, far), 0)


def _log_odds(logit: Tensor) -> Tensor:
    """Logarithms of weights 1 and exp(logit), of 0 and 1 where that is infinite."""
    certain = logit.isposinf()
    zero = torch.where(certain, -math.inf, torch.zeros_like(logit))
    return torch.stack([zero, torch.where(certain, 0, logit)], -1)


def _log(x: Tensor, less_one: Tensor) -> Tensor:
    """log(x), of x or of x - 1, whichever keeps its digits; ``-inf`` at 0."""
    some = x > 0
    near_one = some & (less_one > -0.5)
    result = torch.log1p(torch.where(near_one, less_one, 0))
    return torch.where(
        near_one, result, torch.where(some, torch.where(some, x, 1).log(), -math.inf)
    )


def _kl(p: Weights, q: Weights) -> tuple[Tensor, Tensor]:
    """KL divergences of weights, and where they are infinite."""
    u = p.log_ratios(q)
    infinite = (p.some & ~q.some).any(-1)
    low = u <= 1
    near = p.mass * FLOAT64.exp_excess(torch.where(low, u, 0))
    far = q.mass - p.mass - p.mass * torch.where(low, 0, u)
    terms = torch.where(p.some & q.some, torch.where(low, near, far), 0)
    terms = torch.where(~p.some, q.mass, terms)
    return terms.sum(-1), infinite


def _finish(value: Tensor, infinite: Tensor, *dtypes: torch.dtype) -> Tensor:
    dtype = dtypes[0] if len(dtypes) == 1 else torch.promote_types(*dtypes)
    value = rounded(torch.where(infinite, 0, value), dtype)
    return torch.where(infinite, math.inf, value)


def _log_masses(side: td.Categorical | Binary) -> tuple[Tensor, torch.dtype]:
    """Logarithms of the probabilities, to a few roundings of one."""
    binary = not isinstance(side, td.Categorical)
    x, from_logits = given(side, binary)
    dtype, x = x.dtype, x.double()
    if not binary:
        log = x if from_logits else (x / x.sum(-1, keepdim=True)).log()
        return log - log.logsumexp(-1, keepdim=True) if from_logits else log, dtype
    if not from_logits:
        return torch.stack([torch.log1p(-x), x.log()], -1), dtype
    return torch.nn.functional.logsigmoid(torch.stack([-x, x], -1)), dtype


def _kl_by_need(
    p: td.Categorical | Binary,
    q: td.Categorical | Binary,
    carefully: Callable[[Weights, Weights], tuple[Tensor, Tensor]],
    geometric: bool = False,
) -> tuple[Tensor, Tensor, torch.dtype]:
    """KL divergences by the textbook's sum, carefully where it is not sure; where infinite; dtype.

    The sum has the expected number of trials of a geometric law.
    """
    (a, first), (b, second) = _log_masses(p), _log_masses(q)
    _same_number(a, b)
    dtype = torch.promote_types(first, second)
    mass = a.exp()
    value = FLOAT64.total(mass * (a - b))
    with torch.no_grad():
        size = 2 - FLOAT64.total(mass * (a + b))
        unsure = ~(tolerance(dtype) * value - ROUNDINGS * size >= 0)  # NaN where any is zero
    if geometric:
        value = value / mass[..., 1]
        unsure = unsure | ~value.detach().isfinite()
    infinite = torch.zeros_like(unsure)
    if not bool(unsure.any()):
        return value, infinite, dtype
    if value.requires_grad:  # its gradient would pass through what is dropped below
        unsure = torch.ones_like(unsure)
    rest, never = carefully(Weights(p, unsure), Weights(q, unsure))
    if value.requires_grad:
        return rest.reshape(value.shape), never.reshape(value.shape), dtype
    return value.masked_scatter(unsure, rest), infinite.masked_scatter(unsure, never), dtype


def kl_masses(p: td.Categorical | td.Bernoulli, q: td.Categorical | td.Bernoulli) -> Tensor:
    """KL of two laws on finitely many points."""
    return _finish(*_kl_by_need(p, q, _kl))


def kl_one_hot(p: td.OneHotCategorical, q: td.OneHotCategorical) -> Tensor:
    """KL of two one-hot categorical laws: that of the categories."""
    return kl_masses(p._categorical, q._categorical)


def js_masses(p: td.Categorical | td.Bernoulli, q: td.Categorical | td.Bernoulli) -> Tensor:
    """JS of two laws on finitely many points."""
    a, b, gaps = probability_gaps(p, q)
    return discrete.js_nats(a.mass, b.mass, gaps).to(torch.promote_types(a.dtype, b.dtype))


def tv_masses(p: td.Categorical | td.Bernoulli, q: td.Categorical | td.Bernoulli) -> Tensor:
    """Total variation of two laws on finitely many points."""
    a, b, gaps = probability_gaps(p, q)
    value = gaps.abs().sum(-1) / 2
    return value.to(torch.promote_types(a.dtype, b.dtype))


def probability_gaps(
    p: td.Categorical | Binary, q: td.Categorical | Binary
) -> tuple[Weights, Weights, Tensor]:
    """Weights, and the differences of their probabilities to a few roundings of themselves."""
    a, b = Weights(p), Weights(q)
    _same_number(a.log, b.log)
    u, v = a.log_ratios(b), b.log_ratios(a)
    near = a.some & b.some & (u.abs() < 1) & (v.abs() < 1)
    up, down = (torch.expm1(torch.where(near, x, 0)) for x in (u, v))
    close = (a.mass * up - b.mass * down) / 2  # the same for (q, p), with the other sign
    gaps = torch.where(near, close, b.mass - a.mass)
    # the largest probability hides a small difference, which is that of all others
    largest = (a.mass + b.mass).argmax(-1, keepdim=True).expand(*gaps.shape[:-1], 1)
    others = gaps.scatter(-1, largest, 0)
    return a, b, others.scatter(-1, largest, -others.sum(-1, keepdim=True))


def _same_number(a: Tensor, b: Tensor) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"p has {a.shape[-1]} categories and q {b.shape[-1]}; give both the same, some of "
            "probability zero"
        )


def kl_binomials(p: td.Binomial, q: td.Binomial) -> Tensor:
    """KL of two binomial laws of n and m draws: that of one draw times n, where n = m.

    Infinite for n > m, and without closed form for n < m, unless p never succeeds.
    """
    n, m = trials(p), trials(q)
    one, infinite, dtype = _kl_by_need(p, q, _kl)
    n, m, one = torch.broadcast_tensors(n.double(), m.double(), one)
    x, from_logits = given(p)
    never = ((x == -math.inf) if from_logits else (x == 0)) | (n == 0)  # P is the point 0
    if bool((~never & (n < m)).any()):
        raise NotImplementedError("binomials with fewer draws in p than in q have none")
    value, infinite = n * torch.where(infinite, 0, one), infinite | (n > m)
    if bool(never.any()):
        b = Weights(q)
        sure = -torch.where(m > 0, m * (b.log[..., 0] - b.total[..., 0]), 0)
        value = torch.where(never, sure, value)
        infinite = torch.where(never, (m > 0) & ~b.some[..., 0], infinite)
    return _finish(value, infinite, dtype)


def kl_geometrics(p: td.Geometric, q: td.Geometric) -> Tensor:
    r"""KL of two geometric laws: that of their first trials, over the chance of success in p."""
    for name, side in (("p", p), ("q", q)):
        x, from_logits = given(side)
        if bool((x == (-math.inf if from_logits else 0)).any()):
            raise ValueError(f"{name} never succeeds; a geometric law has a positive probability")
    return _finish(*_kl_by_need(p, q, _kl_geometrics, geometric=True))


def _kl_geometrics(a: Weights, b: Weights) -> tuple[Tensor, Tensor]:
    u = a.log_ratios(b)
    first = FLOAT64.exp_excess(u[..., 1])
    fails = a.some[..., 0]
    log_odds = torch.where(fails, a.log[..., 0] - a.log[..., 1], 0)
    again = FLOAT64.exp_excess(u[..., 0])
    some = again > 0  # the odds alone may overflow
    again = torch.where(some, (log_odds + torch.where(some, again, 1).log()).exp(), 0)
    later = torch.where(fails, again, b.mass[..., 0])
    infinite = fails & ~b.some[..., 0]
    return first + later, infinite


def kl_bernoulli_poisson(p: td.Bernoulli, q: td.Poisson) -> Tensor:
    r"""KL of a Bernoulli from a Poisson law, :math:`p \, h(r/p) + (1 - p) \, h(1 / (1 - p))`, with
    :math:`h(x) = x - 1 - \log x`.
    """
    a, (rate,) = Weights(p), not_negative(q, "rate")
    r, (zero, one) = rate.double(), a.mass.unbind(-1)
    both = (one > 0) & (r > 0)
    hit = one * FLOAT64.excess(torch.where(both, r, 1), torch.where(both, one, 1))
    certain = zero == 0
    odds = torch.where(certain, 0, one / torch.where(certain, 1, zero))
    missed = torch.where(certain, 1, zero * FLOAT64.excess(1 + odds, torch.ones_like(odds), odds))
    value = torch.where(both, hit, r) + missed
    return _finish(value, a.some[..., 1] & (r == 0), a.dtype, rate.dtype)


def kl_poisson_bounded(p: td.Poisson, q: td.Bernoulli | td.Binomial) -> Tensor:
    """KL of a Poisson law from one on finitely many counts: infinite, unless its rate is 0."""
    (rate,), b = not_negative(p, "rate"), Weights(q)
    m = trials(q) if isinstance(q, td.Binomial) else torch.ones_like(rate)
    surprise = torch.where(m > 0, m.double() * (b.total - b.log)[..., 0], 0)
    shape = torch.broadcast_shapes(surprise.shape, rate.shape)
    infinite = (rate > 0) | surprise.isinf()
    return _finish(surprise.expand(shape), infinite.expand(shape), rate.dtype, b.dtype)
