"""Information measures of probability vectors, against SciPy, mpmath and their identities."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch.func import hessian, jacrev, jvp, vmap
from torch.nn.functional import cross_entropy as torch_cross_entropy
from torch.nn.functional import one_hot

from divergences.discrete import (
    cross_entropy,
    entropy,
    js_distance,
    js_divergence,
    kl_divergence,
    self_information,
    total_variation,
)

LOG2 = math.log(2)
PAIRS = [cross_entropy, kl_divergence, js_divergence, js_distance, total_variation]
WITH_BASE = [cross_entropy, kl_divergence, js_divergence, js_distance]


def name(function):
    return function.__name__


def f64(*values):
    return torch.tensor(*values, dtype=torch.float64)


@st.composite
def vectors(draw, count=2, least=1):
    """Probability vectors of one length: with exact zeros, and with weights 1e-300 to 1."""
    n = draw(st.integers(least, 6))
    weight = st.one_of(st.just(0.0), st.integers(1, 9).map(float), st.floats(1e-300, 1.0))
    rows = st.lists(weight, min_size=n, max_size=n).filter(lambda row: sum(row) > 1e-290)
    found = [f64(draw(rows)) for _ in range(count)]
    return [row / row.sum() for row in found]


# torch's forward mode compiles with what torch itself calls deprecated
forward_mode = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
property_test = settings(deadline=None, max_examples=60)


# ------------------------------------------------------------------ the articles' worked numbers


def test_cross_entropy_by_hand_against_torch():
    """A1: .474 bits by hand, .654 in torch: softmax, nats and the mean, undone one at a time."""
    scores = f64([[0.9, 0.1, 0.0], [0.1, 0.1, 0.8]])
    labels = torch.tensor([0, 2])
    target = one_hot(labels, 3).double()
    assert cross_entropy(target, scores, base=2).sum() == pytest.approx(0.474, abs=5e-4)
    softmaxed = cross_entropy(target, scores.softmax(-1), base=2).sum()
    in_nats = cross_entropy(target, scores.softmax(-1)).sum()
    averaged = cross_entropy(target, scores.softmax(-1)).mean()
    assert softmaxed * LOG2 == pytest.approx(in_nats.item(), rel=1e-15)
    assert averaged == pytest.approx(0.654, abs=5e-4)
    assert averaged == pytest.approx(torch_cross_entropy(scores, labels).item(), rel=1e-15)


@pytest.mark.parametrize(
    ("scores", "printed"),
    [
        ([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.2, 0.6]], 0.8527),
        ([[0.2, 0.7, 0.1], [0.3, 0.2, 0.5], [0.6, 0.2, 0.2]], 1.2527),
    ],
    ids=["pred1", "pred2"],
)
def test_cross_entropy_of_the_article(scores, printed):
    """A3."""
    loss = cross_entropy(torch.eye(3, dtype=torch.float64), f64(scores).softmax(-1)).mean()
    assert loss == pytest.approx(printed, abs=5e-5)


def test_kl_of_the_article():
    """A3: 0.3567 nats, 0.5146 bits, and infinite the other way round."""
    p, q = f64([1.0, 0.0, 0.0]), f64([0.7, 0.2, 0.1])
    assert kl_divergence(p, q) == pytest.approx(0.3567, abs=5e-5)
    assert kl_divergence(p, q, base=2) == pytest.approx(0.5146, abs=5e-5)
    assert kl_divergence(q, p) == math.inf


# ------------------------------------------------------------------------------------- SciPy


def scipy_js(p, q):
    """Not SciPy's JS distance, which takes the root of a rounded value that may be below zero."""
    m = (p + q) / 2
    return (scipy.special.rel_entr(p, m) + scipy.special.rel_entr(q, m)).sum() / 2


@property_test
@given(vectors())
def test_values_equal_scipy(pair):
    p, q = (row.numpy() for row in pair)
    close = {"rel": 1e-12, "abs": 1e-12}
    assert entropy(pair[0]) == pytest.approx(scipy.special.entr(p).sum(), **close)
    assert kl_divergence(*pair) == pytest.approx(scipy.special.rel_entr(p, q).sum(), **close)
    assert js_divergence(*pair) == pytest.approx(scipy_js(p, q), **close)
    assert js_distance(*pair, base=2) ** 2 == pytest.approx(scipy_js(p, q) / LOG2, **close)
    assert total_variation(*pair) == pytest.approx(np.abs(p - q).sum() / 2, **close)


