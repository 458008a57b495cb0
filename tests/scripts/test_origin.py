"""A result is of its function's source and arguments, and of nothing else."""

import sys
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest
import torch
from torch.optim import SGD, Adam

from divergences import LipschitzPenalty, SpectralNorm
from gans.targets import Embedded, Ring
from scripts.lab import origin as module
from scripts.lab.origin import fingerprint, origin

SOURCE = '''
"""A module."""
from scripts.lab.claims import standard_error
from scripts.lab import plotting
from scripts.lab.plotting import captioned

LENGTH = 3
TABLE = {"a": 1}

def helper(x: int):
    """What it does."""
    return x + LENGTH  # a comment

@captioned
def drawn():
    """Where to look."""

class Base:
    size = 2

class Made(Base):
    def call(self):
        return helper(self.size)

def experiment(n):
    table = n
    from scripts.lab.claims import worst
    return Made().call() + table, standard_error(n), plotting.Colour.EXACT, drawn

def judge(results):
    return results["a"] + 1

def table(results):
    return TABLE
'''
CHANGES = {
    "comment": ("# a comment", "# another", False),
    "docstring": ("What it does.", "What it does, in other words.", False),
    "caption": ("Where to look.", "Where else to look.", True),
    "annotation": ("x: int", "x: float", False),
    "judge": ('results["a"] + 1', 'results["a"] + 2', False),
    "a function called as a variable is": ("return TABLE", "return {}", False),
    "a constant that is not used": ('"a": 1', '"a": 2', False),
    "the function": ("+ table", "- table", True),
    "a function it calls": ("x + LENGTH", "x - LENGTH", True),
    "a constant of that": ("LENGTH = 3", "LENGTH = 4", True),
    "a class it makes": ("self.size)", "self.size + 0)", True),
    "a class that is inherited from": ("size = 2", "size = 3", True),
    "what is imported": ("import worst", "import worst as best", True),
}


COUNT = count()
"""So that no module is known from before."""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """What is seen of the experiment of a module of this source."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_is_ours", lambda name: name.startswith(("scripts", "made")))

    def of(text):
        name = f"made{next(COUNT)}"
        (tmp_path / f"{name}.py").write_text(text)
        assert origin(__import__(name).experiment)
        del sys.modules[name]
        return "\n".join(module.source(name, "experiment")).replace(name, "made")

    return of


@pytest.mark.parametrize(("old", "new", "seen"), CHANGES.values(), ids=CHANGES.keys())
def test_what_an_experiment_needs_is_seen_and_nothing_else(old, new, seen, written):
    assert SOURCE.count(old) == 1
    before, after = (written(text) for text in (SOURCE, SOURCE.replace(old, new)))
    assert (before != after) == seen


def test_what_other_modules_of_ours_define_is_seen(written):
    text = written(SOURCE)
    assert "std(-1) / math.sqrt" in text  # standard_error of scripts.lab.claims
    assert "'#222222'" in text  # scripts.lab.plotting.Colour
    assert "class Claim" not in text


@dataclass(frozen=True)
class Setting:
    steps: int = 3
    rate: float = 0.1


SAME = {
    "dataclass": (Setting, partial(Setting, 4)),
    "partial": (partial(partial, Adam, lr=0.1), partial(partial, Adam, lr=0.2)),
    "another function": (lambda: partial(Adam), lambda: partial(SGD)),
    "class": (lambda: Adam, lambda: SGD),
    "tensor": (lambda: torch.tensor([1.0, 2.0]), lambda: torch.tensor([1.0, 2.5])),
    "dtype": (lambda: torch.tensor([1.0]), lambda: torch.tensor([1.0]).double()),
    "target": (lambda: Embedded(Ring(), 32), lambda: Embedded(Ring(), 33)),
    "constraint": (lambda: LipschitzPenalty(10.0), lambda: LipschitzPenalty(1.0)),
    "kind of constraint": (SpectralNorm, lambda: LipschitzPenalty(10.0)),
    "number": (lambda: 1, lambda: 1.0),
    "nesting": (lambda: ((1,), 2), lambda: ((1, 2),)),
    "order of keys": (lambda: {"a": 1, "b": 2}, lambda: {"b": 2, "a": 1}),
    "set": (lambda: {1, 2}, lambda: {1, 3}),
}


@pytest.mark.parametrize(("make", "other"), SAME.values(), ids=SAME.keys())
def test_arguments_are_known_by_what_they_are(make, other):
    assert origin(make()) == origin(make()) != origin(other())


def test_a_value_that_cannot_be_told_from_others_is_refused():
    with pytest.raises(TypeError):
        origin(sys.stdout)


def test_the_fingerprint_is_of_all_sources():
    assert fingerprint() == fingerprint("divergences", "gans")
    assert fingerprint("divergences") != fingerprint()
