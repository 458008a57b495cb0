"""Pairs that know their W1: optimal plans on samples, potentials, quadrature, files."""

import math

import numpy as np
import ot
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from divergences.random_streams import Streams
from gans.targets import Ball, Box, Funnels, Gaussian, OneFunnel, Ring, Shifted

PAIRS = {
    "D=1, N=3": Funnels.drawn(1, 3, seed=0),
    "D=2, N=4": Funnels.drawn(2, 4, seed=1),
    "D=2, N=64": Funnels.drawn(2, 64, seed=2),
    "D=16, N=16": Funnels.drawn(16, 16, seed=3),
    "D=128, N=256": Funnels.drawn(128, 256, seed=4),
    "ball, D=1": OneFunnel(1),
    "ball, D=3": OneFunnel(3, radius=1.5, power=3.0),
    "ball, D=32": OneFunnel(32),
    "shifted box": Shifted(Box([1.0, 0.0, 2.0]), [0.3, -0.4, 1.2]),
    "shifted ring": Shifted(Ring(), [0.0, 3.0]),
}
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


def pairs_of_points(pair, n, seed=0):
    y, move = pair.paired(Streams([seed], "test", dtype=torch.float64), n)
    return y[0], move.x[0], move.slope[0]


@every_pair
def test_the_move_is_an_optimal_plan_between_samples(pair):
    """Exact transport between {y_i} and {T(y_i)} costs what moving each y_i to T(y_i) costs."""
    y, x, _ = pairs_of_points(pair, 300)
    costs = (x[:, None] - y[None]).norm(dim=-1).numpy()
    exact = ot.emd2([], [], costs, numItermax=1_000_000)
    assert exact == pytest.approx(float((x - y).norm(dim=1).mean()), abs=1e-10)


@every_pair
def test_the_potential_rises_along_each_move_by_its_length_and_nowhere_faster(pair):
    y, x, _ = pairs_of_points(pair, 400)
    f, on_y = pair.potential(x), pair.potential(y)
    torch.testing.assert_close(f - on_y, (x - y).norm(dim=1), rtol=0, atol=1e-10)
    z = torch.cat([x, y])
    rise = pair.potential(z)[:, None] - pair.potential(z)[None]
    assert (rise.abs() <= torch.cdist(z, z) + 1e-6).all()


@every_pair
def test_the_slope_is_the_gradient_of_the_potential(pair):
    _, x, slope = pairs_of_points(pair, 200)
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(pair.potential(x).sum(), x)
    # a point within rounding of a tip has no direction left
    away = (gradient - slope).norm(dim=1) < 1e-5
    assert away.double().mean() > 0.97
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(200, dtype=torch.float64))


@pytest.mark.parametrize(
    ("dimension", "radius", "power"),
    [(1, 2.5, 8.0), (2, 2.5, 8.0), (8, 1.0, 3.0), (128, 2.5, 8.0)],
    ids=str,
)
def test_w1_of_the_ball_by_quadrature(dimension, radius, power):
    """E[R (t - t^p)], t the relative radius, of density D t^(D - 1)."""
    d = dimension
    by_quad = quad(lambda t: radius * (t - t**power) * d * t ** (d - 1), 0, 1)[0]
    assert OneFunnel(d, radius, power).w1 == pytest.approx(by_quad, rel=1e-9)
    measured = OneFunnel(d, radius, power).measured_w1()
    assert abs(measured.value - by_quad) < 4 * measured.stderr


def longhand_moves(pair, y):
    """Lengths of the moves of points ``(n, D)``: each ray's end by bisection.

    A basin is star-shaped around its centre, so that the end is where u stops rising with slope 1.
    """
    a, b = pair.centres.numpy(), pair.biases.numpy()

    def depths(z):
        return np.sqrt(((z[:, None] - a) ** 2).sum(-1)) + b

    n = depths(y).argmin(1)
    length = np.sqrt(((y - a[n]) ** 2).sum(1))
    v = (y - a[n]) / length[:, None]
    low, high = length, np.full_like(length, 4 * pair.half_side * math.sqrt(y.shape[1]))
    for _ in range(45):
        middle = (low + high) / 2
        z = a[n] + middle[:, None] * v
        inside = np.abs(z).max(1) <= pair.half_side
        own = inside & (middle + b[n] <= depths(z).min(1) + 1e-12)
        low, high = np.where(own, middle, low), np.where(own, high, middle)
    t = length / low
    return low * (t - t**pair.power)


