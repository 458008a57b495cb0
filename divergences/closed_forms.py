r"""The formulas behind :mod:`divergences.exact`, one per kind of distribution and divergence.

Each takes two distributions that :mod:`divergences.exact` has checked, with batch shapes that
broadcast, and raises ``NotImplementedError(why)`` where its formula does not reach. Differentiable
in the parameters; where a distance has a kink (at P = Q), the gradient is one of its subgradients.
A formula that needs equal covariances is differentiated along equal covariances only.
"""

from __future__ import annotations

import math

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

from divergences import discrete

# ---------------------------------------------------------------- Categorical and Bernoulli


def kl_masses(p: Categorical | Bernoulli, q: Categorical | Bernoulli) -> Tensor:
    """KL of two distributions on finitely many points."""
    a, b = _masses(p), _masses(q)
    value = discrete.kl_divergence(a, b)
    log_b = _log_masses(q)
    # A mass that underflowed is no zero: the logit it came from is finite, and lower than the
    # logarithms torch makes of given probabilities, which it clamps at log(eps).
    lost = (b == 0) & (log_b < math.log(torch.finfo(b.dtype).eps) - 1) & log_b.isfinite()
    if not lost.any():
        return value
    impossible = ((a > 0) & (b == 0) & ~lost).any(-1)
    terms = torch.where(
        (a > 0) & log_b.isfinite(), a * log_b.clamp(min=-torch.finfo(b.dtype).max), 0
    )
    return torch.where(lost.any(-1) & ~impossible, -terms.sum(-1) - discrete.entropy(a), value)


def js_masses(p: Categorical | Bernoulli, q: Categorical | Bernoulli) -> Tensor:
    """JS of two distributions on finitely many points."""
    return discrete.js_divergence(_masses(p), _masses(q))


def tv_masses(p: Categorical | Bernoulli, q: Categorical | Bernoulli) -> Tensor:
    """Total variation of two distributions on finitely many points."""
    return discrete.total_variation(_masses(p), _masses(q))


def wasserstein_bernoullis(p: Bernoulli, q: Bernoulli, order: float) -> Tensor:
    """W of two distributions on 0 and 1: the mass to move, which goes a distance of 1."""
    return _root((p.probs - q.probs).abs(), order)


def wasserstein_categoricals(p: Categorical, q: Categorical, order: float) -> Tensor:
    r"""W of two distributions on 0, 1, 2, ..., from their quantile functions.

    .. math:: W_r^r = \int_0^1 |F^{-1}(t) - G^{-1}(t)|^r \, dt

    The integral is rounded at ``eps``, so its root is off by up to ``eps ** (1 / r)``.

    References:
        | Computational Optimal Transport (Peyré & Cuturi, 2019), remark 2.30
        | https://arxiv.org/abs/1803.00567
    """
    if p.probs.shape[-1] != q.probs.shape[-1]:
        raise ValueError(
            f"p has {p.probs.shape[-1]} categories and q {q.probs.shape[-1]}; give both the same, "
            "some of probability zero"
        )
    a, b = torch.broadcast_tensors(p.probs, q.probs)
    F, G = a.cumsum(-1), b.cumsum(-1)
    F, G = F / F[..., -1:], G / G[..., -1:]  # both end at 1 exactly, whatever rounding did
    levels = torch.cat([F, G], -1).sort(-1).values
    lengths = torch.diff(levels, prepend=torch.zeros_like(levels[..., :1]))
    steps = (torch.searchsorted(F, levels) - torch.searchsorted(G, levels)).abs()
    return _root((lengths * steps.to(lengths.dtype) ** order).sum(-1), order)


def _root(x: Tensor, order: float) -> Tensor:
    """The root of a given order; its gradient at zero, where the true one is infinite, is zero."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1) ** (1 / order), 0)


def _masses(side: Categorical | Bernoulli) -> Tensor:
    """Probabilities of 0, 1, 2, ... along a last dimension."""
    if isinstance(side, Categorical):
        return side.probs
    eps = torch.finfo(side.probs.dtype).eps
    # 1 - probs loses digits that the logits still have; but torch clamps the logits it makes of
    # given probabilities, so that only 1 - probs is exact when these are all but 1
    clamped = (side.probs > 1 - eps) & (side.logits < 0.1 - math.log(eps))
    zero = torch.where(clamped, 1 - side.probs, torch.sigmoid(-side.logits))
    return torch.stack([zero, side.probs], -1)


def _log_masses(side: Categorical | Bernoulli) -> Tensor:
    if isinstance(side, Categorical):
        return side.logits
    return torch.nn.functional.logsigmoid(torch.stack([-side.logits, side.logits], -1))


# ---------------------------------------------------------------------------------- Uniform


def kl_uniforms(p: Uniform, q: Uniform) -> Tensor:
    """KL of two uniforms: infinite unless q covers p, else the log of their lengths' ratio."""
    return discrete.kl_divergence(*_cells(p, q))


def js_uniforms(p: Uniform, q: Uniform) -> Tensor:
    """JS of two uniforms."""
    return discrete.js_divergence(*_cells(p, q))


