"""The closed forms against quadrature, SciPy, POT and the identities they must obey."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import ot
import pytest
import scipy.spatial
import scipy.special
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from torch.distributions import (
    Bernoulli,
    Categorical,
    Cauchy,
    Gamma,
    Independent,
    MultivariateNormal,
    Normal,
    Uniform,
)

from divergences.exact import js_divergence, kl_divergence, total_variation, wasserstein

LOG2 = math.log(2)
property_test = settings(deadline=None, max_examples=60)


def f64(*values):
    return torch.tensor(*values, dtype=torch.float64)


def normal(m, s):
    return Normal(f64(m), f64(s))


def uniform(a, b):
    return Uniform(f64(a), f64(b))


def diagonal(m, s):
    return Independent(normal(m, s), 1)


def random_gaussian(seed, d, batch=()):
    generator = torch.Generator().manual_seed(seed)
    m, a = torch.randn(2, *batch, d, d, generator=generator, dtype=torch.float64)
    return MultivariateNormal(m[..., 0], a @ a.mT + 0.1 * torch.eye(d))


# ------------------------------------------------------------------------ oracles on the line


def scipy_twin(p):
    if isinstance(p, Normal):
        return scipy.stats.norm(p.loc.item(), p.scale.item())
    return scipy.stats.uniform(p.low.item(), (p.high - p.low).item())


def integrate(function, p, q):
    """Over the line, piece by piece between the ends of both supports, or standard deviations."""
    cuts = set()
    for d in (p, q):
        ends = np.array(d.support())
        cuts |= set(
            ends if np.isfinite(ends).all() else d.mean() + d.std() * np.arange(-36, 37, 6)
        )
    return sum(
        quad(function, a, b, epsabs=1e-12, epsrel=1e-10)[0] for a, b in pairwise(sorted(cuts))
    )


def kl_by_quadrature(p, q):
    return integrate(lambda x: scipy.special.rel_entr(p.pdf(x), q.pdf(x)), p, q)


def js_by_quadrature(p, q):
    def density(x):
        f, g = p.pdf(x), q.pdf(x)
        rel_entr = scipy.special.rel_entr
        return (rel_entr(f, (f + g) / 2) + rel_entr(g, (f + g) / 2)) / 2

    return integrate(density, p, q)


def tv_by_quadrature(p, q):
    return integrate(lambda x: abs(p.pdf(x) - q.pdf(x)) / 2, p, q)


def by_quantiles(p, q, order):
    """W from the quantile functions, with SciPy's."""

    def cost(z):  # at the quantiles of a standard normal, so that both ends are reached smoothly
        t = scipy.special.ndtr(z)
        return abs(p.ppf(t) - q.ppf(t)) ** order * math.exp(-(z**2) / 2)

    total = quad(cost, -8, 8, limit=500, epsabs=1e-12, epsrel=1e-10)[0] / math.sqrt(2 * math.pi)
    return total ** (1 / order)


NORMALS = {
    "shift": (normal(0, 1), normal(1, 1)),
    "scale": (normal(0, 1), normal(0, 2)),
    "shift and scale": (normal(-1, 0.5), normal(2, 1.5)),
    "wider on the left": (normal(3, 0.2), normal(2.5, 1)),
    "almost equal scales": (normal(0, 1), normal(0.5, 1 + 1e-7)),
    "narrow": (normal(0.3, 1e-3), normal(0, 1)),
    "apart": (normal(-4, 1), normal(4, 1.5)),
}
UNIFORMS = {
    "overlap": (uniform(0, 1), uniform(0.25, 3)),
    "inside": (uniform(0.25, 0.5), uniform(0, 1)),
    "around": (uniform(-1, 2), uniform(0, 1)),
    "shift": (uniform(0, 1), uniform(0.75, 1.75)),
    "touching": (uniform(0, 1), uniform(1, 3)),
    "disjoint": (uniform(5, 6), uniform(-1, 3)),
    "same left end": (uniform(0, 1), uniform(0, 4)),
}


