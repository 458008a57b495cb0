"""KL divergence from nearest neighbours of one sample and the density of the other law."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, final

import numpy as np
from scipy.special import digamma, gammaln
from torch import Tensor

from divergences.checks import shown, whole_number
from divergences.estimate import Bound, Estimate, stack_members
from divergences.estimator import Estimator, check_samples
from divergences.samples.common_space import CommonSpace
from divergences.samples.neighbour_distances import (
    FLATTENED,
    Reading,
    as_points,
    from_influences,
    k_nearest,
    known,
    no_estimate,
    refuse_ties,
    seen_dimension,
    stderr_of,
    thin,
)

SMOOTH_UP_TO = 4  # dimensions up to which the bias of an entropy falls as fast as its noise


@final
@dataclass(frozen=True)
class KnownDensity(Estimator):
    r"""KL(P||q) from one sample of P and the log-density of Q, in nats.

    .. math::
        -\hat H_k(x) - \frac1n \sum_i \log q(x_i), \qquad
        \hat H_k(x) = \psi(n) - \psi(k) + \log c_d + \frac{d}{n} \sum_i \log \rho_k(i)

    with :math:`\hat H_k` the Kozachenko-Leonenko entropy, :math:`c_d` the volume of the unit ball
    and :math:`\rho_k(i)` the distance from :math:`x_i` to its k-th neighbour. Sees what two
    samples cannot: a mode of P that Q lacks costs its full price. For a GAN with a known target
    density it measures KL(generated||real).

    Above four dimensions the bias outlasts the noise and changes its sign with n, so that no
    change from ``k`` to ``2k`` neighbours shows it. There the interval is widened by what the
    same method misses on a normal sample of the same size and dimension. Up to four dimensions a
    warning that begins with ``"biased"`` says where the change is large for the value, as where
    the density of P has a pole or an edge.

    Called as ``estimator(x)``. A second sample is accepted, so that the estimator can stand in
    a list beside two-sample ones, and is not looked at.

    References:
        | Estimating mutual information (Kraskov, Stögbauer and Grassberger, 2004), equation (20)
        | https://arxiv.org/abs/cond-mat/0305641
        | Sample estimate of the entropy of a random vector (Kozachenko and Leonenko, 1987)

    Arguments:
        log_prob: Log-density of Q with respect to volume in ``d`` dimensions, mapping points
            ``(..., d)`` to ``(...)``; or an object, such as a distribution, that has it.
        k: Neighbours. More of them mean less variance and more bias.

    Raises:
        TypeError: If the sample is not a floating-point tensor.
        ValueError: If points coincide, are fewer than ``2k + 1``, or ``log_prob`` returns the
            wrong shape, NaN or ``+inf``.

    Example:
        >>> import torch
        >>> from torch.distributions import MultivariateNormal
        >>> x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
        >>> q = MultivariateNormal(torch.tensor([2.0, 0.0]), torch.eye(2))
        >>> bool((KnownDensity(q.log_prob)(x).value - 2).abs() < 0.2)
        True
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "none"
    rate: ClassVar[float | None] = 0.5

    log_prob: Callable[[Tensor], Tensor]
    k: int = 5

    def __post_init__(self) -> None:
        whole_number("k", self.k)
        if callable(getattr(self.log_prob, "log_prob", None)):
            object.__setattr__(self, "log_prob", self.log_prob.log_prob)  # pyright: ignore
        if not callable(self.log_prob):
            raise TypeError(
                f"log_prob = {shown(self.log_prob)} is no function; give one from points to "
                "log-densities, such as the log_prob of a distribution"
            )

    def __call__(self, x: Any, y: Any = None) -> Estimate:
        return super().__call__(x, x)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        start = time.perf_counter()
        points, _ = check_samples(x, x, at_least=2 * self.k + 1)
        log_q = self.log_prob(x.detach())
        if log_q.shape == x.shape and x.shape[-1] == 1:
            log_q = log_q[..., 0]  # of a law on the line, such as torch's Normal(0, 1)
        if log_q.shape != x.shape[:-1]:
            raise ValueError(
                f"log_prob maps {tuple(x.shape)} to {tuple(log_q.shape)}; expected "
                f"{tuple(x.shape[:-1])}, one number per point"
            )
        impossible = int((log_q.isnan() | log_q.isposinf()).sum())
        if impossible:
            raise ValueError(f"log_prob is NaN or +inf at {impossible} of {log_q.numel()} points")
        pairs = zip(points, log_q.reshape(points.shape[:-1]), strict=True)
        estimates = [replace(self._one(*pair), n=(x.shape[-2], 0)) for pair in pairs]
        return stack_members(estimates, x.ndim == 3, time.perf_counter() - start)

    def _one(self, x: Tensor, log_q: Tensor) -> Estimate:
        space = CommonSpace.of(x, x)
        a, k, (n, d) = space.x, self.k, x.shape
        rho, nearest = k_nearest(a, a, 2 * k)
        refuse_ties(rho[:, 0], rho[:, k - 1], "another point of x")
        if space.dimension == 0:
            return no_estimate(FLATTENED, x)
        if space.dimension < d:
            return known(math.inf, f"x lies in less than {d} dimensions, q does not", x)
        outside = int(log_q.isneginf().sum())
        if outside:
            return known(math.inf, f"q is zero at {outside} of {n} points of x", x)
        cross = space.log_volume - as_points(log_q)

        def read(j: int) -> Reading:
            terms = cross - d * np.log(rho[:, j - 1])
            # second order, but not small: a point is also the neighbour of others
            others = np.bincount(nearest[:, :j].ravel(), minlength=n) / j
            return terms.mean() - float(digamma(n) - digamma(j)) - _log_ball(d), [terms + others]

        warnings = space.doubts(rho[:, k - 1]) + thin(seen_dimension(rho, k), d, k)
        slack = _entropy_bias(n, d, k) if d > SMOOTH_UP_TO else 0.0
        near, far, rate = read(k), read(2 * k), min(1 / 2, 2 / d)
        estimate = from_influences(near, far, rate, x, slack)
        if d <= SMOOTH_UP_TO:
            warnings += _biased(near, far, rate)
        return replace(estimate, warnings=warnings)


def _biased(near: Reading, far: Reading, rate: float) -> tuple[str, ...]:
    change, terms = near[0] - far[0], near[1][0] - far[1][0]
    noise = float(terms.std(ddof=1)) / math.sqrt(len(terms))
    more = change / (2**rate - 1)
    if abs(change) <= 3 * noise or abs(more) <= max(abs(near[0]) / 3, stderr_of(near[1])):
        return ()
    return (
        f"biased: the estimate changes by {change:.2g} nats with each doubling of the points, and "
        f"may be off by {more:.2g} or more: density varies within neighbours' distances",
    )


@cache
def _entropy_bias(n: int, d: int, k: int) -> float:
    """How far the entropy of ``n`` standard normal points in ``d`` dimensions is off, in size.

    The points' mean of -log p, whose expectation is the entropy, has most of the same noise.
    """
    points = np.random.default_rng(0).standard_normal((n, d))
    rho, _ = k_nearest(points, points, k)
    read = d * float(np.log(rho[:, k - 1]).mean()) + float(digamma(n) - digamma(k)) + _log_ball(d)
    return abs(read - float((points**2).sum(1).mean()) / 2 - d / 2 * math.log(2 * math.pi))


def _log_ball(d: int) -> float:
    """Logarithm of the volume of the unit ball."""
    return d / 2 * math.log(math.pi) - float(gammaln(d / 2 + 1))
