"""Networks that are called on samples: two halves, early stopping, and what is read across."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from divergences import AnchoredCritic, Critic, Discriminator, Estimate, Streams
from divergences.f_divergences import SquaredHellinger
from divergences.learned.cross_fitting import (
    EVERY,
    PATIENCE,
    EarlyStopping,
    averaged,
    halves,
    read_across,
    repeats,
    scaled,
    usable,
)
from divergences.learned.discriminators import NWJ, DiscriminatorKL, DonskerVaradhan, FDivergence
from divergences.networks.gradient_penalty import LipschitzPenalty
from divergences.networks.layers import Linear
from scripts.lab.w1.batch_transport import BatchTransport, ComparedTransforms, CTransform
from scripts.lab.w1.maximin import Maximin

FAST = partial(Adam, lr=3e-3, fused=True)
QUICK = {"hidden": (32,), "steps": 150, "optimizer": FAST, "cooldown": 0.5}
RATIOS = [
    Discriminator(**QUICK),
    DiscriminatorKL(**QUICK),
    DonskerVaradhan(**QUICK),
    NWJ(**QUICK),
    FDivergence(f=SquaredHellinger(), **QUICK),
]
LENGTHS = [
    Critic(**QUICK),
    AnchoredCritic(candidates=64, anchors=16, sweeps=1, steps=50, batch=128),
    CTransform(**QUICK, batch=32),
    ComparedTransforms(**QUICK, batch=32),
    BatchTransport(hidden=(16,), steps=20, batch=16),
    Maximin(hidden=(16,), steps=40, inner=2),
]


def named(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=lambda e: type(e).__name__)


def pair(n=400, shift=1.0, d=2, seed=0):
    """N(0, I) and N(shift e_1, I): KL is shift^2 / 2, W1 is the shift."""
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return x, y + shift * torch.eye(d, dtype=torch.float64)[0]


def agree(a, b, tolerance=3.0):
    return abs(float(a) - float(b)) <= tolerance * math.hypot(float(a.stderr), float(b.stderr))


# what halves() does


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 7), (64, 9), (1000, 1001)])
def test_every_point_is_read_once_by_networks_that_have_not_seen_it(n, m):
    """Points are their own numbers, and networks say who they are."""
    x = torch.arange(2.0 * n).view(2, n, 1)
    y = -1 - torch.arange(2.0 * m).view(2, m, 1)
    parts = halves(x, y, Streams([0, 1]))
    for sample, whole, seen in ((parts.x, x, "x"), (parts.y, y, "y")):
        learnt = torch.cat([getattr(parts, f"{seen}_train"), getattr(parts, f"{seen}_kept")], 1)
        first, second = read_across(lambda z: z.squeeze(-1), sample, width=1)
        for k in range(2):
            both = [*first[k].tolist(), *second[k].tolist()]
            assert sorted(both) == sorted(whole[k].flatten().tolist())
            assert not set(first[k].tolist()) & set(learnt[k].flatten().tolist())
            assert not set(second[k].tolist()) & set(learnt[2 + k].flatten().tolist())


def test_the_first_networks_read_the_second_half():
    points = torch.zeros(3, 10, 1)
    number = torch.arange(6.0)[:, None]
    first, second = read_across(lambda z: z.squeeze(-1) + number, points, width=1)
    assert (first == torch.arange(3.0)[:, None]).all()
    assert (second == torch.arange(3.0, 6.0)[:, None]).all()


def test_reading_in_parts_reads_the_same(monkeypatch):
    points = torch.randn(2, 101, 3)
    layer = Linear(3, 1, Streams(range(4)))

    def score(z):
        return layer(z).squeeze(-1)

    whole = read_across(score, points, width=8)
    monkeypatch.setattr("divergences.learned.cross_fitting.READ_AT_ONCE", 1)
    for a, b in zip(whole, read_across(score, points, width=8), strict=True):
        torch.testing.assert_close(a, b)


def test_points_of_samples_that_are_sorted_alike_are_not_paired():
    x = torch.arange(200.0).view(1, 200, 1)
    parts = halves(x, x + 1000, Streams([0]))
    trained = [set(z.flatten().tolist()) for z in (parts.x_train[0], parts.y_train[0] - 1000)]
    pairs = trained[0] & trained[1]
    assert len(pairs) < 0.75 * len(trained[0])  # half of them, by chance
    assert not (parts.x + 1000 == parts.y).all()


def test_a_sample_and_itself_are_shuffled_alike():
    """Of a sample and itself no half then holds what the other has not."""
    x = torch.randn(1, 50, 2)
    parts = halves(x, x.clone(), Streams([0]))
    assert (parts.x_train == parts.y_train).all()
    assert (parts.x != x).any()


@pytest.mark.parametrize(
    ("half", "kept"), [(2, 1), (9, 4), (60, 30), (100, 32), (500, 100), (5120, 1024), (9000, 1024)]
)
def test_a_fifth_of_a_half_is_kept_back_within_bounds(half, kept):
    """At least 32, or half of it if it has not as many; at most 1024."""
    x, y = torch.rand(2, 1, 2 * half, 1)
    parts = halves(x, y, Streams([0]))
    for trained, held in ((parts.x_train, parts.x_kept), (parts.y_train, parts.y_kept)):
        assert held.shape == (2, kept, 1)
        assert trained.shape == (2, half - kept, 1)


# what EarlyStopping does


class Number(nn.Module):
    def __init__(self, members):
        super().__init__()
        self.at = nn.Parameter(torch.zeros(members, 1))


def train(losses):
    """Members whose weight is the number of the look and whose losses are given, look by look."""
    looks, members = losses.shape
    network = Number(members)
    shown = iter(losses)
    stopping = EarlyStopping(lambda net: next(shown), members)
    for look in range(looks):
        with torch.no_grad():
            network.at.fill_(float(look))
        if stopping(max(1, EVERY * look), network):
            break
    stopping.restore(network)
    return network.at.flatten().tolist(), look, stopping.diverged.tolist()


def test_the_weights_of_the_least_loss_come_back():
    best, last, diverged = train(torch.tensor([[3.0, 1.0], [2.0, 2.0], [1.0, 3.0], [4.0, 4.0]]))
    assert best == [2.0, 0.0]
    assert last == 3
    assert diverged == [False, False]


def test_training_ends_when_nobody_has_improved_for_long():
    losses = torch.full((100, 2), 5.0)
    losses[0] = 1.0
    losses[3, 1] = 0.5
    best, last, _ = train(losses)
    assert best == [0.0, 3.0]
    assert last == 3 + PATIENCE


def test_a_member_that_has_stopped_does_not_go_on_with_the_others():
    losses = torch.full((60, 2), 5.0)
    losses[0, 0] = 1.0
    losses[:, 1] = -torch.arange(60.0)
    losses[40, 0] = 0.0
    best, last, _ = train(losses)
    assert best == [0.0, 59.0]
    assert last == 59


def test_a_loss_that_is_not_finite_is_remembered():
    losses = torch.ones(4, 3)
    losses[2, 1], losses[3, 2] = math.nan, math.inf
    assert train(losses)[2] == [False, True, True]


# what is made of two readings


def test_readings_are_averaged_and_their_allowance_with_them():
    def reading(value, stderr, low):
        ends = (torch.tensor([low]), torch.tensor([math.inf]))
        return Estimate(torch.tensor([value]), torch.tensor([stderr]), ci=ends)

    mean = averaged(reading(1.0, 0.3, 1 - 0.3 * 1.959964 - 0.1), reading(2.0, 0.4, 0.8))
    assert mean.value.item() == pytest.approx(1.5)
    assert mean.stderr.item() == pytest.approx(0.25)
    extra = (0.1 + 2.0 - 0.8 - 0.4 * 1.959964) / 2
    assert mean.ci[0].item() == pytest.approx(1.5 - 0.25 * 1.959964 - extra, abs=1e-6)
    assert mean.ci[1].isinf()


def members(value, stderr, low, high):
    """A reading with a number for each member."""
    value, stderr, low, high = (torch.tensor(t) for t in (value, stderr, low, high))
    return Estimate(value, stderr, ci=(low, high), warnings=("seen by both",))


def test_of_two_halves_the_one_that_is_left_is_used_and_said():
    nan, inf = math.nan, math.inf
    first = members([1.0, 1.0, nan, 3.0, nan], [0.3, nan, 0.1, 0.3, 0.1], [0.0] * 5, [inf] * 5)
    second = members([2.0, 5.0, 6.0, 4.0, 7.0], [0.4, 0.5, 0.6, 0.4, nan], [0.5] * 5, [9.0] * 5)
    diverged = torch.tensor([False] * 5 + [False, False, False, True, False])
    found = usable(first, second, diverged)
    torch.testing.assert_close(found.value, torch.tensor([1.5, 5, 6, 3, nan]), equal_nan=True)
    expected = torch.tensor([0.25, 0.5, 0.6, 0.3, nan])
    torch.testing.assert_close(found.stderr, expected, equal_nan=True)
    torch.testing.assert_close(found.ci[0][1:4], torch.tensor([0.5, 0.5, 0.0]))
    assert found.ci[1].tolist()[:4] == [inf, 9.0, 9.0, inf]
    assert found.ci[1][4].isnan()
    assert found.warnings[0] == "seen by both"  # once
    assert [note.split(":")[:2] for note in found.warnings[1:]] == [
        ["member 1", " only one half is used"],
        ["member 2", " only one half is used"],
        ["member 3", " only one half is used"],
        ["member 4", " no estimate"],
    ]
    reasons = ["too few points", "training diverged", "training diverged", "training diverged"]
    for note, reason in zip(found.warnings[1:], reasons, strict=True):
        assert reason in note


def test_every_number_of_a_reading_has_its_unit():
    found = scaled(members([2.0], [1.0], [0.5], [math.inf]), torch.tensor([3.0]))
    assert (found.value.item(), found.stderr.item(), found.ci[0].item()) == (6.0, 3.0, 1.5)
    assert found.ci[1].isinf()


@pytest.mark.parametrize(("distinct", "said"), [(100, 0), (90, 0), (89, 1), (3, 1)])
def test_copies_are_counted(distinct, said):
    points = torch.randn(100, 3)[torch.arange(100) % distinct][None]
    other = torch.randn(1, 100, 3)
    notes = repeats(points, other)
    assert len(notes) == said
    assert not said or f"only {distinct} of the 100 points of x" in notes[0]
    assert len(repeats(other, points)) == said


# what comes out


@named([Discriminator(steps=300, optimizer=FAST), DiscriminatorKL(**QUICK), Critic(**QUICK)])
def test_equal_laws_on_few_points_read_next_to_nothing(estimator):
    """64 points that a network of this size could tell apart by heart, at 12 draws."""
    pairs = [pair(64, shift=0.0, seed=k) for k in range(12)]
    x, y = (torch.stack(side) for side in zip(*pairs, strict=True))
    estimate = estimator(x, y)
    assert (estimate.ci[0] <= 0).sum() >= 10
    assert estimate.value.abs().median() < 0.2


@pytest.mark.parametrize("learner", [DonskerVaradhan, NWJ], ids=lambda c: c.__name__)
def test_unbounded_losses_stop_before_they_overfit(learner):
    """KL is .5; trained on 512 points for long, held-out readings fall to -2 or -70.

    What one point of thousands carries may still be refused.
    """
    pairs = [pair(1024, seed=k) for k in range(4)]
    x, y = (torch.stack(side) for side in zip(*pairs, strict=True))
    estimate = learner(steps=600, batch=64, optimizer=FAST)(x, y)
    left = ~estimate.value.isnan()
    assert left.any()
    assert ((estimate.value - 0.5).abs() < 0.25)[left].all()
    assert (estimate.ci[0] < 0.5)[left].all()


@named([*RATIOS, *LENGTHS])
def test_the_order_of_the_points_does_not_matter(estimator):
    x, y = pair(1000)
    a = estimator(x, y)
    b = estimator(x[x[:, 0].argsort()], y[y[:, 0].argsort(descending=True)])
    assert agree(a, b, 4)


@named(RATIOS)
@pytest.mark.parametrize(
    "change",
    [
        lambda z: z * torch.tensor([1e6, 1e-6]),
        lambda z: z + torch.tensor([1e6, -1e3]),
        lambda z: z.float(),
        lambda z: z.sinh(),
        lambda z: torch.cat([z[:-1], torch.tensor([[1e8, 0.0]])]),
    ],
    ids=["units", "offsets", "float32", "heavy tails", "outlier"],
)
def test_a_ratio_does_not_depend_on_coordinates(estimator, change):
    x, y = pair()
    a, b = estimator(x, y), estimator(change(x), change(y))
    assert agree(a, b, 2)


@named(LENGTHS)
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_a_length_follows_its_unit(estimator, unit):
    x, y = pair()
    a, b = estimator(x, y), estimator(x * unit + 1e3 * unit, y * unit + 1e3 * unit)
    assert float(b) / unit == pytest.approx(float(a), rel=1e-3)
    assert float(b.stderr) / unit == pytest.approx(float(a.stderr), rel=1e-2)
    assert b.ci[0] / unit == pytest.approx(float(a.ci[0]), rel=1e-2)


@pytest.mark.parametrize("learner", [DonskerVaradhan, NWJ, FDivergence], ids=lambda c: c.__name__)
def test_training_that_diverges_is_refused_without_an_exception(learner):
    estimate = learner(optimizer=partial(SGD, lr=1e9))(*pair(128))
    assert estimate.value.isnan()
    assert "no estimate: one half gives" in estimate.warnings[-1]
    assert "diverged" in estimate.warnings[-1]


def test_copies_are_pointed_out_for_their_member_only():
    x, y = pair(400)
    twice = torch.cat([x[:200], x[:200]])
    estimate = Discriminator(**QUICK)(torch.stack([twice, x]), torch.stack([y, y]))
    assert all(warning.startswith("member 0: ") for warning in estimate.warnings)
    assert any("only 200 of the 400 points of x" in warning for warning in estimate.warnings)


def test_a_member_whose_loss_overflows_leaves_the_others_as_they_are():
    """Raw coordinates of 1e8 drive the exponential of member 0 to infinity."""
    x, y = pair(512)
    learner = NWJ(whiten=False, steps=100, hidden=(16,), seeds=(0, 1))
    both = learner(torch.stack([x * 1e8, x]), torch.stack([y * 1e8, y]))
    alone = replace(learner, seeds=(1,))(x, y)
    assert both.value[0].isnan()
    torch.testing.assert_close(both.value[1], alone.value, rtol=1e-4, atol=1e-4)


def test_a_single_pair_has_warnings_without_a_member():
    x, y = pair(64)
    warnings = Discriminator(**QUICK)(x[torch.arange(64) % 8], y).warnings
    assert any(warning.startswith("only 8 of the 64") for warning in warnings)


def test_a_penalised_critic_is_watched_with_its_penalty():
    estimate = Critic(constraint=LipschitzPenalty(10.0), **QUICK)(*pair(shift=3.0))
    assert float(estimate) == pytest.approx(3.0, rel=0.25)


@named([Critic(ema=0.9, **QUICK), CTransform(**QUICK, batch=32), Maximin(), BatchTransport()])
def test_what_no_loss_on_other_points_judges_is_trained_to_the_end(estimator):
    assert not estimator.stops_early


def no_source():
    return torch.zeros(5, 2)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Discriminator().fit(no_source(), no_source(), [0]), TypeError, "no draw"),
        (lambda: Discriminator(hidden=64), TypeError, "hidden = 64"),
        (lambda: Discriminator(hidden=(10**9,))(*pair(8)), ValueError, "make layers smaller"),
        (lambda: Discriminator(whiten=1), TypeError, "whiten = 1"),
        (lambda: Discriminator(fourier=(0.0,)), ValueError, r"fourier\[0\] = 0"),
        (lambda: Discriminator(optimizer=1e-3), TypeError, "optimizer = 0.001"),
        (lambda: FDivergence(f="kl"), TypeError, "must be a ConvexGenerator"),
        (lambda: Critic(constraint="spectral"), TypeError, "constraint = 'spectral'"),
        (lambda: Critic(activation=nn.ReLU()), TypeError, "must be a class"),
    ],
)
def test_wrong_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_critic_takes_half_precision(dtype):
    x, y = (side.to(dtype) for side in pair(shift=3.0))
    estimate = Critic(**QUICK)(x, y)
    assert estimate.value.dtype == torch.float32
    assert float(estimate) == pytest.approx(3.0, rel=0.2)
