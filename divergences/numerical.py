r"""Divergences between two densities: by quadrature up to three dimensions, by Monte Carlo in any.

For pairs without a closed form, such as mixtures, which ``torch.distributions.kl_divergence``
refuses. A density is a ``torch.distributions.Distribution``, of ``batch_shape`` ``()`` or, for K
members at once, ``(K,)``; or any object whose ``log_prob`` maps points ``(N, d)`` to ``(N,)``.

The reverse KL of ``p`` and ``q`` is ``kl_divergence(q, p)``.

Example:
    >>> from torch.distributions import Categorical, MixtureSameFamily, Normal
    >>> p = MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.tensor([-2.0, 2.0]), 1.0))
    >>> q = Normal(torch.tensor([-2.0, 0.0]), torch.tensor([1.0, 5**0.5]))  # two members
    >>> kl_divergence(p, q).value
    tensor([3.3673, 0.1720], dtype=torch.float64)
"""

from __future__ import annotations

import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily

from divergences.interface import Estimate

Integrand = Callable[[Tensor, Tensor], Tensor]
"""From the log-densities of the law averaged under, and of the other, to what is averaged."""


class Density(Protocol):
    """What has a log-density, and for Monte Carlo a ``sample`` of a given shape."""

    def log_prob(self, value: Tensor, /) -> Tensor: ...


def _batch(density: Density) -> tuple[int, ...]:
    if not hasattr(density, "log_prob"):
        raise TypeError(
            f"a {type(density).__name__} has no log_prob; pass a density, such as a distribution"
        )
    batch = tuple(getattr(density, "batch_shape", ()))
    if len(batch) > 1:
        raise ValueError(
            f"{type(density).__name__} has batch_shape {batch}; only () and (K,) are members. "
            "Wrap coordinates in torch.distributions.Independent"
        )
    return batch


def _dimension(density: Density) -> int | None:
    """Number of coordinates, where the density states it."""
    event = getattr(density, "event_shape", None)
    return None if event is None else math.prod(event)


def _centres(density: Density) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation where it has them; of a mixture's components if it is one."""
    if isinstance(density, MixtureSameFamily):
        return _centres(density.component_distribution)
    if not isinstance(density, Distribution):
        return []
    try:
        mean, spread = density.mean, density.stddev
    except NotImplementedError:
        return []
    return [(mean, spread)] if bool((mean.isfinite() & spread.isfinite()).all()) else []


