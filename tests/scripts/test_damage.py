"""A damaged file is named; the command goes on without it, or ends in one line with exit 2.

``DAMAGED_FILES=1000`` tries as many files per command; by default it is a few of each.
"""

import csv
import json
import math
import os
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from matplotlib.figure import Figure

from divergences.whole_files import plain
from scripts import reproduce
from scripts.lab.checked_files import Damaged, load_record, parsed, write_record
from scripts.lab.claims import FAILS, Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job
from scripts.lab.records import Records, run_all
from scripts.report.__main__ import main as report
from scripts.sweep import __main__ as sweep_command
from scripts.sweep import summary
from scripts.sweep.joint_training import Curves, TrainedMember
from tests import report_folder
from tests.damage import chances, damaged
from tests.engines import Threads

COUNT = int(os.environ.get("DAMAGED_FILES", "24"))
CONFIGS = Path(__file__).parents[2] / "configs"
ENDED = Counter()


def seen(folder):
    """Every file's bytes, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def restored(folder, before):
    """Put the folder back as it was."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in before:
            path.unlink()
    for name, content in before.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def check(command, code, path, capsys, content, how):
    """One line that names the file and code 2, or the file is named and its bytes are kept."""
    printed = capsys.readouterr()
    told = printed.err + printed.out
    where = f"{how} of {path}: code {code}, {told!r:.600}"
    assert "Traceback" not in told, where
    assert "this is a bug" not in told, where
    assert not any(not c.isprintable() and c not in "\n\r" for c in told), where
    assert path.name in printed.err, where
    assert code in (0, 2), where
    if code == 2:
        assert printed.err.strip().count("\n") == 0, where
        assert printed.err.startswith("error: "), where
    else:
        kept = list(path.parent.glob(f"{path.name}.damaged-*"))
        assert [p.read_bytes() for p in kept] == [content], where
        assert path.is_file(), where
    ENDED[command, code] += 1


# the report of a reproduce folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder, as ``scripts.reproduce`` leaves it."""
    return report_folder.make(tmp_path_factory.mktemp("whole"))


def test_the_report_of_a_damaged_folder_is_refused_and_the_file_named(whole, tmp_path, capsys):
    folder = Path(shutil.copytree(whole, tmp_path / "out"))
    copied = ("unseen", "training", "segments")  # of the figure; no record knows them
    before = seen(folder)
    names = [n for n in before if not n.endswith(".png") and Path(n).stem not in copied]
    assert {Path(name).parts[0] for name in names} >= {"claims.json", "records", "figures"}
    for chance in chances(COUNT):
        name = chance.choice(names)
        content, how = damaged(before[name], chance)
        (folder / name).write_bytes(content)
        code = report([str(folder)])
        check("report", code, folder / name, capsys, content, how)
        assert code == 2
        restored(folder, before)
    assert report([str(folder)]) == 0


ENDLESS = {
    "pipe": os.mkfifo if os.name != "nt" else None,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.skipif(os.name == "nt", reason="no pipes that are files")
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_report_is_made_of_no_file_that_never_ends(kind, whole, tmp_path, capsys):
    folder = Path(shutil.copytree(whole, tmp_path / "out"))
    before = seen(folder)
    kinds = {"claims.json": "claims.json"} | {
        n.split("/")[0]: n for n in before if ".png" not in n
    }
    assert len(kinds) > 4
    for name in kinds.values():
        if name == "report.html":
            continue
        path = folder / name
        path.unlink()
        ENDLESS[kind](path)
        code, told = report([str(folder)]), capsys.readouterr().err
        assert (code, told.count("\n")) == (2, 1), (name, told)
        assert path.name in told
        path.rmdir() if kind == "folder" else path.unlink()
        path.write_bytes(before[name])
    assert report([str(folder)]) == 0


# reproduce, on an argument that takes no time


@pytest.fixture
def argument(monkeypatch):
    """An argument called ``dirac``, and how often it was run."""
    ran = []

    def judge(results, settings):
        assert results["a job"] == measured(3)
        ran.append(1)
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1], [1, 0])
        claims = [report_folder.TRUE, *report_folder.CLAIMS["one"][2:]]
        return Findings(claims, {"curve": figure}, {"rows": [{"a": "b", "c": 1.5}]}, DATA)

    module = SimpleNamespace(
        experiments=lambda settings: {"a job": Job(1, measured, 3)},
        judge=judge,
        PROFILES={"quick": CommonSettings()},
    )
    found = SimpleNamespace(import_module=lambda name: module)
    monkeypatch.setattr(reproduce, "importlib", found)
    monkeypatch.setattr(reproduce, "engine_of", lambda options: Threads())
    return ran


