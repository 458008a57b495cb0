"""KL divergence of two Wishart laws."""

from collections.abc import Callable
from typing import Any

import mpmath
import torch
from torch import Tensor
from torch.distributions import Wishart

from divergences.exact.evaluation import result_dtype, rounded
from divergences.exact.float64 import FLOAT64, ROUNDINGS
from divergences.exact.multivariate_normals import Covariance, assured, kl_centred, log_det
from divergences.exact.parameters import positive


def kl_wisharts(p: Wishart, q: Wishart) -> Tensor:
    r"""KL of two Wishart laws of scales V, W and m, n degrees of freedom.

    .. math::
        m \, \mathrm{KL}(N(0, V) \| N(0, W)) - \frac{n - m}2 \log |W^{-1} V|
        + \log \frac{\Gamma_d(n/2)}{\Gamma_d(m/2)} - \frac{n - m}2 \psi_d(m/2)

    References:
        | Multivariate-gamma conventions: Pattern Recognition and Machine Learning (Bishop, 2006),
          appendix B
        | https://link.springer.com/book/9780387310732
    """
    V, W = Covariance(p), Covariance(q)
    (m,), (n,) = positive(p, "df"), positive(q, "df")
    dtype = result_dtype(
        m, n, V.root.new_empty(0, dtype=V.dtype), W.root.new_empty(0, dtype=W.dtype)
    )
    d = V.root.shape[-1]
    steps = torch.arange(d, dtype=torch.float64, device=m.device)
    a, b = ((x.double().unsqueeze(-1) - steps) / 2 for x in (m, n))
    shape, error = kl_centred(V, W)
    roots = (x.root.diagonal(dim1=-2, dim2=-1) for x in (V, W))
    log_ratio = 2 * FLOAT64.log_ratio(*roots).sum(-1)
    gammas = b * FLOAT64.excess(a, b) + FLOAT64.excess(b, a) / 2 + FLOAT64.binet_excess(b, a)[0]
    skew = (m.double() - n.double()) / 2 * log_ratio
    value = m.double() * shape + skew + gammas.sum(-1)
    error = m.double() * error + ROUNDINGS * skew.abs() * d

    def in_digits(at: Callable[..., Any]) -> Any:
        A, B, f, g = V.in_digits(at), W.in_digits(at), at(m, 0), at(n, 0)
        inverse, ratio = mpmath.inverse(B), log_det(A) - log_det(B)
        total = f / 2 * (sum((inverse * A)[i, i] for i in range(d)) - d) - g / 2 * ratio
        for i in range(d):
            x, y = (f - i) / 2, (g - i) / 2
            total += mpmath.loggamma(y) - mpmath.loggamma(x) - (y - x) * mpmath.digamma(x)
        return total

    return rounded(assured(value, error.detach(), dtype, in_digits, d), dtype)
