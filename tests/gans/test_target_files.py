import importlib
import math
import sys

import matplotlib.image
import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from scipy import stats

from divergences import Streams
from gans.targets import (
    Ball,
    Box,
    Checkerboard,
    Gaussian,
    ImageDensity,
    PointCloud,
    Ring,
    Target,
)
from gans.targets.base import fine_uniform
from gans.targets.loading import read_points

POINTS = np.array([[0.0, 1.0], [2.0, -1.0], [5.0, 0.5]])


def saved(folder, name, content):
    path = folder / name
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.npy", POINTS),
        ("p.npy", POINTS.astype(np.float32)),
        ("p.csv", "0,1\n2,-1\n5,0.5\n"),
        ("p.CSV", "\ufeff0, 1e0\r\n2,-1\r\n\r\n5,.5"),
    ],
    ids=["double", "single", "csv", "spreadsheet"],
)
def test_a_cloud_from_a_file_draws_its_points_equally_often(tmp_path, name, content):
    cloud = PointCloud(saved(tmp_path, name, content), 0)
    torch.testing.assert_close(cloud.points, torch.tensor(POINTS).float())
    x = cloud.draw(Streams([0]), 6000)[0]
    values, counts = x.unique(dim=0, return_counts=True)
    torch.testing.assert_close(values, torch.tensor(POINTS).float())
    assert stats.chisquare(counts).pvalue > 1e-4
    assert torch.equal(PointCloud(str(tmp_path / name), 0).points, cloud.points)


def test_integer_points_become_floating_and_double_ones_stay_so():
    assert PointCloud(torch.tensor([[1], [2]]), 0).points.dtype == torch.float32
    assert PointCloud(torch.tensor(POINTS)).sample().dtype == torch.float64


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("p.txt", "0,1\n1,2", r"cannot read '\.txt'; give one of \.npy, \.csv, \.parquet"),
        ("p.csv", "x,y\n0,1\n1,two", "p.csv: line 3, column 2 holds no number"),
        ("p.csv", "x,2\n0,1\n1,2", "line 1, column 1 holds no number"),
        ("p.csv", ",x\n0,1\n1,2", "line 1, column 1 is a column without a name"),
        ("p.csv", "x,y\n", "empty, or has a header only"),
        ("p.csv", "x;y\n0;1\n", "line 2, column 1 holds no number.*between commas"),
        ("p.csv", "# note\n\n0,1\n1,\n", "line 4, column 2 is empty"),
        ("p.csv", "0,1\n1,NA\n", "line 2, column 2 holds no number"),
        ("p.csv", "0,1\n1,2,3\n", "line 2 has 3 columns and those before have 2"),
        ("p.csv", "x\n0,1\n1,2\n3,4\n", "line 2 has 2 columns and those before have 1"),
        ("p.csv", "", "the file is empty"),
        ("p.csv", "0,1\n", r"p.csv: holds 1 point\(s\); at least 2"),
        ("p.csv", "0,1\nnan,1\n2,2\ninf,nan\n", "2 of 4 points have a NaN or.*at index 1"),
        ("p.npy", np.array([[1e300, 0], [0, 1]]), "1 of 2 points have a NaN or infinite"),
        ("p.npy", np.zeros(5), r"shape \(5,\); points have shape \(n, d\)"),
        ("p.npy", np.zeros((5, 0)), r"shape \(5, 0\)"),
        ("p.npy", np.array([["a", "b"]]), "holds <U1, not real numbers"),
        ("p.npy", np.array([[1j, 2], [3, 4]]), "holds complex128, not real numbers"),
        ("p.npy", np.array([[None, {}]]), "not pickled"),
        ("p.npy", b"no array", "cannot be read as an array of numbers"),
        ("p.npy", b"", "cannot be read as an array of numbers"),
        ("p.csv", "1,2\n3,secret\n", "line 2, column 2 holds no number"),
        ("p.csv", "secret:x\n", "has a header only"),
        ("p.csv", "a,b\n1,.12345678901234567890\n2,.12345678901234567891\n", "column 2 holds num"),
        (
            "p.csv",
            f"1,{10**30 + 1}\n2,{10**30 + 2}\n3,4.5\n",
            "column 2 holds numbers that differ",
        ),
        ("p.npy", b"secret:x:0:0", r"of numbers \(ValueError\); save"),
        ("p.npy", b"\x93NUMPY\x01\x00\x0a\x00{'secret':", r"of numbers \(\w+\); save"),
    ],
)
def test_files_without_points_are_refused_with_the_reason(tmp_path, name, content, match):
    with pytest.raises(ValueError, match=match):
        PointCloud(saved(tmp_path, name, content))


