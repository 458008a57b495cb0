"""Rows of the mixtures' table: every one plays, and its numbers are means over its seeds."""

import json
import math

import pytest
import torch

from scripts.benchmark.__main__ import main
from scripts.benchmark.mixtures import (
    MIXTURES,
    ROWS,
    Job,
    as_row,
    measure,
    module_of,
    quality,
    still,
)
from scripts.benchmark.published import published
from scripts.files import plain


@pytest.mark.parametrize("row", ROWS)
def test_every_row_plays_one_round_and_can_be_drawn(row):
    job = Job(row, "ring", seeds=2, share=0.01)
    module = module_of(job)
    module.manual_backward = lambda loss: loss.backward()
    (on_critic, on_generator), _ = module.configure_optimizers()
    before = [p.detach().clone() for p in module.generator.parameters()]
    assert torch.isfinite(module.critic_step(on_critic)).all()
    assert torch.isfinite(module.generator_step(on_generator)).all()
    after = module.generator.parameters()
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    with torch.no_grad():
        points = module.generator.draw(module.streams, 8)
    assert still(module, points, points, job).axes


@pytest.mark.parametrize("name", MIXTURES)
def test_data_have_unit_spread_and_a_perfect_sampler_reads_as_perfect(name):
    target = MIXTURES[name].target
    assert target.variance.tolist() == pytest.approx([1.0, 1.0], abs=0.01)
    module = module_of(Job("least squares", name, seeds=2, share=0.01))
    read = quality(module, target)
    assert read["covered_1"] == [len(target.centres)] * 2
    assert read["high_quality"] == pytest.approx(read["high_quality_perfect"], abs=0.01)
    assert read["core_width"] == pytest.approx([1, 1], abs=0.06)
    assert read["w1"] == pytest.approx(read["w1_floor"], rel=0.6)


def test_a_row_is_the_mean_over_seeds_with_its_standard_error():
    numbers = {
        name: [1.0, 3.0]
        for name in (
            "covered_1",
            "covered_20",
            "high_quality",
            "mode_reverse_kl",
            "core_width",
            "w1",
            "w1_floor",
        )
    }
    record = {
        "row": "x",
        "target": "ring",
        "iterations": 10,
        "seeds": 2,
        "cpu_seconds": 1.0,
        "live": numbers | {"mode_reverse_kl": [math.nan, 1.0]},
        "ema": numbers,
        "tells": {"own": [0.5, 0.7], "js": [0.1, 0.1]},
    }
    row = as_row(json.loads(json.dumps(plain(record))))
    assert row["w1"] == 2.0
    assert row["w1_stderr"] == pytest.approx(1.0)
    assert row["own_tells"] == pytest.approx(0.6)
    assert math.isnan(row["mode_reverse_kl"])  # a seed without good samples has none: no mean


def test_records_of_different_work_have_different_names():
    jobs = [Job(row, name, k) for row in ROWS for name in MIXTURES for k in (5, 10)]
    assert len({job.file for job in jobs}) == len(jobs)
    assert Job("saturating", "ring", 5).file != Job("saturating", "ring", 5, share=0.5).file


def test_published_rows_name_their_protocol():
    rows = [row for name in MIXTURES for row in published(name)]
    assert len(rows) == 22
    assert all("arXiv" in row["source"] and 0 < row["high_quality"] <= 1 for row in rows)
    assert all(row["covered_1"] <= {"ring": 8, "grid": 25}[row["target"]] for row in rows)


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["modes", "--rows", "perfect"], "perfect"),
        (["modes", "--share", "0"], "--share 0"),
        (["modes", "--seeds", "1"], "--seeds 1"),
        (["estimators", "--repeats", "1"], "--repeats 1"),
        (["estimators", "--sizes", "4"], "--sizes 4"),
        (["estimators", "--workers", "0"], "--workers 0"),
    ],
)
def test_bad_flags_are_named(flags, names, capsys):
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert names in capsys.readouterr().err


@pytest.mark.slow
def test_a_record_holds_every_seed(tmp_path):
    record = measure(Job("relativistic, R1 + R2", "ring", seeds=2, share=0.05), tmp_path)
    assert len(record["live"]["high_quality"]) == len(record["tells"]["own"]) == 2
    assert list((tmp_path / "figures").glob("*.png"))
    assert as_row(plain(record))["covered_1"] > 0
