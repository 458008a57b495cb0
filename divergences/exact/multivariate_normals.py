r"""Divergences of Gaussians: of MultivariateNormal, of LowRankMultivariateNormal, and of vectors
of independent normals, in any combination.

Each is a mean and a triangular root of its covariance, computed in float64 from the matrix that
was given. What rounding may have done to a KL divergence or to a total variation is bounded from
the condition of the roots; where that might show, vectors of few coordinates are computed again
with more digits, and those of many are refused.
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import torch
import torch.distributions as td
from torch import Tensor

from divergences.exact.digits import numbers
from divergences.exact.evaluation import few_enough, result_dtype, rounded
from divergences.exact.float64 import FLOAT64, ROUNDINGS
from divergences.exact.parameters import finite, positive
from divergences.exact.univariate_normals import length, tv_line, wasserstein_line

FEW = 12  # coordinates that may be computed with more digits
DIGITS = 100
MANY = 256  # coordinates above which low rank is not multiplied out


class Covariance:
    """A covariance, as it was given.

    Attributes:
        root: Its lower-triangular root in float64.
        is_root: Whether the root itself was given, and so has no rounding error.
        given: The tensors it was given by, each with its number of dimensions without the batch.
        combine: The covariance from these, on numpy arrays of mpmath's numbers.
        dtype: Of what was given.
    """

    root: Tensor
    is_root: bool
    given: list[tuple[Tensor, int]]
    combine: Callable[..., Any]
    dtype: torch.dtype

    def __init__(self, side: td.MultivariateNormal | td.Wishart) -> None:
        root, held = side._unbroadcasted_scale_tril, vars(side)
        self.is_root, self.dtype = False, root.dtype
        covariance, precision = held.get("covariance_matrix"), held.get("precision_matrix")
        alone = sum(x is not None for x in (covariance, precision, held.get("scale_tril"))) == 1
        if covariance is not None and (alone or _differs(covariance, lambda: root @ root.mT)):
            _refuse_infinite(side, "covariance_matrix", covariance)
            self.given, self.combine = [(covariance, 2)], lambda x: x
            self.root = _cholesky(covariance, side)
        elif precision is not None and (
            alone or _differs(precision, lambda: torch.cholesky_inverse(root))
        ):
            _refuse_infinite(side, "precision_matrix", precision)
            self.given, self.combine = [(precision, 2)], _inverse
            inverse_root = _cholesky(precision.flip(-2, -1), side).flip(-2, -1).mT
            self.root = _solve(inverse_root, _one(inverse_root).expand_as(inverse_root))
        else:
            _refuse_infinite(side, "scale_tril", root)
            if not bool((root.diagonal(dim1=-2, dim2=-1) > 0).all()):
                raise ValueError("scale_tril has a diagonal that is not positive")
            if bool(root.triu(1).any()):
                raise ValueError("scale_tril is not lower triangular; pass torch.linalg.cholesky")
            self.is_root = True
            self.root = root.double().tril()
            self.given, self.combine = [(self.root, 2)], lambda x: x @ x.T

    def in_digits(self, at: Callable[..., Any]) -> Any:
        """The covariance with more digits, at one member of the batch."""
        return mpmath.matrix(self.combine(*(at(x, events) for x, events in self.given)).tolist())


class _LowRank(Covariance):
    def __init__(self, side: td.LowRankMultivariateNormal) -> None:
        (factor,), (diagonal,) = finite(side, "cov_factor"), positive(side, "cov_diag")
        self.is_root, self.dtype = False, result_dtype(factor, diagonal)
        self.given = [(factor, 2), (diagonal, 1)]
        self.combine = lambda w, d: w @ w.T + np.diag(d)
        stacked = torch.cat([factor.double().mT, torch.diag_embed(diagonal.double().sqrt())], -2)
        root = torch.linalg.qr(stacked, mode="r").R.mT  # never adds the squares
        self.root = root * root.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


class _Diagonal(Covariance):
    def __init__(self, side: td.Normal) -> None:
        (scale,) = positive(side, "scale")
        self.is_root, self.dtype = True, scale.dtype
        self.given, self.combine = [(scale, 1)], lambda s: np.diag(s * s)
        self.root = torch.diag_embed(scale.double())


def _differs(matrix: Tensor, derived: Callable[[], Tensor]) -> bool:
    """Whether a matrix is another than the one torch derives from the root, and keeps as well."""
    with torch.no_grad():
        return not torch.equal(matrix, derived().expand_as(matrix))


def _cholesky(matrix: Tensor, side: td.Distribution) -> Tensor:
    root, failed = torch.linalg.cholesky_ex(matrix.double())
    if bool(failed.any()):
        raise ValueError(
            f"the matrix of {type(side).__name__} is not positive definite in float64, though its "
            "rounded root exists; pass scale_tril, or a matrix further from singular"
        )
    return root


def _refuse_infinite(side: td.Distribution, name: str, x: Tensor) -> None:
    if not bool(x.isfinite().all()):
        raise ValueError(f"{name} of {type(side).__name__} is not finite")


def _gaussian(side: td.Distribution) -> tuple[Tensor, Covariance, torch.dtype]:
    """Mean in float64, covariance, dtype."""
    base, kind = side, Covariance
    if isinstance(side, td.Independent):
        base, kind = side.base_dist, _Diagonal
        if not isinstance(base, td.Normal) or len(side.event_shape) != 1:
            raise NotImplementedError(
                "of all Independent distributions, only vectors of Normals have one"
            )
    elif isinstance(side, td.LowRankMultivariateNormal):
        kind = _LowRank
    (loc,) = finite(base, "loc")
    covariance = kind(base)  # type: ignore[arg-type]
    return loc.double(), covariance, result_dtype(loc, torch.empty(0, dtype=covariance.dtype))


def kl_gaussians(p: td.Distribution, q: td.Distribution) -> Tensor:
    r"""KL of two Gaussians, with :math:`X = B^{-1} A` for roots A and B of their covariances:

    .. math::
        \sum_i (X_{ii} - 1 - \log X_{ii}) + \tfrac12 \|X - I\|_F^2
        + \tfrac12 \|B^{-1} (m - n)\|^2
    """
    low_rank = all(isinstance(d, td.LowRankMultivariateNormal) for d in (p, q))
    if low_rank and p.event_shape[0] > MANY:
        return _kl_low_rank(p, q)
    (m, P, first), (n, Q, second) = _gaussian(p), _gaussian(q)
    shape, shape_error = kl_centred(P, Q)
    shift, shift_error = _standardised(m - n, Q)
    value = shape + shift.square().sum((-2, -1)) / 2

    def in_digits(at: Callable[..., Any]) -> Any:
        M, N, d = P.in_digits(at), Q.in_digits(at), mpmath.matrix(at(m, 1) - at(n, 1))
        inverse = mpmath.inverse(N)
        trace = sum((inverse * M)[i, i] for i in range(M.rows))
        return (trace - M.rows + (d.T * inverse * d)[0] + log_det(N) - log_det(M)) / 2

    dtype = torch.promote_types(first, second)
    value = assured(value, shape_error + shift_error, dtype, in_digits, m.shape[-1])
    return rounded(value, dtype)


def _kl_low_rank(p: Any, q: Any) -> Tensor:
    """KL of two Gaussians of low rank by torch's formula in float64, which needs no square matrix.

    Its terms cancel, by as much as their sizes tell.
    """
    parts = [
        [x.double() for x in (*finite(d, "loc", "cov_factor"), *positive(d, "cov_diag"))]
        for d in (p, q)
    ]
    double = [td.LowRankMultivariateNormal(*x, validate_args=False) for x in parts]
    value = torch.distributions.kl_divergence(*double)
    with torch.no_grad():
        (_, W, D), (_, _, E) = parts
        size = D.log().abs().sum(-1) + E.log().abs().sum(-1) + (D / E).sum(-1)
        size = size + (W.square() / E.unsqueeze(-1)).sum((-2, -1)) + p.event_shape[0] + value
        inner = [d._capacitance_tril.diagonal(dim1=-2, dim2=-1) for d in double]
        spread = sum((x.amax(-1) / x.amin(-1)).square() for x in inner)
        error = ROUNDINGS * size * spread
    dtype = result_dtype(
        *(getattr(d, x) for d in (p, q) for x in ("loc", "cov_factor", "cov_diag"))
    )
    return rounded(assured(value, error, dtype, lambda at: None, p.event_shape[0]), dtype)


def kl_centred(P: Covariance, Q: Covariance) -> tuple[Tensor, Tensor]:
    """KL of two Gaussians of equal means, and a bound of its rounding error."""
    a, b = P.root, Q.root
    x = _solve(b, a - b)  # less the identity
    diagonals = a.diagonal(dim1=-2, dim2=-1), b.diagonal(dim1=-2, dim2=-1)
    value = FLOAT64.excess(*diagonals).sum(-1) + x.square().sum((-2, -1)) / 2
    with torch.no_grad():
        size = x.abs()
        moved = _condition(Q) @ (size if Q.is_root else size + _one(size))
        if not P.is_root:
            moved = moved + (size + _one(size)) @ _condition(P)
    return value, ROUNDINGS * (size * moved).sum((-2, -1))


def _standardised(shift: Tensor, Q: Covariance) -> tuple[Tensor, Tensor]:
    """The shift in units of a Gaussian, and the error of half its square."""
    x = _solve(Q.root, shift.unsqueeze(-1))
    with torch.no_grad():
        error = ROUNDINGS * (x.abs() * (_condition(Q) @ x.abs())).sum((-2, -1))
    return x, error


def _one(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _solve(root: Tensor, right: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(root, right, upper=False)


def _condition(covariance: Covariance) -> Tensor:
    """By what errors of a solution exceed its roundings: Skeel's matrix of a given root, and that
    times its transpose where the root was computed."""
    root = covariance.root.detach()
    skeel = _solve(root, _one(root).expand_as(root)).abs() @ root.abs()
    return skeel if covariance.is_root else skeel @ skeel.mT


def assured(
    value: Tensor, error: Tensor, dtype: torch.dtype, in_digits: Callable[..., Any], d: int
) -> Tensor:
    """The value, computed again with more digits where its error might show in the result.

    ``in_digits`` gets a function that returns the numbers of a tensor at one member of the batch.
    """
    eps = torch.finfo(dtype).eps
    with torch.no_grad():
        hard = ~(error <= max(eps / 8, 1e-11) * value) | ~value.isfinite()
        if not bool(hard.any()):
            return value
        if d > FEW:
            if bool((~(error <= max(8 * eps, 1e-8) * value + 1e-14) | ~value.isfinite()).any()):
                raise NotImplementedError(
                    f"the covariances are too close to singular for float64 in {d} dimensions; "
                    "pass scale_tril, where it is known, instead of a product of it"
                )
            return value
        few_enough(int(hard.sum()))
        exact = value.clone()
        for where in hard.nonzero().tolist():

            def at(x: Tensor, events: int, where: list[int] = where) -> Any:
                event = x.shape[x.ndim - events :]
                row = x.detach().expand((*value.shape, *event))[tuple(where)]
                return numbers(row.double().cpu().numpy())

            with mpmath.workdps(DIGITS):
                exact[tuple(where)] = float(in_digits(at))
    return exact + (value - value.detach()) if bool(value.isfinite().all()) else exact


def _inverse(x: Any) -> Any:
    return np.array(mpmath.inverse(mpmath.matrix(x)).tolist(), dtype=object)


def log_det(x: Any) -> Any:
    root = mpmath.cholesky(x)
    return 2 * sum(mpmath.log(root[i, i]) for i in range(x.rows))


def tv_gaussians(p: td.Distribution, q: td.Distribution) -> Tensor:
    r"""Total variation of two Gaussians that share their covariance, or live on a line.

    .. math:: \mathrm{TV} = 2 \Phi(\delta / 2) - 1, \quad
        \delta^2 = (m - n)^\top \Sigma^{-1} (m - n)

    Covariances that differ by less than the rounding of the result are shared: the difference
    moves the total variation by at most half the KL divergence's root (Pinsker).
    """
    (m, P, first), (n, Q, second) = _gaussian(p), _gaussian(q)
    dtype = torch.promote_types(first, second)
    d = m.shape[-1]
    if d == 1:
        return tv_line(m[..., 0], P.root[..., 0, 0], n[..., 0], Q.root[..., 0, 0], dtype)
    P.root, Q.root = _shared_gradient(P.root, Q.root)
    x, error = _standardised(m - n, Q)
    half = length(x.squeeze(-1)) / math.sqrt(8)
    with torch.no_grad():
        unlike = _solve(Q.root, P.root - Q.root).square().sum((-2, -1)).sqrt()
        same = unlike <= 8 * torch.finfo(dtype).eps * (d + 1) * torch.erf(half)
    if not bool(same.all()):
        raise NotImplementedError("Gaussians have one on the line, or for equal covariances")

    def in_digits(at: Callable[..., Any]) -> Any:
        shift = mpmath.matrix(at(m, 1) - at(n, 1))
        return (shift.T * mpmath.inverse(Q.in_digits(at)) * shift)[0] / 8

    squared = assured(half**2, error / 4, dtype, in_digits, d)
    apart = squared > 0
    value = torch.erf(torch.where(apart, torch.where(apart, squared, 1).sqrt(), half))
    return value.to(dtype)


def _shared_gradient(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The same numbers; of what depends on the second, each has half of the gradient."""
    moved = (a - b) / 2
    return a, b + (moved - moved.detach())