@pytest.mark.parametrize("pair", NORMALS.values(), ids=NORMALS)
def test_kl_and_tv_of_normals_equal_quadrature(pair):
    twins = [scipy_twin(d) for d in pair]
    assert kl_divergence(*pair).item() == pytest.approx(kl_by_quadrature(*twins), rel=1e-9)
    assert total_variation(*pair).item() == pytest.approx(tv_by_quadrature(*twins), abs=1e-10)


@pytest.mark.parametrize("pair", UNIFORMS.values(), ids=UNIFORMS)
def test_kl_js_and_tv_of_uniforms_equal_quadrature(pair):
    twins = [scipy_twin(d) for d in pair]
    assert kl_divergence(*pair).item() == pytest.approx(kl_by_quadrature(*twins), rel=1e-12)
    assert js_divergence(*pair).item() == pytest.approx(js_by_quadrature(*twins), rel=1e-12)
    assert total_variation(*pair).item() == pytest.approx(tv_by_quadrature(*twins), rel=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("pair", NORMALS.values(), ids=NORMALS)
def test_w_of_normals_equals_the_quantile_integral(pair, order):
    expected = by_quantiles(*map(scipy_twin, pair), order)
    assert wasserstein(*pair, order=order).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("order", [1, 1.5, 2, 3, 10])
@pytest.mark.parametrize("pair", UNIFORMS.values(), ids=UNIFORMS)
def test_w_of_uniforms_equals_the_quantile_integral(pair, order):
    expected = by_quantiles(*map(scipy_twin, pair), order)
    assert wasserstein(*pair, order=order).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "pair", [*NORMALS.values(), *UNIFORMS.values()], ids=[*NORMALS, *UNIFORMS]
)
def test_w_on_the_line_equals_pot_on_fine_quantiles(pair, order):
    t = (np.arange(20000) + 0.5) / 20000
    x, y = (scipy_twin(d).ppf(t) for d in pair)
    expected = ot.wasserstein_1d(x, y, p=order) ** (1 / order)
    assert wasserstein(*pair, order=order).item() == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("order", [1, 2, 3.5, 50])
@pytest.mark.parametrize("stretch", [0.5, 1e-2, 1e-6, 1e-9, 1e-14])
@pytest.mark.parametrize("shift", [1.0, 1e-8], ids=["far", "near"])
def test_w_of_uniforms_is_accurate_when_nearly_a_translation(shift, stretch, order):
    p, q = uniform(0, 1), uniform(shift, 1 + shift + shift * stretch)
    with mpmath.workdps(60):
        a = mpmath.mpf(q.low.item())
        b = mpmath.mpf(q.high.item()) - 1
        r = mpmath.mpf(order)
        mean = (b ** (r + 1) - a ** (r + 1)) / ((r + 1) * (b - a)) if b != a else a**r
        expected = float(mean ** (1 / r))
    assert wasserstein(p, q, order=order).item() == pytest.approx(expected, rel=1e-14)


def test_w_of_uniforms_survives_large_orders_and_lengths():
    p, q = uniform(0, 1), uniform(1e200, 3e200)
    assert wasserstein(p, q, order=1e4).item() == pytest.approx(3e200, rel=2e-3)


def test_tv_of_normals_at_the_ends_of_the_number_line():
    assert total_variation(normal(0, 1), normal(0, 1)) == 0
    assert total_variation(normal(0, 1e-200), normal(0, 1)) == 1
    assert total_variation(normal(-1e300, 1), normal(1e300, 1)) == 1
    assert total_variation(normal(5, 1), normal(5 + 1e-9, 1)).item() == pytest.approx(
        1e-9 / math.sqrt(2 * math.pi), rel=1e-6
    )