NOISE = np.random.default_rng(0).normal(size=(500, 2))
LOST = {
    "map coordinates": (4e5 + 3 * NOISE[:, :1], 5e6 + NOISE[:, :1]),
    "seconds since 1970": (1.7e9 + 40000 * NOISE,),
    "identifiers": (20_000_001 + np.arange(500)[:, None],),
    "large identifiers": (2**53 + np.arange(500)[:, None],),
    "unsigned": (np.uint64(2**63) + np.arange(500, dtype=np.uint64)[:, None],),
    "tiny": (1e-50 * NOISE,),
    "one of two columns": (NOISE[:, :1], 1e-300 * NOISE[:, 1:]),
    "two sites far apart": (np.concatenate([NOISE, 1e7 + 0.1 * NOISE]),),
}


@pytest.mark.parametrize("ending", ["csv", "npy"])
@pytest.mark.parametrize("columns", LOST.values(), ids=LOST)
def test_points_that_fewer_digits_cannot_tell_apart_are_refused(tmp_path, columns, ending):
    points = np.concatenate(columns, 1)
    path = tmp_path / f"p.{ending}"
    if ending == "npy":
        np.save(path, points)
    else:
        integers = points.dtype.kind in "iu"
        np.savetxt(path, points, delimiter=",", fmt="%d" if integers else "%.17g")
    lost = r"float(32|64) cannot tell the points apart in column [01] \(|.*differ only beyond"
    match = rf"p.{ending}: ({lost}).*subtract"
    with pytest.raises(ValueError, match=match):
        PointCloud(path)


def test_the_columns_that_are_lost_are_named():
    points = torch.from_numpy(np.concatenate([NOISE[:, :1], 5e6 + NOISE], 1))
    with pytest.raises(ValueError, match=r"apart in column 1 \(.*, column 2 \(") as caught:
        PointCloud(points).to("cpu", torch.float32)
    assert "column 0" not in str(caught.value)
    kept = PointCloud(points, 0)
    assert len(kept.sample((4000,)).unique(dim=0)) > 480
    torch.testing.assert_close(kept.mean, points.mean(0))
    with pytest.raises(ValueError, match="PointCloud: float32 cannot tell"):
        PointCloud(torch.arange(2**24, 2**24 + 50)[:, None])


KEPT = {
    "normal": NOISE,
    "many": np.random.default_rng(1).normal(size=(2**18, 1)),
    "heavy tails": np.random.default_rng(2).standard_cauchy(size=(20000, 2)),
    "log-normal": np.exp(5 * np.random.default_rng(3).normal(size=(20000, 1))),
    "uniform": np.random.default_rng(4).random((2**18, 1)),
    "columns of any scale": np.concatenate([1e-20 * NOISE, 1e20 * NOISE], 1),
    "rounding noise of sums": np.repeat(NOISE, 3, 0) * (1 + 1e-15 * np.ones((1500, 2)).cumsum(0)),
    "a wide map": np.array([4e5, 5e6]) + 1e5 * NOISE,
    "a constant column": np.concatenate([NOISE, np.full((500, 1), 1 / 3)], 1),
    "few values": np.round(NOISE, 1),
    "identifiers": np.arange(500)[:, None],
}


@pytest.mark.parametrize("points", KEPT.values(), ids=KEPT)
def test_points_that_single_precision_holds_are_not_refused(points):
    given = torch.from_numpy(points)
    assert PointCloud(given.double()).to("cpu", torch.float32).points.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("n", [50, 500, 50000])
