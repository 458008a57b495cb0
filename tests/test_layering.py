"""Who may import whom: divergences knows no GAN and no Lightning, and nobody imports scripts.

The benchmark of estimators runs on the cases that the tests hold them to.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "divergences": {"gans", "scripts", "tests", "pytorch_lightning", "lightning", "tensorboard"},
    "gans": {"scripts", "tests", "lightning"},
    "scripts": {"lightning"},
}


def imported(path):
    """Top-level names of the packages that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize(
    "path",
    [p for room in FORBIDDEN for p in sorted((ROOT / room).rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_imports_respect_the_layers(path):
    room = path.relative_to(ROOT).parts[0]
    assert not imported(path) & FORBIDDEN[room]


def test_the_interface_imports_nothing_of_ours():
    assert not imported(ROOT / "divergences" / "interface.py") & set(FORBIDDEN)


def test_the_check_sees_an_import_inside_a_function(tmp_path):
    (tmp_path / "x.py").write_text("def f():\n    from gans.modules import WGAN\n")
    assert "gans" in imported(tmp_path / "x.py")


@pytest.mark.parametrize("package", ["divergences", "gans"])
def test_every_public_name_can_be_imported_from_its_package(package):
    module = __import__(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
