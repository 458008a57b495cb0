"""Critics that end in a sigmoid, as those of textbooks do, and objectives that take logits."""

import pytest
import torch
from torch import nn

import gans
from divergences import Estimate
from divergences.estimate import Bound
from gans.logits import refuse_probabilities
from gans.monitors import tags
from gans.monitors.looks import summary
from gans.monitors.real_points import RealPoints
from gans.monitors.users_gan import GivenGame

LAYERS = nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)
LOGITS = nn.Sequential(*LAYERS)
GENERATOR = nn.Linear(2, 2)


class Textbook(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(*LAYERS, nn.Sigmoid())

    def forward(self, points):
        return self.model(points).view(-1)


def monitor(critic, objective=None):
    real = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    return gans.DivergenceMonitor(
        real=real, fake=lambda n: GENERATOR(torch.randn(n, 2)), critic=critic, n=32,
        objective=objective,
    )  # fmt: skip


@pytest.mark.parametrize(
    "critic",
    [
        Textbook(),
        nn.Sequential(*LAYERS, nn.Sigmoid(), nn.Flatten()),
        lambda points: torch.sigmoid(LOGITS(points)).squeeze(1),
        lambda points: LOGITS(points).sigmoid().clamp(1e-6, 1 - 1e-6),
    ],
)
@pytest.mark.parametrize("objective", [gans.NonSaturating(), gans.Saturating()])
def test_probabilities_are_refused_where_logits_are_taken(critic, objective):
    with pytest.raises(ValueError, match=r"ends in a sigmoid.*without its last sigmoid.*logits"):
        monitor(critic, objective).read()


def test_scores_within_0_and_1_of_unseen_origin_are_warned_of():
    def critic(points):
        return 1 / (1 + (-LOGITS(points)).exp())

    real = RealPoints(torch.randn(64, 2), 64)
    game = GivenGame(real, lambda n: torch.randn(n, 2), 0, critic, objective=gans.Saturating())
    points = game.held_out(16, "test").fake
    with pytest.warns(UserWarning, match=r"within \[0, 1\].*without its last sigmoid"):
        refuse_probabilities(game.objective, game.scores, points)


def test_a_game_is_not_trained_on_probabilities():
    with pytest.raises(ValueError, match=r"ends in a sigmoid.*without its last sigmoid.*logits"):
        gans.VanillaGAN(gans.Ring(), critic=Textbook())
    before = torch.get_rng_state()
    for critic, objective in ((LOGITS, None), (Textbook(), gans.LeastSquares())):
        gans.VanillaGAN(gans.Ring(), *([objective] if objective else []), critic=critic)
    assert before.equal(torch.get_rng_state())


@pytest.mark.parametrize(
    ("critic", "objective"),
    [
        (LOGITS, gans.NonSaturating()),
        (Textbook(), None),
        (Textbook(), gans.LeastSquares()),
        (Textbook(), gans.Wasserstein()),
    ],
)
def test_other_critics_are_measured(critic, objective):
    assert monitor(critic, objective).read()


def of(value, low, high, bound: Bound = "none"):
    ends = torch.tensor([low]), torch.tensor([high])
    return Estimate(torch.tensor([value]), torch.tensor([0.1]), ci=ends, bound=bound)


@pytest.mark.parametrize(
    ("js", "critic", "said"),
    [
        (of(0.2, 0.1, 0.3), None, "JS 0.20 [0.10, 0.30]"),
        (of(0.0, -0.1, 0.1), None, "JS at most 0.10"),
        (of(-1.6, -9.3, -1.6), None, "JS unknown"),
        (of(-1.6, -9.3, -1.6), of(0.6, 0.55, 0.69, "lower"), "JS at least 0.55"),
        (of(0.2, 0.1, 0.3), of(0.6, 0.55, 0.69, "lower"), "JS at least 0.55"),
        (of(0.9, 0.8, 1.0), of(-0.2, -0.3, 0.69, "lower"), "JS unknown"),
    ],
)
def test_the_line_of_a_look_says_only_what_js_can_be(js, critic, said):
    readings = {tags.JS: js} | ({tags.read_by_critic("js"): critic} if critic else {})
    assert summary(readings, []) == said