DATA = {"segments": report_folder.segments()}


def test_reproduce_names_what_is_damaged_sets_it_aside_and_does_it_again(
    argument, tmp_path, capsys
):
    out = tmp_path / "out"
    command = ["dirac", "--out", str(out), "--workers=1"]
    assert reproduce.main(command) == 0
    before = seen(out)
    names = [name for name in before if name not in ("claims.json", "report.html")]
    folders = {"jobs", "records", "figures", "tables", "data"}
    assert {name.split("/")[0] for name in names} == folders
    for chance in chances(COUNT):
        name = chance.choice(names)
        content, how = damaged(before[name], chance)
        (out / name).write_bytes(content)
        argument.clear()
        capsys.readouterr()
        code = reproduce.main(command)
        check("reproduce", code, out / name, capsys, content, how)
        assert code == 0
        # a job's result that is damaged is measured again, and is what it was
        assert argument == ([] if name.startswith("jobs") else [1])
        assert reproduce.main(command) == 0
        assert len(argument) <= 1  # it was made whole
        restored(out, seen(out) | {n: c for n, c in before.items() if n == name})
        for extra in out.rglob("*.damaged-*"):
            extra.unlink()
        restore_record(out, before)


def restore_record(out, before):
    for name, content in before.items():
        (out / name).write_bytes(content)


# a sweep


def quickly(job):
    """What a job would return, without training."""
    steps = [0, 2, 4]
    tags = {tag: [0.5, None, float("inf")] for tag in summary.CHARTS.values()}
    curves = Curves(steps, [0.0, 0.1, 0.2], tags)
    return [TrainedMember(seed, curves, 1.5, len(job.seeds), "code") for seed in job.seeds]


def test_a_sweep_names_what_is_damaged_sets_it_aside_and_does_it_again(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sweep_command, "engine_of", lambda options: Threads())
    monkeypatch.setattr(sweep_command, "run", quickly)
    monkeypatch.setattr(sweep_command, "fingerprint", lambda: "code")
    monkeypatch.setattr(summary, "figure", lambda *_: Figure(figsize=(1, 1)))
    path = tmp_path / "small.yaml"
    base = yaml.safe_load((CONFIGS / "segments_wgan_lp.yaml").read_text())
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    path.write_text(yaml.safe_dump({"base": "base.yaml", "seeds": [0, 1]}))
    plan = sweep_command.read(path)  # reading builds networks, which is not what is tried here
    monkeypatch.setattr(sweep_command, "read", lambda *_: plan)
    out = tmp_path / "out"
    command = [str(path), "--out", str(out)]
    assert sweep_command.main(command) == 0
    before = seen(out)
    names = [name for name in before if name.split("/")[0] in ("records", "curves")]
    assert len(names) == 4
    for chance in chances(COUNT):
        name = chance.choice(names)
        content, how = damaged(before[name], chance)
        (out / name).write_bytes(content)
        capsys.readouterr()
        assert sweep_command.main([*command, "--dry-run"]) == 0
        assert name.rpartition("/")[2] in capsys.readouterr().err
        assert (out / name).read_bytes() == content  # looking changes nothing
        check("sweep", sweep_command.main(command), out / name, capsys, content, how)
        assert len(list(csv.reader((out / "table.csv").read_text().splitlines()))) == 3
        restored(out, before)


