import math

import pytest
import torch
from scipy import stats

from divergences.variational import (
    donsker_varadhan,
    effective_size,
    jensen_shannon,
    kantorovich_rubinstein,
    nwj,
)


def test_js_bound_is_tight_at_the_log_density_ratio():
    """N(0,1) against N(1,1): JS = .111421 by quadrature."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 200000, generator=generator, dtype=torch.float64)
    y = y + 1
    estimate = jensen_shannon(0.5 - x, 0.5 - y)
    assert abs(estimate.value - 0.111421) < 4 * estimate.stderr


@pytest.mark.parametrize("slope", [-2.0, -0.3, 0.0, 1.0])
def test_js_bound_is_below_the_truth_for_any_other_logit(slope):
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 50000, generator=generator, dtype=torch.float64)
    estimate = jensen_shannon(slope * x, slope * (y + 1))
    assert estimate.value < 0.111421 - 4 * estimate.stderr


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


def test_interval_has_one_side_and_covers_as_1_96_standard_errors_do():
    """97.5 %, and nothing above: a critic cannot tell how far it is from the optimal one."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(4000, 200, generator=generator, dtype=torch.float64)
    y = torch.randn(4000, 100, generator=generator, dtype=torch.float64) + 1
    low, high = kantorovich_rubinstein(x, y).ci
    assert high.isinf().all()
    assert (low <= -1).double().mean().item() == pytest.approx(0.975, abs=0.01)


def shifted(repeats=300, n=2000, seed=3):
    """Points of N(0,1) and N(1,1), whose KL is 1/2 and whose log ratio is 1/2 - x."""
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, repeats, n, generator=generator, dtype=torch.float64)
    return x, y + 1


@pytest.mark.parametrize(
    ("bound", "offset"), [(donsker_varadhan, 0.0), (nwj, 1.0)], ids=["Donsker-Varadhan", "NWJ"]
)
def test_kl_bounds_are_tight_at_the_log_density_ratio_and_know_their_error(bound, offset):
    x, y = shifted()
    estimate = bound(offset + 0.5 - x, offset + 0.5 - y)
    spread = estimate.value.std()
    # the log of a mean reads high by (e - 1) / (2 m), here 4e-4
    assert abs(estimate.value.mean() - 0.5) < 4 * spread / 300**0.5 + 5e-4
    assert (estimate.stderr.mean() / spread).item() == pytest.approx(1, abs=0.15)
    low, high = estimate.ci
    assert high.isinf().all()
    assert 0.945 < (low <= 0.5).double().mean() < 0.995
    assert not estimate.warnings


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.5, 1.5])
def test_kl_bounds_are_below_the_truth_for_any_other_score(slope):
    """E_P[f] - log E_Q[e^f] of f = -s x is s - s^2/2 in closed form."""
    x, y = shifted(repeats=50)
    dv, lower = donsker_varadhan(-slope * x, -slope * y), nwj(-slope * x, -slope * y)
    spread = dv.value.std() / 50**0.5
    assert abs(dv.value.mean() - (slope - slope**2 / 2)) < 4 * spread + 2e-3
    assert (lower.value <= dv.value).all()


def test_a_constant_added_to_the_score_changes_donsker_varadhan_in_nothing():
    x, y = shifted(repeats=3, n=100)
    first, second = donsker_varadhan(x, y), donsker_varadhan(x + 700, y + 700)
    torch.testing.assert_close(first.value, second.value, rtol=0, atol=1e-10)
    torch.testing.assert_close(first.stderr, second.stderr)


def test_nwj_touches_donsker_varadhan_at_the_right_constant():
    x, y = shifted(repeats=3, n=100)
    dv = donsker_varadhan(x, y)
    constant = 1 - y.exp().mean(-1, keepdim=True).log()
    torch.testing.assert_close(nwj(x + constant, y + constant).value, dv.value)
    for other in (-0.3, 0.3):
        assert (nwj(x + constant + other, y + constant + other).value < dv.value).all()


def test_large_scores_overflow_nothing_in_donsker_varadhan():
    """f = 1000 on P and on half of Q, 0 elsewhere: log of 2."""
    half = torch.tensor([1000.0] * 50 + [0.0] * 50)
    assert donsker_varadhan(torch.full((100,), 1000.0), half).value.item() == pytest.approx(
        math.log(2)
    )


@pytest.mark.parametrize("bound", [donsker_varadhan, nwj])
def test_kl_of_samples_that_do_not_overlap_is_not_given_without_a_warning(bound):
    estimate = bound(torch.full((2, 20), 6.0), torch.full((2, 20), -6.0))
    assert any("infinite" in w for w in estimate.warnings)


@pytest.mark.parametrize("bound", [donsker_varadhan, nwj])
def test_a_mean_of_exponentials_carried_by_one_point_has_no_error(bound):
    scores = torch.zeros(2, 100)
    scores[1, 0] = 30.0
    estimate = bound(torch.zeros(2, 100), scores)
    assert estimate.stderr.isnan().tolist() == [False, True]
    assert "rests on 1.0 of 100 points" in estimate.warnings[0]


def test_effective_size_of_a_lognormal_weight_is_n_over_e_to_the_variance():
    generator = torch.Generator().manual_seed(4)
    weights = 0.7 * torch.randn(400_000, generator=generator, dtype=torch.float64)
    assert effective_size(weights).item() == pytest.approx(400_000 * math.exp(-0.49), rel=0.02)
