"""Which float32 matrix products to take: the faster ones, where they are as accurate."""

from __future__ import annotations

import torch
from torch import Tensor

MOST = 2.0
"""How much larger than that of torch's default products the faster products' error may be."""


def error_of_products() -> float:
    """Largest error of batched and plain float32 products, relative to their typical entry."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    worst = 0.0
    for x, w in (
        (normal(8, 256, 128), normal(8, 128, 128)),
        (normal(512, 512), normal(512, 512)),
        (normal(8, 256, 2), normal(8, 2, 32)),
    ):
        exact = x.float().double() @ w.float().double()
        off = ((x.float() @ w.float()).double() - exact).abs().max() / exact.square().mean().sqrt()
        worst = max(worst, float(off))
    return worst


def take_accurate_products() -> str:
    """Let torch use its faster float32 products if they are accurate here; says which it takes.

    torch calls that precision "medium". Without bfloat16 units it means other float32 kernels, up
    to twice as fast on processors with AVX-512; with such units it means bfloat16, whose products
    are off by .4 %, and is put back.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    least = error_of_products()
    torch.set_float32_matmul_precision("medium")
    error = error_of_products()
    errors = f"errors of {error:.1e} for {least:.1e}"
    if error <= MOST * least:
        return f'float32 products: "medium" is as accurate here, taken ({errors})'
    torch.set_float32_matmul_precision(before)
    return f'float32 products: "medium" is less accurate here, kept at "{before}" ({errors})'
