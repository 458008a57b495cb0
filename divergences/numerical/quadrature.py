"""Averages over densities by adaptive quadrature, up to three dimensions."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from divergences.checks import positive_number, whole_number
from divergences.estimate import QUANTITIES, Estimate
from divergences.numerical.densities import Density, members_of, prepared
from divergences.numerical.domain import Domain, breaks_of, ends_of
from divergences.numerical.integral import Integral
from divergences.numerical.integration import Average, Integrator, members_that

ROUNDED = 1e-9
"""Distance of a mass from 1 that rounding explains."""
BEYOND = 20.0
"""How much more than the last cell everything beyond it may hold, if it falls as x**-.01."""
SAFETY = 2.0
"""Of the interval: a jump inside a cell may leave more than the last halving changed. This factor
and the next bound nothing by proof: they are checked on the random pairs of
``tests/test_numerical_laws.py``."""
SAFETY_AT_KINKS = 10.0
"""The same for kinks in the plane and in space. On the line they have a bound in each cell."""


@final
@dataclass(frozen=True)
class Quadrature(Integrator):
    """Integrates over cells that are halved until halving them no longer changes the integral.

    Gauss-Legendre nodes in every cell, in coordinates in which the whole line is an interval (see
    ``cell_coordinates``). Cells start no wider than four widths of a density, or of a
    component of a mixture, where it has its mass, and end where its support ends. The interval is
    twice the change in the last halving and the rounding of the log-densities. For total variation
    it is ten times that change in the plane and in space; on the line, what a kink may hide in a
    cell is added. ``stderr`` is ``nan``, nothing being random. Both densities must have mass 1.

    A density that is infinite at an end, as Beta(.1, .1) at 0 and 1, is continued towards it as a
    power of the distance, which is checked by its mass (``singular_ends``).

    Where an integral still grows 1e100 widths away, its value is ``inf``, the interval begins at
    the part that was found, and a warning says so.

    Values can be differentiated in the parameters, ends of supports included.

    Arguments:
        box: Lower and upper end along each axis, possibly infinite. If not given, the supports of
            both densities, which must then be distributions of torch. Of a density of your own
            nothing is known outside of the box; of two distributions, what lies outside is
            measured and said where it matters.
        tolerance: Largest change in a mass or in the result (relative to it, above 1).
        mass_tolerance: Largest accepted distance of a mass from 1.
        max_evaluations: Points, times members of a batch, after which to give up. Bounds time and
            memory: at a microsecond for both log-densities of a point, the default is half a
            minute.
        breaks: Per axis, where a density of your own jumps or is infinite inside of the box, as in
            ``[(0.3,)]``. Of distributions that is known.

    Raises:
        TypeError: If an argument is of another type, or in use a density has no ``log_prob``.
        ValueError: If an argument is out of range. In use, if there is no box and a density is
            not torch's, there are more than 3 dimensions, the laws are not densities with respect
            to volume, a mass is not 1, or a ``log_prob`` is NaN or ``+inf``.
        NotImplementedError: In use, for a law mapped by a transform that is not one-to-one.
        RuntimeError: In use, if the tolerance was not reached.

    Example:
        >>> from torch.distributions import Normal
        >>> from divergences.numerical import entropy, kl_divergence
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0), Quadrature()).value
        tensor(0.5000, dtype=torch.float64)
        >>> entropy(Normal(0.0, 1.0), Quadrature(box=[(-1, 1)]))
        Traceback (most recent call last):
        ...
        ValueError: the first density has mass 0.682689 in the box [[-1.0, 1.0]]; ...
    """

    box: Sequence[tuple[float, float]] | None = None
    tolerance: float = 1e-6
    mass_tolerance: float = 1e-6
    max_evaluations: int = 2**25
    breaks: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        for name in ("tolerance", "mass_tolerance"):
            value = positive_number(name, getattr(self, name))
            if value >= 1:
                raise ValueError(f"{name} = {value}: it must lie between 0 and 1")
        whole_number("max_evaluations", self.max_evaluations)
        if self.box is not None:
            ends_of(self.box)
        breaks_of(self.breaks)

    def average(self, f: Average, p: Density, q: Density) -> Estimate:
        start = time.perf_counter()
        batch = members_of(p, q)
        pair = prepared(p), prepared(q)
        if q is p:
            pair = pair[0], pair[0]
        with torch.no_grad():
            domain = Domain(*pair, self.box, self.breaks)
            options = domain, self.tolerance, self.max_evaluations
            integral = Integral(f, *pair, math.prod(batch), *options)
            found = self._over(integral, batch)
        value = integral.with_gradient(found.value.reshape(-1)).reshape(batch)
        seconds = time.perf_counter() - start
        return replace(found, value=value, seconds=seconds, quantity=f.quantity)

    def _over(self, integral: Integral, batch: tuple[int, ...]) -> Estimate:
        f = integral.f
        total, error, ends = integral.inside()
        self._check_masses(total, integral)
        safety = SAFETY if f.smooth or integral.domain.d == 1 else SAFETY_AT_KINKS
        value, doubt = total[:, 2], safety * error[:, 2] + 4 * total[:, 3]
        # what a mass lacks or has too much is a sign of what else was missed
        amiss = (total[:, :2] - 1).abs().amax(1)
        doubt = doubt + 10 * amiss * (1 + value.abs()) + BEYOND * ends.abs()
        warnings = []
        outside = integral.outside(value)
        # torch's laws lie where they are known to
        unexplained = amiss > ROUNDED + error[:, :2].amax(1)
        if not integral.domain.complete and unexplained.any():
            warnings.append(
                f"{members_that(unexplained, batch)}a mass is off 1 by {amiss.max():.2g}, more "
                "than the cells explain: what lies beyond the box, or is narrow, may have been "
                "missed, and nothing bounds what it contributes; widen the box, give one of which "
                "an edge lies there, or normalise the density"
            )
        if outside is not None:
            beyond, off = outside
            doubt = doubt + beyond + off
            matters = beyond - off - error[:, 2] > self.tolerance * value.abs().clamp_min(1)
            if matters.any():
                warnings.append(
                    f"{members_that(matters, batch)}what lies outside of the box contributes "
                    f"{beyond.max():.3g}; the value leaves it out: widen the box"
                )
        low, high = value - doubt, value + doubt
        grows = ~(ends.abs() <= self.tolerance * value.abs().clamp_min(1)) | ~value.isfinite()
        grows = (grows | integral.overflowed) & ~integral.infinite & ~integral.infinite_below
        if grows.any():
            warnings.append(
                f"{members_that(grows, batch)}the integral still grows where coordinates or "
                "log-densities leave what float64 can hold: it is infinite, or converges too "
                "slowly"
            )
            least = QUANTITIES[f.quantity].least
            low = torch.where(grows, low.nan_to_num(0.0, posinf=0.0).clamp_min(least), low)
            high, value = (torch.where(grows, math.inf, t) for t in (high, value))
        above, below = integral.infinite, integral.infinite_below
        beyond = torch.where(above, math.inf, 0.0) - torch.where(below, math.inf, 0.0)  # or NaN
        value, low, high = (t + beyond for t in (value, low, high))
        value, low, high = (t.expand(batch or (1,)).reshape(batch) for t in (value, low, high))
        return Estimate(
            value,
            torch.full_like(value, math.nan),
            (low, high),
            bound="exact",
            warnings=tuple(warnings),
        )

    def _check_masses(self, total: Tensor, integral: Integral) -> None:
        for name, mass in zip(("first", "second"), total[:, :2].T, strict=True):
            worst = mass[(mass - 1).abs().nan_to_num(math.inf).argmax()].item()
            if not abs(worst - 1) <= self.mass_tolerance:
                box = torch.stack([integral.domain.low, integral.domain.high], 1).tolist()
                where = f"in the box {box}" if self.box is not None else f"on its support {box}"
                shown = f"{worst:.6g}" if f"{worst:.6g}" != "1" else f"1 {worst - 1:+.1g}"
                steep = "; where it rises towards an end like no power of the distance, map both "
                steep += "laws so that it does not, to logits for instance: KL, JS and TV stay"
                raise ValueError(
                    f"the {name} density has mass {shown} {where}; it must be 1: widen the "
                    "box, name jumps and singularities in breaks, or normalise the density"
                    + steep
                    * integral.coordinates.singular
                )
