"""The benchmark of estimators' cost: rivals compute the same numbers, and growth is measured."""

import math

import pytest
import torch

from scripts.benchmark.__main__ import main
from scripts.benchmark.cost import TIMED, cost, measure
from tests.engines import Threads

RIVALLED = [name for name, timed in TIMED.items() if timed.theirs is not None]


@pytest.mark.parametrize("name", RIVALLED)
@pytest.mark.parametrize("d", [2, 3])
def test_rivals_compute_the_same_number(name, d):
    row = measure(name, 60, d, repeats=1)
    assert row["apart"] < 1e-9
    assert row["seconds"] > 0
    assert row["their_seconds"] > 0


def test_memory_is_what_a_call_adds_at_most():
    kept, seconds, megabytes = cost(lambda: torch.ones(2**22).sum(), 2)
    assert kept == 2**22
    assert seconds > 0
    assert math.isnan(megabytes) or 14 < megabytes < 40  # 16 MB, and what the process did besides


def test_the_command_writes_a_table_and_how_time_grows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("scripts.lab.records.engine_of", lambda options: Threads())
    flags = ["--sizes", "32", "16", "--repeats", "1", "--workers", "1", "--out", str(tmp_path)]
    assert main(["cost", "--only", "MMD", "HistogramKL", *flags]) == 0
    told = capsys.readouterr().out
    assert "HistogramKL            32 points" in told
    assert "MMD                grows as n^" in told
    assert len((tmp_path / "cost.csv").read_text().splitlines()) == 5
