"""Averages over densities: by quadrature up to three dimensions, by Monte Carlo in any."""

from __future__ import annotations

import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from divergences.densities import Density, batch_of, centres_of, checked_log_prob, dimension_of
from divergences.interface import Estimate

Integrand = Callable[[Tensor, Tensor], Tensor]
"""From the log-densities of the law averaged under, and of the other, to what is averaged."""


def _weighted(f: Integrand, log_p: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
    """``p f`` where finite, and where it is infinite though p has mass."""
    value = torch.where(log_p > -math.inf, f(log_p, log_q), 0.0)
    infinite = value.isposinf()
    return log_p.exp() * torch.where(infinite, 0.0, value), infinite


class Integrator(ABC):
    """Averages functions of two log-densities."""

    @abstractmethod
    def average(self, f: Integrand, p: Density, q: Density, both: bool = False) -> Estimate:
        r"""The expectation :math:`E_p f(\log p, \log q)`.

        Arguments:
            f: The integrand. Where it is ``inf`` though p has mass, the result is ``inf``.
            p: The density averaged under.
            q: The other density.
            both: Take half of this and half of :math:`E_q f(\log q, \log p)` instead.
        """


@final
@dataclass(frozen=True)
class Quadrature(Integrator):
    """Integrates over cells that are halved until halving them no longer changes the integral.

    Gauss-Legendre nodes in every cell; cells start no wider than four standard deviations where
    a density, or a component of a mixture, has its mass. The interval is the change in the last
    halving, which overestimates the error; ``stderr`` is ``nan``, nothing being random. Both
    densities must have mass 1 in the box.

    Arguments:
        box: Lower and upper end along each axis. If not given, 12 standard deviations around the
            means of both densities, or of their components.
        tolerance: Largest change in a mass or in the result (relative to it, above 1).
        mass_tolerance: Largest accepted distance of a mass from 1.
        max_evaluations: Points after which to give up.

    Raises:
        ValueError: In use, if there is no box and the densities have no mean and standard
            deviation, there are more than 3 dimensions, a mass is not 1, or a ``log_prob`` is
            NaN or ``+inf``.
        RuntimeError: In use, if the tolerance was not reached.

    Example:
        >>> from torch.distributions import Normal
        >>> from divergences.numerical import entropy, kl_divergence
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0), Quadrature()).value
        tensor(0.5000, dtype=torch.float64)
        >>> entropy(Normal(0.0, 1.0), Quadrature(box=[(-1, 1)]))
        Traceback (most recent call last):
        ...
        ValueError: the first density has mass 0.68269 in the box [[-1.0, 1.0]]; ...
    """

    box: Sequence[tuple[float, float]] | None = None
    tolerance: float = 1e-6
    mass_tolerance: float = 1e-6
    max_evaluations: int = 2**25

    def average(self, f: Integrand, p: Density, q: Density, both: bool = False) -> Estimate:
        start = time.perf_counter()
        low, high, centres, widths = self._geometry(p, q)
        infinite = torch.zeros(1, dtype=torch.bool)

        def integrands(points: Tensor) -> Tensor:
            nonlocal infinite
            log_p, log_q = (checked_log_prob(density, points[:, None]) for density in (p, q))
            value, beyond = _weighted(f, log_p, log_q)
            if both:
                other, beyond_other = _weighted(f, log_q, log_p)
                value, beyond = (value + other) / 2, beyond | beyond_other
            infinite = infinite | beyond.any(0)
            return torch.stack(torch.broadcast_tensors(log_p.exp(), log_q.exp(), value), -1)

        cells = _starting_cells(low, high, centres, widths)
        total, error = self._integrate(integrands, *cells)
        for name, mass in zip(("first", "second"), total[:, :2].T, strict=True):
            worst = mass[(mass - 1).abs().argmax()].item()
            if not abs(worst - 1) <= self.mass_tolerance:
                raise ValueError(
                    f"the {name} density has mass {worst:.6g} in the box "
                    f"{torch.stack([low, high], 1).tolist()}; it must be 1: widen the box, or "
                    "normalise the density"
                )
        value = torch.where(infinite, math.inf, total[:, 2])
        error = torch.where(infinite, 0.0, error[:, 2])
        unknown, batch = torch.full_like(value, math.nan), batch_of(p) or batch_of(q)
        return _estimate(value, unknown, error, (0, 0), batch, start)

    def _geometry(self, p: Density, q: Density) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The box, and where in it mass is expected, with the width of that mass."""
        d = len(self.box) if self.box is not None else dimension_of(p) or dimension_of(q)
        if d is None or d > 3:
            raise ValueError(
                f"cannot integrate in {d or 'an unknown number of'} dimensions: give a box for up "
                "to 3, use MonteCarlo beyond"
            )
        for density in (p, q):
            if dimension_of(density) not in (None, d):
                raise ValueError(
                    f"{type(density).__name__} has an event_shape of {dimension_of(density)} "
                    f"coordinates, expected {d}"
                )
        known = centres_of(p) + centres_of(q)
        centres, widths = (
            torch.cat([torch.zeros(0, d), *(t.detach().cpu().reshape(-1, d) for t in ts)]).double()
            for ts in (zip(*known, strict=True) if known else ([], []))
        )
        if self.box is not None:
            low, high = torch.tensor(self.box, dtype=torch.float64).T
        elif len(centres_of(p)) and len(centres_of(q)):
            low = (centres - 12 * widths).amin(0)
            high = (centres + 12 * widths).amax(0)
        else:
            raise ValueError(
                "no box was given, and not both densities have a mean and standard deviation to "
                "make one from; give box=[(low, high), ...]"
            )
        if not bool((low < high).all()):
            raise ValueError(f"the box has no volume: low {low.tolist()}, high {high.tolist()}")
        return low, high, centres, widths

    def _integrate(
        self, integrands: Callable[[Tensor], Tensor], low: Tensor, width: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Integrals ``(members, 3)`` over all cells, and their change in the last halving."""
        corners = torch.tensor(list(itertools.product((0.0, 0.5), repeat=low.shape[1]))).to(low)
        values, spent = _gauss_legendre(integrands, low, width), 0
        total = error = torch.zeros_like(values[0])
        while len(low):
            spent += len(corners) * len(low) * len(_rule(low.shape[1])[0])
            if spent > self.max_evaluations:
                raise RuntimeError(
                    f"{spent} points would be needed for tolerance {self.tolerance:.1e}; raise "
                    "tolerance or max_evaluations, put jumps of the densities on the edges of the "
                    "box, or use MonteCarlo"
                )
            low = (low[:, None] + corners * width[:, None]).flatten(0, 1)
            width = (width[:, None] / 2).expand(-1, len(corners), -1).flatten(0, 1)
            halved = _gauss_legendre(integrands, low, width)
            sums = halved.unflatten(0, (-1, len(corners))).sum(1)
            change = (sums - values).abs()
            size = (total + sums.sum(0)).abs().clamp_min(1)
            # what is left at the level of rounding cannot be refined away
            allowed = self.tolerance / max(len(sums), 64) + 1e-13 * sums.abs()
            open_ = (change / size > allowed).flatten(1).any(1)
            total = total + sums[~open_].sum(0)
            error = error + change[~open_].sum(0)
            again = open_.repeat_interleave(len(corners))
            low, width, values = low[again], width[again], halved[again]
        return total, error


def _starting_cells(
    low: Tensor, high: Tensor, centres: Tensor, widths: Tensor
) -> tuple[Tensor, Tensor]:
    """Cells of the box, no wider than four widths where they lie within two of a centre."""
    d = len(low)
    corners = torch.tensor(list(itertools.product(range(4), repeat=d))).to(low) / 4
    width = ((high - low) / 4).expand(len(corners), d)
    low = low + corners * (high - low)
    halves = torch.tensor(list(itertools.product((0.0, 0.5), repeat=d))).to(low)
    while True:
        near = (low[:, None] < centres + 2 * widths) & (
            (low + width)[:, None] > centres - 2 * widths
        )
        wide = width[:, None] > 4 * widths
        split = (near.all(-1) & wide.any(-1)).any(1)
        if not split.any():
            return low, width
        children = (low[split, None] + halves * width[split, None]).flatten(0, 1)
        halved = (width[split, None] / 2).expand(-1, len(halves), -1).flatten(0, 1)
        low, width = torch.cat([low[~split], children]), torch.cat([width[~split], halved])


def _rule(d: int) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre nodes ``(r**d, d)`` and weights in the unit cube."""
    nodes, weights = np.polynomial.legendre.leggauss(10 if d < 3 else 6)
    grid = itertools.product(zip((nodes + 1) / 2, weights / 2, strict=True), repeat=d)
    pairs = torch.tensor(list(grid), dtype=torch.float64)
    return pairs[..., 0], pairs[..., 1].prod(-1)


def _gauss_legendre(integrands: Callable[[Tensor], Tensor], low: Tensor, width: Tensor) -> Tensor:
    """Integrals over each cell, ``(cells, members, 3)``."""
    nodes, weights = _rule(low.shape[1])
    parts = []
    for some, extent in zip(low.split(2048), width.split(2048), strict=True):
        points = some[:, None] + nodes * extent[:, None]
        values = integrands(points.flatten(0, 1)).unflatten(0, points.shape[:2])
        parts.append(torch.einsum("cnmk,n,c->cmk", values, weights, extent.prod(-1)))
    return torch.cat(parts)


@final
@dataclass(frozen=True)
class MonteCarlo(Integrator):
    """Averages over points drawn from the densities, with a standard error, in any dimension.

    Cannot notice that a density is not normalised, nor mass that no point fell on. Leaves torch's
    global random state as it was.

    Arguments:
        n: Points drawn per density and member.
        seed: Of the draw.

    Raises:
        TypeError: In use, if the density averaged under has no ``sample``.
        ValueError: In use, if a ``log_prob`` is NaN or ``+inf``, or of another shape.

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
        if self.n < 2:
            raise ValueError(f"n = {self.n}: at least 2 points give a standard error")

    def average(self, f: Integrand, p: Density, q: Density, both: bool = False) -> Estimate:
        start = time.perf_counter()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            parts = [self._terms(f, *pair) for pair in ([(p, q), (q, p)] if both else [(p, q)])]
        value = torch.stack([part.mean(0) for part in parts]).mean(0)
        variance = torch.stack([part.var(0) / self.n for part in parts]).sum(0) / len(parts) ** 2
        stderr = torch.where(value.isposinf(), 0.0, variance.sqrt())
        n = (self.n, self.n if both else 0)
        return _estimate(value, stderr, 1.959964 * stderr, n, batch_of(p) or batch_of(q), start)

    def _terms(self, f: Integrand, p: Density, q: Density) -> Tensor:
        if not hasattr(p, "sample"):
            raise TypeError(f"{type(p).__name__} has no sample; Monte Carlo draws from it")
        points: Tensor = p.sample((self.n,))  # type: ignore[attr-defined]
        points = points.reshape(self.n, *(batch_of(p) or (1,)), -1)
        return f(checked_log_prob(p, points), checked_log_prob(q, points))


def _estimate(
    value: Tensor,
    stderr: Tensor,
    half: Tensor,
    n: tuple[int, int],
    batch: tuple[int, ...],
    start: float,
) -> Estimate:
    value, stderr, low, high = (
        t.expand(batch or (1,)).reshape(batch) for t in (value, stderr, value - half, value + half)
    )
    seconds = time.perf_counter() - start
    return Estimate(value, stderr, (low, high), bound="exact", n=n, seconds=seconds)
