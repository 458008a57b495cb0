"""Pairs of laws whose divergences are known, for every estimator to meet.

Nothing here uses the package under test: truths are closed forms, or integrals by SciPy and on
dense NumPy grids. Each case derives its numbers beside it.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import gammaln, logsumexp
from scipy.stats import norm, wasserstein_distance_nd
from torch import Generator, Tensor
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from scripts.lab.bent_pairs import BENT
from scripts.lab.case import LOG2, Case, Sampler, from_log_densities


def _normal(mean: float, sd: float, dim: int) -> tuple[Sampler, Distribution]:
    """N(mean e_1, sd² I)."""
    centre = torch.zeros(dim, dtype=torch.float64)
    centre[0] = mean

    def sample(n: int, generator: Generator) -> Tensor:
        return centre + sd * torch.randn(n, dim, generator=generator, dtype=torch.float64)

    return sample, Independent(Normal(centre, torch.full_like(centre, sd)), 1)


def _ring(sd: float, modes: int = 8, turned: float = 0.0) -> tuple[Sampler, Distribution]:
    """The first ``modes`` of eight normal bumps on a circle of radius 2."""
    angle = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / 8 + turned
    centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)

    def sample(n: int, generator: Generator) -> Tensor:
        which = torch.randint(modes, (n,), generator=generator)
        noise = torch.randn(n, 2, generator=generator, dtype=torch.float64)
        return centres[which] + sd * noise

    bumps = Independent(Normal(centres, torch.full_like(centres, sd)), 1)
    return sample, MixtureSameFamily(Categorical(torch.ones(modes).double()), bumps)


def _on_grid(p: tuple[float, int, float], q: tuple[float, int, float]) -> dict[str, Any]:
    """KL, JS and TV of two planar mixtures, each ``(sd, modes, turned)``; 0 modes for one at 0.

    The trapezoid rule is exponentially accurate for normal mixtures once the step is below half
    of the smallest sd: here it is .03, and the box is 9 wide on either side.
    """
    axis = np.arange(-300, 301) * 0.03
    grid = np.stack(np.meshgrid(axis, axis), -1)

    def log_density(sd: float, modes: int, turned: float) -> np.ndarray:
        angle = 2 * np.pi * np.arange(modes) / 8 + turned
        centres = 2 * np.stack([np.cos(angle), np.sin(angle)], 1) if modes else np.zeros((1, 2))
        squares = [((grid - c) ** 2).sum(-1) for c in centres]
        exponents = -np.stack(squares) / (2 * sd**2)
        return np.asarray(logsumexp(exponents, axis=0)) - math.log(
            2 * np.pi * sd**2 * len(centres)
        )

    return from_log_densities(log_density(*p), log_density(*q), 0.03**2)


def _radial(
    log_p: Callable[[float], float], log_q: Callable[[float], float], high: float
) -> dict[str, Any]:
    """JS and TV of two laws on (0, high) by adaptive quadrature."""

    def js(r: float) -> float:
        a, b = log_p(r), log_q(r)
        mean = float(np.logaddexp(a, b)) - LOG2
        return float(math.exp(a) * (a - mean) + math.exp(b) * (b - mean)) / 2

    def tv(r: float) -> float:
        return abs(math.exp(log_p(r)) - math.exp(log_q(r))) / 2

    return {
        name: quad(f, 0, high, limit=500, epsabs=1e-11)[0] for name, f in (("js", js), ("tv", tv))
    }


def _shifted(shift: float, dim: int) -> Case:
    """N(0, I) and N(shift e_1, I): all but the first coordinate are alike and independent of it.

    KL = shift²/2; TV = 2 Φ(shift/2) - 1, as the densities cross at shift/2; JS is that of the
    first coordinates; a translation is optimal for every cost convex in the displacement.
    """
    (p, density_p), (q, density_q) = _normal(0, 1, dim), _normal(shift, 1, dim)

    def term(x: float) -> float:
        a, b = norm.logpdf(x), norm.logpdf(x, shift)
        mean = float(np.logaddexp(a, b)) - LOG2
        return float(math.exp(a) * (a - mean) + math.exp(b) * (b - mean)) / 2

    return Case(
        f"normal {dim}-D shifted by {shift:g}",
        dim,
        p,
        q,
        kl=shift**2 / 2,
        js=quad(term, -10, 10 + shift, epsabs=1e-11, limit=500, points=(0, shift))[0],
        tv=float(2 * norm.cdf(shift / 2) - 1),
        w1=shift,
        w2=shift,
        densities=(density_p, density_q),
        smooth=shift < 2,
    )


def _scaled(sd: float, dim: int) -> Case:
    """N(0, I) and N(0, sd² I).

    KL = dim (log sd + 1/(2 sd²) - 1/2). The map x -> sd x is radial and increasing, hence
    optimal for W1 (potential ±|x|) and W2 (gradient of a convex function): W1 = |sd - 1| E|Z|,
    W2 = |sd - 1| sqrt(dim). JS and TV depend on the radius alone, which is chi distributed.
    """
    (p, density_p), (q, density_q) = _normal(0, 1, dim), _normal(0, sd, dim)

    def chi(r: float, scale: float) -> float:
        z = r / scale
        log_constant = (dim / 2 - 1) * LOG2 + gammaln(dim / 2) + math.log(scale)
        return (dim - 1) * math.log(z) - z**2 / 2 - log_constant

    mean_radius = math.sqrt(2) * math.exp(gammaln((dim + 1) / 2) - gammaln(dim / 2))
    return Case(
        f"normal {dim}-D scaled by {sd:g}",
        dim,
        p,
        q,
        kl=dim * (math.log(sd) + 1 / (2 * sd**2) - 0.5),
        **_radial(lambda r: chi(r, 1), lambda r: chi(r, sd), 12 * max(1, sd)),
        w1=abs(sd - 1) * mean_radius,
        w2=abs(sd - 1) * math.sqrt(dim),
        densities=(density_p, density_q),
        smooth=True,
    )


def _segments(theta: float) -> Case:
    """Uniform on {0} x [0, 1] and {theta} x [0, 1]: no shared point unless theta is 0."""

    def at(x: float) -> Sampler:
        def sample(n: int, generator: Generator) -> Tensor:
            height = torch.rand(n, generator=generator, dtype=torch.float64)
            return torch.stack([torch.full_like(height, x), height], 1)

        return sample

    apart = theta != 0
    return Case(
        f"segments {theta:g} apart",
        2,
        at(0),
        at(theta),
        kl=math.inf if apart else 0.0,
        js=LOG2 if apart else 0.0,
        tv=float(apart),
        w1=theta,
        w2=theta,
    )


def _ball(dim: int, power: int = 8) -> Case:
    """Uniform in the unit ball, and the same with every radius t replaced by t**power.

    The map is radial and increasing, hence optimal: W1 = E[t - t^p] and W2² = E[(t - t^p)²] with
    E t^k = D/(D + k). The radii have densities D t^(D-1) and (D/p) t^(D/p - 1), directions are
    alike: KL = log p + (D - D/p) E log t = log p - 1 + 1/p.
    """

    def sample(exponent: int) -> Sampler:
        def draw(n: int, generator: Generator) -> Tensor:
            direction = torch.randn(n, dim, generator=generator, dtype=torch.float64)
            radius = torch.rand(n, 1, generator=generator, dtype=torch.float64) ** (1 / dim)
            return direction / direction.norm(dim=1, keepdim=True) * radius**exponent

        return draw

    def moment(k: int) -> float:
        return dim / (dim + k)

    # in s = t^(D/p), the second law's distribution function, both densities are bounded
    def log_first(s: float) -> float:
        return math.log(power) + (power - 1) * math.log(s)

    return Case(
        f"ball {dim}-D pulled to its centre",
        dim,
        sample(1),
        sample(power),
        kl=math.log(power) - 1 + 1 / power,
        **_radial(log_first, lambda _: 0.0, 1.0),
        w1=moment(1) - moment(power),
        w2=math.sqrt(moment(2) - 2 * moment(power + 1) + moment(2 * power)),
    )


def _planar(
    id: str, p: tuple[float, int, float], q: tuple[float, int, float], smooth: bool
) -> Case:
    """Two of: rings ``(sd, modes, turned)``, or the normal law ``(sd, 0, 0)``."""
    laws = [_ring(*law) if law[1] else _normal(0, law[0], 2) for law in (p, q)]
    (sample_p, density_p), (sample_q, density_q) = laws
    return Case(
        id,
        2,
        sample_p,
        sample_q,
        densities=(density_p, density_q),
        smooth=smooth,
        **_on_grid(p, q),
    )


def _corners() -> Case:
    """Unequal and equal weights on the corners of the unit square; W by SciPy's linear program."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.full(4, 0.25)

    def sample(weights: np.ndarray) -> Sampler:
        shares = torch.from_numpy(weights)
        return lambda n, generator: corners[
            shares.multinomial(n, replacement=True, generator=generator)
        ]

    return Case(
        "corners of a square",
        2,
        sample(p),
        sample(q),
        **from_log_densities(np.log(p), np.log(q), 1.0),
        w1=wasserstein_distance_nd(corners.numpy(), corners.numpy(), p, q),
        atoms=True,
    )


QUARTER = math.pi / 8  # half of the angle between neighbouring bumps

CASES = (
    _shifted(0.0, 2),
    _shifted(1.0, 1),
    _shifted(1.0, 2),
    _shifted(1.0, 8),
    _shifted(3.0, 2),
    _shifted(30.0, 2),
    _scaled(2.0, 1),
    _scaled(1.5, 2),
    _scaled(0.5, 2),
    _segments(0.0),
    _segments(0.1),
    _segments(1.0),
    _ball(2),
    _ball(8),
    _planar("ring and turned ring", (0.35, 8, 0.0), (0.35, 8, QUARTER), smooth=True),
    _planar("ring and normal", (0.1, 8, 0.0), (math.sqrt(2), 0, 0.0), smooth=False),
    _planar("ring and half of it", (0.2, 8, 0.0), (0.2, 4, 0.0), smooth=False),
    _corners(),
    *BENT,
)
