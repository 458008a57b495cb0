"""The argument about information: what its checks are built from, against other ways to it."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from divergences.discrete import entropy, kl_divergence
from scripts.arguments.information import classifier_losses, distillation, probability_vectors


def test_random_vectors_are_probabilities_from_one_hot_to_uniform():
    p = probability_vectors.random_vectors(np.random.default_rng(0), 2000, 3)
    torch.testing.assert_close(p.sum(-1), torch.ones(2000, dtype=torch.float64))
    assert entropy(p).min() < 0.01
    assert entropy(p).max() > 0.99 * math.log(3)


def test_impossible_outcomes_leave_a_law():
    random = np.random.default_rng(0)
    p = probability_vectors.random_vectors(random, 2000, 3)
    sparse = probability_vectors.without_some(random, p)
    torch.testing.assert_close(sparse.sum(-1), torch.ones(2000, dtype=torch.float64))
    assert 0.15 < (sparse == 0).double().mean() < 0.35  # a third of those that may go
    ratio = torch.where(sparse > 0, sparse / p, 1)
    assert ratio.min() >= 1 - 1e-12


def test_equal_infinities_agree_and_no_others_do():
    a = torch.tensor([1.0, math.inf])
    assert probability_vectors.apart(a, a) == 0
    assert probability_vectors.apart(a, torch.tensor([1.5, math.inf])) == 0.5
    assert probability_vectors.apart(a, torch.tensor([1.0, 3.0])) == math.inf
    assert probability_vectors.apart(a, -a) == math.inf


def test_the_naive_formula_has_derivatives_that_are_not_finite():
    p = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    q = torch.tensor([[0.2, 0.8, 0.0]], dtype=torch.float64)
    assert probability_vectors.not_finite(kl_divergence, p, q) == 0
    assert probability_vectors.not_finite(lambda a, b: (a * (a / b).log()).sum(-1), p, q) == 2


def test_detours_of_a_metric_are_at_least_as_long_as_the_way():
    found = probability_vectors.triangles(range(2), 100)
    tv = found["total variation"]
    assert len(tv["detour"]) == 600
    assert tv["detour"].min() >= 1 - 1e-12
    on_the_way = torch.cat([part[:50] for part in tv["detour"].split(100)])
    torch.testing.assert_close(on_the_way, torch.ones(300, dtype=torch.float64))


@pytest.mark.parametrize("rung", classifier_losses.RUNGS, ids=lambda rung: rung.name)
def test_each_rung_is_a_loss_of_pytorch(rung):
    guesses = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.1, 0.8]], dtype=torch.float64)
    labels = torch.tensor([0, 2])
    logits = guesses if rung.softmax else guesses.log()
    nats = F.cross_entropy(logits, labels, reduction="mean" if rung.mean else "sum")
    expected = nats if rung.nats else nats / math.log(2)
    torch.testing.assert_close(rung.value(guesses, labels), expected)


def test_losses_have_the_gradient_of_softmax_regression():
    """The derivative of CE and KL in the logits is q - p."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 8, 3, generator=generator, dtype=torch.float64)
    target = torch.randn(4, 8, 3, generator=generator, dtype=torch.float64).softmax(-1)
    for loss in (distillation.ce, distillation.kl, distillation.torch_ce, distillation.torch_kl):
        z = logits.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(z, target).sum(), z)
        torch.testing.assert_close(gradient, logits.softmax(-1) - target)


def test_two_trainings_start_alike_and_a_seed_does_not_know_its_neighbours():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(1, 16, 2, generator=generator, dtype=torch.float64)
    target = torch.randn(1, 16, 3, generator=generator, dtype=torch.float64).softmax(-1)
    pair = distillation.train(
        distillation.ce, points.expand(2, -1, -1), target.expand(2, -1, -1), [4, 7], steps=5
    )
    alone = distillation.train(distillation.ce, points, target, [7], steps=5)
    torch.testing.assert_close(pair.values[:, 1], alone.values[:, 0])
    assert (pair.values[:, 0] - pair.values[:, 1]).abs().min() > 1e-6
    assert alone.farthest(alone) == 0


def test_descent_on_the_cross_entropy_ends_at_the_target():
    target = torch.tensor([[0.2, 0.3, 0.5], [0.9, 0.05, 0.05]], dtype=torch.float64)
    torch.testing.assert_close(distillation.minimiser(target), target, atol=1e-6, rtol=0)
