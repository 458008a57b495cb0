"""Every job is done once: failures, retries, dying workers, and a scheduler that restarts."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from scripts.lab.executors import Cluster, Engine, Local
from scripts.lab.killable_process import Child, Limited
from scripts.lab.running import complete
from tests import sweep_work
from tests.engines import Threads
from tests.loopback import Loopback, free_port
from tests.sweep_work import Task


class Processes(Engine):
    window = 4

    @contextmanager
    def executor(self):
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            yield pool


def tasks(count, folder="", members=2):
    """``members`` numbers each, so that task 3 holds the 7."""
    return [
        Task(f"task {i}", tuple(range(members * i, members * (i + 1))), str(folder))
        for i in range(count)
    ]


def run(work, jobs, engine=None, retries=0):
    """All results by number, and the failures; a number that came twice is an error."""
    found = {}

    def keep(job, squares):
        for number, square in zip(job.numbers, squares, strict=True):
            assert number not in found, f"{number} counted twice"
            found[number] = square

    return found, complete(jobs, work, engine or Threads(2), retries, keep)


SQUARES = {number: number**2 for number in range(40)}


def test_every_job_is_done_once():
    found, failures = run(sweep_work.square, tasks(20))
    assert found == SQUARES
    assert failures == []


def test_a_failing_member_does_not_take_its_neighbours_along():
    found, failures = run(sweep_work.no_seven, tasks(20))
    assert found == {n: s for n, s in SQUARES.items() if n != 7}
    assert [f.job.numbers for f in failures] == [(7,)]
    assert "7 is not wanted in (7,)" in str(failures[0].error)


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (1, 2), (2, 3)])
def test_a_failure_is_retried_as_often_as_told(retries, asked, tmp_path):
    found, failures = run(sweep_work.seven_at_the_third_time, tasks(5, tmp_path), retries=retries)
    assert len(failures) == (asked < 3)
    assert (7 in found) == (asked == 3)
    assert len((tmp_path / "asked").read_text()) == asked


def test_a_job_that_kills_its_worker_is_found_and_all_others_are_done():
    found, failures = run(sweep_work.seven_kills, tasks(8), Processes())
    assert found == {n: n**2 for n in range(16) if n != 7}
    assert [f.job.numbers for f in failures] == [(7,)]


def test_an_error_in_keeping_a_result_ends_the_sweep():
    def full(job, result):
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        complete(tasks(20), sweep_work.square, Threads(), 0, full)


SELDOM = [pytest.param(how, marks=pytest.mark.slow) for how in ("asleep", "native")]
"""What sleeps ends as what is deaf does, and native code is tried on a cluster, too."""


@pytest.mark.parametrize("how", ["deaf", "stopped", *SELDOM])
def test_a_job_that_hangs_is_stopped_listed_and_the_sweep_goes_on(how, tmp_path):
    jobs = [Task(how, task.numbers, str(tmp_path)) for task in tasks(5)]
    work = Limited(sweep_work.seven_hangs, 1.0, sweep_work.nothing)
    found, failures = run(work, jobs, Local(2, apart=True), retries=1)
    assert found == {n: n**2 for n in range(10) if n != 7}
    assert [f.job.numbers for f in failures] == [(7,)]
    assert "took more than 1 s (--timeout)" in str(failures[0].error)
    assert len((tmp_path / "hung").read_text()) == 3  # with its neighbour, alone, and once more
    assert not any(child._process for child in Child.everyone)


def test_work_of_limited_time_fails_and_dies_as_work_without_limit():
    for work, told in ((sweep_work.no_seven, "7 is not"), (sweep_work.seven_kills, "code -9")):
        found, failures = run(
            Limited(work, 60.0, sweep_work.nothing), tasks(8), Local(2, apart=True)
        )
        assert found == {n: n**2 for n in range(16) if n != 7}
        assert [f.job.numbers for f in failures] == [(7,)]
        assert told in str(failures[0].error)


def test_processes_end_with_the_one_that_started_them(tmp_path):
    """Also where that one is killed, and also in the middle of native code, a little later."""
    child = Child(sweep_work.nothing)
    assert child.do(sweep_work.square, Task("t", (3,)), 60.0) == [9]
    process = child._process
    os.close(child._alive)
    child._alive = None
    assert process.wait(10) == 1


@pytest.fixture
def loopback(tmp_path):
    with ExitStack() as stack:
        yield Loopback(stack, tmp_path)


def test_a_cluster_loses_a_worker_and_its_scheduler_and_no_job(loopback):
    loopback.start(workers=2)
    found, counted = {}, Counter()
    fates = {
        10: lambda: os.kill(loopback.workers[0].pid, signal.SIGKILL),
        20: lambda: (loopback.kill_scheduler(), loopback.start(workers=2)),
    }

    def keep(job, squares):
        counted[job.name] += 1
        found.update(zip(job.numbers, squares, strict=True))
        fate = fates.get(len(counted))
        if fate is not None:
            threading.Thread(target=fate).start()

    jobs = tasks(40, members=1)
    failures = complete(jobs, sweep_work.square_slowly, Cluster(loopback.address, 60), 0, keep)
    assert failures == []
    assert found == SQUARES
    assert set(counted.values()) == {1}
    assert len(loopback.workers) == 2  # those of the second scheduler


def test_a_job_that_hangs_on_a_cluster_is_stopped_there(loopback, tmp_path):
    loopback.start(workers=2)
    jobs = [Task("native", task.numbers, str(tmp_path)) for task in tasks(5)]
    work = Limited(sweep_work.seven_hangs, 1.0, sweep_work.nothing)
    found, failures = run(work, jobs, Cluster(loopback.address, 60))
    assert found == {n: n**2 for n in range(10) if n != 7}
    assert [f.job.numbers for f in failures] == [(7,)]


def test_a_cluster_that_is_not_there_is_told_in_one_line():
    address = f"tcp://127.0.0.1:{free_port()}"
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="start `dask scheduler`"):
        complete(tasks(1), sweep_work.square, Cluster(address, 0), 0, print)
    assert time.monotonic() - start < 20
