"""The faster product is taken only where it is as accurate as the usual one."""

import pytest
import torch

from scripts import matmul


@pytest.fixture(autouse=True)
def _usual_route_again():
    yield
    torch.set_float32_matmul_precision("highest")


def test_whichever_route_is_taken_rounds_as_float32_does():
    matmul.take_faster_route()
    assert matmul.product_error() < 1e-6


def test_a_route_that_loses_digits_is_not_taken(monkeypatch):
    def bfloat16_where_asked():
        return 2e-7 if torch.get_float32_matmul_precision() == "highest" else 4e-3

    monkeypatch.setattr(matmul, "product_error", bfloat16_where_asked)
    assert not matmul.take_faster_route()
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_probe_sees_bfloat16():
    a, b = torch.randn(2, 256, 256)
    exact = a.double() @ b.double()
    rounded = (a.bfloat16() @ b.bfloat16()).double()
    assert float((rounded - exact).abs().max() / exact.abs().max()) > 100 * matmul.product_error()
