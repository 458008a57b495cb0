"""How sure a sum over samples is: its variance, and how well a sample shows that variance.

An error that is known from few points is not known well. With Student's quantile in place of 1.96
an interval allows for that. The degrees of freedom are those of the points that make up the
variance: ``n - 1`` for a normal law, and 2 where one point in ``n`` differs from the rest, as
where an event is rare. Where no point differs the variance is that of one which does: what is not
seen in ``n`` points may have a probability of about ``3 / n`` (the rule of three). Of an event
that ``k`` of ``n`` points show, the interval ends at least where Clopper and Pearson's does, but
for .3 of a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from divergences.estimate import Z
from divergences.tail_index import tail_index

FEWEST = 3.0  # points that may make up most of a variance, from 40 points on
LEAST, LEAST_OF_SQUARES = 16, 30
"""Points from which on at least 90 % of the intervals held the truth, of lognormal laws too."""
FEW = 20.0  # points behind a variance up to which the tail is looked at
ROUNDED = 1e-9  # of the farthest term, by which equal ones may differ
HEAVY = 0.5  # shape of the tail above which there is no variance


def points_behind_and_skewness(terms: Tensor) -> tuple[float, float]:
    r"""Effective number of points behind the variance of ``terms``, of shape ``(n,)``; skewness.

    :math:`(\sum_i \delta_i^2)^2 / \sum_i \delta_i^4` with the deviations :math:`\delta_i` from the
    mean: ``n`` over the kurtosis, so about ``n / 3`` for a normal law and about 1 where one point
    makes up the sum.

    Example:
        >>> behind, skewness = points_behind_and_skewness(torch.tensor([0.0] * 99 + [100.0]))
        >>> round(behind, 2), round(skewness, 2)
        (1.02, 9.85)
    """
    values = terms.detach().cpu().double().numpy()
    deviations = values - values.mean()
    largest, n = np.abs(deviations).max(), len(values)
    if largest == 0:
        return float(n), 0.0
    deviations /= largest
    squares = deviations * deviations
    total = squares.sum()
    skewness = (squares @ deviations) / n / (total / n) ** 1.5
    return float(total**2 / (squares @ squares)), float(skewness)


@final
class Sum:
    """The error of a sum of the means of independent samples.

    Arguments:
        samples: Each point's term, of shape ``(n,)``, per sample; two points of each at least.
        far: For each sample, by how much a term may differ from the others: if all are equal the
            first counts as one that does. Without it equal terms have no variance.

    Attributes:
        variance: Of the sum, of shape ``()``.
        variances: The share of each sample in it.
        reach: Standard errors to either side of its 95 % interval: Student's quantile with the
            degrees of freedom of Satterthwaite, and the shift by which Johnson corrects it for
            the sum's skewness, here to both sides.

    References:
        | An Approximate Distribution of Estimates of Variance Components (Satterthwaite, 1946)
        | https://doi.org/10.2307/3002019
        | Modified t Tests and Confidence Intervals for Asymmetrical Populations (Johnson, 1978)
        | https://doi.org/10.1080/01621459.1978.10480051

    Example:
        >>> even, rare = torch.linspace(-1, 1, 500), torch.tensor([0.0] * 499 + [1.0])
        >>> round(Sum(even, even).reach, 2), round(Sum(even, rare / 1000).reach, 2)
        (1.96, 1.96)
        >>> round(Sum(rare).reach, 1), round(Sum(torch.tensor([0.0, 1.0])).reach, 1)
        (5.7, 12.7)
        >>> nothing = torch.zeros(500)
        >>> round(Sum(nothing, far=(1.0,)).reach, 1)
        5.7
    """

    def __init__(self, *samples: Tensor, far: Sequence[Tensor | float] = ()):
        far = far or (0.0,) * len(samples)
        self._alike = [
            not float(high) - float(low) > ROUNDED * float(most)
            for (low, high), most in zip((t.aminmax() for t in samples), far, strict=True)
        ]
        self._samples = [
            torch.cat([terms[:1] + most, terms[1:]]) if alike else terms
            for terms, most, alike in zip(samples, far, self._alike, strict=True)
        ]
        self.variances = [terms.double().var() / len(terms) for terms in self._samples]
        self._shapes = [points_behind_and_skewness(terms) for terms in self._samples]
        self.variance = torch.stack(self.variances).sum()
        self.reach = self._reach()

    @classmethod
    def between(cls, u: Tensor, v: Tensor) -> Sum:
        """That of the terms ``f(x)`` and ``-f(y)``, which may differ by what is seen of ``f``.

        A potential of transport is such a function, and so is what points add to a distance from
        a kernel.

        Example:
            >>> nothing, some = torch.zeros(10), torch.tensor([0.0] * 5 + [-1.0] * 5)
            >>> bool(Sum.between(nothing, some).variance > Sum(nothing, some).variance)
            True
        """
        seen = torch.cat([u, -v])
        low, high = seen.min(), seen.max()
        return cls(u, v, far=[torch.maximum(high - f[0], f[0] - low) for f in (u, -v)])

    def _reach(self) -> float:
        total = float(self.variance)
        if not total > 0:
            return Z
        doubt, third = 0.0, 0.0
        for terms, variance, (behind, skewness) in zip(
            self._samples, self.variances, self._shapes, strict=True
        ):
            n, share = len(terms), float(variance) / total
            doubt += share**2 * max(1 / behind - 1 / n, 2 / (n - 1)) / 2
            third += skewness * share**1.5 / math.sqrt(n)
        return float(stdtrit(1 / doubt, 0.975)) + abs(third) * (1 + 2 * Z**2) / 6

    def rests_on_few(self, least: int = LEAST) -> tuple[str, ...]:
        """A warning where a few points make up the variance, or the tail is as heavy as if so.

        The mean of a law with heavy tails may be infinite, and no sample shows that for sure;
        where its largest few terms decide the sample's variance, an interval from that variance
        is no better than those.

        Arguments:
            least: Fewer points than this show no error that could be relied on, whatever their
                terms are: :data:`LEAST_OF_SQUARES` where these are squares.

        Example:
            >>> Sum(torch.arange(100.0)).rests_on_few()
            ()
            >>> Sum(torch.tensor([0.0] * 99 + [100.0])).rests_on_few()[0]
            'rests on few: 1.0 of 100 points make up the variance; ...'
        """
        tenth = float(self.variance) / 10
        for terms, variance, (size, _), alike in zip(
            self._samples, self.variances, self._shapes, self._alike, strict=True
        ):
            if len(terms) < least:
                return (
                    f"rests on few: {len(terms)} points of a sample do not show how wide the "
                    f"interval has to be; it takes {least}",
                )
            if variance < tenth:
                continue
            if alike and variance > 0:
                return (
                    f"rests on few: {len(terms)} points of a sample count alike; others, of a "
                    f"probability of up to {3 / len(terms):.1g}, may lie farther than any here",
                )
            few = size < min(FEWEST, 1 + len(terms) / 20)
            if not few and (size > FEW or len(terms) < 100 or _tail(terms) < HEAVY):
                continue
            return (
                f"rests on few: {size:.1f} of {len(terms)} points make up the variance; value "
                "and interval are no surer than those, and the mean may be infinite",
            )
        return ()


def _tail(terms: Tensor) -> float:
    deviations = (terms.double() - terms.double().median()).abs()
    return float(tail_index(deviations[:, None].cpu())[0])
