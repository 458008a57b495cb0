"""The promise of ``divergences.exact``, the true value or an error, on laws drawn at random.

The oracle knows densities only: it sums or integrates p log(p / q) in 30 digits, or evaluates the
textbook's formula in hundreds of digits where a law has no density to integrate. By default a few
pairs are drawn; EXACT_EXAMPLES asks for more.
"""

import itertools
import math
import os
import random

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import distributions as td

from divergences.exact import (
    evaluation,
    js_divergence,
    kl_divergence,
    total_variation,
    wasserstein,
)

EXAMPLES = int(os.environ.get("EXACT_EXAMPLES", "2"))


# ------------------------------------------------------------------------------------ densities
# Each family: how to draw parameters, how torch makes the law, and log p, support and where its
# mass lies, of numbers with 30 digits. ``size`` is how extreme parameters may be.


def positive(r, size):
    return 10 ** r.uniform(-size, size)


def real(r, size):
    return r.choice([-1, 1]) * positive(r, size) if r.random() < 0.8 else 0.0


def chance(r, size):
    x = 10 ** -r.uniform(0, 4 * size)
    return r.choice([x, 1 - x, r.random()])


def log_gauss(m, s):
    return lambda x: -(((x - m) / s) ** 2) / 2 - mpmath.log(s) - mpmath.log(2 * mpmath.pi) / 2


def log_gamma(a, r):
    return lambda x: a * mpmath.log(r) - mpmath.loggamma(a) + (a - 1) * mpmath.log(x) - r * x


def log_beta(a, b):
    norm = mpmath.loggamma(a + b) - mpmath.loggamma(a) - mpmath.loggamma(b)
    return lambda x: norm + (a - 1) * mpmath.log(x) + (b - 1) * mpmath.log1p(-x)


def log_gumbel(m, s):
    def log_p(x):
        z = (x - m) / s
        return -z - mpmath.exp(-z) - mpmath.log(s)

    return log_p


def log_tilted(c):
    t = mpmath.log(c / (1 - c))
    norm = mpmath.log(t / mpmath.expm1(t)) if t else mpf(0)
    return lambda x: norm + t * x


INF = mpmath.inf
LINE = {
    "normal": (
        td.Normal,
        lambda r, z: (real(r, z), positive(r, z)),
        log_gauss,
        lambda m, s: (-INF, INF),
        lambda m, s: (m, s),
    ),
    "laplace": (
        td.Laplace,
        lambda r, z: (real(r, z), positive(r, z)),
        lambda m, s: lambda x: -abs(x - m) / s - mpmath.log(2 * s),
        lambda m, s: (-INF, INF),
        lambda m, s: (m, s),
    ),
    "gumbel": (
        td.Gumbel,
        lambda r, z: (real(r, z), positive(r, z)),
        log_gumbel,
        lambda m, s: (-INF, INF),
        lambda m, s: (m, s),
    ),
    "cauchy": (
        td.Cauchy,
        lambda r, z: (real(r, z), positive(r, z)),
        lambda m, s: lambda x: mpmath.log(s / mpmath.pi / (s**2 + (x - m) ** 2)),
        lambda m, s: (-INF, INF),
        lambda m, s: (m, s),
    ),
    "half-normal": (
        td.HalfNormal,
        lambda r, z: (positive(r, z),),
        lambda s: lambda x: log_gauss(mpf(0), s)(x) + mpmath.log(2),
        lambda s: (mpf(0), INF),
        lambda s: (s, s),
    ),
    "gamma": (
        td.Gamma,
        lambda r, z: (positive(r, z), positive(r, z)),
        log_gamma,
        lambda a, r: (mpf(0), INF),
        lambda a, r: (a / r, mpmath.sqrt(a) / r),
    ),
    "exponential": (
        td.Exponential,
        lambda r, z: (positive(r, z),),
        lambda r: lambda x: mpmath.log(r) - r * x,
        lambda r: (mpf(0), INF),
        lambda r: (1 / r, 1 / r),
    ),
    "chi2": (
        td.Chi2,
        lambda r, z: (positive(r, z),),
        lambda k: log_gamma(k / 2, mpf(1) / 2),
        lambda k: (mpf(0), INF),
        lambda k: (k, mpmath.sqrt(2 * k)),
    ),
    "beta": (
        td.Beta,
        lambda r, z: (positive(r, z), positive(r, z)),
        log_beta,
        lambda a, b: (mpf(0), mpf(1)),
        lambda a, b: (a / (a + b), mpmath.sqrt(a * b / (a + b + 1)) / (a + b)),
    ),
    "continuous Bernoulli": (
        td.ContinuousBernoulli,
        lambda r, z: (min(max(chance(r, z), 1e-6), 1 - 1e-6),),
        log_tilted,
        lambda c: (mpf(0), mpf(1)),
        lambda c: (mpf(1) / 2, mpf(1) / 4),
    ),
    "uniform": (
        td.Uniform,
        lambda r, z: (lambda a: (a, a + positive(r, z)))(r.choice([0.0, real(r, z), r.random()])),
        lambda a, b: lambda x: -mpmath.log(b - a),
        lambda a, b: (a, b),
        lambda a, b: ((a + b) / 2, (b - a) / 2),
    ),
    "pareto": (
        td.Pareto,
        lambda r, z: (positive(r, z), positive(r, z)),
        lambda s, a: lambda x: mpmath.log(a / s) - (a + 1) * mpmath.log(x / s),
        lambda s, a: (s, INF),
        lambda s, a: (s * (1 + 1 / a), s / a),
    ),
}


