"""KL of laws of vectors and matrices, and of Gamma and Beta at extremes, in many digits.

The oracles are other formulas than those of ``divergences.exact``: KL of a vector is the sum of
KLs of each coordinate given those before it, and KL of matrices the difference of two expected log
densities. A few pairs are drawn; EXACT_EXAMPLES asks for more.
"""

import math
import os
import random

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import distributions as td

from divergences.exact import kl_divergence

EXAMPLES = int(os.environ.get("EXACT_EXAMPLES", "4"))
DTYPES = [torch.float32, torch.float64]


def beta_kl(a, b, c, d):
    """KL(Beta(a, b) || Beta(c, d)) from expected log densities."""
    return (
        (mpmath.loggamma(c) + mpmath.loggamma(d) - mpmath.loggamma(c + d))
        - (mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b))
        + (a - c) * mpmath.digamma(a)
        + (b - d) * mpmath.digamma(b)
        + (c + d - a - b) * mpmath.digamma(a + b)
    )


def gamma_kl(a, r, b, s):
    """KL of Gamma laws of shapes a, b and rates r, s from expected log densities."""
    return (
        a * mpmath.log(r)
        - b * mpmath.log(s)
        + mpmath.loggamma(b)
        - mpmath.loggamma(a)
        + (a - b) * (mpmath.digamma(a) - mpmath.log(r))
        + a * (s / r - 1)
    )


def dirichlet_kl(a, b):
    """The share of each part in what the parts before it leave is Beta, independent of them."""
    return sum(
        beta_kl(a[i], mpmath.fsum(a[i + 1 :]), b[i], mpmath.fsum(b[i + 1 :]))
        for i in range(len(a) - 1)
    )


def given_before(cov, i):
    """Of coordinate i: what it is regressed with on those before it, and the variance left."""
    if i == 0:
        return mpmath.matrix(0, 1), cov[0, 0]
    slopes = mpmath.lu_solve(cov[:i, :i], cov[:i, i])
    return slopes, cov[i, i] - (slopes.T * cov[:i, i])[0]


def gaussian_kl(m, A, n, B):
    """The sum over coordinates of the KL of two normal laws given those before."""
    total, shift = mpf(0), m - n
    for i in range(A.rows):
        (a, s), (b, t) = given_before(A, i), given_before(B, i)
        off, spread = shift[i], mpf(0)
        if i:
            off -= (b.T * shift[:i, 0])[0]
            spread = ((a - b).T * A[:i, :i] * (a - b))[0]
        total += (mpmath.log(t / s) + (s + off**2 + spread) / t - 1) / 2
    return total


def wishart_kl(V, m, W, n):
    """Of expected log densities: E X = m V and E log |X| in closed form."""
    d = V.rows
    log_det = mpmath.log(mpmath.det(V)) + d * mpmath.log(2)
    log_det += sum(mpmath.digamma((m - i) / 2) for i in range(d))

    def expected(U, k):
        trace = m * sum((mpmath.inverse(U) * V)[i, i] for i in range(d))
        gammas = d * (d - 1) / mpf(4) * mpmath.log(mpmath.pi)
        gammas += sum(mpmath.loggamma((k - i) / 2) for i in range(d))
        norm = k * d / mpf(2) * mpmath.log(2) + k / mpf(2) * mpmath.log(mpmath.det(U)) + gammas
        return (k - d - 1) / mpf(2) * log_det - trace / 2 - norm

    return expected(V, m) - expected(W, n)


def exactly(tensor):
    rows = tensor.double().tolist()
    return mpmath.matrix(rows) if tensor.ndim else mpf(rows)


def check(p, q, oracle, digits):
    """Right to the last digits of the dtype, or refused with a reason."""
    try:
        value = kl_divergence(p, q)
    except (ValueError, NotImplementedError):
        return
    with mpmath.workdps(digits):
        expected = oracle()
    expected = expected if abs(expected) > mpf(10) ** -digits * 1e50 else mpf(0)
    eps = torch.finfo(value.dtype).eps
    close = max(4 * eps, 1e-10) * abs(expected) + torch.finfo(value.dtype).tiny
    assert math.isfinite(value.item())
    assert abs(mpf(value.item()) - expected) <= close, (p, q, value.item(), float(expected))


def positive(r, size):
    return 10 ** r.uniform(-size, size)


def drawn(r, count, size, dtype):
    """Positive parameters of two laws, which differ by anything from a digit to their size."""
    first = [positive(r, size) for _ in range(count)]
    near = r.choice([0.0, 10 ** -r.uniform(0, 15), 10 ** -r.uniform(0, 3)])
    second = [x * (1 + near * r.uniform(-1, 1)) for x in first]
    if r.random() < 0.5:
        second = [positive(r, size) for _ in range(count)]
    return [torch.tensor(x, dtype=dtype) for x in (first, second)]


