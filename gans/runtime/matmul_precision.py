"""Which float32 matrix products to take: the faster ones, where they are as accurate."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

UNIT_ROUNDOFF = 2.0**-24
"""u of float32: the largest relative error of one operation that rounds to nearest."""

SHAPES = (
    ((8, 256, 128), (8, 128, 128)),
    ((512, 512), (512, 512)),
    ((8, 256, 2), (8, 2, 32)),
)
"""Factors of the products that are tried: layers of many members, one large, a first layer."""


class Errors(NamedTuple):
    """Errors of products over what float32 rounding explains: at most 1 each, where it does.

    Attributes:
        typical: Root mean square error over that bound.
        largest: Largest error over that bound.
        relative: Root mean square error over that of the products themselves.
    """

    typical: float
    largest: float
    relative: float

    @property
    def are_rounding(self) -> bool:
        return self.typical <= 1 and self.largest <= 1


def errors_of(product: Callable[[Tensor, Tensor], Tensor]) -> Errors:
    r"""How far batched and plain float32 products are off, over what rounding explains.

    Inner products of length k, summed in any order, with or without fused multiply-adds, obey

    .. math:: |\hat c - c| \le \gamma_k |x|^T |w|, \qquad \gamma_k = \frac{k u}{1 - k u}

    each. For factors drawn from a normal law rounding errors are independent of each other, and
    their root mean square stays below :math:`\sqrt k\, u` times that of the products.

    References:
        | Accuracy and Stability of Numerical Algorithms (Higham, 2002, 2nd edition), Section 3.1
        | https://doi.org/10.1137/1.9780898718027
        | A New Approach to Probabilistic Rounding Error Analysis (Higham & Mary, 2019), Section 3
        | https://doi.org/10.1137/18M1226312

    Arguments:
        product: Of two float32 tensors, as :func:`torch.matmul`.
    """
    generator = torch.Generator().manual_seed(0)
    typical, largest, relative = [], [], []
    for shapes in SHAPES:
        x, w = (torch.randn(*shape, generator=generator) for shape in shapes)
        k, wide = x.shape[-1], (x.double(), w.double())
        exact = torch.matmul(*wide)
        off = (product(x, w).double() - exact).abs()
        bound = k * UNIT_ROUNDOFF / (1 - k * UNIT_ROUNDOFF) * (wide[0].abs() @ wide[1].abs())
        relative.append(float((off.square().mean() / exact.square().mean()).sqrt()))
        typical.append(relative[-1] / (math.sqrt(k) * UNIT_ROUNDOFF))
        largest.append(float((off / bound).max()))
    return Errors(max(typical), max(largest), max(relative))


def take_accurate_products(device: torch.device | str = "cpu") -> str:
    """Let torch use its faster float32 products if they are accurate here; says which it takes.

    The setting holds for all devices, and what is accurate on one need not be on another: on a
    GPU "medium" stands for units with fewer digits. So it is tried where the run will be.

    torch calls that precision "medium". On processors with AVX-512 it can mean float32 kernels up
    to twice as fast, which sum in another order. Where there are units for bfloat16 it can mean
    those, whose products are off by .2 to .4 %, and is put back.

    Arguments:
        device: Where the products will be taken.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    found = errors_of(lambda x, w: torch.matmul(x.to(device), w.to(device)).cpu())
    error = f"root mean square error {found.relative:.1e}"
    if found.are_rounding:
        return f'float32 products: "medium" is as accurate as float32 here, taken ({error})'
    torch.set_float32_matmul_precision(before)
    return f'float32 products: "medium" is less accurate here, kept at "{before}" ({error})'