def by_quadrature(p, q):
    """KL of two laws on the line from their densities, or None where it is unsettled."""
    (f, (low, high), (centre, spread)), (g, (a, b), (other, width)) = p, q
    if low < a or high > b:
        return INF

    def integrand(x):
        log_p = f(x)
        return mpmath.exp(log_p) * (log_p - g(x)) if log_p > -2000 else mpf(0)

    steps = [mpf(10) ** k for k in range(-6, 5)] + [3, 5, 8, 13, 20, 30, 300]
    cuts = {low, high, centre}
    cuts |= {centre + sign * k * spread for k in steps for sign in (-1, 1)}
    cuts |= {other + sign * k * width for k in (0, 1, 5) for sign in (-1, 1)}
    if low > -INF:
        cuts |= {low + spread * mpf(10) ** -k for k in range(40)}
    if high < INF:
        cuts |= {high - spread * mpf(10) ** -k for k in range(40)}
    cuts = sorted(x for x in cuts if low <= x <= high)
    if low == -INF:
        cuts = cuts[1:] if cuts[0] == -INF else cuts
        cuts = [cuts[0] - 1000 * spread, *cuts]
    if high == INF:
        cuts = cuts[:-1] if cuts[-1] == INF else cuts
        cuts = [*cuts, *(cuts[-1] + spread * mpf(10) ** k for k in (3, 6, 12))]
    with mpmath.workdps(30):
        mass = mpmath.quad(lambda x: mpmath.exp(f(x)), cuts, maxdegree=5)
        value, error = mpmath.quad(integrand, cuts, maxdegree=5, error=True)
    settled = abs(mass - 1) < 1e-13 * min(1, abs(value)) and error < 1e-12 * abs(value)
    return value if settled else None


def law(name, r, size, dtype):
    make, draw, log_p, support, mass = LINE[name]
    while True:
        tensors = [torch.tensor(x, dtype=dtype) for x in draw(r, size)]
        try:
            made = make(*tensors)
        except ValueError:
            continue
        break
    numbers = [mpf(x.double().item()) for x in tensors]
    if isinstance(made, td.ContinuousBernoulli):
        numbers = [mpf(made.probs.double().item())]
    return made, (log_p(*numbers), support(*numbers), mass(*numbers))


def agrees(value, expected, dtype):
    """To the accuracy of the dtype, and of the oracle."""
    if expected == INF:
        return value == math.inf
    eps = max(4 * torch.finfo(dtype).eps, 1e-10)
    return math.isfinite(value) and abs(mpf(value) - expected) <= eps * abs(expected) + 1e-300


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_laws_on_the_line_have_the_integral_of_their_densities_or_raise(seed):
    r = random.Random(seed)
    dtype = r.choice([torch.float32, torch.float64])
    size = r.choice([0.3, 1, 3])
    first = r.choice(sorted(LINE))
    second = first if r.random() < 0.4 else r.choice(sorted(LINE))
    (p, left), (q, right) = law(first, r, size, dtype), law(second, r, size, dtype)
    try:
        value = kl_divergence(p, q)
    except (NotImplementedError, ValueError):
        return
    assert value.dtype == dtype
    expected = by_quadrature(left, right)
    if expected is not None:
        assert agrees(value.item(), expected, dtype), (p, q, value.item(), float(expected))


