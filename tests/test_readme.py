"""The READMEs: short, in plain sentences, and true of the files, names and claims there are."""

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest
import torch

import divergences
import gans
from scripts.lab.claims import FAILS, HOLDS, QUALIFIED
from scripts.report.claims_table import BEGIN, END, write_readme
from tests import report_folder

ROOT = Path(__file__).parents[1]
PACKAGES = ("divergences", "gans", "scripts", "configs", "tests")
BELOW = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob("README.md"))
READMES = [ROOT / "README.md", *BELOW]
NAMES = [str(path.relative_to(ROOT)) for path in READMES]
OTHER_NAMES = {"ARGUMENTS", "FAMILY", "PBSCluster"}
SCRIPTS = "\n".join(file.read_text() for file in (ROOT / "scripts").rglob("*.py"))
OTHERS = [file for package in ("gans", "divergences") for file in (ROOT / package).rglob("*.py")]
CODE = SCRIPTS + "\n".join(file.read_text() for file in OTHERS)
VERDICTS = {"HOLDS": HOLDS, "QUALIFIED": QUALIFIED, "FAILS": FAILS}

each_readme = pytest.mark.parametrize("path", READMES, ids=NAMES)


def paragraphs(text):
    """The paragraphs and list items of a Markdown text, each as its lines; no code, no tables."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    found = [[]]
    for line in text.splitlines():
        item = re.match(r"\s*([-*]|\d+\.) ", line)
        if item or not line.strip() or re.match(r"[#|>]|!\[", line):
            found.append([])
        if line.strip() and not re.match(r"[#|]|!\[", line):
            found[-1].append(line[item.end() if item else 0 :].strip())
    return [lines for lines in found if lines]


def sentences(text):
    """The sentences of a Markdown text, each as the list of its words."""
    found = []
    for lines in paragraphs(text):
        joined = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(lines))
        joined = re.sub(r"`[^`]*`", "code", joined)
        found += re.split(r"(?<=[.!?])[)*_]*\s+(?=\W*[A-Z0-9]|code)", joined)
    words = [re.findall(r"\S*\w\S*", sentence) for sentence in found]
    return [each for each in words if each]


def test_sentences_are_counted_as_a_reader_would():
    text = (
        "# A title\nOne `x.y` is two. It is .5 at\nmost! See [a page](b.md).\n\n| no |\n- An item"
    )
    assert [len(words) for words in sentences(text)] == [4, 5, 3, 2]


def test_sentences_are_short():
    lengths = [len(words) for path in READMES for words in sentences(path.read_text())]
    assert len(lengths) > 300
    assert sum(lengths) / len(lengths) <= 16
    assert sum(length > 30 for length in lengths) / len(lengths) <= 0.06


@each_readme
def test_paragraphs_have_six_lines_at_most(path):
    for lines in paragraphs(path.read_text()):
        assert len(lines) <= 6, lines[0]
        assert max(map(len, lines)) <= 140, max(lines, key=len)


def test_the_readme_fits_on_a_few_screens():
    assert len(READMES[0].read_text().splitlines()) <= 150


def headings(path):
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@each_readme
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@pytest.mark.parametrize("path", [*READMES, ROOT / "CONTRIBUTING.md"], ids=[*NAMES, "rules"])
def test_files_and_modules_that_are_named_exist(path):
    text = path.read_text()
    for name in set(re.findall(r"(?<![\w/])[\w.-]+(?:/[\w.-]+)+(?:/|\.\w+)", text)):
        if name.split("/")[0] in PACKAGES:
            assert (ROOT / name).exists(), name
    named = set(re.findall(r"python -m (scripts[\w.]*)", text))
    named |= set(re.findall(r"`((?:divergences|gans|scripts)(?:\.[a-z_]+)+)`", text))
    for name in named:
        parts = name.split(".")
        found = [ROOT.joinpath(*parts[:n]) for n in (len(parts), len(parts) - 1)]
        assert any(p.with_suffix(".py").exists() or p.is_dir() for p in found), name


@each_readme
def test_flags_that_are_named_exist(path):
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", path.read_text()))
    for flag in flags - {"--help", "--logdir", "--nworkers", "--nthreads"}:
        assert flag in CODE, flag


@each_readme
def test_classes_that_are_named_exist(path):
    """Those of our two packages can be imported from them; others are beside the experiments."""
    names = set(re.findall(r"`([A-Z]\w+)", path.read_text()))
    for name in names - OTHER_NAMES - set(divergences.__all__) - set(gans.__all__):
        assert f"class {name}" in SCRIPTS, name


@pytest.mark.parametrize("package", [divergences, gans])
def test_every_public_name_is_on_the_page_of_its_package(package):
    text = (ROOT / package.__name__ / "README.md").read_text()
    quiet = {
        "Constraint",
        "Generator",
        "AdversarialModule",
        "GeneratorModule",
        "NonFiniteLoss",
        "lipschitz",
    }
    for name in set(package.__all__) - quiet:
        assert re.search(rf"\b{name}\b", text), name


def test_every_configuration_is_on_their_page():
    listed = re.findall(r"^\| `([\w.]+)` \|", (ROOT / "configs" / "README.md").read_text(), re.M)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "configs").glob("*.yaml"))


def blocks(language):
    """The code blocks of README.md in this language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", READMES[0].read_text(), flags=re.M | re.S)
    return [code for name, code in found if name == language]