def test_half_precision_is_judged_by_what_it_can_hold(dtype, n):
    points = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    assert PointCloud(points).to("cpu", dtype).points.dtype == dtype
    with pytest.raises(ValueError, match="cannot tell the points apart"):
        PointCloud(points + 5000).to("cpu", dtype)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Box([1.0, 1e-300]), "half side 1e-300 is 0 in torch.float32"),
        (lambda: Ring(weights=[1.0, 1e-300], modes=2), "weight 1e-300 is 0 beside the others"),
        (lambda: Gaussian(0.0, 1e-300), "scale"),
        (lambda: Gaussian(1e300, 1.0), "loc = inf"),
        (lambda: Ball(1e-300, 2), "radius = 0"),
    ],
)
def test_parameters_that_vanish_or_overflow_are_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv: no such file"):
        PointCloud("nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png: no such file"):
        ImageDensity("nowhere.png")


def test_fine_uniform_numbers_stay_below_one_and_tell_millions_apart():
    top = 1 - 2**-24
    pairs = torch.tensor([[top, top], [top, 0.0], [0.0, top], [0.0, 0.0]])
    fine = fine_uniform(pairs)
    assert fine.max() < 1
    assert (fine[0] - fine[1]) * 2**24 == pytest.approx(top)
    assert fine[2] * 2**24 == pytest.approx(top)
    assert fine_uniform(torch.tensor([[1 - 2**-53, top]], dtype=torch.float64)).max() < 1


def test_every_one_of_twelve_million_points_is_as_likely_as_the_next():
    """By 24 random bits alone, every third would come up twice as often as its neighbours."""
    cloud = PointCloud(torch.arange(3 * 2**22)[:, None].float(), 0)
    x = cloud.sample((20000,)).squeeze(-1).long()
    assert stats.chisquare(torch.bincount(x % 3)).pvalue > 1e-4


def picture(folder, pixels, name="picture.png"):
    path = folder / name
    matplotlib.image.imsave(path, pixels)
    return path


GREY = np.array([[0, 255, 51], [255, 102, 255]], dtype=np.uint8)


@pytest.mark.parametrize("name", ["picture.png", "picture.bmp"])
def test_a_picture_stands_upright_and_dark_pixels_carry_the_mass(tmp_path, name):
    path = picture(tmp_path, np.repeat(GREY[..., None], 3, 2), name)
    law = ImageDensity(path, height=2.0)
    mass = 1 - torch.tensor(GREY).double() / 255
    mass = mass / mass.sum()
    centres = torch.tensor([[[x, y] for x in (-1.0, 0.0, 1.0)] for y in (0.5, -0.5)])
    torch.testing.assert_close(law.log_prob(centres).exp(), mass.float())
    torch.testing.assert_close(law.mean, (mass[..., None] * centres).sum((0, 1)).float())
    assert law.log_prob(torch.tensor([[1.6, 0.0], [0.0, -1.1]])).isneginf().all()
    bright = ImageDensity(path, dark=False)
    assert bright.log_prob(torch.tensor([-1.0, 0.5])) == -math.inf
    assert bright.log_prob(torch.tensor([0.0, 0.5])) > bright.log_prob(torch.tensor([0.0, -0.5]))


def test_transparent_pixels_carry_no_mass_whatever_their_colour(tmp_path):
    pixels = np.zeros((1, 4, 4), dtype=np.uint8)
    pixels[0, :, 3] = [0, 255, 51, 0]
    for dark, shade in ((True, 0), (False, 255)):
        pixels[..., :3] = shade
        law = ImageDensity(picture(tmp_path, pixels), dark=dark)
        expected = torch.tensor([[0.0], [5 / 6], [1 / 6], [0.0]])
        torch.testing.assert_close(law.probabilities, expected)


