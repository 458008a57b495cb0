"""The notebooks run from top to bottom, and what they say of exact values is so."""

import math
import os
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))

pytestmark = pytest.mark.filterwarnings("ignore:estimate|.*does not have many workers|.*fit_loop")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A notebook at its small size, in a folder of its own: the names that it leaves."""
    monkeypatch.setenv("SMALL", "1")
    monkeypatch.chdir(tmp_path)
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield lambda name: runpy.run_path(str(FOLDER / f"{name}.py"))
    plt.close("all")
    plt.switch_backend(backend)
    assert not list(tmp_path.iterdir())  # nothing is left lying about


def test_the_segments(run):
    left = run("segments_by_hand")
    assert left["formulas"]["W1"].tolist() == left["thetas"].tolist()
    assert left["w1"].value[-1] == pytest.approx(1, abs=0.3)
    assert left["js"].value[1:] == pytest.approx([math.log(2)] * 4, abs=0.05)
    stalled, *moving = (path[-1] for path in left["paths"].values())
    assert stalled > max(moving)


def test_my_two_samples(run):
    left = run("my_two_samples")
    low, _, apart, below = left["estimates"]
    assert float(below.value) < 0.5 < float(apart.value)
    assert float(low.ci[0]) <= 0.0303 <= float(low.ci[1])
    assert "column 0" in left["comparison"].sentence


def test_my_gan(run):
    left = run("my_gan")
    assert [step for step, _ in left["history"]] == [0, 20, 40]
    assert {"gradient/generator", "critic/slope_max"} <= left["history"][-1][1].keys()
    assert len(left["tags"]) >= 4


def test_which_estimator(run):
    left = run("which_estimator")
    assert left["truth"]["kl"] == pytest.approx(0.5)
    assert left["truth"]["js"] == pytest.approx(0.1114, abs=1e-4)
    for name, estimator in left["estimators"].items():
        target = left["truth"][estimator.quantity]
        assert left["found"][name][-1][0] == pytest.approx(target, rel=0.9), name


def test_all_notebooks_are_tested_and_listed():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(NAMES) <= tested | {"segments_by_hand"}
    listed = (FOLDER / "README.md").read_text()
    assert all(f"({name}.py)" in listed for name in NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_full(name, tmp_path):
    environment = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    environment.pop("SMALL", None)
    command = [sys.executable, str(FOLDER / f"{name}.py")]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=180, env=environment)