# records of benchmarks


def measured(number):
    return {"name": f"piece {number}", "values": (1.5, -math.inf, math.inf), "n": number}


def test_benchmarks_do_again_what_is_damaged(tmp_path, capsys):
    jobs = {f"piece {number}": Job(1, measured, number) for number in range(3)}
    options = SimpleNamespace(again=False, retries=0, timeout=None, debug=False)

    def results():
        assert run_all(jobs, tmp_path, Threads(), options) == []
        return [record["result"] for record in Records(tmp_path / "jobs")]

    whole = results()
    assert whole == [measured(number) for number in range(3)]
    before = seen(tmp_path)
    for chance in chances(COUNT):
        name = chance.choice([*before])
        content, how = damaged(before[name], chance)
        if chance.random() < 0.1:  # another piece's record, whole
            content, how = before[chance.choice([n for n in before if n != name])], "moved"
        (tmp_path / name).write_bytes(content)
        assert results() == whole
        check("benchmark", 0, tmp_path / name, capsys, content, how)
        restored(tmp_path, before)


def test_nothing_that_was_damaged_was_taken_for_whole():
    if not ENDED:
        pytest.skip("the tests above did not run in this process")
    print(f"damaged files: {dict(ENDED)}")
    assert sum(ENDED.values()) == 4 * COUNT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "empty"),
        (b"[NaN]", "NaN is no number"),
        (b"[1e999]", "too large"),
        (b"[1000000000000000000000]", "too large"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
        (b"\xff", "not text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'["\\ud800"]', "surrogates not allowed"),
    ],
)
def test_json_that_readers_understand_differently_is_refused(text, told):
    with pytest.raises(ValueError, match=told):
        parsed(text)


def test_every_digit_of_a_record_is_as_it_was_written(tmp_path):
    path = tmp_path / "record.json"
    write_record(path, {"a": 0.5, "b": [1, "inf", float("nan")], "c": {"d": "é"}})
    assert load_record(path, dict)["b"] == [1, "inf", None]
    text = path.read_text()
    for i, letter in enumerate(text):
        if letter.isalnum():
            path.write_text(text[:i] + ("2" if letter != "2" else "3") + text[i + 1 :])
            with pytest.raises(Damaged, match=r"record\.json is damaged"):
                load_record(path, dict)


def forged(claim=(), **record):
    """What a stranger may make of a record, digest and all."""
    whole = {"argument": "dirac", "settings": {}, "seconds": 1.0, "files": {}} | record
    write_record(Path("records/dirac.json"), whole | {"claims": [CLAIM | dict(claim)]} | record)


CLAIM = Claim(id="one", source="", statement="", checks=[Check.zero("gap", 0.0, 1.0)]).record(1.0)
CLAIM |= {"argument": "dirac", "stderr": None, "checks": [vars(Check("gap", 0, 0, 1, True, 0))]}


@pytest.mark.parametrize(
    "record",
    [
        {"claims": []},
        {"seconds": -1.0},
        {"files": {"../../elsewhere": "0"}},
        {"files": {"/etc/passwd": "0"}},
    ],
    ids=str,
)
def test_a_record_that_cannot_be_is_set_aside(record, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    forged(**record)
    assert not reproduce.finished("dirac", Path(), {}, "")
    forged(**record, origin="")
    assert not reproduce.finished("dirac", Path(), {}, "")
    assert "kept as dirac.json.damaged-" in capsys.readouterr().err


def test_whether_a_claim_is_as_expected_is_not_taken_from_a_record():
    claim = plain(CLAIM | {"as_expected": False})
    assert reproduce.outcome(claim) == "yes"
    assert reproduce.outcome(claim | {"verdict": FAILS}) == "NO: holds"


def test_a_record_of_an_earlier_version_is_named(tmp_path):
    (tmp_path / "record.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(Damaged, match="another version"):
        load_record(tmp_path / "record.json", dict)
