r"""KL divergences within one family on the line, written without cancellation.

Each formula is a sum of terms that are not negative, so that it keeps its digits where the two
laws are close, where parameters are large and where they are at the edge of their range. Most are
built from the excess :math:`h(x) = x - 1 - \log x \ge 0` of a ratio.

References:
    | Rényi divergence measures for commonly used univariate continuous distributions (Gil, Alajaji
      & Linder, 2013), table 2
    | https://doi.org/10.1016/j.ins.2013.06.018
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor

from divergences.exact.evaluation import evaluate, result_dtype
from divergences.exact.parameters import finite, given, not_negative, positive

Law = Any  # of the family that a function's name says


def _normals(F: Any, m: Any, s: Any, n: Any, t: Any) -> list[Any]:
    r"""KL of two normals: :math:`h(s/t) + \frac{(s - t)^2 + (m - n)^2}{2 t^2}`."""
    return [*_half_normals(F, s, t), ((m - n) / t) ** 2 / 2]


def _half_normals(F: Any, s: Any, t: Any) -> list[Any]:
    return [F.excess(s, t), ((s - t) / t) ** 2 / 2]


def _laplaces(F: Any, m: Any, s: Any, n: Any, t: Any) -> list[Any]:
    r"""KL of two Laplace laws: :math:`h(s/t) + \frac st (e^{-d} - 1 + d), d = |m - n| / s`."""
    return [F.excess(s, t), s / t * F.exp_excess(-abs(m - n) / s)]


def _cauchys(F: Any, m: Any, s: Any, n: Any, t: Any) -> list[Any]:
    r"""KL of two Cauchy laws: :math:`\log(1 + \frac{(s - t)^2 + (m - n)^2}{4 s t})`.

    References:
        | A closed-form formula for the Kullback-Leibler divergence between Cauchy distributions
          (Chyzak & Nielsen, 2019), theorem 1
        | https://arxiv.org/abs/1905.10965
    """
    return [F.log1p((s - t) / s * ((s - t) / t) / 4 + (m - n) / s * ((m - n) / t) / 4)]


def _half_cauchys(F: Any, s: Any, t: Any) -> list[Any]:
    return [F.log1p((s - t) / s * ((s - t) / t) / 4)]


def _gumbels(F: Any, m: Any, s: Any, n: Any, t: Any) -> list[Any]:
    r"""KL of two Gumbel laws: :math:`(e^w - 1 - w) + (\log\Gamma(r) + \gamma (r - 1))`, where
    :math:`r = s/t` and :math:`w = (n - m)/t + \log\Gamma(1 + r)`.
    """
    gap = (s - t) / t
    log_r = F.log_ratio(s, t)
    gamma, gamma_size = F.lgamma_excess(s, t)
    w = (n - m) / t + log_r + gamma - F.euler * gap
    unsure = abs(n - m) / t + abs(log_r) + gamma_size + abs(gap)
    return [(F.exp_excess(w), abs(w) * (1 + F.exp(w)) * unsure), (gamma, gamma_size)]


def kl_gammas(p: td.Gamma | td.Exponential, q: td.Gamma | td.Exponential) -> Tensor:
    r"""KL of two gamma laws of concentrations a, b and rates r, s; exponential laws have a = 1.

    .. math::
        b \, h\Bigl(\frac{s a}{r b}\Bigr) + \frac12 h\Bigl(\frac ba\Bigr)
        + \mu(b) - \mu(a) - (b - a) \mu'(a)

    with Binet's convex function :math:`\mu`, the remainder of Stirling's formula.
    """
    if isinstance(p, td.Exponential) and isinstance(q, td.Exponential):
        (r,), (s,) = positive(p, "rate"), positive(q, "rate")
        return _same_family(lambda F, r, s: [F.excess(s, r)], r, s)
    return _same_family(_gammas, *_shape_and_rate(p), *_shape_and_rate(q))


def _shape_and_rate(side: td.Gamma | td.Exponential) -> tuple[Tensor, Tensor]:
    (rate,) = positive(side, "rate")
    if isinstance(side, td.Exponential):
        return torch.ones_like(rate), rate
    (concentration,) = positive(side, "concentration")
    return concentration, rate


def _gammas(F: Any, a: Any, r: Any, b: Any, s: Any) -> list[Any]:
    return [
        b * F.excess(s * a, r * b, F.cross(s, a, r, b)),
        F.excess(b, a) / 2,
        F.binet_excess(b, a),
    ]


def kl_dirichlets(p: td.Dirichlet, q: td.Dirichlet) -> Tensor:
    r"""KL of two Dirichlet laws of concentrations a, b with sums A, B: the sum over i of

    .. math::
        b_i \, h\Bigl(\frac{a_i B}{b_i A}\Bigr) + \frac12 h\Bigl(\frac{b_i}{a_i}\Bigr)
        + \mu(b_i) - \mu(a_i) - (b_i - a_i) \mu'(a_i)

    less the last three terms at the sums.
    """
    (a,), (b,) = positive(p, "concentration"), positive(q, "concentration")
    return evaluate(_dirichlets, (a, b), result_dtype(a, b), events=1, quick=True)


def kl_betas(p: td.Beta, q: td.Beta) -> Tensor:
    """KL of two beta laws, which are Dirichlet laws of two coordinates."""
    return kl_dirichlets(p._dirichlet, q._dirichlet)


def _dirichlets(F: Any, a: Any, b: Any) -> list[Any]:
    d = b - a
    A, B, D = F.sums(a), F.sums(b), F.sums(d)  # of nearly equal laws B - A has lost its digits
    if a.shape[-1] == 2:
        gap, moved = F.cross(a, b[..., [1, 0]], a[..., [1, 0]], b), 0
    else:
        gap = a * D - d * A
        # D is rounded, which moves a share by its derivative
        moved = abs(gap / A) / b * (abs(d) + a * (F.sums(abs(d)) / A)) / 4
    (each, each_size), (whole, whole_size) = F.binet_excess(b, a), F.binet_excess(B, A, D)
    terms = b * F.excess(a * (B / A), b, gap / A) + F.excess(b, a) / 2
    return [
        F.total(terms),
        -F.excess(B, A, D)[..., 0] / 2,
        (F.total(each) - whole[..., 0], F.total(moved + each_size) + whole_size[..., 0]),
    ]


def kl_continuous_bernoullis(p: td.ContinuousBernoulli, q: td.ContinuousBernoulli) -> Tensor:
    r"""KL of two continuous Bernoulli laws, whose densities are proportional to
    :math:`e^{\lambda x}` on [0, 1]: :math:`K(\kappa) - K(\lambda) - (\kappa - \lambda)
    K'(\lambda)` with :math:`K(\lambda) = \log(\sinh(\lambda/2) / (\lambda/2))`.

    References:
        | The continuous Bernoulli: fixing a pervasive error in variational autoencoders
          (Loaiza-Ganem & Cunningham, 2019), equation 8
        | https://arxiv.org/abs/1907.06845
    """
    parameters = tilt_of(p), tilt_of(q)
    dtype = result_dtype(given(p)[0], given(q)[0])
    return evaluate(lambda F, a, b: F.tilt_excess(b, a), parameters, dtype, quick=True)


def tilt_of(side: td.ContinuousBernoulli) -> Tensor:
    """The logit, in float64."""
    x, logits = given(side)
    if logits and bool(x.isinf().any()):
        raise ValueError("logits of ContinuousBernoulli are infinite; it has no density")
    x = x.double()
    return x if logits else x.log() - torch.log1p(-x)


def kl_paretos(p: td.Pareto, q: td.Pareto) -> Tensor:
    r"""KL of two Pareto laws: :math:`h(\beta/\alpha) + \beta \log(\sigma/\tau)`; infinite where p
    starts below q.
    """
    (s, a), (t, b) = positive(p, "scale", "alpha"), positive(q, "scale", "alpha")

    def formula(F: Any, s: Any, a: Any, t: Any, b: Any) -> list[Any]:
        return [F.excess(b, a), b * F.log_ratio(s, t)]

    return evaluate(formula, (s, a, t, b), result_dtype(s, t), infinite=s < t, quick=True)


def kl_uniforms(p: td.Uniform, q: td.Uniform) -> Tensor:
    """KL of two uniforms: infinite unless q covers p, else the log of their lengths' ratio."""
    (a, b), (c, d) = ends_of(p), ends_of(q)

    def formula(F: Any, a: Any, b: Any, c: Any, d: Any) -> list[Any]:
        return [F.log1p((a - c) / (b - a) + (d - b) / (b - a))]

    return evaluate(formula, (a, b, c, d), result_dtype(a, c), infinite=(c > a) | (d < b))


