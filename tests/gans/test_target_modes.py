import math

import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from divergences import Streams
from gans.targets import Grid, Ring, SubspaceModes


@pytest.mark.parametrize("law", [Ring(), Grid()], ids=["ring", "grid"])
def test_a_mixture_has_no_rsample(law):
    assert not law.has_rsample
    with pytest.raises(NotImplementedError, match="use sample"):
        law.rsample((3,))


@pytest.mark.parametrize(
    ("law", "weights"),
    [
        (Ring(1.3, 0.15, modes=5), [1] * 5),
        (Grid(1.7, 0.3), [1] * 25),
        (Ring(2.5, 0.3, weights=[0.05] * 4 + [1] * 4), [0.05] * 4 + [1] * 4),
        (Grid(1.0, 0.3, side=2, weights=[2, 3, 0.5, 9]), [2, 3, 0.5, 9]),
        (SubspaceModes(1.0, 0.5, 3, 4, 4, weights=[1, 2, 4]), [1, 2, 4]),
    ],
    ids=["ring", "grid", "unbalanced ring", "unbalanced grid", "whole space"],
)
def test_log_prob_agrees_with_torch_mixture(law, weights):
    mixture = MixtureSameFamily(
        Categorical(torch.tensor(weights)),
        MultivariateNormal(law.centres, law.scale.square() * torch.eye(law.event_shape[0])),
    )
    x = law.sample((100,))
    torch.testing.assert_close(law.log_prob(x), mixture.log_prob(x), rtol=1e-4, atol=1e-4)


def test_the_ring_has_eight_distinct_modes_at_distance_one():
    centres = Ring().centres
    gaps = torch.cdist(centres, centres) + 9 * torch.eye(8)
    assert gaps.min() == pytest.approx(2 * math.sin(math.pi / 8), abs=1e-6)
    torch.testing.assert_close(centres.norm(dim=-1), torch.ones(8))


def test_the_grid_has_the_published_centres():
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(c) for c in Grid().centres.int().tolist()} == expected


@pytest.mark.parametrize("law", [Ring(), Grid()], ids=["ring", "grid"])
def test_a_perfect_sampler_puts_98_89_percent_within_three_deviations(law):
    x = law.sample((40000,))
    share = (torch.cdist(x, law.centres).amin(-1) < 3 * law.scale).double().mean()
    assert share == pytest.approx(1 - math.exp(-4.5), abs=4 * (0.9889 * 0.0111 / 40000) ** 0.5)


@pytest.mark.parametrize("law", [Ring(), Grid(), Grid(1.0, 0.03, 10)], ids=["8", "25", "100"])
def test_equal_modes_are_chosen_by_the_integer_part_of_a_uniform_number(law):
    """Resumed runs and stored results rest on this choice, bit for bit."""
    torch.manual_seed(0)
    uniform, normal = torch.rand(50000), torch.randn(50000, 2)
    torch.manual_seed(0)
    expected = law.centres[(uniform * len(law.centres)).long()] + law.scale * normal
    assert torch.equal(law.sample((50000,)), expected)
    equal = Ring(weights=[0.3] * 8).draw(Streams([4]), 5000)
    assert torch.equal(equal, Ring().draw(Streams([4]), 5000))


def test_the_grid_of_a_hundred_has_spacing_one_around_the_origin():
    centres = Grid(1.0, 0.03, side=10).centres
    halves = [i + 0.5 for i in range(-5, 5)]
    assert {tuple(c) for c in centres.tolist()} == {(x, y) for x in halves for y in halves}


def test_the_1200_dimensional_modes_have_chi_distances_and_grid_like_gaps():
    """The published criterion of 10 deviations, read per coordinate, holds no point at all."""
    law = SubspaceModes()
    assert law.centres.shape == (10, 1200)
    x = law.draw(Streams([0]), 1000)[0]
    nearest = torch.cdist(x, law.centres).amin(-1) / law.scale
    assert stats.kstest(nearest.numpy(), stats.chi(700).cdf).pvalue > 1e-4
    assert nearest.min() > 10
    gaps = torch.pdist(law.centres)
    reach = 0.1 * stats.chi(700).ppf(1 - math.exp(-4.5))
    assert float(gaps.mean()) / reach == pytest.approx(2 / 0.15, rel=0.05)
    assert torch.equal(SubspaceModes(seed=0).centres, law.centres)
    assert not torch.equal(SubspaceModes(seed=1).centres, law.centres)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Ring(modes=0), "modes = 0"),
        (lambda: Ring(radius=-1.0), "radius"),
        (lambda: Grid(side=0), "side = 0"),
        (lambda: Grid(scale=math.nan), "scale = nan"),
        (lambda: Ring(weights=[1.0] * 7), r"weights of shape \(7,\) for 8 modes"),
        (lambda: Grid(weights=[0.0] + [1] * 24), "weight 0 is not a finite number greater than 0"),
        (lambda: Ring(modes=2, weights=[1, math.nan]), "weight nan"),
        (lambda: SubspaceModes(latent=7, dimension=6), "latent = 7 must lie between 1 and dim"),
        (lambda: SubspaceModes(modes=0), "modes = 0"),
    ],
)
def test_bad_parameters_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()