seeds = pytest.mark.parametrize("seed", range(EXAMPLES))


@seeds
@pytest.mark.parametrize("kind", ["gamma", "beta"])
def test_gamma_and_beta_at_extremes(kind, seed):
    r = random.Random(seed)
    a, b = drawn(r, 2, r.choice([1, 3, 6, 12, 30]), r.choice(DTYPES))
    law, formula = {"gamma": (td.Gamma, gamma_kl), "beta": (td.Beta, beta_kl)}[kind]
    check(law(*a), law(*b), lambda: formula(*exactly(a), *exactly(b)), 250)


@seeds
def test_dirichlet_laws(seed):
    r = random.Random(seed)
    a, b = drawn(r, r.choice([2, 3, 8, 50]), r.choice([0.3, 2, 5, 8]), r.choice(DTYPES))
    check(
        td.Dirichlet(a),
        td.Dirichlet(b),
        lambda: dirichlet_kl([mpf(x) for x in a.tolist()], [mpf(x) for x in b.tolist()]),
        150,
    )


def a_root(r, d, size, dtype):
    """A lower-triangular root whose diagonal spans orders of magnitude."""
    root = torch.tensor([[r.gauss(0, 1) for _ in range(d)] for _ in range(d)]).double()
    scales = torch.tensor([positive(r, size) for _ in range(d)]).double()
    return ((root.tril(-1) + torch.eye(d)) * scales[:, None]).to(dtype)


def a_gaussian(r, d, dtype, near=None):
    """The law, its mean and its covariance in digits, in one of the ways torch has for it."""
    size = r.choice([0.3, 2, 5])
    if near is not None:
        size, way, loc, root = near[3], near[2], near[0].loc, near[4]
        change = 1 + 10 ** -r.uniform(2, 14) * torch.tensor(r.uniform(-1, 1))
        loc, root = loc * change, root * change.to(dtype)
    else:
        way = r.choice(["root", "covariance", "precision", "diagonal", "low rank"])
        loc = torch.tensor([r.gauss(0, 1) * positive(r, size) for _ in range(d)], dtype=dtype)
        root = a_root(r, d, size, dtype)
    if way == "root":
        law = td.MultivariateNormal(loc, scale_tril=root)
        cov = exactly(root) * exactly(root).T
    elif way == "diagonal":
        scale = root.diagonal().contiguous()
        law = td.Independent(td.Normal(loc, scale), 1)
        cov = mpmath.diag([exactly(s) ** 2 for s in scale])
    elif way == "low rank":
        factor, rest = root[:, :1].contiguous(), root.diagonal().square()
        law = td.LowRankMultivariateNormal(loc, factor, rest)
        cov = exactly(factor) * exactly(factor).T + mpmath.diag([exactly(s) for s in rest])
    else:
        matrix = root @ root.mT
        law = td.MultivariateNormal(loc, **{f"{way}_matrix": matrix})
        cov = exactly(matrix) if way == "covariance" else mpmath.inverse(exactly(matrix))
    law.loc = loc  # pyright: ignore  # of Independent, too
    return law, cov, way, size, root


@seeds
@pytest.mark.parametrize("near", [False, True], ids=["apart", "near"])
def test_gaussians_given_in_every_way(near, seed):
    r = random.Random(seed)
    d, dtype = r.choice([1, 2, 3, 5]), r.choice(DTYPES)
    with mpmath.workdps(200):
        while True:
            try:
                one = a_gaussian(r, d, dtype)
                other = a_gaussian(r, d, dtype, one if near else None)
                break
            except ValueError:  # torch finds a rounded matrix not positive definite
                continue
    (p, A, *_), (q, B, *_) = one, other
    check(p, q, lambda: gaussian_kl(exactly(p.loc), A, exactly(q.loc), B), 200)


@pytest.mark.parametrize("digits", [1, 3, 7, 10, 13])
@pytest.mark.parametrize("d", [4, 13])
def test_covariances_close_to_singular(d, digits):
    """Right or refused, as matrices and as roots; well conditioned ones are not refused."""
    r = torch.Generator().manual_seed(digits)
    turned = torch.linalg.qr(torch.randn(d, d, generator=r, dtype=torch.float64)).Q
    wide = turned * torch.logspace(0, -digits, d, dtype=torch.float64) @ turned.mT
    other = wide + torch.eye(d) * wide.diagonal().min() / 10
    p, q = (td.MultivariateNormal(torch.zeros(d).double(), (x + x.mT) / 2) for x in (other, wide))
    roots = [torch.linalg.cholesky(x.covariance_matrix) for x in (p, q)]
    laws = [td.MultivariateNormal(p.loc, scale_tril=root) for root in roots]
    for one, another, given in (
        (p, q, [exactly(x.covariance_matrix) for x in (p, q)]),
        (*laws, [exactly(root) for root in roots]),
    ):
        with mpmath.workdps(60):
            A, B = given if one is p else (x * x.T for x in given)
            zero = mpmath.zeros(d, 1)
            expected = gaussian_kl(zero, A, zero, B)
        try:
            value = kl_divergence(one, another).item()
        except NotImplementedError:
            assert digits > 3
            continue
        assert abs(mpf(value) - expected) <= 1e-8 * expected


