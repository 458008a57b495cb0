"""The API pages are built from the docstrings, or it is said what is missing."""

import importlib.util

import pytest

from scripts import api_pages

PDOC = importlib.util.find_spec("pdoc") is not None


@pytest.mark.skipif(PDOC, reason="pdoc is installed")
def test_without_pdoc_the_remedy_is_said(tmp_path, capsys):
    assert api_pages.main([str(tmp_path)]) == 2
    assert "pip install --editable '.[docs]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not PDOC, reason="needs pdoc, the extra docs")
def test_every_public_name_has_its_place(tmp_path):
    import divergences
    import gans

    assert api_pages.main([str(tmp_path)]) == 0
    for package in (divergences, gans):
        page = (tmp_path / f"{package.__name__}.html").read_text()
        missing = [name for name in package.__all__ if f'id="{name}"' not in page]
        assert missing in ([], [n for n in missing if f"{package.__name__}/{n}.html" in page])
