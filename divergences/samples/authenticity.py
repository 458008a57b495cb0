"""Whether generated points are copies of those that the generator was trained on."""

import math
import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np
import torch
from scipy.special import betainc
from torch import Tensor

from divergences.array_likes import as_sample
from divergences.checks import seed_number, whole_number
from divergences.estimate import Bound, Estimate, Z
from divergences.estimator import Estimator, check_samples, each_member
from divergences.samples.neighbour_distances import Array, as_points, k_nearest, stderr_of
from divergences.samples.random_halves import halves
from divergences.samples.rank_probability import probability_above
from divergences.samples.units import in_own_unit

FEWEST = 20  # points of a cell that count

COINCIDING = 0.01
"""Share of both samples in the place of training points from which a warning tells of it."""


@final
@dataclass(frozen=True)
class Authenticity(Estimator):
    r"""Share of generated points farther from the nearest real one than its own neighbour is.

    ``x`` are the points that the generator was trained on. With :math:`x^*` the nearest of them to
    y, and :math:`x'` the nearest other one to :math:`x^*`: the share of y with
    :math:`\|y - x^*\| > \|x' - x^*\|`. It is 0 for copies and 1 far from all real points. Between
    equal laws it is ``1/3`` in one dimension and tends to ``1/2`` in many,
    see :func:`usual_authenticity`. The floor of the estimate is the value of one half of x against
    the other, which holds for laws of any kind. A value below it means copies, one above it points
    where real ones are rare. It is so defined in the paper; the code that was released with it
    counts real points instead.

    References:
        | How Faithful is your Synthetic Data? (Alaa et al., 2022), section 4.3
        | https://arxiv.org/abs/2102.08921

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than 8.

    Example:
        >>> x = torch.arange(20.0)[:, None]
        >>> Authenticity()(x, torch.cat([x[:10] + 0.1, x[:10] + 100])).value
        tensor(0.5000)
    """

    quantity: ClassVar[str] = "authenticity"
    bound: ClassVar[Bound] = "none"

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=8)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        a, b, _ = in_own_unit(x.detach(), y.detach())
        real, fake = as_points(a), as_points(b)
        value, influences = _share_farther(real, fake)
        parts = tuple(map(as_points, halves(a, 0)))
        floor = sum(_share_farther(*pair)[0] for pair in (parts, parts[::-1])) / 2
        # of n points leaving out one changes the value by influence / n
        stderr = stderr_of([i * len(i) for i in influences])
        half = max(Z * stderr, 3 / min(len(x), len(y)))  # of a share of 0 or 1: rule of 3
        value_, stderr_, floor_ = (x.new_tensor(t) for t in (value, stderr, floor))
        ends = value_ - half, value_ + half
        return Estimate(value_, stderr_, ends, self.bound, (len(x), len(y)), floor_)


def _share_farther(real: Array, fake: Array) -> tuple[float, list[Array]]:
    """The share, and by how much it changes without each real and without each fake point."""
    m = len(fake)
    distance, at = k_nearest(real, fake, 2)
    reach, neighbour = k_nearest(real, real, 2)
    first, second = at.T
    farther = distance[:, 0] > reach[first, 0]
    # a lost real point was the nearest one, or the nearest one's neighbour
    reach_second = np.where(neighbour[second, 0] == first, reach[second, 1], reach[second, 0])
    without_first = (distance[:, 1] > reach_second) * 1.0 - farther
    without_neighbour = (distance[:, 0] > reach[first, 1]) * 1.0 - farther
    change = np.bincount(first, without_first, len(real)) / m
    change += np.bincount(neighbour[first, 0], without_neighbour, len(real)) / m
    value = float(farther.mean())
    return value, [change, (value - farther) / (m - 1)]


def usual_authenticity(d: int) -> float:
    r"""The authenticity between equal laws with a density in ``d`` dimensions, of many points.

    A fresh point lies nearer to its nearest real one than that one's neighbour if both are nearest
    neighbours of each other: :math:`1 - |B| / |B \cup B'|`, with unit balls whose centres are 1
    apart.

    References:
        | On the probability that a random point is the jth nearest neighbour to its own kth
          nearest neighbour (Pickard, 1982)
        | https://doi.org/10.2307/3213930

    Example:
        >>> [round(usual_authenticity(d), 4) for d in (1, 2, 64)]
        [0.3333, 0.3785, 0.5]
    """
    d = whole_number("d", d)
    return 1 - 1 / (2 - float(betainc((d + 1) / 2, 0.5, 0.75)))


