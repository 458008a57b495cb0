"""Common coordinates of two samples, for quantities that do not depend on the units of the data.

KL, JS and TV do not change under an invertible map of both samples; the distances, cells and
networks that estimate them do. So they are taken in coordinates in which every column has a
spread of about 1, whatever its unit, where neither an outlier nor a heavy tail sets the scale.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

NORMAL_WIDTHS = {0.25: 1.349, 0.05: 3.29, 0.0: 6.0}
"""What is left of a standard normal law without such a share on both sides; all of it: 6."""
COARSER = (torch.bfloat16, torch.float16, torch.float32)
TIED = 0.05  # share of equal neighbouring values above which a column is taken for rounded


class Standardised(NamedTuple):
    """Two samples in common coordinates: ``(data - centre) / scale``, in double precision.

    Attributes:
        x: The first sample, ``(..., n, d)``.
        y: The second, ``(..., m, d)``.
        resolution: Distance of neighbouring numbers in each column, ``(..., 1, d)``, in the
            new coordinates: what is not farther apart may be equal but for rounding.
        centre: The pooled median in each column, ``(..., 1, d)``.
        scale: The spread of each column, ``(..., 1, d)``; 1 where it never varies.
    """

    x: Tensor
    y: Tensor
    resolution: Tensor
    centre: Tensor
    scale: Tensor


def standardised(x: Tensor, y: Tensor) -> Standardised:
    """Shift and scale each column of both samples alike, to a spread of about 1.

    The centre is the median of all points, the scale the mean of both samples' interquartile
    ranges, over that of a standard normal law; wider ranges where these are 0, and the standard
    deviation where many values are equal and it is smaller, as of 0 and 1. The resolution is
    that of the dtype at the typical size of a column's numbers, or of a coarser dtype that holds
    them just as well, or the step of the lattice that they lie on.

    Arguments:
        x: Points of shape ``(..., n, d)``.
        y: Points of shape ``(..., m, d)``.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x, y = (torch.randn(1000, 2, generator=draw) for _ in range(2))
        >>> kilometres = torch.tensor([1.0, 1e-3])
        >>> x[0, 0] = 1e8
        >>> standardised(x * kilometres, y * kilometres).y.std(0)
        tensor([0.9..., 0.9...], dtype=torch.float64)
    """
    dtypes = x.dtype, y.dtype
    x, y = x.detach().double(), y.detach().double()
    pooled = torch.cat([x, y], -2)
    centre = _quantile(_sorted(pooled), 0.5)
    ordered = [_sorted(sample) for sample in (x, y)]
    steps = [_lattice(sample) for sample in ordered]
    scale = _scale(ordered, torch.stack(steps).amax(0) > 0)
    size = _quantile(_sorted(pooled.abs()), 0.95)
    rounding = [_eps(*side) * size for side in zip((x, y), ordered, dtypes, strict=True)]
    resolution = torch.stack([*rounding, *steps]).amax(0)
    return Standardised(
        (x - centre) / scale, (y - centre) / scale, resolution / scale, centre, scale
    )


def in_deviations(found: Standardised) -> Standardised:
    """The same samples in units that may be called standard deviations.

    Quartiles do not see a mode that holds a fifth of the points, however far it is. So a unit is
    at least the standard deviation, of both samples on average, of points that are brought in to
    the pooled quantiles .025 and .975; what lies beyond these does not set it.

    Example:
        >>> x = torch.cat([torch.linspace(0, 1, 80), torch.linspace(100, 101, 20)])[:, None]
        >>> found = standardised(x, x)
        >>> round(float(found.scale)), round(float(in_deviations(found).scale))
        (0, 40)
    """
    ordered = _sorted(torch.cat([found.x, found.y], -2))
    ends = _quantile(ordered, 0.025), _quantile(ordered, 0.975)
    inside = [torch.clamp(sample, *ends) for sample in (found.x, found.y)]
    wider = torch.stack([_deviation(sample) for sample in inside]).mean(0).clamp_min(1.0)
    x, y, resolution = (part / wider for part in found[:3])
    return Standardised(x, y, resolution, found.centre, found.scale * wider)


def evened(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    r"""Each column of both samples under an increasing function that leaves no far points.

    .. math:: \tfrac12 \Phi^{-1}(\text{rank}) + \tfrac12 \operatorname{arsinh}(\text{standardised})

    KL, JS and TV stay as they are. The first half, the normal quantile of the rank in the pooled
    column, has no heavy tails and no narrow parts; the second keeps gaps between the laws wide.
    Neither depends on units or offsets. Equal values share their middle rank.

    Arguments:
        x: Points of shape ``(..., n, d)``.
        y: Points of shape ``(..., m, d)``.

    Returns:
        Both in double precision.

    Example:
        >>> x, y = torch.tensor([[-1.0], [1e8]]), torch.tensor([[2.0], [2.0]])
        >>> evened(x, y)[0].flatten()
        tensor([-..., ...], dtype=torch.float64)
    """
    standard = standardised(x, y)
    pooled = torch.cat([x, y], -2).detach().mT.contiguous()
    ordered = pooled.sort(-1).values
    below = torch.searchsorted(ordered, pooled)
    not_above = torch.searchsorted(ordered, pooled, right=True)
    share = (below + not_above).double() / (2 * pooled.shape[-1])
    scores = torch.special.ndtri(share).mT
    even = (scores + torch.cat([standard.x, standard.y], -2).asinh()) / 2
    return even[..., : x.shape[-2], :], even[..., x.shape[-2] :, :]


def in_one_unit(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both samples shifted and divided by one length per pair, for quantities that are lengths.

    The shift is the pooled median of each column, the length the median distance from there, or
    the mean distance where half of the points coincide. Distances between points all change by
    the same factor.

    Arguments:
        x: Points of shape ``(K, n, d)``.
        y: Points of shape ``(K, m, d)``.

    Returns:
        Both samples in their own precision, and the lengths, shape ``(K,)``.

    Example:
        >>> x, y, unit = in_one_unit(torch.tensor([[[5.0], [9.0]]]), torch.tensor([[[7.0]] * 2]))
        >>> x.flatten(), unit
        (tensor([-2.,  2.]), tensor([1.], dtype=torch.float64))
    """
    dtype, n = x.dtype, x.shape[-2]
    pooled = torch.cat([x, y], -2).detach().double()
    pooled = pooled - _quantile(_sorted(pooled), 0.5)
    length = torch.linalg.vector_norm(pooled, dim=-1)
    unit = length.median(-1).values
    unit = torch.where(unit > 0, unit, length.mean(-1))
    unit = torch.where(unit > 0, unit, 1.0)
    pooled = (pooled / unit[:, None, None]).to(dtype)
    return pooled[:, :n], pooled[:, n:], unit