def test_colours_become_grey_by_their_luma():
    colours = torch.eye(3)[None]  # red, green, blue
    law = ImageDensity(colours, dark=False)
    torch.testing.assert_close(law.probabilities[:, 0], torch.tensor([0.299, 0.587, 0.114]))
    white = torch.ones(2, 2, 3)
    with pytest.raises(ValueError, match="no pixel carries mass with dark=True"):
        ImageDensity(white)


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (torch.zeros(4, 4, 2), r"levels of shape \(4, 4, 2\)"),
        (torch.zeros(4), r"levels of shape \(4,\)"),
        (torch.tensor([[0.0, 255.0]]), r"level 255 is outside \[0, 1\]; divide"),
        (torch.tensor([[0.0, math.nan]]), "level nan is outside"),
        (torch.ones(3, 3), "picture is blank, or wants dark=False"),
    ],
    ids=["channels", "line", "bytes", "nan", "blank"],
)
def test_levels_that_are_no_picture_are_refused(image, match):
    with pytest.raises(ValueError, match=match):
        ImageDensity(image)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("p.svg", "<svg/>", r"cannot read '\.svg'; give one of \.png"),
        ("p.png", b"no picture", "p.png: is no whole image"),
        ("p.png", b"\x89PNG\r\n\x1a\n", "is no whole image"),
        ("p.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no whole image"),
    ],
    ids=["ending", "text", "truncated", "PostScript"],
)
def test_files_that_are_no_picture_are_refused(tmp_path, name, content, match):
    with pytest.raises(ValueError, match=match):
        ImageDensity(saved(tmp_path, name, content))


@pytest.mark.parametrize(
    ("kind", "argument", "name"),
    [("PointCloud", "points", "p.csv"), ("ImageDensity", "image", "picture.png")],
)
def test_a_configuration_names_the_file(tmp_path, kind, argument, name):
    saved(tmp_path, "p.csv", "x,y\n0,1\n2,3\n4,5\n")
    picture(tmp_path, np.repeat(GREY[..., None], 3, 2))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--target", type=Target)
    target = {"class_path": f"gans.{kind}", "init_args": {argument: str(tmp_path / name)}}
    parsed = parser.parse_object({"target": target})
    assert str(tmp_path / name) in parser.dump(parsed)
    law = parser.instantiate_classes(parsed).target
    assert law.draw(Streams([0, 1]), 5).shape == (2, 5, 2)


@pytest.mark.parametrize(
    "law", [Checkerboard(7.3, 5), ImageDensity(torch.tensor(GREY) / 255, 0.7)], ids=["5", "ink"]
)
def test_no_drawn_point_lies_outside_the_cells_and_entropy_is_the_mean_surprise(law):
    log_prob = law.log_prob(law.sample((200000,))).double()
    assert torch.isfinite(log_prob).all()
    error = log_prob.std() / len(log_prob) ** 0.5
    assert (-log_prob.mean() - law.entropy()).abs() <= 5 * error + 1e-5


def test_what_stands_in_a_file_is_not_in_the_message(tmp_path):
    path = saved(tmp_path, "keys.csv", "1,2\nuser,secret word\n")
    with pytest.raises(ValueError, match="line 2, column 1") as refused:
        PointCloud(path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("header", "x,y\n0,1\n2,-1\n5,0.5\n"),
        ("quotes", '"x","y, in m"\n"0",1\n2,-1\n5,0.5\n'),
        ("comments", "# made by hand\nx,y\n\n0,1\n2,-1  # here\n5,0.5\n"),
    ],
)
def test_a_header_is_no_point(tmp_path, name, text):
    cloud = PointCloud(saved(tmp_path, f"{name}.csv", text), 0)
    torch.testing.assert_close(cloud.points, torch.tensor(POINTS).float())


def parquet(folder, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(
        pyarrow.table(columns), folder / "p.parquet"
    )
    return folder / "p.parquet"


def test_points_of_a_parquet_file_are_those_of_its_columns(tmp_path):
    path = parquet(tmp_path, x=POINTS[:, 0], y=POINTS[:, 1].astype(np.float32), z=[1, 2, 3])
    expected = np.concatenate([POINTS, [[1], [2], [3]]], 1)
    torch.testing.assert_close(PointCloud(path, 0).points, torch.tensor(expected).float())


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"x": [1.0, 2.0], "name": ["secret", "b"]}, "column 2 holds no numbers"),
        ({"x": [1.0, None, 3.0]}, "column 1 lacks 1 of 3 numbers"),
        ({"x": [1.0, 2.0], "__index_level_0__": [0, 1]}, "column 2 holds a table's row numbers"),
        ({"x": [1.0, math.nan, 3.0]}, "1 of 3 points have a NaN"),
        ({}, r"shape \(0, 0\)"),
    ],
)
def test_tables_that_hold_no_points_are_refused(tmp_path, columns, match):
    with pytest.raises(ValueError, match=match) as refused:
        PointCloud(parquet(tmp_path, **columns))
    assert "secret" not in str(refused.value)


