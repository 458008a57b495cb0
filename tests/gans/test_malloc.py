"""A process that keeps its memory faults its pages in once."""

import os
import resource
import subprocess
import sys

import pytest

from gans.runtime.malloc import give_back_memory, keep_memory

LARGE = """
import resource, sys, torch
from gans.runtime.malloc import keep_memory
torch.set_num_threads(1)
if sys.argv[1] == "keeps":
    assert keep_memory()
for _ in range(3):
    torch.ones(9_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    torch.ones(9_000_000)
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
    pages = 2 * 36_000_000 // resource.getpagesize()
    assert faults["keeps"] < 0.01 * pages < 0.9 * pages < faults["fetches"]


def test_without_glibc_nothing_is_set(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_memory()
    assert not give_back_memory()
