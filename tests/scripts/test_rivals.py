"""SIGKILLs at random moments, with other processes that want to resume the same run at once.

``RIVAL_KILLS=100`` kills as often, by default it is a few times. Half of the kills have a rival:
one that starts while the run is live, one that starts as it is killed, or two that resume the
killed run at the same time. Of several, one has the folder and the others are told who.
"""

import os
import random
import signal
import time
from collections import Counter

import pytest

from gans.callbacks.checkpoints import damage, numbered
from tests.commands import command, finish, start
from tests.gans.test_faults import assert_same_run, settings, wait_for, watched

KILLS = int(os.environ.get("RIVAL_KILLS", "4"))
CHANCE = int(os.environ.get("RIVAL_CHANCE", "7"))
ITERATIONS = 40 * max(KILLS, 5)  # a process gets about so far before it is killed
ARGS = [*settings(ITERATIONS, "--gradients.every=20", "--checkpoint.every=2"), "--resume"]
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="no locks that end with a process"),
    pytest.mark.slow,
]


class Rivals:
    """Processes of one run's folder, each with a folder of its own for what it prints."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        self.ways = Counter()

    @property
    def run(self):
        return self.folder / "run"

    def start(self):
        self.count += 1
        printed = self.folder / f"process-{self.count}"
        process = start(command, printed, *ARGS, f"--out={self.run}")
        return process, printed / "stderr"

    def refused(self, rival, *holders):
        """See that the rival has ended in one line that names who has the folder."""
        process, printed = rival
        assert finish(process) == 2
        told = printed.read_text()
        assert told.count("\n") == 1, told
        assert any(f"process {holder.pid} on " in told for holder in holders), told
        assert "is writing there; wait for it" in told

    def one_of(self, first, second):
        """Which of two that have been started at once has the folder; the other is refused."""
        both = (first, second)
        wait_for(lambda: not all(process.is_alive() for process, _ in both))
        has, lost = (first, second) if first[0].is_alive() else (second, first)
        self.refused(lost, has[0])
        return has


def kill(process):
    assert process.is_alive(), "the run has ended before it was killed: it needs more iterations"
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def wait_until_it_trains(rivals, process, started):
    wait_for(lambda: watched(rivals.folder) != started or not process.is_alive())


def partial_files(folder):
    return [*folder.rglob(".partial-*")]


def killed(folder, kills, chance):
    """The run after so many kills, and what happened how often."""
    rivals, live = Rivals(folder), None
    for hit in range(kills):
        started = watched(folder)
        live = live or rivals.start()
        if chance.random() < 0.8:  # the others are killed as they start
            wait_until_it_trains(rivals, live[0], started)
        way = chance.choice(["live", "killed", "two"]) if hit % 2 else "alone"
        rival = None
        if way == "live":
            wait_until_it_trains(rivals, live[0], started)  # else the rival may be first
            rivals.refused(rivals.start(), live[0])
        if way == "killed":
            rival = rivals.start()
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 2 if rival else 0.5))  # a rival's start takes a while
        else:  # in the middle of writing, if it comes to that
            until = time.monotonic() + 1
            while not partial_files(rivals.run) and time.monotonic() < until:
                time.sleep(0.001)
        kill(live[0])
        rivals.ways[way] += 1
        rivals.ways["while writing"] += bool(partial_files(rivals.run))
        assert all(damage(path) is None for path in numbered(rivals.run / "checkpoints"))
        dead, live = live, None
        if way == "two":
            live = rivals.one_of(rivals.start(), rivals.start())
        if rival is not None:
            wait_until_it_trains(rivals, rival[0], watched(folder))
            if rival[0].is_alive():
                live = rival
                rivals.ways["taken over"] += 1
            else:
                rivals.refused(rival, dead[0])
    last = live or rivals.start()
    assert finish(last[0], 1200) == 0, last[1].read_text()
    return rivals


def test_a_run_that_is_killed_and_wanted_by_others_ends_as_the_undisturbed_one(tmp_path):
    assert finish(start(command, tmp_path / "whole", *ARGS), 1200) == 0
    rivals = killed(tmp_path / "killed", KILLS, random.Random(CHANCE))
    print(dict(rivals.ways))
    assert sum(rivals.ways[way] for way in ("alone", "live", "killed", "two")) == KILLS
    assert_same_run(rivals.run, tmp_path / "whole" / "run", ITERATIONS)
    assert not partial_files(rivals.folder)
