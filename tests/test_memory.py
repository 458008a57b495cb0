"""A process that keeps its memory faults its pages in once."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from scripts.memory import keep_memory

LARGE = """
import resource, sys, torch
from scripts.memory import keep_memory
torch.set_num_threads(1)
if sys.argv[1] == "keeps":
    assert keep_memory()
for _ in range(30):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def glibc():
    return "glibc" in (os.confstr("CS_GNU_LIBC_VERSION") or "") if sys.platform == "linux" else 0


@pytest.mark.skipif(not glibc(), reason="another C library")
def test_pages_of_large_tensors_are_faulted_in_once():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", LARGE, how], capture_output=True).stdout)
        for how in ("keeps", "fetches")
    }
    pages = 10 * 2**26 // resource.getpagesize()
    assert faults["keeps"] < 0.01 * pages < 0.9 * pages < faults["fetches"]


def test_without_glibc_nothing_is_set(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_memory()


def orphan(pipe):
    """Starts a worker as the pools do and says who it is; does not end by itself."""
    from concurrent.futures import ProcessPoolExecutor

    from scripts.lab import start_worker

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=start_worker) as pool:
        pipe.send(pool.submit(os.getpid).result())
        pool.submit(time.sleep, 600)
        time.sleep(600)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_end_with_the_process_that_started_them():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=orphan, args=(theirs,))
    process.start()
    assert ours.poll(120)
    worker = ours.recv()
    assert running(worker)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    end = time.monotonic() + 30
    while running(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not running(worker)
