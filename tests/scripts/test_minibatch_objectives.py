"""Games without a critic beside one with: what is played, and what is judged of it."""

import pytest
import torch

from gans import MinimumDistance
from scripts.arguments import minibatch_objectives as minibatch
from scripts.arguments.mode_collapse.ring_modes import KEEPS
from scripts.lab.claims import FAILS, HOLDS, QUALIFIED
from scripts.lab.mode_table_settings.our_settings import OURS


def read(modes, quality, seconds=1.0):
    names = ("covered_20", "mode_reverse_kl", "core_width")
    return {
        "covered_1": torch.full((5,), float(modes)),
        "high_quality": torch.full((5,), quality),
        "cpu_seconds": torch.tensor(seconds),
        **{name: torch.ones(5) for name in names},
        "points": torch.zeros(4, 2),
    }


def found():
    settings = minibatch.Settings()
    good = {
        game: read(25 if game[0] == "grid" else 8, 0.2 if game[1] == minibatch.TRANSPORT else 0.1)
        for game in settings.games()
    }
    good["ring", minibatch.BLIND] = read(0, 0.0)
    return good, settings


def test_every_row_is_one_of_the_protocol_and_has_no_critic_but_one():
    for target, row in minibatch.Settings().games():
        module = OURS.module(row, target, range(1), 2)
        assert isinstance(module, MinimumDistance) == (row != KEEPS)


def test_the_sinkhorn_divergence_has_a_tenth_of_the_iterations():
    games = minibatch.Settings(ring=800, grid=500).games()
    assert games["ring", minibatch.SINKHORN] == 80
    assert games["ring", KEEPS] == games["ring", minibatch.ENERGY] == 800
    assert games["grid", KEEPS] == 500


def test_the_paper_profile_plays_all_rows_for_as_long_as_the_table():
    games = minibatch.PROFILES["paper"].games()
    for target in ("ring", "grid"):
        assert games[target, KEEPS] == OURS.mixtures[target].iterations
        assert {row for on, row in games if on == target} >= set(minibatch.ALL)


def test_the_verdict_follows_the_numbers():
    good, settings = found()
    claim = minibatch.claim(good, settings)
    assert claim.verdict == QUALIFIED
    assert claim.as_expected
    better = {row: good["ring", row] | {"high_quality": torch.full((5,), 0.9)}
              for row in (KEEPS, minibatch.ENERGY, minibatch.MMD, minibatch.SINKHORN)}  # fmt: skip
    lost = good | {("ring", minibatch.ENERGY): read(6, 0.1)}
    assert minibatch.claim(lost, settings).verdict == FAILS
    ahead = good | {("ring", row): value for row, value in better.items()}
    assert minibatch.claim(ahead, settings).verdict == FAILS  # half of .9 is not reached
    ahead["ring", KEEPS] = good["ring", KEEPS]
    assert minibatch.claim(ahead, settings).verdict == HOLDS


def test_a_control_that_covers_all_modes_is_no_control():
    good, settings = found()
    good["ring", minibatch.BLIND] = read(8, 0.2)
    assert not minibatch.claim(good, settings).as_expected


@pytest.mark.parametrize("row", [minibatch.TRANSPORT, minibatch.SINKHORN])
def test_a_row_plays_and_is_timed(row):
    result = minibatch.timed(row, "ring", 2, 2)
    assert float(result["cpu_seconds"]) > 0
    assert result["points"].shape == (1000, 2)
