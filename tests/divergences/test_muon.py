"""Muon: its factor beside the singular value decomposition, its step beside torch's own."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch.optim import Adam

from divergences import Critic, FullSort, Muon, Orthogonal
from divergences.networks.muon import orthogonal_factor
from gans.targets import Funnels

DOUBLE = torch.float64


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 5, 9), (3, 9, 5), (1, 64, 128)])
def test_the_factor_keeps_singular_vectors_and_levels_singular_values(shape):
    matrices = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    middle = left.mT @ orthogonal_factor(matrices) @ right.mT
    values = middle.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(middle, torch.diag_embed(values))
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_the_factor_of_a_vector_is_its_direction_and_of_nothing_nothing():
    row = torch.tensor([[[3.0, 4.0]]], dtype=DOUBLE)
    wanted = torch.tensor([[[0.6, 0.8]]], dtype=DOUBLE)
    torch.testing.assert_close(orthogonal_factor(row), wanted)
    torch.testing.assert_close(orthogonal_factor(row.mT), wanted.mT)
    for shape in ((1, 3, 4), (2, 1, 4)):
        assert not orthogonal_factor(torch.zeros(shape)).any()


@pytest.mark.parametrize("size", [1e-35, 1e-25, 1e25, 1e35])
def test_the_factor_does_not_depend_on_the_size_of_the_matrix(size):
    matrices = torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(orthogonal_factor(size * matrices), orthogonal_factor(matrices))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_ten_steps_are_those_of_torchs_own_muon_for_each_member(momentum):
    """torch's takes one matrix and multiplies in bfloat16, so they are equal to its rounding."""
    start, pull = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(1))
    ours = torch.nn.Parameter(start.clone())
    theirs = [torch.nn.Parameter(w.clone()) for w in start]
    optimizers = [
        Muon([ours], lr=0.1, momentum=momentum),
        torch.optim.Muon(theirs, lr=0.1, momentum=momentum, nesterov=False, weight_decay=0.0),
    ]
    for _ in range(10):
        for optimizer in optimizers:
            optimizer.zero_grad()
        ((ours - pull) ** 2).sum().backward()
        torch.stack(
            [((w - p) ** 2).sum() for w, p in zip(theirs, pull, strict=True)]
        ).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    moved = (ours - start).detach()
    difference = (torch.stack([w.detach() for w in theirs]) - ours.detach()).flatten(1).norm(dim=1)
    assert (difference / moved.flatten(1).norm(dim=1) < 0.03).all()
    swapped = (moved - moved.roll(1, 0)).flatten(1).norm(dim=1)  # other members' steps differ more
    assert (swapped / moved.flatten(1).norm(dim=1) > 0.5).all()


def test_a_changed_neighbour_changes_nothing():
    def trained(second):
        torch.manual_seed(0)
        matrix, vector = torch.randn(2, 6, 8), torch.randn(2, 8)
        matrix[1], vector[1] = matrix[1] * second, vector[1] * second
        params = [torch.nn.Parameter(p) for p in (matrix, vector)]
        optimizer = Muon(params, lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            torch.cat([p.flatten(1) for p in params], dim=1).sin().square().sum().backward()
            optimizer.step()
        return [p.detach() for p in params]

    for before, after in zip(trained(1.0), trained(5.0), strict=True):
        assert torch.equal(before[0], after[0])
        assert not torch.equal(before[1], after[1])


def test_a_state_that_was_saved_goes_on_bit_for_bit():
    w = torch.nn.Parameter(torch.randn(1, 4, 4))
    optimizer = Muon([w], lr=0.1)

    def go():
        optimizer.zero_grad()
        (w**4).sum().backward()
        optimizer.step()
        return w.detach().clone()

    halfway, state = go(), deepcopy(optimizer.state_dict())
    last = go()
    with torch.no_grad():
        w.copy_(halfway)
    optimizer = Muon([w], lr=0.3)
    optimizer.load_state_dict(state)
    assert torch.equal(go(), last)


@pytest.mark.parametrize(
    ("shape", "options", "match"),
    [
        ((1, 2, 2), {"lr": 0.0}, "lr = 0.0"),
        ((1, 2, 2), {"lr": float("inf")}, "lr = inf"),
        ((1, 2, 2), {"momentum": 1.0}, "momentum = 1.0"),
        ((3,), {}, r"shape \(3,\)"),
        ((1, 2, 2, 2), {}, r"shape \(1, 2, 2, 2\)"),
    ],
    ids=str,
)
def test_bad_settings_are_named(shape, options, match):
    with pytest.raises(ValueError, match=match):
        Muon([torch.nn.Parameter(torch.zeros(shape))], **options)


@pytest.mark.slow
def test_an_orthonormal_critic_gets_further_on_muon_than_on_adam():
    """On a pair of 8 dimensions, by the same lower bound after the same 300 steps."""
    law = Funnels.drawn(8, 4, seed=3)

    def read(optimizer):
        critic = Critic(
            constraint=Orthogonal(4),
            activation=FullSort,
            hidden=(32, 32),
            steps=300,
            optimizer=optimizer,
            cooldown=1.0,
        )
        return critic.fit(law, law.base, [0, 1]).held_out(law, law.base)

    muon = read(partial(Muon, lr=0.05))
    for lr in (1e-3, 3e-3):
        adam = read(partial(Adam, lr=lr))
        assert (muon.value - 3 * muon.stderr > adam.value + 3 * adam.stderr).all()
    assert (muon.value - 3 * muon.stderr < law.measured_w1(2**14).value).all()


def test_a_step_calls_what_computes_the_loss_and_returns_that():
    weight = torch.nn.Parameter(torch.ones(1, 2, 2, dtype=DOUBLE))
    optimizer = Muon([weight], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4
    assert weight.detach().square().sum() < 4
    assert optimizer.step() is None
