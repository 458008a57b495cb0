"""Every objective at its optimal critic, on atoms: what it estimates, and where it sends points.

Objectives are found in the package, so that a new one is tested without being named; the critic
that is best for each is found by minimising its own loss. Truths are sums over four atoms.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize_scalar

from divergences import estimate, f_divergences
from divergences.f_divergences import ConvexGenerator
from gans import objectives
from gans.objectives import FGAN, Alpha, Objective
from gans.targets import Gaussian

N = 20
PLACES = np.array([0.0, 1.0, 2.5, 3.0])
P, Q = np.array([10, 6, 3, 1]) / N, np.array([2, 4, 6, 8]) / N


def concrete(kind):
    for each in kind.__subclasses__():
        yield from concrete(each)
        if not each.__abstractmethods__ and not each.__name__.startswith("_"):
            yield each


CLASSES = sorted(
    (c for c in set(concrete(Objective)) if c.__module__ == objectives.__name__),
    key=lambda c: c.__name__,
)
CONVEX = sorted(
    (c for c in set(concrete(ConvexGenerator)) if c.__module__ == f_divergences.__name__),
    key=lambda c: c.__name__,
)
EVERY = [c() for c in CLASSES if c is not FGAN] + [FGAN(f()) for f in CONVEX]
IDS = [f"{type(o).__name__} of {o.quantity}" for o in EVERY]
every = pytest.mark.parametrize("objective", EVERY, ids=IDS)


def plogp(p, r):
    return float((p * np.log(r)).sum())


def triangular(p, q):
    return float(((p - q) ** 2 / (p + q)).sum())


def js(p, q):
    return (plogp(p, 2 * p / (p + q)) + plogp(q, 2 * q / (p + q))) / 2


def w1(p, q):
    return float((np.abs(np.cumsum(p - q))[:-1] * np.diff(PLACES)).sum())


QUANTITIES = {
    "js": js,
    "js_of_pairs": lambda p, q: js(np.outer(p, q).ravel(), np.outer(q, p).ravel()),
    "w1": w1,
    "triangular": triangular,
    "tv": lambda p, q: np.abs(p - q).sum() / 2,
    "pearson": lambda p, q: ((p - q) ** 2 / q).sum(),
    "kl": lambda p, q: plogp(p, p / q),
    "kl_reverse": lambda p, q: plogp(q, q / p),
    "hellinger2": lambda p, q: ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(),
}
"""Each by its definition, as functions of two probability vectors."""


def drawn(scores, p=P, q=Q):
    """Scores of two samples whose pairs (x_i, y_i) are distributed exactly as P times Q."""
    on_p, on_q = (scores.repeat_interleave(torch.tensor(np.round(w * N)).long()) for w in (p, q))
    return on_p.repeat_interleave(N)[None], on_q.repeat(N)[None]


def best_scores(objective):
    """The scores that minimise the critic's own loss, one atom at a time until nothing moves."""
    if objective.needs_slope:
        return lipschitz_scores(objective)
    scores = torch.zeros(4, dtype=torch.float64)

    def loss(value, atom):
        moved = scores.clone()
        moved[atom] = float(value)
        return float(objective.critic_loss(*drawn(moved)).squeeze())

    for _ in range(40 if objective.pairs else 2):
        for atom in range(4):
            found = minimize_scalar(
                loss, bounds=(-12, 12), args=(atom,), method="bounded", options={"xatol": 1e-9}
            )
            scores[atom] = found.x
    return scores


def lipschitz_scores(objective):
    """The same among scores of slope at most 1, for a loss that is linear in them."""
    scores = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(objective.critic_loss(*drawn(scores)).sum(), scores)
    rows, gaps = [], []
    for i, j in itertools.permutations(range(4), 2):
        rows.append(np.eye(4)[i] - np.eye(4)[j])
        gaps.append(abs(PLACES[i] - PLACES[j]))
    fixed = {"A_eq": [[1, 0, 0, 0]], "b_eq": [0]}
    found = linprog(slope.numpy(), np.array(rows), gaps, **fixed, bounds=(None, None))
    return torch.tensor(found.x)


BEST = {name: best_scores(objective) for name, objective in zip(IDS, EVERY, strict=True)}


@every
def test_an_estimate_says_what_it_estimates(objective):
    found = objective.estimate(*drawn(torch.zeros(4, dtype=torch.float64)))
    assert found.quantity == objective.quantity
    assert estimate.QUANTITIES[objective.quantity].symbol in str(found)


