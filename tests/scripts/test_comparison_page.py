"""The page of a comparison in a browser: narrow, wide and printed, and nothing runs in it."""

import base64

import numpy as np
import pytest

from divergences import compare
from divergences.comparison.tables import Table, numbers

NAMES = ("<img src=x onerror=document.title='run'>", "a column with a long name " * 4, "c")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((60, 3)), draw.standard_normal((50, 3)) + np.array([3, 0, 0])
    found = compare(*(Table(NAMES[0], numbers(z, "z"), NAMES) for z in (x, y)), permutations=19)
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    path.write_text(found.to_html(), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out_and_the_picture_is_shown(chromium, page, width):
    chromium.get(page)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    shown = chromium.execute_script("return document.images[0].getBoundingClientRect().width")
    assert 300 <= shown <= width
    assert chromium.execute_script("return document.images[0].naturalWidth") > 300
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_names_are_text_and_it_can_be_printed(chromium, page):
    chromium.get(page)
    assert chromium.execute_script("return document.images.length") == 1
    assert "onerror" in chromium.title
    printed = chromium.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")
