"""The report in a real browser: quiet, alone, moved by the keyboard, legible in light and dark."""

import json
import math
import shutil
from itertools import pairwise

import pytest
import torch
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from divergences import exact
from gans.targets import ParallelSegments
from scripts.arguments.lipschitz_js.limited_slope import limited_js, limited_js_slope
from scripts.report import write_report
from tests import report_folder

CLAIMS = [claim.id for claims in report_folder.CLAIMS.values() for claim in claims]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(report_folder.make(tmp_path_factory.mktemp("reproduce"))).as_uri()


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
    script = "return [...document.querySelectorAll('.game canvas')]"
    script += ".filter((c) => c.checkVisibility()).map((c) => c.toDataURL())"
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
    addresses = [request["request"]["url"] for request in sent]
    assert [address for address in addresses if not address.startswith("blob:")] == [page]


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


def put(driver, selector, value):
    """Move a slider, or choose, as a reader would."""
    driver.execute_script(
        "const node = document.querySelector(arguments[0]); node.value = arguments[1];"
        "node.dispatchEvent(new Event('input', { bubbles: true }));"
        "node.dispatchEvent(new Event('change', { bubbles: true }));",
        selector,
        value,
    )


def moved(driver):
    """Theta, L, and the exact values and derivatives beside the sliders."""
    return driver.execute_script("""
      const text = (selector) => document.querySelector(selector).textContent;
      const rows = (kind) => Object.fromEntries(
        [...document.querySelectorAll(`[data-${kind}]`)].map(
          (output) => [output.dataset[kind], output.textContent]));
      return [text("#theta-now"), text("#slope-now"), text("#theta-near"),
        rows("value"), rows("gradient"), rows("trained")];""")


@pytest.mark.parametrize("step", [-200, -60, -20, 0, 1, 60, 200])
def test_the_sliders_show_the_exact_divergences(browser, step):
    theta = step / 200
    slope = 2 ** (step % 7 - 2)
    put(browser, "#theta", step)
    put(browser, "#slope", round(4 * math.log2(slope)))
    now, at, _, values, gradients, _ = moved(browser)
    assert read(now) == pytest.approx([theta])
    assert read(at) == pytest.approx([slope])
    home, away = ParallelSegments(0.0), ParallelSegments(theta)
    distance = torch.tensor(theta, dtype=torch.float64)
    exactly = {
        "kl": exact.kl_divergence(home, away),
        "tv": exact.total_variation(home, away),
        "js": exact.js_divergence(home, away),
        "w1": exact.wasserstein(home, away),
        "limited": limited_js(distance, slope),
    }
    for name, value in exactly.items():
        assert read(values[name]) == pytest.approx([float(value)], rel=6e-4), name
    if theta == 0:
        assert set(gradients.values()) == {"–"}
        return
    assert read(gradients["js"]) == read(gradients["tv"]) == [0]
    assert read(gradients["w1"]) == [math.copysign(1, theta)]
    pull = math.copysign(1, theta) * float(limited_js_slope(distance, slope))
    assert read(gradients["limited"]) == pytest.approx([pull], rel=6e-4)


def test_beside_it_stands_what_was_trained_nearest(browser):
    data, limited = report_folder.segments(), report_folder.limited_slope()
    put(browser, "#theta", 55)
    put(browser, "#slope", 4)
    _, _, near, _, _, trained = moved(browser)
    assert read(near) == [0.3]
    column = data["thetas"].index(0.3)
    for row in data["measured"]:
        value, error = read(trained[row["exact"].lower()])
        assert value == pytest.approx(row["values"][column], abs=row["stderr"][column] / 10)
        assert error == pytest.approx(row["stderr"][column], rel=0.05)
    assert read(trained["limited"])[0] == pytest.approx(limited["js"][2][1], abs=1e-5)
    put(browser, "#slope", 5)
    assert moved(browser)[-1]["limited"] == "–"  # nothing was trained at that L


def test_one_look_shows_js_flat_and_w1_straight(browser):
    """The lines that are drawn, in pixels: the heights of their points over the true scale."""
    heights = browser.execute_script("""
      const line = (name) => [...document.querySelectorAll(`#moved-values .line.q-${name}`)].at(-1)
        .getAttribute("d").match(/[\\d.]+ [\\d.]+/g).map((pair) => pair.split(" ").map(Number));
      return ["js", "w1"].map(line);""")
    js, w1 = heights
    assert len({y for _, y in js}) == 1
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(w1)]
    assert max(slopes) - min(slopes) < 0.02 * abs(slopes[0])


def test_what_was_trained_stands_there_as_points_with_error_bars(browser):
    count = """return ["circle", ".bar"].map((kind) =>
      document.querySelectorAll(`#moved-values ${kind}${arguments[0]}`).length)"""
    put(browser, "#slope", 4)
    points, bars = browser.execute_script(count, ".q-w1")
    assert points == bars == len(report_folder.THETAS)
    assert browser.execute_script(count, ".q-limited") == [3, 3]  # of four; one is at theta = 3
    put(browser, "#slope", 6)
    assert browser.execute_script(count, ".q-limited") == [0, 0]


def test_the_logarithmic_axis_keeps_theta_and_reaches_small_ones(browser):
    put(browser, "#theta", 60)
    find(browser, "#theta-log").send_keys(Keys.SPACE)
    assert read(moved(browser)[0]) == pytest.approx([0.3], rel=0.05)
    put(browser, "#theta", 25)
    assert 0 < read(moved(browser)[0])[0] < 0.003
    put(browser, "#theta", 0)
    assert read(moved(browser)[0]) == [0]


