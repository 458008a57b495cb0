"""What the argument on mode collapse computes itself: shares of failures and their intervals."""

import math
from dataclasses import replace
from statistics import NormalDist

import pytest
import torch

from gans.objectives import NonSaturating, Saturating
from scripts.arguments.mode_collapse import PROFILES
from scripts.arguments.mode_collapse.ring_modes import KEEPS, Mixed, Prediction, checks, played
from scripts.arguments.mode_collapse.stalled_generators import Silenced, failed, share
from scripts.arguments.mode_collapse.stalled_generators import checks as silence_checks
from scripts.arguments.mode_collapse.stalled_generators import played as listened
from scripts.lab.mode_table_settings.alphagan import ALPHAGAN
from scripts.lab.mode_table_settings.our_settings import OURS


def games(modes, heard):
    return {"modes": torch.tensor(modes), "heard": torch.tensor(heard)[:, None]}


def test_a_game_fails_without_a_mode_and_without_a_pull():
    read = games([0, 0, 3, 8], [1e-9, 1.0, 1e-9, 1.0])
    assert failed(read, 1e-3).tolist() == [True, False, False, False]
    assert failed(read, math.inf).tolist() == [True, True, False, False]


@pytest.mark.parametrize(("of", "n"), [(0, 10), (59, 200), (7, 24), (24, 24)])
def test_the_interval_holds_the_shares_whose_score_test_accepts(of, n):
    """Wilson's ends are where the score test just rejects: |p - s| = z sqrt(p (1 - p) / n)."""
    middle, low, high = share(torch.arange(n) < of)
    z = NormalDist().inv_cdf(0.975)
    assert middle == of / n
    for end in (low, high):
        assert abs(end - middle) == pytest.approx(z * (end * (1 - end) / n) ** 0.5, abs=1e-12)


def test_the_published_share_is_in_its_own_interval_and_not_in_that_of_no_failures():
    assert all(check.passed for check in silence_checks("x", torch.arange(200) < 59))
    upper, lower = silence_checks("x", torch.zeros(10, dtype=torch.bool))
    assert not upper.passed
    assert lower.passed
    assert not silence_checks("x", torch.ones(10, dtype=torch.bool))[1].passed


def test_a_mode_lost_in_one_seed_fails_the_check_for_all():
    read = {
        "covered_20": torch.tensor([8.0, 8.0, 7.0]),
        "high_quality": torch.tensor([0.9, 0.8, 1.0]),
        "mode_reverse_kl": torch.tensor([0.0, 0.0, 0.03]),
    }
    passed = [c.passed for c in checks("x", read, Mixed(1, 3, Prediction(8, 0.85, 0.02)))]
    assert passed == [False, True, True]


def test_the_paper_profile_is_as_long_as_the_protocols():
    paper = PROFILES["paper"]
    assert paper.ring.iterations == OURS.mixtures["ring"].iterations
    assert paper.grid.iterations == OURS.mixtures["grid"].iterations
    full = paper.silenced
    assert full.iterations == ALPHAGAN.mixtures["ring"].iterations == 400 * 391
    assert (full.seeds, full.samples) == (200, ALPHAGAN.mixtures["ring"].samples)


def test_games_leave_numbers_for_every_seed_and_look():
    read = played(KEEPS, "ring", 20, 2)
    assert read["covered_20"].shape == (2,)
    assert read["seen"].shape == (2, len(read["iterations"])) == (2, 20)
    short = replace(Silenced(), iterations=20, generator=8, critic=8)
    heard = {
        type(objective).__name__: listened(objective, range(3), short)["heard"]
        for objective in (Saturating(), NonSaturating())
    }
    assert all(h.shape == (3, 20) and (h > 0).all() for h in heard.values())
    # where D is undecided both pull alike: sigma(f) and 1 - sigma(f) are both one half
    first = [h[:, 0] for h in heard.values()]
    torch.testing.assert_close(*first, rtol=0.35, atol=0)
