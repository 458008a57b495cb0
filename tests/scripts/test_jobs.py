"""Worker processes of arguments and benchmarks."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from scripts.lab.workers import start_worker
from tests.commands import alive


def orphan(pipe):
    """Starts a worker as the pools do and says who it is; does not end by itself."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=start_worker) as pool:
        pipe.send(pool.submit(os.getpid).result())
        pool.submit(time.sleep, 600)
        time.sleep(600)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_workers_end_with_the_process_that_started_them():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=orphan, args=(theirs,))
    process.start()
    assert ours.poll(120)
    worker = ours.recv()
    assert alive(worker)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    end = time.monotonic() + 30
    while alive(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(worker)