@pytest.mark.parametrize("seed", range(20 * EXAMPLES))
def test_extreme_laws_have_the_value_of_hundreds_of_digits(seed, monkeypatch):
    """The formulas, which the densities above confirm, keep their digits at every parameter."""
    r = random.Random(seed)
    dtype = r.choice([torch.float32, torch.float64])
    size = r.choice([1, 3, 6, 12, 30])
    first = r.choice(sorted(LINE))
    second = first if r.random() < 0.6 else r.choice(sorted(LINE))
    (p, _), (q, _) = law(first, r, size, dtype), law(second, r, size, dtype)
    try:
        value = kl_divergence(p, q)
    except (NotImplementedError, ValueError):
        return
    monkeypatch.setattr(evaluation, "tolerance", lambda dtype: 0.0)
    exact = kl_divergence(p, q)
    assert value.item() == pytest.approx(exact.item(), rel=4 * torch.finfo(dtype).eps + 1e-12)


BATCHES = {
    td.Normal: "real positive",
    td.Laplace: "real positive",
    td.Cauchy: "real positive",
    td.Gumbel: "real positive",
    td.Gamma: "positive positive",
    td.Beta: "positive positive",
    td.Exponential: "positive",
    td.Poisson: "positive",
    td.Bernoulli: "chance",
    td.Geometric: "chance",
    td.ContinuousBernoulli: "logit",
}


@pytest.mark.parametrize("kind", BATCHES, ids=lambda kind: kind.__name__)
def test_a_batch_has_the_values_of_its_members(kind):
    """The short cut that serves most of a batch agrees with the functions it falls back on."""
    r = random.Random(0)
    draws = {"real": real, "positive": positive, "chance": chance, "logit": real}
    parts = BATCHES[kind].split()
    sizes = (0.3,) if kind is td.Gumbel else (0.3, 3)  # whose values overflow
    rows = [[draws[x](r, size) for x in parts] for size in sizes for _ in range(100)]
    p = torch.tensor(rows)
    nearly = [[1 - 10 ** -r.uniform(1, 9) for _ in parts] for _ in rows]
    for q in (p * torch.tensor(nearly), p.roll(1, 0)):
        double, single = (
            kl_divergence(*(law_of(kind, x.to(dtype)) for x in (p, q)))
            for dtype in (torch.float64, torch.float32)
        )
        torch.testing.assert_close(single.double(), double, rtol=3e-7, atol=1e-37)


def test_a_batch_that_would_take_minutes_in_more_digits_is_refused(monkeypatch):
    p, q = td.Uniform(torch.zeros(5), 1.0), td.Beta(1.0, 1.0)  # the same law, written in two ways
    assert kl_divergence(p, q).tolist() == [0.0] * 5
    monkeypatch.setattr(evaluation, "MOST_ELEMENTS", 4)
    with pytest.raises(NotImplementedError, match="too few digits for 5 values"):
        kl_divergence(p, q)


def law_of(kind, rows):
    """A batch of laws, a row of parameters each."""
    return kind(logits=rows[:, 0]) if BATCHES[kind] == "logit" else kind(*rows.T)


# ------------------------------------------------------------------------------ counts, in sums


CHANCES = [0.0, 1e-300, 1e-40, 1e-9, 0.3, 0.5, 1 - 1e-9, 1 - 2**-53, 1.0]
LOGITS = [-math.inf, -800.0, -500.0, -20.0, 0.0, 3.0, 3.0 + 1e-12, 40.0, 500.0, math.inf]
BINARY = [*(("probs", x) for x in CHANCES), *(("logits", x) for x in LOGITS)]


def masses(kind, x):
    """Probabilities of failure and of success, to 900 digits."""
    if kind == "probs":
        return 1 - mpf(x), mpf(x)
    if math.isinf(x):
        return (mpf(0), mpf(1)) if x > 0 else (mpf(1), mpf(0))
    return 1 / (1 + mpmath.exp(mpf(x))), 1 / (1 + mpmath.exp(-mpf(x)))


def of_one_trial(a, b):
    if any(x > 0 and y == 0 for x, y in zip(a, b, strict=True)):
        return INF
    return sum(x * mpmath.log(x / y) for x, y in zip(a, b, strict=True) if x > 0)


