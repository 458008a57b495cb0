"""The training command in a process of its own, to be killed, starved and watched."""

import multiprocessing
import os
import sys
import warnings
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gans.cli.train import main

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.commands", "tests.small_games"])  # slow imports


def _run(work, args, folder):
    os.chdir(folder)
    sys.argv = ["train"]
    torch.set_num_threads(1)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    work(*args)


def alive(pid):
    """Whether a process runs: one that has ended and is not yet waited for does not."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def start(work, folder, *args):
    """A process that does ``work(*args)`` in ``folder``, printing to files stdout and stderr.

    It is killed at the end of the test if it still runs.
    """
    folder.mkdir(exist_ok=True, parents=True)
    process = PROCESSES.Process(
        target=_run, args=(work, args, folder), name=f"killable {folder.name}"
    )
    process.start()
    return process


def command(*args, before=None):
    """The training command, after ``before()``; to be given to :func:`start`.

    It does not say what estimates of so few points are worth.
    """
    warnings.filterwarnings("ignore", message="estimate ")
    if before is not None:
        before()
    main([str(arg) for arg in args])


def finish(process, seconds=120):
    """Its exit code; a process that hangs is killed and fails the test."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"still running after {seconds} s")
    return process.exitcode


def curves(folder):
    """Everything TensorBoard shows of numbers: tag to ``[(step, bytes of the value), ...]``."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "images": 0})
    events.Reload()
    found = {
        tag: [(e.step, e.value.hex()) for e in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
    for tag in events.Tags()["images"]:
        found[tag] = [(e.step, e.encoded_image_string) for e in events.Images(tag)]
    for tag in events.Tags()["tensors"]:
        found[tag] = [(e.step, e.tensor_proto.SerializeToString()) for e in events.Tensors(tag)]
    return found
