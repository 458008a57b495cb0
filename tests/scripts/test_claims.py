"""Verdicts follow from checks, and records keep what they follow from."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from itertools import permutations
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from divergences.whole_files import atomically, plain, write_atomically
from scripts import reproduce
from scripts.benchmark import __main__ as benchmark
from scripts.lab import options
from scripts.lab.claims import (
    FAILS,
    HOLDS,
    QUALIFIED,
    Check,
    Claim,
    Findings,
    in_table,
    over_seeds,
    standard_error,
    worst,
)
from scripts.lab.options import check_folder
from scripts.sweep import __main__ as sweep

RING = Path(__file__).parents[2] / "configs" / "sweeps" / "ring.yaml"
GOOD = Check.near("two", 2, 2.01, 0.1)
BAD = Check.near("two", 2, 2.5, 0.1)


def claim(checks, limits=(), **more):
    settings = {"id": "x", "source": "s", "statement": "a < b & c", "expected": HOLDS} | more
    return Claim(checks=checks, limits=limits, **settings)


@pytest.mark.parametrize(
    ("checks", "limits", "verdict"),
    [
        ([GOOD], [], HOLDS),
        ([GOOD, BAD], [], FAILS),
        ([GOOD], [GOOD], QUALIFIED),
        ([GOOD], [BAD], HOLDS),
        ([BAD], [GOOD], FAILS),
    ],
    ids=["all", "one-missed", "limit-seen", "limit-unseen", "missed-anyway"],
)
def test_the_verdict_follows_from_the_measurements(checks, limits, verdict):
    assert claim(checks, limits).verdict == verdict
    assert claim(checks, limits, expected=verdict).as_expected


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (Check.near("", 1.0, 1.05, 0.05 + 1e-9), True),
        (Check.near("", 1.0, math.nan, 0.1), False),
        (Check.near("", math.inf, math.inf, 0.1), True),
        (Check.near("", math.inf, 1e9, 0.1), False),
        (Check.at_most("", 1.0, 1.0), True),
        (Check.at_most("", 1.0, math.nan), False),
        (Check.at_least("", 1.0, 0.999), False),
        (Check.at_least("", 1.0, torch.tensor(2.0)), True),
        (Check.zero("", torch.tensor([0.1, -0.5]), 0.5), True),
        (Check.zero("", torch.tensor([0.1, -2.0]), 1.0), False),
        (Check.zero("", torch.tensor([0.0, math.nan]), 1.0), False),
    ],
)
def test_a_check_passes_only_within_its_tolerance(check, passed):
    assert check.passed is passed


SEEDS = torch.tensor([1.0, 2.0, 3.0])


def test_values_of_seeds_are_checked_by_their_mean_with_its_standard_error():
    for check in (
        Check.near("", 2, SEEDS, 0.1),
        Check.at_most("", 2, SEEDS),
        Check.at_least("", 2, SEEDS),
    ):
        assert (check.passed, check.measured) == (True, 2.0)
        assert check.stderr == pytest.approx(3**-0.5)
    assert not Check.at_most("", 1.99, SEEDS).passed
    assert not Check.at_least("", 2.01, SEEDS).passed


def test_without_a_tolerance_three_standard_errors_are_allowed():
    error = 3**-0.5
    assert Check.near("", 2 + 2.99 * error, SEEDS).passed
    assert not Check.near("", 2 + 3.01 * error, SEEDS).passed
    assert not Check.near("", 2.0, 2.1).passed  # a number has no error
    assert Check.near("", 2.0, 2.1, stderr=0.05).passed


def test_all_values_of_seeds_can_be_asked_for():
    values = torch.stack([SEEDS, 2 * SEEDS])
    near = Check.all_near("", 1, values, 4.9)
    assert (near.passed, near.measured) == (False, 6.0)
    assert near.stderr == pytest.approx(2 * 3**-0.5)  # of the noisier row
    assert Check.all_near("", 1, values, 5.0).passed
    assert Check.all_at_most("", 3, SEEDS).passed
    assert not Check.all_at_most("", 2.9, SEEDS).passed
    assert Check.all_at_least("", 1, SEEDS).passed
    assert not Check.all_at_least("", 1.1, SEEDS).passed


def test_one_value_has_no_standard_error():
    assert over_seeds(torch.tensor([2.0])) == (2.0, pytest.approx(math.nan, nan_ok=True))
    assert in_table(a=SEEDS) == {"a": 2.0, "a_stderr": pytest.approx(3**-0.5)}


def test_controls_must_come_out_the_other_way():
    assert claim([GOOD], controls=[BAD]).as_expected
    assert not claim([GOOD], controls=[BAD, GOOD]).as_expected
    assert claim([BAD], controls=[GOOD], expected=FAILS).as_expected
    assert not claim([BAD], controls=[BAD], expected=FAILS).as_expected
    record = claim([GOOD], controls=[GOOD]).record(1.0)
    assert "control failed (two)" in reproduce.table(plain([record]))


def test_a_failed_check_is_the_headline():
    assert claim([GOOD, BAD]).record(1.0)["measured"] == 2.5


def test_worst_is_the_entry_farthest_from_its_prediction():
    values = torch.tensor([[1.0, 0.9], [1.2, 0.7]])
    assert worst(values, 1.0) == pytest.approx(0.7)
    assert worst(values, torch.tensor([[0.0], [0.7]])) == 1.0


def test_standard_error_is_over_the_last_dimension():
    assert standard_error(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == pytest.approx([3**-0.5])


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "record.json"
    write_atomically(path, "old")

    def half(temporary):
        temporary.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomically(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


@pytest.fixture
def folder(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1], [1, 0])
    claims = [
        claim([GOOD], [GOOD], id="first", figure="curve", expected=QUALIFIED, note="<script>"),
        claim([Check.near("KL", math.inf, math.inf, 0)], id="second", figure="curve"),
    ]
    findings = Findings(claims, {"curve": figure}, {"rows": [{"a": 1, "b": 2}]})
    reproduce.keep("one", findings, tmp_path, {"seeds": 5}, 1.5, "origin")
    record = json.loads((tmp_path / "records" / "one.json").read_text())
    write_atomically(tmp_path / "claims.json", json.dumps(record["claims"]))
    return tmp_path


def test_records_are_strict_json_with_infinity_as_text(folder):
    def refuse(constant):
        raise AssertionError(constant)

    claims = json.loads((folder / "claims.json").read_text(), parse_constant=refuse)
    assert claims[1]["measured"] == "inf"
    assert claims[1]["stderr"] is None
    required = (
        "id source statement expected verdict predicted measured stderr tolerance n_seeds "
        "seconds figure"
    )
    assert set(required.split()) <= set(claims[0])


def test_what_was_finished_is_recognised_by_its_settings_and_code(folder):
    assert reproduce.finished("one", folder, {"seeds": 5}, "origin")
    assert not reproduce.finished("one", folder, {"seeds": 6}, "origin")
    assert not reproduce.finished("one", folder, {"seeds": 5}, "another")
    assert not reproduce.finished("two", folder, {"seeds": 5}, "origin")


def test_the_table_flags_a_surprise():
    records = [claim([BAD]).record(1.0), claim([GOOD]).record(1.0)]
    lines = reproduce.table(plain(records)).splitlines()
    assert "NO: holds" in lines[1]
    assert lines[2].endswith("yes")


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["nothing"], "unknown argument 'nothing'"),
        (["--seeds", "1"], "--seeds: 1"),
        (["--workers", "0"], "--workers: 0"),
        (["--seeds", "many"], "many"),
    ],
)
def test_bad_flags_are_named_and_leave_nothing(flags, names, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        reproduce.main([*flags, "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert names in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert reproduce.main(["--out", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


COMMANDS = {
    "reproduce": lambda out: reproduce.main(["dirac", "--out", out]),
    "sweep": lambda out: sweep.main([str(RING), "--out", out, "--dry-run"]),
    "benchmark": lambda out: benchmark.main(["cost", "--out", out]),
}
LEFT = {"reproduce": ("records", "jobs"), "sweep": ("records", "curves"), "benchmark": ("jobs",)}


@pytest.mark.parametrize(("mine", "theirs"), [*permutations(LEFT, 2)])
def test_the_folder_of_another_command_is_left_alone(mine, theirs, tmp_path, capsys):
    for part in LEFT[theirs]:
        (tmp_path / part).mkdir()
    assert COMMANDS[mine](str(tmp_path)) == 2
    assert "holds something else" in capsys.readouterr().err
    check_folder(tmp_path, *LEFT[theirs])


@pytest.mark.parametrize(
    ("command", "typed", "told"),
    [
        (reproduce, ["dirak"], "unknown argument 'dirak'; did you mean dirac?"),
        (reproduce, ["--seedz=3"], "--seedz=3; did you mean --seeds?"),
        (reproduce, ["--profile=papr"], "did you mean paper?"),
        (reproduce, ["--seeds=1e9"], "1e9 is no whole number, such as 2"),
        (reproduce, ["--timeout=soon"], "soon is no number"),
        (benchmark, ["mode"], "did you mean modes?"),
        (benchmark, ["w1", "--sseds=3"], "--sseds=3; did you mean --seeds?"),
    ],
)
def test_what_is_misspelt_is_refused_in_one_line_that_helps(command, typed, told, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(typed)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1


def test_more_processes_than_memory_has_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(options, "available", lambda: 10**9)
    options.check_workers(os.cpu_count() or 1)
    with pytest.raises(ValueError, match=r"--workers 1000: they take at least 200 GB, and 1 GB"):
        options.check_workers(1000)


def test_the_list_names_every_argument(capsys):
    assert reproduce.main(["--list"]) == 0
    assert "segments" in capsys.readouterr().out


@pytest.mark.slow
def test_every_claim_is_as_expected_and_has_a_control(tmp_path):
    assert reproduce.main(["--out", str(tmp_path / "out")]) == 0
    claims = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert len({claim["id"] for claim in claims}) == len(claims) >= 37
    assert all(claim["controls"] and claim["equation"] for claim in claims)


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_next_run_goes_on(tmp_path):
    """In two processes, as on a terminal: the signal goes to the whole process group."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "scripts.reproduce", "dirac", "clipping", "--out", str(out)]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list((out / "jobs" / "dirac").glob("[!.]*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "finished jobs are kept" in errors
    assert "Traceback" not in errors
    kept = {path: path.stat().st_mtime_ns for path in (out / "jobs" / "dirac").glob("[!.]*.json")}
    assert kept
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize("typed", ["\x0c", "\r", "a\x1b[31m", "--\n"], ids=repr)
def test_what_is_typed_cannot_break_the_line_that_refuses_it(typed, capsys):
    for words in ([typed], ["segments", typed], ["--seeds", typed]):
        with pytest.raises(SystemExit) as stopped:
            reproduce.parse(words)
        assert stopped.value.code == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("python -m scripts.reproduce: error: ")
        assert line.isprintable()
