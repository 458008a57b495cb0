"""JS, TV and KL of laws on counts, against the sum of their masses in 40 digits."""

import math

import mpmath
import pytest
import scipy.stats
import torch
from torch.distributions import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson

from divergences import exact, numerical
from divergences.exact import counts
from divergences.numerical.monte_carlo import MonteCarlo

MEASURES = (exact.js_divergence, exact.total_variation, exact.kl_divergence)


def f64(x):
    return torch.tensor(x, dtype=torch.float64)


def waits(r, p):
    return NegativeBinomial(f64(r), f64(p))


def poisson(rate):
    rate = mpmath.mpf(rate)
    return lambda k: mpmath.exp(k * mpmath.log(rate) - rate - mpmath.loggamma(k + 1))


def binomial(n, p):
    p = mpmath.mpf(p)
    return lambda k: mpmath.binomial(n, k) * p**k * (1 - p) ** (n - k) if k <= n else mpmath.mpf(0)


def waiting(r, p):
    r, p = mpmath.mpf(r), mpmath.mpf(p)

    def mass(k):
        ways = mpmath.loggamma(k + r) - mpmath.loggamma(r) - mpmath.loggamma(k + 1)
        return mpmath.exp(ways + k * mpmath.log(p) + r * mpmath.log(1 - p))

    return mass


def geometric(p):
    p = mpmath.mpf(p)
    return lambda k: p * (1 - p) ** k


def summed(p, q, last):
    js, tv, kl = (mpmath.mpf(0) for _ in range(3))
    for k in range(last):
        a, b = p(k), q(k)
        js += sum(x * mpmath.log(2 * x / (a + b)) / 2 for x in (a, b) if x)
        tv += abs(a - b) / 2
        kl += mpmath.inf if a and not b else a * mpmath.log(a / b) if a else 0
    return js, tv, kl


