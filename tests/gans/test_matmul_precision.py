"""The faster products are taken where rounding to float32 explains their errors."""

import pytest
import torch

from gans.runtime import matmul_precision


@pytest.fixture(autouse=True)
def _leave_no_trace():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def terms(x, w):
    """What each inner product sums, in float32, along the first axis."""
    return (x[..., :, None, :] * w.mT[..., None, :, :]).movedim(-1, 0)


def one_by_one(parts):
    total = torch.zeros(1)
    for part in parts:
        total = total + part
    return total


def in_turn(x, w):
    return one_by_one(terms(x, w))


def backwards(x, w):
    return one_by_one(terms(x, w).flip(0))


def in_pairs(x, w):
    parts = terms(x, w)
    while len(parts) > 1:
        half = len(parts) // 2
        parts = torch.cat([parts[:half] + parts[half : 2 * half], parts[2 * half :]])
    return parts[0]


def in_blocks(x, w):
    """Blocks of 16, as vector registers hold them, whose sums are then added up."""
    return torch.stack([b.sum(0) for b in terms(x, w).split(16)]).sum(0)


def fused(x, w):
    """Each term added without rounding it first."""
    total = torch.zeros(1)
    for column, row in zip(x.double().unbind(-1), w.double().unbind(-2), strict=True):
        total = (total.double() + column[..., None] * row[..., None, :]).float()
    return total


def largest_first(x, w):
    parts = terms(x, w)
    return one_by_one(parts.gather(0, parts.abs().argsort(0, descending=True)))


@pytest.mark.parametrize("order", [in_turn, backwards, in_pairs, in_blocks, fused, largest_first])
def test_float32_products_are_accepted_in_every_order_of_summation(order, monkeypatch):
    shapes = (((2, 16, 128), (2, 128, 16)), ((16, 512), (512, 16)), ((2, 64, 2), (2, 2, 32)))
    monkeypatch.setattr(matmul_precision, "SHAPES", shapes)
    found = matmul_precision.errors_of(order)
    assert found.are_rounding
    assert 1e-8 < found.relative < 1e-5


@pytest.mark.parametrize("precision", ["highest", "high"])
def test_torchs_own_products_are_accepted(precision):
    torch.set_float32_matmul_precision(precision)
    assert matmul_precision.errors_of(torch.matmul).are_rounding


def rounded_to(bits):
    """Products of factors that keep so many bits of their significand, summed in float32."""

    def keep(t):
        significand, exponent = torch.frexp(t)
        return torch.ldexp((significand * 2**bits).round() / 2**bits, exponent)

    return lambda x, w: torch.matmul(keep(x), keep(w))


BFLOAT16, TF32 = 8, 11  # with the leading bit, which is not stored


@pytest.mark.parametrize(
    ("product", "error"),
    [
        (lambda x, w: torch.matmul(x.bfloat16().float(), w.bfloat16().float()), 2.4e-3),
        (rounded_to(BFLOAT16), 2.4e-3),
        (rounded_to(TF32), 3e-4),
        (rounded_to(16), 1e-5),
        (rounded_to(20), 6e-7),
        (lambda x, w: torch.matmul(x, w).half().float(), 2e-4),
        (lambda x, w: torch.matmul(x, w) * (1 + 1e-5), 1e-5),
    ],
    ids=["bfloat16", "8 bits", "tf32", "16 bits", "20 bits", "half sums", "biased"],
)
def test_products_of_shorter_numbers_are_refused(product, error):
    found = matmul_precision.errors_of(product)
    assert not found.are_rounding
    assert 0.5 * error < found.relative < 4 * error


def test_one_wrong_entry_is_seen_by_the_largest_error():
    def product(x, w):
        found = torch.matmul(x, w)
        found.view(-1)[7] *= 1 + 1e-4
        return found

    found = matmul_precision.errors_of(product)
    assert found.largest > 1
    assert not found.are_rounding


@pytest.mark.parametrize("accurate", [True, False])
@pytest.mark.parametrize("before", ["highest", "high"])
def test_the_precision_is_taken_or_put_back_and_said(accurate, before, monkeypatch):
    found = matmul_precision.Errors(0.5 if accurate else 2.0, 0.5, 3e-7)
    seen = []

    def errors_of(product):
        seen.append(torch.get_float32_matmul_precision())
        return found

    torch.set_float32_matmul_precision(before)
    monkeypatch.setattr(matmul_precision, "errors_of", errors_of)
    said = matmul_precision.take_accurate_products()
    assert seen == ["medium"]
    assert torch.get_float32_matmul_precision() == ("medium" if accurate else before)
    assert ("taken" in said) == accurate
    assert "3.0e-07" in said
    assert (f'kept at "{before}"' in said) == (not accurate)


def test_what_is_taken_here_has_errors_of_rounding_only():
    matmul_precision.take_accurate_products()
    assert matmul_precision.errors_of(torch.matmul).are_rounding