@pytest.mark.parametrize(("name", "cells"), [("D=1, N=3", 4000), ("D=2, N=4", 60)])
def test_w1_by_quadrature(name, cells):
    """The midpoint rule over the cube, with the ends of the rays found by bisection."""
    pair = PAIRS[name]
    axis = (np.arange(cells) + 0.5) / cells * 5 - 2.5
    grid = np.stack(np.meshgrid(*[axis] * pair.event_shape[0]), -1)
    by_rule = longhand_moves(pair, grid.reshape(-1, pair.event_shape[0])).mean()
    measured = pair.measured_w1()
    assert abs(float(measured) - by_rule) < 4 * float(measured.stderr) + 1e-3


@pytest.mark.parametrize("name", ["D=2, N=64", "D=16, N=16", "D=128, N=256"])
def test_every_ray_ends_where_bisection_finds_its_end(name):
    y, x, _ = pairs_of_points(PAIRS[name], 20)
    by_bisection = longhand_moves(PAIRS[name], y.numpy())
    assert (x - y).norm(dim=1).tolist() == pytest.approx(by_bisection.tolist(), abs=1e-8)


def test_funnels_come_back_from_a_file_and_from_the_benchmarks_own(tmp_path):
    pair = PAIRS["D=2, N=4"]
    pair.save(tmp_path / "pair.pt")
    _, x, _ = pairs_of_points(pair, 16)
    again = Funnels.load(tmp_path / "pair.pt")
    assert torch.equal(pairs_of_points(again, 16)[1], x)
    theirs = {"net.centers": pair.centres.float(), "net.bias": pair.biases.float()}
    torch.save(theirs, tmp_path / "theirs.pt")
    torch.testing.assert_close(
        pairs_of_points(Funnels.load(tmp_path / "theirs.pt"), 16)[1], x, rtol=0, atol=1e-5
    )


def test_a_seed_gives_the_same_pair_and_another_gives_another():
    one, same, other = (Funnels.drawn(4, 4, seed) for seed in (5, 5, 6))
    assert torch.equal(one.centres, same.centres)
    assert not torch.equal(one.centres, other.centres)


def test_members_draw_from_their_own_streams():
    pair = PAIRS["D=16, N=16"]
    together, alone = pair.draw(Streams([3, 4]), 50), pair.draw(Streams([4]), 50)
    assert together.shape == (2, 50, 16)
    torch.testing.assert_close(together[1], alone[0])


class Pathological:
    """What a file that runs code when it is read would hold."""

    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    "kept", [{"a": torch.zeros(1)}, [torch.zeros(1)], {"x": Pathological()}], ids=str
)
def test_other_files_are_refused_by_name(kept, tmp_path, capsys):
    torch.save(kept, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt"):
        Funnels.load(tmp_path / "other.pt")
    assert "must not run" not in capsys.readouterr().out


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pt"):
        Funnels.load("nowhere.pt")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Funnels(torch.zeros(2, 3), torch.zeros(3)), "give \\(N, D\\) and \\(N,\\)"),
        (lambda: Funnels(torch.full((1, 2), 3.0), torch.zeros(1)), "size 3, outside the cube"),
        (lambda: Funnels(torch.zeros(1, 2), torch.tensor([math.nan])), "NaN"),
        (lambda: Funnels(torch.zeros(1, 2), torch.zeros(1), power=1.0), "power = 1.0"),
        (lambda: Funnels.drawn(0, 4, 0), "dimension = 0"),
        (lambda: OneFunnel(2, radius=-1.0), "radius = -1"),
        (lambda: Box([1.0, -1.0]), "half side -1"),
        (lambda: Shifted(Box([1.0]), [0.0]), "not 0"),
        (lambda: Shifted(Box([1.0]), [1.0, 2.0]), "1 dimensions"),
        (lambda: Shifted(Gaussian(torch.zeros(2)), [1.0]), "batch_shape \\(2,\\)"),
    ],
    ids=["shapes", "outside", "nan", "power", "dimension", "radius", "side", "still", "vector",
         "members"],
)  # fmt: skip
def test_bad_pairs_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_ball_is_uniform():
    """The volume share within the radius of a point, R^D, is uniform on (0, 1)."""
    points = Ball(2.0, 5).draw(Streams([0], dtype=torch.float64), 2000)[0]
    share = (points.norm(dim=1) / 2) ** 5
    assert kstest(share.numpy(), "uniform").pvalue > 1e-3
    assert points.mean(0).abs().max() < 0.1


def test_densities_integrate_to_one():
    axis = (torch.arange(400) + 0.5) / 200 - 1
    grid = torch.cartesian_prod(axis, axis)
    for law in (Box([1.0, 0.5]), Ball(1.0, 2)):
        assert float(law.log_prob(grid).exp().mean() * 4) == pytest.approx(1, abs=2e-3)