@every
def test_the_estimate_is_its_quantity_at_the_best_scores(objective, request):
    """Neither below nor above; infinite scores at the best total variation are cut at 12."""
    scores = BEST[request.node.callspec.id]
    found = objective.estimate(*drawn(scores))
    truth = QUANTITIES[objective.quantity](P, Q)
    assert found.value.item() == pytest.approx(truth, abs=1e-6)
    assert found.ci[0].item() < truth < found.ci[1].item() + 1e-6
    assert found.n == (N * N, N * N)


@every
def test_the_estimate_of_other_scores_is_below_its_quantity(objective):
    truth = QUANTITIES[objective.quantity](P, Q)
    generator = torch.Generator().manual_seed(0)
    slopes = torch.rand(20, 3, generator=generator, dtype=torch.float64) * 2 - 1
    for steps in slopes:
        rises = steps * torch.tensor(PLACES).diff()
        rise = torch.cat([torch.zeros(1), rises.cumsum(0)])
        assert objective.estimate(*drawn(rise)).value.item() < truth + 1e-9


@every
def test_the_standard_error_is_the_spread_over_samples(objective, request):
    """400 samples: their spread is known to 4 %."""
    scores = BEST[request.node.callspec.id].clamp(-3, 3)
    generator = torch.Generator().manual_seed(0)
    x, y = (
        scores[torch.tensor(w).multinomial(400 * 60, True, generator=generator)].view(400, 60)
        for w in (P, Q)
    )
    found = objective.estimate(x, y)
    usable = found.stderr.isfinite()  # not where a mean rests on few points
    assert usable.double().mean() > 0.9
    assert found.stderr[usable].mean().item() == pytest.approx(found.value.std().item(), rel=0.15)
    assert found.n == (60, 60)


def slope_towards(objective, scores, p, q, there):
    """Of the generator's loss as q moves towards ``there``, the critic standing still."""
    step = 1e-6

    def loss(weights):
        total = 0.0
        for a, b in itertools.product(range(4), range(4)):
            real = scores[b].view(1, 1) if objective.pairs else None
            of_pair = objective.generator_loss(scores[a].view(1, 1), real)
            total += weights[a] * p[b] * of_pair.item()
        return total

    return (loss(q + step * (there - q)) - loss(q - step * (there - q))) / (2 * step)


@every
def test_the_generators_loss_falls_towards_the_real_law_and_rises_away_from_it(objective, request):
    """By finite differences at the best critic; the divergence that is named falls as well."""
    scores = BEST[request.node.callspec.id]
    named = QUANTITIES[objective.quantity]
    away = 2 * Q - P
    away = np.clip(away, 0.01, None) / np.clip(away, 0.01, None).sum()
    for there, sign in ((P, -1), (away, 1)):
        assert sign * slope_towards(objective, scores, P, Q, there) > 1e-3
        assert sign * (named(P, Q + 1e-3 * (there - Q)) - named(P, Q)) > 0


TIMES = {"Saturating": 2, "Wasserstein": 1, "Hinge": 2, "FGAN": 1, "Alpha": 2}
"""At a fixed best critic the generator's slope is this many times the named divergence's."""


ZERO_SUM = [o for o in EVERY if type(o).__name__ in TIMES]


@pytest.mark.parametrize("objective", ZERO_SUM, ids=[IDS[EVERY.index(o)] for o in ZERO_SUM])
def test_where_the_game_is_zero_sum_the_slope_is_that_of_the_divergence(objective, request):
    named, step = QUANTITIES[objective.quantity], 1e-6
    for there in (P, np.array([0.4, 0.1, 0.1, 0.4])):
        up, down = (named(P, Q + s * step * (there - Q)) for s in (1, -1))
        right = TIMES[type(objective).__name__] * (up - down) / (2 * step)
        ours = slope_towards(objective, BEST[request.node.callspec.id], P, Q, there)
        assert ours == pytest.approx(right, rel=1e-4, abs=1e-5)


def alpha_loss(probability, alpha):
    return alpha / (alpha - 1) * (1 - probability ** ((alpha - 1) / alpha))


