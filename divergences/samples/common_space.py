"""Two samples in the space in which their nearest neighbours are looked for.

KL, JS and TV do not change under invertible maps of both samples, distances do. So distances are
taken where both laws are about round, whatever the units and correlations of the columns, where
far tails are pulled in, and where it is known below what distance two points may only differ by
the rounding of their numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from divergences.samples.coordinates import standardised

Array = NDArray[np.floating]

KNEE = 3.0  # spreads from the centre beyond which distances become logarithmic
FAR = 1e3  # spreads beyond which points say nothing about the subspace that holds the others
NOISE = 2.0  # spread, in steps between neighbouring numbers, that rounding may explain
REMEMBERED = 2**14  # numbers of two samples whose common space is kept for a while
ENOUGH = 1000  # points of a sample that its scatter is taken from
TINY = 1e-14  # added to squared spreads that may be 0
POOLED = 0.01  # share of the pooled scatter, so that parts far apart stay far apart


@dataclass(frozen=True)
class CommonSpace:
    """Two samples in common coordinates, and what their numbers can tell.

    Attributes:
        x: Points of the first sample, ``(n, d)``.
        y: Points of the second, ``(m, d)``.
        dimension: Of the affine subspace that holds both samples.
        share_support: Whether each of the samples fills that subspace. If not, their laws are
            mutually singular if each has a density on its own subspace.
        resolution: Distance below which points may differ by the rounding of numbers alone.
        unresolved: Whether the samples differ across their subspace by about their resolution.
        spanned: Whether each of the samples has more points than there are dimensions.
        log_linear: Logarithm of how much the linear part of the map enlarges volumes.
        slopes: Those of its other part along each axis at each point of ``x``, ``(n, d)``.
    """

    x: Array
    y: Array
    dimension: int
    share_support: bool
    resolution: float
    unresolved: bool
    spanned: bool
    log_linear: float
    slopes: Array

    @classmethod
    def of(cls, x: Tensor, y: Tensor) -> CommonSpace:
        """The common space of points ``(n, d)`` and ``(m, d)``.

        With fewer points than dimensions nothing can be said about subspaces or correlations, and
        nothing is but that (:meth:`doubts`); columns are standardised alone. Of few points it is
        found once for several estimators.
        """
        x, y = x.detach(), y.detach()
        if x.numel() + y.numel() > REMEMBERED or x.dtype != y.dtype:
            return cls._found(x, y)
        both = torch.cat([x, y]).cpu().numpy()
        return cls._once(both.tobytes(), both.dtype, both.shape, len(x))

    @classmethod
    @lru_cache(maxsize=64)
    def _once(cls, numbers: bytes, dtype: np.dtype, shape: tuple[int, ...], n: int) -> CommonSpace:
        both = torch.from_numpy(np.frombuffer(numbers, dtype).reshape(shape).copy())
        return cls._found(both[:n], both[n:])

    @classmethod
    def _found(cls, x: Tensor, y: Tensor) -> CommonSpace:
        found = standardised(x, y)
        a, b = (np.clip(points.cpu().numpy(), -1e100, 1e100) for points in (found.x, found.y))
        steps = found.resolution.cpu().numpy()[0]
        span = _Span(a, b, steps)
        across = np.eye(a.shape[1])
        log_linear = -float(found.scale.log().sum())
        if span.dimension > 0 and span.known:  # of fewer points the scatter is chance
            basis = span.basis
            inside = (a @ basis, b @ basis)
            whiten = _whitening(*inside)
            across = across + basis @ (whiten - np.eye(len(whiten))) @ basis.T
            log_linear += float(np.linalg.slogdet(whiten)[1])
            steps = np.sqrt(((across @ basis) ** 2).T @ steps**2)
        (u, slopes), (v, _) = _pulled_in(a @ across), _pulled_in(b @ across)
        return cls(
            u,
            v,
            span.dimension,
            span.shared,
            float(np.linalg.norm(steps)),
            span.unresolved,
            span.known,
            log_linear,
            slopes,
        )

    @property
    def log_volume(self) -> Array:
        """Logarithm of how much the map enlarges a volume at each point of ``x``.

        It is meant where ``dimension`` is that of the points.
        """
        return self.log_linear + np.log(self.slopes).sum(1)

    def with_tails(self) -> tuple[Array, Array]:
        """Both samples where far tails are not pulled in."""
        return _let_out(self.x), _let_out(self.y)

    def doubts(self, distances: Array) -> tuple[str, ...]:
        """Warnings, given each point's distance to its k-th neighbour."""
        found = ()
        if not self.spanned:
            found += (
                f"few: with no more points than the {self.x.shape[1]} dimensions, which of them "
                "are near each other is as chance has it, and the value says little",
            )
        if self.unresolved:
            found += (
                "unresolved: x and y differ across the subspace that holds both by no more than "
                "the rounding of their numbers: they may lie apart, or not; use float64",
            )
        close = float((distances < 4 * self.resolution).mean())
        if close > 0.05:
            found += (
                f"rounded: {100 * close:.0f} % of the points have neighbours as near as the "
                "spacing of the numbers that they are given in; subtract offsets, or draw in "
                "float64",
            )
        return found


