"""Kernel distance with the cubic kernel that is used on features of pictures (KID)."""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from divergences.estimate import Estimate
from divergences.samples.few_points import LEAST_OF_SQUARES
from divergences.samples.u_statistic import MOST_PAIRS, PairsEstimator, u_statistic


@final
@dataclass(frozen=True)
class KernelDistance(PairsEstimator):
    r"""Squared MMD under a cubic kernel, without bias; "KID" on features.

    .. math:: k(x, y) = \left(\frac{x \cdot y}{d} + 1\right)^3

    No unit, and yet not free of units: the kernel depends on the scale and the origin of the
    columns. It depends on means, covariances and third moments, and on no other difference. May be
    negative.

    References:
        | Demystifying MMD GANs (Bińkowski et al., 2018), section 4
        | https://arxiv.org/abs/1801.01401

    Arguments:
        most_pairs: More pairs of points than this, of both samples together, are refused.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, a sample has fewer than 2, there
            are too many pairs, or the kernel is beyond the range of the dtype.

    Example:
        >>> import torch
        >>> KernelDistance()(torch.zeros(3, 1), torch.ones(4, 1)).value  # 1 + 8 - 2
        tensor(7.)
    """

    quantity: ClassVar[str] = "kid"

    most_pairs: int = MOST_PAIRS

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        a, b, d = x.double(), y.double(), x.shape[1]
        found = u_statistic(lambda p, q: (p @ q.T / d + 1) ** 3, a, b)
        stderr = found.variance.sqrt()
        value, stderr, low, high = (t.to(x.dtype) for t in (found.value, stderr, *found.ci))
        if not bool(value.isfinite() & stderr.isfinite()):
            raise ValueError(f"the kernel is beyond the range of {x.dtype}: change the unit")
        notes = found.error.rests_on_few(LEAST_OF_SQUARES)
        size = float((max(z.detach().square().sum(1).max() for z in (a, b)) / d + 1) ** 3)
        if float(stderr) < 1e-9 * size:
            notes += ("the kernel's values are so large that their rounding hides the difference",)
        return Estimate(value, stderr, (low, high), self.bound, (len(x), len(y)), warnings=notes)
