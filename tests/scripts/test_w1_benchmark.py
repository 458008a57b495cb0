"""The benchmark of W1 critics: its metrics by hand, its pairs, its records, its flags."""

import csv
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from divergences.bounds import kantorovich_rubinstein
from divergences.learned.anchored import AnchoredCritic
from divergences.learned.base import Fit
from divergences.learned.critic import Critic
from divergences.random_streams import Streams
from gans.targets import Box, Funnels, OneFunnel, Shifted
from scripts.benchmark import w1
from scripts.benchmark.__main__ import parse
from scripts.benchmark.published import published
from scripts.lab.w1 import accuracy, solvers
from scripts.lab.w1.accuracy import Run, compared, measure
from tests.engines import Threads


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


@pytest.fixture
def here(monkeypatch):
    """Records of few points, made in this process."""
    monkeypatch.setattr(accuracy, "HELD_OUT", 64)
    monkeypatch.setattr(accuracy, "TRANSPORT_POINTS", 32)

    monkeypatch.setattr("scripts.lab.records.engine_of", lambda options: Threads())


def small(folder, *flags):
    """Two seeds of one step or two in the plane."""
    fixed = ["--dimensions", "2", "--funnels", "3", "--seeds", "2", "--workers", "1"]
    return parse(["w1", *fixed, "--out", str(folder), *flags])


def table(folder):
    return list(csv.DictReader((folder / "w1.csv").read_text().splitlines()))


def test_pairs_of_other_seeds_are_other_pairs_and_have_records_of_their_own(tmp_path, here):
    flags = ["--solvers", "spectral", "--share", "0.0002", "--pair-seeds", "4", "7"]
    options = small(tmp_path, *flags)
    wanted = w1.runs(options)
    for run in wanted:
        assert torch.equal(run.law().centres, Funnels.drawn(2, 3, run.pair_seed).centres)
    w1.run(options)
    rows = table(tmp_path)
    assert [row["pair"] for row in rows] == ["4", "7"]
    assert rows[0]["truth"] != rows[1]["truth"]


def test_commands_of_other_shares_add_to_one_table_and_the_longest_run_is_drawn(tmp_path, here):
    for solver, share in (("spectral", ".0002"), ("spectral", ".0001"), ("clip", ".0002")):
        w1.run(small(tmp_path, "--solvers", solver, "--share", share))
    rows = table(tmp_path)
    assert [(row["solver"], row["steps"]) for row in rows] == [
        ("clip", "1"),
        ("spectral", "1"),
        ("spectral", "2"),
    ]
    drawn = w1.longest([row | {"seeds": int(row["seeds"])} for row in rows])
    assert [row["steps"] for row in drawn if row["solver"] == "spectral"] == ["2"]


def test_a_value_under_a_penalty_is_corrected_by_its_equation_and_others_are_not():
    """A slope of 1 + W1 / 2 lambda along every ray, lambda = 10, reads 1.1 where W1 is 2."""
    record = {"value": [2 * 1.1, None, -6.0], "truth": [2.0, 2.0, 2.0]}
    right, diverged, impossible = accuracy.corrected(record | {"solver": "released"})
    assert right == pytest.approx(0, abs=1e-12)
    assert math.isnan(diverged)
    assert math.isnan(impossible)
    assert all(map(math.isnan, accuracy.corrected(record | {"solver": "sorted"})))
    assert all(map(math.isnan, accuracy.corrected(record | {"solver": "MM"})))


def test_a_solver_that_diverged_has_a_row_without_numbers(tmp_path, here, monkeypatch):
    real = accuracy.measure

    def diverged(run):
        return real(run) | {key: [math.nan, 1.0] for key in accuracy.MEANS}

    monkeypatch.setattr(accuracy, "measure", diverged)
    w1.run(small(tmp_path, "--solvers", "spectral", "--share", ".0001"))
    (row,) = table(tmp_path)
    assert row["cosine"] == "nan"
    assert row["truth"] != "nan"


@pytest.mark.parametrize("solver", solvers.SOLVERS)
def test_every_solver_of_the_benchmark_leaves_a_record(solver, monkeypatch):
    monkeypatch.setattr(accuracy, "HELD_OUT", 256)
    small: dict[str, Any] = {"anchors": 8, "candidates": 32, "screening": 2, "sweeps": 0}
    monkeypatch.setattr(
        solvers, "_anchored", lambda d, steps: AnchoredCritic(steps=steps, **small)
    )
    whole = solvers.SOLVERS[solver]
    monkeypatch.setitem(solvers.SOLVERS, solver, replace(whole, least=1))
    record = measure(Run(solver, 3, 2, 2, 2 / whole.steps))
    assert record["steps"] == 2
    assert len(record["cosine"]) == 2
    assert all(map(math.isfinite, record["cosine"]))


def test_a_share_is_of_the_full_protocol_and_some_are_never_cut_short():
    assert Run("GP", 2, 4, 2, 0.5).steps == 30_000
    assert Run("GP", 2, 4, 2, 1e-9).steps == 1
    assert Run("anchored", 2, 4, 2, 0.01).steps == solvers.SOLVERS["anchored"].steps
    assert Run("released", 2, 4, 2, 0.01).steps == 400 < Run("released", 2, 4, 2, 1.0).steps


def test_the_published_table_is_whole():
    pairs = [(row["dimension"], row["funnels"]) for row in published("w1")]
    assert {*Counter(pairs).values()} == {11}  # solvers of each pair
    assert len({*pairs}) == 28
    rows = published("w1", dimension=16, funnels=16)
    assert [r["cosine"] for r in rows if r["solver"] == "GP"] == [0.91]
    assert [r["deviation"] for r in rows if r["solver"] == "DOT"] == [1.33]
    assert [r["l2"] for r in rows if r["solver"] == "SO"] == [0.28]
    assert published("w1", dimension=3, funnels=3) == []


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        (["--seeds", "1"], "--seeds: 1"),
        (["--share", "2"], "--share: 2"),
        (["--dimensions", "0"], "--dimensions: 0"),
        (["--pair", "nowhere.pt"], "--pair nowhere"),
        (["--pair-seeds", "1", "-1"], "--pair-seeds: -1"),
    ],
    ids=str,
)
def test_bad_flags_are_named(flags, match, capsys):
    with pytest.raises(SystemExit):
        parse(["w1", *flags])
    assert match in capsys.readouterr().err
