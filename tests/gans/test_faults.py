"""Whatever stops a run, nothing is lost: kills, damaged files, full disks, signals."""

import contextlib
import gc
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger

from divergences import LipschitzPenalty
from gans.callbacks import (
    Checkpoints,
    Dashboard,
    Divergences,
    Gradients,
    LipschitzAudit,
    OrderedLogger,
    checkpoints,
)
from gans.callbacks.checkpoints import damage, newest_good, numbered
from gans.discriminator_regularisers import R1, R2, Combined
from gans.runtime.malloc import keep_memory
from gans.schedules import ConstantThenLinear
from tests.commands import command, curves, finish, start
from tests.small_games import ring, segments, trainer

CONFIG = Path(__file__).parents[2] / "configs" / "ring_rpgan_r1r2.yaml"
SETTINGS = [
    "fit",
    f"--config={CONFIG}",
    "--model.batch_size=16",
    "--model.seeds=[0,1]",
    "--model.critic.hidden=[8]",
    "--model.generator.hidden=[8]",
    "--divergences.every=15",
    "--divergences.n=32",
    "--gradients.every=4",
    "--lipschitz.every=25",
    "--coverage.every=50",
    "--pictures.every=100000",
    "--checkpoint.every=10",
    "--out=run",
]


def settings(iterations, *more):
    return [*SETTINGS, f"--model.iterations={iterations}", *more]


def same(a, b):
    """Whether two states are equal to the last bit, NaN included."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def assert_same_run(ours, theirs, iterations):
    """Equal final checkpoints, whole, and equal curves, point by point."""
    a, b = (
        torch.load(run / "checkpoints" / f"{iterations:06d}.ckpt", weights_only=True)
        for run in (ours, theirs)
    )
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "streams", "callbacks"):
        assert same(a[part], b[part]), part
    assert a["global_step"] == b["global_step"] == iterations
    drawn, expected = curves(ours), curves(theirs)
    assert drawn.keys() == expected.keys()
    for tag, points in expected.items():
        if not tag.startswith("_hparams_"):  # holds the time of its start
            assert drawn[tag] == points, tag
            steps = [step for step, _ in points]
            assert len(set(steps)) == len(steps), tag


def api(iterations):
    """The same game through the library, which starts in a fraction of the command's time."""
    folder = Path("run")
    path = newest_good(folder / "checkpoints", print)
    step = -1 if path is None else int(path.stem)
    monitor = Divergences(every=15, n=32)
    callbacks = [monitor, Gradients(every=4), LipschitzAudit(every=25), Dashboard(monitor)]
    logger = OrderedLogger(folder, purge_step=step + 1)
    t = trainer(folder, *callbacks, Checkpoints(every=5), logger=logger)
    module = ring(
        iterations=iterations,
        constraint=Combined([R1(), R2()]),
        scheduler=partial(ConstantThenLinear, iterations=iterations),
        ema=0.9,
    )
    t.fit(module, ckpt_path=path)


def killed_often(folder, kills, longest, work, *args):
    """Work under SIGKILL at random moments, resuming each time; how many kills hit a run."""
    moments = random.Random(7)
    for hit in range(kills):
        started, process = watched(folder), start(work, folder, *args)
        if moments.random() < 0.8:  # the rest hits the start
            while watched(folder) == started and process.is_alive():
                time.sleep(0.01)
        process.join(moments.uniform(0, longest))
        if not process.is_alive():
            assert process.exitcode == 0, (folder / "stderr").read_text()
            return hit
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert all(damage(p) is None for p in numbered(folder / "run" / "checkpoints"))
    assert finish(start(work, folder, *args), 1200) == 0, (folder / "stderr").read_text()
    return kills


def watched(folder):
    """What changes when the training itself has begun: never a file that is still written."""
    return [path.name for path in numbered(folder / "run" / "checkpoints")]


