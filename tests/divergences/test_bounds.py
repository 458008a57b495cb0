import math
import re
import warnings

import pytest
import torch
from scipy import stats

from divergences.bounds import (
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


@pytest.mark.parametrize(
    "read",
    [
        lambda x, y: jensen_shannon(0.5 - x, 0.5 - y),
        lambda x, y: kantorovich_rubinstein(2 * x, 2 * y),
        lambda x, y: donsker_varadhan(-1.2 * x, -1.2 * y),
        lambda x, y: nwj(1.3 - 0.9 * x, 1.3 - 0.9 * y),
    ],
    ids=["Jensen-Shannon", "Kantorovich-Rubinstein", "Donsker-Varadhan", "NWJ"],
)
@pytest.mark.parametrize("m", [150, 2000])
def test_stderr_is_the_spread_over_repeats_for_unequal_sizes_and_scores(read, m):
    x, y = shifted(repeats=800)
    found = read(x[:, :600], y[:, :m])
    spread = found.value.std()
    usable = found.stderr[~found.stderr.isnan()]
    assert len(usable) > 0.98 * len(x)
    assert 0.85 < (usable.square().mean().sqrt() / spread).item() < 1.2


def test_donsker_varadhans_interval_allows_for_the_bias_of_a_logarithm():
    """The log of a mean of m weights reads low by Var(w) / (2 m), so KL reads that much high."""
    x, y = shifted(repeats=4000, n=100)
    found = donsker_varadhan(-x / 2, -y / 2)
    weights = (3 / 8 - y / 2).exp()  # lognormal, of mean 1 and variance e^(1/4) - 1
    unbiased = -x.mean(1) / 2 + 3 / 8 - (weights.mean(1) - 1)
    bias = (math.exp(0.25) - 1) / (2 * 100)
    assert (found.value - unbiased).mean().item() == pytest.approx(bias, rel=0.1)
    allowed = found.value - 1.959964 * found.stderr - found.ci[0]
    assert allowed.mean().item() == pytest.approx(bias, rel=0.1)


@pytest.mark.parametrize("read", [jensen_shannon, kantorovich_rubinstein, donsker_varadhan, nwj])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 20), (20, 1)])
def test_one_point_on_a_side_has_no_stderr_and_no_warning_of_torch(read, n, m):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(torch.linspace(0, 1, n), torch.linspace(0, 2, m))
    assert found.value.isfinite()
    assert found.stderr.isnan()


@pytest.mark.parametrize("bound", [jensen_shannon, kantorovich_rubinstein, donsker_varadhan, nwj])
@pytest.mark.parametrize("none", [torch.tensor(1.0), torch.zeros(0), torch.zeros(2, 0)])
def test_scores_of_no_points_are_refused_on_either_side(bound, none):
    some, said = torch.zeros(*none.shape[:-1], 3), re.escape(f"have shape {tuple(none.shape)}; at")
    with pytest.raises(ValueError, match=f"^p_scores {said}"):
        bound(none, some)
    with pytest.raises(ValueError, match=f"^q_scores {said}"):
        bound(some, none)