def wasserstein_gaussians(p: td.Distribution, q: td.Distribution, order: float) -> Tensor:
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
    (m, P, first), (n, Q, second) = _gaussian(p), _gaussian(q)
    dtype, a, b = torch.promote_types(first, second), P.root, Q.root
    if m.shape[-1] == 1:
        line = m[..., 0], a[..., 0, 0], n[..., 0], b[..., 0, 0]
        return wasserstein_line(*line, order, dtype)
    shift = m - n
    if order != 2:
        unlike = (a - b).square().sum((-2, -1)).sqrt()  # no less than W of the centred laws
        rounding = 8 * torch.finfo(dtype).eps * (m.shape[-1] + 1)
        if not bool((unlike <= rounding * torch.linalg.vector_norm(shift, dim=-1)).all()):
            raise NotImplementedError(
                f"Gaussians of different covariances have one at order 2, not at {order}"
            )
        return rounded(length(shift), dtype)  # a translation
    with torch.no_grad():
        unit = torch.maximum(*(x.abs().amax((-2, -1), keepdim=True) for x in (a, b)))
        left, _, right = torch.linalg.svd((b / unit).mT @ (a / unit))
    stretch = (a - b @ (left @ right)).flatten(-2)
    shift = shift.expand(*stretch.shape[:-1], shift.shape[-1])
    return rounded(length(torch.cat([shift, stretch], -1)), dtype)
