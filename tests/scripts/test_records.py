"""Results are kept to the last bit; jobs are done once; what is of other code is done or told."""

import json
import math
import sys
from types import SimpleNamespace

import pytest
import torch

from scripts.lab import records as module
from scripts.lab.jobs import Doing, Job
from scripts.lab.json_values import restored, stored
from scripts.lab.progress import Progress
from scripts.lab.records import Records, results, run_all
from tests.engines import Threads

WHOLE = torch.arange(12, dtype=torch.float64).view(3, 4) / 7
VALUES = {
    "numbers": [1, -2.5, 1e-300, True, None, "text"],
    "infinities": [math.inf, -math.inf],
    "tuples in lists": [(1, (2.0,)), ()],
    "keys": {("a", 2): 1, 0.5: {"x": 1}, "b": None},
    "a key that means something": {"is": "tuple", "of": [1]},
    "floats": WHOLE,
    "single": WHOLE.float(),
    "integers": torch.tensor([2**62, -1]),
    "truths": WHOLE > 1,
    "scalar": torch.tensor(3.25),
    "empty": torch.zeros(0, 3),
    "turned": WHOLE.T,
    "spread": WHOLE[:, :1].expand(3, 5),
}


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return [*one] == [*other] and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        pairs = zip(one, other, strict=True)
        return type(one) is type(other) and all(same(a, b) for a, b in pairs)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_result_is_kept_to_the_last_bit(value):
    text = json.dumps(stored({"of": value}), allow_nan=False)
    assert same(restored(json.loads(text))["of"], value)


def test_nan_is_kept():
    back = restored(json.loads(json.dumps(stored([math.nan, torch.tensor(math.nan)]))))
    assert all(math.isnan(value) for value in back)


def test_a_sum_rounds_as_it_did_before_the_result_was_kept():
    """The order of a tensor in memory is kept, too."""
    values = torch.randn(300, 7, 50, generator=torch.Generator().manual_seed(0)).permute(2, 0, 1)
    back = restored(json.loads(json.dumps(stored(values))))
    assert back.stride() == values.stride()
    assert torch.equal(back.sum((1, 2)), values.sum((1, 2)))


@pytest.mark.parametrize("value", [object(), {1, 2}, torch.zeros(1, dtype=torch.bfloat16), 1j])
def test_what_could_not_be_given_back_is_refused(value):
    with pytest.raises(TypeError, match="cannot be kept"):
        stored({"a": [value]})


@pytest.mark.parametrize(
    "value",
    [
        {"is": "float64", "shape": [2], "order": [0], "of": "AAAA"},
        {"is": "float64", "shape": [10**15], "order": [0], "of": ""},
        {"is": "float64", "shape": [1], "order": [3], "of": "AAAAAAAAAAA="},
        {"is": "float64", "shape": [1], "of": "AAAAAAAAAAA="},
        {"is": "os.system", "of": "true"},
        {"is": ["list"], "of": 1},
        {"is": "float", "of": "1"},
        {"is": "dict", "of": [[[1], 2]]},
        {"is": "tuple"},
    ],
)
def test_a_file_that_no_result_makes_is_no_result(value):
    with pytest.raises(ValueError, match="cannot be read"):
        restored([value])


# jobs


def counted(done, value):
    """Leaves a mark each time that it runs; the value of the folder that it was given."""
    with open(f"{done}/marks", "a") as file:
        file.write("x")
    return {"value": torch.tensor([value])}


def broken(done, value):
    raise ArithmeticError(f"{value} is not wanted")


@pytest.fixture
def options():
    return SimpleNamespace(again=False, retries=0, timeout=None, debug=False)


def marks(path):
    return len((path / "marks").read_text())


def test_a_job_with_a_record_is_not_done_again_unless_asked(tmp_path, options):
    jobs = {f"a/{i}": Job(1, counted, str(tmp_path), i) for i in range(3)}
    assert run_all(jobs, tmp_path, Threads(), options) == []
    assert run_all(jobs, tmp_path, Threads(), options) == []
    assert marks(tmp_path) == 3
    assert [r["result"]["value"].item() for r in Records(tmp_path / "jobs")] == [0, 1, 2]
    options.again = True
    run_all(jobs, tmp_path, Threads(), options)
    assert marks(tmp_path) == 6


def test_a_record_of_other_arguments_is_measured_again_or_told(tmp_path, options, capsys):
    run_all({"a": Job(1, counted, str(tmp_path), 1)}, tmp_path, Threads(), options)
    other = {"a": Job(1, counted, str(tmp_path), 2)}
    run_all(other, tmp_path, Threads(), options)
    assert marks(tmp_path) == 1
    assert "1 results are of other code and kept; --again" in capsys.readouterr().err
    run_all(other, tmp_path, Threads(), options, current=True)
    assert marks(tmp_path) == 2
    (record,) = Records(tmp_path / "jobs")
    assert record["result"]["value"].item() == 2
    run_all(other, tmp_path, Threads(), options, current=True)
    assert marks(tmp_path) == 2


def test_a_record_of_another_library_is_kept_and_told(tmp_path, options, capsys, monkeypatch):
    jobs = {"a": Job(1, counted, str(tmp_path), 1)}
    run_all(jobs, tmp_path, Threads(), options)
    monkeypatch.setattr(module, "fingerprint", lambda: "another")
    capsys.readouterr()
    run_all(jobs, tmp_path, Threads(), options, current=True)
    assert "of other code and kept" in capsys.readouterr().err
    assert marks(tmp_path) == 1


def test_a_job_that_fails_is_named_and_the_others_are_kept(tmp_path, options, capsys):
    jobs = {"good": Job(1, counted, str(tmp_path), 1), "bad": Job(1, broken, str(tmp_path), 7)}
    options.out = tmp_path
    (failed,) = run_all(jobs, tmp_path, Threads(), options)
    assert failed.key == "bad"
    assert "failed: bad: ArithmeticError: 7 is not wanted" in capsys.readouterr().err
    with pytest.raises(ValueError, match="1 of 2 jobs failed; the others are kept"):
        results(jobs, options, engine=Threads())
    assert marks(tmp_path) == 1


def test_two_jobs_of_one_record_are_refused(tmp_path, options):
    jobs = {key: Job(1, counted, str(tmp_path), 1) for key in ("a b", "a,b")}
    with pytest.raises(ValueError, match="two jobs have the same record"):
        run_all(jobs, tmp_path, Threads(), options)


def test_a_result_that_cannot_be_kept_ends_the_command(tmp_path, options):
    with pytest.raises(TypeError, match="cannot be kept"):
        run_all({"a": Job(1, SimpleNamespace)}, tmp_path, Threads(), options)


def test_a_job_may_write_to_a_folder_of_the_command(tmp_path):
    (tmp_path / "runs").mkdir()
    Doing(tmp_path)(Job(1, counted, 1, folder="runs"))
    assert marks(tmp_path / "runs") == 1


# progress


def test_without_a_terminal_progress_is_plain_lines(capsys):
    with Progress(300, 300) as progress:
        for i in range(300):
            progress.advance(1, f"job\n{i}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20
    assert lines[0] == "  5 %, 15 of 300 done: job 14"
    assert lines[-1] == "100 %, 300 of 300 done: job 299"


def test_on_a_terminal_it_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(2, 2) as progress:
        progress.advance(1, "job")
    assert "50%|" in capsys.readouterr().err
