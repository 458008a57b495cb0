"""What is said of a user's mistakes in files, and of mistakes in a user's own classes."""

from pathlib import Path

import pytest

from gans.cli.did_you_mean import meant
from gans.cli.train import main

MINE = """
import gans, torch
from torch import nn

class Fails(nn.Linear):
    def __init__(self):
        raise KeyError("weights")

class Late(nn.Linear):
    calls = 0
    def __init__(self):
        super().__init__(2, 1)
    def forward(self, points):
        Late.calls += 1
        if Late.calls > 3:
            raise KeyError("late")
        return super().forward(points)

class Detached(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
    def forward(self, noise):
        return super().forward(noise).detach()

class Broken(Detached):
    def forward(self, noise):
        return noise * float("nan")

class Lacking(gans.Target):
    pass
"""


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("mine.py").write_text(MINE)

    def told(text):
        Path("mine.yaml").write_text(text)
        with pytest.raises(SystemExit) as caught:
            main(["fit", "--config=mine.yaml", "--out=run", "--allow-import=mine"])
        error = capsys.readouterr().err.splitlines()[-1]
        assert caught.value.code == 2
        return error

    return told


def game(**arguments):
    settings = {"target": "gans.Ring", "seeds": "[0]", "iterations": "2"} | arguments
    inner = ", ".join(f"{name}: {value}" for name, value in settings.items())
    return f"model: {{class_path: gans.VanillaGAN, init_args: {{{inner}}}}}"


def network(kind, name, more=""):
    settings = f"{{network: {{class_path: mine.{name}}}{more}}}"
    return f"{{class_path: gans.{kind}, init_args: {settings}}}"


FILES = {
    "section": (game().replace("model", "modell"), "did you mean model?"),
    "setting of a class": (game(iteratons=3), "did you mean iterations?"),
    "setting of a target": (
        game(target="{class_path: gans.Ring, init_args: {sdd: 3}}"),
        "gans.Ring takes radius, scale,",
    ),
    "class": (game(target="gans.Rimg"), "did you mean gans.Ring?"),
    "setting of a monitor": (game() + "\ndivergences: {evry: 3}", "did you mean every?"),
    "setting of the trainer": (
        game() + "\ntrainer: {acelerator: cpu}",
        "the trainer has no such setting; did you mean accelerator?",
    ),
    "beside the class": (
        game().replace("init_args", "init_arg"),
        "init_arg stands beside class_path",
    ),
    "no class": ("model: {target: gans.Ring}", "no class is given; give class_path"),
    "a word for a number": (game(iterations="many"), "Got value: many"),
}


@pytest.mark.parametrize(("text", "told"), FILES.values(), ids=FILES)
def test_a_mistake_in_a_file_is_named_with_what_may_be_meant(text, told, refused):
    error = refused(text)
    assert told in error
    assert "Namespace" not in error


OWN = {
    "fails when it is made": (game(critic=network("PlainCritic", "Fails")), "mine.Fails.__init__"),
    "fails later": (game(critic=network("PlainCritic", "Late")), "mine.Late.forward"),
    "has no gradient": (
        game(generator=network("PlainGenerator", "Detached", ", latent: 2")),
        "Detached makes points without a gradient",
    ),
    "is not finite": (
        game(generator=network("PlainGenerator", "Broken", ", latent: 2")),
        "Broken makes NaN",
    ),
    "is abstract": (game(target="mine.Lacking"), "mine.Lacking is abstract: it lacks noise, push"),
    "is no generator": (game(generator="mine.Detached"), "mine.Detached is no Generator"),
    "takes other arguments": (game(critic="mine.Late"), "Late.__init__() takes 1 positional"),
}


@pytest.mark.parametrize(("text", "told"), OWN.values(), ids=OWN)
def test_a_class_of_ones_own_is_named_where_it_is_at_fault(text, told, refused):
    error = refused(text)
    assert told in error
    assert "this is a bug" not in error


def test_a_class_in_the_settings_of_another_has_no_hint_of_the_outer_one():
    message = (
        "Problem with given class_path 'divergences.MLP': dict_kwargs: "
        'Parser key "network": no class is named 0'
    )
    assert meant(message) == ""