def test_two_samples_are_as_far_apart_as_it_says():
    example = next(code for code in blocks("python") if "RossJS()" in code)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(example, {})
    assert printed.getvalue() in blocks("")


def test_anybodys_gan_is_measured_by_one_callback():
    example = next(code for code in blocks("python") if "DivergenceMonitor" in code)
    defined = {"held_out": torch.randn(50, 2)}
    exec(example, defined)
    assert defined["monitor"] in defined["trainer"].callbacks


def test_exact_values_are_those_it_shows():
    example = next(code for code in blocks("python") if "exact.js" in code)
    before, shown = example.split("\nseeds = ")[0], {}
    exec(before, shown)
    for call, result in re.findall(r"^(exact\S+ \w+\)) +# (.*)$", before, flags=re.M):
        assert str(eval(call, shown)) == result


def declared():
    """What each claim in the code may be called and say, as patterns, and what is expected."""
    for path in sorted((ROOT / "scripts" / "arguments").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Claim":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                told = given.get("expected", ast.Name("HOLDS"))
                words = {name.id for name in ast.walk(told) if hasattr(name, "id")}
                expected = {VERDICTS[word] for word in words & set(VERDICTS)}
                yield pattern(given["id"]), pattern(given["statement"]), expected


def pattern(text):
    """What a text of the code looks like, with anything where it is only known when it runs."""
    parts = getattr(text, "values", [text])
    return "".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts)


def claims_in_the_table():
    """Name, sentence and verdict of each row, without the marks of Markdown."""
    text = (ROOT / "scripts" / "arguments" / "README.md").read_text()
    for line in text.split(BEGIN)[1].split(END)[0].splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].startswith("`"):
            sentence = re.sub(r"\\([^\w\s])", r"\1", cells[1])
            yield cells[0].strip("`"), sentence, cells[2].strip("*")


def test_the_table_of_claims_is_that_of_the_code():
    """If this fails: make reproduce, then python -m scripts.report runs/reproduce --readme."""
    rows, claims = list(claims_in_the_table()), list(declared())
    left = list(claims)
    assert len({name for name, *_ in rows}) == len(rows)
    for name, sentence, verdict in rows:
        of_row = [
            claim
            for claim in claims
            if re.fullmatch(claim[0], name) and re.fullmatch(claim[1], sentence)
        ]
        assert len(of_row) == 1, f"no claim {name!r} in the code says {sentence!r}"
        assert verdict in of_row[0][2], name
        left = [claim for claim in left if claim != of_row[0]]
    assert not left, f"the table lacks {left[0][0]}"
    for count in re.findall(r"(\d+) claims", READMES[0].read_text()):
        assert int(count) == len(rows)


def test_the_tables_are_written_from_folders(tmp_path):
    titles = {"one": "a | b", "two_games": "two"}
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    for name in ("quick", "paper"):
        report_folder.make(tmp_path / name, {"profile": name})
    write_readme([tmp_path / "quick", tmp_path / "paper"], titles, page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}")
    assert text.endswith(f"{END}after\n")
    assert "\nold\n" not in text
    assert "### one: a \\| b" in text
    assert "JS is log 2 wherever a \\< b & c." in text
    assert "| 0.6931, within 0.001 | 0.693000 ± 0.000020 |" in text
    assert "| **does not hold** | theta after 400 iterations | ≤ 0.1 | 0.9 |" in text
    with pytest.raises(ValueError, match="no claims of three"):
        write_readme([tmp_path / "quick"], {"three": ""}, page)
    page.write_text("no marks")
    with pytest.raises(ValueError, match="the tables go between"):
        write_readme([tmp_path / "quick"], titles, page)
