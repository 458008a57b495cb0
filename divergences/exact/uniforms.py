"""JS, total variation and Wasserstein distances of two uniform laws."""

import torch
from torch import Tensor
from torch.distributions import Uniform

from divergences import discrete
from divergences.exact.evaluation import result_dtype, rounded
from divergences.exact.same_family import ends_of


def js_uniforms(p: Uniform, q: Uniform) -> Tensor:
    """JS of two uniforms: on the parts inside p only, inside q only and inside both, the two
    densities are constant, so that every f-divergence is that between the masses there."""
    p_only, q_only, both, dtype = _parts(p, q)
    none = torch.zeros_like(both)
    a = torch.stack([p_only, none, both], -1)
    b = torch.stack([none, q_only, both], -1)
    value = discrete.js_divergence(a / a.sum(-1, keepdim=True), b / b.sum(-1, keepdim=True))
    return value.to(dtype)


def tv_uniforms(p: Uniform, q: Uniform) -> Tensor:
    """Total variation of two uniforms: the mass of the longer one outside the other."""
    p_only, q_only, both, dtype = _parts(p, q)
    outside = torch.where(p_only >= q_only, p_only, q_only)
    return (outside / (outside + both)).to(dtype)


def _parts(p: Uniform, q: Uniform) -> tuple[Tensor, Tensor, Tensor, torch.dtype]:
    """Lengths inside p only, inside q only and inside both, and the dtype of the result."""
    given = torch.broadcast_tensors(*ends_of(p), *ends_of(q))
    # a quarter, which is exact, of ends whose differences might overflow
    unit = torch.where(torch.stack([x.double().abs() for x in given]).amax(0) > 1e300, 0.25, 1.0)
    low, high, start, stop = (x.double() * unit for x in given)
    both = torch.relu(torch.minimum(high, stop) - torch.maximum(low, start))
    p_only = torch.relu(torch.minimum(high, start) - low)
    p_only = p_only + torch.relu(high - torch.maximum(low, stop))
    q_only = torch.relu(torch.minimum(stop, low) - start)
    q_only = q_only + torch.relu(stop - torch.maximum(start, high))
    return p_only, q_only, both, result_dtype(*given)


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
    given = torch.broadcast_tensors(*ends_of(p), *ends_of(q))
    a, b, c, d = (x.double() for x in given)
    low, high = a - c, b - d
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
    return rounded(torch.where(apart, size * mean ** (1 / order), 0), result_dtype(*given))