@pytest.mark.parametrize(
    ("kills", "longest", "iterations", "work", "args"),
    [
        pytest.param(3, 0.3, 150, api, [150], id="3-library"),
        pytest.param(50, 0.5, 6000, api, [6000], id="50-library", marks=pytest.mark.slow),
        pytest.param(
            50, 0.5, 3000, command, [*settings(3000), "--resume"], id="50-command",
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_a_run_killed_at_random_moments_ends_as_the_undisturbed_one(
    tmp_path, kills, longest, iterations, work, args
):
    assert finish(start(work, tmp_path / "whole", *args), 1200) == 0
    assert killed_often(tmp_path / "killed", kills, longest, work, *args) == kills
    assert_same_run(tmp_path / "killed" / "run", tmp_path / "whole" / "run", iterations)


def steps(folder):
    return [int(path.stem) for path in numbered(folder / "run" / "checkpoints")]


def wait_for(holds, seconds=100):
    """Until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stopped_by(number, folder, *args):
    """Train until the first checkpoint is there, then send the signal; exit code and stderr."""
    # few enough looks that nothing is said of their number
    process = start(command, folder, *settings(100000, "--gradients.every=20", *args))
    wait_for(lambda: watched(folder))
    os.kill(process.pid, number)
    return finish(process), (folder / "stderr").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_signal_saves_the_iteration_it_arrived_in_and_exits_cleanly(tmp_path, number):
    code, printed = stopped_by(number, tmp_path)
    assert code == 128 + number
    assert printed.count("\n") == 1
    last = steps(tmp_path)[0]
    assert printed.startswith(f"stopped by {number.name} after iteration {last}; state saved in")
    assert "continue with --resume" in printed
    drawn = curves(tmp_path / "run")["gradient/input"]
    assert drawn[-1][0] == last // 20 * 20  # the curves are complete up to there


class Ready(pl.Callback):
    def on_train_batch_start(self, *rest):
        Path("ready").touch()


def warm(constraint, grace):
    """A warm-up that takes months, by which a signal waits so long; what it ends with."""
    checkpoints.GRACE = grace
    module = segments(warmup=10**9, constraint=constraint)
    with pytest.raises(checkpoints.Interrupted) as stopped:
        trainer(Path("run"), Ready(), Checkpoints()).fit(module)
    Path("said").write_text(str(stopped.value))


class Stubborn(LipschitzPenalty):
    """What tries something, and then another."""

    def penalty(self, *args):
        while True:
            with contextlib.suppress(Exception):
                for _ in range(1000):
                    super().penalty(*args)


@pytest.mark.parametrize("constraint", [LipschitzPenalty(), Stubborn()], ids=["long", "endless"])
def test_an_iteration_that_does_not_end_is_given_up(tmp_path, constraint):
    process = start(warm, tmp_path, constraint, 0.3)
    wait_for((tmp_path / "ready").exists)
    os.kill(process.pid, signal.SIGTERM)
    assert finish(process) == 0, (tmp_path / "stderr").read_text()
    assert (tmp_path / "said").read_text() == (
        "stopped by SIGTERM in an iteration that did not end within 0.3 s; last checkpoint: none "
        "yet"
    )


def broken(path, how):
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes({
        "empty": b"",
        "truncated": content[:middle],
        "one flipped bit": content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :],
        "another file": b"precious" * 100,
    }[how])  # fmt: skip


DAMAGE = {
    "empty": "truncated, or no checkpoint (0 bytes)",
    "truncated": "truncated, or no checkpoint",
    "one flipped bit": "checksum of",
    "another file": "truncated, or no checkpoint (800 bytes)",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 60 iterations, and its folder to be copied from."""
    folder = tmp_path_factory.mktemp("finished")
    assert finish(start(command, folder, *settings(60))) == 0
    return folder


def test_damaged_checkpoints_are_named_and_the_one_before_is_used(finished, tmp_path, capsys):
    shutil.copytree(finished / "run", tmp_path / "run")
    newest = numbered(tmp_path / "run" / "checkpoints")
    assert [int(path.stem) for path in newest] == [60, 50, 40, 30, 20]
    for path, how in zip(newest, DAMAGE, strict=False):
        broken(path, how)
        assert damage(path).startswith(DAMAGE[how])
    assert finish(start(command, tmp_path, *settings(60, "--resume"))) == 0
    printed = (tmp_path / "stderr").read_text().splitlines()
    for path, reason, line in zip(newest, DAMAGE.values(), printed, strict=False):
        assert line.startswith(f"{path.relative_to(tmp_path)} is damaged: {reason}")
    assert len(printed) == len(DAMAGE)
    assert_same_run(tmp_path / "run", finished / "run", 60)


def test_where_all_are_damaged_the_run_is_refused_and_left_as_it_is(finished, tmp_path):
    shutil.copytree(finished / "run", tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        broken(path, "truncated")
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "run").rglob("*"))
    assert finish(start(command, tmp_path, *settings(60, "--resume"))) == 2
    assert "all 5 checkpoints in run/checkpoints are damaged" in (tmp_path / "stderr").read_text()
    assert sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "run").rglob("*")) == before


def refused(finished, tmp_path, *flags):
    shutil.copytree(finished / "run", tmp_path / "run")
    assert finish(start(command, tmp_path, *settings(60, "--resume", *flags))) == 2
    return (tmp_path / "stderr").read_text()


def test_a_run_is_continued_with_its_own_settings(finished, tmp_path):
    printed = refused(finished, tmp_path, "--model.batch_size=32")
    assert "--model.batch_size is 32 and was 16 in run/config.yaml" in printed


def test_an_interrupted_run_is_not_finished_by_asking_for_what_is_done(finished, tmp_path):
    """It would lack the looks of a last iteration."""
    shutil.copytree(finished / "run", tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "000060.ckpt").unlink()
    args = settings(50, "--resume")
    assert finish(start(command, tmp_path, *args)) == 2
    assert "50 iterations are done" in (tmp_path / "stderr").read_text()
    assert "ask for 51 or more" in (tmp_path / "stderr").read_text()


def test_a_finished_run_can_be_made_longer(finished, tmp_path):
    shutil.copytree(finished / "run", tmp_path / "run")
    longer = [s for s in settings(80, "--resume") if "scheduler" not in s]
    assert finish(start(command, tmp_path, *longer)) == 0
    assert steps(tmp_path) == [80, 70, 60, 50, 40]


