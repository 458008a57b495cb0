import math

import pytest
import torch
from scipy import stats

from divergences.variational import jensen_shannon, kantorovich_rubinstein


def test_js_bound_is_tight_at_the_log_density_ratio():
    """N(0,1) against N(1,1): JS = .11142 by quadrature."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 200000, generator=generator, dtype=torch.float64)
    y = y + 1
    estimate = jensen_shannon(0.5 - x, 0.5 - y)
    assert abs(estimate.value - 0.111419) < 4 * estimate.stderr


@pytest.mark.parametrize("slope", [-2.0, -0.3, 0.0, 1.0])
def test_js_bound_is_below_the_truth_for_any_other_logit(slope):
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 50000, generator=generator, dtype=torch.float64)
    estimate = jensen_shannon(slope * x, slope * (y + 1))
    assert estimate.value < 0.111419 - 4 * estimate.stderr


def test_js_bound_reaches_log_2_without_rounding_and_never_exceeds_it():
    for logit in (17.0, 40.0, 200.0):
        value = jensen_shannon(torch.full((4,), logit), torch.full((4,), -logit)).value
        assert value <= math.log(2)
        assert math.log(2) - value.item() == pytest.approx(math.log1p(math.exp(-logit)), abs=1e-15)


def test_no_information_reads_zero():
    assert jensen_shannon(torch.zeros(3, 5), torch.zeros(3, 7)).value.tolist() == [0, 0, 0]


def test_a_constant_added_to_a_critic_changes_nothing():
    x, y = torch.randn(2, 100, dtype=torch.float64)
    a, b = kantorovich_rubinstein(x, y), kantorovich_rubinstein(x + 5, y + 5)
    assert a.value.item() == pytest.approx(b.value.item())
    assert a.stderr.item() == pytest.approx(b.stderr.item())


def test_stderr_of_the_difference_is_welchs():
    x, y = torch.randn(60, dtype=torch.float64), 3 * torch.randn(90, dtype=torch.float64)
    welch = stats.ttest_ind(x.numpy(), y.numpy(), equal_var=False)
    estimate = kantorovich_rubinstein(x, y)
    assert (estimate.value / estimate.stderr).item() == pytest.approx(welch.statistic)


def test_interval_covers_95_percent():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(4000, 200, generator=generator, dtype=torch.float64)
    y = torch.randn(4000, 100, generator=generator, dtype=torch.float64) + 1
    low, high = kantorovich_rubinstein(x, y).ci
    covered = ((low <= -1) & (high >= -1)).double().mean()
    assert 0.93 < covered < 0.97