def test_arrow_keys_move_theta(browser):
    slider = find(browser, "#theta")
    slider.send_keys(Keys.HOME)
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert read(moved(browser)[0]) == [-0.99]
    assert slider.get_attribute("aria-valuetext") == "θ = −0.99"


def frame(driver):
    """Wait until the worker's answer is drawn; what is said of it."""
    script = """
      const done = arguments[0];
      const wait = () => document.querySelector('[data-live="w1"]').textContent
        ? done([...document.querySelectorAll("#live-now, [data-live]")].map((o) => o.textContent))
        : setTimeout(wait, 20);
      wait();"""
    return driver.execute_async_script(script)


def test_a_game_trains_in_the_page_step_by_step(browser):
    put(browser, "[name=warmup]", "0")
    now, own, w1, js, *_ = frame(browser)
    assert (now, read(w1), read(js)) == ("0", [1], [0.6931])
    find(browser, "#live-step").send_keys(Keys.SPACE)
    browser.execute_async_script(
        "const wait = () => document.getElementById('live-now').textContent === '1'"
        " ? arguments[0]() : setTimeout(wait, 20); const done = arguments; wait();".replace(
            "arguments[0]()", "done[0]()"
        )
    )
    now, after, *_ = frame(browser)
    assert now == "1"
    assert after != own
    put(browser, "[name=objective]", "wasserstein")
    assert find(browser, "[name=constraint]").get_attribute("value") == "penalty"
    assert browser.get_log("browser") == []


def test_arrow_keys_move_the_iteration_its_numbers_mark_and_canvas(browser):
    data = report_folder.training()
    slider = find(browser, "#iteration")
    slider.send_keys(Keys.HOME)
    before, start = pixels(browser), mark(browser, "#training-section")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert find(browser, "#iteration-now").text == str(data["iterations"][3])
    assert mark(browser, "#training-section") != start
    after = pixels(browser)
    assert all(a != b for a, b in zip(after, before, strict=True))
    curves = [curve for game in data["games"] for curve in game["curves"]]
    outputs = browser.find_elements(By.CSS_SELECTOR, "#training-section .curve output")
    shown = [read(output.get_attribute("textContent"))[0] for output in outputs]
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
      const canvas = document.querySelector(".game canvas");
      const at = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
      const [right, bottom] = [canvas.width - 1, canvas.height - 1];
      return [at(0, bottom), at(right, bottom), at(0, 0), at(right, 0)];"""
    low, *high = chromium.execute_script(corners)
    assert len(set(high)) == 1
    assert low > high[0] + 40  # in light the low end of the shade is the brighter one


def test_it_starts_at_the_first_iteration_plays_and_pauses(browser):
    iterations = report_folder.training()["iterations"]
    assert find(browser, "#iteration-now").text == str(iterations[0])
    put(browser, "#speed", "4")
    play = find(browser, "#play")
    play.send_keys(Keys.SPACE)
    assert play.text == "Pause"
    browser.execute_async_script("setTimeout(arguments[0], 400)")
    play.send_keys(Keys.SPACE)
    assert play.text == "Play"
    stopped = find(browser, "#iteration-now").text
    assert iterations[0] < int(stopped) < iterations[-1]
    browser.execute_async_script("setTimeout(arguments[0], 300)")
    assert find(browser, "#iteration-now").text == stopped


def test_it_stops_at_the_end_and_begins_anew(browser):
    put(browser, "#speed", "4")
    put(browser, "#iteration", report_folder.STEPS - 2)
    play = find(browser, "#play")
    play.send_keys(Keys.SPACE)
    browser.execute_async_script("setTimeout(arguments[0], 500)")
    assert play.text == "Play"
    last = str(report_folder.training()["iterations"][-1])
    assert find(browser, "#iteration-now").text == last
    play.send_keys(Keys.SPACE)
    assert play.text == "Pause"
    assert find(browser, "#iteration-now").text != last


def test_any_two_games_stand_side_by_side_and_change_places(browser):
    shown = """return [...document.querySelectorAll(".game")].filter((g) => g.checkVisibility())
      .sort((a, b) => a.style.order - b.style.order)
      .map((g) => g.querySelector("h3").textContent)"""
    names = [game["name"] for game in report_folder.training()["games"]]
    assert browser.execute_script(shown) == names[:2]
    put(browser, "[name=right]", "2")
    assert browser.execute_script(shown) == [names[0], names[2]]
    put(browser, "[name=left]", "2")
    assert browser.execute_script(shown) == [names[2], names[0]]


def test_panels_side_by_side_are_aligned(browser):
    tops = """return [...document.querySelectorAll(".game")].filter((g) => g.checkVisibility())
      .map((g) => [...g.querySelectorAll("canvas, .chart")].map((e) =>
        Math.round(e.getBoundingClientRect().top)))"""
    left, right = browser.execute_script(tops)
    assert left == right


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
    for _ in range(40):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        active = browser.switch_to.active_element
        reached.append(active.get_attribute("id"))
        assert active.value_of_css_property("outline-style") == "solid", reached
        if reached[-1] == "speed":
            break
    assert [name for name in reached if name] == [
        *("theta", "slope", "theta-log"),
        *("live-play", "live-step", "live-reset"),
        *("play", "iteration", "speed"),
    ]


def test_without_scripts_the_tables_and_the_figure_stand_in(chromium, page):
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    chromium.get(page)
    for shown in ("#theta-table table", "#figure-training", "#true .source", "#true math"):
        assert visible(chromium, shown)
    for hidden in ("#theta", "#play", "canvas", ".moved", "#live-play"):
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
