"""Densities that jump between a sample's points: covered by the interval, or said.

Each pair has a density q / p that is constant on a few sets: the truth is that of their masses.
"""

import math
import re

import numpy as np
import pytest
import torch

from divergences import discrete
from divergences.samples.histogram import HistogramJS, HistogramTV
from divergences.samples.nearest_neighbours import NearestNeighbours
from divergences.samples.ross import RossJS

HALF = ([0.5, 0.5], [1.0, 0.0])
APART = ([1.0, 0.0], [0.0, 1.0])


def parity(d, n, draw, both=False):
    """Normal points, those of y where an even number of coordinates is negative."""
    x, y = draw.normal(size=(2, n, d))
    y[:, -1] = np.abs(y[:, -1]) * np.sign(y[:, :-1]).prod(1)
    if both:
        x[:, -1] = -np.abs(x[:, -1]) * np.sign(x[:, :-1]).prod(1)
    return x, y


def chessboard(d, squares, n, draw, both=False):
    """Points of the unit cube, those of y in the white cells."""
    places = draw.uniform(size=(2, 3 * n, d))
    white = np.floor(places * squares).sum(2) % 2 == 0
    x = places[0, ~white[0]] if both else places[0]
    return x[:n], places[1, white[1]][:n]


def ball_with_a_hole(d, radius, n, draw):
    def ball(low):
        points = draw.normal(size=(n, d))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        return points * (low**d + (1 - low**d) * draw.uniform(size=(n, 1))) ** (1 / d)

    return ball(0), ball(radius)


def cube_within(d, side, n, draw):
    x, y = draw.uniform(-0.5, 0.5, size=(2, n, d))
    return x, side * y


def shifted_cubes(d, by, n, draw):
    x, y = draw.uniform(size=(2, n, d))
    return x, y + by


def share(mass):
    return [mass, 1 - mass], [1.0, 0.0]


def overlap(mass):
    return [mass, 1 - mass, 0.0], [mass, 0.0, 1 - mass]


PAIRS = {
    "parity in 3-D": (lambda n, r: parity(3, n, r), HALF),
    "parity in 4-D": (lambda n, r: parity(4, n, r), HALF),
    "parity in 4-D, apart": (lambda n, r: parity(4, n, r, both=True), APART),
    "chessboard in 2-D": (lambda n, r: chessboard(2, 8, n, r), HALF),
    "chessboard in 2-D, apart": (lambda n, r: chessboard(2, 20, n, r, both=True), APART),
    "chessboard in 3-D, apart": (lambda n, r: chessboard(3, 4, n, r, both=True), APART),
    "chessboard in 4-D": (lambda n, r: chessboard(4, 2, n, r), HALF),
    "ball with a hole in 3-D": (lambda n, r: ball_with_a_hole(3, 0.8, n, r), share(1 - 0.8**3)),
    "ball with a hole in 5-D": (lambda n, r: ball_with_a_hole(5, 0.9, n, r), share(1 - 0.9**5)),
    "cube in a cube in 4-D": (lambda n, r: cube_within(4, 0.8, n, r), share(0.8**4)),
    "shifted cubes in 4-D": (lambda n, r: shifted_cubes(4, 0.1, n, r), overlap(0.9**4)),
}


def drawn(make, n, seed):
    return [torch.from_numpy(points) for points in make(n, np.random.default_rng(seed))]


def js_of(shares) -> float:
    p, q = (torch.tensor(share, dtype=torch.float64) for share in shares)
    return float(discrete.js_divergence(p, q))


@pytest.mark.parametrize("name", PAIRS)
def test_js_is_in_the_interval_or_said_to_be_low(name):
    make, shares = PAIRS[name]
    truth, missed = js_of(shares), 0
    for seed in range(8):
        found = RossJS()(*drawn(make, 1000, seed))
        assert float(found.ci[1]) < 1
        held = float(found.ci[0]) - 1e-9 <= truth <= float(found.ci[1]) + 1e-9
        missed += not held and not found.warnings
    assert missed <= 2  # one in twenty, and once in 170 times three of eight


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_smooth_laws_are_not_called_low(d):
    for seed in range(4):
        x, y = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 600, d)))
        for other in (y, y + 0.5 / math.sqrt(d), 1.2 * y):
            for estimator in (RossJS(), NearestNeighbours()):
                notes = estimator(x, other).warnings
                assert not any(re.search("shrink|nearest neighbours of", note) for note in notes)


def test_neighbours_say_that_the_teeth_of_a_comb_are_as_narrow_as_points_are_apart():
    """In a chessboard of 20 x 20 cells with 1000 points each, whose KL is infinite."""
    for seed in range(4):
        x, y = drawn(lambda n, r: chessboard(2, 20, n, r, both=True), 1000, seed)
        assert NearestNeighbours()(x, y).warnings
        white = drawn(lambda n, r: chessboard(2, 16, n, r), 4000, seed)
        assert NearestNeighbours()(*white).warnings


@pytest.mark.parametrize("kind", [HistogramJS, HistogramTV])
@pytest.mark.parametrize("squares", [20, 24])
def test_grids_see_a_chessboard_within_their_cells(kind, squares):
    """Each row and column of it looks the same, so the axes have to be cut together."""
    for seed in range(4):
        x, y = drawn(lambda n, r: chessboard(2, squares, n, r, both=True), 2000, seed)
        assert any("within its cells" in note for note in kind()(x, y).warnings)


@pytest.mark.parametrize("teeth", [64, 256])
def test_grids_see_teeth_that_hold_a_few_points_each(teeth):
    for seed in range(4):
        x, y = drawn(lambda n, r: chessboard(1, teeth, n, r, both=True), 1000, seed)
        assert any("within its cells" in note for note in HistogramJS()(x, y).warnings)


@pytest.mark.parametrize(
    ("name", "d"), [("parity in 4-D, apart", 4), ("chessboard in 3-D, apart", 3)]
)
def test_the_interval_of_js_reaches_up_to_the_value_without_the_bias_of_jumps(name, d):
    """With values v + c k**(1/d) of k and 2k neighbours, solved for v."""
    k = 3
    for seed in range(2):
        pair = drawn(PAIRS[name][0], 600, seed)
        values = [float(RossJS(j)(*pair).value) for j in (k, 2 * k)]
        v, _ = np.linalg.solve([[1, k ** (1 / d)], [1, (2 * k) ** (1 / d)]], values)
        assert float(RossJS(k)(*pair).ci[1]) > v


@pytest.mark.parametrize("n", [20, 500])
def test_the_interval_of_js_holds_all_overlaps_that_may_well_show_no_point(n):
    """A share s of each law in common shows no point with probability (1 - s)**(2n)."""
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = RossJS()(x, x.flip(0) + 10)
    assert float(found.value) == pytest.approx(math.log(2), abs=0.26 / n)
    least = js_of(overlap(1 - 0.05 ** (1 / (2 * n))))
    allowed = float(found.value - found.ci[0])
    assert allowed == pytest.approx(math.log(2) - least, rel=0.1)