def test_batches_equal_scipy_row_by_row():
    generator = torch.Generator().manual_seed(0)
    p, q = torch.rand(2, 4, 5, 7, dtype=torch.float64, generator=generator)
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    for base in (math.e, 2, 10):
        expected = scipy.stats.entropy(p.numpy(), q.numpy(), base=base, axis=-1)
        np.testing.assert_allclose(kl_divergence(p, q, base=base), expected, rtol=1e-12)
        expected = scipy.stats.entropy(p.numpy(), base=base, axis=-1)
        np.testing.assert_allclose(entropy(p, base=base), expected, rtol=1e-12)
        expected = jensenshannon(p.numpy(), q.numpy(), base=base, axis=-1)
        np.testing.assert_allclose(js_distance(p, q, base=base), expected, rtol=1e-12)


# ---------------------------------------------------------------------------------- accuracy


def to_50_digits(p, q):
    """KL and JS with 50 digits, of vectors that sum to one only up to their dtype's rounding."""

    def kl(p, q):
        return mpmath.fsum(
            (a * mpmath.log(a / b) if a else 0) - a + b for a, b in zip(p, q, strict=True)
        )

    p, q = ([mpmath.mpf(x) for x in row.tolist()] for row in (p, q))
    m = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return kl(p, q), (kl(p, m) + kl(q, m)) / 2


@pytest.mark.parametrize(
    ("dtype", "t"),
    [(torch.float64, 10.0**-k) for k in (1, 2, 4, 6, 9, 12)]
    + [(torch.float32, 10.0**-k) for k in (1, 2, 4, 6)],
)
def test_nothing_cancels_where_p_is_close_to_q(dtype, t):
    eps = torch.finfo(dtype).eps
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(9, generator=generator, dtype=torch.float64)
    q = p * (1 + t * torch.linspace(-1, 1, 9, dtype=torch.float64))
    p, q = (p / p.sum()).to(dtype), (q / q.sum()).to(dtype)
    with mpmath.workdps(50):
        kl, js = to_50_digits(p, q)
        assert abs(kl_divergence(p, q).item() / kl - 1) <= 8 * eps / t
        assert abs(js_divergence(p, q).item() / js - 1) <= 8 * eps


@pytest.mark.parametrize("share", [0.4, 0.2, 1e-3, 1e-8, 1e-15, 1e-17, 1e-300])
def test_js_is_exact_on_both_sides_of_its_two_formulas(share):
    p, q = f64([share, 1 - share]), f64([1 - share, share])
    with mpmath.workdps(50):
        assert js_divergence(p, q).item() == pytest.approx(float(to_50_digits(p, q)[1]), rel=4e-16)


@pytest.mark.parametrize(("dtype", "tiny"), [(torch.float64, 5e-324), (torch.float32, 1e-45)])
def test_kl_is_finite_where_q_is_subnormal(dtype, tiny):
    p, q = torch.tensor([1.0, 0.0], dtype=dtype), torch.tensor([tiny, 1.0], dtype=dtype)
    expected = -math.log(q[0].item())
    assert kl_divergence(p, q).item() == pytest.approx(expected, rel=1e-6)
    assert cross_entropy(p, q).item() == pytest.approx(expected, rel=1e-6)


@property_test
@given(vectors())
def test_float32_agrees_with_float64(pair):
    single = [row.float() for row in pair]
    double = [row.double() / row.double().sum() for row in single]
    expected = [measure(*double) for measure in PAIRS]
    for measure, value in zip(PAIRS, expected, strict=True):
        assert measure(*single).item() == pytest.approx(value.item(), rel=2e-5, abs=2e-6), measure


# -------------------------------------------------------------------------------- identities


