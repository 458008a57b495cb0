import io

import pytest
import torch

from scripts.lab.plotting import Colour, as_pictures, drawing


def weight(draw, points):
    """Bytes of a vector graphic, and whether a picture stands in it."""
    figure, axes = drawing(4, 3)
    draw(axes, torch.rand(points, 2, generator=torch.Generator().manual_seed(0)).T)
    as_pictures(figure)
    file = io.StringIO()
    figure.savefig(file, format="svg")
    return len(file.getvalue()), "<image" in file.getvalue()


@pytest.mark.parametrize(
    "draw",
    [
        lambda axes, at: axes.scatter(*at, s=4),
        lambda axes, at: axes.plot(*at, ".", ms=3),
        lambda axes, at: axes.hlines(at[0], 0, at[1]),
    ],
    ids=["scatter", "marks", "pieces"],
)
def test_many_marks_weigh_what_a_picture_weighs(draw):
    assert weight(draw, 50)[1] is False
    bytes_of_many, picture = weight(draw, 20_000)
    assert picture
    assert bytes_of_many < 200_000


def test_what_the_page_recolours_stays_an_outline():
    assert weight(lambda axes, at: axes.plot(*at, ".", color=Colour.EXACT), 1000)[1] is False


def test_a_line_without_marks_stays_a_line():
    assert weight(lambda axes, at: axes.plot(at[0].sort().values), 20_000)[1] is False
