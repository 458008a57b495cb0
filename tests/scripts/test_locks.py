"""Two processes and one folder: the second is told who has it, and the first loses nothing."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from divergences.whole_files import atomically, write_atomically
from gans.callbacks.checkpoints import numbered
from gans.cli.errors import guarded
from gans.runtime.files import clear_partial
from gans.runtime.locks import LOCK, locked
from scripts import reproduce
from scripts.benchmark import __main__ as benchmark
from scripts.report import __main__ as report
from scripts.sweep import __main__ as sweep
from tests.commands import command, finish, start
from tests.gans.test_faults import settings, wait_for, watched

CONFIGS = Path(__file__).parents[2] / "configs"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no locks that end with a process")


@pytest.mark.parametrize("flags", [[], ["--resume"]], ids=["anew", "resumed"])
def test_a_second_run_in_one_folder_is_refused_and_the_first_goes_on(tmp_path, flags):
    first = start(command, tmp_path, *settings(100000, "--gradients.every=20"))
    wait_for(lambda: watched(tmp_path))
    os.kill(first.pid, signal.SIGSTOP)
    # in the middle of writing, as far as the second can tell
    partial = tmp_path / "run" / "checkpoints" / f".partial-{first.pid}-x.ckpt"
    partial.write_text("half")
    before = [p.name for p in numbered(tmp_path / "run" / "checkpoints")]
    second = tmp_path / "second"
    out = f"--out={tmp_path / 'run'}"
    assert finish(start(command, second, *settings(50, out, *flags))) == 2
    told = (second / "stderr").read_text()
    assert told.count("\n") == 1
    assert f"process {first.pid} on " in told
    assert "is writing there; wait for it, or name another folder" in told
    assert [p.name for p in numbered(tmp_path / "run" / "checkpoints")] == before
    assert partial.exists()
    for number in (signal.SIGCONT, signal.SIGTERM):
        os.kill(first.pid, number)
    assert finish(first) == 128 + signal.SIGTERM
    assert not (tmp_path / "run" / LOCK).exists()


def test_the_claim_of_a_killed_process_ends_with_it(tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from gans.runtime.locks import locked\n"
        f"with locked(Path({str(tmp_path / 'x')!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    assert process.wait() == -signal.SIGKILL
    assert str(process.pid) in (tmp_path / "x" / LOCK).read_text()
    partial = tmp_path / "x" / f".partial-{process.pid}-table.csv"
    partial.write_text("half")
    with locked(tmp_path / "x"):
        assert str(os.getpid()) in (tmp_path / "x" / LOCK).read_text()
        assert not partial.exists()
    assert not [*(tmp_path / "x").iterdir()]


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_is_no_folder_is_named(kind, tmp_path):
    path = tmp_path / "x"
    path.write_text("precious") if kind == "file" else path.symlink_to("nowhere")
    with pytest.raises(ValueError, match="x is no folder"), locked(path):
        pass
    assert path.is_symlink() or path.read_text() == "precious"


def interrupted(folder):
    """A command that holds a folder and is in the middle of writing a file."""

    def command():
        with locked(folder):
            atomically(folder / "table.csv", lambda path: (path.write_text("ha"), time.sleep(60)))
        return 0

    raise SystemExit(guarded(command))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_in_order(number, tmp_path):
    process = start(interrupted, tmp_path, tmp_path / "out")
    wait_for(lambda: [*tmp_path.glob("out/.partial-*")])
    os.kill(process.pid, number)
    assert finish(process) == 128 + number
    assert (tmp_path / "stderr").read_text() == "\ninterrupted\n"
    assert not (tmp_path / "out").exists()


HOLDERS = {
    "late": ("time.sleep(0.1); f.truncate(0); f.write(f'process {os.getpid()} on x')", "process "),
    "silent": ("f.truncate(0)", "another process"),
}


@pytest.mark.parametrize(("does", "told"), HOLDERS.values(), ids=HOLDERS.keys())
def test_who_has_just_taken_the_folder_is_named_not_who_had_it_before(tmp_path, does, told):
    code = (
        f"import fcntl, os, time; f = open({str(tmp_path / LOCK)!r}, 'a'); "
        f"fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); {does}; f.flush(); input()"
    )
    (tmp_path / LOCK).write_text("process 999999999 on x")  # was killed
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        other.stdout.readline()
        holder = f"{told}{other.pid} on x" if told == "process " else told
        with pytest.raises(ValueError, match=f": {holder} is writing there"), locked(tmp_path):
            pass
        other.stdin.close()


def test_what_another_process_is_writing_stays(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = tmp_path / f".partial-{other.pid}-x"
        foreign = tmp_path / ".partial-precious"
        for path in (theirs, foreign, tmp_path / ".partial-999999999-x"):
            path.write_text("")
        clear_partial(tmp_path)
        assert {*tmp_path.iterdir()} == {theirs, foreign}
    clear_partial(tmp_path)
    assert [*tmp_path.iterdir()] == [foreign]
    atomically(tmp_path / "whole", lambda path: path.write_text("whole"))
    assert (tmp_path / "whole").read_text() == "whole"


def test_folders_that_were_made_in_vain_go_again(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "a" / "b"):
        raise KeyError
    assert not [*tmp_path.iterdir()]
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "result").write_text("")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["result"]


WRITERS = {
    "sweep": lambda out: sweep.main([str(CONFIGS / "sweeps" / "ring.yaml"), "--out", out]),
    "reproduce": lambda out: reproduce.main(["dirac", "--out", out, "--workers=1"]),
    "report": lambda out: report.main([out]),
    "benchmark": lambda out: benchmark.main(["estimators", "--out", out, "--workers=1"]),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_every_command_that_writes_respects_the_claim(writer, tmp_path, capsys):
    (tmp_path / ("jobs" if writer is WRITERS["benchmark"] else "records")).mkdir()
    with locked(tmp_path):
        before = [*tmp_path.rglob("*")]
        assert writer(str(tmp_path)) == 2
        assert [*tmp_path.rglob("*")] == before
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"process {os.getpid()} on " in told


def test_where_files_cannot_be_locked_the_work_goes_on_with_a_word(tmp_path, monkeypatch, capsys):
    def unknown(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unknown)
    with locked(tmp_path / "x"):
        pass
    assert "cannot be locked (Function not implemented)" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["link", "hard link", "folder", "pipe"])
def test_the_lock_is_written_to_no_file_that_is_another(tmp_path, kind):
    other, run = tmp_path / "other", tmp_path / "run"
    run.mkdir()
    other.write_text("precious")
    make = {
        "link": lambda lock: lock.symlink_to(other),
        "hard link": lambda lock: lock.hardlink_to(other),
        "folder": lambda lock: lock.mkdir(),
        "pipe": lambda lock: os.mkfifo(lock),
    }
    make[kind](run / LOCK)
    with pytest.raises(ValueError, match="no file of this command"), locked(run):
        pass
    assert other.read_text() == "precious"


FILES = ("hparams.yaml", "config.yaml", "checkpoints/000009.ckpt", "csv/version_0/metrics.csv")
EVENTS = f"events.out.tfevents.9999999999.{platform.node()}.{os.getpid()}.0"


@pytest.mark.parametrize("name", [*FILES, EVENTS, "records/one.json", "figures/curve.png"])
@pytest.mark.parametrize("there", [True, False], ids=["a file", "no file yet"])
def test_nothing_is_written_through_a_link_to_another_file(tmp_path, name, there):
    other, link = tmp_path / "other", tmp_path / "run" / name
    if there:
        other.write_text("precious")
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    with (
        pytest.raises(ValueError, match="is a link, and what is written"),
        locked(tmp_path / "run"),
    ):
        pass
    assert other.exists() == there
    assert not there or other.read_text() == "precious"


def test_no_pipe_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "hparams.yaml")
    with pytest.raises(ValueError, match=r"hparams\.yaml is no regular file"), locked(tmp_path):
        pass


def test_a_run_with_a_link_for_its_settings_is_not_resumed(tmp_path):
    assert finish(start(command, tmp_path, *settings(2))) == 0
    run, other = tmp_path / "run", tmp_path / "other"
    (run / "hparams.yaml").unlink()
    (run / "hparams.yaml").symlink_to(other)
    assert (
        finish(start(command, tmp_path / "again", *settings(4, f"--out={run}", "--resume"))) == 2
    )
    told = (tmp_path / "again" / "stderr").read_text()
    assert told.count("\n") == 1
    assert "hparams.yaml is a link" in told
    assert not other.exists()


def test_no_link_that_was_put_where_a_file_begins_is_followed(tmp_path):
    other, path = tmp_path / "other", tmp_path / "result.json"
    other.write_text("precious")
    path.with_name(f".partial-{os.getpid()}-result.json").symlink_to(other)
    path.symlink_to(other)
    write_atomically(path, "{}")
    assert other.read_text() == "precious"
    assert path.read_text() == "{}"
    assert not path.is_symlink()


def test_a_folder_that_has_gone_meanwhile_is_no_success(tmp_path):
    def work():
        with locked(tmp_path / "run"):
            (tmp_path / "run" / "early").write_text("result")
            shutil.rmtree(tmp_path / "run")
            write_atomically(tmp_path / "run" / "late", "result")

    with pytest.raises(FileNotFoundError, match="was removed or replaced while"):
        work()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["late"]


def test_the_claim_of_another_in_a_folder_put_in_place_of_ours_stays(tmp_path):
    def work():
        with locked(tmp_path / "run"):
            (tmp_path / "run").rename(tmp_path / "moved")
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / LOCK).write_text("another process")
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert (tmp_path / "run" / LOCK).read_text() == "another process"


@pytest.mark.parametrize("name", ["checkpoints", "records", "tensorboard/one"])
def test_nothing_is_written_through_a_link_to_another_folder(tmp_path, name, capsys):
    other, link = tmp_path / "other", tmp_path / "run" / name
    other.mkdir()
    (other / "000009.ckpt").write_text("precious")
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    with (
        pytest.raises(ValueError, match="is a link, and what is written there"),
        locked(tmp_path / "run"),
    ):
        pass
    assert [path.name for path in other.iterdir()] == ["000009.ckpt"]