@pytest.mark.parametrize("base", [math.e, 2, 10])
def test_information_is_rarer_more_certain_zero_and_independent_events_add(base):
    p = torch.linspace(0.01, 1, 100, dtype=torch.float64)
    information = self_information(p, base=base)
    assert (information.diff() < 0).all()
    assert information[-1] == 0
    assert self_information(f64(0.0), base=base) == math.inf
    joint = self_information(p[:, None] * p, base=base)
    torch.testing.assert_close(joint, information[:, None] + information)


def test_certainty_is_zero_and_not_minus_zero():
    sure = f64([1.0, 0.0])
    for zero in (self_information(sure[0]), entropy(sure), cross_entropy(sure, sure)):
        assert math.copysign(1, zero.item()) == 1


@property_test
@given(vectors(count=2))
def test_entropy_of_independent_draws_adds(pair):
    p, q = pair
    joint = (p[:, None] * q).flatten()
    assert entropy(joint) == pytest.approx((entropy(p) + entropy(q)).item(), rel=1e-12, abs=1e-12)


@property_test
@given(vectors())
def test_entropy_lies_between_zero_and_log_n(pair):
    assert 0 <= entropy(pair[0]) <= math.log(len(pair[0])) + 1e-15


@property_test
@given(vectors())
def test_cross_entropy_is_kl_plus_entropy(pair):
    p, q = pair
    expected = (kl_divergence(p, q) + entropy(p)).item()
    assert cross_entropy(p, q).item() == pytest.approx(expected, rel=1e-13, abs=1e-13)


@property_test
@given(vectors())
def test_gibbs(pair):
    p, q = pair
    assert kl_divergence(p, p) == 0
    assert kl_divergence(p, q) >= -1e-30
    assert kl_divergence(p, q) > 0 or total_variation(p, q) < 1e-15


@property_test
@given(vectors())
def test_kl_is_infinite_exactly_where_p_has_mass_and_q_none(pair):
    p, q = pair
    impossible = bool(((p > 0) & (q == 0)).any())
    assert (kl_divergence(p, q) == math.inf) == impossible
    assert (cross_entropy(p, q) == math.inf) == impossible


@property_test
@given(vectors())
def test_js_and_tv_are_symmetric(pair):
    p, q = pair
    for measure in (js_divergence, js_distance, total_variation):
        assert measure(p, q) == measure(q, p)


@property_test
@given(vectors())
def test_js_is_the_mean_kl_to_the_midpoint(pair):
    p, q = pair
    m = (p + q) / 2
    expected = (kl_divergence(p, m) + kl_divergence(q, m)).item() / 2
    assert js_divergence(p, q) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@property_test
@given(vectors())
def test_js_lies_between_zero_and_log_two(pair):
    p, q = pair
    assert 0 <= js_divergence(p, q) <= LOG2 + 2.3e-16  # two units in the last place
    assert 0 <= js_divergence(p, q, base=2) <= 1 + 4.5e-16


@pytest.mark.parametrize("n", [1, 3, 100, 1001])
def test_disjoint_supports_are_log_two_and_one_apart(n):
    generator = torch.Generator().manual_seed(n)
    weights = torch.rand(2, n, dtype=torch.float64, generator=generator)
    weights = weights / weights.sum(-1, keepdim=True)
    p = torch.cat([weights[0], torch.zeros(n, dtype=torch.float64)])
    q = torch.cat([torch.zeros(n, dtype=torch.float64), weights[1]])
    assert js_divergence(p, q) == pytest.approx(LOG2, abs=4e-16)
    assert js_divergence(p, q, base=2) == pytest.approx(1, abs=4e-16)
    assert total_variation(p, q) == pytest.approx(1, abs=4e-16)


@property_test
@given(vectors())
def test_pinsker(pair):
    p, q = pair
    assert total_variation(p, q) ** 2 <= kl_divergence(p, q) / 2 * (1 + 1e-12) + 1e-30


@property_test
@given(vectors())
def test_js_lies_between_its_bounds_in_tv(pair):
    """JS <= TV log 2, and Pinsker through the midpoint: TV^2 / 2 <= JS."""
    p, q = pair
    js, tv = js_divergence(p, q), total_variation(p, q)
    assert tv**2 / 2 * (1 - 1e-12) <= js <= tv * LOG2 * (1 + 1e-12)


