"""The report says what the records say, all of it, and asks nothing of the network."""

import json
import re
import shutil
from pathlib import Path

import html5lib
import pytest
from matplotlib.figure import Figure

from divergences.whole_files import plain
from scripts.lab import plotting
from scripts.report import colours, embedded_figures, write_report
from scripts.report.__main__ import main
from scripts.report.equations import mathml
from scripts.report.markup import number, with_error
from scripts.report.player import Axis, line
from tests import report_folder

ROOT = Path(__file__).parents[2]
CLAIMS = [claim for claims in report_folder.CLAIMS.values() for claim in claims]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return report_folder.make(tmp_path_factory.mktemp("reproduce"))


@pytest.fixture(scope="module")
def text(whole):
    return write_report(whole, {"one": "what <it> says"}).read_text()


@pytest.fixture(scope="module")
def tree(text):
    """The page as a strict parser of HTML sees it: whatever is not valid raises."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


@pytest.fixture
def folder(whole, tmp_path):
    ignored = shutil.ignore_patterns("report.html", "*.png", "records")
    return Path(shutil.copytree(whole, tmp_path / "reproduce", ignore=ignored))


def local(tag):
    return tag.split("}")[-1] if isinstance(tag, str) else ""


def elements(tree, name):
    return [node for node in tree.iter() if local(node.tag) == name]


def words(node):
    return " ".join("".join(node.itertext()).split())


def by_id(tree, name):
    return next(node for node in tree.iter() if node.get("id") == name)


def edit(path, change):
    """Change a JSON file of the folder in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_strict_parser_would_have_noticed_a_fault(text):
    with pytest.raises(html5lib.html5parser.ParseError):
        html5lib.HTMLParser(strict=True).parse(text.replace("</article>", "", 1))


