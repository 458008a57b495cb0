r"""Log-densities in float64 of ``torch.distributions``, where torch's own are clamped or fail.

torch raises weights and probabilities below the smallest float to it, so that a component of
weight 0 gets some mass; it takes the support of a mixture to be that of all components at once;
and it computes in the dtype of the parameters. Here parameters are exact in float64, weights of 0
are 0, and a point off the support has density 0 without an error.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.multivariate_normal import _precision_to_scale_tril
from torch.distributions.transforms import _InverseTransform
from torch.distributions.utils import _sum_rightmost, probs_to_logits

from divergences.numerical.singular_ends import Continued

TINIEST = -1e300
"""Stands for the log-density of a point on the support where float64 overflows."""


def in_double(thing: Any) -> Any:
    """A copy of a distribution or transform whose tensors are float64 on the CPU, unchecked.

    Gradients reach the tensors of the original.
    """
    if isinstance(thing, Tensor):
        thing = thing.cpu()
        return thing.double() if thing.is_floating_point() else thing
    if isinstance(thing, (list, tuple)):
        return type(thing)(in_double(part) for part in thing)
    if isinstance(thing, _InverseTransform):
        return in_double(thing.inv).inv
    if not isinstance(thing, (td.Distribution, td.Transform)):
        return thing
    made: Any = copy.copy(thing)
    if "probs" in vars(made) and "logits" in vars(made):
        _forget_what_was_computed(made)
    for name, value in vars(made).items():
        if isinstance(value, (Tensor, list, td.Distribution, td.Transform)):
            vars(made)[name] = in_double(value)
    if isinstance(thing, td.Distribution):
        made._validate_args = False
    if isinstance(thing, td.MultivariateNormal):
        _factor_again(thing, made)
    if isinstance(thing, td.LKJCholesky):
        made._beta = _squared_rows(made)
    if "_param" in vars(made):
        made._param = vars(made)["probs" if "probs" in vars(made) else "logits"]
    return made


def _factor_again(given: td.MultivariateNormal, made: Any) -> None:
    """Takes the Cholesky factor in float64, of the matrix that was given."""
    order = list(vars(given))  # what torch computes on demand comes after the factor
    for name, factor in (
        ("covariance_matrix", torch.linalg.cholesky),
        ("precision_matrix", _precision_to_scale_tril),
    ):
        if name in order and order.index(name) < order.index("_unbroadcasted_scale_tril"):
            made._unbroadcasted_scale_tril = factor(vars(made)[name])


def _squared_rows(law: td.LKJCholesky) -> td.Beta:
    """Law of the squared norm of each row left of the diagonal.

    With d dimensions and concentration c, that of row k = 1, 2, ... is Beta(k / 2,
    c + (d - 1 - k) / 2). torch's sampler takes Beta(k - 1/2, ...), right for two rows only.
    Random correlation matrices (Lewandowski, Kurowicka & Joe, 2009), section 3.2.
    """
    before = torch.arange(law.dim, dtype=torch.float64).clamp_min(1)
    return td.Beta(before / 2, law.concentration[..., None] + (law.dim - 1 - before) / 2)


def _forget_what_was_computed(law: Any) -> None:
    """Leaves of probabilities and logits those that were given.

    torch computes the others on demand, and clamps what it takes logarithms of.
    """
    binary = not isinstance(law, td.Categorical)
    from_probs = torch.equal(probs_to_logits(law.probs, is_binary=binary), law.logits)
    del vars(law)["logits" if from_probs else "probs"]


def _given_probs(law: Any) -> bool:
    return law._param is vars(law).get("probs")


def log_weights(law: td.Categorical) -> Tensor:
    """Logarithms of the probabilities as they were given: ``-inf`` for 0, unlike torch's."""
    if not _given_probs(law):
        return law.logits.log_softmax(-1)
    return law.probs.log() - law.probs.sum(-1, keepdim=True).log()


def log_density(law: td.Distribution, x: Tensor, continued: Continued | None = None) -> Tensor:
    """Log-density of shape ``(N, *batch)`` at float64 points ``(N, *batch, *event)``.

    Arguments:
        law: Made by :func:`in_double`.
        x: The points; off the support the result is ``-inf``.
        continued: How to continue from these, each component of a mixture on its own.

    Raises:
        NotImplementedError: If the law is a pushforward under a map that is not one-to-one.

    Example:
        >>> pair = td.Uniform(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0]))
        >>> weights = td.Categorical(torch.tensor([1.0, 0.0]))
        >>> mixture = in_double(td.MixtureSameFamily(weights, pair))
        >>> log_density(mixture, torch.tensor([0.5, 2.5], dtype=torch.float64))
        tensor([0., -inf], dtype=torch.float64)
    """
    for kind in type(law).__mro__:
        # a subclass with a formula of its own keeps it
        if type(law).log_prob is not getattr(kind, "log_prob", None):
            continue
        if kind in _MADE_OF_OTHERS:
            return _MADE_OF_OTHERS[kind](law, x, continued)
        if kind in _OURS:
            return _continued(lambda at, f=_OURS[kind]: f(law, at), x, continued)
    return _continued(lambda at: _theirs(law, at), x, continued)