def ends_of(side: td.Uniform) -> tuple[Tensor, Tensor]:
    low, high = finite(side, "low", "high")
    if not bool((low < high).all()):
        raise ValueError("low of Uniform is not below high; it has no density")
    return low, high


def kl_poissons(p: td.Poisson, q: td.Poisson) -> Tensor:
    r"""KL of two Poisson laws: :math:`a \, h(b/a)`, b at a = 0; infinite where only b is 0."""
    (a,), (b,) = not_negative(p, "rate"), not_negative(q, "rate")

    def formula(F: Any, a: Any, b: Any) -> list[Any]:
        return [a * F.excess(b, a)]

    dtype = result_dtype(a, b)
    a, b = torch.broadcast_tensors(a, b)
    never = a == 0  # P is the point 0
    both = torch.where(never, 1, a), torch.where(never, 1, b)
    infinite = ~never & (b == 0)
    value = evaluate(formula, both, dtype, infinite, quick=True)
    return torch.where(never, b.to(dtype), value)


def _scaled(formula: Any, *locations: str) -> Callable[[Law, Law], Tensor]:
    """The KL divergence of laws that a scale determines, and the named locations before it."""

    def kl(p: Law, q: Law) -> Tensor:
        sides = [[*finite(side, *locations), *positive(side, "scale")] for side in (p, q)]
        return _same_family(formula, *sides[0], *sides[1])

    return kl


def _same_family(formula: Any, *parameters: Tensor) -> Tensor:
    return evaluate(formula, parameters, result_dtype(*parameters), quick=True)


FORMULAS: dict[type[td.Distribution], Callable[[Law, Law], Tensor]] = {
    td.Normal: _scaled(_normals, "loc"),
    td.HalfNormal: _scaled(_half_normals),
    td.Laplace: _scaled(_laplaces, "loc"),
    td.Cauchy: _scaled(_cauchys, "loc"),
    td.HalfCauchy: _scaled(_half_cauchys),
    td.Gumbel: _scaled(_gumbels, "loc"),
    td.Beta: kl_betas,
    td.Dirichlet: kl_dirichlets,
    td.ContinuousBernoulli: kl_continuous_bernoullis,
    td.Pareto: kl_paretos,
    td.Uniform: kl_uniforms,
    td.Poisson: kl_poissons,
}
"""The KL divergence of two laws of each family."""
