"""Checkpoints that somebody has edited: named, passed over, and the one before is used."""

import os
import random
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from gans.callbacks.checkpoints import damage, newest_good, numbered
from gans.cli.train import main
from tests.commands import command, finish, start
from tests.gans.test_faults import assert_same_run, settings

EDITS = int(os.environ.get("CHECKPOINT_EDITS", "3"))
VALUES = (None, "x", -1, 10**30, 1e300, float("nan"), [], {}, (), True, b"", torch.zeros(3, 1))
"""What stands in places where it should not."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 30 iterations, and its folder to be copied from."""
    folder = tmp_path_factory.mktemp("finished")
    assert finish(start(command, folder, *settings(30))) == 0
    return folder


def places(content, way=()):
    """The way to everything that a checkpoint holds."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inner:
        yield (*way, key)
        if isinstance(value, dict | list):
            yield from places(value, (*way, key))


def edited(content, way, value):
    """The content with another value in one place, or without it."""
    place = content
    for key in way[:-1]:
        place = place[key]
    if value is places:
        del place[way[-1]]
    else:
        place[way[-1]] = value
    return content


def differs(old, new):
    return type(old) is not type(new) or (not isinstance(old, torch.Tensor) and old != new)


def at(content, way):
    for key in way:
        content = content[key]
    return content


def test_every_edit_of_what_a_run_has_written_is_noticed(finished, tmp_path):
    path = finished / "run" / "checkpoints" / "000030.ckpt"
    assert damage(path) is None
    chance, tried = random.Random(0), 0
    ways = list(places(torch.load(path, weights_only=True)))
    assert len(ways) > 200
    for way in chance.sample(ways, min(20 * EDITS, len(ways))):
        value = chance.choice([*VALUES, places])
        content = torch.load(path, weights_only=True)
        if not differs(at(content, way), value):
            continue
        torch.save(edited(content, way, value), tmp_path / "000030.ckpt")
        # without its seal it is one of another version, for all that can be seen
        assert way == ("seal",) or damage(tmp_path / "000030.ckpt") is not None, (way, value)
        tried += 1
    assert tried > 10 * EDITS


def test_a_digit_more_is_noticed(finished, tmp_path):
    content = torch.load(finished / "run" / "checkpoints" / "000030.ckpt", weights_only=True)
    weight = content["state_dict"]["critic.0.weight"]
    weight[0, 0, 0] = torch.nextafter(weight[0, 0, 0], torch.tensor(9.0))
    torch.save(content, tmp_path / "000030.ckpt")
    assert damage(tmp_path / "000030.ckpt") == "it was changed after it was written"


def test_another_iteration_under_this_name_is_noticed(finished, tmp_path):
    shutil.copy(finished / "run" / "checkpoints" / "000020.ckpt", tmp_path / "000030.ckpt")
    assert damage(tmp_path / "000030.ckpt") == "it is of iteration 20, and its name says another"


@pytest.fixture
def resume(finished, tmp_path, monkeypatch, capsys):
    """Continues a copy of the run with an edited newest checkpoint; exit code and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])

    def run(edit):
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree(finished / "run", "run")
        edit(Path("run/checkpoints/000030.ckpt"))
        try:
            main([*settings(30), "--resume"])
        except SystemExit as ended:
            return ended.code, capsys.readouterr().err
        return 0, capsys.readouterr().err

    return run


def resaved(path, way, value):
    """One of another version, which has no seal, edited."""
    content = torch.load(path, weights_only=True)
    del content["seal"]
    torch.save(edited(content, way, value), path)


also = partial(pytest.param, marks=pytest.mark.slow)
"""Of a kind that another edit shows in the fast tests."""


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("state_dict", "critic.0.weight"), torch.zeros(3, 1)),
        also(("state_dict", "critic.0.weight"), torch.full((2, 2, 8), torch.nan)),
        (("optimizer_states",), []),
        also(("optimizer_states", 0, "param_groups"), None),
        also(("optimizer_states", 0, "state", 0, "exp_avg"), torch.zeros(3, 1)),
        (("lr_schedulers",), [{}]),
        also(("streams", "rand/16", "start"), torch.zeros(1)),
        also(("streams", "rand/16"), places),
        (("streams",), {"x": 1}),
        (("global_random", "torch"), torch.zeros(3)),
        also(("global_random", "numpy"), [torch.zeros(3)]),
        also(("global_random", "python"), 3),
        also(("loops",), {}),
        (("loops", "fit_loop", "epoch_progress", "current", "processed"), float("nan")),
        also(("loops", "fit_loop", "epoch_progress", "current", "completed"), -(10**9)),
        also(("callbacks", "Divergences"), places),
        (("callbacks", "Divergences", "latest"), 3),
        (("pytorch-lightning_version",), "x"),
    ],
    ids=lambda way: "/".join(map(str, way)) if isinstance(way, tuple) else "",
)
def test_what_cannot_be_continued_is_passed_over(resume, finished, way, value):
    code, printed = resume(lambda path: resaved(path, way, value))
    assert code == 0, printed
    if "is damaged" in printed:  # else it went on from what was left, which was enough
        assert "000030.ckpt is damaged: " in printed
        assert "trying the one before" in printed
        assert_same_run(Path("run"), finished / "run", 30)


def test_of_a_single_damaged_checkpoint_no_other_is_promised(tmp_path):
    told, path = [], tmp_path / "000020.ckpt"
    path.write_bytes(b"precious")
    with pytest.raises(ValueError, match=r"^the only checkpoint in .* is damaged; start again"):
        newest_good(tmp_path, told.append)
    assert told == [f"{path} is damaged: truncated, or no checkpoint (8 bytes)"]


def test_a_run_is_not_made_shorter_than_it_is(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])
    shutil.copytree(finished / "run", "run")
    before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}
    with pytest.raises(SystemExit) as ended:
        main([*settings(29), "--resume"])
    assert ended.value.code == 2
    assert "30 iterations are done" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()} == before


def test_edits_at_random_end_in_one_line_or_a_whole_run(resume, finished):
    chance = random.Random(3)
    path = finished / "run" / "checkpoints" / "000030.ckpt"
    ways = list(places(torch.load(path, weights_only=True)))
    for _ in range(EDITS):
        way, value = chance.choice(ways), chance.choice([*VALUES, places])
        code, printed = resume(lambda path, w=way, v=value: resaved(path, w, v))
        assert code in (0, 2), (way, value, printed)
        assert len(printed.splitlines()) <= 2, (way, value, printed)
        assert all(
            damage(p) is None or p.stem == "000030" for p in numbered(Path("run/checkpoints"))
        )


@pytest.mark.parametrize("text", ["", "model: 3", "\0", "{"])
def test_a_damaged_config_is_named_and_written_anew(resume, finished, text):
    def edit(path):
        (path.parents[1] / "config.yaml").write_text(text)

    code, printed = resume(edit)
    assert code == 0, printed
    assert "run/config.yaml is damaged" in printed
    assert printed.count("\n") == 1
    assert "class_path" in Path("run/config.yaml").read_text()