def tensor_of(kind, x, dtype):
    return {kind: torch.tensor(x, dtype=dtype)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("left", BINARY, ids=str)
def test_trials_have_the_sum_over_their_outcomes(left, dtype):
    for right in BINARY:
        given = [tensor_of(*side, dtype) for side in (left, right)]
        with mpmath.workdps(900):
            a, b = (masses(k, v.double().item()) for side in given for k, v in side.items())
            once = of_one_trial(a, b)
            expected = {td.Bernoulli: once, td.Binomial: 3 * once}
            if a[1] > 0 and b[1] > 0:
                expected[td.Geometric] = once / a[1]
            for kind, true in expected.items():
                n = {"total_count": 3} if kind is td.Binomial else {}
                p, q = (kind(**n, **side) for side in given)
                if torch.finfo(dtype).max < true < INF:
                    with pytest.raises(ValueError, match="larger than"):
                        kl_divergence(p, q)
                    continue
                value = kl_divergence(p, q).item()
                close = (
                    max(4 * torch.finfo(dtype).eps, 1e-13) * abs(true) + torch.finfo(dtype).tiny
                )
                assert value == true or abs(mpf(value) - true) <= close, (p, left, right)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_poisson_laws_have_their_sum(dtype):
    rates = [0.0, 1e-30, 1e-3, 1.0, 1.0 + 1e-6, 1e6, 1.001e6, 1e12]
    for a in rates:
        for b in rates:
            p, q = (td.Poisson(torch.tensor(x, dtype=dtype)) for x in (a, b))
            x, y = (mpf(d.rate.double().item()) for d in (p, q))
            with mpmath.workdps(60):
                true = INF if x and not y else y
                if x and y:
                    true = x * mpmath.log(x / y) - x + y
                value = kl_divergence(p, q).item()
                assert value == true or abs(mpf(value) - true) <= 4 * torch.finfo(dtype).eps * true


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        (td.Poisson(0.0), td.Bernoulli(torch.tensor(0.25)), math.log(4 / 3)),
        (td.Poisson(0.0), td.Binomial(2, torch.tensor(0.25)), 2 * math.log(4 / 3)),
        (td.Poisson(1.0), td.Binomial(2, torch.tensor(0.25)), math.inf),
        (td.Bernoulli(torch.tensor(0.0)), td.Poisson(0.0), 0.0),
        (td.Bernoulli(torch.tensor(1.0)), td.Poisson(1e-9), -math.log(1e-9)),
        (td.Bernoulli(torch.tensor(0.5)), td.Poisson(0.0), math.inf),
        (td.Binomial(0, torch.tensor(0.5)), td.Binomial(0, torch.tensor(0.0)), 0.0),
        (td.Binomial(0, torch.tensor(0.5)), td.Binomial(0, torch.tensor(1.0)), 0.0),
        (td.Binomial(4, torch.tensor(0.5)), td.Binomial(3, torch.tensor(0.5)), math.inf),
        (td.Binomial(2, torch.tensor(0.0)), td.Binomial(3, torch.tensor(0.5)), 3 * math.log(2)),
    ],
    ids=str,
)
def test_counts_at_the_edge_of_their_parameters(p, q, expected):
    assert kl_divergence(p, q).item() == pytest.approx(expected, rel=1e-6)


def nearly(r, x, dtype):
    """Numbers that differ from others in a random digit, or do not."""
    change = [r.choice([0, 10 ** -r.uniform(1, 15)]) * r.uniform(-1, 1) for _ in x]
    return x * (1 + torch.tensor(change, dtype=dtype))


@pytest.mark.parametrize("seed", range(10 * EXAMPLES))
def test_laws_on_finitely_many_points_have_the_sums_over_them(seed):
    r = random.Random(seed)
    dtype, n = r.choice([torch.float32, torch.float64]), r.choice([2, 3, 30])
    weights = torch.tensor([10 ** -r.uniform(0, 30) for _ in range(n)], dtype=dtype)
    other = nearly(r, weights, dtype)
    if r.random() < 0.5:
        p, q = (td.Categorical(logits=x.log()) for x in (weights, other))
        a, b = (d.logits.double().tolist() for d in (p, q))
    else:
        p, q = td.Categorical(weights), td.Categorical(other)
        a, b = (d.probs.double().tolist() for d in (p, q))
    with mpmath.workdps(60):
        weight = mpmath.exp if "logits" in vars(p) else mpf
        a, b = ([weight(mpf(x)) for x in side] for side in (a, b))
        a, b = ([x / mpmath.fsum(side) for x in side] for side in (a, b))
        pairs = list(zip(a, b, strict=True))
        tv = sum(abs(x - y) for x, y in pairs) / 2
        ends = [[mpmath.fsum(side[: i + 1]) for i in range(n)] for side in (a, b)]
        w1 = sum(abs(x - y) for x, y in zip(*ends, strict=True))
        middle = [(x, y, (x + y) / 2) for x, y in pairs]
        js = sum(x * mpmath.log(x / m) + y * mpmath.log(y / m) for x, y, m in middle) / 2
    eps = 8 * torch.finfo(dtype).eps + 1e-11
    for value, true in (
        (total_variation(p, q), tv),
        (wasserstein(p, q), w1),
        (js_divergence(p, q), js),
    ):
        assert value.item() == pytest.approx(float(true), rel=eps, abs=torch.finfo(dtype).tiny)


