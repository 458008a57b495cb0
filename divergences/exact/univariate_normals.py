"""Total variation and Wasserstein distances of normal laws on the line."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from divergences.exact.evaluation import evaluate, result_dtype, rounded
from divergences.exact.parameters import finite, not_negative, positive


def tv_normals(p: Normal, q: Normal) -> Tensor:
    """Total variation of two normals, for any scales."""
    (m, n), (s, t) = locations(p, q), (*positive(p, "scale"), *positive(q, "scale"))
    return tv_line(m, s, n, t, result_dtype(m, s, n, t))


def locations(p: Normal, q: Normal) -> tuple[Tensor, Tensor]:
    return (*finite(p, "loc"), *finite(q, "loc"))  # type: ignore[return-value]


def tv_line(m: Tensor, s: Tensor, n: Tensor, t: Tensor, dtype: torch.dtype) -> Tensor:
    r"""Total variation of N(m, s^2) and N(n, t^2).

    For equal scales, :math:`2 \Phi(|m - n| / 2 s) - 1`. Otherwise the mass by which the narrower
    one exceeds the wider between the two points where the densities are equal.
    """
    m, s, n, t = torch.broadcast_tensors(*(x.double() for x in (m, s, n, t)))
    equal = s == t
    shift = torch.where(m < n, n - m, m - n)  # mirrored, so that the wider lies to the right
    middle = s + (t - s) / 2  # where they are equal each has half of the gradient
    shifted = torch.erf(shift / (middle * math.sqrt(8)))
    narrow, wide = torch.where(s > t, t, s), torch.where(s > t, s, torch.where(equal, 2 * s, t))
    if bool(equal.all()):
        return shifted.to(dtype)
    return torch.where(
        equal, shifted.to(dtype), evaluate(_excess_mass, (shift, narrow, wide), dtype)
    )


def _excess_mass(F: Any, shift: Any, narrow: Any, wide: Any) -> list[Any]:
    r"""In units of the narrower scale, with r < 1 the ratio of the scales and d the shift over the
    wider scale, the points solve :math:`(1 - r^2) z^2 + 2 r d z = d^2 - 2 \log r`.

    Moving them does not change the mass to first order, so they take no part in the gradient.
    """
    r, d = F.fixed(narrow / wide), F.fixed(shift / wide)
    bend = F.fixed((wide - narrow) / wide) * (1 + r)
    far = d**2 - 2 * F.log(r)
    slope = r * d + F.sqrt(d**2 - 2 * F.log(r) * bend)
    start, stop = F.fixed(narrow) * (-slope / bend), F.fixed(narrow) * (far / slope)
    return [
        F.ndtr(stop / narrow),
        -F.ndtr(start / narrow),
        -F.ndtr((stop - shift) / wide),
        F.ndtr((start - shift) / wide),
    ]


def wasserstein_normals(p: Normal, q: Normal, order: float) -> Tensor:
    """W of two normals: orders 1 and 2, and every order for equal scales.

    A scale of 0, a point, is allowed.
    """
    m, n = locations(p, q)
    (s,), (t,) = not_negative(p, "scale"), not_negative(q, "scale")
    return wasserstein_line(m, s, n, t, order, result_dtype(m, s, n, t))


def wasserstein_line(
    m: Tensor, s: Tensor, n: Tensor, t: Tensor, order: float, dtype: torch.dtype
) -> Tensor:
    """W of N(m, s^2) and N(n, t^2): the norm of (m - n) + (s - t) Z for a standard normal Z."""
    shift, stretch = torch.broadcast_tensors(m.double() - n.double(), s.double() - t.double())
    if order == 2:
        return rounded(length(torch.stack([shift, stretch], -1)), dtype)
    if order == 1:
        mean, sd = shift.abs(), stretch.abs()
        folded = sd > mean / 30  # otherwise exp(-450) and nothing is folded
        ratio = torch.where(folded, mean, 0) / torch.where(folded, sd, 1)
        tail = math.sqrt(2 / math.pi) * sd * torch.exp(-(ratio**2) / 2)
        value = torch.where(folded, tail + mean * torch.erf(ratio / math.sqrt(2)), mean)
        return rounded(value, dtype)
    if not bool((stretch.abs() <= 8 * torch.finfo(dtype).eps * shift.abs()).all()):
        raise NotImplementedError(
            f"normals of different scales have one at orders 1 and 2, not at {order}"
        )
    return rounded(shift.abs() + 0 * stretch, dtype)  # to first order it depends on shift alone


def length(x: Tensor) -> Tensor:
    """Euclidean norm along the last dimension, of which no square overflows."""
    with torch.no_grad():
        unit = x.abs().amax(-1, keepdim=True)
        unit = torch.where(unit > 0, unit, 1)
    return torch.linalg.vector_norm(x / unit, dim=-1) * unit[..., 0]
