"""The argument about couplings: that what it compares with W1 are couplings."""

import math

import pytest
import torch

from scripts.arguments.couplings import entropic_plan, plans, two_heaps


def test_entropic_plans_are_between_the_cheapest_and_the_independent():
    x, y = (heap[0] for heap in two_heaps([3], 12))
    costs = torch.cdist(x, y)
    wide = entropic_plan(costs, 1e3)
    torch.testing.assert_close(wide, torch.full_like(costs, 1 / 144), rtol=1e-2, atol=0)
    narrow = entropic_plan(costs, 0.1)
    for side in (0, 1):
        torch.testing.assert_close(
            narrow.sum(side), torch.full((12,), 1 / 12, dtype=torch.float64), rtol=0, atol=1e-9
        )
    # (i, j) and (k, l) against (i, l) and (k, j): the ratio knows no potentials
    cross = (narrow[0, 0] * narrow[1, 1] / narrow[0, 1] / narrow[1, 0]).log()
    exchange = costs[0, 1] + costs[1, 0] - costs[0, 0] - costs[1, 1]
    assert float(cross) == pytest.approx(float(exchange) / 0.1, abs=1e-6)


def test_points_on_a_line_are_matched_in_order():
    x = torch.arange(8, dtype=torch.float64)[:, None] * torch.tensor([[1.0, 0.0]]).double()
    found = plans(x, x.flip(0) + 3, matchings=10)
    expected = math.hypot(3, 3)
    assert float(found["exact"]) == pytest.approx(expected, rel=1e-12)
    assert float(found["dual"]) == pytest.approx(expected, rel=1e-12)
    assert found["independent"] > found["exact"]
