"""What is measured again, what is only judged again, and what becomes of other arguments."""

import json
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts import reproduce
from scripts.lab.checked_files import write_record
from scripts.lab.claims import Findings
from scripts.lab.jobs import CommonSettings, Job
from tests import report_folder
from tests.engines import Threads
from tests.loopback import Loopback

DONE = []
"""Jobs that ran and arguments that were judged."""


def measured(name, value):
    DONE.append(name)
    if value is None:
        raise ArithmeticError("no value")
    return value


def measured_otherwise(name, value):
    return measured(name, value)


def judged(name, claim, results):
    DONE.append(f"judge {name}")
    assert results == {"first": 1.5, "second": 2.5}
    return Findings([replace(claim, figure="")], tables={name: [{"value": results["first"]}]})


def dirac(results, settings):
    return judged("dirac", report_folder.TRUE, results)


def dirac_in_other_words(results, settings):
    return judged("dirac", report_folder.CLAIMS["one"][1], results)


def clipping(results, settings):
    return judged("clipping", report_folder.CLAIMS["one"][2], results)


@pytest.fixture
def modules(monkeypatch):
    """Two arguments of two jobs each, by their names."""
    made = {}
    for name, judge in (
        ("scripts.arguments.dirac", dirac),
        ("scripts.arguments.clipping", clipping),
    ):
        short = name.rpartition(".")[2]
        made[short] = SimpleNamespace(
            experiments=lambda settings, short=short: {
                "first": Job(1, measured, f"{short} first", 1.5),
                "second": Job(1, measured, f"{short} second", 2.5),
            },
            judge=judge,
            PROFILES={"quick": CommonSettings(), "paper": CommonSettings()},
        )
    found = SimpleNamespace(import_module=lambda name: made[name.rpartition(".")[2]])
    monkeypatch.setattr(reproduce, "importlib", found)
    monkeypatch.setattr(reproduce, "engine_of", lambda options: Threads())
    DONE.clear()
    return made


@pytest.fixture
def run(modules, tmp_path):
    """The command on a folder; its exit code and what it did."""

    def command(*flags):
        DONE.clear()
        code = reproduce.main([*flags, "--out", str(tmp_path / "out")])
        return code, [*DONE]

    return command


def claims(tmp_path):
    return [claim["id"] for claim in json.loads((tmp_path / "out" / "claims.json").read_text())]


BOTH = ["dirac first", "dirac second", "judge dirac"]


def test_what_is_finished_is_kept(run, capsys):
    assert run("dirac") == (0, BOTH)
    capsys.readouterr()
    assert run("dirac") == (0, [])
    assert "dirac: finished before, kept" in capsys.readouterr().err


def test_another_judgement_trains_nothing(run, modules, tmp_path):
    run("dirac")
    modules["dirac"].judge = dirac_in_other_words
    assert run("dirac") == (0, ["judge dirac"])
    assert claims(tmp_path) == ["in-part"]


def test_one_experiment_of_other_code_is_measured_again_and_no_other(run, modules):
    run("dirac", "clipping")
    whole = modules["dirac"].experiments
    modules["dirac"].experiments = lambda settings: (
        whole(settings) | {"second": Job(1, measured_otherwise, "dirac second", 2.5)}
    )
    assert run("dirac", "clipping") == (0, ["dirac second", "judge dirac"])


def test_again_measures_anew(run):
    run("dirac")
    assert run("dirac", "--again") == (0, BOTH[:2])  # the same results, found and judged before


def test_verdicts_of_other_arguments_stay(run, tmp_path, capsys):
    run("dirac", "clipping")
    assert claims(tmp_path) == ["untrue", "true"]
    assert run("dirac") == (0, [])
    assert claims(tmp_path) == ["untrue", "true"]
    assert "1 claims, " in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="untrue"' in page
    assert 'id="true"' in page


def test_what_was_interrupted_goes_on(run, modules, monkeypatch, tmp_path, capsys):
    def stopped(name, value):
        raise KeyboardInterrupt

    whole = modules["dirac"].experiments
    modules["dirac"].experiments = lambda settings: (
        whole(settings) | {"second": Job(1, stopped, "dirac second", 2.5)}
    )
    assert run("dirac")[0] == 130
    assert "finished jobs are kept" in capsys.readouterr().err
    modules["dirac"].experiments = whole
    assert run("dirac") == (0, BOTH[1:])


def test_an_experiment_that_fails_is_named_and_other_arguments_are_judged(
    run, modules, tmp_path, capsys
):
    modules["dirac"].experiments = lambda settings: {"bad": Job(1, measured, "bad", None)}
    code, done = run("dirac", "clipping", "--retries=0")
    assert code == 1
    assert done == ["bad", "clipping first", "clipping second", "judge clipping"]
    told = capsys.readouterr().err
    assert "failed: dirac/bad: ArithmeticError: no value" in told
    assert "dirac: not judged" in told
    assert claims(tmp_path) == ["untrue"]


def test_a_folder_of_an_earlier_version_is_read_and_told(run, tmp_path, capsys):
    """It has records of arguments, and no results of their jobs."""
    run("dirac", "clipping")
    out = tmp_path / "out"
    for path in [*(out / "jobs").rglob("*.json")]:
        path.unlink()
    for path in (out / "records").glob("*.json"):
        record = json.loads(path.read_text())
        del record["origin"]
        write_record(path, record)
    capsys.readouterr()
    assert run("dirac") == (0, BOTH)
    assert "dirac: found by an earlier version" in capsys.readouterr().err
    assert claims(tmp_path) == ["untrue", "true"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--retries", "-1"], "--retries: -1"),
        (["--timeout", "0"], "--timeout: 0"),
        (["--patience", "-1"], "--patience: -1"),
    ],
)
def test_flags_of_jobs_are_checked(flags, named, capsys):
    with pytest.raises(SystemExit) as caught:
        reproduce.parse(flags)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.slow
def test_a_cluster_finds_what_local_processes_find(tmp_path):
    with ExitStack() as stack:
        cluster = Loopback(stack, tmp_path)
        cluster.start(workers=2)
        flags = ("dirac", "--out", str(tmp_path / "there"), "--scheduler", cluster.address)
        assert reproduce.main(flags) == 0
    assert reproduce.main(["dirac", "--out", str(tmp_path / "here"), "--workers=2"]) == 0
    here, there = (
        json.loads((tmp_path / name / "claims.json").read_text()) for name in ("here", "there")
    )
    assert [claim | {"seconds": 0} for claim in here] == [
        claim | {"seconds": 0} for claim in there
    ]
