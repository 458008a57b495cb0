r"""How much log p/q drifts within the balls of nearest neighbours.

A nearest-neighbour estimate takes p and q for constant within each ball. In more than a few
dimensions, and in the tails, balls are large and they are not. What that costs is estimated from
a log-quadratic model h of log p/q, fitted by logistic regression: a ball around x that holds
points of y has on average :math:`q e^{h - h(x)}` in it where :math:`q` was wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

PER_COEFFICIENT = 8  # points of both samples that a coefficient of the model needs, in each half
MOST = 25  # of them that are used, of each sample
EDGE = 6.0  # spreads from the centre beyond which a model stays what it is there
STEEPEST = 100.0  # distance of log p/q from its median beyond which the model is not believed
ENOUGH = 500  # points that this median is taken of


@dataclass(frozen=True)
class Features:
    """Each coordinate and the products of pairs; if ``bent`` those of absolute values, too."""

    d: int
    bent: bool

    @property
    def pairs(self) -> tuple[Indices, Indices]:
        return _pairs(self.d)

    def __len__(self) -> int:
        return self.d * (self.d + 2) if self.bent else self.d * (self.d + 3) // 2

    def __call__(self, points: Array) -> Array:
        first, second = self.pairs
        products = points[:, first] * points[:, second]
        columns = [points, products]
        if self.bent:
            columns += [np.abs(points), np.abs(products[:, first < second])]
        return np.concatenate(columns, 1)

    def combined(self, points: Array, weights: Array) -> Array:
        """The features of each point times one weight for each feature, ``(n,)``."""
        d, (first, second) = self.d, self.pairs
        many, crossed = len(first), first < second
        square = np.zeros((d, d))
        square[first, second] = weights[d : d + many]
        total = points @ weights[:d] + np.einsum("ij,ij->i", points @ square, points)
        if self.bent:
            sizes, square = np.abs(points), np.zeros((d, d))
            square[first[crossed], second[crossed]] = weights[2 * d + many :]
            total += sizes @ weights[d + many : 2 * d + many]
            total += np.einsum("ij,ij->i", sizes @ square, sizes)
        return total

    def total(self, points: Array, weights: Array) -> Array:
        """The sum of the points' features, with one weight for each point, ``(len(self),)``."""
        first, second = self.pairs
        square = points.T @ (weights[:, None] * points)
        parts = [weights @ points, square[first, second]]
        if self.bent:
            sizes = np.abs(points)
            square = sizes.T @ (weights[:, None] * sizes)
            parts += [weights @ sizes, square[first, second][first < second]]
        return np.concatenate(parts)


@cache
def _pairs(d: int) -> tuple[Indices, Indices]:
    return np.triu_indices(d)


@lru_cache(8)
def _orders(n: int, m: int) -> tuple[Indices, Indices]:
    """Random orders of both samples, the same in each call."""
    draw = np.random.default_rng(0)
    return draw.permutation(n), draw.permutation(m)


@dataclass(frozen=True)
class LogRatio:
    """A fitted model of log p/q.

    Arguments:
        weights: One for each feature.
        spread: Of each feature.
        design: The points that it was fitted on, ``(n + m, 1 + features)``: 1, and each feature
            over its spread.
        missing: Of each, how far the model's probability falls short of its label.
        bend: Second derivative of the penalised log-likelihood, with the sign changed.
    """

    weights: Array
    spread: Array
    design: Array
    missing: Array
    bend: Array

    @cached_property
    def pulls(self) -> Array:
        """How far each of the points pulls each weight, ``(n + m, features)``."""
        pulls = self.design @ np.linalg.inv(self.bend)[:, 1:]
        return pulls * self.missing[:, None] / self.spread

    @classmethod
    def fit(cls, a: Array, b: Array, features: Features) -> LogRatio:
        """The model that best tells ``a`` from ``b``, by logistic regression."""
        values = features(np.concatenate([a, b]))
        spread = values.std(0)
        spread[spread == 0] = 1
        design = np.ones((len(values), len(features) + 1))
        design[:, 1:] = (values - values.mean(0)) / spread
        label = np.repeat([1.0, 0.0], [len(a), len(b)])
        penalty = np.ones(len(features) + 1)
        penalty[0] = 1e-6
        weights = np.zeros(len(features) + 1)
        for _ in range(12):
            chance = expit(design @ weights)
            slope = design.T @ (label - chance) - penalty * weights
            scaled = design * np.sqrt(chance * (1 - chance))[:, None]
            bend = scaled.T @ scaled + np.diag(penalty)
            step = np.linalg.solve(bend, slope)
            weights += step
            if np.abs(step).max() < 1e-2:
                break
        return cls(weights[1:] / spread, spread, design, label - chance, bend)


