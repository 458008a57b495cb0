"""Averages over densities by points drawn from them, in any dimension."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import final

import torch
from scipy.special import stdtrit

from divergences.checks import seed_number, whole_number
from divergences.estimate import QUANTITIES, Estimate
from divergences.numerical.densities import Density, members_of
from divergences.numerical.drawn_pair import DrawnPair
from divergences.numerical.integration import Average, Integrator, members_that
from divergences.numerical.mean_of_draws import MeanOfDraws

MOST_TERMS = 2**27
"""Terms of a mean, times members, that are held at once: 1 GiB."""


@final
@dataclass(frozen=True)
class MonteCarlo(Integrator):
    r"""Averages over points drawn from the densities, with a standard error, in any dimension.

    The interval is Student's. Its ends and ``stderr`` are given up, with a warning, where the
    draws do not support them: the mean rests on fewer than ten effective draws; the terms' tail,
    by its fitted shape k, is too heavy for the mean to converge (:math:`k > \min(1 - 1/\log_{10}
    n, .7)`); a component of a mixture is too rare to have been drawn and matters, or the far tail
    of a law on the line or of a vector of independent ones; or draws coincide, because they are
    rounded. An infinite KL is noticed wherever the support of one distribution of torch ends
    inside that of the other, drawn or not.

    It is checked that both densities have the same mass, as far as ratios of the two at the draws
    tell. That also shows a ``sample`` that is not of the law of its ``log_prob``. Not noticed are
    a common factor of both densities, and mass that no point fell on, unless it is a component of
    a mixture.

    Leaves torch's global random state as it was.

    Values can be differentiated in the parameters by the score function, :math:`\nabla E_p f =
    E_p[\nabla f + (f - E_p f) \nabla \log p]`, but for those that move an end of a support: there
    they carry no gradient.

    References:
        | Pareto smoothed importance sampling (Vehtari et al., 2024), section 3
        | https://arxiv.org/abs/1507.02646

    Arguments:
        n: Points drawn per density and member.
        seed: Of the draw.

    Raises:
        TypeError: If n or the seed is no integer; in use, if a density averaged under has no
            ``sample``.
        ValueError: If n is below 2; in use, if a ``log_prob`` is NaN or ``+inf``, or of another
            shape, a density is 0 at its own draws, masses of the densities differ, or they
            are not densities with respect to the same measure.
        NotImplementedError: In use, for a law mapped by a transform that is not one-to-one.

    Example:
        >>> from torch.distributions import Normal
        >>> from divergences.numerical import kl_divergence
        >>> drawn = kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0), MonteCarlo())
        >>> bool((drawn.value - 0.5).abs() < 4 * drawn.stderr)
        True
    """

    n: int = 100_000
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("n", self.n, least=2)  # for a standard error
        seed_number("seed", self.seed)

    def average(self, f: Average, p: Density, q: Density) -> Estimate:
        start = time.perf_counter()
        batch = members_of(p, q)
        if self.n * math.prod(batch) > MOST_TERMS:
            raise ValueError(
                f"n = {self.n} for {math.prod(batch)} members is {self.n * math.prod(batch)} "
                f"terms; at most {MOST_TERMS} are held at once"
            )
        with torch.random.fork_rng(devices=[]):
            pair = DrawnPair(p, q)
            with_gradient = torch.is_grad_enabled() and pair.has_gradient()
            torch.manual_seed(self.seed)
            with torch.no_grad():
                sides = [MeanOfDraws(f, pair, self.n, with_gradient)]
                if f.both:
                    sides.append(MeanOfDraws(f, pair.exchanged(), self.n, with_gradient))
                found = self._of(sides, batch)
        value = found.value
        if with_gradient:
            slope = torch.stack([side.slope() for side in sides]).mean(0)
            slope = slope.expand(batch or (1,)).reshape(batch)
            value = torch.where(value.isfinite(), value + (slope - slope.detach()), value)
        seconds = time.perf_counter() - start
        return replace(found, value=value, seconds=seconds, quantity=f.quantity)

    def _of(self, sides: list[MeanOfDraws], batch: tuple[int, ...]) -> Estimate:
        f = sides[0].f
        share = 1 / len(sides)
        value = torch.stack([side.mean for side in sides]).mean(0)
        stderr = share * torch.linalg.vector_norm(torch.stack([s.stderr for s in sides]), dim=0)
        rounding = 4 * torch.stack([side.rounding for side in sides]).sum(0)
        half = float(stdtrit(self.n - 1, 0.975)) * stderr + rounding
        half = half + torch.stack([side.unseen() for side in sides]).mean(0)
        low, high, warnings = value - half, value + half, []
        for flags, sentence, skewed in (found for side in sides for found in side.doubts(stderr)):
            flags = flags & value.isfinite()
            if flags.any():
                warnings.append(members_that(flags, batch) + sentence)
                stderr = torch.where(flags, math.nan, stderr)
                low = torch.where(flags & (skewed <= 0), -math.inf, low)
                high = torch.where(flags & (skewed >= 0), f.largest, high)
        least = QUANTITIES[f.quantity].least if f.quantity in QUANTITIES else -math.inf
        below = value.isfinite() & (high < least)
        if below.any():
            warnings.append(
                f"{members_that(below, batch)}the interval ends at {high[below].min():.3g}, and "
                f"the value is never below {least:g}: by chance, or one law has mass that no draw "
                "fell on"
            )
            high = torch.where(below, f.largest, high)
        known = value.isposinf()
        value, stderr, low, high = (
            torch.where(known, end, t).expand(batch or (1,)).reshape(batch)
            for t, end in ((value, math.inf), (stderr, 0.0), (low, math.inf), (high, math.inf))
        )
        n = (self.n, self.n if f.both else 0)
        return Estimate(value, stderr, (low, high), bound="exact", n=n, warnings=tuple(warnings))