@property_test
@given(vectors(count=3))
def test_roots_of_js_and_tv_obey_the_triangle_inequality(triple):
    p, q, r = triple
    for metric in (js_distance, total_variation):
        assert metric(p, r) <= (metric(p, q) + metric(q, r)) * (1 + 1e-12)


def test_kl_is_asymmetric_and_breaks_the_triangle_inequality():
    p, q, r = f64([0.5, 0.5]), f64([0.75, 0.25]), f64([0.99, 0.01])
    assert kl_divergence(p, q) != kl_divergence(q, p)
    assert kl_divergence(p, r) > kl_divergence(p, q) + kl_divergence(q, r)
    assert js_divergence(p, r) > js_divergence(p, q) + js_divergence(q, r)


@pytest.mark.parametrize("measure", WITH_BASE, ids=name)
@pytest.mark.parametrize("base", [2, 10, 1.5])
def test_base_is_a_choice_of_unit(measure, base):
    p, q = f64([0.5, 0.3, 0.2]), f64([0.1, 0.1, 0.8])
    unit = math.log(base) ** (0.5 if measure is js_distance else 1)
    assert measure(p, q, base=base) * unit == pytest.approx(measure(p, q).item(), rel=1e-14)


def test_a_base_below_one_flips_the_sign():
    p, q = f64([0.5, 0.3, 0.2]), f64([0.1, 0.1, 0.8])
    assert kl_divergence(p, q, base=0.5) == -kl_divergence(p, q, base=2)


# ----------------------------------------------------------------------------- differentiation


@forward_mode
@pytest.mark.parametrize("measure", PAIRS, ids=name)
@pytest.mark.parametrize("zeros", [(), (1,), (0, 3)], ids=["no zero", "one zero", "two zeros"])
def test_gradients_equal_finite_differences_with_zeros_held(measure, zeros):
    """Both vectors keep their common zeros; softmax keeps them on the simplex."""
    kept = [i for i in range(5) if i not in zeros]

    def through(a, b):
        vectors = [
            torch.zeros(2, 5, dtype=torch.float64).index_copy(1, torch.tensor(kept), x.softmax(-1))
            for x in (a, b)
        ]
        return measure(*vectors)

    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 2, len(kept), dtype=torch.float64, generator=generator)
    a, b = a.requires_grad_(), b.requires_grad_()
    assert torch.autograd.gradcheck(through, (a, b), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(through, (a, b))


@pytest.mark.parametrize("measure", PAIRS, ids=name)
@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([1.0, 0.0, 0.0], [0.7, 0.3, 0.0]),
        ([0.7, 0.3, 0.0], [1.0, 0.0, 0.0]),
        ([0.5, 0.5, 0.0], [0.0, 0.0, 1.0]),
        ([0.0, 0.5, 0.5], [0.0, 0.5, 0.5]),
        ([1 - 1e-12, 1e-12, 0.0], [1e-12, 1 - 1e-12, 0.0]),
    ],
    ids=["q covers p", "KL infinite", "disjoint", "equal", "almost disjoint"],
)
def test_gradients_are_finite_at_zero_probabilities(measure, p, q):
    p, q = f64(p).requires_grad_(), f64(q).requires_grad_()
    measure(p, q).backward()
    assert p.grad.isfinite().all()
    assert q.grad.isfinite().all()


@pytest.mark.parametrize("measure", [self_information, entropy], ids=name)
def test_gradients_of_one_vector_are_finite_at_zero(measure):
    p = f64([0.5, 0.5, 0.0]).requires_grad_()
    measure(p).sum().backward()
    assert p.grad.isfinite().all()
    assert p.grad[0] != 0


def test_gradients_are_the_textbook_derivatives():
    p, q = f64([0.5, 0.3, 0.2]), f64([0.1, 0.1, 0.8])
    torch.testing.assert_close(jacrev(kl_divergence, 1)(p, q), -p / q)
    torch.testing.assert_close(jacrev(kl_divergence, 0)(p, q), (p / q).log() + 1)
    torch.testing.assert_close(jacrev(cross_entropy, 1)(p, q), -p / q)
    torch.testing.assert_close(jacrev(js_divergence, 1)(p, q), (2 * q / (p + q)).log() / 2)


