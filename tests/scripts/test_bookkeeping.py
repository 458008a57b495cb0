"""What jobs cost besides their work; ``-s`` prints the numbers of scripts/sweep/README.md."""

import time
from contextlib import ExitStack

import pytest

from scripts.lab.executors import Cluster, Local
from scripts.lab.running import complete
from scripts.sweep.joint_training import Curves, TrainedMember
from scripts.sweep.plan import Setting
from scripts.sweep.sweep_folder import Folder
from tests.loopback import Loopback
from tests.sweep_work import Task, square

JOBS = 2000
MOST = {"processes": 5.0, "Dask": 20.0, "files of a run": 60.0}
"""CPU milliseconds of this process per job: several times what was measured."""

pytestmark = pytest.mark.slow


def spent(what, count, work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"\n{what}: {1000 * wall / count:.2f} ms per job, {1000 * cpu / count:.2f} ms of CPU here"
    )
    assert 1000 * cpu / count < MOST[what]


def empty(engine):
    found = []
    jobs = [Task("empty", (number,)) for number in range(JOBS)]
    assert complete(jobs, square, engine, 0, lambda job, squares: found.extend(squares)) == []
    assert sorted(found) == [number**2 for number in range(JOBS)]


def test_local_processes_cost_little():
    spent("processes", JOBS, lambda: empty(Local(2)))


def test_a_cluster_costs_little(tmp_path):
    with ExitStack() as stack:
        cluster = Loopback(stack, tmp_path)
        cluster.start(workers=2)
        spent("Dask", JOBS, lambda: empty(Cluster(cluster.address, 60)))


def test_files_of_a_run_cost_little(tmp_path):
    """Of 40 observations and 24 readings each."""
    values = {f"reading/{i}": [0.1 * i] * 40 for i in range(24)}
    curves = Curves([100 * i for i in range(40)], [0.5 * i for i in range(40)], values)
    setting = Setting({"axis": "value"}, "axis=value", {}, {"model": "one"})
    folder = Folder(tmp_path)

    def keep():
        for seed in range(100):
            folder.keep(setting, TrainedMember(seed, curves, 1.0, 1, "code"))

    spent("files of a run", 100, keep)