def _continued(
    log_density: Callable[[Tensor], Tensor], x: Tensor, continued: Continued | None
) -> Tensor:
    return log_density(x) if continued is None else continued.log_density(log_density, x)


def _theirs(law: td.Distribution, x: Tensor) -> Tensor:
    event = len(law.event_shape)
    try:
        inside = law.support.check(x)  # type: ignore[union-attr]
    except NotImplementedError:
        return law.log_prob(x)
    inside = inside.expand(x.shape[: x.ndim - event])
    if not inside.all():
        if not inside.any():
            return torch.full(inside.shape, -math.inf, dtype=torch.float64)
        # some laws raise off the support, so ask there about some point on it
        somewhere = x[inside][0]
        x = torch.where(inside.reshape(*inside.shape, *(1,) * event), x, somewhere)
    found = law.log_prob(x)
    if found.shape != inside.shape or not found.is_floating_point():
        return found
    overflowed = inside & found.isneginf()
    return torch.where(inside, torch.where(overflowed, TINIEST, found), -math.inf)


def _independent(law: td.Independent, x: Tensor, continued: Continued | None) -> Tensor:
    dims = law.reinterpreted_batch_ndims

    def for_each(times: Tensor) -> Tensor:
        shape = (*times.shape, *law.base_dist.batch_shape[len(law.batch_shape) :])
        return times.reshape(*times.shape, *(1,) * dims).expand(shape)

    if continued is not None:
        continued = continued.changed(lambda points: points, for_each)
    return _sum_rightmost(log_density(law.base_dist, x, continued), dims)


def _mixture(law: td.MixtureSameFamily, x: Tensor, continued: Continued | None) -> Tensor:
    parts = law.component_distribution

    def for_each(points: Tensor) -> Tensor:
        points = points.unsqueeze(-1 - len(law.event_shape))
        return points.expand(*points.shape[:1], *parts.batch_shape, *parts.event_shape)

    if continued is not None:
        continued = continued.changed(for_each, lambda times: times.unsqueeze(-1))
    weights = log_weights(law.mixture_distribution)
    found = log_density(parts, for_each(x), continued)
    terms = torch.where(weights > -math.inf, weights + found, -math.inf)
    if not terms.requires_grad:
        return terms.logsumexp(-1)
    nowhere = (terms == -math.inf).all(-1)  # the gradient there would be NaN
    terms = torch.where(nowhere[..., None], 0.0, terms)
    return torch.where(nowhere, -math.inf, terms.logsumexp(-1))


def _transformed(law: td.TransformedDistribution, x: Tensor) -> Tensor:
    event, log_volume = len(law.event_shape), torch.zeros((), dtype=torch.float64)
    inside = torch.ones(x.shape[: x.ndim - event], dtype=torch.bool)
    for transform in reversed(law.transforms):
        if not transform.bijective:
            raise NotImplementedError(
                f"the pushforward under {type(transform).__name__} has no density by change of "
                "variables, as several points share an image; give a law with its own log_prob"
            )
        reached = transform.codomain.check(x)  # type: ignore[attr-defined]
        inside = inside & _all_rightmost(reached, reached.ndim - inside.ndim)
        y: Tensor = transform.inv(x)  # type: ignore[assignment]
        event += transform.domain.event_dim - transform.codomain.event_dim  # type: ignore
        volume = torch.as_tensor(_log_volume(transform, y, x))
        log_volume = log_volume + _sum_rightmost(volume, event - transform.domain.event_dim)  # type: ignore
        x = y
    if is_discrete(law.base_dist):  # masses move without being stretched
        whole, log_volume = x.round(), torch.zeros_like(log_volume)
        x = torch.where((x - whole).abs() <= 1e-9 * whole.abs().clamp(min=1), whole, x)
    base = log_density(law.base_dist, x)
    base = _sum_rightmost(base, event - len(law.base_dist.event_shape))
    inside = inside & (base > -math.inf)
    return torch.where(inside, base - log_volume, -math.inf)


def _log_volume(transform: td.Transform, x: Tensor, y: Tensor) -> Tensor:
    if isinstance(transform, td.PowerTransform):  # torch divides y by x, and both may underflow
        exponent = torch.as_tensor(transform.exponent)
        return exponent.abs().log() + (1 - 1 / exponent) * y.log()
    return transform.log_abs_det_jacobian(x, y)


def _all_rightmost(flags: Tensor, dims: int) -> Tensor:
    return flags.flatten(-dims).all(-1) if dims > 0 else flags


def _normal(law: td.Normal, x: Tensor) -> Tensor:
    z = (x - law.loc) / law.scale  # torch squares the scale, which underflows below 1e-162
    found = -z.square() / 2 - law.scale.log() - math.log(2 * math.pi) / 2
    return torch.where(found.isneginf(), TINIEST, found)


def _uniform(law: td.Uniform, x: Tensor) -> Tensor:
    inside = (law.low <= x) & (x <= law.high)  # torch leaves the upper end out
    return torch.where(inside, -(law.high - law.low).log(), -math.inf)


