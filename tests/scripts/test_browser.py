"""The report in a real browser: quiet, alone, moved by the keyboard, legible in light and dark."""

import json
import math
import shutil
from itertools import pairwise

import pytest
import torch
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

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
      return [text("#theta-now"), text("#slope-now"),
        rows("value"), rows("gradient"), rows("trained")];""")


@pytest.mark.parametrize("step", [-200, -60, -20, 0, 1, 60, 200])
def test_the_sliders_show_the_exact_divergences(browser, step):
    theta = step / 200
    slope = 2 ** (step % 7 - 2)
    put(browser, "#theta", step)
    put(browser, "#slope", round(4 * math.log2(slope)))
    now, at, values, gradients, _ = moved(browser)
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


def test_what_was_trained_at_this_theta_stands_beside_it(browser):
    data, limited = report_folder.segments(), report_folder.limited_slope()
    put(browser, "#theta", 60)
    put(browser, "#slope", 4)
    trained = moved(browser)[-1]
    column = data["thetas"].index(0.3)
    for row in data["measured"]:
        value, error = read(trained[row["exact"].lower()])
        assert value == pytest.approx(row["values"][column], abs=row["stderr"][column] / 10)
        assert error == pytest.approx(row["stderr"][column], rel=0.05)
    assert read(trained["limited"])[0] == pytest.approx(limited["js"][2][1], abs=1e-5)
    put(browser, "#slope", 5)
    assert moved(browser)[-1]["limited"] == "–"  # nothing was trained at that L
    put(browser, "#theta", 61)
    assert set(moved(browser)[-1].values()) == {"–"}  # nor at that theta


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


@pytest.mark.parametrize("slope", [-12, 4, 12, 28])
def test_one_look_shows_js_of_limited_slope_between_the_two(browser, slope):
    """At every L: nowhere above JS, nowhere below W1 as far as theta = 1, where all three meet."""
    put(browser, "#slope", slope)
    heights = browser.execute_script("""
      const line = (name) => [...document.querySelectorAll(`#moved-values .line.q-${name}`)].at(-1)
        .getAttribute("d").match(/[\\d.]+ [\\d.]+/g).map((pair) => pair.split(" ").map(Number));
      return ["js", "limited", "w1"].map(line);""")
    js, limited, w1 = ([y for _, y in line] for line in heights)
    within = [y for y in w1 if y > js[0]]  # pixels count downward
    for above, between, below in zip(js, limited, within, strict=False):
        assert above - 0.02 <= between <= below + 0.02
    middle = len(within) // 2
    share = (limited[middle] - js[0]) / (within[middle] - js[0])
    assert {-12: share > 0.98, 4: 0.8 < share < 0.98, 12: 0.1 < share < 0.7, 28: share < 0.02}[
        slope
    ]


def test_values_are_drawn_as_they_are_if_that_is_asked(browser):
    height = """return document.querySelectorAll("#moved-values .line.q-js").item(1)
      .getAttribute("d").match(/[\\d.]+/g).map(Number)[1]"""
    same = browser.execute_script(height)
    find(browser, "#same-height").send_keys(Keys.SPACE)
    bottom, top = 230, 18  # of the plot, from 0 to 1.2
    assert browser.execute_script(height) == pytest.approx(
        bottom - (bottom - top) * math.log(2) / 1.2, abs=0.01
    )
    assert same == pytest.approx(bottom - (bottom - top) / 1.2, abs=0.01)


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
    assert read(moved(browser)[0]) == [0.3]
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


def frame(driver, iteration=""):
    """Wait until the worker's answer is drawn; what is said of it."""
    script = """
      const done = arguments[1];
      const now = document.getElementById("live-now");
      const shown = arguments[0];
      const there = () => shown ? now.textContent === shown : now.textContent !== "–";
      const wait = () => there()
        ? done([...document.querySelectorAll("#live-now, [data-live]")].map((o) => o.textContent))
        : setTimeout(wait, 20);
      wait();"""
    return driver.execute_async_script(script, iteration)


def choose(driver, **settings):
    """Choose on the form of the game, one after another, as a reader would."""
    for name, value in settings.items():
        put(driver, f"#live-settings [name={name}]", value)


def test_a_game_trains_in_the_page_step_by_step(browser):
    choose(browser, warmup="0")
    now, own, w1, js, *_ = frame(browser)
    assert (now, read(w1), read(js)) == ("0", [1], [0.6931])
    find(browser, "#live-step").send_keys(Keys.SPACE)
    now, after, *_ = frame(browser, "1")
    assert after != own
    assert browser.get_log("browser") == []


def test_every_game_is_drawn_without_a_word_on_the_console(browser):
    choose(browser, warmup="0")
    for game in ("segments", "ring"):
        for objective in ("saturating", "nonSaturating", "wasserstein"):
            for constraint in ("none", "clipping", "penalty", "spectral"):
                choose(browser, game=game, objective=objective, constraint=constraint)
                frame(browser)
                find(browser, "#live-step").send_keys(Keys.SPACE)
                frame(browser, "1")
                section = find(browser, "#live-section").get_attribute("innerHTML")
                shown = section[: section.index("live-source")]
                assert "NaN" not in shown
                assert "undefined" not in shown
                network = "critic" if objective == "wasserstein" else "discriminator"
                assert f"{network} steps per iteration" in find(browser, "#live-settings").text
    assert browser.get_log("browser") == []