def test_high_orders_between_laws_that_are_close_keep_their_digits():
    a = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    moved = torch.tensor([1e-13, 0.0, -1e-13], dtype=torch.float64)
    p, q = td.Categorical(a), td.Categorical(a + moved)
    with mpmath.workdps(60):
        x, y = ([mpf(z) / mpmath.fsum(d.probs.tolist()) for z in d.probs.tolist()] for d in (p, q))
        mass = abs(x[0] - y[0]) + abs(x[2] - y[2])  # each goes one step
    assert wasserstein(p, q, order=20).item() == pytest.approx(float(mass) ** (1 / 20), rel=1e-12)


SMALL = [
    ("probs", [1.0, 1e-100], [1.0, 2e-100]),
    ("probs", [1.0, 1e-100, 1e-150], [1.0, 1e-100, 3e-150]),
    ("probs", [1e-200, 1.0, 0.5], [3e-200, 1.0, 0.5]),
    ("logits", [0.0, -800.0, -900.0], [0.0, -800.0, -950.0]),
    ("logits", [-3000.0, 0.0, -3000.0], [-2000.0, 0.0, -2000.0]),
    ("logits", [0.0, -800.0], [0.0, -900.0]),
    ("logits", [0.0, -700.0], [0.0, -math.inf]),
]


@pytest.mark.parametrize("order", [1, 2, 3.5, 20])
@pytest.mark.parametrize(("kind", "x", "y"), SMALL, ids=str)
def test_roots_of_small_masses_keep_their_digits(kind, x, y, order):
    """The integral over t of |F^-1(t) - G^-1(t)|^r in 3000 digits, a level set after the other."""
    with mpmath.workdps(3000):
        weight = mpf if kind == "probs" else lambda z: mpmath.exp(mpf(z))
        ends = []
        for side in (x, y):
            weights = [weight(z) for z in side]
            total = mpmath.fsum(weights)
            ends.append([mpmath.fsum(weights[: i + 1]) / total for i in range(len(side))])
        levels = sorted({mpf(0), *ends[0], *ends[1]})
        cost = mpf(0)
        for low, high in itertools.pairwise(levels):
            i, j = (sum(end < high for end in side) for side in ends)
            cost += (high - low) * mpf(abs(i - j)) ** order
        true = float(cost ** (1 / mpf(order)))
    p, q = (td.Categorical(**tensor_of(kind, z, torch.float64)) for z in (x, y))
    close = pytest.approx(true, rel=1e-9, abs=1e-300)
    assert wasserstein(p, q, order=order).item() == close
    if kind == "logits" and len(x) == 2:
        p, q = (td.Bernoulli(logits=torch.tensor(z[1]).double()) for z in (x, y))
        assert wasserstein(p, q, order=order).item() == close


def test_a_root_that_would_take_a_million_digits_is_refused():
    p, q = (td.Categorical(logits=torch.tensor([0.0, -x]).double()) for x in (1e6, 2e6))
    with pytest.raises(NotImplementedError, match="more than 50000 digits"):
        wasserstein(p, q, order=1e4)
    assert wasserstein(p, q, order=2) == 0  # it underflows


def test_small_probabilities_are_told_apart():
    never, hardly = td.Bernoulli(torch.tensor(0.0)), td.Bernoulli(torch.tensor(1e-30))
    assert total_variation(never, hardly).item() == pytest.approx(1e-30)
    p, q = (td.Bernoulli(logits=torch.tensor(x, dtype=torch.float64)) for x in (500.0, 1000.0))
    assert total_variation(p, q).item() == pytest.approx(math.exp(-500))