@final
@dataclass(frozen=True)
class DataCopying(Estimator):
    r"""Probability that a generated point is farther from the training points than a fresh one is.

    .. math:: \Pr[d(y) > d(x)] + \tfrac12 \Pr[d(y) = d(x)],
        \quad d(z) = \min_{t \in T} \|z - t\|

    ``x`` are real points that the generator was not trained on. The value is 1/2 if generated
    points are as near to the training points as fresh ones, less if they are copies with a little
    noise, and more if the generator underfits. The interval holds for the training points as they
    are; its stderr is DeLong's. A generator may copy in one region and underfit in another: with
    ``cells``, the value is the mean over cells of k-means among the training points, weighted by
    the shares of x. Cells with fewer than 20 generated points do not count, with a warning.

    References:
        | A Non-Parametric Test to Detect Data-Copying in Generative Models (Meehan et al., 2020),
          equations (1) and (4)
        | https://arxiv.org/abs/2004.05675

    Arguments:
        train: The training points, of shape ``(t, d)``.
        cells: How many.
        seed: Of the cells.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 8, or no
            cell has enough of each.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> train, x, fresh = (torch.randn(400, 2, generator=draw) for _ in range(3))
        >>> copies = train + 0.01 * fresh
        >>> round(float(DataCopying(train)(x, copies).value), 2)
        0.01
        >>> low, high = DataCopying(train)(x, fresh).ci
        >>> bool(low < 0.5 < high)
        True
    """

    quantity: ClassVar[str] = "data_copying"
    bound: ClassVar[Bound] = "exact"

    train: Any = field(repr=False)
    cells: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("cells", self.cells, most=10_000)
        seed_number("seed", self.seed)
        points = as_sample(self.train, "train")
        check_samples(points, points)
        if points.ndim != 2:
            raise ValueError(f"train has shape {tuple(points.shape)}; expected (t, d)")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=8)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        train = as_sample(self.train, "train").detach().double().cpu()
        if train.shape[1] != x.shape[1]:
            raise ValueError(
                f"train has {train.shape[1]} columns and x {x.shape[1]}: give both the same ones"
            )
        both = torch.cat([x.detach().cpu().double(), y.detach().cpu().double()])
        both, train, _ = in_own_unit(both, train)
        known, points = as_points(train), as_points(both)
        near = k_nearest(known, points, 1)[0][:, 0]
        cell = _cells(known, points, int(self.cells), int(self.seed))
        own, other = (near[: len(x)], cell[: len(x)]), (near[len(x) :], cell[len(x) :])
        weights, values, variances, left_out = [], [], [], 0
        for each in range(int(self.cells)):
            of_x, of_y = (d[c == each] for d, c in (own, other))
            if int(self.cells) > 1 and len(of_x) and min(len(of_x), len(of_y)) < FEWEST:
                left_out += len(of_x)
            elif len(of_x):
                value, variance = probability_above(of_x, of_y)
                weights.append(len(of_x))
                values.append(value)
                variances.append(variance)
        if not weights:
            raise ValueError(
                f"no cell holds {FEWEST} points of each sample: give fewer cells than {self.cells}"
            )
        share = np.array(weights) / sum(weights)
        stderr = math.sqrt(float(share**2 @ np.array(variances)))
        stderr = max(stderr, math.sqrt(1 / len(x) + 1 / len(y)) / 20)  # 0 or 1 in these samples
        notes = _coinciding(own[0], other[0])
        if left_out:
            notes += (
                f"{left_out} of {len(x)} points of x are in cells with fewer than {FEWEST} points "
                "of a sample, which do not count",
            )
        numbers = x.new_tensor(float(share @ np.array(values))), x.new_tensor(stderr)
        return Estimate(*numbers, bound=self.bound, n=(len(x), len(y)), warnings=notes)


def _coinciding(own: Array, other: Array) -> tuple[str, ...]:
    """A warning where both samples have points in the place of a training point."""
    ties = [int((near == 0).sum()) for near in (own, other)]
    if min(ties[0] / len(own), ties[1] / len(other)) <= COINCIDING:
        return ()
    return (
        f"ties: {ties[0]} of {len(own)} x and {ties[1]} of {len(other)} y coincide with training "
        "points, by copying or by the rounding of their numbers; they count as equally far",
    )


def _cells(train: Array, points: Array, cells: int, seed: int) -> Array:
    if cells == 1:
        return np.zeros(len(points))
    from scipy.cluster.vq import kmeans2, vq  # a tenth of a second, of which few have use

    if cells > len(train):
        raise ValueError(f"cells = {cells}: there are only {len(train)} training points")
    start = train[np.random.default_rng(seed % 2**63).permutation(len(train))[:cells]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cells without points, which hold no points of x
        centres, _ = kmeans2(train, start, minit="matrix")
    return vq(points, centres)[0]