def _weibull(law: td.Weibull, x: Tensor) -> Tensor:
    k, log = law.concentration, (x / law.scale).log()
    found = k.log() - law.scale.log() + (k - 1) * log - (k * log).exp()
    found = torch.where(found.isneginf(), TINIEST, found)
    return torch.where((x > 0) & (x < math.inf), found, -math.inf)


def _kumaraswamy(law: td.Kumaraswamy, x: Tensor) -> Tensor:
    a, b, log = law.concentration1, law.concentration0, x.log()
    found = a.log() + b.log() + (a - 1) * log + (b - 1) * (-torch.expm1(a * log)).log()
    return torch.where((x > 0) & (x < 1), found, -math.inf)


def _generalised_pareto(law: td.GeneralizedPareto, x: Tensor) -> Tensor:
    c, z = law.concentration, (x - law.loc) / law.scale
    bend, power = c * z, 1 + 1 / c
    inside = (z >= 0) & (bend >= -1)
    curved = torch.where(power == 0, 0.0, power * torch.log1p(torch.where(inside, bend, 0.0)))
    line = z + bend - bend * z / 2  # where c is too small for a power
    found = -law.scale.log() - torch.where(bend.abs() < 1e-8, line, curved)
    return torch.where(inside, torch.where(found.isneginf(), TINIEST, found), -math.inf)


def _von_mises(law: td.VonMises, x: Tensor) -> Tensor:
    inside = (-math.pi <= x) & (x <= math.pi)  # where it draws; torch repeats it along the line
    return torch.where(inside, law.log_prob(x), -math.inf)


def _continuous_bernoulli(law: td.ContinuousBernoulli, x: Tensor) -> Tensor:
    half = _logits(law) / 2
    small = half.abs() < 1e-3
    size = torch.where(small, 1.0, half.abs())
    exact = size + torch.log1p(-(-2 * size).exp()) - math.log(2) - size.log()
    log_sinh_ratio = torch.where(small, half.square() / 6, exact)  # log (sinh h / h)
    inside = (x >= 0) & (x <= 1)
    return torch.where(inside, half * (2 * x - 1) - log_sinh_ratio, -math.inf)


def _logits(law: td.Bernoulli | td.ContinuousBernoulli) -> Tensor:
    if not _given_probs(law):
        return law.logits
    return law.probs.logit()


def _bernoulli(law: td.Bernoulli, x: Tensor) -> Tensor:
    logits = _logits(law)
    log_mass = torch.nn.functional.logsigmoid(torch.where(x == 1, logits, -logits))
    return torch.where((x == 0) | (x == 1), log_mass, -math.inf)


def _categorical(law: td.Categorical, x: Tensor) -> Tensor:
    weights = log_weights(law)
    inside = (x == x.round()) & (x >= 0) & (x < weights.shape[-1])
    index = torch.where(inside, x, 0.0).long()
    shape = torch.broadcast_shapes(index.shape, weights.shape[:-1])
    found = weights.expand(*shape, -1).gather(-1, index.expand(shape)[..., None])[..., 0]
    return torch.where(inside, found, -math.inf)


def _one_hot(law: td.OneHotCategorical, x: Tensor) -> Tensor:
    inside = ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1)
    found = torch.where(x == 1, log_weights(law._categorical), 0.0).sum(-1)
    return torch.where(inside, found, -math.inf)


_MADE_OF_OTHERS: dict[type, Callable[[Any, Tensor, Continued | None], Tensor]] = {
    td.Independent: _independent,
    td.MixtureSameFamily: _mixture,
}
_OURS: dict[type, Callable[[Any, Tensor], Tensor]] = {
    td.Bernoulli: _bernoulli,
    td.Categorical: _categorical,
    td.ContinuousBernoulli: _continuous_bernoulli,
    td.GeneralizedPareto: _generalised_pareto,  # torch's own fails in float64
    td.Kumaraswamy: _kumaraswamy,
    td.Normal: _normal,
    td.OneHotCategorical: _one_hot,
    td.TransformedDistribution: _transformed,
    td.Uniform: _uniform,
    td.VonMises: _von_mises,
    td.Weibull: _weibull,
}


def is_discrete(law: td.Distribution) -> bool:
    """Whether its values can be counted, so that its ``log_prob`` is of a mass."""
    if isinstance(law, td.TransformedDistribution | td.Independent):
        return is_discrete(law.base_dist)
    if isinstance(law, td.MixtureSameFamily):
        return is_discrete(law.component_distribution)
    try:
        support = law.support
        return bool(support is not None and support.is_discrete)
    except NotImplementedError:
        return False


_THIN = (
    type(constraints.simplex),
    type(constraints.corr_cholesky),
    type(constraints.positive_definite),
    type(constraints.positive_semidefinite),
    type(constraints.lower_cholesky),
)


def measure_of(law: td.Distribution) -> str:
    """What its density is with respect to: counting, volume, or a thinner set's own volume."""
    if is_discrete(law):
        return "counting"
    try:
        support: Any = law.support
    except NotImplementedError:
        return "volume"
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return type(support).__name__.strip("_").lower() if isinstance(support, _THIN) else "volume"