def _sorted(points: Tensor) -> Tensor:
    """Each column in increasing order; by NumPy where it can, ten times as fast as torch."""
    if points.device.type != "cpu":
        return points.sort(-2).values
    return torch.from_numpy(np.sort(points.numpy(), axis=-2))


def _quantile(ordered: Tensor, share: float) -> Tensor:
    """The point of a sorted sample that has the given share below it, ``(..., 1, d)``."""
    last = ordered.shape[-2] - 1
    at = round(share * last)
    return ordered[..., at : at + 1, :]


def _scale(ordered: list[Tensor], tied: Tensor) -> Tensor:
    inner, outer, whole = (
        torch.stack([_quantile(o, 1 - tail) - _quantile(o, tail) for o in ordered]).mean(0)
        / normal
        for tail, normal in NORMAL_WIDTHS.items()
    )
    apart = (_quantile(ordered[0], 0.5) - _quantile(ordered[1], 0.5)).abs()
    scale = inner
    for wider in (outer, apart, whole):  # the last is any single point's
        scale = torch.where(scale > 0, scale, wider)
    scale = torch.where(scale > 0, scale, 1.0)
    unit = torch.stack([o.abs().amax(-2, keepdim=True) for o in ordered]).amax(0).clamp_min(1e-300)
    deviation = unit * torch.stack([_deviation(o / unit) for o in ordered]).mean(0)
    return torch.where(tied & (deviation > 0) & (deviation < scale), deviation, scale)


def _deviation(sample: Tensor) -> Tensor:
    return sample.std(-2, correction=0, keepdim=True)


def _eps(sample: Tensor, ordered: Tensor, dtype: torch.dtype) -> Tensor:
    """Spacing of the numbers near 1 of a dtype, or of a coarser one that holds a column."""
    varies = ordered[..., :1, :] < ordered[..., -1:, :]
    eps = torch.full_like(sample[..., :1, :], torch.finfo(dtype).eps)
    for coarser in reversed(COARSER):
        held = (sample.to(coarser).double() == sample).all(-2, keepdim=True) & varies
        if not held.any():  # nor by what is coarser still
            break
        eps = torch.where(held, torch.finfo(coarser).eps, eps).maximum(eps)
    return eps


def _lattice(ordered: Tensor) -> Tensor:
    """Step of the lattice that a column's numbers lie on, 0 where hardly any are equal."""
    gaps = ordered.diff(dim=-2)
    size = ordered.abs()
    equal = gaps <= 4 * torch.finfo(ordered.dtype).eps * size[..., 1:, :].maximum(
        size[..., :-1, :]
    )
    tied = equal.double().mean(-2, keepdim=True) > TIED
    if not tied.any():
        return torch.zeros_like(ordered[..., :1, :])
    positive = _sorted(torch.where(equal, torch.inf, gaps))
    different = (~equal).sum(-2, keepdim=True)
    step = positive.gather(-2, (different - 1).clamp(min=0) // 20)
    return torch.where(tied & (different > 0), step, 0.0)
