"""What the sentence says of JS: only what can be, and no estimate that a classifier refutes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from divergences import Estimate, compare
from divergences.comparison.estimates import Question, answers
from divergences.discrete import js_divergence
from divergences.estimator import Estimator
from divergences.samples.histogram import HistogramJS


def estimate(value, low, high, **more):
    value, stderr, low, high = map(torch.tensor, (value, 0.1, low, high))
    return Estimate(value, stderr, ci=(low, high), **more)


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    return compare(rng.standard_normal((60, 2)), rng.standard_normal((60, 2)) + 2, permutations=19)


def said(found, js, accuracy):
    """The part of the sentence about JS, with these estimates in place of those found."""
    put = {"js": js, "c2st_accuracy": accuracy}
    changed = [replace(a, estimate=put.get(a.key, a.estimate)) for a in found.answers]
    parts = replace(found, answers=tuple(changed)).sentence.split("; ")
    return [part for part in parts if part.startswith("JS")]


CLOSE, APART = estimate(0.5, 0.4, 1.0, bound="lower"), estimate(1.0, 0.98, 1.0, bound="lower")


@pytest.mark.parametrize(
    ("js", "accuracy", "sentence"),
    [
        (estimate(0.26, 0.1, 0.4), CLOSE, ["JS .26 nats [.10, .40]"]),
        (estimate(0.26, -0.06, 0.4), CLOSE, ["JS at most .40 nats"]),
        (estimate(0.6, 0.4, 0.82), CLOSE, ["JS at least .40 nats"]),
        (estimate(0.26, -0.06, 0.82), CLOSE, []),
        (estimate(math.log(2), math.log(2), math.log(2)), APART, ["JS .69 nats"]),
        (estimate(-0.9, -1.44, -0.57), CLOSE, []),
        (estimate(-0.9, -1.44, -0.57), APART, ["JS at least .60 nats"]),
        (estimate(0.2, 0.1, 0.3), APART, ["JS at least .60 nats"]),
        (estimate(-1.6, -9.3, 0.5), APART, ["JS at least .60 nats"]),
        (estimate(0.26, -0.06, 0.82), APART, ["JS at least .60 nats"]),
        (estimate(0.2, 0.1, 0.596), APART, ["JS .20 nats [.10, .60]"]),
        (estimate(0.2, 0.1, 0.584), APART, ["JS at least .60 nats"]),
        (None, APART, ["JS at least .60 nats"]),
        (None, CLOSE, []),
    ],
)  # fmt: skip
def test_of_js_only_what_can_be_is_said(found, js, accuracy, sentence):
    assert said(found, js, accuracy) == sentence


@pytest.mark.parametrize("right", [0.6, 0.8, 0.98])
def test_the_bound_is_the_js_of_the_classifiers_answers(found, right):
    """Answers are a function of the point, so their JS is no more than that of the points."""
    (part,) = said(found, None, estimate(right, right, 1.0, bound="lower"))
    answers_to = torch.tensor([[right, 1 - right], [1 - right, right]], dtype=torch.float64)
    assert float(part.split()[3]) == pytest.approx(
        float(js_divergence(answers_to[0], answers_to[1])), abs=0.005
    )


class Impossible(Estimator):
    """Gives what no JS can be."""

    quantity = "js"
    bound = "none"

    def measure(self, x, y):
        return estimate(-0.9, -1.4, -0.6)


def test_an_impossible_answer_is_passed_over_for_the_next():
    x, y = (torch.randn(200, 1, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    one, none = answers(
        x.double(),
        y.double(),
        [
            Question("js", "JS", (Impossible(), HistogramJS()), 1000),
            Question("js", "JS", (Impossible(),), 1000),
        ],
    )
    assert one.by == "HistogramJS"
    assert none.estimate is None
    assert "no value that is possible" in none.warnings[0]