def test_bytes_that_are_no_parquet_file_and_a_missing_reader_are_named(tmp_path, monkeypatch):
    path = saved(tmp_path, "p.parquet", b"PAR1secret")
    with pytest.raises(ValueError, match="cannot be read as an array of numbers") as refused:
        PointCloud(path)
    assert "secret" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"takes pyarrow: pip install 'gan-divergences\[table\]'"):
        PointCloud(path)


def rows(points):
    return {tuple(point) for point in points.tolist()}


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_held_out_points_are_none_of_training_and_none_of_them_twice(dimension):
    points = torch.randn(500, dimension, generator=torch.Generator().manual_seed(0))
    cloud = PointCloud(points, share_held_out=0.3, seed=7)
    assert (len(cloud.points), len(cloud.kept_back)) == (350, 150)
    assert rows(cloud.points) | rows(cloud.kept_back) == rows(points)
    held_out, trained = cloud.held_out(Streams([0, 1]), 100), cloud.draw(Streams([0, 1]), 2000)
    assert held_out.shape == (2, 100, dimension)
    for mine in held_out:
        assert len(rows(mine)) == 100
        assert not rows(mine) & rows(trained.flatten(0, 1))
    assert rows(held_out[0]) != rows(held_out[1])
    assert torch.equal(held_out[1], cloud.held_out(Streams([1]), 100)[0])
    again, other = PointCloud(points, 0.3, seed=7), PointCloud(points, 0.3, seed=8)
    assert torch.equal(again.kept_back, cloud.kept_back)
    assert rows(other.kept_back) != rows(cloud.kept_back)


def test_every_held_out_point_is_drawn_as_often_as_the_next():
    cloud = PointCloud(torch.arange(50.0)[:, None], share_held_out=0.4)
    streams = Streams([0])
    drawn = torch.cat([cloud.held_out(streams, 7)[0, :, 0] for _ in range(1000)])
    counts = torch.stack([(drawn == value).sum() for value in cloud.kept_back[:, 0]])
    assert counts.sum() == 7000
    # without replacement the variance is that of a binomial times (m - n) / (m - 1)
    statistic = float((counts - 350).double().square().sum() / 350 * 19 / 13 * 20 / 20)
    assert stats.chi2.sf(statistic, 19) > 1e-4


def test_more_points_than_are_held_out_are_all_of_them_and_it_is_said_once():
    cloud = PointCloud(torch.arange(10.0)[:, None], share_held_out=0.3)
    with pytest.warns(UserWarning, match="3 of 8 points are there to be held out"):
        held_out = cloud.held_out(Streams([0]), 8)
    assert rows(held_out[0]) == rows(cloud.kept_back)
    assert torch.equal(cloud.held_out(Streams([0]), 8), held_out)  # and no warning
    whole = PointCloud(torch.arange(10.0)[:, None], share_held_out=0)
    with pytest.warns(UserWarning, match="measured on the points of training"):
        assert rows(whole.held_out(Streams([0]), 10)[0]) == rows(whole.points)


@pytest.mark.parametrize(
    ("n", "share", "match"),
    [
        (5, 1.0, "share_held_out = 1.0: it must be at least 0 and below 1"),
        (5, -0.1, "share_held_out = -0.1"),
        (5, math.nan, "share_held_out = nan"),
        (5, 0.9, "of 5 points 4 would be held out"),
        (2, 0.2, "of 2 points 1 would be held out"),
    ],
)
def test_a_part_that_leaves_too_little_is_refused(n, share, match):
    with pytest.raises(ValueError, match=match):
        PointCloud(torch.arange(float(n))[:, None], share)


@pytest.mark.parametrize("law", [Gaussian(0.0, 1.0), Ring()], ids=["line", "plane"])
def test_held_out_points_of_a_known_law_are_fresh_draws(law):
    assert torch.equal(law.held_out(Streams([3]), 9), law.draw(Streams([3]), 9))


