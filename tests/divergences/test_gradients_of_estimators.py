"""The gradient of every estimator that has one, beside central differences."""

import pytest
import torch

from tests.every_estimator import KINDS, brief

NEED_MORE = {"DataCopying", "KnownDensity"}  # than two samples
UNTRAINED = [kind for kind in KINDS if not brief(kind) and kind.__name__ not in NEED_MORE]


@pytest.mark.parametrize("kind", UNTRAINED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dimension", [1, 3])
def test_it_is_that_of_the_value(kind, dimension):
    draw = torch.Generator().manual_seed(dimension)
    x = torch.randn(40, dimension, dtype=torch.float64, generator=draw)
    y = 1.3 * torch.randn(45, dimension, dtype=torch.float64, generator=draw) + 0.5
    estimator = kind()
    for which in (0, 1):
        given = [x, y]
        given[which] = moving = given[which].clone().requires_grad_()
        value = estimator(*given).value
        if not value.requires_grad:
            continue  # it says so: MinimumDistance refuses such an estimator
        (slope,) = torch.autograd.grad(value, moving)
        step = torch.zeros_like(moving)
        step[7, dimension - 1] = 1e-5
        ends = []
        for sign in (1, -1):
            given[which] = moving.detach() + sign * step
            ends.append(float(estimator(*given).value))
        expected = (ends[0] - ends[1]) / 2e-5
        scale = float(slope.abs().max())
        assert float(slope[7, dimension - 1]) == pytest.approx(expected, abs=1e-5 * scale)
