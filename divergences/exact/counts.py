r"""Laws on the counts 0, 1, 2, ...: divergences as sums over all counts that have mass.

Logarithms of masses are Loader's: with :math:`h(x) = x - 1 - \log x` and Binet's function
:math:`\mu`, that of ``k`` of ``n`` is

.. math:: \mu(n) - \mu(k) - \mu(n - k) - k \, h(n p / k) - (n - k) \, h(n q / (n - k))
          + \tfrac12 \log \frac{n}{2 \pi k (n - k)}

and nothing cancels in it. Of two laws of one family the logarithm of the ratio of their masses is
written in the distance from the mean, so that laws may be close, or counts large. What is left
out has a mass below :math:`2 e^{-100}`, by Bernstein's inequalities. Where rounding may show in
the result all the same, as between a binomial law and the Poisson law that is its limit, there is
no answer.

References:
    | Fast and Accurate Computation of Binomial Probabilities (Loader, 2000)
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self, final

import torch
import torch.distributions as td
from torch import Tensor

from divergences.discrete import js_terms
from divergences.exact import finite
from divergences.exact.evaluation import rounded, tolerance
from divergences.exact.finite import Weights
from divergences.exact.float64 import FLOAT64, ROUNDINGS, binet
from divergences.exact.parameters import not_negative, trials

MOST_TERMS = 2**20  # counts of one pair, a second of work
AT_ONCE = 2**19  # numbers of one array
LEFT_OUT = 100.0  # minus the logarithm of the mass of a tail

Weighed = tuple[Tensor, Tensor]  # numbers, and the sizes that their rounding is relative to


@dataclass(frozen=True)
class Counts(ABC):
    """Laws on counts, one in each row. All parameters have the shape ``(rows, 1)``."""

    def of_rows(self, which: slice) -> Self:
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    @abstractmethod
    def ends(self) -> tuple[Tensor, Tensor]:
        """The least and the largest count that has any mass."""

    @abstractmethod
    def window(self) -> tuple[Tensor, Tensor]:
        """Numbers outside of which lies a mass below ``2 exp(-LEFT_OUT)``."""

    @abstractmethod
    def log_mass(self, k: Tensor) -> Weighed:
        """Logarithms of the masses of counts within the ends."""

    @abstractmethod
    def log_ratio(self, other: Any, k: Tensor, ratios: Tensor) -> tuple[Weighed, Tensor]:
        """Logarithms of another law's masses over these, and in which rows they are known so.

        Arguments:
            other: Laws of the same family.
            k: Counts.
            ratios: The same of a miss and of a hit in one trial, ``(rows, 2)``.
        """


@final
@dataclass(frozen=True)
class Rates(Counts):
    """Poisson laws."""

    rate: Tensor

    def ends(self) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(self.rate), torch.where(self.rate > 0, math.inf, 0.0)

    def window(self) -> tuple[Tensor, Tensor]:
        x = (2 * LEFT_OUT * self.rate).sqrt()
        return self.rate - x, self.rate + x + LEFT_OUT

    def log_mass(self, k: Tensor) -> Weighed:
        some = (k > 0) & (self.rate > 0)
        k, rate = torch.where(some, k, 1.0), torch.where(some, self.rate, 1.0)
        log = -(2 * math.pi * k).log() / 2 - binet(k) - k * FLOAT64.excess(rate, k)
        log = torch.where(some, log, -self.rate)
        return log, 4 + log.abs()

    def log_ratio(self, other: Any, k: Tensor, ratios: Tensor) -> tuple[Weighed, Tensor]:
        known = (self.rate > 0) & (other.rate > 0)
        a, b = (torch.where(known, law.rate, 1.0) for law in (self, other))
        return _line((k - a) * FLOAT64.log_ratio(b, a), a * FLOAT64.excess(b, a)), known


@dataclass(frozen=True)
class Trials(Counts):
    """What counts hits in independent trials.

    Attributes:
        many: Trials, or misses until which is counted.
        miss: Chance of a miss.
        hit: Chance of a hit.
        log_miss: Its logarithm.
        log_hit: Likewise.
    """

    many: Tensor
    miss: Tensor
    hit: Tensor
    log_miss: Tensor
    log_hit: Tensor

    def of_trials(self, hits: Tensor, misses: Tensor) -> Tensor:
        """Logarithms of the chances of so many hits and misses, in any order."""
        both = (hits > 0) & (misses > 0) & (self.hit > 0) & (self.miss > 0)
        k, m = torch.where(both, hits, 1.0), torch.where(both, misses, 1.0)
        p, q = torch.where(both, self.hit, 0.5), torch.where(both, self.miss, 0.5)
        n, gap = k + m, FLOAT64.cross(m, p, k, q)  # n p - k
        far = k * FLOAT64.excess(n * p, k, gap) + m * FLOAT64.excess(n * q, m, -gap)
        log = binet(n) - binet(k) - binet(m) - far + (n / (2 * math.pi * k * m)).log() / 2
        alone = torch.where(misses > 0, misses, 0.0) * torch.where(misses > 0, self.log_miss, 0.0)
        every = torch.where(hits > 0, hits, 0.0) * torch.where(hits > 0, self.log_hit, 0.0)
        return torch.where(both, log, alone + every)

    def like(self, other: Trials) -> Tensor:
        """Where both have as many trials, and both outcomes."""
        some = torch.stack([self.miss, self.hit, other.miss, other.hit]).amin(0) > 0
        return some & (self.many == other.many)

    def excess(self, ratios: Tensor) -> Tensor:
        """KL of one trial from one with other chances."""
        chances = torch.cat([self.miss, self.hit], -1)
        return (chances * FLOAT64.exp_excess(ratios)).sum(-1, keepdim=True)


@final
@dataclass(frozen=True)
class Hits(Trials):
    """Binomial laws."""

    def ends(self) -> tuple[Tensor, Tensor]:
        least = torch.where(self.miss == 0, self.many, 0.0)
        return least, torch.where(self.hit == 0, 0.0, self.many)

    def window(self) -> tuple[Tensor, Tensor]:
        mean = self.many * self.hit
        x = (2 * LEFT_OUT * mean * self.miss).sqrt() + LEFT_OUT
        return mean - x, mean + x

    def log_mass(self, k: Tensor) -> Weighed:
        log = self.of_trials(k, self.many - k)
        return log, 4 + log.abs()

    def log_ratio(self, other: Any, k: Tensor, ratios: Tensor) -> tuple[Weighed, Tensor]:
        off = FLOAT64.cross(k, self.miss, self.many - k, self.hit)  # k - the mean
        slope = off * (ratios[:, 1:] - ratios[:, :1])
        return _line(slope, self.many * self.excess(ratios)), self.like(other)


@final
@dataclass(frozen=True)
class Waits(Trials):
    """Negative binomial laws: hits until so many misses."""

    def ends(self) -> tuple[Tensor, Tensor]:
        none = (self.hit == 0) | (self.many == 0)
        return torch.zeros_like(self.many), torch.where(none, 0.0, math.inf)

    def window(self) -> tuple[Tensor, Tensor]:
        mean = self.many * self.hit / self.miss
        x = (2 * LEFT_OUT * mean / self.miss).sqrt()
        return mean - x, mean + x + LEFT_OUT / self.miss

    def log_mass(self, k: Tensor) -> Weighed:
        some = self.many > 0
        many = torch.where(some, self.many, 1.0)
        log = self.of_trials(k, many) + torch.where(k > 0, many / (many + k), 1.0).log()
        return torch.where(some, log, 0.0), 4 + log.abs()

    def log_ratio(self, other: Any, k: Tensor, ratios: Tensor) -> tuple[Weighed, Tensor]:
        off = FLOAT64.cross(k, self.miss, self.many, self.hit) / self.miss  # k - the mean
        start = self.many * self.excess(ratios) / self.miss
        return _line(off * ratios[:, 1:], start), self.like(other)


def _line(slope: Tensor, start: Tensor) -> Weighed:
    return slope - start, slope.abs() + start


def kl_counts(p: td.Distribution, q: td.Distribution) -> Tensor:
    """KL of two laws on counts."""

    def terms(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
        low, far = u <= 1, torch.where(u.isinf(), 0.0, u)
        near = a * FLOAT64.exp_excess(torch.where(low, u, 0.0))
        return torch.where(low, near, b - a - a * far)

    return _Pair(p, q).sum_of(terms, reaches=True)


def js_counts(p: td.Distribution, q: td.Distribution) -> Tensor:
    """JS of two laws on counts."""
    return _Pair(p, q).sum_of(lambda a, b, u: js_terms(a, b, _gaps(a, b, u)))


def tv_counts(p: td.Distribution, q: td.Distribution) -> Tensor:
    """Total variation of two laws on counts."""
    return _Pair(p, q).sum_of(lambda a, b, u: _gaps(a, b, u).abs() / 2)


def _gaps(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """Differences of masses, the same of (b, a) but for the sign."""
    near = u.abs() < 1
    step = torch.where(near, u, 0.0)
    return torch.where(near, (a * step.expm1() - b * (-step).expm1()) / 2, b - a)


def kl_binomials(p: td.Binomial, q: td.Binomial) -> Tensor:
    """KL of two binomial laws: in closed form, or where p has fewer trials than q by a sum."""
    try:
        return finite.kl_binomials(p, q)
    except NotImplementedError:
        return kl_counts(p, q)


@final
class _Pair:
    """Two laws, of as many rows as their batch has elements."""

    def __init__(self, p: td.Distribution, q: td.Distribution) -> None:
        self.shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
        (self.p, first, a), (self.q, second, b) = self._law(p), self._law(q)
        self.dtype = torch.promote_types(first, second)
        self.ratios = torch.zeros(self.shape.numel(), 2, dtype=torch.float64)
        self.alike = type(p) is type(q) or {type(p), type(q)} == {td.Bernoulli, td.Binomial}
        if self.alike and a is not None and b is not None:
            ratios = a.log_ratios(b).expand(*self.shape, 2).reshape(-1, 2)
            self.ratios = ratios.flip(-1) if isinstance(p, td.Geometric) else ratios

    def _law(self, side: Any) -> tuple[Counts, torch.dtype, Weights | None]:
        if isinstance(side, td.Poisson):
            (rate,) = not_negative(side, "rate")
            return Rates(self._column(rate)), rate.dtype, None
        weights = Weights(side)
        logs = weights.log - weights.total
        columns = [self._column(t[..., i]) for t in (weights.mass, logs) for i in (0, 1)]
        if isinstance(side, td.Geometric):  # which counts the failures
            columns = [columns[i] for i in (1, 0, 3, 2)]
        many = torch.ones(())
        if isinstance(side, (td.Binomial, td.NegativeBinomial)):
            many = trials(side)
        kind = Hits if isinstance(side, (td.Bernoulli, td.Binomial)) else Waits
        if kind is Waits and bool((columns[0] == 0).any()):
            raise ValueError(f"{type(side).__name__} never ends: a chance is 0 that must not be")
        return kind(self._column(many), *columns), weights.dtype, weights

    def _column(self, x: Tensor) -> Tensor:
        return x.double().expand(self.shape).reshape(-1, 1)

    def sum_of(
        self, terms: Callable[[Tensor, Tensor, Tensor], Tensor], reaches: bool = False
    ) -> Tensor:
        """The sum of what ``terms`` makes of both masses and of the logarithm of their ratio.

        Arguments:
            terms: None of them is negative; zero where both masses are.
            reaches: Whether the sum is infinite where q lacks a count of p.

        Raises:
            NotImplementedError: If there are too many counts, or float64 has too few digits.
        """
        if not self.shape.numel():
            return torch.zeros(self.shape, dtype=self.dtype)
        with torch.no_grad():
            spans = [_span(law) for law in (self.p, self.q)]
            widest = sum(int((high - low).max()) + 1 for low, high in spans)
        if widest > MOST_TERMS:
            raise NotImplementedError(
                f"it is a sum over {widest:,} counts, more than {MOST_TERMS:,}"
            )
        (low, high), (least, most) = self.p.ends(), self.q.ends()
        infinite = ((low < least) | (high > most)) & reaches
        step = max(1, AT_ONCE // widest)
        values = [
            self._of_rows(slice(i, i + step), spans, terms, infinite)
            for i in range(0, self.shape.numel(), step)
        ]
        value, infinite = (t.reshape(self.shape) for t in (torch.cat(values), infinite))
        value = rounded(torch.where(infinite, 0.0, value), self.dtype)
        return torch.where(infinite, math.inf, value)

    def _of_rows(
        self, which: slice, spans: Any, terms: Callable[..., Tensor], infinite: Tensor
    ) -> Tensor:
        p, q = self.p.of_rows(which), self.q.of_rows(which)
        ends = [[end[which] for end in span] for span in spans]
        k = [low + _numbers(int((high - low).max()) + 1, low) for low, high in ends]
        (low, high), (_, last) = ends
        once = [k[0] <= high, (k[1] <= last) & ((k[1] < low) | (k[1] > high))]
        k, once = torch.cat(k, 1), torch.cat(once, 1)
        (log_a, size_a), (log_b, size_b) = (_logs(law, k, once) for law in (p, q))
        both = (log_a > -math.inf) & (log_b > -math.inf)
        u = torch.where(both, log_b, 0.0) - torch.where(both, log_a, 0.0)
        size = size_a + size_b
        if self.alike:
            (better, its_size), known = p.log_ratio(q, k, self.ratios[which])
            u, size = torch.where(known & both, better, u), torch.where(known, its_size, size)
        a, b = log_a.exp(), log_b.exp()
        found = terms(a, b, torch.where(both, u, math.inf))
        value = found.sum(-1)
        with torch.no_grad():
            lost = torch.where(both, ROUNDINGS * size / u.abs(), 0.0).nan_to_num(1.0).clamp(max=1)
            of_masses = (a * size_a + b * size_b) / (a + b).clamp(min=1e-300)
            off = 2 * ROUNDINGS * of_masses + 2 * lost
            unsure = (found * off).sum(-1) > tolerance(self.dtype) * value
        if bool((unsure & value.isfinite() & ~infinite[which][:, 0]).any()):
            raise NotImplementedError("float64 has too few digits to tell these laws apart")
        return value


def _numbers(many: int, like: Tensor) -> Tensor:
    return torch.arange(many, dtype=like.dtype, device=like.device)


def _span(law: Counts) -> tuple[Tensor, Tensor]:
    """First and last count to look at."""
    (least, most), (low, high) = law.ends(), law.window()
    return torch.maximum(low.floor(), least), torch.minimum(high.ceil(), most)


def _logs(law: Counts, k: Tensor, once: Tensor) -> Weighed:
    """Logarithms of masses, ``-inf`` where there is none or a count is there again."""
    least, most = law.ends()
    some = once & (k >= least) & (k <= most)
    log, size = law.log_mass(torch.where(some, k, least))
    return torch.where(some, log, -math.inf), torch.where(some, size.detach(), 0.0)