def tv_uniforms(p: Uniform, q: Uniform) -> Tensor:
    """Total variation of two uniforms."""
    return discrete.total_variation(*_cells(p, q))


def _cells(p: Uniform, q: Uniform) -> tuple[Tensor, Tensor]:
    """Masses on: inside p only, inside q only, inside both.

    Both densities are constant on each, so every f-divergence is that between the masses.
    """
    both = torch.relu(torch.minimum(p.high, q.high) - torch.maximum(p.low, q.low))
    none = torch.zeros_like(both)
    p_only, q_only = _outside(p, q), _outside(q, p)
    a = torch.stack([p_only, none, both], -1)
    b = torch.stack([none, q_only, both], -1)
    return a / a.sum(-1, keepdim=True), b / b.sum(-1, keepdim=True)


def _outside(p: Uniform, q: Uniform) -> Tensor:
    """Length of the part of p's interval outside q's."""
    left = torch.minimum(p.high, q.low) - p.low
    right = p.high - torch.maximum(p.low, q.high)
    return torch.relu(left) + torch.relu(right)


def wasserstein_uniforms(p: Uniform, q: Uniform, order: float) -> Tensor:
    r"""W of two uniforms, whose quantile functions differ by a linear function of the level.

    With the differences M and m at the two ends, M the larger in size, and x = m/M:

    .. math::
        W_r^r = \int_0^1 |M + (m - M) t|^r \, dt
        = |M|^r \, \frac{1 - x |x|^r}{(r + 1) (1 - x)}

    References:
        | Computational Optimal Transport (Peyré & Cuturi, 2019), remark 2.30
        | https://arxiv.org/abs/1803.00567
    """
    low, high = torch.broadcast_tensors(p.low - q.low, p.high - q.high)
    largest = torch.maximum(low.abs(), high.abs())
    apart = largest > 0
    size = torch.where(apart, largest, 1)
    x = torch.minimum(low.abs(), high.abs()) * torch.where((low < 0) == (high < 0), 1, -1) / size
    near = x > 0.5  # two ends moved almost alike: 0/0, resolved by expm1 and by its limit
    gap = torch.where(near, (low - high).abs() / size, 0)
    moved = gap > 0
    gap = torch.where(moved, gap, 0.5)
    limit = torch.where(moved, -torch.expm1((order + 1) * torch.log1p(-gap)) / gap, order + 1)
    x = torch.where(near, 0, x)
    mean = torch.where(near, limit, (1 - x * x.abs() ** order) / (1 - x)) / (order + 1)
    return torch.where(apart, size * mean ** (1 / order), 0)


# ----------------------------------------------------------------------- Gaussians on the line


def tv_normals(p: Normal, q: Normal) -> Tensor:
    """Total variation of two normals, for any scales."""
    return _tv_line(p.loc, p.scale, q.loc, q.scale)


def wasserstein_normals(p: Normal, q: Normal, order: float) -> Tensor:
    """W of two normals: orders 1 and 2, and every order for equal scales."""
    return _wasserstein_line(p.loc, p.scale, q.loc, q.scale, order)


def _tv_line(m: Tensor, s: Tensor, n: Tensor, t: Tensor) -> Tensor:
    r"""Total variation of N(m, s^2) and N(n, t^2): the mass by which the narrower one exceeds
    the wider between the two points where the densities are equal.

    In units of the narrower one, with r <= 1 the ratio of the scales and d the shift over the
    wider scale, the points solve :math:`(1 - r^2) z^2 + 2 r d z = d^2 - 2 \log r`; at r = 1 one of
    them is minus infinity.
    """
    m, s, n, t = torch.broadcast_tensors(m, s, n, t)
    swap = s > t
    narrow, wide = torch.where(swap, t, s), torch.where(swap, s, t)
    shift = torch.where(m < n, n - m, m - n)  # mirrored, so that the wider lies to the right
    with torch.no_grad():  # the best event need not move for the derivative to be right
        r = narrow / wide
        d = (shift / wide).clamp(max=1e8)  # whose square does not overflow; the result is 1 anyway
        gap = (wide - narrow) / wide
        twice_log = -2 * r.log()
        bend = gap * (1 + r)
        slope = r * d + (d**2 + twice_log * bend).sqrt()
        equal = slope == 0
        start = narrow * torch.where(equal, -math.inf, -slope / bend)
        stop = narrow * torch.where(equal, -math.inf, (d**2 + twice_log) / slope)
    return _mass(start, stop, torch.zeros_like(shift), narrow) - _mass(start, stop, shift, wide)


