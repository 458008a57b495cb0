"""Files and command lines of any content: one line that says what is wrong, or a valid result."""

import io
import os
import shutil
import string
import sys
import tempfile
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gans.callbacks.checkpoints import damage
from gans.cli import train
from gans.targets import ImageDensity, PointCloud
from scripts import reproduce
from scripts.benchmark.__main__ import parse as parse_benchmark

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
FOLDER = Path(tempfile.mkdtemp(prefix="fuzzed-"))
TRIED = {"answered": 0, "refused": 0}


@pytest.fixture(scope="module", autouse=True)
def _folder_goes():
    yield
    shutil.rmtree(FOLDER, ignore_errors=True)


def fuzzed(share=1.0):
    return settings(
        max_examples=max(5, int(EXAMPLES * share)),
        deadline=30_000,
        database=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=[*HealthCheck],
    )


def array(values, **options):
    content = io.BytesIO()
    np.save(content, values, **options)
    return content.getvalue()


def picture(pixels, kind):
    content = io.BytesIO()
    matplotlib.image.imsave(content, pixels, format=kind)
    return content.getvalue()


POINTS = np.array([[0.0, 1.0], [2.0, -1.0], [5.0, 0.5]])
SHADES = (np.arange(48).reshape(4, 4, 3) * 5).astype(np.uint8)
CHECKPOINT = io.BytesIO()
torch.save(
    {"state_dict": {"w": torch.ones(3)}, "global_step": 1, "optimizer_states": [], "streams": {}},
    CHECKPOINT,
)
SEEDS = {
    ".npy": [array(POINTS), array(POINTS.astype(np.float16)), array(POINTS.astype(">i4"))],
    ".csv": [b"0,1\n2,-1\n5,0.5\n", b"\xef\xbb\xbf1e308,nan\r\n-inf,0x1p3\r\n", b"# x\n1 2\n"],
    ".png": [picture(SHADES, "png")],
    ".bmp": [picture(SHADES, "png")],
    ".jpg": [picture(SHADES, "jpg")],
    ".ckpt": [CHECKPOINT.getvalue()],
}