@pytest.mark.parametrize("measure", [total_variation, wasserstein])
@pytest.mark.parametrize("alike", [True, False])
def test_equal_scales_share_the_gradient(measure, alike):
    """Central differences, on one side and the other of equal scales, are the oracle."""
    at = [1.0, 1.0, 0.0, 1.0 if alike else 1.3]

    def value(m, s, n, t):
        return measure(td.Normal(m, s), td.Normal(n, t))

    given = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in at]
    found = torch.autograd.grad(value(*given), given)
    for i, slope in enumerate(found):
        ends = []
        for step in (1e-5, -1e-5):
            moved = [torch.tensor(x, dtype=torch.float64) for x in at]
            moved[i] += step
            ends.append(float(value(*moved)))
        assert float(slope) == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_equal_covariances_share_the_gradient():
    """By symmetry each has half of what the total variation changes by if both change."""
    root = torch.tensor([[1.0, 0.0], [0.4, 0.8]], dtype=torch.float64)
    common = (root @ root.mT).requires_grad_()
    each = [(root @ root.mT).requires_grad_() for _ in range(2)]
    means = torch.zeros(2).double(), torch.tensor([1.0, -0.5]).double()

    def value(covariances):
        laws = [td.MultivariateNormal(m, c) for m, c in zip(means, covariances, strict=True)]
        return total_variation(*laws)

    (whole,) = torch.autograd.grad(value([common, common]), common)
    halves = torch.autograd.grad(value(each), each)
    for half in halves:
        torch.testing.assert_close(2 * half, whole)


OUT_OF_RANGE = {
    td.Normal: ("loc", "scale"),
    td.Laplace: ("loc", "scale"),
    td.Cauchy: ("loc", "scale"),
    td.Gumbel: ("loc", "scale"),
    td.LogNormal: ("loc", "scale"),
    td.HalfNormal: ("scale",),
    td.HalfCauchy: ("scale",),
    td.Gamma: ("concentration", "rate"),
    td.Exponential: ("rate",),
    td.Chi2: ("df",),
    td.Beta: ("concentration1", "concentration0"),
    td.Uniform: ("low", "high"),
    td.Pareto: ("scale", "alpha"),
    td.Weibull: ("scale", "concentration"),
    td.Kumaraswamy: ("concentration1", "concentration0"),
    td.Bernoulli: ("probs",),
    td.Geometric: ("probs",),
    td.Poisson: ("rate",),
    td.Binomial: ("total_count", "probs"),
    td.NegativeBinomial: ("total_count", "probs"),
}
SOUND = {"loc": 0.0, "low": 0.0, "probs": 0.25}


@pytest.mark.parametrize("measure", [kl_divergence, js_divergence, total_variation, wasserstein])
@pytest.mark.parametrize("family", OUT_OF_RANGE, ids=lambda family: family.__name__)
def test_no_law_with_a_parameter_out_of_range_has_a_value(family, measure):
    names = OUT_OF_RANGE[family]
    sound = {name: torch.tensor(SOUND.get(name, 2.0)) for name in names}
    for name in names:
        free = name in ("loc", "low", "high")
        for bad in (math.nan, math.inf, -math.inf, *(() if free else (-1.0,))):
            wrong = family(**(sound | {name: torch.tensor(bad)}), validate_args=False)
            for pair in ((wrong, family(**sound)), (family(**sound), wrong), (wrong, wrong)):
                with pytest.raises((ValueError, NotImplementedError)):
                    measure(*pair)


def test_parts_of_a_trial_are_no_trials():
    parts = td.Binomial(torch.tensor(2.5), torch.tensor(0.5), validate_args=False)
    for measure in (kl_divergence, js_divergence, total_variation):
        with pytest.raises(ValueError, match="it must be a whole number"):
            measure(parts, td.Binomial(3, torch.tensor(0.5)))


def test_a_negative_scale_has_no_distance():
    wrong = td.Normal(torch.tensor(0.0), torch.tensor(-1.0), validate_args=False)
    for order in (1, 2, 3):
        with pytest.raises(ValueError, match="scale of Normal is -1"):
            wasserstein(wrong, td.Normal(0.0, 1.0), order)


def test_a_root_with_numbers_above_its_diagonal_is_refused():
    root = torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    wrong = td.MultivariateNormal(torch.zeros(2), scale_tril=root, validate_args=False)
    with pytest.raises(ValueError, match="not lower triangular"):
        kl_divergence(wrong, td.MultivariateNormal(torch.zeros(2), torch.eye(2)))
