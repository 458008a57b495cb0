"""The files around the code: versions, supported Pythons and moved modules agree."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import divergences
import gans

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHANGES = (ROOT / "CHANGELOG.md").read_text()
RULES = (ROOT / "CONTRIBUTING.md").read_text()
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_version_is_the_same_everywhere():
    newest = re.findall(r"^## \[(\d.*?)\]", CHANGES, flags=re.M)[0]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert divergences.__version__ == gans.__version__ == newest == cited


def test_changes_that_are_not_released_come_first():
    assert re.findall(r"^## (.*)$", CHANGES, flags=re.M)[0] == "[Unreleased]"


@pytest.mark.parametrize("package", [divergences, gans])
def test_packages_carry_their_types(package):
    assert (Path(package.__file__).parent / "py.typed").is_file()


def test_the_supported_pythons_are_the_tested_ones():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    tested = jobs["test"]["strategy"]["matrix"]["python"]
    said = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    assert tested == said
    assert PROJECT["requires-python"] == f">={tested[0]}"
    assert f"Python {', '.join(tested[:-1])} and {tested[-1]}" in RULES


def test_the_workflow_reads_only_and_takes_actions_at_one_commit():
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in actions)
    assert "secrets" not in text.replace("not a secret", "")


@pytest.mark.parametrize("form", FORMS, ids=[form.stem for form in FORMS])
def test_forms_ask_each_thing_once(form):
    fields = yaml.safe_load(form.read_text()).get("body", [])
    names = [field["id"] for field in fields]
    assert len(set(names)) == len(names)
    assert all(field["attributes"]["label"] for field in fields)


def test_hooks_run_what_make_lint_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    commands = re.findall(r"\$\(BIN\)/(\w+(?: (?:check|format))?)", recipe)
    assert {hook["entry"].removeprefix(".venv/bin/").split(" --")[0] for hook in hooks} == set(
        commands
    )


def moved():
    """The modules and names of the table's second column, in full."""
    table = CHANGES.split("### Moved")[1].split("\n## ")[0]
    for row in re.findall(r"^\| `.*$", table, flags=re.M):
        new = re.findall(r"`([\w.]+)`", row.split(" | ")[1])
        for name in new:
            if name[0].islower():
                parent = new[0].rsplit(".", 1)[0]
                yield name if "." in name else f"{parent}.{name}"


def test_modules_are_where_the_table_of_moves_says():
    names = list(moved())
    assert len(names) > 25
    assert [name for name in names if find_spec(name) is None] == []
