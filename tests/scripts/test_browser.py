"""The report in a real browser: quiet, alone, moved by the keyboard, legible in light and dark."""

import json
import re
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from scripts.report import write_report
from tests import report_folder

BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage "
    "--window-size=1400,1000"
)
CLAIMS = [claim.id for claims in report_folder.CLAIMS.values() for claim in claims]

pytestmark = pytest.mark.skipif(
    not (BROWSER.exists() and DRIVER.exists()),
    reason=f"needs {BROWSER} and {DRIVER}: Debian's packages chromium and chromium-driver",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(report_folder.make(tmp_path_factory.mktemp("reproduce"))).as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    profile = tmp_path_factory.mktemp("profile")
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(str(DRIVER)))  # given, so that none is looked for
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, page):
    """The page, freshly loaded, in light and with motion."""
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    media(chromium)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    chromium.get(page)
    return chromium


def media(driver, kind="", scheme="light", motion="no-preference"):
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
    listed = [{"name": name, "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": listed})


def find(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def read(text):
    """The numbers of an output as Python has them."""
    return [float(n) for n in text.replace("−", "-").replace("∞", "inf").split(" ± ")]


def pixels(driver):
    script = "return [...document.querySelectorAll('canvas')].map((c) => c.toDataURL())"
    return driver.execute_script(script)


def mark(driver, section):
    return find(driver, f"{section} .chart .mark").get_attribute("transform")


def visible(driver, selector):
    """Whether the browser renders the element, folded parts and all rules considered."""
    return driver.execute_script("return arguments[0].checkVisibility()", find(driver, selector))


def test_it_is_quiet_and_asks_for_nothing_but_itself(browser, page):
    find(browser, "#play").send_keys(Keys.SPACE)
    find(browser, "#theta").send_keys(Keys.HOME)
    assert browser.get_log("browser") == []
    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert [request["request"]["url"] for request in sent] == [page]


def test_an_error_of_a_script_would_be_seen(browser):
    browser.execute_script("setTimeout(() => { throw new Error('seen'); })")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert any("seen" in entry["message"] for entry in browser.get_log("browser"))


def test_an_address_would_be_refused(browser):
    browser.execute_script("document.body.append(new Image().src = 'http://127.0.0.1:9/x.png')")
    browser.execute_script("fetch('http://127.0.0.1:9/').catch(() => {})")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    refused = [entry["message"] for entry in browser.get_log("browser")]
    assert any("Content Security Policy" in message for message in refused)


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_there_with_its_sentence(browser, name):
    claim = find(browser, f"article#{name}")
    assert claim.find_element(By.TAG_NAME, "blockquote").is_displayed()
    assert find(browser, f'#verdicts a[href="#{name}"]').is_displayed()


STATE = """
return [
  document.getElementById("theta-now").textContent,
  document.getElementById("theta").getAttribute("aria-valuetext"),
  document.getElementById("moving").getAttribute("transform"),
  ...Array.from(document.querySelectorAll(".readout output[data-column]"))
    .sort((a, b) => a.dataset.column - b.dataset.column)
    .map((output) => output.textContent),
];"""


def compare(text, value, stderr):
    """An output says what the record says: to four digits, or to its error's second one."""
    if value is None:
        assert text == "–"
    elif stderr is None:
        assert read(text) == pytest.approx([float(value)], rel=5e-4)
    else:
        assert read(text) == [
            pytest.approx(value, abs=stderr / 10),
            pytest.approx(stderr, rel=0.05),
        ]


def test_arrow_keys_move_theta_and_the_numbers_are_those_of_the_records(browser):
    data = report_folder.segments()
    slider = find(browser, "#theta")
    slider.send_keys(Keys.HOME)
    seen = set()
    rows = data["exact"] + data["measured"] + data["gradients"]
    for step, theta in enumerate(data["thetas"]):
        now, spoken, place, *texts = browser.execute_script(STATE)
        assert read(now) == read(spoken.removeprefix("θ = ")) == [theta]
        assert float(re.findall(r"[-\d.]+", place)[0]) == pytest.approx(150 * theta)
        for row, text in zip(rows, texts, strict=True):
            compare(text, row["values"][step], row["stderr"][step] if "stderr" in row else None)
        seen.add(mark(browser, "#theta-section"))
        slider.send_keys(Keys.ARROW_RIGHT)
    assert len(seen) == len(data["thetas"])


def test_arrow_keys_move_the_iteration_its_numbers_mark_and_canvas(browser):
    data = report_folder.training()
    slider = find(browser, "#iteration")
    slider.send_keys(Keys.HOME)
    before, start = pixels(browser), mark(browser, "#training-section")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert find(browser, "#iteration-now").text == str(data["iterations"][3])
    assert mark(browser, "#training-section") != start
    after = pixels(browser)
    assert len(after) == 2
    assert all(a != b for a, b in zip(after, before, strict=True))
    curves = [curve for game in data["games"] for curve in game["curves"]]
    outputs = browser.find_elements(By.CSS_SELECTOR, "#training-section .curve output")
    shown = [read(output.text)[0] for output in outputs]
    assert shown == pytest.approx([curve["values"][3] for curve in curves], rel=5e-4)
    low = find(browser, '.game output[data-shade="low"]').text
    assert read(low) == pytest.approx([data["games"][0]["low"][3]], rel=5e-4)


def test_the_surface_is_upright(chromium, tmp_path):
    """The first row of the data is the lowest of the picture, and its first cell on the left."""
    folder = report_folder.make(tmp_path)
    shutil.rmtree(folder / "records")  # the data are no longer those of the record
    path = folder / "data" / "training.json"
    data = json.loads(path.read_text())
    for game in data["games"]:
        side = data["side"]
        game["surface"] = [[0] * (side - 1) + [255] * (side**2 - side + 1)] * report_folder.STEPS
        game["samples"] = [[]] * report_folder.STEPS
        game["arrows"] = {"points": [], "vectors": [[]] * report_folder.STEPS}
    path.write_text(json.dumps(data | {"target": []}))
    media(chromium)
    chromium.get(write_report(folder).as_uri())
    corners = """
      const canvas = document.querySelector("canvas");
      const at = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
      const [right, bottom] = [canvas.width - 1, canvas.height - 1];
      return [at(0, bottom), at(right, bottom), at(0, 0), at(right, 0)];"""
    low, *high = chromium.execute_script(corners)
    assert len(set(high)) == 1
    assert low > high[0] + 40  # in light the low end of the shade is the brighter one


def test_play_moves_and_pause_stops(browser):
    find(browser, "#iteration").send_keys(Keys.HOME)
    play = find(browser, "#play")
    play.send_keys(Keys.SPACE)
    assert play.text == "Pause"
    browser.execute_async_script("setTimeout(arguments[0], 400)")
    play.send_keys(Keys.SPACE)
    assert play.text == "Play"
    stopped = find(browser, "#iteration-now").text
    assert int(stopped) > 0
    browser.execute_async_script("setTimeout(arguments[0], 300)")
    assert find(browser, "#iteration-now").text == stopped


def test_where_motion_is_unwelcome_the_button_goes_one_step(browser):
    media(browser, motion="reduce")
    find(browser, "#iteration").send_keys(Keys.HOME)
    play = find(browser, "#play")
    assert play.text == "Next"
    play.click()
    browser.execute_async_script("setTimeout(arguments[0], 300)")
    assert find(browser, "#iteration-now").text == str(report_folder.training()["iterations"][1])


CONTRASTS = """
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (!colour.endsWith(", 0)")) return colour;
  }
  return null;
};
const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((c) => {
    c /= 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = {};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || node.closest("script")) continue;
  const style = getComputedStyle(node);
  const colour = node.closest("svg") ? style.fill : style.color;
  const [dark, light] = [luminance(colour), luminance(ground(node))].sort((a, b) => a - b);
  const key = `${node.tagName} ${colour} on ${ground(node)}`;
  found[key] = (light + 0.05) / (dark + 0.05);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(browser, scheme):
    media(browser, scheme=scheme)
    found = browser.execute_script(CONTRASTS)
    assert len(found) > 10
    assert {what: ratio for what, ratio in found.items() if ratio < 4.5} == {}


def test_dark_is_dark_and_the_canvas_follows(browser):
    colours = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    light, drawn = browser.execute_script(colours), pixels(browser)
    media(browser, scheme="dark")
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    dark = browser.execute_script(colours)
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    assert all(a != b for a, b in zip(pixels(browser), drawn, strict=True))


@pytest.mark.parametrize("width", [400, 700, 1400])
def test_nothing_sticks_out_sideways(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    inner = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert inner <= width


def test_the_keyboard_reaches_the_controls_and_sees_where_it_is(browser):
    reached = []
    browser.execute_script("[...document.querySelectorAll('#verdicts a')].at(-1).focus()")
    for _ in range(20):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        active = browser.switch_to.active_element
        reached.append(active.get_attribute("id"))
        assert active.value_of_css_property("outline-style") == "solid", reached
        if reached[-1] == "iteration":
            break
    assert [name for name in reached if name] == ["theta", "play", "iteration"]


def test_without_scripts_the_tables_and_the_figure_stand_in(chromium, page):
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    chromium.get(page)
    for shown in ("#theta-table table", "#figure-training", "#true .source", "#true math"):
        assert visible(chromium, shown)
    for hidden in ("#theta", "#play", "canvas", ".readout"):
        assert not visible(chromium, hidden)
    assert str(report_folder.THETAS[1]).replace("-", "−") in find(chromium, "#theta-table").text
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_on_paper_everything_is_unfolded_and_nothing_moves(browser):
    assert not visible(browser, "#true h4")
    media(browser, kind="print", scheme="dark")
    for shown in ("#true h4", "#theta-table table", "#training-table table", "#figure-training"):
        assert visible(browser, shown), shown
    for hidden in ("#theta", "#play", "canvas", "nav"):
        assert not visible(browser, hidden), hidden
    assert find(browser, "body").value_of_css_property("background-color") in (
        "rgb(255, 255, 255)",
        "rgba(255, 255, 255, 1)",
    )
