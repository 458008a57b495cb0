"""Who may import whom: imports run downward only.

``scripts`` uses ``gans``, which uses ``divergences``, which knows neither and no Lightning. Within
a package the folders are layers, too: a folder imports itself and those below it.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("divergences", "gans", "scripts", "tests")
FORBIDDEN = {
    "divergences": {"gans", "scripts", "tests", "pytorch_lightning", "lightning", "tensorboard"},
    "gans": {"scripts", "tests", "lightning"},
    "scripts": {"tests", "lightning"},
}
BELOW = {
    "divergences": {
        "exact": set(),
        "numerical": set(),
        "samples": set(),
        "networks": set(),
        "learned": {"samples", "networks"},
        "comparison": {"samples"},
    },
    "gans": {
        "runtime": set(),
        "targets": set(),
        "networks": {"targets"},
        "monitors": {"targets", "networks"},
        "callbacks": {"runtime", "targets", "networks", "monitors"},
        "cli": {"runtime", "targets", "networks", "monitors", "callbacks"},
    },
    "scripts": {
        "lab": set(),
        "examples": set(),
        "notebooks": set(),
        "arguments": {"lab"},
        "benchmark": {"lab"},
        "sweep": {"lab"},
        "report": {"lab", "arguments"},
    },
}
"""Which folders of its package each folder may import, besides itself and single files."""


def imported(path):
    """Full names of the modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or ""}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(folder):
    return [
        pytest.param(path, id=str(path.relative_to(ROOT)))
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", [p for package in FORBIDDEN for p in files(package)])
def test_packages_import_downward(path):
    package = path.relative_to(ROOT).parts[0]
    assert not {name.split(".")[0] for name in imported(path)} & FORBIDDEN[package]


@pytest.mark.parametrize(
    "path",
    [p for package in BELOW for folder in BELOW[package] for p in files(f"{package}/{folder}")],
)
def test_folders_of_a_package_import_downward(path):
    package, folder, *_ = path.relative_to(ROOT).parts
    used = {name.split(".")[1] for name in imported(path) if name.startswith(f"{package}.")}
    assert used & set(BELOW[package]) <= BELOW[package][folder] | {folder}


COMMANDS = {path.stem for path in (ROOT / "scripts").glob("[!_]*.py")}


@pytest.mark.parametrize(
    "path", [p for folder in BELOW["scripts"] for p in files(f"scripts/{folder}")]
)
def test_no_folder_imports_a_command(path):
    used = {name.split(".")[1] for name in imported(path) if name.startswith("scripts.")}
    assert not used & COMMANDS
    if path.parent.name == "report":  # it knows what the arguments are called, and no more
        assert not {
            n for n in imported(path) if n.startswith("scripts.arguments.") and n.islower()
        }


def test_every_folder_has_its_layer():
    for package, layers in BELOW.items():
        found = {p.parent.name for p in (ROOT / package).glob("*/__init__.py")}
        assert found == set(layers)


def test_the_estimate_imports_nothing_of_ours():
    used = imported(ROOT / "divergences" / "estimate.py")
    assert not {name for name in used if name.split(".")[0] in PACKAGES}


def test_no_two_modules_share_a_name():
    """But for a folder's base class and plots, and for commands and what they stand for."""
    allowed = {"__init__", "__main__", "base", "command", "estimators", "plots", "train"}
    found = [p.stem for package in ("divergences", "gans", "scripts")
             for p in (ROOT / package).rglob("*.py")]  # fmt: skip
    assert not {name for name in found if found.count(name) > 1} - allowed


def test_the_check_sees_an_import_inside_a_function(tmp_path):
    (tmp_path / "x.py").write_text("def f():\n    from gans.modules import WGAN\n")
    assert "gans.modules" in imported(tmp_path / "x.py")


@pytest.mark.parametrize("package", ["divergences", "gans"])
def test_every_public_name_can_be_imported_from_its_package(package):
    module = __import__(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
