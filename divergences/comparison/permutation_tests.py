"""Tests whether two samples are of one law, by permutation of their labels.

Each takes points of shape ``(n, d)`` and ``(m, d)``, or ``(K, n, d)`` and ``(K, m, d)``. Columns
are standardised first by the pooled points, so that no unit matters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from divergences.checks import whole_number
from divergences.comparison.permutations import Pooled, Ranked
from divergences.comparison.two_sample_test import TwoSampleTest


@final
@dataclass(frozen=True)
class EnergyTest(TwoSampleTest):
    """The energy distance, as ``EnergyDistance`` estimates it, between standardised points.

    References:
        | Energy statistics (Székely and Rizzo, 2013), section 5
        | https://doi.org/10.1016/j.jspi.2013.03.018

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (torch.randn(100, 2, generator=draw) for _ in range(2))
        >>> float(EnergyTest(permutations=199)(x, y + 1).p_value)
        0.005
    """

    name: ClassVar[str] = "energy distance"

    def statistics(self, pooled: Pooled) -> Tensor:
        return pooled.forms(-pooled.distances)[None]


def _gaussian(distances: Tensor, width: float) -> Tensor:
    return (-((distances / width) ** 2) / 2).exp()


@final
@dataclass(frozen=True)
class MMDTest(TwoSampleTest):
    """The squared MMD under a Gaussian kernel of the median distance's width.

    References:
        | A Kernel Two-Sample Test (Gretton et al., 2012)
        | https://jmlr.org/papers/v13/gretton12a.html

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> float(MMDTest(permutations=199)(x, 3 * x).p_value) <= 0.01
        True
    """

    name: ClassVar[str] = "MMD, median width"

    def statistics(self, pooled: Pooled) -> Tensor:
        distances = pooled.distances
        positive = distances[distances > 0]
        width = float(positive.median()) if len(positive) else 1.0
        return pooled.forms(_gaussian(distances, width))[None]


@final
@dataclass(frozen=True)
class AggregatedMMDTest(TwoSampleTest):
    """The squared MMD at several widths, from the distance of neighbours to that of all points.

    The p-value is that of the smallest of the widths' p-values, compared with the smallest under
    the other labellings.

    References:
        | MMD Aggregated Two-Sample Test (Schrab et al., 2023)
        | https://jmlr.org/papers/v24/21-1289.html

    Arguments:
        widths: How many.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> float(AggregatedMMDTest(permutations=199)(x, 3 * x).p_value) <= 0.01
        True
    """

    name: ClassVar[str] = "MMD, several widths"

    widths: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("widths", self.widths, least=2, most=50)

    def statistics(self, pooled: Pooled) -> Tensor:
        distances = pooled.distances
        nearest = distances.clone().fill_diagonal_(math.inf).amin(1)
        nearest, positive = nearest[nearest > 0], distances[distances > 0]
        if not len(positive):
            return pooled.weights.new_zeros(1, len(pooled.weights))
        median = float(positive.median())
        least = float(nearest.median()) if len(nearest) else median
        steps = torch.linspace(math.log(least), math.log(2 * median), int(self.widths))
        return torch.stack([pooled.forms(_gaussian(distances, w)) for w in steps.exp().tolist()])


@final
@dataclass(frozen=True)
class SlicedTest(TwoSampleTest):
    """The mean of W1 over random lines, as ``Sliced`` estimates it.

    References:
        | Sliced and Radon Wasserstein Barycenters of Measures (Bonneel et al., 2015)
        | https://doi.org/10.1007/s10851-014-0506-3

    Arguments:
        projections: Number of lines.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> float(SlicedTest(permutations=199)(x, x + 1).p_value)
        0.005
    """

    name: ClassVar[str] = "sliced W1"

    projections: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("projections", self.projections, most=10_000)

    def statistics(self, pooled: Pooled) -> Tensor:
        d = pooled.points.shape[1]
        if d == 1:
            return pooled.on_lines(pooled.points.T)
        draw = torch.Generator().manual_seed(int(self.seed))
        lines = torch.randn(int(self.projections), d, generator=draw, dtype=torch.float64)
        lines = lines / torch.linalg.vector_norm(lines, dim=1, keepdim=True)
        return pooled.on_lines(lines @ pooled.points.T).mean(0, keepdim=True)


@final
@dataclass(frozen=True)
class ColumnsTest(TwoSampleTest):
    """W1 of each column alone, and of its squares with their signs: the smallest p-value.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None] * torch.ones(2)
        >>> float(ColumnsTest(permutations=199)(x, x + torch.tensor([0.0, 1.0])).p_value)
        0.005
    """

    name: ClassVar[str] = "column by column"

    def statistics(self, pooled: Pooled) -> Tensor:
        return pooled.of_columns.flatten(0, 1)


@final
@dataclass(frozen=True)
class NeighboursTest(TwoSampleTest):
    """How many of the nearest neighbours of points are of the same sample.

    References:
        | Multivariate Two-Sample Tests Based on Nearest Neighbors (Schilling, 1986)
        | https://doi.org/10.1080/01621459.1986.10478337

    Arguments:
        k: Neighbours of each point.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> float(NeighboursTest(permutations=199)(x, x + 2).p_value)
        0.005
    """

    name: ClassVar[str] = "nearest neighbours"

    k: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("k", self.k, most=1000)

    def statistics(self, pooled: Pooled) -> Tensor:
        return pooled.forms(pooled.neighbours(int(self.k)))[None]


@final
@dataclass(frozen=True)
class DistanceTest(TwoSampleTest):
    """W1 of the squared distance from the centre, which a few far points change most.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> float(DistanceTest(permutations=199)(x, 5 * x).p_value)
        0.005
    """

    name: ClassVar[str] = "distance from the centre"

    def statistics(self, pooled: Pooled) -> Tensor:
        return pooled.on_lines(pooled.points.square().sum(1)[None])


@final
@dataclass(frozen=True)
class ClassifierTest(TwoSampleTest):
    r"""How well held-out points are told apart by a classifier with quadratic features.

    The classifier is kernel ridge regression of the label on :math:`(z \cdot z'/d + 1)^2`; what
    it says of a point comes from all others. That is linear in the labels, so that training it
    under all labellings is one matrix product. The statistic is the difference of the mean scores
    of x and y. With a few folds it would depend on which of several equal points is in which.

    References:
        | Revisiting Classifier Two-Sample Tests (Lopez-Paz and Oquab, 2017)
        | https://arxiv.org/abs/1610.06545

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> float(ClassifierTest(permutations=199)(x, 3 * x).p_value)
        0.005
    """

    name: ClassVar[str] = "classifier (C2ST)"

    def statistics(self, pooled: Pooled) -> Tensor:
        return pooled.forms(cross_fitted(pooled.points))[None]


RIDGE = 0.1  # of the mean of the kernel's diagonal, for each point


def cross_fitted(points: Tensor) -> Tensor:
    r"""The matrix from labels to the scores by regressions that leave out the point, ``(N, N)``.

    With the matrix H of the regression on all points, :math:`H_{ij} / (1 - H_{ii})`, and 0 for i.
    """
    z = evenly(points)
    kernel = (z @ z.T / z.shape[1] + 1) ** 2
    ridge = RIDGE * float(kernel.diagonal().mean()) * max(1.0, len(z) / 100)
    among = kernel.clone()
    among.diagonal().add_(ridge)
    scores = torch.cholesky_solve(kernel, torch.linalg.cholesky(among)).T
    scores = scores / (1 - scores.diagonal())[:, None]
    return scores.fill_diagonal_(0.0)


def evenly(points: Tensor) -> Tensor:
    """Columns of mean 0 and standard deviation 1, after a map that leaves no far points."""
    z = points.asinh()
    z = z - z.mean(0)
    deviation = z.square().mean(0).sqrt()
    return z / torch.where(deviation > 0, deviation, 1.0)


PARTS = (
    EnergyTest, MMDTest, AggregatedMMDTest, SlicedTest, ColumnsTest, NeighboursTest,
    DistanceTest, ClassifierTest,
)  # fmt: skip


@final
@dataclass(frozen=True)
class CombinedTest(TwoSampleTest):
    """All tests of this module at once: the smallest of their p-values, compared as such.

    Under each labelling the smallest p-value of all tests is taken; the p-value is the share of
    labellings with one at least as small. The laws may differ in any way that one measures.

    References:
        | Resampling-Based Multiple Testing (Westfall and Young, 1993), section 2.3

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (torch.randn(100, 2, generator=draw) for _ in range(2))
        >>> float(CombinedTest(permutations=199)(x, 2 * y).p_value)
        0.005
    """

    name: ClassVar[str] = "all tests together"

    def parts(self) -> Sequence[TwoSampleTest]:
        """The tests that are combined, with these settings."""
        return [kind(self.permutations, self.seed, self.most_points) for kind in PARTS]

    def statistics(self, pooled: Pooled) -> Tensor:
        return -self.of_parts(pooled).order

    def ranked(self, pooled: Pooled) -> Ranked:
        return self.of_parts(pooled).smallest()

    def of_parts(self, pooled: Pooled) -> Ranked:
        """The ranking by each part, ``(S, B + 1)``."""
        found = [part.ranked(pooled) for part in self.parts()]
        return Ranked(*(torch.stack(rows) for rows in zip(*found, strict=True)))

    def each(self, pooled: Pooled) -> dict[str, float]:
        """The p-values of this test and of its parts, by their names."""
        rows = self.of_parts(pooled)
        values = [rows.smallest().p[0], *rows.p[:, 0]]
        names = [self.name, *(part.name for part in self.parts())]
        return dict(zip(names, map(float, values), strict=True))
