"""Pairs that are not round: a heavy tail, correlated columns, a bent law, modes of uneven weight.

Nothing here uses the package under test. Each case derives its numbers beside it.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import chi, norm
from torch import Generator, Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from scripts.lab.case import LOG2, Case, Sampler, from_log_densities


def _standard(dim: int) -> Sampler:
    return lambda n, generator: torch.randn(n, dim, generator=generator, dtype=torch.float64)


def _student_and_normal(freedom: int = 4, variance: float = 1.5, dim: int = 3) -> Case:
    """Student's t law with identity dispersion, and N(0, variance I).

    Both are round, so that all divergences are integrals over the radius: r²/dim of the first law
    has the F law with (dim, freedom) degrees of freedom, r/sd of the second the chi law.
    """
    sd = math.sqrt(variance)

    def log_p(r: float) -> float:
        constant = math.lgamma((freedom + dim) / 2) - math.lgamma(freedom / 2)
        constant -= dim / 2 * math.log(freedom * math.pi)
        return constant - (freedom + dim) / 2 * math.log1p(r**2 / freedom) + log_sphere(r)

    def log_q(r: float) -> float:
        return -dim / 2 * math.log(2 * math.pi * variance) - r**2 / 2 / variance + log_sphere(r)

    def log_sphere(r: float) -> float:
        area = math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)
        return area + (dim - 1) * math.log(r)

    def js(r: float) -> float:
        a, b = log_p(r), log_q(r)
        mean = float(np.logaddexp(a, b)) - LOG2
        return float(math.exp(a) * (a - mean) + math.exp(b) * (b - mean)) / 2

    def integral(f: Callable[[float], float]) -> float:
        """Over log r, in which the integrands are smooth and fall exponentially."""
        points = list(np.arange(-15.0, 26.0, 5.0))
        return quad(lambda u: f(math.exp(u)) * math.exp(u), -20, 25, limit=500, points=points)[0]

    def draw_student(n: int, generator: Generator) -> Tensor:
        normal = _standard(dim)(n, generator)
        chi_square = _standard(freedom)(n, generator).square().sum(1, keepdim=True)
        return normal * (freedom / chi_square).sqrt()

    return Case(
        f"Student's t {dim}-D and normal",
        dim,
        draw_student,
        lambda n, generator: sd * _standard(dim)(n, generator),
        kl=integral(lambda r: math.exp(log_p(r)) * (log_p(r) - log_q(r))),
        js=integral(js),
        tv=integral(lambda r: abs(math.exp(log_p(r)) - math.exp(log_q(r))) / 2),
    )


def _correlated(correlation: float = 0.5, dim: int = 5) -> Case:
    """N(0, S) with ones on the diagonal of S and one number beside it, and N(0, I).

    S has the eigenvalues 1 + (dim - 1) correlation, once, along (1, ..., 1), and 1 - correlation:
    KL is half the sum of v - 1 - log v over them, W2² (Bures) that of (sqrt v - 1)². JS and TV
    depend on the coordinate along (1, ..., 1) and the distance from that axis, which is
    chi distributed: the trapezoid rule on a grid of both.
    """
    once, others = 1 + (dim - 1) * correlation, 1 - correlation
    values = np.array([once] + [others] * (dim - 1))
    factor = torch.linalg.cholesky(
        others * torch.eye(dim, dtype=torch.float64) + torch.full((dim, dim), correlation).double()
    )
    step = 0.01
    along, beside = np.meshgrid(
        np.arange(-1500, 1501) * step, np.arange(1, 900) * step, indexing="ij"
    )

    def log_density(v: float, w: float) -> np.ndarray:
        return norm.logpdf(along, scale=math.sqrt(v)) + chi.logpdf(
            beside, dim - 1, scale=math.sqrt(w)
        )

    def draw(n: int, generator: Generator) -> Tensor:
        return _standard(dim)(n, generator) @ factor.T

    on_grid = from_log_densities(log_density(once, others), log_density(1, 1), step**2)
    return Case(
        f"normal {dim}-D correlated by {correlation:g}",
        dim,
        draw,
        _standard(dim),
        js=on_grid["js"],
        tv=on_grid["tv"],
        kl=float((values - 1 - np.log(values)).sum()) / 2,
        w2=float(np.linalg.norm(np.sqrt(values) - 1)),
    )


def _banana(bend: float = 0.7) -> Case:
    """(a, b + bend (a² - 1)) for standard normal a and b, and N(0, I).

    The map has determinant 1, so log p - log q = ((b + bend (a² - 1))² - b²) / 2, with
    expectation bend² E(a² - 1)² / 2 = bend². JS and TV by the trapezoid rule.
    """
    step = 0.02
    first, second = np.meshgrid(
        np.arange(-400, 401) * step, np.arange(-500, 2501) * step, indexing="ij"
    )
    log_p = norm.logpdf(first) + norm.logpdf(second - bend * (first**2 - 1))
    on_grid = from_log_densities(log_p, norm.logpdf(first) + norm.logpdf(second), step**2)

    def draw(n: int, generator: Generator) -> Tensor:
        a, b = _standard(2)(n, generator).unbind(1)
        return torch.stack([a, b + bend * (a.square() - 1)], 1)

    return Case(
        "banana and normal", 2, draw, _standard(2), kl=bend**2, js=on_grid["js"], tv=on_grid["tv"]
    )


def _uneven_ring(sd: float = 0.25, rare: float = 0.05) -> Case:
    """Eight normal bumps on a circle of radius 2, all alike, and four of them rare.

    The trapezoid rule is exponentially accurate for normal mixtures once the step is below half
    of the smallest sd.
    """
    angle = 2 * math.pi * torch.arange(8, dtype=torch.float64) / 8
    centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    bumps = Independent(Normal(centres, torch.full_like(centres, sd)), 1)
    even = torch.full((8,), 1 / 8, dtype=torch.float64)
    uneven = torch.tensor([rare] * 4 + [1.0] * 4, dtype=torch.float64)
    uneven /= uneven.sum()

    def sampler(weights: Tensor) -> Sampler:
        def draw(n: int, generator: Generator) -> Tensor:
            which = weights.multinomial(n, replacement=True, generator=generator)
            return centres[which] + sd * _standard(2)(n, generator)

        return draw

    step = 0.04
    axis = np.arange(-125, 126) * step
    grid = np.stack(np.meshgrid(axis, axis), -1)
    squares = np.stack([((grid - c) ** 2).sum(-1) for c in centres.numpy()], -1)

    def log_density(weights: Tensor) -> np.ndarray:
        logs = np.log(weights.numpy()) - squares / (2 * sd**2) - math.log(2 * math.pi * sd**2)
        return np.asarray(logsumexp(logs, axis=-1))

    return Case(
        "ring and ring of uneven weights",
        2,
        sampler(even),
        sampler(uneven),
        **from_log_densities(log_density(even), log_density(uneven), step**2),
        densities=(
            MixtureSameFamily(Categorical(even), bumps),
            MixtureSameFamily(Categorical(uneven), bumps),
        ),
    )


BENT = (_student_and_normal(), _correlated(), _banana(), _uneven_ring())