PAIRS = {
    "Poisson": (Poisson(f64(3.0)), Poisson(f64(4.5)), poisson(3.0), poisson(4.5), 120),
    "near": (Poisson(f64(1e3)), Poisson(f64(1e3 + 1e-6)), poisson(1e3), poisson(1e3 + 1e-6), 1700),
    "far": (Poisson(f64(5.0)), Poisson(f64(300.0)), poisson(5.0), poisson(300.0), 900),
    "rare": (Poisson(f64(1e-9)), Poisson(f64(2e-9)), poisson(1e-9), poisson(2e-9), 30),
    "Geometric": (Geometric(f64(0.25)), Geometric(f64(0.5)), geometric(0.25), geometric(0.5), 500),
    "near 1": (Geometric(f64(1 - 1e-9)), Geometric(f64(0.5)), geometric(1 - 1e-9), geometric(0.5),
               200),
    "Binomial": (Binomial(9, f64(0.3)), Binomial(9, f64(0.7)), binomial(9, 0.3), binomial(9, 0.7),
                 10),
    "more trials": (Binomial(9, f64(0.3)), Binomial(14, f64(0.3)), binomial(9, 0.3),
                    binomial(14, 0.3), 15),
    "rare hits": (Binomial(1000, f64(1e-3)), Binomial(1000, f64(1e-3 + 1e-12)),
                  binomial(1000, 1e-3), binomial(1000, 1e-3 + 1e-12), 120),
    "NegativeBinomial": (waits(2.5, 0.4), waits(0.5, 0.6),
                         waiting(2.5, 0.4), waiting(0.5, 0.6), 400),
    "near waits": (waits(2.5, 0.4), waits(2.5, 0.4 + 1e-9),
                   waiting(2.5, 0.4), waiting(2.5, 0.4 + 1e-9), 300),
    "Poisson, Geometric": (Poisson(f64(3.0)), Geometric(f64(0.3)), poisson(3.0), geometric(0.3),
                           400),
    "Geometric, Poisson": (Geometric(f64(0.3)), Poisson(f64(3.0)), geometric(0.3), poisson(3.0),
                           400),
    "Bernoulli, Geometric": (Bernoulli(f64(0.3)), Geometric(f64(0.5)), binomial(1, 0.3),
                             geometric(0.5), 200),
    "Binomial, NegativeBinomial": (Binomial(9, f64(0.3)), NegativeBinomial(f64(3.0), f64(0.5)),
                                   binomial(9, 0.3), waiting(3.0, 0.5), 300),
    "Poisson, Binomial": (Poisson(f64(3.0)), Binomial(9, f64(0.3)), poisson(3.0),
                          binomial(9, 0.3), 120),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_sums_over_counts_are_right_in_every_digit(pair):
    p, q, first, second, last = pair
    with mpmath.workdps(40):
        for measure, expected in zip(MEASURES, summed(first, second, last), strict=True):
            assert float(measure(p, q)) == pytest.approx(float(expected), rel=1e-12)
        for measure, expected in zip(MEASURES[:2], summed(first, second, last), strict=False):
            assert float(measure(q, p)) == pytest.approx(float(expected), rel=1e-12)


LAWS = [
    *(
        (Binomial(n, f64(p)), scipy.stats.binom(n, p))
        for n in (1, 30, 10**4, 10**7)
        for p in (1e-6, 0.01, 0.3, 0.99)
    ),
    *((Poisson(f64(m)), scipy.stats.poisson(m)) for m in (1e-3, 1.0, 50.0, 1e4, 1e7)),
    *(
        (waits(r, p), scipy.stats.nbinom(r, 1 - p))
        for r in (0.1, 2.5, 40.0, 1e4)
        for p in (1e-4, 0.2, 0.7, 0.99)
    ),
]


@pytest.mark.parametrize(("ours", "law"), LAWS, ids=[str(ours) for ours, _ in LAWS])
def test_what_a_sum_leaves_out_is_negligible_and_what_it_adds_is_bounded(ours, law):
    (low, high) = (float(end) for end in counts._Pair(ours, ours).p.window())
    most = math.log(2) - counts.LEFT_OUT
    assert law.logcdf(math.ceil(low) - 1) < most
    assert law.logsf(math.floor(high)) < most
    assert high - low < 30 * law.std() + 250 * max(1, law.var() / law.mean())


def test_large_counts_keep_their_digits():
    """Fisher's information: JS is d^2 / 8 rate to the first order in d."""
    for rate in (1e4, 1e6, 1e8):
        step = 1e-4 * math.sqrt(rate)
        found = exact.js_divergence(Poisson(f64(rate)), Poisson(f64(rate + step)))
        assert float(found) == pytest.approx(1e-8 / 8, rel=1e-3)


def test_a_batch_is_its_elements():
    rates = f64([[0.0, 2.0], [300.0, 1e-3]])
    other = Geometric(f64([0.5, 0.25]))
    for measure in MEASURES:
        found = measure(Poisson(rates), other)
        assert found.shape == (2, 2)
        for i in range(2):
            for j in range(2):
                alone = measure(Poisson(rates[i, j]), Geometric(other.probs[j]))
                assert float(found[i, j]) == pytest.approx(float(alone), rel=1e-13)


@pytest.mark.parametrize(
    ("p", "q", "js", "tv", "kl"),
    [
        (Poisson(f64(0.0)), Poisson(f64(0.0)), 0, 0, 0),
        (Poisson(f64(0.0)), Geometric(f64(1.0)), 0, 0, 0),
        (Binomial(3, f64(0.0)), Binomial(3, f64(1.0)), math.log(2), 1, math.inf),
        (Binomial(3, f64(0.0)), Binomial(3, f64(0.5)), None, 7 / 8, math.log(8)),
        (NegativeBinomial(f64(0.0), f64(0.5)), NegativeBinomial(f64(2.0), f64(0.5)), None, 3 / 4,
         math.log(4)),
        (Geometric(f64(0.5)), Binomial(5, f64(0.5)), None, None, math.inf),
        (Poisson(f64(1.0)), Poisson(f64(1e5)), math.log(2), 1, 1e5 - 1 - math.log(1e5)),
    ],
)  # fmt: skip
def test_laws_at_the_edge_of_their_range(p, q, js, tv, kl):
    for measure, expected in zip(MEASURES, (js, tv, kl), strict=True):
        if expected is not None:
            assert float(measure(p, q)) == pytest.approx(expected, rel=1e-12, abs=0)


def test_derivatives_are_those_of_the_sum():
    rate = f64(3.0).requires_grad_()
    for measure in MEASURES:
        torch.autograd.gradcheck(lambda r, f=measure: f(Poisson(r), Geometric(f64(0.3))), (rate,))
        torch.autograd.gradcheck(lambda r, f=measure: f(Poisson(r), Poisson(f64(4.0))), (rate,))


def test_results_have_the_precision_of_the_parameters():
    assert exact.js_divergence(Poisson(3.0), Poisson(4.0)).dtype == torch.float32
    half = exact.js_divergence(Poisson(torch.tensor(3.0)), Geometric(torch.tensor(0.3)))
    assert float(half) == pytest.approx(
        float(exact.js_divergence(Poisson(f64(3.0)), Geometric(f64(float(torch.tensor(0.3)))))),
        rel=1e-7,
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_what_rounding_would_decide_has_no_value(measure):
    """The limit of rare events: in float64 both laws agree in all but their last digits."""
    p, q = Binomial(10**6, f64(1e-6)), Poisson(f64(1.0))
    with pytest.raises(NotImplementedError, match="too few digits to tell these laws apart"):
        measure(p, q)
    assert math.isfinite(measure(Binomial(100, torch.tensor(0.01)), Poisson(1.0)))


def test_sums_that_are_too_long_are_refused_with_what_works():
    p, q = Geometric(f64(1e-7)), Geometric(f64(1e-6))
    with pytest.raises(
        NotImplementedError, match=r"1,\d+,\d+,\d+ counts.*MonteCarlo\(\) for laws on"
    ):
        exact.js_divergence(p, q)
    found = numerical.js_divergence(p, q, MonteCarlo(n=4000, seed=0))
    assert 0 < found.ci[0] < found.ci[1] < math.log(2)


def test_laws_that_never_end_are_refused():
    with pytest.raises(ValueError, match="NegativeBinomial never ends"):
        exact.js_divergence(
            NegativeBinomial(2.0, torch.tensor(1.0), validate_args=False), Poisson(1.0)
        )


@pytest.mark.parametrize(
    "p", [Geometric(0.2), Binomial(10, 0.3), NegativeBinomial(3, 0.4), Poisson(3.0)], ids=repr
)
def test_kl_is_infinite_where_q_ends_before_p(p):
    """Also where the sum over the counts that both have could not be told by its digits."""
    q = Bernoulli(torch.tensor([0.3, 0.7]))
    assert exact.kl_divergence(p, q).tolist() == [math.inf, math.inf]
    assert exact.kl_divergence(q, p).isfinite().all()


@pytest.mark.parametrize("chance", [0.0, 1e-25, 3e-9, 0.4, 1 - 1e-13, 1.0])
def test_a_bernoulli_law_has_a_kl_from_every_poisson_law(chance):
    """Also where the sum over all counts would be too long, and where the laws are nearly one."""
    near = [chance * (1 + gap) for gap in (1e-4, 1e-9) if chance]
    rates = torch.tensor([1e-25, 1e-9, 0.3, 1e6, 1e12, 1e20, *near], dtype=torch.float64)
    found = exact.kl_divergence(Bernoulli(torch.tensor(chance).double()), Poisson(rates))
    with mpmath.workdps(80):
        s = mpmath.mpf(float(torch.tensor(chance)))
        entropy = -sum(x * mpmath.log(x) for x in (s, 1 - s) if x)
        for value, r in zip(found.tolist(), map(mpmath.mpf, rates.tolist()), strict=True):
            expected = r - s * mpmath.log(r) - entropy
            assert abs(value - expected) <= 1e-15 * expected
