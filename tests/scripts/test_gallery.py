import sys

import pytest

from gans.callbacks.checkpoints import numbered
from gans.cli.train import main as train
from gans.figures import FAKE
from scripts.gallery import COLUMNS, POINTS, gallery, main, pictures

OFF = [f"--{name}=null" for name in ("divergences", "gradients", "lipschitz", "pictures")]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The folder of a short run of a configuration."""
    monkeypatch.setattr(sys, "argv", ["train"])

    def run(name):
        flags = ["--config", name, "--out", str(tmp_path / name), *OFF]
        train(["fit", *flags, "--model.iterations=2", "--model.batch_size=8"])
        return tmp_path / name

    return run


def test_the_law_stands_above_what_was_learned(trained, tmp_path, capsys):
    runs = [trained("two_moons"), trained("ring_gan")]
    panels = gallery(runs).axes
    assert [axes.get_title() for axes in panels] == ["two moons", "ring gan", "", ""]
    assert all(len(axes.lines[0].get_xdata()) == POINTS for axes in panels)
    assert [axes.lines[0].get_color() == FAKE for axes in panels] == [False, False, True, True]
    main([*map(str, runs), "--out", str(tmp_path / "gallery.png")])
    assert (tmp_path / "gallery.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("name", "said"), [("a.txt", "ends in .png or .svg"), ("a.png", "no folder of a run")]
)
def test_bad_input_is_one_line(name, said, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), "--out", str(tmp_path / name)])
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_pictures_of_a_run_have_a_row_for_each_checkpoint(trained, tmp_path, capsys):
    run = trained("digits_wgan_lp")
    kept = len(numbered(run / "checkpoints"))
    [axes] = pictures(run).axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == [*[f"iteration {i}" for i in range(2, 2 + kept)], "nearest real"]
    drawn = axes.images[0].get_array()
    assert drawn.shape == (10 * len(rows), 10 * COLUMNS)  # 8 pixels and a frame
    with pytest.raises(SystemExit, match="2"):
        main([str(run), str(run), "--out", str(tmp_path / "two.png")])
    assert "one run at a time" in capsys.readouterr().err