def test_w1_of_normals_is_continuous_where_the_fold_disappears():
    """|m| > 30 s: the folded mean is |m| to rounding."""
    for m in (29.999, 30.001):
        assert wasserstein(normal(m, 2), normal(0, 1)).item() == pytest.approx(m, rel=1e-15)
    assert wasserstein(normal(0, 3), normal(0, 1)).item() == pytest.approx(
        2 * math.sqrt(2 / math.pi), rel=1e-15
    )


# ---------------------------------------------------------------------------------- Gaussians


@pytest.mark.parametrize("d", [2, 3, 8])
def test_w2_of_gaussians_equals_pot(d):
    p, q = random_gaussian(0, d), random_gaussian(1, d)
    expected = ot.gaussian.bures_wasserstein_distance(
        p.loc, q.loc, p.covariance_matrix, q.covariance_matrix
    )
    assert wasserstein(p, q, order=2).item() == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("step", [1.0, 1e-4, 1e-8, 1e-12])
def test_w2_of_commuting_covariances_is_the_distance_of_their_roots(step):
    """Also where the two are close, and the trace form would cancel to its rounding's root."""
    rotation = torch.linalg.qr(random_gaussian(2, 4).covariance_matrix).Q
    s, t = f64([1.0, 2.0, 3.0, 4.0]), f64([1.0, 2.0, 3.0, 4.0]) + step * f64([1.0, -0.5, 0.0, 2.0])
    roots = [torch.linalg.qr((rotation @ torch.diag(x)).mT).R.mT for x in (s, t)]
    roots = [root * root.diagonal().sign() for root in roots]
    p, q = (MultivariateNormal(torch.zeros(4).double(), scale_tril=root) for root in roots)
    expected = torch.linalg.vector_norm(s - t).item()
    assert wasserstein(p, q, order=2).item() == pytest.approx(expected, abs=2e-14)
    assert wasserstein(diagonal([0.0] * 4, s.tolist()), diagonal([0.0] * 4, t.tolist()), 2) == (
        pytest.approx(expected, abs=4e-15)
    )


@pytest.mark.parametrize("order", [1, 2, 3.7])
def test_w_of_a_translation_is_its_length_at_every_order(order):
    p = random_gaussian(3, 3)
    q = MultivariateNormal(p.loc + f64([2.0, -1.0, 2.0]), p.covariance_matrix)
    assert wasserstein(p, q, order=order).item() == pytest.approx(3, rel=1e-14)
    assert wasserstein(normal(0, 2), normal(3, 2), order=order) == 3


def test_mixed_gaussians_agree_with_one_type():
    m, s = [1.0, -2.0], [0.3, 2.0]
    p = random_gaussian(4, 2)
    one, other = diagonal(m, s), MultivariateNormal(f64(m), torch.diag(f64(s)) ** 2)
    for measure, options in [(kl_divergence, {}), (wasserstein, {"order": 2})]:
        for a, b in [((p, one), (p, other)), ((one, p), (other, p)), ((one, one), (other, other))]:
            torch.testing.assert_close(measure(*a, **options), measure(*b, **options))
    shifted = MultivariateNormal(f64([0.0, 0.0]), other.covariance_matrix)
    for measure in (total_variation, wasserstein):
        torch.testing.assert_close(measure(one, shifted), measure(other, shifted))


