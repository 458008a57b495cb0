"""The benchmark of W1 critics: its metrics by hand, its pairs, its records, its flags."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from divergences.anchored import AnchoredCritic
from divergences.learned import Fit
from divergences.neural import Critic
from divergences.streams import Streams
from divergences.variational import kantorovich_rubinstein
from gans.targets import Box, Funnels, OneFunnel, Shifted
from scripts.benchmark import critics, w1
from scripts.benchmark.__main__ import parse
from scripts.benchmark.critics import Run, compared, measure
from scripts.benchmark.published_w1 import SOLVERS, TABLE, published


class Plane(nn.Module):
    """f(x) = a x, one critic."""

    def __init__(self, *a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, points):
        return points @ self.a[:, None]


@pytest.mark.parametrize(
    ("a", "cosine", "l2", "value"),
    [
        ((0.6, 0.8), 1.0, 0.0, 5.0),
        ((0.0, 0.0), 0.0, 1.0, 0.0),
        ((-0.6, -0.8), -1.0, 4.0, -5.0),
        ((1.2, 1.6), 1.0, 1.0, 10.0),
        ((2.0, 0.0), 0.6, 2.6, 6.0),
        ((0.8, -0.6), 0.0, 2.0, 0.0),
    ],
    ids=["the potential", "nothing", "its negative", "twice it", "along an axis", "across"],
)
def test_metrics_of_a_plane_against_a_shifted_copy_by_hand(a, cosine, l2, value):
    """The potential's gradient is (.6, .8) everywhere: |a - (.6, .8)|^2 and 3 a_1 + 4 a_2."""
    law = Shifted(Box([1.0, 1.0]), [3.0, 4.0])
    found = compared(Fit(Plane(*a), (0,), kantorovich_rubinstein), law, 64)
    assert float(found["cosine"]) == pytest.approx(cosine, abs=1e-6)
    assert float(found["l2"]) == pytest.approx(l2, abs=1e-6)
    assert float(found["value"]) == pytest.approx(value, abs=1e-5)
    assert float(found["deviation"]) == pytest.approx(value / 5 - 1, abs=1e-6)
    assert float(found["slope"]) == pytest.approx(math.hypot(*a), abs=1e-6)


@pytest.mark.parametrize(
    ("learner", "law"),
    [
        (Critic(steps=200, hidden=(16, 16), batch=64), Shifted(Box([0.5, 0.5]), [0.6, 0.8])),
        (AnchoredCritic(steps=50, anchors=16, candidates=64, sweeps=0), OneFunnel(2)),
        (AnchoredCritic(steps=50, anchors=16, candidates=64, sweeps=0), OneFunnel(8)),
    ],
    ids=["spectral, shifted box", "anchored, ball, D=2", "anchored, ball, D=8"],
)
def test_the_interval_of_a_lower_bound_covers_the_critics_own_value_19_times_in_20(learner, law):
    """1000 readings on 128 points a side, against a mean over 2^19; binomial error of a share."""
    readings, n = 1000, 128
    fit = learner.fit(law, law.base, [0])
    streams = Streams([0], "coverage")
    scores = [
        fit.scores(source.draw(streams, readings * n)).detach().view(readings, n)
        for source in (law, law.base)
    ]
    estimate = fit.read(*scores)
    means = [
        torch.stack([fit.scores(source.draw(streams, 2**16)).double().mean() for _ in range(8)])
        for source in (law, law.base)
    ]
    value = float(means[0].mean() - means[1].mean())

    def covered(width):
        return float(((estimate.value - value).abs() <= width * estimate.stderr).double().mean())

    assert abs(covered(1.96) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / readings)
    assert abs(covered(1.96 / 2) - 0.95) > 3 * math.sqrt(0.95 * 0.05 / readings)  # it can fail
    below = float((estimate.ci[0] <= law.w1).double().mean())
    assert estimate.bound == "lower"
    assert below > 0.975 - 3 * math.sqrt(0.975 * 0.025 / readings)


def test_pairs_of_other_seeds_are_other_pairs_and_have_records_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(critics, "HELD_OUT", 64)
    monkeypatch.setattr(critics, "TRANSPORT_POINTS", 32)
    records = {}

    def here(wanted, work, out, workers):
        found = [work(run) for run in wanted]
        records.update({out / run.file: r for run, r in zip(wanted, found, strict=True)})
        return found

    monkeypatch.setattr(w1, "run_all", here)
    flags = ["--solvers", "spectral", "--dimensions", "2", "--funnels", "3", "--seeds", "2"]
    flags += ["--share", "0.0002", "--workers", "1", "--out", str(tmp_path)]
    options = parse(["w1", *flags, "--pair-seeds", "4", "7"])
    wanted = w1.runs(options)
    for run in wanted:
        assert torch.equal(run.law().centres, Funnels.drawn(2, 3, run.pair_seed).centres)
    w1.run(options)
    found = [records[tmp_path / run.file] for run in wanted]
    assert [record["pair"] for record in found] == [4, 7]
    assert found[0]["truth"] != found[1]["truth"]
    assert len((tmp_path / "w1.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("solver", critics.SOLVERS)
def test_every_solver_of_the_benchmark_leaves_a_record(solver, monkeypatch):
    monkeypatch.setattr(critics, "HELD_OUT", 256)
    small: dict[str, Any] = {"anchors": 8, "candidates": 32, "screening": 2, "sweeps": 0}
    monkeypatch.setattr(
        critics, "_anchored", lambda d, steps: AnchoredCritic(steps=steps, **small)
    )
    record = measure(Run(solver, 3, 2, 2, 2 / critics.SOLVERS[solver].steps))
    assert record["steps"] == 2
    assert len(record["cosine"]) == 2
    assert all(map(math.isfinite, record["cosine"]))


def test_the_published_table_is_whole():
    assert len(TABLE) == 28
    assert all({*map(len, row[3:])} == {len(SOLVERS)} for row in TABLE)
    rows = published(16, 16)
    assert [r["cosine"] for r in rows if r["solver"] == "GP"] == [0.91]
    assert [r["deviation"] for r in rows if r["solver"] == "DOT"] == [1.33]
    assert [r["l2"] for r in rows if r["solver"] == "SO"] == [0.28]
    assert published(3, 3) == []


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        (["--seeds", "1"], "--seeds 1"),
        (["--share", "2"], "--share 2"),
        (["--dimensions", "0"], "--dimensions 0"),
        (["--pair", "nowhere.pt"], "--pair nowhere"),
        (["--pair-seeds", "1", "-1"], "--pair-seeds -1"),
    ],
    ids=str,
)
def test_bad_flags_are_named(flags, match, capsys):
    with pytest.raises(SystemExit):
        parse(["w1", *flags])
    assert match in capsys.readouterr().err