class _Span:
    """Affine subspaces of two samples and of both together, by spreads in steps of rounding."""

    def __init__(self, a: Array, b: Array, steps: Array):
        self.steps = np.maximum(steps, np.finfo(float).tiny)
        near = [_near(points) / self.steps for points in (a, b)]
        self.known = min(len(a), len(b)) > a.shape[1] + 1 and min(map(len, near)) > 1
        self.near = near if self.known else [a / self.steps, b / self.steps]

    @cached_property
    def _joint(self) -> tuple[Array, Array]:
        return _axes(np.concatenate(self.near))

    @cached_property
    def dimension(self) -> int:
        return int((self._joint[0] > NOISE).sum()) if self.known else len(self.steps)

    @property
    def shared(self) -> bool:
        return not self.known or all(
            (_axes(points)[0] > NOISE).sum() == self.dimension for points in self.near
        )

    @property
    def basis(self) -> Array:
        """Orthonormal columns that span the directions of the joint subspace."""
        if self.dimension == len(self.steps):
            return np.eye(len(self.steps))
        axes = self._joint[1][:, self._joint[0] > NOISE]
        return np.linalg.qr(axes * self.steps[:, None])[0]

    @property
    def unresolved(self) -> bool:
        if not self.known:
            return False
        across = self._joint[1][:, self._joint[0] <= NOISE]
        if not across.size:
            return False
        first, second = (_mean(points) @ across for points in self.near)
        return bool((np.abs(first - second) > 0.5).any())


def _near(points: Array) -> Array:
    sizes = np.abs(points)
    return points if sizes.max() < FAR else points[(sizes < FAR).all(1)]


def _axes(points: Array) -> tuple[Array, Array]:
    """Spreads along the principal axes, and these axes as columns."""
    centred = points - _mean(points)
    values, axes = np.linalg.eigh(centred.T @ centred / len(points))
    if values[0] > 1e-8 * values[-1]:  # then rounding leaves the square roots their digits
        return np.sqrt(values), axes
    _, spreads, axes = np.linalg.svd(centred, full_matrices=False)
    return spreads / math.sqrt(len(points)), axes.T


def _mean(points: Array) -> Array:
    return np.full(len(points), 1 / len(points)) @ points


def _squares(points: Array, matrix: Array) -> Array:
    return np.einsum("ij,ij->i", points @ matrix, points)


def _scatter(points: Array, rounds: int = 3) -> Array:
    """Covariance in which far points have little weight, as under a Cauchy law."""
    d = points.shape[1]
    points = points[:: max(len(points) // (ENOUGH + 20 * d), 1)]
    scatter = np.eye(d)
    squares = _squares(points, scatter)
    for _ in range(rounds):
        weights = 1 / (1 + squares / d)
        centred = points - weights @ points / weights.sum()
        scatter = (weights[:, None] * centred).T @ centred / len(points)
        squares = _squares(centred, np.linalg.inv(scatter + TINY * np.eye(d)))
    return scatter


def _whitening(a: Array, b: Array) -> Array:
    """Symmetric matrix that makes the mean scatter of both samples about round, of spread 1."""
    scatter = (_scatter(a) + _scatter(b)) / 2 + POOLED * _scatter(np.concatenate([a, b]))
    values, axes = np.linalg.eigh(scatter)
    whiten = (axes / np.sqrt(np.maximum(values, np.finfo(float).tiny))) @ axes.T
    spread = np.median(np.abs(np.concatenate([a, b]) @ whiten)) / 0.6745
    return whiten / spread if spread > 0 else whiten


def _pulled_in(points: Array) -> tuple[Array, Array]:
    """Each coordinate logarithmic beyond the knee, and the slope of that function there."""
    beyond = np.maximum(np.abs(points) - KNEE, 0.0)
    inner = np.clip(points, -KNEE, KNEE)
    return inner + np.sign(points) * np.log1p(beyond), 1 / (1 + beyond)


def _let_out(points: Array) -> Array:
    """The points of which these are pulled in."""
    beyond = np.maximum(np.abs(points) - KNEE, 0.0)
    return np.clip(points, -KNEE, KNEE) + np.sign(points) * np.expm1(beyond)
