"""A run has all its iterations, or ends with a line; a file starts no compiler."""

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml

from gans.callbacks.checkpoints import numbered
from gans.cli.train import main
from scripts.sweep.__main__ import main as sweep
from tests.commands import command, finish, start
from tests.gans.test_configuration_files import CONFIG, SHORT
from tests.gans.test_faults import same, settings
from tests.small_games import segments


@pytest.fixture(autouse=True)
def _alone_in_a_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.chdir(tmp_path)


def ends(capsys, tree, *flags):
    """Exit code and stderr of the training command with these settings from a file."""
    Path("stranger.yaml").write_text(json.dumps(tree))
    with pytest.raises(SystemExit) as caught:
        main(["fit", f"--config={CONFIG}", "--config=stranger.yaml", "--out=run", *SHORT, *flags])
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    return caught.value.code, printed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("limit_train_batches", value) for value in (0, 0.0, 0.5)],
        *[("max_steps", value) for value in (0, 1)],
        *[("max_epochs", 0), ("min_epochs", 3), ("min_steps", 9)],
        *[("overfit_batches", 1), ("fast_dev_run", True), ("fast_dev_run", 2)],
    ],
)
def test_what_would_shorten_a_run_is_refused(name, value, capsys):
    code, printed = ends(capsys, {"trainer": {name: value}})
    assert code == 2
    assert f"trainer.{name} = " in printed
    assert "set those" in printed
    assert not Path("run").exists()


def test_a_run_without_an_iteration_is_no_run(capsys):
    code, printed = ends(capsys, {"trainer": {"max_time": "00:00:00:00"}})
    assert code == 2
    assert "has ended after iteration 0 of 1, by --trainer.max_time 00:00:00:00" in printed
    assert not numbered(Path("run/checkpoints"))


def test_a_run_that_time_ends_has_saved_its_last_iteration_and_goes_on_from_there(tmp_path):
    rare = ("--checkpoint.every=100000", "--gradients.every=20")
    limit = "--trainer.max_time=00:00:00:01"
    assert finish(start(command, tmp_path / "ended", *settings(100000, *rare, limit))) == 2
    told = (tmp_path / "ended" / "stderr").read_text()
    (saved,) = numbered(tmp_path / "ended" / "run" / "checkpoints")
    assert saved.name in told
    assert f"after iteration {int(saved.stem)} of 100000" in told
    longer = int(saved.stem) + 3
    args = settings(longer, *rare)
    assert finish(start(command, tmp_path / "ended", *args, "--resume")) == 0
    assert finish(start(command, tmp_path / "whole", *args)) == 0
    ended, whole = (
        torch.load(tmp_path / name / "run" / "checkpoints" / "last.ckpt", weights_only=True)
        for name in ("ended", "whole")
    )
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "streams", "global_step"):
        assert same(ended[part], whole[part]), part


def test_members_of_one_seed_are_refused(capsys):
    with pytest.raises(ValueError, match=r"seeds = \[3, 1, 3\]: 3 is there twice"):
        segments(seeds=(3, 1, 3))
    assert ends(capsys, {}, "--model.seeds=[1,1]")[0] == 2


PLACES = {
    "argument": {"init_args": {"compile_from": 0}},
    "beside the class": {"compile_from": 0},
    "unchecked argument": {"dict_kwargs": {"compile_from": 0}},
    "in text": json.dumps({"init_args": {"compile_from": 0}}),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_a_file_starts_no_compiler(place, capsys, monkeypatch):
    def compiled(*_, **__):
        raise AssertionError("it was compiled")

    monkeypatch.setattr("torch.compile", compiled)
    code, printed = ends(capsys, {"model": place})
    assert code == 2
    assert "compile_from = 0 starts a C++ compiler" in printed
    assert "add --allow-import torch.compile" in printed
    code, printed = ends(capsys, {"model": place}, "--allow-import=torch.compile")
    assert code == 2
    assert "it was compiled" in printed  # it would have been


def test_a_sweep_starts_no_compiler_either(capsys):
    base = yaml.safe_load(CONFIG.read_text())
    Path("base.yaml").write_text(yaml.safe_dump(base))
    plan = {"base": "base.yaml", "axes": {"model.compile_from": [0, None]}, "seeds": [0]}
    Path("sweep.yaml").write_text(json.dumps(plan))
    assert sweep(["sweep.yaml", "--dry-run"]) == 2
    assert "add --allow-import torch.compile" in capsys.readouterr().err
    assert sweep(["sweep.yaml", "--dry-run", "--allow-import=torch.compile"]) == 0
