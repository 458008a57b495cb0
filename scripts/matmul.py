"""The faster float32 matrix product of this processor, where it is as accurate as the usual one.

torch multiplies float32 matrices by one library unless less precision is asked for, and then by
another. On many processors the second is up to twice as fast and computes in float32 all the same;
on those with units for bfloat16 it really computes in less. So it is tried first, against float64.
"""

from __future__ import annotations

import torch

SHAPES = ((8, 256, 2, 128), (8, 256, 128, 128), (8, 256, 128, 1), (1, 512, 512, 512))
"""Members, points, width in, width out: what small networks multiply."""
WORSE = 2.0  # times the usual route's error that still counts as rounding


def product_error() -> float:
    """Largest error of a float32 product, relative to the largest entry, as torch is set now."""
    generator = torch.Generator().manual_seed(0)
    errors = []
    for members, points, width, out in SHAPES:
        a = torch.randn(members, points, width, generator=generator)
        b = torch.randn(members, width, out, generator=generator)
        exact = a.double() @ b.double()
        errors.append(float((torch.bmm(a, b) - exact).abs().max() / exact.abs().max()))
    return max(errors)


def take_faster_route() -> bool:
    """Take the faster product if it is accurate to float32 rounding; whether it was taken."""
    torch.set_float32_matmul_precision("highest")
    usual = product_error()
    torch.set_float32_matmul_precision("medium")
    if product_error() <= WORSE * usual:
        return True
    torch.set_float32_matmul_precision("highest")
    return False