@dataclass(frozen=True)
class Drift:
    """Models of log p/q fitted on either half of two samples, each read at the other points.

    Arguments:
        points: Points of the second sample, then those of the first, ``(m + n, d)``.
        many: How many of them are of the second, m.
        features: What the models are combinations of.
        own: Which half each x is in, 0 or 1.
        fitted_on: Indices among ``points`` that the model for each half is made from.
        models: The model for each half.
        ratios: p/q by the model for either half at every point, but for a factor,
            ``(2, m + n)``.
    """

    points: Array
    many: int
    features: Features
    own: Indices
    fitted_on: list[Indices]
    models: list[LogRatio]
    ratios: Array

    @classmethod
    def between(cls, x: Array, y: Array, bent: bool = False) -> Drift | None:
        """The drift between two samples; ``None`` where they are too few to fit a model."""
        features, m = Features(x.shape[1], bent), len(y)
        if len(x) + m < 2 * PER_COEFFICIENT * len(features):
            return None
        points = np.clip(np.concatenate([y, x]), -EDGE, EDGE)
        order, other = _orders(len(x), m)
        own = np.zeros(len(x), np.intp)
        own[order[1::2]] = 1
        most = max(MOST * len(features), 500)
        used = [(m + order[h::2][:most], other[h::2][:most]) for h in (1, 0)]
        models = [LogRatio.fit(points[i], points[j], features) for i, j in used]
        fitted_on = [np.concatenate(pair) for pair in used]
        return cls(points, m, features, own, fitted_on, models, cls.read(points, features, models))

    @staticmethod
    def read(points: Array, features: Features, models: list[LogRatio]) -> Array:
        """p/q by each model at every point, but for a factor."""
        logs = np.stack([features.combined(points, model.weights) for model in models])
        middle = np.median(logs[:, :: max(len(points) // ENOUGH, 1)], 1, keepdims=True)
        return np.exp(np.clip(logs - middle, -STEEPEST, STEEPEST))

    @cached_property
    def _toward(self) -> Array:
        """p/q at the points of the second sample, q/p at those of the first."""
        toward = self.ratios.copy()
        toward[:, self.many :] = 1 / toward[:, self.many :]
        return toward.ravel()

    def within(self, among_x: Indices, among_y: Indices, by_y: NDArray[np.bool_]) -> DriftWithin:
        """The drift within the larger of two balls around each x.

        Arguments:
            among_x: Indices of the k nearest other x, ``(n, k)``.
            among_y: Indices of the k nearest y, ``(n, k)``.
            by_y: Whether the ball of the latter is the larger one.
        """
        at = np.where(by_y[:, None], among_y, self.many + among_x)
        ratios = self._toward.take((self.own * len(self.points))[:, None] + at)
        return DriftWithin(self, by_y, at, ratios)


@dataclass(frozen=True)
class DriftWithin:
    """The drift within one ball around each x.

    Arguments:
        drift: That between the samples.
        by_y: Whether the ball is made of y.
        at: Which points make it up, ``(n, k)``.
        ratios: p/q at those of y, q/p at those of x, but for a factor.
    """

    drift: Drift
    by_y: NDArray[np.bool_]
    at: Indices
    ratios: Array

    @cached_property
    def _sums(self) -> Array:
        return self.ratios @ np.ones(self.ratios.shape[1])

    def added(self) -> Array:
        """What to add to each x's log-ratio of densities."""
        drift = self.drift
        here = drift.ratios[drift.own, drift.many + np.arange(len(drift.own))]
        mean = self._sums / self.ratios.shape[1]
        return np.log(np.where(self.by_y, here / mean, here * mean))

    def influences(self) -> tuple[Array, Array]:
        """What each x and each y does to the mean of what is added, through the models."""
        drift = self.drift
        n, m = len(drift.own), drift.many
        found = np.zeros(m + n)
        shares = self.ratios / self._sums[:, None]
        for half, model in enumerate(drift.models):
            mine = drift.own == half
            weights = np.repeat([0.0, 1.0], [m, n])
            weights[m:] *= mine
            weights -= np.bincount(self.at[mine].ravel(), shares[mine].ravel(), m + n)
            slope = drift.features.total(drift.points, weights) / n
            found[drift.fitted_on[half]] += model.pulls @ slope
        return n * found[m:], m * found[:m]
