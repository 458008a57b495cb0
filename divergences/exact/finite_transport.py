"""Wasserstein distances of laws on finitely many points of the line."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import mpmath
import torch
import torch.distributions as td
from torch import Tensor

from divergences.exact.evaluation import few_enough, tolerance
from divergences.exact.finite import Weights, probability_gaps
from divergences.exact.float64 import ROUNDINGS
from divergences.exact.parameters import given

UNDERFLOWS = 1e-290  # a probability below which float64 loses digits
MOST_DIGITS = 50_000  # between the largest and the least probability, a second of work


def wasserstein_bernoullis(p: td.Bernoulli, q: td.Bernoulli, order: float) -> Tensor:
    r"""W of two laws on 0 and 1: the mass to move, which goes a distance of 1.

    Where that underflows and its root may not, its logarithm is taken: with :math:`a > b` logits
    :math:`\log \sigma(a) + \log \sigma(-b) + \log(1 - e^{b - a})`.
    """
    a, b, gaps = probability_gaps(p, q)
    moved = gaps.abs().amax(-1)
    value = _root(moved, order)
    if order > 1 and bool((moved < UNDERFLOWS).any()):
        logits = torch.broadcast_tensors(*(w.log[..., 1] - w.log[..., 0] for w in (a, b)))
        tiny = (moved < UNDERFLOWS) & (logits[0] != logits[1])
        high = torch.where(tiny, torch.maximum(*logits), 1)
        low = torch.where(tiny, torch.minimum(*logits), 0)
        log = torch.nn.functional.logsigmoid(torch.stack([high, -low])).sum(0)
        log = log + (-torch.expm1(low - high)).log()
        value = torch.where(tiny, (log / order).exp(), value)
    return value.to(torch.promote_types(a.dtype, b.dtype))


def wasserstein_categoricals(p: td.Categorical, q: td.Categorical, order: float) -> Tensor:
    r"""W of two laws on 0, 1, 2, ..., from their quantile functions.

    .. math:: W_r^r = \int_0^1 |F^{-1}(t) - G^{-1}(t)|^r \, dt

    For order 1 it is the sum of the differences of both distribution functions. For others the
    integral is rounded at ``eps`` of float64; where that shows, it is computed with more digits.

    References:
        | Computational Optimal Transport (Peyré & Cuturi, 2019), remark 2.30
        | https://arxiv.org/abs/1803.00567
    """
    first, second, gaps = probability_gaps(p, q)
    dtype = torch.promote_types(first.dtype, second.dtype)
    if order == 1:
        return gaps.cumsum(-1)[..., :-1].abs().sum(-1).to(dtype)
    a, b = torch.broadcast_tensors(first.mass, second.mass)
    F, G = a.cumsum(-1), b.cumsum(-1)
    F, G = F / F[..., -1:], G / G[..., -1:]  # both end at 1 exactly, whatever rounding did
    levels = torch.cat([F, G], -1).sort(-1).values
    lengths = torch.diff(levels, prepend=torch.zeros_like(levels[..., :1]))
    steps = (torch.searchsorted(F, levels) - torch.searchsorted(G, levels)).abs()
    steps = torch.where(lengths > 0, steps, 0).to(lengths.dtype)
    reach = steps.amax(-1, keepdim=True).clamp(min=1)  # whose power might overflow
    integral = (lengths * (steps / reach) ** order).sum(-1)
    value = reach[..., 0] * _root(integral, order)
    with torch.no_grad():
        n = a.shape[-1]
        same = (gaps == 0).all(-1) & ~_differ_below_float64(first, second)
        loose = max(tolerance(dtype), 1e-9)
        hard = ~same & (n * ROUNDINGS > loose * order * integral)
    value = torch.where(same, 0, value)
    if not bool(hard.any()):
        return value.to(dtype)
    few_enough(int(hard.sum()) * (1 + n // 100))  # a millisecond for a hundred categories
    rows = zip(*(_given_rows(side, hard) for side in (p, q)), strict=True)
    right = value.new_tensor([_in_digits(x, y, order) for x, y in rows])
    with torch.no_grad():
        change = torch.zeros_like(value).masked_scatter(hard, right - value.detach()[hard])
    return (value + change).to(dtype)


def _differ_below_float64(a: Weights, b: Weights) -> Tensor:
    """Where laws differ in probabilities that are too small for a float."""
    tiny = (a.some | b.some) & (torch.maximum(a.mass, b.mass) < UNDERFLOWS)
    return (tiny & ((a.log_ratios(b) != 0) | (a.some != b.some))).any(-1)


def _given_rows(side: td.Categorical, at: Tensor) -> list[tuple[list[float], bool]]:
    x, from_logits = given(side, False)
    return [(r, from_logits) for r in x.detach().double().expand((*at.shape, -1))[at].tolist()]


def _in_digits(x: tuple[list[float], bool], y: tuple[list[float], bool], order: float) -> float:
    """The distance of two laws with more digits, as their quantile functions move from step to
    step."""
    with mpmath.workdps(60 + _digits_between(x, y, order)):
        ends = [_distribution(*side) for side in (x, y)]
        i = j = 0
        start, total = mpmath.mpf(0), mpmath.mpf(0)
        while i < len(ends[0]) and j < len(ends[1]):
            stop = min(ends[0][i], ends[1][j])
            total += (stop - start) * mpmath.mpf(abs(i - j)) ** order
            start, i, j = stop, i + (ends[0][i] <= stop), j + (ends[1][j] <= stop)
        return float(total ** (1 / mpmath.mpf(order)))


def _digits_between(x: tuple[list[float], bool], y: tuple[list[float], bool], order: float) -> int:
    """How many digits lie between the largest probability and the least whose root may count."""
    widest = 0.0
    for weights, from_logits in (x, y):
        logs = weights if from_logits else [math.log(w) for w in weights if w > 0]
        logs = [log for log in logs if log > -math.inf]
        widest = max(widest, max(logs) - min(logs))
    widest = min(widest, -math.log(math.ulp(0.0)) * order)  # below, the root underflows
    if widest > MOST_DIGITS * math.log(10):
        raise NotImplementedError(
            f"a root of order {order:g} of probabilities down to exp(-{widest:.3g}) takes more "
            f"than {MOST_DIGITS} digits"
        )
    return math.ceil(widest / math.log(10))


def _distribution(given: list[float], from_logits: bool) -> list[Any]:
    weights = [mpmath.exp(x) if from_logits else mpmath.mpf(x) for x in given]
    total = mpmath.fsum(weights)
    return list(accumulate(x / total for x in weights))


def _root(x: Tensor, order: float) -> Tensor:
    """The root of a given order; its gradient at zero, where the true one is infinite, is zero."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1) ** (1 / order), 0)
