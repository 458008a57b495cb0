"""Errors of the inside are explained where a public function is entered, and no others."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from divergences import MLP, Streams
from divergences.guard import explained
from gans import NoiseGenerator, Ring


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
        ((X, 2.0, 3), r"scaled: change = 3: it must be"),
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
