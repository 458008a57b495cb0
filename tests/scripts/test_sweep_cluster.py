"""The whole command on a cluster of real processes that are killed one after the other."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from divergences.whole_files import plain
from scripts.sweep.joint_training import run
from scripts.sweep.plan import jobs, read
from tests.commands import alive
from tests.loopback import Loopback

ROOT = Path(__file__).parents[2]
MEMBERS, RUNS = 2, 24

pytestmark = pytest.mark.slow


@pytest.fixture
def sweep_file(tmp_path):
    """Six settings and four seeds: twelve jobs of two members, a second or two each."""
    path = tmp_path / "small.yaml"
    axes = {
        "model.n_critic": [1, 2, 3],
        "model.constraint.weight": [1.0, 10.0],
        "model.iterations": [150],
        "readings.every": [50],
    }
    base = str(ROOT / "configs" / "segments_wgan_lp.yaml")
    path.write_text(yaml.safe_dump({"base": base, "axes": axes, "seeds": [0, 1, 2, 3]}))
    return path


def start(stack, path, *flags):
    """The command in a process of its own, which ends with the test at the latest."""
    command = [sys.executable, "-m", "scripts.sweep", str(path), "--out", str(out_of(path))]
    process = subprocess.Popen(
        [*command, f"--members={MEMBERS}", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def out_of(path):
    return path.parent / "out"


def records(path):
    """Those there are, without what is being written."""
    return sorted((out_of(path) / "records").glob("[!.]*.json"))


def until(condition, process):
    """Wait until it is so, while the process lives."""
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, "the sweep ended before it could be disturbed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_as_if_nothing_had_happened(path):
    """Every record there, once, and equal to what one process finds by itself."""
    plan, out = read(path), out_of(path)
    expected = {}
    for job in jobs(list(plan.runs()), MEMBERS):
        for outcome in run(job):
            expected[f"{job.key}-{outcome.seed}.json"] = outcome.curves
    assert len(expected) == RUNS
    assert {record.name for record in records(path)} == set(expected)
    for name, curves in expected.items():
        record = json.loads((out / "records" / name).read_text())
        kept = json.loads((out / "curves" / name).read_text())
        assert record["members"] == MEMBERS
        assert record["readings"] == plain(curves.final())
        assert kept["step"] == curves.step
        assert kept["values"] == plain(curves.values)
    assert len((out / "table.csv").read_text().splitlines()) == 1 + RUNS
    assert not list(out.rglob(".partial-*"))
    events = list((out / "tensorboard").rglob("events.out.tfevents.*"))
    assert len(events) == RUNS + 1  # and the one over all seeds


def test_worker_scheduler_and_client_are_killed_and_nothing_is_lost(sweep_file, stack):
    cluster = Loopback(stack, sweep_file.parent)
    cluster.start(workers=3)
    first = start(stack, sweep_file, "--scheduler", cluster.address)
    until(lambda: len(records(sweep_file)) >= 4, first)
    os.kill(cluster.workers[0].pid, signal.SIGKILL)
    until(lambda: len(records(sweep_file)) >= 8, first)
    cluster.kill_scheduler()
    cluster.start(workers=2)
    until(lambda: len(records(sweep_file)) >= 14, first)
    first.kill()
    first.wait()
    there = {record: record.stat().st_mtime_ns for record in records(sweep_file)}
    assert 14 <= len(there) < RUNS
    second = start(stack, sweep_file, "--scheduler", cluster.address)
    printed, _ = second.communicate(timeout=300)
    assert second.returncode == 0
    assert f"{RUNS} of {RUNS} runs finished, 0 failed" in printed
    assert {record: record.stat().st_mtime_ns for record in there} == there
    assert_as_if_nothing_had_happened(sweep_file)


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_local_processes_are_killed_and_nothing_is_lost_or_left_running(sweep_file, stack):
    first = start(stack, sweep_file, "--workers=2")
    until(lambda: len(records(sweep_file)) >= 2, first)
    worker = next(
        child
        for child in children(first.pid)
        if b"multiprocessing.spawn" in Path(f"/proc/{child}/cmdline").read_bytes()
    )
    os.kill(worker, signal.SIGKILL)
    until(lambda: len(records(sweep_file)) >= 8, first)
    family = children(first.pid)
    first.kill()
    first.wait()
    deadline = time.monotonic() + 20
    while any(map(alive, family)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, family))
    second = start(stack, sweep_file, "--workers=2")
    printed, _ = second.communicate(timeout=300)
    assert second.returncode == 0
    assert f"{RUNS} of {RUNS} runs finished, 0 failed" in printed
    assert_as_if_nothing_had_happened(sweep_file)