@st.composite
def contents(draw, kind):
    """A valid file with bytes cut, doubled, overwritten; or any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    content = bytearray(draw(st.sampled_from(SEEDS[kind])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        match draw(st.integers(0, 3)):
            case 0:
                del content[at:]
            case 1:
                content[at:at] = draw(st.binary(max_size=8))
            case 2:
                content[at : at + 4] = draw(st.binary(min_size=4, max_size=4))
            case 3:
                content[at:at] = content[at : at + draw(st.integers(0, 40))]
    return bytes(content)


READERS = {
    ".npy": PointCloud,
    ".csv": PointCloud,
    ".png": ImageDensity,
    ".bmp": ImageDensity,
    ".jpg": ImageDensity,
}


@fuzzed(5)
@given(data=st.data(), kind=st.sampled_from(sorted(READERS)))
def test_files_of_points_and_pictures(data, kind):
    path = FOLDER / f"fuzzed{kind}"
    path.write_bytes(data.draw(contents(kind)))
    try:
        law = READERS[kind](path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the file is not named") from error
        TRIED["refused"] += 1
        return
    drawn = law.sample((5,))
    assert drawn.isfinite().all()
    TRIED["answered"] += 1


@fuzzed(5)
@given(content=contents(".ckpt"))
def test_checkpoints(content):
    path = FOLDER / "fuzzed.ckpt"
    path.write_bytes(content)
    reason = damage(path)
    TRIED["refused" if reason else "answered"] += 1
    if content != CHECKPOINT.getvalue() and reason is None:
        state = torch.load(path, weights_only=True)  # what changed is padding, not a number
        assert state["state_dict"]["w"].tolist() == [1, 1, 1]


VALUES = st.one_of(
    st.sampled_from(
        [
            "0",
            "-1",
            "1",
            "2",
            "1e30",
            "-0.5",
            "nan",
            "inf",
            ".nan",
            "true",
            "null",
            "[]",
            "[0,1]",
            "{}",
            "''",
            "os.system",
            "../x",
            "/etc",
            "gans.Ring",
            "gans.WGAN",
            "torch.optim.Adam",
            "Nope",
            "auto",
            "1e400",
            "0x10",
            "[[0]]",
            "{class_path:gans.Ring}",
            "~",
            "-",
            "*a",
            "&a",
            "!!python/name:os.system",
            "%s",
            "{x}",
        ]
    ),
    st.text(string.printable, max_size=12),
    st.text(max_size=6),
)
FLAGS = st.sampled_from(
    [
        "model.target",
        "model.generator",
        "model.critic",
        "model.constraint",
        "model.constraint.weight",
        "model.objective",
        "model.n_critic",
        "model.batch_size",
        "model.seeds",
        "model.iterations",
        "model.warmup",
        "model.ema",
        "model.scheduler",
        "model.critic_optimizer",
        "model.critic_optimizer.lr",
        "model.target.theta",
        "divergences.every",
        "divergences.n",
        "divergences.estimators",
        "gradients.every",
        "lipschitz.n",
        "pictures.member",
        "checkpoint.every",
        "checkpoint.keep",
        "trainer.precision",
        "trainer.max_steps",
        "trainer.accelerator",
        "trainer.devices",
        "trainer.callbacks",
        "trainer.logger",
        "trainer.strategy",
        "trainer.plugins",
        "trainer.profiler",
        "ckpt_path",
        "out",
        "config",
        "resume",
        "nonsense",
        "debugg",
    ]
)


def leaves(tree, path=()):
    """Paths of everything in a configuration."""
    yield path
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from leaves(inner, (*path, key))


@st.composite
def configurations(draw):
    """One of the shipped configurations with a value or two replaced, removed or renamed."""
    tree = yaml.safe_load(draw(st.sampled_from(CONFIGS)).read_text())
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from([p for p in leaves(tree) if p] or [("model",)]))
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.integers(0, 2)):
            case 0:
                parent.pop(path[-1], None)
            case 1:
                parent[path[-1]] = draw(
                    st.one_of(VALUES, st.integers(), st.floats(), st.none(), st.just({}))
                )
            case 2:
                parent[draw(st.text(max_size=5))] = parent.pop(path[-1], None)
    text = yaml.safe_dump(tree, allow_unicode=True)
    return text if draw(st.integers(0, 5)) else text[: draw(st.integers(0, len(text)))]


def outcome(command, capsys):
    """The exit code, after checking that a refusal is one line on stderr."""
    capsys.readouterr()
    try:
        code = command() or 0
    except SystemExit as stopped:
        code = stopped.code or 0
    printed = capsys.readouterr().err
    assert code in (0, 2), printed
    assert "Traceback" not in printed
    if code == 2:
        assert printed.splitlines()[-1].split(" ")[0].rstrip(":") in ("error", "python"), printed
        TRIED["refused"] += 1
    else:
        TRIED["answered"] += 1
    return code, printed


@pytest.fixture
def no_training(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train.TrainCLI, "fit", lambda self, **_: None)


@fuzzed(0.4)
@given(text=configurations(), flags=st.lists(st.tuples(FLAGS, VALUES), max_size=2))
def test_configurations_and_flags_of_training(no_training, tmp_path, capsys, text, flags):
    (tmp_path / "fuzzed.yaml").write_text(text, encoding="utf-8", errors="replace")
    given_flags = [f"--{flag}={value}" for flag, value in flags]
    args = ["fit", "--config=fuzzed.yaml", "--out=run", *given_flags]
    code, printed = outcome(partial(train.main, args), capsys)
    if code:
        assert printed.count("\n") == 1, printed
        assert len(printed) < 700
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fuzzed.yaml"]


WORDS = st.one_of(
    st.sampled_from(
        [
            "segments",
            "dirac",
            "nope",
            "--seeds",
            "--workers",
            "--profile",
            "--list",
            "--out",
            "--quick",
            "--sizes",
            "--repeats",
            "quick",
            "paper",
            "0",
            "-1",
            "2",
            "1e9",
            "nan",
            "--protocol",
            "--rows",
            "modes",
            "estimators",
            "speed",
            "--debug",
            "--help",
            "--seeds=x",
            "--workers=0",
            "--out=/etc/passwd",
            "--out=.",
            "--=",
        ]
    ),
    st.text(max_size=6),
)


@fuzzed(3)
@given(words=st.lists(WORDS, max_size=5), which=st.sampled_from(["reproduce", "benchmark"]))
def test_command_lines(capsys, words, which):
    parse = reproduce.parse if which == "reproduce" else parse_benchmark
    outcome(lambda: parse(words) and 0, capsys)


def test_both_happened():
    if not TRIED["answered"]:
        pytest.skip("the tests above did not run in this process")
    print(f"tried {sum(TRIED.values())} inputs: {TRIED}")
    assert min(TRIED.values()) > 0