def mounted(folder, options):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("tmpfs cannot be mounted here")


@pytest.fixture
def small_disk(tmp_path):
    mounted(tmp_path / "disk", "size=250k")
    yield tmp_path / "disk"
    subprocess.run(["umount", "-l", str(tmp_path / "disk")], check=True)


def test_a_full_disk_is_one_line_and_what_was_saved_stays_and_can_be_continued(small_disk):
    folder = small_disk.parent
    args = settings(100, "--out=disk/run", "--pictures.every=20")
    assert finish(start(command, folder, *args)) == 2
    printed = (folder / "stderr").read_text()
    assert printed.startswith("error: ")
    assert "No space left on device" in printed
    assert printed.count("\n") == 1
    saved = numbered(small_disk / "run" / "checkpoints")
    assert saved
    assert all(damage(path) is None for path in saved)
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    assert finish(start(command, folder, *args, "--resume")) == 0
    assert numbered(small_disk / "run" / "checkpoints")[0].stem == "000100"
    assert not list((small_disk / "run").rglob(".partial-*"))


def test_a_disk_that_goes_away_is_one_line_that_promises_nothing(small_disk):
    folder = small_disk.parent
    process = start(command, folder, *settings(100000, "--gradients.every=20", "--out=disk/run"))
    wait_for(lambda: numbered(small_disk / "run" / "checkpoints"))
    (small_disk / "run").rename(small_disk / "gone")
    (small_disk / "run").write_text("no folder")
    assert finish(process) == 2
    printed = (folder / "stderr").read_text()
    assert printed.count("\n") == 1
    assert "no whole checkpoint can be read there" in printed


def test_of_a_full_disk_it_is_said_what_was_read_back(small_disk):
    folder = small_disk.parent
    args = settings(100000, "--out=disk/run", "--gradients.every=1000")
    process = start(command, folder, *args)
    wait_for(lambda: numbered(small_disk / "run" / "checkpoints"))
    with (small_disk / "more").open("wb", buffering=0) as more, contextlib.suppress(OSError):
        while more.write(bytes(1000)):
            pass
    assert finish(process) == 2
    printed = (folder / "stderr").read_text()
    newest = numbered(small_disk / "run" / "checkpoints")[0]
    assert f"{newest.name} was read back and is whole" in printed
    assert damage(newest) is None


def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_file_that_may_not_grow_is_one_line(tmp_path):
    run = partial(command, before=partial(limit, 20000))
    assert finish(start(run, tmp_path, *settings(200))) == 2
    printed = (tmp_path / "stderr").read_text()
    assert "File too large" in printed
    assert printed.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    mounted(tmp_path / "disk", "ro")
    try:
        assert finish(start(command, tmp_path, *settings(10, "--out=disk/run"))) == 2
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "disk")], check=True)
    printed = (tmp_path / "stderr").read_text()
    assert "Read-only file system" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(("every", "keep", "match"), [(0, 5, "every = 0"), (1, 1, "keep = 1")])
def test_bad_cadences_are_named(every, keep, match):
    with pytest.raises(ValueError, match=match):
        Checkpoints(every, keep)


class Footprint(pl.Callback):
    """Resident memory, open files and size of the run's folder, now and then."""

    def __init__(self, every):
        self.every, self.seen = every, []

    def on_train_batch_end(self, trainer, *rest):
        if trainer.global_step % self.every == 0:
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            files = len(os.listdir("/proc/self/fd"))
            size = sum(p.stat().st_size for p in Path(trainer.default_root_dir).rglob("*.ckpt"))
            self.seen.append((trainer.global_step, pages * resource.getpagesize(), files, size))


def long(iterations, folder):
    """A long run of small networks under the usual monitoring; what it held, at ten moments."""
    keep_memory()
    monitor, footprint = Divergences(every=iterations // 50, n=32), Footprint(iterations // 10)
    logger = TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
    watching = [monitor, Gradients(every=100), LipschitzAudit(every=100), Dashboard(monitor)]
    saver = Checkpoints(every=iterations // 100)
    module = segments(iterations=iterations, seeds=(0,), n_critic=1)
    trainer(folder, *watching, footprint, saver, logger=logger).fit(module)
    return footprint.seen


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_memory_and_open_files_stay_flat(tmp_path):
    seen = long(int(os.environ.get("LONG_ITERATIONS", "20000")), tmp_path)
    for step, *held in seen:
        print(step, *held)
    _, memory, files, checkpoints = (list(column) for column in zip(*seen, strict=True))
    assert max(memory[2:]) - memory[1] < 30e6  # bytes, against hundreds of MB in all
    assert len(set(files[1:])) == 1
    # a counter that gains a digit takes a few bytes, a history would take one per iteration
    assert max(checkpoints[1:]) - min(checkpoints[1:]) < min(1000, seen[0][0])
    assert len(numbered(tmp_path / "checkpoints")) == 5


def test_a_run_leaves_the_handlers_of_signals_as_it_found_them(tmp_path):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    trainer(tmp_path, Checkpoints(every=1)).fit(segments(iterations=2))
    assert [signal.getsignal(number) for number in numbers] == before
