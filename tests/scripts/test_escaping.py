"""Text from strangers is shown and does nothing: in pages, figures, terminals and spreadsheets."""

import csv
import io
import json
import shutil
import unicodedata
from pathlib import Path

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from divergences.shown_text import one_line, visible
from gans.runtime.escaping import as_cell, as_label, printable, say
from gans.runtime.files import as_csv
from scripts import reproduce
from scripts.report import write_report
from scripts.report.equations import mathml
from scripts.report.svg import read_svg
from tests import report_folder

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '" onload="alert(1)',
    "' onfocus='alert(1)",
    "<img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>",
    "<!--",
    "]]>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% for x in y %}",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "\u202e\u2066reversed\u2028\u2029",
    "&lt;b&gt;&#60;",
    "a\nb\rc\td",
    "$x_{$",
    "=cmd|' /C calc'!A0",
)


def strings(value, change):
    """The JSON value with every text in it changed, but for those that are names or numbers."""
    if isinstance(value, dict):
        return {
            key: inner if key in KEPT else strings(inner, change) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [strings(inner, change) for inner in value]
    return change(value) if isinstance(value, str) and value not in ("inf", "-inf") else value


KEPT = {"id", "argument", "figure", "verdict", "expected", "relation", "equation", "exact"}


def elements(text):
    """Every element and attribute of a page, as a strict parser sees them."""
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    return [
        (node.tag, frozenset(node.attrib)) for node in tree.iter() if isinstance(node.tag, str)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return report_folder.make(tmp_path_factory.mktemp("reproduce"))


def changed(folder, tmp_path, change):
    ignored = shutil.ignore_patterns("records")
    out = Path(shutil.copytree(folder, tmp_path / "out", ignore=ignored))
    claims = json.loads((out / "claims.json").read_text())
    (out / "claims.json").write_text(json.dumps(strings(claims, change)))
    for path in (out / "data").iterdir():
        path.write_text(json.dumps(strings(json.loads(path.read_text()), change)))
    for path in (out / "tables").iterdir():
        path.write_text(
            path.read_text().replace("a & b", '"' + change("").replace('"', '""') + '"')
        )
    return out


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_any_file_becomes_an_element_or_an_attribute(folder, tmp_path, text):
    """The page has the elements that it has with plain words in their place."""

    plain = write_report(changed(folder, tmp_path / "plain", lambda _: "word")).read_text()
    (tmp_path / "hostile").mkdir()
    page = write_report(changed(folder, tmp_path / "hostile", lambda _: text)).read_text()
    assert elements(page) == elements(plain)
    assert visible(page, "\n\t") == page


SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 viewBox="0 0 9 9" onload="alert(1)">
<script>alert(1)</script><style>@import url(http://127.0.0.1/x)</style>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></body></foreignObject>
<a xlink:href="javascript:alert(1)"><text>inside a link</text></a>
<image xlink:href="http://127.0.0.1/x.png"/><image href="data:image/svg+xml;base64,PHN2Zz4="/>
<image href="data:image/png;base64,iVBORw0KGgo="/>
<use xlink:href="http://127.0.0.1/x.svg#a"/><use href="#p"/>
<animate attributeName="href" values="javascript:alert(1)"/><set attributeName="onload" to="x"/>
<rect fill="url(http://127.0.0.1/x)" style="fill: url('//127.0.0.1'); stroke: red; behavior: x"/>
<rect style="background:url(//127.0.0.1)" onclick="alert(1)" clip-path="url(#p)"/>
<clipPath id="p"><path d="M 0 0.12345 L 1 1" stroke="#c8501e"/></clipPath>
<text>kept &lt;b&gt;</text>
</svg>"""


def test_an_svg_file_keeps_its_drawing_and_nothing_that_acts(tmp_path):
    (tmp_path / "a.svg").write_text(SVG)
    svg = read_svg(tmp_path / "a.svg", "s", str)
    page = f"<svg>{svg.content}</svg>"
    for words in ("script", "alert", "import", "http", "//", "foreign", "on", "behavior", "link"):
        assert words not in page.replace("iVBORw0KGgo", "").replace("</", "").lower(), words
    assert svg.attributes == {"viewBox": "0 0 9 9"}
    for words in ("kept &lt;b&gt;", "stroke: red", "M 0 0.1 1 1", 'href="#s-0"', "#c8501e"):
        assert words in page
    assert page.count("<image") == 3
    assert page.count("data:image/png") == 1


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("M 0 0\nL 1.25 -1\nL 2 2 z M 3 3 L 4.04 4", "M 0 0 1.2 -1 2 2 z M 3 3 4 4"),
        ("M 0 0 C 1 1 2 2 3 3 L 4 4", "M 0 0 C 1 1 2 2 3 3 L 4 4"),  # else 4 4 were of the curve
        ("M 0 0 1e-05 1 l 1 1", "M 0 0 1e-05 1 l 1 1"),
    ],
)
def test_a_path_is_the_same_line_in_fewer_letters(tmp_path, path, short):
    (tmp_path / "a.svg").write_text(f'<svg><path d="{path}"/></svg>')
    assert f'd="{short}"' in read_svg(tmp_path / "a.svg", "s", str).content


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<svg",
        "<html></html>",
        "\x00",
        '<!DOCTYPE svg [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><svg>&c;</svg>',
        "<svg>" + "<g>" * 500 + "</g>" * 500 + "</svg>",
    ],
)
def test_what_is_no_svg_file_is_named(tmp_path, text):
    (tmp_path / "a.svg").write_text(text)
    with pytest.raises(ValueError, match=r"a\.svg is no SVG file"):
        read_svg(tmp_path / "a.svg", "one", str)


@pytest.mark.parametrize(
    "latex", [r"\href{javascript:alert(1)}{x}", r"\text{<script>alert(1)</script>}", r"x\u202e"]
)
def test_an_equation_is_only_an_equation(latex):
    try:
        made = mathml(latex)
    except ValueError:
        return
    assert "<script" not in made
    assert "href=" not in made
    assert "\u202e" not in made


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_and_a_log_show_text_and_do_not_obey_it(text, capsys):
    say(f"two\n{one_line(text)}")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 2
    hidden = [c for c in printed + printable(text) if unicodedata.category(c)[0] == "C"]
    assert hidden == ["\n", "\n"]


def test_the_table_of_claims_shows_text_and_does_not_obey_it(folder):
    claims = json.loads((folder / "claims.json").read_text())
    for text in HOSTILE:
        printed = reproduce.table([{**claim, "id": text, "n_seeds": 1} for claim in claims])
        assert printed.count("\n") == len(claims)
        assert visible(printed, "\n") == printed


@given(st.text())
@settings(max_examples=60, derandomize=True, database=None)
def test_no_text_is_a_formula_and_every_number_stays_one(text):
    for rows in ([{text or "x": text}], [{"a": f" {text}"}, {"a": f"={text}"}]):
        for cell in [c for row in csv.reader(io.StringIO(as_csv(rows))) for c in row]:
            lead = cell.lstrip(" ")[:1]
            assert lead not in ("=", "@", "\t", "\r", "\n")
            if lead in ("+", "-"):
                float(cell)


@pytest.mark.parametrize("value", [-1.5, 3, None, True, "-inf", "+1e5", "nan", "-2"])
def test_a_number_is_a_number_in_a_table(value):
    assert as_cell(value) is value


@pytest.mark.parametrize("text", [*HOSTILE, r"\$x$", r"$\frac{$", "$" * 5, "x" * 10_000, "ö" * 99])
def test_a_label_is_drawn_letter_by_letter(text):
    """Matplotlib reads ``$`` as mathematics and raises where that is not well formed."""
    figure = Figure(figsize=(2, 2))
    axes = figure.subplots()
    axes.plot([0, 1], label=as_label(text))
    axes.set_yticks([0], [as_label(text)])
    axes.set_title(as_label(text))
    axes.legend()
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    assert "alert(1)<" not in drawn.getvalue()
    assert not axes.get_title().count("$") - axes.get_title().count(r"\$")