def test_ids_are_unique_and_every_link_leads_somewhere(tree):
    ids = [node.get("id") for node in tree.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    named = [node.get(key) for node in tree.iter() for key in ("for", "aria-labelledby")]
    assert {name for name in named if name} <= set(ids)
    links = [value for node in tree.iter() for key, value in node.items() if "href" in key]
    inner = [link[1:] for link in links if link.startswith("#")]
    assert set(inner) <= set(ids)
    assert [link for link in links if not link.startswith("#")] == ["data:,"]


def test_what_a_figure_refers_to_is_in_it(text):
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        referred = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
        assert {a or b for a, b in referred} == set(re.findall(r'\bid="(svg[^"]+)"', svg))


def test_no_address_with_a_network_scheme(text, whole):
    assert not re.search(r"(?i)\b(https?|wss?|ftp)://|@import|(?<!Object)url\((?!#)|src=", text)
    assert re.search(r"http://", (whole / "figures" / "curve.svg").read_text())


def test_the_policy_admits_only_the_pages_own_scripts(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert policy[1].count("sha256-") == text.count("<script>") == 6
    assert "worker-src blob:;" in policy[1]
    assert "unsafe-eval" not in policy[1]
    assert not re.search(r"\son\w+=", text)


def test_text_of_the_records_cannot_become_markup(text, tree):
    assert "<script>alert" not in text
    assert "JS is log 2 wherever a < b & c." in words(by_id(tree, "true"))
    assert "what <it> says" in words(by_id(tree, "argument-one"))
    assert "exact, <b>" in words(by_id(tree, "figure-curve"))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_told_in_full_without_a_script(tree, claim):
    section = by_id(tree, claim.id)
    said = words(section)
    assert claim.statement in said
    assert claim.source in said
    assert claim.verdict in said
    assert claim.note in said
    assert ("not as expected" in said) == (not claim.as_expected)
    for check in [*claim.checks, *claim.limits, *claim.controls]:
        record = plain(vars(check))
        assert check.what in said
        assert with_error(record["measured"], record["stderr"]) in said
    assert len(elements(section, "math")) == bool(claim.equation)
    argument = next(name for name, claims in report_folder.CLAIMS.items() if claim in claims)
    assert f"python -m scripts.reproduce {argument}" in said
    row = next(row for row in elements(by_id(tree, "verdicts"), "tr") if claim.id in words(row))
    assert claim.verdict in words(row)


def test_controls_say_what_they_prove(tree):
    assert "fails, as it must" in words(by_id(tree, "true"))
    assert "passes, as it must" in words(by_id(tree, "untrue"))
    assert "PASSES: the check proves nothing" in words(by_id(tree, "proves-nothing"))
    assert "the checks prove nothing" in words(by_id(tree, "proves-nothing"))


def test_what_moves_comes_first_and_then_the_verdicts(tree):
    places = [node.get("id") for node in elements(tree, "section")]
    widgets = ["segments-section", "live-section", "training-section"]
    assert places[:4] == [*widgets, "verdicts"]
    skips = [node.get("href") for node in elements(tree, "a") if node.get("class") == "skip"]
    assert skips == ["#segments-section", "#verdicts"]


def test_names_of_distances_are_spelled_out_before_a_claim_uses_them(tree):
    first = words(by_id(tree, "segments-section"))
    for name in ("Jensen–Shannon divergence", "Wasserstein distance", "total variation"):
        assert name in first


def test_the_verdicts_are_counted(tree):
    counts = next(node for node in elements(tree, "ul") if node.get("class") == "counts")
    assert [words(item).split()[0] for item in elements(counts, "li")] == ["3", "1", "1"]
    assert "5 sentences. 2 verdicts differ from what was expected" in words(
        by_id(tree, "verdicts")
    )


def test_a_number_stands_beside_its_quantity_and_a_qualification_in_words(tree):
    row = next(r for r in elements(by_id(tree, "verdicts"), "tr") if "in-part" in words(r))
    assert report_folder.MET.what in words(row)
    said = [words(node) for node in elements(by_id(tree, "in-part"), "p")]
    assert any("Qualification." in text and report_folder.SEEN.what in text for text in said)


def test_a_figure_is_shown_where_it_is_first_used(tree):
    drawn = {figure.get("id") for figure in elements(tree, "figure")}
    assert drawn == {"figure-curve", "figure-segments", "figure-training", "figure-unseen"}
    assert len(elements(by_id(tree, "true"), "figure")) == 1
    assert "Shown in figure curve" in words(by_id(tree, "in-part"))
    assert elements(by_id(tree, "training-section"), "figure")


def test_a_caption_is_the_docstring_of_the_function_that_draws(tree):
    assert report_folder.curve.__doc__ in words(by_id(tree, "figure-curve"))


def test_the_tables_hold_the_widgets_numbers(tree):
    rows = elements(elements(by_id(tree, "theta-table"), "tbody")[0], "tr")
    data = report_folder.segments()
    assert len(rows) == len(data["thetas"])
    cells = [words(cell) for cell in rows[0]]
    kl, js, tv, w1 = (number(row["values"][0]) for row in data["exact"])
    assert cells[:5] == ["−1", kl, js, tv, w1]
    assert cells[5] == "0.69305 ± 0.00010"
    assert [words(cell) for cell in rows[6]][7] == "–"
    assert words(by_id(tree, "training-table")).count("0.6931") >= report_folder.STEPS - 1


def test_a_csv_file_is_in_the_page(tree):
    cells = [words(cell) for cell in elements(by_id(tree, "appendix"), "tbody")[0].iter()]
    assert cells[-3:] == ["a & b", "0.333333", "inf"]


def test_widgets_need_their_data(folder):
    for path in (folder / "data").iterdir():
        path.unlink()
    text = write_report(folder).read_text()
    assert 'id="live-section"' in text  # the game that trains in the page takes none
    assert "segments-section" not in text
    assert "training-section" not in text
    html5lib.HTMLParser(strict=True).parse(text)


def test_a_quantity_has_one_colour_on_the_page_and_in_its_figures(text):
    for name in ("js", "w1"):
        drawn = plotting.Colour[name.upper()]
        assert f"--{name}:{drawn};" in text
        assert f"--c{drawn[1:]}:{drawn};" in text
    named = set(re.findall(r"\.q-(\w+) {", (ROOT / "scripts/report/widgets.css").read_text()))
    assert named == set(colours.QUANTITIES) - {"sample"}


def test_colours_stand_out_from_the_page_and_from_each_other():
    for colour in colours.QUANTITIES.values():
        assert colours.contrast(colour, "#fcfcfa") >= 3
    assert len(set(colours.QUANTITIES.values())) == len(colours.QUANTITIES)


def test_the_page_is_light(text):
    assert len(text.encode()) < 1_000_000


def test_a_page_above_the_limit_is_written_and_said_to_be_slow(folder):
    edit(folder / "claims.json", lambda claims: claims[0].update(note="x" * 3_000_000))
    with pytest.warns(UserWarning, match=r"report\.html weighs 3\.\d MB, more than the 3 MB"):
        assert write_report(folder).stat().st_size > 3_000_000


def test_a_report_needs_claims(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run python -m scripts\.reproduce"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("claims", lambda claims: claims[0].pop("equation"), "required field `equation`"),
        ("claims", lambda claims: claims[0]["controls"][0].pop("sound"), "required field `sound`"),
        ("claims", lambda claims: claims[0].update(id="untrue"), "two claims are called 'untrue'"),
        ("claims", lambda claims: claims[0].update(id="training-data"), "as a part of the page"),
        ("claims", lambda claims: claims[0].update(id="a\n"), "damaged"),
        ("claims", lambda claims: claims[0].update(equation=r"\foo"), r"\\foo is not known"),
        ("data/segments", lambda data: data["thetas"].pop(), "13 entries, expected 12"),
        ("data/segments", lambda data: data["measured"][0].update(exact="X"), "beside 'X'"),
        ("data/limited_slope", lambda data: data["js"].pop(), "slopes has 3 entries, expected 4"),
        ("data/limited_slope", lambda data: data["js"][1].pop(), "slope 1 has 3 entries"),
        ("data/training", lambda data: data.update(side=3), "surface 0 has 400 entries"),
        (
            "data/training",
            lambda data: data["games"][1]["samples"].pop(),
            "samples has 23 entries, expected 24",
        ),
    ],
    ids=[
        "no-equation",
        "no-sound",
        "same-id",
        "id-of-the-page",
        "id-of-two-lines",
        "unknown-latex",
        "short",
        "no-exact",
        "slopes",
        "thetas-of-a-slope",
        "side",
        "frames",
    ],
)
def test_an_incomplete_record_is_named(folder, file, change, message):
    edit(folder / f"{file}.json", change)
    with pytest.raises(ValueError, match=message):
        write_report(folder)


def test_a_missing_figure_is_named(folder):
    (folder / "figures" / "curve.svg").unlink()
    with pytest.raises(FileNotFoundError, match=r"curve\.svg does not exist"):
        write_report(folder)


def test_a_broken_file_is_named(folder):
    (folder / "data" / "training.json").write_text("{")
    with pytest.raises(ValueError, match=r"training\.json is damaged: Expecting property name"):
        write_report(folder)


def test_the_command_says_where_the_page_is_or_what_is_missing(folder, capsys):
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    (folder / "claims.json").unlink()
    assert main([str(folder)]) == 2
    assert "claims.json does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.123456, "0.1235"), ("inf", "∞"), ("-inf", "−∞"), (None, "–"), (-2e-9, "−2e−09"), (3, "3")],
)
def test_a_number_has_four_digits(value, written):
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "stderr", "written"),
    [
        (0.6930273, 1.843e-5, "0.693027 ± 0.000018"),
        (-1234.56, 23.4, "−1235 ± 23"),
        (2e-9, 1.234e-9, "2e−09 ± 1.2e−09"),
        (0.5, 0.0, "0.5 ± 0"),
        (0.5, None, "0.5"),
        ("inf", 0.1, "∞ ± 0.1"),
    ],
)
def test_a_measurement_is_written_to_its_errors_second_digit(value, stderr, written):
    assert with_error(value, stderr) == written