def _mass(start: Tensor, stop: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Mass of a normal between two points, either of which may be minus infinity."""
    below = []
    for edge in (start, stop):
        inside = edge.isfinite()
        z = (torch.where(inside, edge, 0) - mean) / scale
        below.append(torch.where(inside, torch.special.ndtr(z), 0))
    return below[1] - below[0]


def _wasserstein_line(m: Tensor, s: Tensor, n: Tensor, t: Tensor, order: float) -> Tensor:
    """W of N(m, s^2) and N(n, t^2): the norm of (m - n) + (s - t) Z for a standard normal Z."""
    shift, stretch = torch.broadcast_tensors(m - n, s - t)
    if order == 2:
        return torch.linalg.vector_norm(torch.stack([shift, stretch], -1), dim=-1)
    if order == 1:
        mean, sd = shift.abs(), stretch.abs()
        folded = sd > mean / 30  # otherwise exp(-450) and nothing is folded
        ratio = torch.where(folded, mean, 0) / torch.where(folded, sd, 1)
        tail = math.sqrt(2 / math.pi) * sd * torch.exp(-(ratio**2) / 2)
        return torch.where(folded, tail + mean * torch.erf(ratio / math.sqrt(2)), mean)
    if not torch.isclose(s, t, rtol=_rounding(s), atol=0).all():
        raise NotImplementedError(
            f"normals of different scales have one at orders 1 and 2, not at {order}"
        )
    return shift.abs()


# --------------------------------------------------- MultivariateNormal and Independent(Normal)


def kl_gaussians(p: Distribution, q: Distribution) -> Tensor:
    """KL of two Gaussians of different types, by torch's formula for one."""
    (m, a), (n, b) = _gaussian(p), _gaussian(q)
    return torch.distributions.kl_divergence(
        MultivariateNormal(m, scale_tril=a), MultivariateNormal(n, scale_tril=b)
    )


def tv_gaussians(p: Distribution, q: Distribution) -> Tensor:
    r"""Total variation of two Gaussians that share their covariance, or live on a line.

    .. math:: \mathrm{TV} = 2 \Phi(\delta / 2) - 1, \quad
        \delta^2 = (m - n)^\top \Sigma^{-1} (m - n)
    """
    (m, a), (n, b) = _gaussian(p), _gaussian(q)
    if m.shape[-1] == 1:
        return _tv_line(m[..., 0], a[..., 0, 0], n[..., 0], b[..., 0, 0])
    if not _same_covariance(a, b):
        raise NotImplementedError("Gaussians have one on the line, or for equal covariances")
    shift = torch.linalg.solve_triangular(a, (m - n).unsqueeze(-1), upper=False).squeeze(-1)
    return torch.erf(torch.linalg.vector_norm(shift, dim=-1) / math.sqrt(8))


def wasserstein_gaussians(p: Distribution, q: Distribution, order: float) -> Tensor:
    r"""W of two Gaussians: order 2, every order for equal covariances, order 1 on the line.

    .. math:: W_2^2 = \|m - n\|^2 + \min_{U \in O(d)} \|A - B U\|_F^2

    with A and B any square roots of the covariances. The minimum is the Bures distance,
    :math:`\mathrm{tr}(AA^\top + BB^\top) - 2 \|B^\top A\|_*`, without its cancellation, and moving
    the parameters leaves U the best rotation to first order, so U takes no part in the gradient.

    References:
        | On the Bures-Wasserstein Distance between Positive Definite Matrices (Bhatia, Jain &
          Lim, 2019), theorem 1
        | https://arxiv.org/abs/1712.01504
    """
    (m, a), (n, b) = _gaussian(p), _gaussian(q)
    if m.shape[-1] == 1:
        return _wasserstein_line(m[..., 0], a[..., 0, 0], n[..., 0], b[..., 0, 0], order)
    shift = m - n
    if order != 2:
        if not _same_covariance(a, b):
            raise NotImplementedError(
                f"Gaussians of different covariances have one at order 2, not at {order}"
            )
        return torch.linalg.vector_norm(shift, dim=-1)  # a translation
    with torch.no_grad():
        left, _, right = torch.linalg.svd(b.mT @ a)
    stretch = (a - b @ (left @ right)).flatten(-2)
    shift = shift.expand(*stretch.shape[:-1], shift.shape[-1])
    return torch.linalg.vector_norm(torch.cat([shift, stretch], -1), dim=-1)


def _gaussian(side: Distribution) -> tuple[Tensor, Tensor]:
    """Mean and lower-triangular root of the covariance."""
    if isinstance(side, MultivariateNormal):
        return side.loc, side.scale_tril
    base = side.base_dist if isinstance(side, Independent) else side
    if isinstance(base, Normal) and len(side.event_shape) == 1:
        return base.loc, torch.diag_embed(base.scale)
    raise NotImplementedError("of all Independent distributions, only vectors of Normals have one")


def _same_covariance(a: Tensor, b: Tensor) -> bool:
    """Whether all covariances agree to the rounding of a Cholesky factor times itself."""
    P, Q = a @ a.mT, b @ b.mT
    sd = P.diagonal(dim1=-2, dim2=-1).sqrt()
    size = sd.unsqueeze(-1) * sd.unsqueeze(-2)
    return bool(((P - Q).abs() <= _rounding(a) * (a.shape[-1] + 1) * size).all())


def _rounding(x: Tensor) -> float:
    return 8 * torch.finfo(x.dtype).eps
