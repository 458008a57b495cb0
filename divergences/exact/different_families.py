r"""KL divergences between laws of different families on the line.

:math:`\mathrm{KL}(p \| q) = E_p \log p - E_p \log q`, where :math:`-E_p \log q` needs a few means
under p: of x, of its square, of its logarithm or of an exponential. A pair has a formula exactly
if p knows the means that q asks for; where the support of p is not inside that of q, the
divergence is infinite.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from divergences.exact.evaluation import evaluate, result_dtype
from divergences.exact.means_under_laws import Law
from divergences.exact.parameters import finite, given, positive
from divergences.exact.same_family import ends_of, tilt_of

__all__ = ["LAWS", "kl_on_the_line"]


class UniformLaw(Law):
    def set(self, low: Any, high: Any) -> None:
        self.low, self.high, self.length = low, high, high - low

    @staticmethod
    def read(side: td.Uniform) -> tuple[Tensor, ...]:
        return ends_of(side)

    @staticmethod
    def support(*parameters: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return parameters[0], parameters[1]

    def log_density(self) -> list[Any]:
        return [self._log(self.length, -1)]

    def surprise(self, p: Law) -> list[Any]:
        return [self._log(self.length)]

    def mean(self, of: Any) -> list[Any]:
        return [of * self.low / 2, of * self.high / 2]

    def square(self, n: Any, t: Any) -> list[Any]:
        middle = (self.low - n) / t / 2 + (self.high - n) / t / 2
        parts = abs(self.low - n) / t + abs(self.high - n) / t
        return [(self.length / t) ** 2 / 24, (middle**2 / 2, abs(middle) * parts)]

    def log(self, weight: Any, unit: Any) -> list[Any]:
        return [self._log(unit * self.high, weight), -weight * self._below(self.low)]

    def log_rest(self, weight: Any) -> list[Any]:
        return [self._log(1 - self.low, weight), -weight * self._below(1 - self.high)]

    def _below(self, low: Any) -> Any:
        """How far the mean logarithm is below log(high)."""
        return self.F.mean_excess(low, self.length)

    def exponential(self, n: Any, t: Any) -> list[Any]:
        z = (n - self.low) / t
        value, size = self._power(z, abs(z))
        share = self.F.one_less_exp(self.length / t)
        return [(value * share, size * share)]


class NormalLaw(Law):
    def set(self, loc: Any, scale: Any) -> None:
        self.loc, self.scale = loc, scale

    @staticmethod
    def read(side: td.Normal) -> tuple[Tensor, ...]:
        return *finite(side, "loc"), *positive(side, "scale")

    def log_density(self) -> list[Any]:
        return [-self._log_2pi() / 2, -0.5, self._log(self.scale, -1)]

    def surprise(self, p: Law) -> list[Any]:
        square = p.square(self.loc, self.scale)
        return [self._log_2pi() / 2, self._log(self.scale), *square]

    def _log_2pi(self) -> Any:
        return self.F.log(2 * self.F.pi * self.F.one)

    def mean(self, of: Any) -> list[Any]:
        return [of * self.loc]

    def square(self, n: Any, t: Any) -> list[Any]:
        return [(self.scale / t) ** 2 / 2, ((self.loc - n) / t) ** 2 / 2]

    def exponential(self, n: Any, t: Any) -> list[Any]:
        z, half = (n - self.loc) / t, (self.scale / t) ** 2 / 2
        return [self._power(z + half, abs(z) + half)]

    def distance(self, n: Any, t: Any) -> list[Any]:
        F, d = self.F, (self.loc - n) / self.scale
        beyond = (2 / F.pi) ** 0.5 * (self.scale / t) * F.exp(-d * d / 2)
        return [beyond, (self.loc - n) / t * F.erf(d / (2 * F.one) ** 0.5)]


class LaplaceLaw(NormalLaw):
    read = NormalLaw.read

    def log_density(self) -> list[Any]:
        return [-1, self._log(2 * self.scale, -1)]

    def surprise(self, p: Law) -> list[Any]:
        return [self._log(2 * self.scale), *p.distance(self.loc, self.scale)]

    def square(self, n: Any, t: Any) -> list[Any]:
        return [(self.scale / t) ** 2, ((self.loc - n) / t) ** 2 / 2]

    def exponential(self, n: Any, t: Any) -> list[Any]:
        return self._missing("exp(-x)")

    def distance(self, n: Any, t: Any) -> list[Any]:
        return self._missing("|x - n|")


class GumbelLaw(NormalLaw):
    read = NormalLaw.read

    def log_density(self) -> list[Any]:
        return [self._log(self.scale, -1), -1 - self.F.euler]

    def surprise(self, p: Law) -> list[Any]:
        n, t = self.loc, self.scale
        return [self._log(t), *p.mean(1 / t), -n / t, *p.exponential(n, t)]

    def mean(self, of: Any) -> list[Any]:
        return [of * self.loc, of * self.scale * self.F.euler]

    def square(self, n: Any, t: Any) -> list[Any]:
        F = self.F
        d, e = (self.loc - n) / t, self.scale / t * F.euler
        spread = (self.scale / t * F.pi) ** 2 / 12
        return [spread, ((d + e) ** 2 / 2, abs(d + e) * (abs(d) + e))]

    def exponential(self, n: Any, t: Any) -> list[Any]:
        return self._missing("exp(-x)")

    def distance(self, n: Any, t: Any) -> list[Any]:
        return self._missing("|x - n|")


class GammaLaw(Law):
    def set(self, concentration: Any, rate: Any) -> None:
        self.concentration, self.rate = concentration, rate

    @staticmethod
    def read(side: td.Gamma | td.Exponential) -> tuple[Tensor, ...]:
        (rate,) = positive(side, "rate")
        if isinstance(side, td.Exponential):
            return torch.ones_like(rate), rate
        return *positive(side, "concentration"), rate

    @staticmethod
    def support(*parameters: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return 0.0, math.inf

    def log_density(self) -> list[Any]:
        F, a = self.F, self.concentration
        logs = [self._times(a - 1, F.digamma(a)), self._times(-1, F.lgamma(a))]
        return [self._log(self.rate), *logs, -a]

    def surprise(self, p: Law) -> list[Any]:
        b, s = self.concentration, self.rate
        logs = [self._times(1, self.F.lgamma(b)), self._log(s, -1)]
        return [*logs, *p.log(1 - b, s), *p.mean(s)]

    def mean(self, of: Any) -> list[Any]:
        return [of / self.rate * self.concentration]

    def square(self, n: Any, t: Any) -> list[Any]:
        mean = self.concentration / self.rate
        return self._spread(mean / self.rate, mean, n, t)

    def log(self, weight: Any, unit: Any) -> list[Any]:
        digamma = self.F.digamma(self.concentration)
        return [self._times(weight, digamma), self._log(unit / self.rate, weight)]

    def exponential(self, n: Any, t: Any) -> list[Any]:
        fall = self.concentration * self.F.log1p(1 / (self.rate * t))
        return [self._power(n / t - fall, abs(n / t) + fall)]


class ExponentialLaw(GammaLaw):
    def surprise(self, p: Law) -> list[Any]:
        return [self._log(self.rate, -1), *p.mean(self.rate)]


class BetaLaw(Law):
    def set(self, one: Any, zero: Any) -> None:
        self.one, self.zero, self.sum = one, zero, one + zero

    @staticmethod
    def read(side: td.Beta) -> tuple[Tensor, ...]:
        return tuple(positive(side, "concentration1", "concentration0"))

    @staticmethod
    def support(*parameters: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return 0.0, 1.0

    def log_density(self) -> list[Any]:
        a, b = self.one - 1, self.zero - 1
        return [*self._normalizer(-1), *self.log(a, self.F.one), *self.log_rest(b)]

    def surprise(self, p: Law) -> list[Any]:
        a, b = 1 - self.one, 1 - self.zero
        return [*self._normalizer(1), *p.log(a, self.F.one), *p.log_rest(b)]

    def _normalizer(self, sign: int) -> list[Any]:
        signs = ((sign, self.one), (sign, self.zero), (-sign, self.sum))
        return [self._times(sign, self.F.lgamma(x)) for sign, x in signs]

    def mean(self, of: Any) -> list[Any]:
        return [of * self.one / self.sum]

    def square(self, n: Any, t: Any) -> list[Any]:
        mean = self.one / self.sum
        variance = mean * (self.zero / self.sum) / (self.sum + 1)
        return self._spread(variance, mean, n, t)

    def log(self, weight: Any, unit: Any) -> list[Any]:
        return [*self._logs(weight, self.one), self._log(unit, weight)]

    def log_rest(self, weight: Any) -> list[Any]:
        return self._logs(weight, self.zero)

    def _logs(self, weight: Any, of: Any) -> list[Any]:
        digamma = self.F.digamma
        return [self._times(weight, digamma(of)), self._times(-weight, digamma(self.sum))]


class ContinuousBernoulliLaw(Law):
    """Density proportional to exp(tilt x) on [0, 1]."""

    def set(self, tilt: Any) -> None:
        self.tilt = tilt

    @staticmethod
    def read(side: td.ContinuousBernoulli) -> tuple[Tensor, ...]:
        return (tilt_of(side),)

    @staticmethod
    def support(*parameters: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return 0.0, 1.0

    def log_density(self) -> list[Any]:
        return [self.tilt * self.F.tilt_first(self.tilt), -self.F.tilt(self.tilt)]

    def surprise(self, p: Law) -> list[Any]:
        return [self.F.tilt(self.tilt), self.tilt / 2, *p.mean(-self.tilt)]

    def mean(self, of: Any) -> list[Any]:
        return [of / 2, of * self.F.tilt_first(self.tilt)]

    def square(self, n: Any, t: Any) -> list[Any]:
        F = self.F
        return self._spread(F.tilt_second(self.tilt), F.one / 2 + F.tilt_first(self.tilt), n, t)


class ParetoLaw(Law):
    def set(self, scale: Any, alpha: Any) -> None:
        self.scale, self.alpha = scale, alpha

    @staticmethod
    def read(side: td.Pareto) -> tuple[Tensor, ...]:
        return tuple(positive(side, "scale", "alpha"))

    @staticmethod
    def support(*parameters: Tensor) -> tuple[Tensor | float, Tensor | float]:
        return parameters[0], math.inf

    def log_density(self) -> list[Any]:
        return [self._log(self.alpha), self._log(self.scale, -1), -1, -1 / self.alpha]

    def surprise(self, p: Law) -> list[Any]:
        logs = [self._log(self.alpha, -1), self._log(self.scale)]
        return [*logs, *p.log(self.alpha + 1, 1 / self.scale)]

    def mean(self, of: Any) -> list[Any]:
        return [of * self.scale * (self.alpha / (self.alpha - 1))]

    def square(self, n: Any, t: Any) -> list[Any]:
        a = self.alpha
        mean = self.scale * (a / (a - 1))
        variance = (self.scale / (a - 1)) ** 2 * (a / (a - 2))
        return self._spread(variance, mean, n, t)

    def log(self, weight: Any, unit: Any) -> list[Any]:
        return [self._log(unit * self.scale, weight), weight / self.alpha]


LAWS: dict[type[td.Distribution], type[Law]] = {
    td.Uniform: UniformLaw,
    td.Normal: NormalLaw,
    td.Laplace: LaplaceLaw,
    td.Gumbel: GumbelLaw,
    td.Gamma: GammaLaw,
    td.Exponential: ExponentialLaw,
    td.Beta: BetaLaw,
    td.ContinuousBernoulli: ContinuousBernoulliLaw,
    td.Pareto: ParetoLaw,
}


def kl_on_the_line(p: td.Distribution, q: td.Distribution) -> Tensor:
    """KL of two laws of :data:`LAWS`, of different families."""
    P, Q = (next(law for kind, law in LAWS.items() if isinstance(d, kind)) for d in (p, q))
    a, b = P.read(p), Q.read(q)
    shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    (low, high), (from_, to) = P.support(*a), Q.support(*b)
    like = torch.zeros(shape, dtype=torch.float64, device=a[0].device)
    infinite = (like + low < like + from_) | (like + high > like + to)
    if P is ParetoLaw and Q in (GammaLaw, ExponentialLaw, NormalLaw):  # whose means are infinite
        infinite = infinite | (a[1] <= (2 if Q is NormalLaw else 1))
    dtype = torch.promote_types(_dtype(p, a), _dtype(q, b))
    if bool(infinite.all()):
        return infinite.to(dtype).fill_(math.inf)

    def formula(F: Any, *parameters: Any) -> list[Any]:
        left, right = P(F, *parameters[: len(a)]), Q(F, *parameters[len(a) :])
        return [*left.log_density(), *right.surprise(left)]

    return evaluate(formula, (*a, *b), dtype, infinite)


def _dtype(side: Any, parameters: tuple[Tensor, ...]) -> torch.dtype:
    kept = given(side)[0] if isinstance(side, td.ContinuousBernoulli) else parameters[-1]
    return result_dtype(kept)