def test_names_of_several_letters_are_one_symbol():
    math = mathml(r"\mathrm{KL}(p \| q) = \log 2 + \log_2 n + \sup_{f} |f|")
    assert "<mi>KL</mi>" in math
    assert '<mi>log</mi><mspace width="0.17em" /><mn>2</mn>' in math
    assert "<msub><mi>log</mi><mn>2</mn></msub>" in math
    assert re.search(r"<munder>\s*<mi>sup</mi>|<munder><mo[^>]*>sup</mo>", math)
    assert "xmlns" not in math


@pytest.mark.parametrize("latex", [r"\frac{a}", r"\left( a", "a }"])
def test_latex_that_cannot_be_set_is_named(latex):
    with pytest.raises(ValueError, match="equation"):
        mathml(latex)


def test_black_and_white_become_the_pages_and_dark_colours_lighten(tmp_path):
    figure = Figure()
    figure.text(0.5, 0.5, "word", color="#222222")
    figure.text(0.5, 0.2, "blue", color="#1f5fa8")
    figure.savefig(tmp_path / "a.svg", facecolor="#ffffff")
    found = embedded_figures.Figures(tmp_path)
    svg = found.show("a").content
    assert found.show("a") is None
    assert "currentColor" in svg
    assert "var(--page)" in svg
    assert "var(--c1f5fa8)" in svg
    assert "#" not in re.sub(r'(url\(#|href="#)', "", svg)
    assert found.stylesheet().count("--c1f5fa8:") == 2


@pytest.mark.parametrize("colour", ["#1f5fa8", "#c8501e", "#000080", "#b0a08a"])
def test_a_colour_is_lightened_until_it_can_be_seen(colour):
    assert colours.contrast(colours.lightened(colour), colours.DARK_PAGE) >= 4.5


def test_contrast_is_that_of_the_guidelines():
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_the_dark_page_of_the_figures_is_that_of_the_style():
    style = (ROOT / "scripts" / "report" / "style.css").read_text()
    dark = style[style.index("prefers-color-scheme: dark") :]
    assert re.search(r"--page: (#\w+);", dark)[1] == colours.DARK_PAGE


def test_a_line_breaks_where_there_is_no_number():
    axis = Axis([1.0, 10.0, 100.0], log=True)
    values = [1.0, 10.0, None, "inf", 0.0, 100.0]
    path = line(values, axis)
    assert path.count("M") == 2
    assert path.count("L") == 1
    assert axis.y(10.0) == pytest.approx((axis.y(1.0) + axis.y(100.0)) / 2)


def test_an_axis_of_one_value_has_a_length():
    assert Axis([0.0, 0.0]).y(0.0) > Axis([0.0, 0.0]).y(1.0)
    assert Axis([], log=True).high > Axis([], log=True).low
