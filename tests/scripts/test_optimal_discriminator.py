"""The argument about the optimal discriminator: its exact numbers against other ones."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import rel_entr
from scipy.stats import norm

from divergences.random_streams import Streams
from divergences.samples.earth_mover import EarthMover
from scripts.arguments.optimal_discriminator import finite_sample, optimum, sample_bias


@pytest.mark.parametrize("gap", optimum.GAPS)
def test_the_error_of_a_constant_discriminator_is_the_total_variation(gap):
    """E|1/2 - D*| = 1/2 E|p - q| / (p + q) = TV / 2, with TV = 2 Phi(gap / 2) - 1."""
    half = torch.full((1, len(optimum.grid(gap))), 0.5, dtype=torch.float64)
    mean, largest = optimum.errors(gap, half)
    assert float(mean) == pytest.approx((2 * norm.cdf(gap / 2) - 1) / 2, abs=1e-5)
    assert 0.49 < float(largest) <= 0.5


@pytest.mark.parametrize("pair", optimum.pairs()[:4], ids=lambda pair: pair.name)
def test_js_by_entropies_is_the_mean_divergence_from_the_mixture(pair):
    def density(law, x):
        return float(law.log_prob(torch.tensor(x, dtype=torch.float64)).exp())

    def integrand(x):
        p, q = density(pair.p, x), density(pair.q, x)
        return (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)) / 2

    low, high = pair.box
    oracle, _ = quad(integrand, low, high, points=(-3, 0, 2), limit=200, epsabs=1e-8)
    assert optimum.js_by_entropies(pair) == pytest.approx(oracle, abs=1e-7)


@pytest.mark.parametrize(
    ("index", "js"), [(4, math.log(2) / 2), (5, 0.0), (6, math.log(2))], ids=["half", "0", "1"]
)
def test_js_by_entropies_of_laws_that_overlap_half_wholly_and_not(index, js):
    assert optimum.js_by_entropies(optimum.pairs()[index]) == pytest.approx(js, abs=1e-9)


def test_the_value_of_a_coin_is_that_of_equal_laws():
    for pair in optimum.pairs():
        if pair.name != "uniform laws apart" and "half" not in pair.name:  # 0 times infinity
            assert optimum.value(pair, scale=0.0) == pytest.approx(-2 * math.log(2), abs=1e-9)


def test_shuffled_labels_leave_an_even_mixture_on_either_side():
    p, q = finite_sample.StandardNormal(1), finite_sample.StandardNormal(1, mean=8.0)
    points = optimum.Shuffled(p, q).draw(Streams([0, 1]), 4000)
    assert points.shape == (2, 4000, 1)
    share = (points > 4).double().mean(1)
    assert ((share - 0.5).abs() < 4 * 0.5 / math.sqrt(4000)).all()


def test_the_floor_on_a_line_is_what_samples_read():
    n, repeats = 100, 400
    streams = Streams(range(repeats), dtype=torch.float64)
    read = EarthMover(floor=False)(streams.randn(n, 1), streams.randn(n, 1)).value
    assert float(read.mean()) == pytest.approx(
        sample_bias.floor_on_a_line(n), abs=4 * float(read.std()) / math.sqrt(repeats)
    )


def test_the_error_of_a_ratio_of_means_is_that_of_repeated_draws():
    streams = Streams([0], dtype=torch.float64)
    few = 2 + 0.2 * streams.randn(500, 20)[0]
    many = 1 + 0.1 * streams.randn(500, 20)[0]
    found = [sample_bias.fall(a, b) for a, b in zip(few, many, strict=True)]
    ratios, errors = torch.tensor(found, dtype=torch.float64).T
    assert float(errors.mean()) == pytest.approx(float(ratios.std()), rel=0.15)


def test_a_sample_is_given_whole_and_moved_along_the_first_axis():
    x, y = finite_sample.samples([0, 1], 64, gap=50.0)
    assert finite_sample.Whole(x).draw(Streams([0, 1]), 3) is x
    assert ((y - x)[..., 0].mean(1) > 45).all()
    assert ((y - x)[..., 1].mean(1).abs() < 1).all()