def test_a_wasserstein_critic_always_has_a_constraint_and_others_need_none(browser):
    value = "return document.querySelector('[name=constraint]').value"
    assert browser.execute_script(value) == "penalty"
    choose(browser, objective="saturating")
    assert browser.execute_script(value) == "none"
    choose(browser, objective="wasserstein", constraint="none", warmup="0")
    assert browser.execute_script(value) == "penalty"
    frame(browser)
    assert browser.get_log("browser") == []


def test_nothing_of_the_old_game_is_shown_while_a_critic_trains_alone(browser):
    frame(browser)
    said = browser.execute_script("""
      const warmup = document.querySelector("[name=warmup]");
      warmup.value = "2000";
      warmup.dispatchEvent(new Event("change", { bubbles: true }));
      const canvas = document.getElementById("live-picture");
      const drawn = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const busy = document.getElementById("live-busy");
      return [busy.checkVisibility(), busy.textContent, drawn.some((value) => value !== 0),
        document.querySelectorAll("#live-curves *").length,
        [...document.querySelectorAll("[data-live]")].map((output) => output.textContent)];""")
    assert said == [True, "Training the critic alone: step 0 of 2000 …", False, 0, ["–"] * 5]
    frame(browser)
    assert not visible(browser, "#live-busy")


def test_another_choice_goes_on_playing(browser):
    choose(browser, warmup="0")
    frame(browser)
    find(browser, "#live-play").send_keys(Keys.SPACE)
    choose(browser, objective="saturating")
    WebDriverWait(browser, 30).until(lambda _: frame(browser)[0] > "0")
    assert find(browser, "#live-play").text == "Pause"
    find(browser, "#live-reset").send_keys(Keys.SPACE)
    assert find(browser, "#live-play").text == "Play"
    frame(browser, "0")


@pytest.mark.parametrize(
    ("frame", "chosen", "said"),
    [
        ({"pull": 4e-7}, {}, ["all but stand still", "close to its optimum"]),
        ({"own": -6.7, "pull": 8.9}, {}, ["the pull is 8.9", "7.4 below JS"]),
        ({"own": 0.9}, {"objective": "wasserstein"}, ["the critic's value is 90 % of W1"]),
        ({"w1": 0.02}, {"objective": "wasserstein"}, ["the segments all but coincide"]),
        ({"fake": [0, 0, 5, 0, 0, -3, 0, 1]}, {}, ["2 of 4 points lie outside"]),
    ],
    ids=["stalled", "far", "critic", "arrived", "outside"],
)
def test_what_is_said_of_a_game_follows_from_its_state(browser, frame, chosen, said):
    state = {"iteration": 3, "own": 0.693, "w1": 1, "js": math.log(2), "pull": 1, "fake": [0, 0]}
    state["extent"] = [-2, 2, -2, 2]
    plain = {"game": "segments", "objective": "saturating", "constraint": "none"}
    script = "return stateOf(arguments[0], arguments[1])"
    text = browser.execute_script(script, state | frame, plain | chosen)
    assert [words for words in said if words not in text] == []
    assert ("stand still" in text) == (frame.get("pull", 1) < 1e-3)
    assert ("outside" in text) == ("fake" in frame)


@pytest.mark.slow
def test_a_ring_makes_thirty_steps_a_second_while_it_is_drawn(browser):
    """On a free core, under every objective and constraint."""
    rates = {}
    choose(browser, game="ring", warmup="0")
    for objective in ("saturating", "nonSaturating", "wasserstein"):
        for constraint in ("none", "clipping", "penalty", "spectral"):
            if (objective, constraint) == ("wasserstein", "none"):
                continue
            choose(browser, objective=objective, constraint=constraint)
            frame(browser)
            find(browser, "#live-play").send_keys(Keys.SPACE)
            browser.execute_async_script("setTimeout(arguments[0], 500)")
            count = "return [document.getElementById('live-now').textContent, performance.now()]"
            start, began = browser.execute_script(count)
            browser.execute_async_script("setTimeout(arguments[0], 2000)")
            end, ended = browser.execute_script(count)
            rates[objective, constraint] = 1000 * (int(end) - int(start)) / (ended - began)
            find(browser, "#live-play").send_keys(Keys.SPACE)
    assert min(rates.values()) > 30, rates


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
    browser.execute_async_script("setTimeout(arguments[0], 600)")
    play.send_keys(Keys.SPACE)
    assert play.text == "Play"
    stopped = find(browser, "#iteration-now").text
    assert iterations[0] < int(stopped) < iterations[-1]
    browser.execute_async_script("setTimeout(arguments[0], 500)")
    assert find(browser, "#iteration-now").text == stopped


def test_it_stops_at_the_end_and_begins_anew(browser):
    put(browser, "#speed", "8")
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
    browser.execute_script("document.querySelector('.skip').focus()")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    for _ in range(40):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        active = browser.switch_to.active_element
        reached.append(active.get_attribute("id"))
        assert active.value_of_css_property("outline-style") == "solid", reached
        if reached[-1] == "speed":
            break
    assert [name for name in reached if name] == [
        *("theta", "slope", "same-height", "theta-log"),
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
