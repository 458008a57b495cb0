"""Files and configurations from strangers: nothing in them runs, nothing is written elsewhere."""

import io
import json
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from divergences import standard_streams
from gans.callbacks import AtomicCheckpointIO
from gans.callbacks.checkpoints import damage
from gans.cli.errors import guarded
from gans.cli.train import main
from gans.runtime.escaping import printable, say, tell
from gans.runtime.files import inside
from gans.runtime.signals import Stopped
from gans.targets import PointCloud
from scripts.lab.executors import Local
from scripts.lab.killable_process import Child

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "segments_wgan_lp.yaml"


class Payload:
    """Unpickled, it leaves a file behind: the proof that it ran."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def proof(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.chdir(tmp_path)
    return tmp_path / "it-ran"


def test_the_payload_runs_where_nothing_guards(proof):
    pickle.loads(pickle.dumps(Payload(proof)))
    assert proof.exists()


def hostile_checkpoint(path, proof):
    whole = {"state_dict": {}, "global_step": 4, "optimizer_states": [], "streams": {}}
    torch.save({**whole, "callbacks": Payload(proof)}, path)


def test_a_hostile_checkpoint_is_refused_and_nothing_runs(proof, tmp_path, capsys):
    hostile_checkpoint(tmp_path / "x.ckpt", proof)
    assert damage(tmp_path / "x.ckpt") == "it would run code on loading, which is refused"
    with pytest.raises(pickle.UnpicklingError):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    with pytest.raises(SystemExit) as caught:
        main(["fit", f"--config={CONFIG}", "--out=run", "--ckpt_path=x.ckpt"])
    assert caught.value.code == 2
    assert "it would run code on loading" in capsys.readouterr().err
    assert not proof.exists()


def test_a_checkpoint_that_is_a_bare_pickle_is_refused(proof, tmp_path):
    (tmp_path / "x.ckpt").write_bytes(pickle.dumps(Payload(proof)))
    assert damage(tmp_path / "x.ckpt").startswith("truncated, or no checkpoint")
    assert not proof.exists()


def test_no_class_comes_from_a_checkpoint(proof, tmp_path, capsys):
    """Lightning's command would build what the checkpoint's hyper-parameters name."""
    named = {"_class_path": "os.mkdir", "path": str(proof)}
    torch.save({"hyper_parameters": named, "global_step": 4}, tmp_path / "x.ckpt")
    with pytest.raises(SystemExit):
        main(["fit", f"--config={CONFIG}", "--out=run", "--ckpt_path=x.ckpt"])
    assert "it has no 'state_dict'" in capsys.readouterr().err
    assert not proof.exists()


@pytest.mark.parametrize("how", ["objects", "npz"])
def test_a_pickle_in_an_array_file_is_refused_and_nothing_runs(proof, tmp_path, how):
    path = tmp_path / "points.npy"
    if how == "objects":
        np.save(path, np.array([Payload(proof)], dtype=object), allow_pickle=True)
    else:
        content = io.BytesIO()
        np.save(content, np.array([Payload(proof)], dtype=object), allow_pickle=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content.getvalue())
    with pytest.raises(ValueError, match=r"not pickled|not real numbers"):
        PointCloud(path)
    assert not proof.exists()


def runs(command):
    return {"class_path": command, "init_args": {"args": "mkdir it-ran", "shell": True}}


HOSTILE = {
    "a function for a factory": {"model.generator": "os.system"},
    "a function behind our own import": {"model.critic": "gans.callbacks.checkpoints.os.mkdir"},
    "a class behind ours": {"model.critic": "divergences.estimate.Callable"},
    "a builtin": {"model.critic": "builtins.exec"},
    "a class for an optimizer": {"model.critic_optimizer": runs("subprocess.Popen")},
    "a class for a target": {"model.target": runs("subprocess.Popen")},
    "the model": {"model": runs("subprocess.Popen")},
    "torch's loader": {"model.critic": "torch.load"},
    "torch's hub": {"model.critic": "torch.hub.load"},
    "a module beside the file": {"model.target": {"class_path": "evil.Target"}},
    "a callback": {"trainer.callbacks": [runs("subprocess.Popen")]},
    "a callback that calls": {
        "trainer.callbacks": [
            {
                "class_path": "pytorch_lightning.callbacks.LambdaCallback",
                "init_args": {"on_train_start": "os.abort"},
            }
        ]
    },
    "a logger that writes elsewhere": {
        "trainer.logger": {
            "class_path": "pytorch_lightning.loggers.CSVLogger",
            "init_args": {"save_dir": "../it-ran"},
        }
    },
    "the parser's own settings": {"model.critic": "jsonargparse.set_parsing_settings"},
    "permission, from the file": {"allow_import": ["os"], "model.critic": "os.system"},
    "python, in YAML": "!!python/object/apply:os.mkdir ['it-ran']",
}


@pytest.mark.parametrize("settings", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_configuration_is_one_line_and_nothing_runs(settings, proof, tmp_path, capsys):
    (tmp_path / "evil.py").write_text("import os; os.mkdir('it-ran'); Target = object\n")
    sys.path.insert(0, str(tmp_path))
    text = settings if isinstance(settings, str) else nested(settings)
    (tmp_path / "hostile.yaml").write_text(text)
    try:
        with pytest.raises(SystemExit) as caught:
            main(["fit", f"--config={CONFIG}", "--config=hostile.yaml", "--out=run"])
    finally:
        sys.path.remove(str(tmp_path))
    printed = capsys.readouterr().err
    assert caught.value.code == 2, printed
    assert printed.count("\n") == 1
    told = "is none of the classes", "is not taken from a file", "not YAML of", "a mapping of its"
    assert any(words in printed for words in told), printed
    assert not proof.exists()
    assert "evil" not in sys.modules
    assert not (tmp_path / "run").exists()


def nested(settings):
    """Dotted keys as YAML; JSON is YAML."""
    whole = {}
    for key, value in settings.items():
        *outer, last = key.split(".")
        inside_of = whole
        for name in outer:
            inside_of = inside_of.setdefault(name, {})
            if name == "model":
                inside_of = inside_of.setdefault("init_args", {})
        inside_of[last] = value
    return json.dumps(whole)


def test_a_module_that_is_allowed_by_name_is_imported(proof, tmp_path, capsys, monkeypatch):
    (tmp_path / "friendly.py").write_text(
        "import os\nfrom gans import ParallelSegments\nos.mkdir('it-ran')\n"
        "def segments(theta: float = 0.0) -> ParallelSegments:\n"
        "    return ParallelSegments(theta)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    target = "--model.target=friendly.segments"
    short = ["--model.iterations=1", "--model.batch_size=8", "--model.seeds=[0]"]
    args = ["fit", f"--config={CONFIG}", "--out=run", "--divergences.n=16", target, *short]
    with pytest.raises(SystemExit):
        main(args)
    assert "--allow-import with its module" in capsys.readouterr().err
    assert not proof.exists()
    main([*args, "--allow-import", "friendly"])
    assert proof.exists()
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", ".", ".."])
def test_names_that_lead_out_of_a_folder_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="leads out of"):
        inside(tmp_path, name)
    assert inside(tmp_path, "a/b.json") == tmp_path / "a" / "b.json"


def test_a_link_out_of_the_folder_leads_out_of_it(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leads out of"):
        inside(tmp_path / "out", "link/x")


def test_nothing_in_the_source_loads_pickles_or_runs_text():
    """Every loader of files is the safe one of its kind."""
    dangerous = re.compile(
        r"\b(pickle|dill|joblib|marshal|shelve)\b|(?<![.`\w])(eval|exec)\(|allow_pickle=True"
        r"|yaml\.(load|unsafe_load|full_load)\(|weights_only=False(?!\)  # all of the state)"
        r"|os\.system|shell=True|extractall"
    )
    for room in ("divergences", "gans", "scripts"):
        for path in (ROOT / room).rglob("*.py"):
            for line in path.read_text().splitlines():
                if dangerous.search(line) and "__reduce__" not in line:
                    assert re.search(r"import pickle|pickle\.UnpicklingError", line), (path, line)


def test_tensorboard_listens_to_this_machine_only():
    recipe = re.search(r"tensorboard --logdir.*", (ROOT / "Makefile").read_text())
    assert recipe is not None
    assert "--bind_all" not in recipe[0]
    assert "--host" not in recipe[0] or "--host localhost" in recipe[0]


def test_errors_cannot_write_to_the_terminal_what_they_like():
    assert printable("a\x1b[2Jb\nc") == "a?[2Jb c"
    assert len(printable("x" * 10**6)) <= 610


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ValueError("theta = nan"), 2, "error: theta = nan"),
        (OSError(28, "No space left on device"), 2, "error: [Errno 28]"),
        (OSError(28, "No space left on device", "a.json"), 2, "error: [Errno 28] No space left"),
        (OSError(21, "no", "a"), 2, "error: [Errno 21] no: 'a'; that is a folder; move it away"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Stopped(signal.SIGTERM), 143, "interrupted"),
        (BrokenPipeError(), 141, ""),
        (BrokenExecutor("a process was terminated"), 2, "error: a worker process ended"),
        (AttributeError("no such thing"), 70, "error: this is a bug, AttributeError"),
    ],
)
def test_errors_end_in_one_line_and_a_code_and_in_a_traceback_on_request(
    error, code, says, capsys
):
    def command():
        raise error

    assert guarded(command) == code
    assert capsys.readouterr().err.strip().startswith(says)
    with pytest.raises(type(error)):
        guarded(command, debug=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_output_that_cannot_be_written_is_named(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert guarded(lambda: say("found") or 0) == 2
        monkeypatch.setattr(sys, "stderr", full)
        tell("nobody can know")
        assert guarded(lambda: 0) == 0
    assert "'standard output'; make room" in capsys.readouterr().err


def test_closed_streams_are_taken_by_no_file(tmp_path):
    file = Path(standard_streams.__file__)
    code = (
        f"import os, runpy; runpy.run_path({str(file)!r})['mend_streams'](); "
        f"file = open('result', 'w'); print('é'); os.write(2, b'noise'); file.write('whole')"
    )
    closed = f"exec {sys.executable} -S -c {shlex.quote(code)} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", closed], cwd=tmp_path).returncode == 0
    assert (tmp_path / "result").read_text() == "whole"
    ascii = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([sys.executable, "-S", "-c", code], env=ascii, cwd=tmp_path, stdout=-1)
    assert shown.stdout == b"\\xe9\n"


def test_processes_for_jobs_take_no_module_from_the_folder_they_are_started_in(
    proof, tmp_path, monkeypatch
):
    for name in ("subprocess", "threading", "multiprocessing", "tempfile"):
        (tmp_path / f"{name}.py").write_text("import os\nos.mkdir('it-ran')\n")
    child = Child(os.getpid)
    try:
        assert child.do(abs, -3, 60) == 3
    finally:
        child.kill()
    assert not proof.exists()
    with Local(1).executor() as pool:
        assert pool.submit(abs, -3).result(120) == 3
    assert not proof.exists()
