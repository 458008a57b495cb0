"""Which points of one sample lie among those of the other: precision, recall, density, coverage.

``x`` are the real points and ``y`` the generated ones. Each point has a ball that reaches its k-th
nearest neighbour in its own sample. What is estimated is the mean over samples of these sizes:
balls shrink as samples grow. The stderr is the jackknife's over the points of both samples,
leaving out one at a time, with the ball of each neighbour of a lost point grown to its next one.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from divergences.checks import whole_number
from divergences.estimate import Bound, Estimate, Z
from divergences.estimator import Estimator, each_member
from divergences.pair_distances import pair_distances
from divergences.samples.units import in_own_unit, resolution, times_two_to

AT_ONCE = 2**22  # pairs in memory at a time
MOST_PAIRS = 2_000_000_000
EQUAL = 1e-12  # relative difference of distances that rounding explains
TIED = 0.05  # share of points with neighbours equally far, from which values are others

Array = NDArray[np.floating]


class Balls(NamedTuple):
    """Which points lie in which balls, and what a lost centre changes.

    Attributes:
        inside: 1 where a point (column) is in a ball (row), ``(n, m)``.
        change: How many more balls hold a point once a centre is left out, ``(n, m)``.
        reach: Of each centre, to its k-th neighbour and to the next one, ``(2, n)``.
    """

    inside: csr_array
    change: csr_array
    reach: Array


def balls(centres: Tensor, points: Tensor, k: int) -> Balls:
    """The balls around centres ``(n, d)``, to their k-th neighbours, and points ``(m, d)``.

    ``change[l, j]`` is how many more balls hold point j once centre l is left out.
    """
    n, m = len(centres), len(points)
    neighbours, reach = [], []
    for some in centres.split(max(1, AT_ONCE // n)):
        near = pair_distances(some, centres)
        found = near.topk(min(k + 2, n), largest=False, sorted=True)
        neighbours.append(found.indices)
        reach.append(found.values)
    index, distance = torch.cat(neighbours), torch.cat(reach)
    own = torch.arange(n)[:, None]
    # of coincident points any may come first: what is not the point itself are its neighbours
    is_own = index == own
    is_own[:, -1] |= ~is_own.any(1)
    index, distance = (t[~is_own].reshape(n, -1) for t in (index, distance))
    radius, larger = distance[:, k - 1], distance[:, min(k, distance.shape[1] - 1)]
    rows, columns, close = [], [], []
    first = 0
    for some in centres.split(max(1, AT_ONCE // m)):
        across = pair_distances(some, points)
        here = slice(first, first + len(some))
        i, j = (across <= larger[here, None]).nonzero(as_tuple=True)
        rows.append(i + first)
        columns.append(j)
        close.append(across[i, j] <= radius[here][i])
        first += len(some)
    i, j, inner = (torch.cat(t).numpy() for t in (rows, columns, close))
    one = np.ones(len(i))
    inside = coo_array((one[inner], (i[inner], j[inner])), (n, m)).tocsr()
    shell = coo_array((one[~inner], (i[~inner], j[~inner])), (n, m)).tocsr()
    of = np.repeat(np.arange(n), k)
    grows = coo_array((np.ones(n * k), (index[:, :k].numpy().ravel(), of)), (n, n)).tocsr()
    return Balls(inside, (grows @ shell - inside).tocsr(), torch.stack([radius, larger]).numpy())


@dataclass(frozen=True)
class NeighbourBalls(Estimator):
    """What the estimators of this module share."""

    bound: ClassVar[Bound] = "none"
    per_neighbour: ClassVar[int] = 10
    """Points, with fewer of which the standard error is too small."""

    k: int = 5

    def __post_init__(self) -> None:
        whole_number("k", self.k, most=10_000)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=self.k + 3)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        if max(len(x), len(y)) ** 2 > MOST_PAIRS:
            raise ValueError(
                f"{len(x)} and {len(y)} points have more than {MOST_PAIRS:.2g} pairs: take fewer"
            )
        a, b, exponent = in_own_unit(x.detach().cpu(), y.detach().cpu())
        value, influences, reach = self._read(a, b)
        stderr = math.sqrt(sum(float((i - i.mean()) @ (i - i.mean())) for i in influences))
        radius = float(times_two_to(exponent, a.new_tensor(np.median(reach[0]))))
        notes = self._doubts(x, y, radius, float((reach[1] <= reach[0] * (1 + EQUAL)).mean()))
        n = len(x), len(y)
        low, high = (x.new_tensor(end) for end in self._ends(value, stderr, n))
        value_, stderr_ = x.new_tensor(value), x.new_tensor(stderr)
        return Estimate(value_, stderr_, (low, high), self.bound, n, warnings=notes)

    def _ends(self, value: float, stderr: float, n: tuple[int, int]) -> tuple[float, float]:
        """Of the interval; of a share that is 0 or 1 in the sample by the rule of three."""
        half = max(Z * stderr, 3 / min(n))
        return value - half, value + half

    def _doubts(self, x: Tensor, y: Tensor, radius: float, tied: float) -> tuple[str, ...]:
        fewest, enough = min(len(x), len(y)), self.per_neighbour * self.k
        if fewest < enough:
            return (
                f"few: of {fewest} points {self.k} neighbours are a large part, and balls reach "
                f"from one part of a law to another; give {enough} or more",
            )
        if radius <= 20 * resolution(x, y):
            return (
                "neighbours are as near as the rounding of their coordinates, or coincide: which "
                "points are nearer is chance",
            )
        if tied <= TIED:
            return ()
        return (
            f"{tied:.0%} of the points have several neighbours where their balls end, as on a "
            "lattice: balls hold more than k, and the value between equal laws is not what it is "
            "for a density; compare with that of two samples of one law",
        )

    @abstractmethod
    def _read(self, x: Tensor, y: Tensor) -> tuple[float, list[Array], Array]:
        """The value, by how much it changes without each point of x and of y, and the reach."""


def _share_in_balls(centres: Tensor, points: Tensor, k: int) -> tuple[float, list[Array], Array]:
    """Share of the points in any ball; the change without each centre and without each point."""
    found = balls(centres, points, k)
    count = np.asarray(found.inside.sum(0)).ravel()
    held, m = count > 0, len(points)
    change = found.change.tocoo()
    now = held[change.col].astype(float)
    after = (count[change.col] + change.data > 0.5).astype(float)
    by_centre = np.bincount(change.row, (after - now) / m, len(centres)).astype(float)
    value = float(held.mean())
    return value, [by_centre, (value - held) / (m - 1)], found.reach


@final
@dataclass(frozen=True)
class Precision(NeighbourBalls):
    """Share of generated points within the balls of real ones, between 0 and 1.

    Below 1 also between equal laws, as balls do not cover everything: compare it with the value of
    two halves of the real points. One real outlier has a large ball.

    References:
        | Improved Precision and Recall Metric for Assessing Generative Models (Kynkäänniemi et
          al., 2019), equations (1) and (2)
        | https://arxiv.org/abs/1904.06991

    Arguments:
        k: Neighbours that a ball reaches.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than
            ``k + 3``.

    Example:
        >>> x = torch.arange(20.0)[:, None]
        >>> Precision(k=1)(x, torch.cat([x[:10] + 0.5, x[:10] + 100])).value
        tensor(0.5000)
    """

    quantity: ClassVar[str] = "precision"

    k: int = 3

    def _read(self, x: Tensor, y: Tensor) -> tuple[float, list[Array], Array]:
        return _share_in_balls(x, y, int(self.k))


@final
@dataclass(frozen=True)
class Recall(NeighbourBalls):
    """Share of real points within the balls of generated ones, between 0 and 1.

    References:
        | Improved Precision and Recall Metric for Assessing Generative Models (Kynkäänniemi et
          al., 2019), equations (1) and (2)
        | https://arxiv.org/abs/1904.06991

    Arguments:
        k: Neighbours that a ball reaches.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than
            ``k + 3``.

    Example:
        >>> x = torch.arange(20.0)[:, None]
        >>> Recall(k=1)(x, x[:10] + 0.5).value
        tensor(0.5500)
    """

    quantity: ClassVar[str] = "recall"

    k: int = 3

    def _read(self, x: Tensor, y: Tensor) -> tuple[float, list[Array], Array]:
        value, (of_y, of_x), reach = _share_in_balls(y, x, int(self.k))
        return value, [of_x, of_y], reach


@final
@dataclass(frozen=True)
class Density(NeighbourBalls):
    r"""How many real balls hold a generated point, over k; 1 on average between equal laws.

    .. math:: \frac{1}{k m} \sum_j \sum_i 1[\|y_j - x_i\| \le r_k(x_i)]

    May exceed 1, where generated points keep to where real ones are dense.

    References:
        | Reliable Fidelity and Diversity Metrics for Generative Models (Naeem et al., 2020),
          equation (7)
        | https://arxiv.org/abs/2002.09797

    Arguments:
        k: Neighbours that a ball reaches.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than
            ``k + 3``.

    Example:
        >>> x = torch.arange(20.0)[:, None]
        >>> Density(k=1)(x, x + 100).value
        tensor(0.)
    """

    quantity: ClassVar[str] = "density"

    def _read(self, x: Tensor, y: Tensor) -> tuple[float, list[Array], Array]:
        k, m = int(self.k), len(y)
        found = balls(x, y, k)
        count = np.asarray(found.inside.sum(0)).ravel() / k
        by_centre = np.asarray(found.change.sum(1)).ravel() / (k * m)
        value = float(count.mean())
        return value, [by_centre, (value - count) / (m - 1)], found.reach


@final
@dataclass(frozen=True)
class Coverage(NeighbourBalls):
    r"""Share of real points whose ball holds a generated one, between 0 and 1.

    Between equal laws its mean is :math:`1 - \prod_{i=1}^{k} (n - i) / (n + m - i)`, whatever the
    law and the dimension.

    References:
        | Reliable Fidelity and Diversity Metrics for Generative Models (Naeem et al., 2020),
          equations (8) and (9)
        | https://arxiv.org/abs/2002.09797

    Arguments:
        k: Neighbours that a ball reaches.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample has fewer than
            ``k + 3``.

    Example:
        >>> x = torch.arange(20.0)[:, None]
        >>> Coverage(k=1)(x, x[:10] + 0.5).value
        tensor(0.5500)
    """

    quantity: ClassVar[str] = "coverage"

    def _read(self, x: Tensor, y: Tensor) -> tuple[float, list[Array], Array]:
        k, n = int(self.k), len(x)
        found = balls(x, y, k)
        count = np.asarray(found.inside.sum(1)).ravel()
        held = count > 0
        only = found.inside.tocoo()
        single = count[only.row] == 1
        of_y = -np.bincount(only.col[single], minlength=len(y)) / n
        # a lost real point gives its neighbours larger balls; that of the second order is left out
        of_x = (held.mean() - held) / (n - 1)
        return float(held.mean()), [of_x, of_y], found.reach