def test_tv_of_gaussians_with_equal_covariances_equals_a_sum_over_the_plane():
    covariance = f64([[1.0, 0.6], [0.6, 0.5]])
    p = MultivariateNormal(f64([0.0, 0.0]), covariance)
    q = MultivariateNormal(f64([1.0, -0.3]), covariance)
    axis = torch.linspace(-7, 8, 1501, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    cell = (axis[1] - axis[0]) ** 2
    expected = (p.log_prob(points).exp() - q.log_prob(points).exp()).abs().sum() * cell / 2
    assert total_variation(p, q).item() == pytest.approx(expected.item(), abs=1e-4)


def test_kl_of_independent_coordinates_adds():
    p, q = normal([[0, 1], [2, 3]], [[1, 2], [3, 4]]), normal([1, 0], [2, 0.5])
    table = kl_divergence(p, q)
    assert table.shape == (2, 2)
    for n, expected in [(0, table), (1, table.sum(-1)), (2, table.sum())]:
        value = kl_divergence(Independent(p, n), Independent(q.expand((2, 2)), n))
        torch.testing.assert_close(value, expected)


def test_gaussians_in_one_dimension_are_normals():
    p, q = normal(0.3, 0.5), normal(-1, 2)
    flat = [diagonal([d.loc.item()], [d.scale.item()]) for d in (p, q)]
    full = [MultivariateNormal(d.loc[None], d.scale[None, None] ** 2) for d in (p, q)]
    for pair in (flat, full, (flat[0], full[1])):
        torch.testing.assert_close(total_variation(*pair), total_variation(p, q))
        for order in (1, 2):
            torch.testing.assert_close(wasserstein(*pair, order), wasserstein(p, q, order))


def test_equal_covariances_are_recognised_through_rounding():
    p = random_gaussian(5, 12)
    p = MultivariateNormal(p.loc, p.covariance_matrix + 30 * torch.eye(12))
    q = MultivariateNormal(p.loc + 1, precision_matrix=torch.linalg.inv(p.covariance_matrix))
    assert not q.covariance_matrix.equal(p.covariance_matrix)
    assert wasserstein(p, q).item() == pytest.approx(math.sqrt(12), rel=1e-14)
    shaken = MultivariateNormal(p.loc + 1, p.covariance_matrix * (1 + 1e-9))
    assert not wasserstein.knows(p, shaken)
    assert not total_variation.knows(p, shaken)


@pytest.mark.parametrize("way", ["covariance_matrix", "precision_matrix", "scale_tril"])
def test_a_batch_of_gaussians_is_each_of_them(way):
    rows = [random_gaussian(seed, 3) for seed in range(4)]
    given = torch.stack([getattr(row, way) for row in rows])
    batch = MultivariateNormal(torch.stack([row.loc for row in rows]), **{way: given})
    p = random_gaussian(9, 3)
    for measure in (kl_divergence, lambda a, b: kl_divergence(b, a)):
        alone = torch.stack([measure(p, row) for row in rows])
        torch.testing.assert_close(measure(p, batch), alone, rtol=1e-12, atol=0)


# ----------------------------------------------------------------------- Categorical, Bernoulli


@st.composite
def categoricals(draw, count=2):
    n = draw(st.integers(2, 6))
    rows = st.lists(st.integers(0, 9), min_size=n, max_size=n).filter(any)
    return [Categorical(f64([draw(rows)]).squeeze(0)) for _ in range(count)]


@property_test
@given(categoricals(), st.sampled_from([1, 2, 3.5]))
def test_w_of_categoricals_equals_pot_and_scipy(pair, order):
    p, q = pair
    a, b = p.probs.numpy(), q.probs.numpy()
    x = np.arange(len(a), dtype=float)
    value = wasserstein(p, q, order).item()
    sorting = ot.wasserstein_1d(x, x, a, b, p=order)
    assert value**order == pytest.approx(sorting, rel=1e-9, abs=1e-12)
    simplex = ot.emd2(a, b, np.abs(x[:, None] - x) ** order)
    assert value**order == pytest.approx(simplex, rel=1e-9, abs=1e-12)
    if order == 1:
        scipys = scipy.stats.wasserstein_distance(x, x, a, b)
        assert value == pytest.approx(scipys, rel=1e-12, abs=1e-14)


@property_test
@given(categoricals())
def test_kl_js_and_tv_of_categoricals_equal_scipy(pair):
    a, b = (d.probs.numpy() for d in pair)
    kl = scipy.special.rel_entr(a, b).sum()
    js = scipy.spatial.distance.jensenshannon(a, b) ** 2
    assert kl_divergence(*pair).item() == pytest.approx(kl, abs=1e-12)
    assert js_divergence(*pair).item() == pytest.approx(js, abs=1e-12)
    assert total_variation(*pair).item() == pytest.approx(np.abs(a - b).sum() / 2, abs=1e-15)


def test_w_ignores_empty_categories_at_either_end():
    p, q = Categorical(f64([0.0, 0.3, 0.7, 0.0, 0.0])), Categorical(f64([0.0, 0.1, 0.9, 0.0, 0.0]))
    assert wasserstein(p, q, order=2).item() == pytest.approx(math.sqrt(0.2), rel=1e-15)
    assert wasserstein(p, Categorical(p.probs.clone()), order=2) == 0


@pytest.mark.parametrize("order", [1, 2, 8])
def test_empty_categories_at_the_end_change_nothing(order):
    """Although the sums of the others round to just below or above one."""
    p, q = torch.rand(2, 40, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    padded = [Categorical(torch.nn.functional.pad(x, (0, 100))) for x in (p, q)]
    value = wasserstein(*padded, order)
    torch.testing.assert_close(value, wasserstein(Categorical(p), Categorical(q), order))


@pytest.mark.parametrize("tiny", [1e-5, 1e-20, 1e-300])
def test_kl_takes_small_given_probabilities_at_their_word(tiny):
    """torch's own KL clamps them at the rounding error of one."""
    expected = 0.5 * math.log(0.5 / tiny) + 0.5 * math.log(0.5 / (1 - tiny))
    p, q = Categorical(f64([0.5, 0.5])), Categorical(f64([tiny, 1 - tiny]))
    assert kl_divergence(p, q).item() == pytest.approx(expected, rel=1e-14)
    p, q = Bernoulli(f64([0.5, 0.5])), Bernoulli(f64([tiny, 0.5]))
    assert kl_divergence(p, q).tolist() == pytest.approx([expected, 0], rel=1e-14)
    p, q = Independent(p, 1), Independent(q, 1)
    assert kl_divergence(p, q).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("logit", [1.0, 10.0, 16.5, 36.5, 80.0, 200.0, 2000.0, -40.0, -2000.0])
def test_kl_takes_large_given_logits_at_their_word(logit, dtype):
    """Where the probability itself has underflowed to zero, or rounded to one."""
    with mpmath.workdps(2000 if abs(logit) > 700 else 120):
        one = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        expected = float((mpmath.log(1 / one) + mpmath.log(1 / (1 - one))) / 2 - mpmath.log(2))
    rel = 1e-14 if dtype == torch.float64 else 1e-6
    half, far = torch.tensor(0.0, dtype=dtype), torch.tensor(logit, dtype=dtype)
    p, q = Bernoulli(logits=half), Bernoulli(logits=far)
    assert kl_divergence(p, q).item() == pytest.approx(expected, rel=rel)
    p, q = (Categorical(logits=torch.stack([x * 0, x])) for x in (half, far))
    assert kl_divergence(p, q).item() == pytest.approx(expected, rel=rel)


def test_kl_keeps_infinities_apart_from_underflow():
    p = Categorical(f64([0.5, 0.25, 0.25]))
    q = Categorical(
        logits=f64([[0.0, -2000.0, -1000.0], [0.0, -2000.0, -math.inf], [0.0, 0.0, 0.0]])
    )
    value = kl_divergence(p, q)
    assert value[0].item() == pytest.approx(750 - p.entropy().item(), rel=1e-14)
    assert value[1] == math.inf
    assert value[2].item() == pytest.approx(math.log(3) - p.entropy().item(), rel=1e-14)
    assert kl_divergence(q, p).isfinite().all()


def test_gradients_of_kl_are_finite_through_underflow():
    logits = f64([[0.0, -2000.0, -1000.0], [0.0, -2000.0, -math.inf], [0.0, 0.0, 1.0]])
    logits = logits.requires_grad_()
    p = f64([0.5, 0.25, 0.25]).requires_grad_()
    kl_divergence(Categorical(p), Categorical(logits=logits)).sum().backward()
    assert p.grad.isfinite().all()
    torch.testing.assert_close(logits.grad[2], logits[2].softmax(-1).detach() - p.detach())
    torch.testing.assert_close(logits.grad[0], f64([0.5, -0.25, -0.25]))


@pytest.mark.parametrize("a", [0.0, 0.2, 1 - 1e-15, 1.0])
@pytest.mark.parametrize("b", [0.0, 0.7, 1e-20, 1.0])
def test_bernoulli_is_a_categorical_with_two_categories(a, b):
    p, q = Bernoulli(f64(a)), Bernoulli(f64(b))
    r, s = Categorical(f64([1 - a, a])), Categorical(f64([1 - b, b]))
    for measure in (kl_divergence, js_divergence, total_variation, wasserstein):
        torch.testing.assert_close(measure(p, q), measure(r, s), rtol=1e-12, atol=1e-15)
    for order in (2, 3):  # between categories the mass moved is rounded before its root is taken
        torch.testing.assert_close(
            wasserstein(p, q, order), wasserstein(r, s, order), rtol=0, atol=2e-16 ** (1 / order)
        )
        expected = float(abs(mpmath.mpf(a) - mpmath.mpf(b))) ** (1 / order)
        assert wasserstein(p, q, order).item() == pytest.approx(expected, rel=1e-15)


# ---------------------------------------------------------------------------------- identities


locations = st.floats(-5, 5)
scales = st.floats(0.05, 5)


@st.composite
def families(draw, count=2):
    """Distributions of one family, and whether it lives on a line that can be moved."""
    if draw(st.booleans()):
        return [normal(draw(locations), draw(scales)) for _ in range(count)]
    ends = [(draw(locations), draw(scales)) for _ in range(count)]
    return [uniform(a, a + length) for a, length in ends]


def moved(d, factor, shift):
    if isinstance(d, Normal):
        return Normal(d.loc * factor + shift, d.scale * abs(factor))
    ends = sorted([(d.low * factor + shift).item(), (d.high * factor + shift).item()])
    return uniform(*ends)


anything = st.one_of(families(), categoricals())


@property_test
@given(anything, st.sampled_from([1, 2]))
def test_tv_and_w_are_symmetric(pair, order):
    p, q = pair
    close = {"rel": 1e-9, "abs": 1e-12}
    assert total_variation(p, q).item() == pytest.approx(total_variation(q, p).item(), **close)
    forth, back = wasserstein(p, q, order), wasserstein(q, p, order)
    assert forth.item() == pytest.approx(back.item(), **close)


@property_test
@given(anything)
def test_everything_vanishes_at_p_equal_q(pair):
    p = pair[0]
    for measure in (kl_divergence, total_variation, wasserstein):
        assert measure(p, p) == 0
    assert wasserstein(p, p, order=2) == 0


@property_test
@given(anything)
def test_pinsker(pair):
    assert total_variation(*pair) ** 2 <= kl_divergence(*pair) / 2 + 1e-12


@property_test
@given(anything)
def test_js_lies_between_zero_and_log_two_and_below_tv(pair):
    if not js_divergence.knows(*pair):
        return
    js, tv = js_divergence(*pair), total_variation(*pair)
    assert js_divergence(*reversed(pair)) == js
    assert -1e-16 <= js <= LOG2 + 3e-16
    assert js <= tv * LOG2 + 1e-15
    assert tv**2 / 2 <= js + 1e-15


@property_test
@given(st.one_of(families(3), categoricals(3)), st.sampled_from([1, 2]))
def test_tv_and_w_obey_the_triangle_inequality(triple, order):
    p, q, r = triple
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12
    direct = wasserstein(p, r, order)
    assert direct <= (wasserstein(p, q, order) + wasserstein(q, r, order)) * (1 + 1e-9) + 1e-12


@property_test
@given(anything)
def test_w_grows_with_its_order(pair):
    orders = [1, 2] if isinstance(pair[0], Normal) else [1, 1.5, 2, 4, 9]
    values = [wasserstein(*pair, order).item() for order in orders]
    for low, high in pairwise(values):
        assert low <= high * (1 + 1e-12) + 1e-12


@property_test
@given(families(), st.floats(-3, 3).filter(lambda c: abs(c) > 0.01), locations)
def test_w_scales_with_the_line_and_tv_does_not_see_it(pair, factor, shift):
    image = [moved(d, factor, shift) for d in pair]
    for order in (1, 2):
        expected = abs(factor) * wasserstein(*pair, order).item()
        assert wasserstein(*image, order).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    tv = total_variation(*pair).item()
    assert total_variation(*image).item() == pytest.approx(tv, rel=1e-6, abs=1e-9)


# ----------------------------------------------------------------------- batches and gradients


def lower(x):
    """A Cholesky factor from any square matrix."""
    return x.tril(-1) + torch.diag_embed(x.diagonal(dim1=-2, dim2=-1).abs() + 0.5)


FAMILIES = {
    "normals": (lambda m, s: Normal(m, s.abs() + 0.5), ((), ())),
    "uniforms": (lambda a, b: Uniform(a, a + b.abs() + 0.5), ((), ())),
    "independent": (lambda m, s: Independent(Normal(m, s.abs() + 0.5), 1), ((3,), (3,))),
    "multivariate": (lambda m, a: MultivariateNormal(m, scale_tril=lower(a)), ((3,), (3, 3))),
    "categorical": (lambda x: Categorical(logits=x), ((4,),)),
    "probabilities": (lambda x: Categorical(probs=x.softmax(-1)), ((4,),)),
    "bernoulli": (lambda x: Bernoulli(logits=x), ((),)),
}
PAIRS = [
    (kl_divergence, {}, ["normals", "independent", "multivariate", "categorical", "bernoulli"]),
    (kl_divergence, {}, ["probabilities"]),
    (js_divergence, {}, ["uniforms", "categorical", "bernoulli"]),
    (total_variation, {}, ["normals", "uniforms", "categorical", "bernoulli"]),
    (wasserstein, {"order": 1}, ["normals", "uniforms", "categorical", "bernoulli"]),
    (wasserstein, {"order": 2}, ["normals", "independent", "multivariate"]),
    (wasserstein, {"order": 2.5}, ["uniforms", "categorical", "probabilities"]),
]
COVERED = pytest.mark.parametrize(
    ("measure", "options", "make", "shapes"),
    [
        pytest.param(
            measure,
            options,
            *FAMILIES[family],
            id=f"{measure.__name__}{options.get('order', '')}-{family}",
        )
        for measure, options, names in PAIRS
        for family in names
    ],
)


def draw(shapes, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(batch + shape, generator=generator, dtype=torch.float64) for shape in shapes
    ]


@COVERED
def test_batches_broadcast_and_equal_their_members(measure, options, make, shapes):
    a, b = draw(shapes, (3, 1), 0), draw(shapes, (4,), 1)
    value = measure(make(*a), make(*b), **options)
    assert value.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            one = measure(make(*(x[i, 0] for x in a)), make(*(x[j] for x in b)), **options)
            assert one.shape == ()
            torch.testing.assert_close(value[i, j], one)


@COVERED
def test_gradients_equal_finite_differences(measure, options, make, shapes):
    n = len(shapes)

    def through(*parameters):
        return measure(make(*parameters[:n]), make(*parameters[n:]), **options)

    parameters = [x.requires_grad_() for x in draw(shapes, (2,), 2) + draw(shapes, (2,), 3)]
    assert torch.autograd.gradcheck(through, parameters)


@COVERED
def test_gradients_are_finite_at_p_equal_q(measure, options, make, shapes):
    a = [x.requires_grad_() for x in draw(shapes, (2,), 4)]
    b = [x.detach().clone().requires_grad_() for x in a]
    value = measure(make(*a), make(*b), **options)
    torch.testing.assert_close(value, torch.zeros_like(value), rtol=0, atol=1e-14)
    value.sum().backward()
    assert all(x.grad.isfinite().all() for x in a + b if x.grad is not None)


def test_gradient_of_w1_points_home():
    theta = f64([-3.0, -0.1, 0.1, 3.0]).requires_grad_()
    wasserstein(Normal(theta, f64(1.0)), normal(0, 1)).sum().backward()
    assert theta.grad.tolist() == [-1, -1, 1, 1]


def test_gradient_of_w2_exists_where_only_the_covariance_moves():
    root = torch.eye(3, dtype=torch.float64).requires_grad_()
    p = MultivariateNormal(f64([3.0, 0.0, 4.0]), scale_tril=root)
    value = wasserstein(p, diagonal([0.0] * 3, [1.0] * 3), order=2)
    value.backward()
    assert value == 5
    torch.testing.assert_close(root.grad, torch.zeros(3, 3, dtype=torch.float64))


def test_gradient_of_w2_survives_equal_eigenvalues():
    root = torch.eye(3, dtype=torch.float64).requires_grad_()
    p = MultivariateNormal(f64([0.0, 0.0, 0.0]), scale_tril=2 * root)
    wasserstein(p, diagonal([0.0] * 3, [1.0] * 3), order=2).backward()
    torch.testing.assert_close(root.grad, torch.eye(3, dtype=torch.float64) * 2 / math.sqrt(3))


@pytest.mark.parametrize(
    "public",
    [kl_divergence, js_divergence, total_variation, wasserstein],
    ids=lambda public: public.__name__,
)
def test_float32_agrees_with_float64(public):
    p, q = uniform(0.1, 0.7), uniform(-0.3, 1.9)
    single = [Uniform(d.low.float(), d.high.float()) for d in (p, q)]
    assert public(*single).dtype == torch.float32
    assert public(*single).item() == pytest.approx(public(p, q).item(), rel=1e-5)


def test_gradients_exist_where_the_value_takes_more_digits():
    """A gamma law of large shape is nearly normal: KL is the small rest of large addends."""
    shape = 1e10
    loc, scale = f64(shape + 3).requires_grad_(), f64(math.sqrt(shape)).requires_grad_()
    value = kl_divergence(Gamma(f64(shape), f64(1.0)), Normal(loc, scale))
    value.backward()
    with mpmath.workdps(60):
        a, m, s = (mpmath.mpf(x.item()) for x in (f64(shape), loc, scale))
        entropy = a + mpmath.loggamma(a) + (1 - a) * mpmath.digamma(a)
        cross = mpmath.log(s * mpmath.sqrt(2 * mpmath.pi)) + (a + (a - m) ** 2) / (2 * s**2)
        assert value.item() == pytest.approx(float(cross - entropy), rel=1e-10)
        assert loc.grad.item() == pytest.approx(float((m - a) / s**2), rel=1e-6)
        slope = 1 / s - (a + (a - m) ** 2) / s**3
        assert scale.grad.item() == pytest.approx(float(slope), abs=1e-15)


def test_where_the_terms_overflow_there_is_a_value_and_no_gradient():
    near, far = f64(1e-300), f64(1e300)
    expected = 600 * math.log(10) - math.log(4)
    assert kl_divergence(Cauchy(f64(0), near), Cauchy(f64(0), far)).item() == (
        pytest.approx(expected, rel=1e-15)
    )
    with pytest.raises(ValueError, match="derivatives overflow"):
        kl_divergence(Cauchy(f64(0), near.requires_grad_()), Cauchy(f64(0), far))