@pytest.mark.parametrize("ratio", [0.4, 1e-3, 1e-5, 1e-9, 1e-15, 1e-17, 1e-100])
def test_gradient_of_js_is_exact_at_every_ratio(ratio):
    p, q = f64([0.5, 0.5]), f64([0.5 * ratio, 1 - 0.5 * ratio])
    for i in (0, 1):
        with mpmath.workdps(150):
            expected = [
                float(mpmath.log(2 * mpmath.mpf(x) / (mpmath.mpf(x) + mpmath.mpf(y))) / 2)
                for x, y in zip(*((p.tolist(), q.tolist())[:: 1 - 2 * i]), strict=True)
            ]
        torch.testing.assert_close(
            jacrev(js_divergence, i)(p, q), f64(expected), rtol=1e-14, atol=0
        )


@forward_mode
def test_curvature_at_p_equal_q_is_the_fisher_information():
    p = f64([0.5, 0.3, 0.2])
    torch.testing.assert_close(hessian(kl_divergence, 1)(p, p), torch.diag(1 / p))
    torch.testing.assert_close(hessian(js_divergence, 1)(p, p), torch.diag(1 / p) / 4)


def test_gradient_of_js_points_away_where_supports_are_disjoint():
    p, q = f64([0.5, 0.5, 0.0]).requires_grad_(), f64([0.0, 0.0, 1.0])
    js_divergence(p, q).backward()
    torch.testing.assert_close(p.grad[:2], f64([LOG2 / 2, LOG2 / 2]))


def test_gradient_of_js_distance_is_zero_where_it_has_its_kink():
    p = f64([0.5, 0.3, 0.2]).requires_grad_()
    js_distance(p, p.detach().clone()).backward()
    assert (p.grad == 0).all()


# --------------------------------------------------------------------------------- transforms


def rows(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(shape, dtype=torch.float64, generator=generator).softmax(-1)


@pytest.mark.parametrize("measure", PAIRS, ids=name)
def test_leading_dimensions_broadcast(measure):
    p, q = rows(4, 1, 3), rows(5, 3)
    value = measure(p, q)
    assert value.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            torch.testing.assert_close(value[i, j], measure(p[i, 0], q[j]), rtol=0, atol=0)


@pytest.mark.parametrize("measure", PAIRS, ids=name)
def test_vmap_equals_broadcasting(measure):
    p, q = rows(4, 6, 3), rows(6, 3)
    torch.testing.assert_close(vmap(measure, in_dims=(0, None))(p, q), measure(p, q))
    torch.testing.assert_close(
        vmap(measure, in_dims=(2, None), out_dims=0)(p.permute(1, 2, 0), q), measure(p, q)
    )
    torch.testing.assert_close(vmap(vmap(measure, (0, 0)), (0, None))(p, q), measure(p, q))


@forward_mode
@pytest.mark.parametrize("measure", PAIRS, ids=name)
def test_vmapped_gradients_equal_autograd(measure):
    p, q = rows(4, 3), rows(4, 3).flip(0)
    tracked = q.clone().requires_grad_()
    measure(p, tracked).sum().backward()
    torch.testing.assert_close(vmap(jacrev(measure, 1))(p, q), tracked.grad)
    tangent = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64).expand(4, 3)
    forward = vmap(lambda p, q, t: jvp(lambda q: measure(p, q), (q,), (t,))[1])(p, q, tangent)
    torch.testing.assert_close(forward, (tracked.grad * tangent).sum(-1))


def test_bad_rows_are_found_inside_vmap():
    p = rows(4, 3)
    p[2, 1] = -0.25
    with pytest.raises(ValueError, match=r"p\[2, 1\] is -0\.25"):
        vmap(entropy)(p)
    with pytest.raises(ValueError, match=r"q\[2, 1\] is -0\.25"):
        vmap(jacrev(kl_divergence, 1))(rows(4, 3), p)


