"""The speed benchmark: what it times, counts and fits."""

import itertools

import pytest
import torch

from scripts.benchmark.racing import breakdown
from scripts.benchmark.racing.breakdown import Breakdown, Stopwatch
from scripts.benchmark.racing.loops import Model, plain_loop, usual_module
from scripts.benchmark.racing.ours import module_of, ours
from scripts.benchmark.racing.race import Race, processor
from scripts.benchmark.racing.tasks import TASKS, Size, flop
from scripts.benchmark.speed import exponents, picture

SMALL = Size(1, 8, batch=16)


def test_a_stopwatch_charges_each_function_for_its_own_time(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(breakdown.time, "process_time", lambda: float(next(ticks)))
    watch = Stopwatch()
    inner = watch.timed("inner", lambda: "result")
    outer = watch.timed("outer", lambda: (inner(), inner()))
    assert outer() == ("result", "result")
    # the clock is read at 0, at 1 and 2 around the first, at 3 and 4 around the second, and at 5
    assert dict(watch.spent) == {"inner": 2.0, "outer": 3.0}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("start", [ours, plain_loop, usual_module])
def test_contenders_take_the_steps_they_count(task, start):
    assert start(TASKS[task], SMALL)(3) == 3


@pytest.mark.parametrize("task", ["logistic critic", "GP critic"])
def test_the_plain_loop_minimises_what_the_module_minimises(task):
    """Same weights, same points: same loss, up to the random points between real and fake."""
    module, model = module_of(TASKS[task], SMALL, 1), Model(TASKS[task], SMALL)
    with torch.no_grad():
        linear = [layer for layer in model.critic if hasattr(layer, "weight")]
        for ours_, theirs in zip(list(module.critic)[::2], linear, strict=True):
            theirs.weight.copy_(ours_.weight[0].T)
            theirs.bias.copy_(ours_.bias[0, 0])
    real, fake = torch.randn(1, 16, 2), torch.randn(1, 16, 2)
    model.real, model.fake = lambda: real[0], lambda: fake[0]
    model.critic.requires_grad_(True)
    on_real, on_fake = module.scores(real), module.scores(fake)
    loss = module.objective.critic_loss(on_real, on_fake)
    if task == "GP critic":
        loss = loss + module.constraint.penalty(module.critic, real, fake, module.streams)
    assert model.critic_loss().item() == pytest.approx(loss.item(), rel=0.05)


def test_operations_follow_the_square_of_the_width_and_the_batch():
    task = TASKS["WGAN-GP"]
    assert flop(task, Size(8, 64)) == 4 * flop(task, Size(1, 32))
    assert flop(task, Size(1, 32, 512)) == 2 * flop(task, Size(1, 32, 256))


def test_parts_of_an_iteration_add_up_to_the_whole():
    (row,) = Breakdown("WGAN-GP", 2, 32, 5).measure()["rows"]
    named = {k: v for k, v in row.items() if isinstance(v, float)}
    parts = sum(v for k, v in named.items() if k not in ("whole", "monitoring"))
    assert parts == pytest.approx(named["whole"], rel=1e-6)
    assert min(named.values()) > 0


def test_exponents_are_those_of_power_laws():
    rows = [
        {
            "place": "cpu",
            "task": "GAN",
            "contender": "ours",
            "members": k,
            "width": w,
            "member_steps_per_second": k**0.1 / w**2,
        }
        for k in (1, 8)
        for w in (32, 64)
    ]
    growth = [{"what": "batch", "value": b, "ms": b**0.5} for b in (64, 256)]
    assert exponents(rows, growth) == "members^0.90, width^2.00, batch^0.50"
    assert picture(rows).axes


def test_records_tell_races_apart():
    files = {
        Race(task, width, members, 3, 1.0, gpu).key
        for task in TASKS
        for width in (32, 64)
        for members in ((1, 8), (1, 64))
        for gpu in (False, True)
    }
    assert len(files) == 32


def test_a_processor_is_named_with_its_units(tmp_path):
    about = tmp_path / "cpuinfo"
    about.write_text("model name\t: Some CPU\nflags\t\t: sse avx2 avx512f fma\n")
    assert processor(about) == "Some CPU, avx2, avx512f"
    assert processor(tmp_path / "none")


@pytest.mark.slow
def test_a_race_is_run_to_its_end():
    rows = Race("logistic critic", 8, (1, 4), rounds=2, seconds=0.05).measure()["rows"]
    assert {row["contender"] for row in rows} >= {"ours", "plain loop", "usual module"}
    assert all(row["member_steps_per_second"] > 0 for row in rows)
    assert rows[0]["times_first"] == 1
