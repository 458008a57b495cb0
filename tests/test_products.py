"""The faster products are taken only where they are accurate."""

import pytest
import torch

from scripts import products


@pytest.fixture(autouse=True)
def _leave_no_trace():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def test_default_products_are_accurate_to_float32():
    torch.set_float32_matmul_precision("highest")
    assert 1e-8 < products.error_of_products() < 1e-5


def test_products_of_bfloat16_are_noticed(monkeypatch):
    exact = torch.Tensor.__matmul__

    def rounded(x, w):
        if x.dtype == torch.float64 or torch.get_float32_matmul_precision() == "highest":
            return exact(x, w)
        return exact(x.bfloat16().float(), w.bfloat16().float())

    torch.set_float32_matmul_precision("high")
    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert 'kept at "high"' in products.take_accurate_products()
    assert torch.get_float32_matmul_precision() == "high"


def test_what_is_taken_is_said():
    said = products.take_accurate_products()
    taken = torch.get_float32_matmul_precision() == "medium"
    assert taken == (", taken" in said)