def _log_prob(density: Density, points: Tensor) -> Tensor:
    """Log-density in float64 at ``(N, 1 or K, d)``, as ``(N, 1 or K)``; ``-inf`` off the support.

    Raises:
        ValueError: If the density is for points of another dimension, or its log-density has
            another shape than ``(N, *batch)``, or is NaN or ``+inf`` somewhere.
    """
    batch, d = _batch(density), points.shape[-1]
    event = tuple(getattr(density, "event_shape", (d,)))
    if event != (d,) and (event, d) != ((), 1):
        raise ValueError(
            f"{type(density).__name__} has event_shape {event}, but the points {d} coordinates"
        )
    members = points.shape[1] if not batch else batch[0]
    points = points.expand(-1, members, -1)
    points = points.reshape(-1, *batch, *event)
    inside = None
    if isinstance(density, Distribution):
        for mean, _ in _centres(density):
            points = points.to(mean)
        inside = density.support.check(points).expand(len(points), *batch)  # type: ignore[union-attr]
        if not inside.any():
            return torch.full((len(points), *batch), -math.inf).double().reshape(-1, members)
        # torch raises off the support, so ask there about some point on it
        somewhere = points.expand(*inside.shape, *event)[inside][0]
        points = torch.where(inside.reshape(*inside.shape, *(1 for _ in event)), points, somewhere)
    result = density.log_prob(points).double()
    if result.shape != (len(points), *batch):
        raise ValueError(
            f"log_prob of {type(density).__name__} maps points {tuple(points.shape)} to "
            f"{tuple(result.shape)}; expected {(len(points), *batch)}"
        )
    if inside is not None:
        result = torch.where(inside, result, -math.inf)
    bad = int((result.isnan() | result.isposinf()).sum())
    if bad:
        raise ValueError(
            f"log_prob of {type(density).__name__} is NaN or +inf at {bad} of {result.numel()} "
            "points; if it has a singularity, put it on the edge of the box"
        )
    return result.reshape(-1, members)


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
            log_p, log_q = (_log_prob(density, points[:, None]) for density in (p, q))
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
        return _estimate(
            value, torch.full_like(value, math.nan), error, (0, 0), _batch(p) or _batch(q), start
        )

    def _geometry(self, p: Density, q: Density) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The box, and where in it mass is expected, with the width of that mass."""
        d = len(self.box) if self.box is not None else _dimension(p) or _dimension(q)
        if d is None or d > 3:
            raise ValueError(
                f"cannot integrate in {d or 'an unknown number of'} dimensions: give a box for up "
                "to 3, use MonteCarlo beyond"
            )
        for density in (p, q):
            if _dimension(density) not in (None, d):
                raise ValueError(
                    f"{type(density).__name__} has an event_shape of {_dimension(density)} "
                    f"coordinates, expected {d}"
                )
        known = _centres(p) + _centres(q)
        centres, widths = (
            torch.cat([torch.zeros(0, d), *(t.detach().cpu().reshape(-1, d) for t in ts)]).double()
            for ts in (zip(*known, strict=True) if known else ([], []))
        )
        if self.box is not None:
            low, high = torch.tensor(self.box, dtype=torch.float64).T
        elif len(_centres(p)) and len(_centres(q)):
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
        return _estimate(value, stderr, 1.959964 * stderr, n, _batch(p) or _batch(q), start)

    def _terms(self, f: Integrand, p: Density, q: Density) -> Tensor:
        if not hasattr(p, "sample"):
            raise TypeError(f"{type(p).__name__} has no sample; Monte Carlo draws from it")
        points: Tensor = p.sample((self.n,))  # type: ignore[attr-defined]
        points = points.reshape(self.n, *(_batch(p) or (1,)), -1)
        return f(_log_prob(p, points), _log_prob(q, points))


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


def entropy(p: Density, integrator: Integrator = Quadrature()) -> Estimate:
    r"""Differential entropy :math:`H(P) = -E_p \log p`, in nats. May be negative.

    Example:
        >>> from torch.distributions import Uniform
        >>> entropy(Uniform(0.0, 0.5), Quadrature(box=[(0.0, 0.5)])).value
        tensor(-0.6931, dtype=torch.float64)
    """
    return integrator.average(lambda log_p, _: -log_p, p, p)


def cross_entropy(p: Density, q: Density, integrator: Integrator = Quadrature()) -> Estimate:
    r"""Cross-entropy :math:`-E_p \log q`, in nats; ``inf`` where q is 0 and p is not.

    Example:
        >>> from torch.distributions import Normal
        >>> p, q = Normal(0.0, 1.0), Normal(1.0, 2.0)
        >>> cross_entropy(p, q).value - entropy(p).value - kl_divergence(p, q).value
        tensor(..., dtype=torch.float64)
    """
    return integrator.average(lambda _, log_q: -log_q, p, q)


def kl_divergence(p: Density, q: Density, integrator: Integrator = Quadrature()) -> Estimate:
    r"""KL divergence :math:`E_p \log p/q`, in nats; ``inf``, exactly, where q is 0 and p is not.

    Example:
        >>> from torch.distributions import Uniform
        >>> wide, narrow, box = Uniform(0.0, 4.0), Uniform(0.0, 1.0), [(0.0, 4.0)]
        >>> kl_divergence(narrow, wide, Quadrature(box)).value
        tensor(1.3863, dtype=torch.float64)
        >>> kl_divergence(wide, narrow, Quadrature(box)).value
        tensor(inf, dtype=torch.float64)
    """
    return integrator.average(lambda log_p, log_q: log_p - log_q, p, q)


def js_divergence(p: Density, q: Density, integrator: Integrator = Quadrature()) -> Estimate:
    r"""Jensen-Shannon divergence, in nats, from 0 to log 2.

    .. math:: \tfrac12 \mathrm{KL}(P \| \tfrac{P + Q}2) + \tfrac12 \mathrm{KL}(Q \| \tfrac{P + Q}2)

    Example:
        >>> from torch.distributions import Uniform
        >>> p, q, box = Uniform(0.0, 1.0), Uniform(2.0, 3.0), [(0.0, 4.0)]
        >>> js_divergence(p, q, Quadrature(box)).value
        tensor(0.6931, dtype=torch.float64)
    """

    def log_share_of_mean(log_p: Tensor, log_q: Tensor) -> Tensor:
        return math.log(2) - torch.logaddexp(log_q - log_p, torch.zeros_like(log_q))

    return integrator.average(log_share_of_mean, p, q, both=True)


def total_variation(p: Density, q: Density, integrator: Integrator = Quadrature()) -> Estimate:
    r"""Total variation :math:`\tfrac12 \int |p - q| = E_p \max(0, 1 - q/p)`, from 0 to 1.

    Example:
        >>> from torch.distributions import Uniform
        >>> p, q, box = Uniform(0.0, 2.0), Uniform(1.0, 3.0), [(0.0, 4.0)]
        >>> total_variation(p, q, Quadrature(box)).value
        tensor(0.5000, dtype=torch.float64)
    """
    return integrator.average(lambda a, b: (1 - (b - a).exp()).relu(), p, q, both=True)
