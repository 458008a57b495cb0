"""Errors of the inside are explained where a public function is entered, and no others."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import divergences
from divergences import MLP, Streams
from divergences.guard import explained, fits
from gans import FGAN, R1, Annealed, Hinge, NoiseGenerator, Ring, VanillaGAN


def scaled(x: Tensor, by: float, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Of shape ``(n, d)``."""
    names = {2.0: "two"}
    return x * by if change is None else change(x * by * len(names[by]))


scaled = explained(scaled)
X = torch.ones(3, 2)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((None, 2.0), r"scaled: x = None: it must be a dense tensor"),
        ((X, "abc"), r"scaled: by = 'abc': it must be a number"),
        ((X, {}), r"scaled: by = {}: it must be a number"),
        ((X, 2.0, 3), r"scaled: change = 3: it must be .* or None"),
        ((X, [], torch.abs), r"scaled: by = \[\]: it must be a number"),
    ],
    ids=str,
)
def test_the_argument_of_another_kind_is_named(arguments, match):
    with pytest.raises(TypeError, match=match):
        scaled(*arguments)


def test_shapes_that_do_not_fit_are_named_with_those_that_are_documented():
    with pytest.raises(ValueError, match=r"x of shape \(3, 2\).*documented shapes are \(n, d\)"):
        scaled(X, 2.0, lambda x: x @ x)


def test_an_error_for_which_no_argument_is_to_blame_is_passed_on():
    with pytest.raises(KeyError):  # of a number that is none of the function's
        scaled(X, 3.0, torch.abs)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'by'"):
        scaled(X)


def test_an_error_on_purpose_is_passed_on():
    def refuses(x):
        raise ValueError("of my own")

    with pytest.raises(ValueError, match="of my own"):
        scaled(X.int(), 2.0, refuses)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: MLP(None, 2, 1), "MLP: streams = None: it must be a Streams"),
        (lambda: NoiseGenerator(Streams([0]), 2, network=5), "network = 5"),
        (lambda: Ring().to(X), "Ring.to: device = tensor"),
        (lambda: Ring().expand(0.5), "Ring.expand: batch_shape = 0.5"),
    ],
    ids=["MLP", "NoiseGenerator", "to", "expand"],
)
def test_public_classes_explain(call, match):
    with pytest.raises(TypeError, match=match):
        call()


def test_what_makes_no_network_and_states_of_nothing_are_refused():
    settings = {"critic": partial(MLP, hidden=(4,))}
    for player in ("generator", "critic"):
        with pytest.raises(TypeError, match=f"{player} makes None: it must make a network"):
            VanillaGAN(Ring(), **settings | {player: lambda *_: None})
    module = VanillaGAN(Ring(), **settings)
    with pytest.raises(ValueError, match="no average"):
        module.average()
    with pytest.raises(ValueError, match="VanillaGAN: the saved state has no 'streams'"):
        module.on_load_checkpoint({"a": 1})
    with pytest.raises(TypeError, match=r"FGAN: f = .*: it must be one of divergences\.fdiv"):
        FGAN(Hinge())  # pyright: ignore
    annealed = Annealed(R1(), 0.1, 10)
    with pytest.raises(ValueError, match=r"call parametrize\(critic\) first"):
        annealed.penalty(MLP(Streams([0]), 2, 1), X[None], X[None], Streams([0]))


def test_an_annotation_that_says_nothing_is_met_by_everything():
    assert fits(3, Any)
    assert fits([1, "a"], Sequence[Any])


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: divergences.MMD(bandwith=2.0), "bandwidth"),
        (lambda: divergences.compare([[0.0]], [[1.0]], permutation=9), "permutations"),
        (lambda: divergences.discrete.kl_divergence([1.0], [1.0], bas=2), "base"),
    ],
    ids=["class", "function", "module"],
)
def test_a_misspelt_argument_is_answered_with_the_nearest(call, meant):
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        call()


def test_an_argument_like_no_other_is_what_python_says_of_it():
    with pytest.raises(TypeError, match="unexpected keyword argument 'zzz'"):
        divergences.MMD(zzz=2.0)
