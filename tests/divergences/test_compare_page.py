"""The page of a comparison: complete, alone, and harmless whatever its columns are called."""

import html5lib
import numpy as np
import pytest

from divergences import compare
from divergences.comparison.tables import Table, numbers

HOSTILE = ("<script>alert(1)</script>", "$x_{$", "a\x1b[2J\u202eb")


@pytest.fixture(scope="module")
def found():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((60, 3)), draw.standard_normal((50, 3)) + np.array([3, 0, 0])
    tables = [Table(HOSTILE[0], numbers(z, "z"), HOSTILE) for z in (x, y)]
    return compare(*tables, permutations=99)


def test_the_page_is_whole_and_alone(found):
    text = found.to_html()
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(text)
    assert not tree.findall(".//script")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert all(node.get("src", "data:").startswith("data:") for node in tree.iter())
    shown = " ".join("".join(tree.itertext()).split())
    assert "the samples differ (p = .01)" in shown
    assert all(name in shown for name in found.tests)
    assert len(tree.findall(".//table")) == 3


def test_the_figure_has_the_overlay_and_the_columns_that_differ_most(found):
    drawn = found.figure()
    assert len(drawn.axes) == 4
    assert HOSTILE[0][:20] in drawn.axes[1].get_xlabel()
    labels = [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
    assert any("not covered" in label for label in labels)