@seeds
@pytest.mark.parametrize("near", [False, True], ids=["apart", "near"])
def test_wishart_laws(near, seed):
    r = random.Random(seed)
    d, dtype = r.choice([1, 2, 3]), r.choice(DTYPES)
    size = r.choice([0.3, 2, 4])
    root = a_root(r, d, size, dtype)
    m = torch.tensor(d + positive(r, 4), dtype=dtype)
    change = torch.tensor(1 + 10 ** -r.uniform(1, 12), dtype=dtype)
    other, n = root * change, m * change
    if not near:
        other, n = a_root(r, d, size, dtype), torch.tensor(d + positive(r, 4), dtype=dtype)
    p, q = td.Wishart(m, scale_tril=root), td.Wishart(n, scale_tril=other)

    def oracle():
        V, W = (exactly(x) * exactly(x).T for x in (root, other))
        return wishart_kl(V, exactly(m), W, exactly(n))

    check(p, q, oracle, 200)


@pytest.mark.parametrize("digits", [3, 7, 10])
def test_wishart_laws_of_matrices_close_to_singular(digits):
    r = torch.Generator().manual_seed(digits)
    turned = torch.linalg.qr(torch.randn(3, 3, generator=r, dtype=torch.float64)).Q
    wide = turned * torch.logspace(0, -digits, 3, dtype=torch.float64) @ turned.mT
    given = [(x + x.mT) / 2 for x in (wide + torch.eye(3) * wide.diagonal().min() / 10, wide)]
    p, q = (
        td.Wishart(torch.tensor(df, dtype=torch.float64), covariance_matrix=x)
        for df, x in zip((5.0, 4.5), given, strict=True)
    )
    with mpmath.workdps(60):
        V, W = map(exactly, given)
        expected = wishart_kl(V, mpf(5.0), W, mpf(4.5))
    assert abs(mpf(kl_divergence(p, q).item()) - expected) <= 1e-10 * expected


@pytest.mark.parametrize("size", [0.01, 1.0, 1e2, 1e4, 1e6])
def test_low_rank_in_many_dimensions_is_right_or_refused(size):
    """Where factors reach three coordinates, these and the others are apart."""
    r = torch.Generator().manual_seed(0)

    def drawn():
        factor = torch.zeros(300, 2, dtype=torch.float64)
        factor[:3] = size * torch.randn(3, 2, generator=r, dtype=torch.float64)
        loc, spread = torch.rand(2, 300, generator=r, dtype=torch.float64)
        return td.LowRankMultivariateNormal(loc, factor, 0.1 + spread)

    p, q = drawn(), drawn()
    few, others = (
        [change(law) for law in (p, q)]
        for change in (
            lambda law: td.LowRankMultivariateNormal(
                law.loc[:3], law.cov_factor[:3], law.cov_diag[:3]
            ),
            lambda law: td.Normal(law.loc[3:], law.cov_diag[3:].sqrt()),
        )
    )
    expected = kl_divergence(*few) + kl_divergence(*others).sum()
    try:
        value = kl_divergence(p, q)
    except NotImplementedError:
        assert size > 1
        return
    torch.testing.assert_close(value, expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("digits", [2, 5])
@pytest.mark.parametrize("way", ["covariance_matrix", "scale_tril", "diagonal"])
def test_a_batch_of_gaussians_close_to_singular_is_each_of_them(way, digits):
    """Some are computed with more digits, one member at a time."""
    r = torch.Generator().manual_seed(digits)
    mix = torch.randn(2, 3, 3, generator=r, dtype=torch.float64).tril(-1) + torch.eye(3)
    roots = mix * torch.logspace(0, -digits, 3, dtype=torch.float64)

    def laws(root):
        loc = torch.zeros(root.shape[:-1], dtype=root.dtype)
        if way == "diagonal":
            return td.Independent(td.Normal(loc, root.diagonal(dim1=-2, dim2=-1)), 1)
        given = root if way == "scale_tril" else root @ root.mT
        return td.MultivariateNormal(loc, **{way: given})

    near = roots[0] @ roots[0].mT * (1 + 1e-7)
    q = td.MultivariateNormal(torch.zeros(3).double(), (near + near.mT) / 2)
    for measure in (lambda a: kl_divergence(a, q), lambda a: kl_divergence(q, a)):
        alone = torch.stack([measure(laws(root)) for root in roots])
        torch.testing.assert_close(measure(laws(roots)), alone, rtol=1e-9, atol=0)
