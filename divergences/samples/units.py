"""Samples in a unit of their own, so that no square of a distance over- or underflows.

Distances do not depend on the origin, and scale with the unit. With the pooled mean at 0 and the
largest coordinate between 1/2 and 1 they can be squared; a unit that is a power of two rounds
nothing.
"""

import math

import torch
from torch import Tensor

FINE = 0.02  # of a distance, by which rounding may move points


def in_own_unit(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, int]:
    """Both samples in double precision, moved and scaled alike, and the exponent of their unit.

    ``times_two_to(exponent, ...)`` takes lengths back to the unit of the data. Differentiable; the
    move and the unit themselves are held fixed.

    Example:
        >>> x = torch.tensor([[3e300, 1.0], [3e300, 1.0]], dtype=torch.float64)
        >>> a, b, exponent = in_own_unit(x, -x)
        >>> float(times_two_to(exponent, (a - b)[0, 0])) == 6e300
        True
    """
    a, b = x.double(), y.double()
    a, b, first = _scaled(a, b)
    with torch.no_grad():
        centre = (a.sum(0) + b.sum(0)) / (len(a) + len(b))
    a, b, second = _scaled(a - centre, b - centre)
    return a, b, first + second


def _scaled(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, int]:
    largest = max(float(a.detach().abs().amax()), float(b.detach().abs().amax()))
    exponent = math.frexp(largest)[1]
    return times_two_to(-exponent, a), times_two_to(-exponent, b), exponent


def times_two_to(exponent: int, values: Tensor) -> Tensor:
    """``values * 2**exponent``, where the power itself may be out of range.

    Example:
        >>> times_two_to(1030, torch.tensor(2.0**-20, dtype=torch.float64)) == 2.0**1010
        tensor(True)
    """
    half = exponent // 2
    return values * 2.0**half * 2.0 ** (exponent - half)


def resolution(x: Tensor, y: Tensor) -> float:
    """How far the rounding of coordinates may have moved a point, half a step in each column.

    The steps are those of the dtype, or of single precision if that holds a sample's numbers.

    Example:
        >>> far = torch.tensor([[1e6, 0.0]])
        >>> round(resolution(far, far + 1), 3)
        0.06
    """
    steps = torch.maximum(*(_steps(sample.detach()) for sample in (x, y)))
    largest = float(steps.max()) or 1.0  # whose square might overflow
    return largest * float(torch.linalg.vector_norm(steps / largest)) / 2


def _steps(sample: Tensor) -> Tensor:
    single = bool((sample.float() == sample).all())
    eps = torch.finfo(torch.float32 if single else sample.dtype).eps
    return sample.abs().amax(0).double() * eps


def coarse(x: Tensor, y: Tensor, stderr: float, distance: float = 0.0) -> tuple[str, ...]:
    """A warning where rounding moves points by more than an error of ``stderr`` in length allows.

    Or by more than 2 % of a distance that is read and not 0: its error on two samples, each of two
    clusters 1e15 apart, was then .2 %, however large the standard error is between the clusters.

    Example:
        >>> x = torch.linspace(0, 1, 9)[:, None]
        >>> coarse(x, x + 0.5, 0.1)
        ()
        >>> coarse(x + 1e7, x + 1e7 + 0.5, 0.1)[0]
        'these coordinates are rounded by up to 0.6, ...'
    """
    step = resolution(x, y)
    pooled = torch.cat([x.detach(), y.detach()]).double()
    extent = float((pooled.amax(0) - pooled.amin(0)).amax())
    allowed = max(stderr / 2, 1e-6 * extent)
    if distance > 0:
        allowed = min(allowed, FINE * distance)
    if step <= allowed or extent == 0:
        return ()
    return (
        f"these coordinates are rounded by up to {step:.2g}, which is not small "
        "against what is estimated; move the points to their mean before they are rounded, or use "
        "float64",
    )
