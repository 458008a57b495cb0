"""Laws whose points torch draws, or whose density it computes, in a way that needed mending."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from scipy.special import digamma, gammaln
from torch.distributions import (
    Categorical,
    GeneralizedPareto,
    Independent,
    LKJCholesky,
    MixtureSameFamily,
    Normal,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)

from divergences import numerical
from divergences.numerical.monte_carlo import MonteCarlo


def of(x):
    return torch.tensor(x, dtype=torch.float64)


def log_normaliser_of_lkj(d, c):
    """Theorem 5 of Lewandowski, Kurowicka & Joe (2009), for Cholesky factors."""
    k = np.arange(1, d)
    at = c + (d - 1 - k) / 2
    return float((k / 2 * math.log(math.pi) + gammaln(at) - gammaln(c + (d - 1) / 2)).sum())


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize(("a", "b"), [(1.0, 2.0), (2.0, 1.0), (0.5, 1.5)])
def test_random_correlations_are_drawn_from_their_density(d, a, b):
    k = np.arange(1, d)
    mean_log_det = (digamma(a + (d - 1 - k) / 2) - digamma(a + (d - 1) / 2)).sum()
    constants = log_normaliser_of_lkj(d, b) - log_normaliser_of_lkj(d, a)
    truth = (a - b) * mean_log_det + constants
    p, q = LKJCholesky(d, of(a)), LKJCholesky(d, of(b))
    found = numerical.kl_divergence(p, q, MonteCarlo(20_000))
    assert abs(float(found.value) - truth) < 4 * float(found.stderr)


class AnotherSample(Normal):
    """A law of somebody's own whose points are not of its density."""

    def sample(self, sample_shape=torch.Size()):
        return 1.2 * super().sample(sample_shape)


@pytest.mark.parametrize("measure", [numerical.kl_divergence, numerical.js_divergence])
def test_a_sample_of_another_law_than_its_density_is_refused(measure):
    odd, even = AnotherSample(of(0.0), of(1.0)), Normal(of(1.0), of(1.0))
    for pair in ((odd, even), (even, odd)):
        if measure is numerical.js_divergence or pair[0] is odd:
            with pytest.raises(ValueError, match="whose log_prob it is"):
                measure(*pair, MonteCarlo(20_000))


@pytest.mark.parametrize(
    ("first", "second"),
    [((0.2, 1.0), (0.3, 1.1)), ((0.0, 1.0), (0.0, 1.5)), ((-0.5, 1.0), (-0.4, 1.2)),
     ((-1.0, 1.0), (1e-12, 2.0)), ((1e-9, 1.0), (0.0, 2.0))],
)  # fmt: skip
def test_generalised_pareto_laws_are_scipys(first, second):
    (c, s), (b, t) = first, second
    p, q = stats.genpareto(c, scale=s), stats.genpareto(b, scale=t)
    truth, _ = quad(lambda u: p.logpdf(p.ppf(u)) - q.logpdf(p.ppf(u)), 0, 1, epsabs=1e-11)
    found = numerical.kl_divergence(
        *(GeneralizedPareto(of(0.0), of(u), of(v)) for v, u in (first, second))
    )
    assert float(found.ci[0]) - 1e-8 <= truth <= float(found.ci[1]) + 1e-8


@pytest.mark.parametrize(
    "law", [OneHotCategorical, OneHotCategoricalStraightThrough], ids=lambda law: law.__name__
)
@pytest.mark.parametrize("by", ["probs", "logits"])
def test_draws_of_one_hot_vectors_give_the_sum(law, by):
    p, q = of([0.5, 0.4, 0.1]), of([0.1, 0.2, 0.7])
    given = (law(**{by: x if by == "probs" else x.log()}) for x in (p, q))
    found = numerical.kl_divergence(*given, MonteCarlo(20_000))
    assert abs(float(found.value) - float((p * (p / q).log()).sum())) < 4 * float(found.stderr)


class OfSomebody:
    """A law of torch whose formula and precision nobody knows."""

    def __init__(self, law):
        self.log_prob, self.sample = law.log_prob, law.sample


def test_what_no_draw_fell_on_is_in_the_interval_where_single_precision_blurs_equal_terms():
    def rarely_far(weight):
        parts = Independent(Normal(torch.tensor([[0.0] * 3, [30.0] * 3]), 1.0), 1)
        return OfSomebody(
            MixtureSameFamily(Categorical(torch.tensor([1 - weight, weight])), parts)
        )

    w, v = 1e-4, 1e-6
    pairs = ((w, v), (v, w), (1 - w, 1 - v), (1 - v, 1 - w))
    truth = sum(a * math.log(2 * a / (a + b)) for a, b in pairs) / 2
    held = []
    for seed in range(40):
        found = numerical.js_divergence(rarely_far(w), rarely_far(v), MonteCarlo(2048, seed))
        held += [] if found.warnings else [bool(found.ci[0] <= truth <= found.ci[1])]
    assert sum(held) > 0.9 * len(held) > 0
