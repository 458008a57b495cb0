"""What does not fit into memory is refused with numbers; no process is killed for it."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from divergences.available_memory import available, lack_of_memory

GIB = 2**30
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")


def system(root, files):
    """A root of a file system with these files, and 8 GiB of memory, 1 of them swap."""
    meminfo = f"MemTotal: 1 kB\nMemAvailable: {7 * 2**20} kB\nSwapFree:  {2**20} kB\n"
    for name, text in {"proc/meminfo": meminfo, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def group(where, limit, used, cached, names=("memory.max", "memory.current")):
    texts = (str(limit), str(used), f"anon 5\ninactive_file {cached}\n")
    named = zip((*names, "memory.stat"), texts, strict=True)
    return {f"sys/fs/cgroup/{where}{name}": text for name, text in named}


VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
IN_A = {"proc/self/cgroup": "0::/a\n"}
IN_A_B = {"proc/self/cgroup": "0::/a/b\n"}
IN_BOTH = {"proc/self/cgroup": "5:devices:/\n4:memory:/a\n"}
GROUPS = {
    "none": ({}, 8),
    "no limit": ({**IN_A, **group("a/", "max", 5, 0)}, 8),
    "its own": ({**IN_A, **group("a/", 4 * GIB, GIB, 0)}, 3),
    "what it gives back": ({**IN_A, **group("a/", 4 * GIB, 3 * GIB, GIB)}, 2),
    "one above": ({**IN_A_B, **group("a/b/", "max", 5, 0), **group("a/", 2 * GIB, GIB, 0)}, 1),
    "in a container": ({**IN_A_B, **group("", 2 * GIB, GIB, 0)}, 1),
    "overdrawn": ({**IN_A, **group("a/", GIB, 2 * GIB, 0)}, 0),
    "version 1": (
        {
            **IN_BOTH,
            **group("memory/a/", 3 * GIB, GIB, 0, VERSION_1),
            **group("memory/", 2**63 - 4096, GIB, 0, VERSION_1),
        },
        2,
    ),
}


@pytest.mark.parametrize(("files", "gib"), GROUPS.values(), ids=GROUPS.keys())
def test_what_is_available_is_the_least_of_what_system_and_groups_leave(files, gib, tmp_path):
    assert available(system(tmp_path, files)) == gib * GIB


def test_where_the_system_does_not_say_nothing_is_known(tmp_path):
    assert available(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 5 kB\n")
    assert available(tmp_path) is None


def test_a_lack_of_memory_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as from_torch:
        torch.empty(2**46)
    with pytest.raises(MemoryError) as from_numpy:
        np.empty(2**47)
    assert "281,475 GB more in one piece" in str(lack_of_memory(from_torch.value))
    assert "1,125,900 GB more in one piece" in str(lack_of_memory(from_numpy.value))
    assert "it takes more; give less" in str(lack_of_memory(MemoryError()))
    assert lack_of_memory(RuntimeError("a shape does not fit")) is None


LIMITED = """
import sys, torch
from divergences import available_memory
from gans.cli.errors import guarded
available_memory.available = lambda: 2**28
available_memory.limit_memory()
torch.ones(2**24)
kept = []
def fill():
    while True:
        kept.append(torch.ones(2**24))
code = guarded(fill)
assert len(kept) == 3, len(kept)
sys.exit(code)
"""


@linux
def test_a_process_that_takes_more_than_there_was_ends_with_a_line():
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: there is too little memory: it takes 0.0671 GB more")
    assert "; 0.268 GB were available at the start; lower" in done.stderr
    assert done.stderr.count("\n") == 1
