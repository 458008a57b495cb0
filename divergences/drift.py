r"""How much log p/q drifts within the balls of nearest neighbours.

A nearest-neighbour estimate takes p and q for constant within each ball. In more than a few
dimensions, and in the tails, balls are large and they are not. What that costs is estimated from
a log-quadratic model h of log p/q, fitted by logistic regression: a ball around x that holds
points of y has on average :math:`q e^{h - h(x)}` in it where :math:`q` was wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

PER_COEFFICIENT = 8  # points of both samples that a coefficient of the model needs, in each half
MOST = 25  # of them that are used, of each sample
EDGE = 6.0  # spreads from the centre beyond which a model stays what it is there
STEEPEST = 100.0  # distance of log p/q from its median beyond which the model is not believed


@dataclass(frozen=True)
class Features:
    """Each coordinate and the products of pairs; if ``bent`` those of absolute values, too."""

    d: int
    bent: bool

    @property
    def pairs(self) -> tuple[Indices, Indices]:
        return np.triu_indices(self.d)

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
        total = points @ weights[:d] + ((points @ square) * points).sum(1)
        if self.bent:
            sizes, square = np.abs(points), np.zeros((d, d))
            square[first[crossed], second[crossed]] = weights[2 * d + many :]
            total += sizes @ weights[d + many : 2 * d + many]
            total += ((sizes @ square) * sizes).sum(1)
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


@dataclass(frozen=True)
class LogRatio:
    """A fitted model of log p/q.

    Arguments:
        weights: One for each feature.
        pulls: How far each of the points that it was fitted on pulls each weight,
            ``(n + m, features)``.
    """

    weights: Array
    pulls: Array

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
            bend = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
            step = np.linalg.solve(bend, slope)
            weights += step
            if np.abs(step).max() < 1e-3:
                break
        pulls = np.linalg.solve(bend, design.T * (label - chance)).T
        return cls(weights[1:] / spread, pulls[:, 1:] / spread)


@dataclass(frozen=True)
class Drift:
    """Models of log p/q fitted on either half of two samples, each read at the other points.

    Arguments:
        x: Points of the first sample.
        y: Of the second.
        features: What the models are combinations of.
        own: Which half each x is in, 0 or 1.
        fitted_on: Indices of the points of x and of y that the model for each half is made from.
        models: The model for each half.
        at_x: p/q by the model for either half at every x, but for a factor, ``(2, n)``.
        at_y: The same at every y, ``(2, m)``.
    """

    x: Array
    y: Array
    features: Features
    own: Indices
    fitted_on: list[tuple[Indices, Indices]]
    models: list[LogRatio]
    at_x: Array
    at_y: Array

    @classmethod
    def between(cls, x: Array, y: Array, bent: bool = False) -> Drift | None:
        """The drift between two samples; ``None`` where they are too few to fit a model."""
        features = Features(x.shape[1], bent)
        if len(x) + len(y) < 2 * PER_COEFFICIENT * len(features):
            return None
        x, y = np.clip(x, -EDGE, EDGE), np.clip(y, -EDGE, EDGE)
        draw = np.random.default_rng(0)
        order, other = draw.permutation(len(x)), draw.permutation(len(y))
        own = np.zeros(len(x), np.intp)
        own[order[1::2]] = 1
        most = max(MOST * len(features), 500)
        used = [(order[h::2][:most], other[h::2][:most]) for h in (1, 0)]
        models = [LogRatio.fit(x[i], y[j], features) for i, j in used]
        at_x, at_y = (
            np.stack([features.combined(points, model.weights) for model in models])
            for points in (x, y)
        )
        middle = np.median(at_x, 1, keepdims=True)
        ratios = [np.exp(np.clip(h - middle, -STEEPEST, STEEPEST)) for h in (at_x, at_y)]
        return cls(x, y, features, own, used, models, *ratios)

    def __call__(self, among_x: Indices, among_y: Indices, by_y: NDArray[np.bool_]) -> Array:
        """What to add to each x's log-ratio of densities.

        Arguments:
            among_x: Indices of the k nearest other x, ``(n, k)``.
            among_y: Indices of the k nearest y, ``(n, k)``.
            by_y: Whether the ball of the latter is the larger one.
        """
        here, up, down = self._changes(among_x, among_y)
        return np.log(np.where(by_y, here / up.mean(1), here * down.mean(1)))

    def _changes(self, among_x: Indices, among_y: Indices) -> tuple[Array, Array, Array]:
        n, m = len(self.x), len(self.y)
        here = self.at_x[self.own, np.arange(n)]
        up = self.at_y.ravel()[(self.own * m)[:, None] + among_y]
        down = (1 / self.at_x).ravel()[(self.own * n)[:, None] + among_x]
        return here, up, down

    def influences(
        self, among_x: Indices, among_y: Indices, by_y: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """What each x and each y does to the mean of a call's result through the models."""
        n, m = len(self.x), len(self.y)
        of_x, of_y = np.zeros(n), np.zeros(m)
        _, up, down = self._changes(among_x, among_y)
        shares_y, shares_x = up / up.sum(1, keepdims=True), down / down.sum(1, keepdims=True)
        for half, model in enumerate(self.models):
            mine = self.own == half
            with_y, with_x = mine & by_y, mine & ~by_y
            from_y = np.bincount(among_y[with_y].ravel(), shares_y[with_y].ravel(), m)
            from_x = np.bincount(among_x[with_x].ravel(), shares_x[with_x].ravel(), n)
            slope = self.features.total(self.x, mine - from_x)
            slope -= self.features.total(self.y, from_y.astype(float))
            pull = model.pulls @ (slope / n)
            i, j = self.fitted_on[half]
            of_x[i] += n * pull[: len(i)]
            of_y[j] += m * pull[len(i) :]
        return of_x, of_y