@pytest.mark.parametrize(
    ("objective", "truth"),
    [
        (objectives.Saturating(), plogp(Q, Q / (P + Q))),
        (objectives.NonSaturating(), -plogp(Q, P / (P + Q))),
        (objectives.LeastSquares(), (Q**3 / (P + Q) ** 2).sum() / 2),
        (objectives.Hinge(), -(Q * np.sign(P - Q)).sum()),
        (FGAN(), ((P - Q) ** 2 / Q).sum() - 2 * (P * (P / Q - 1)).sum()),
        (FGAN(f_divergences.KullbackLeibler()), plogp(P, P / Q) - plogp(P, math.e * P / Q)),
        (Alpha(0.5, 3.0), -(Q * alpha_loss(Q**0.5 / (P**0.5 + Q**0.5), 3.0)).sum()),
        (Alpha(3.0, 0.5), -(Q * alpha_loss(Q**3 / (P**3 + Q**3), 0.5)).sum()),
        (Alpha(3.0), -(Q * alpha_loss(Q**3 / (P**3 + Q**3), 3.0)).sum()),
        (
            objectives.Relativistic(),
            -plogp(np.outer(Q, P), np.outer(P, Q) / (np.outer(P, Q) + np.outer(Q, P))),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Objective) else "",
)
def test_the_generators_loss_in_closed_form_at_the_best_discriminator(objective, truth):
    scores = best_scores(objective)
    real, fake = drawn(scores)
    loss = objective.generator_loss(fake, real if objective.pairs else None)
    assert loss.item() == pytest.approx(truth, abs=1e-6)


@every
def test_losses_are_means_per_member(objective):
    real, fake = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)).double()
    given = real if objective.pairs else None
    for k in range(3):
        one = slice(k, k + 1)
        torch.testing.assert_close(
            objective.critic_loss(real, fake)[one], objective.critic_loss(real[one], fake[one])
        )
        torch.testing.assert_close(
            objective.generator_loss(fake, given)[one],
            objective.generator_loss(fake[one], None if given is None else given[one]),
        )
    twice = (t.repeat(1, 2) for t in (real, fake))
    torch.testing.assert_close(objective.critic_loss(*twice), objective.critic_loss(real, fake))


def test_all_objectives_of_the_package_are_here():
    assert type(FGAN().f) is f_divergences.Pearson
    named = {name for name in vars(objectives) if isinstance(vars(objectives)[name], type)}
    found = {c.__name__ for c in CLASSES}
    assert found == {
        name
        for name in named
        if issubclass(vars(objectives)[name], Objective)
        and name[0] != "_"
        and not vars(objectives)[name].__abstractmethods__
    }
    assert len(found) >= 8
    assert len(CONVEX) >= 6


LARGEST = {
    "js": math.log(2),
    "js_of_pairs": math.log(2),
    "w1": math.inf,
    "triangular": 2.0,
    "tv": 1.0,
    "pearson": math.inf,
    "kl": math.inf,
    "kl_reverse": math.inf,
    "hellinger2": 2.0,
}


@every
def test_the_interval_ends_at_the_largest_value_and_sizes_are_those_given(objective):
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(2, n, generator=generator) for n in (70, 50))
    found = objective.estimate(real, fake)
    assert found.ci[1].tolist() == pytest.approx([LARGEST[objective.quantity]] * 2)
    assert found.n == (70, 50)
    assert objective.estimate(fake, real).n == (50, 70)


def test_pairs_are_as_many_as_the_smaller_sample():
    real, fake = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[0.5, -1.0]])
    expected = math.log(2) - (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(-3.0))) / 2
    relativistic = objectives.Relativistic()
    assert relativistic.estimate(real, fake).value.item() == pytest.approx(expected)
    assert relativistic.estimate(-fake, -real).value.item() == pytest.approx(expected)


def test_the_wasserstein_game_is_worth_w1_and_no_other_order():
    """Between N(0, 1) and N(0, 4) it is E|Z| = sqrt(2 / pi), and W2 is 1."""
    value = objectives.Wasserstein().value_at_optimum(Gaussian(0.0, 1.0), Gaussian(0.0, 2.0))
    assert value.item() == pytest.approx(math.sqrt(2 / math.pi), rel=1e-5)


def test_alphas_are_the_ones_given_and_1_by_default():
    given = Alpha(0.5, 3.0)
    assert (given.alpha, given.alpha_generator) == (0.5, 3.0)
    assert (Alpha().alpha, Alpha().alpha_generator) == (1.0, 1.0)
    assert Alpha(0.5).alpha_generator == 0.5