@pytest.mark.parametrize("names", ["0,1", "1,2", "2019,2020", "7,7", "1000000,3"])
@pytest.mark.parametrize("rows", ["floats", "counts"])
def test_numbers_that_name_columns_are_not_taken_for_a_point(tmp_path, names, rows):
    values = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)).double()
    if rows == "counts":
        values = 50 + (10 * values).round()
        if names in ("7,7", "1000000,3"):  # nothing tells these from counts
            return
    table = "\n".join(f"{a:.6g},{b:.6g}" for a, b in values.tolist())
    path = saved(tmp_path, "p.csv", f"{names}\n{table}\n")
    with pytest.raises(ValueError, match="line 1 holds whole numbers, unlike the lines below"):
        read_points(path)
    point = ",".join(f"{name}.0" for name in names.split(","))
    assert len(read_points(saved(tmp_path, "q.csv", f"{point}\n{table}\n"))) == 31


@pytest.mark.parametrize("first", ["50,51", "0,0", "49,50"])
def test_a_point_of_whole_numbers_among_such_is_a_point(tmp_path, first):
    table = "\n".join(f"{i},{100 - i}" for i in range(100))
    path = saved(tmp_path, "p.csv", f"{first}\n{table}\n")
    assert len(read_points(path)) == 101


def test_standardised_columns_are_free_of_their_units_and_come_back_in_them():
    draw = torch.Generator().manual_seed(0)
    plain = torch.randn(200, 3, dtype=torch.float64, generator=draw)
    units = torch.tensor([1e-200, 2.2e4, 1e150], dtype=torch.float64)
    origin = torch.tensor([0.0, 5e6, -1e150], dtype=torch.float64)
    one, other = (PointCloud(z, standardise=True) for z in (plain, plain * units + origin))
    for cloud in (one, other):
        torch.testing.assert_close(cloud.mean, torch.zeros(3).double(), atol=1e-9, rtol=0)
        torch.testing.assert_close(cloud.variance, torch.ones(3).double())
    torch.testing.assert_close(other.points, one.points, atol=1e-9, rtol=1e-9)
    both = torch.cat([other.as_given(z) for z in (other.points, other.kept_back)])
    wanted = plain * units + origin
    for j in range(3):  # each point once, the order being another
        torch.testing.assert_close(both[:, j].sort().values, wanted[:, j].sort().values)


def test_map_coordinates_are_taken_in_single_precision_where_they_are_standardised(tmp_path):
    np.save(tmp_path / "map.npy", 5e6 + np.random.default_rng(0).standard_normal((300, 2)))
    with pytest.raises(ValueError, match="cannot tell the points apart"):
        PointCloud(tmp_path / "map.npy")
    assert PointCloud(tmp_path / "map.npy", standardise=True).points.dtype == torch.float32


def test_a_constant_column_is_standardised_to_0_and_comes_back():
    points = torch.tensor([[3.3, 1.0], [3.3, 2.0], [3.3, 4.0], [3.3, 8.0]])
    cloud = PointCloud(points, 0.0, standardise=True)
    assert (cloud.points[:, 0] == 0).all()
    torch.testing.assert_close(cloud.as_given(cloud.points), points.double())


@pytest.mark.parametrize("columns", [1, 3])
def test_decimal_commas_are_not_taken_for_two_columns(tmp_path, columns):
    points = np.random.default_rng(0).standard_normal((40, columns))
    lines = [",".join(f"{x:.4f}".replace(".", ",") for x in row) for row in points]
    (tmp_path / "points.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="decimal commas"):
        PointCloud(tmp_path / "points.csv")
    counts = np.random.default_rng(0).poisson(30, (40, 2))
    np.savetxt(tmp_path / "counts.csv", counts, "%d", ",")
    assert PointCloud(tmp_path / "counts.csv").points.shape[1] == 2


def test_a_file_of_more_numbers_than_memory_is_refused_with_its_size(tmp_path):
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**14, 2)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match=r"huge\.npy: announces more numbers .* of 128 bytes"):
        read_points(path)