# ------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.6, -0.1, 0.5], r"q\[1, 1\] is -0\.1; .*softmax"),
        ([math.nan, 0.5, 0.5], r"q\[1, 0\] is nan; .*NaN"),
        ([0.5, 0.5, math.inf], r"q\[1, 2\] is inf; "),
        ([0.5, 0.3, 0.1], r"q\[1\] sums to 0\.9 .*2e-12.*float64; divide"),
        ([2.0, 3.0, 5.0], r"q\[1\] sums to 10 .*divide"),
        ([0.0, 0.0, 0.0], r"q\[1\] sums to 0 "),
        ([0.3333, 0.3333, 0.3333], r"q\[1\] sums to 0\.9999 "),
    ],
    ids=["negative", "nan", "inf", "short", "counts", "empty", "rounded"],
)
@pytest.mark.parametrize("measure", PAIRS, ids=name)
def test_a_row_that_is_no_distribution_is_named(measure, row, message):
    with pytest.raises(ValueError, match=message):
        measure(rows(3), torch.stack([rows(3), f64(row)]))


def test_a_single_vector_is_named_without_an_index():
    with pytest.raises(ValueError, match=r"^p sums to 0\.9 "):
        entropy(f64([0.5, 0.4]))
    with pytest.raises(ValueError, match=r"^p is 1\.5"):
        self_information(f64(1.5))


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_events_have_probabilities_in_the_unit_interval(value):
    with pytest.raises(ValueError, match=r"p\[0, 1\] is .*\[0, 1\]"):
        self_information(f64([[0.5, value]]))


def test_events_need_not_sum_to_one():
    torch.testing.assert_close(
        self_information(f64([0.5, 0.5, 0.5]), base=2), f64([1.0, 1.0, 1.0])
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("n", [7, 1000, 256_000])
def test_a_softmax_sums_to_one_at_every_length_and_weights_do_not(n, spread, dtype):
    """Its probabilities are rounded, and so is the sum of exponentials it divides by."""
    logits = torch.randn(n, generator=torch.Generator().manual_seed(n)) * spread
    p = logits.to(dtype).softmax(-1)
    assert entropy(p).isfinite()
    off = {torch.bfloat16: 1.3, torch.float16: 1.1}.get(dtype, 1.02)
    for wrong in (p * off, p / off, p.clone().fill_(1.0), logits.abs().to(dtype) + 1):
        with pytest.raises(ValueError, match="sums to"):
            entropy(wrong)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_the_tolerance_on_sums_is_that_of_the_dtype(dtype):
    tolerance = torch.finfo(dtype).eps ** 0.75
    uniform = torch.full((4,), 0.25, dtype=torch.float64)
    entropy((uniform + torch.eye(4)[0] * tolerance * 0.4).to(dtype))
    with pytest.raises(ValueError, match="sums to"):
        entropy((uniform + torch.eye(4)[0] * tolerance * 2.5).to(dtype))


@pytest.mark.parametrize("measure", PAIRS, ids=name)
def test_shapes_that_do_not_match_are_refused(measure):
    with pytest.raises(ValueError, match=r"\(3,\) and q \(1,\): the last dimensions count"):
        measure(rows(3), torch.ones(1, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"\(2, 3\) and q \(4, 3\): the leading dimensions"):
        measure(rows(2, 3), rows(4, 3))
    with pytest.raises(ValueError, match="scalar"):
        measure(f64(1.0), f64(1.0))


@pytest.mark.parametrize("measure", PAIRS, ids=name)
def test_what_holds_no_numbers_is_refused(measure):
    with pytest.raises(TypeError, match="p is a str; pass an array"):
        measure("0.5, 0.5", rows(2))
    with pytest.raises(TypeError, match="q holds <U1, not real numbers"):
        measure(rows(2), ["a", "b"])
    with pytest.raises(ValueError, match=r"p sums to 10 .* divide counts"):
        measure([7, 3], rows(2))


@pytest.mark.parametrize("base", [0, 1, -2, math.nan, math.inf])
def test_what_is_no_base_is_refused(base):
    with pytest.raises(ValueError, match=f"base is {base}"):
        entropy(rows(3), base=base)
    with pytest.raises(ValueError, match=f"base is {base}"):
        kl_divergence(rows(3), rows(3), base=base)


def test_a_negative_divergence_has_no_root():
    with pytest.raises(ValueError, match=r"base is 0\.5"):
        js_distance(rows(3), rows(3), base=0.5)


def test_an_empty_batch_stays_empty():
    assert kl_divergence(rows(0, 3), rows(3)).shape == (0,)
