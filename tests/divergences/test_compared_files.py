"""python -m divergences A B: what it reads, and the one line for what it cannot."""

import io
import json
import os
import pickle

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from divergences.comparison import unfit_files
from divergences.comparison.chosen_columns import Choice
from divergences.comparison.command import main
from divergences.comparison.compared_files import EVERY_COLUMN, read_table

POINTS = np.random.default_rng(0).standard_normal((30, 2))
HEADER = "age,height"


def text(points, header="", separator=","):
    lines = [separator.join(map(repr, row)) for row in points.tolist()]
    return "\n".join(([header] if header else []) + lines) + "\n"


def as_npy(array, **how):
    stream = io.BytesIO()
    np.save(stream, array, **how)
    return stream.getvalue()


def as_npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def as_parquet(**columns):
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("a.npy", as_npy(POINTS), None),
        ("a.npy", as_npy(np.asfortranarray(POINTS)), None),
        ("a.npy", as_npy(POINTS.astype(">f8")), None),
        ("a.npz", as_npz(points=POINTS), None),
        ("a.csv", text(POINTS), None),
        ("a.csv", text(POINTS, HEADER), ("age", "height")),
        ("a.csv", "\ufeff" + text(POINTS, '"age","height"'), ("age", "height")),
        ("a.csv", text(POINTS, "age;height", ";"), ("age", "height")),
        ("a.csv", text(POINTS, HEADER).replace("\n", "\r\n"), ("age", "height")),
        ("a.tsv", text(POINTS, "age\theight", "\t"), ("age", "height")),
        ("a.parquet", as_parquet(age=POINTS[:, 0], height=POINTS[:, 1]), ("age", "height")),
        ("a.txt", text(POINTS, separator="  "), None),
        ("a.txt", text(POINTS, "# age height", " "), ("age", "height")),
        ("a.txt", text(POINTS, HEADER), ("age", "height")),
    ],
)  # fmt: skip
def test_a_table_is_read_as_it_was_written(tmp_path, name, content, names):
    found = read_table(write(tmp_path, name, content))
    assert found.names == names
    assert (found.values.numpy() == POINTS).all()


class Executed:
    def __reduce__(self):
        return os.mkdir, ("executed",)


LONG = as_npy(POINTS).replace(b"(30, 2)", b"(9**9,)")

BAD = [
    ("a.npy", b"", "the file is empty"),
    ("a.npy", as_npy(POINTS)[:-9], "is cut off"),
    ("a.npy", as_npy(POINTS)[:20], "no whole .npy array"),
    ("a.npy", as_npy(POINTS) + as_npy(POINTS), "more than one array"),
    ("a.npy", bytes(range(256)) * 9, "no whole .npy array"),
    ("a.npy", as_npy(np.array([Executed()]), allow_pickle=True), "pickled objects"),
    ("a.npy", pickle.dumps(Executed()), "no whole .npy array"),
    ("a.npy", LONG, "no whole .npy array"),
    ("a.npy", as_npy(np.zeros(3, dtype=[("a", "f8")])), "holds records"),
    ("a.npy", as_npy(np.array(["a", "b"])), "not real numbers"),
    ("a.npy", as_npy(POINTS[:1]), "has 1 row and 2 columns: at least 4 rows"),
    ("a.npy", as_npy(POINTS[:, :0]), "0 columns: at least 1 column"),
    ("a.npy", as_npy(np.zeros((5, 10_000))), "more than 4096"),
    ("a.npy", as_npy(np.zeros((5, 2, 2))), "has shape"),
    ("a.npz", as_npz(a=POINTS, b=POINTS), "holds 2 arrays"),
    ("a.npz", as_npz(a=POINTS)[:-30], "no whole .npz archive"),
    ("a.npz", b"PK" + bytes(99), "no whole .npz archive"),
    ("a.csv", "", "the file is empty"),
    ("a.csv", HEADER + "\n", "a header and no rows"),
    ("a.csv", text(POINTS, HEADER) + "1,\n", "1 cells are missing, the first in line 32"),
    ("a.csv", text(POINTS, HEADER) + "1,nan\n", "missing"),
    ("a.csv", text(POINTS, HEADER) + "1,red\n", "'height': text or dates"),
    ("a.csv", text(POINTS, HEADER) + "1,2,3\n", "line 32 has 3 cells"),
    ("a.csv", text(POINTS, "age"), "cells"),
    ("a.csv", text(POINTS, "age,age"), "more than once"),
    ("a.csv", text(POINTS, "age,weight"), "lacks column"),
    ("a.csv", bytes(range(256)) * 9, "no text in UTF-8"),
    ("a.csv", b"\x00\x01\x02" * 99, "no text"),
    ("a.csv", ",".join(["1"] * 10_000) + "\n", "more than 4096"),
    (
        "a.parquet",
        as_parquet(age=POINTS[:, 0], height=["a"] * 30),
        "'height': text or dates",
    ),
    ("a.parquet", as_parquet(age=POINTS[:, 0], height=[None, *POINTS[1:, 1]]), "missing"),
    ("a.parquet", b"PAR1" + bytes(50), "no whole .parquet file"),
    ("a.parquet", as_parquet(age=[2**60 + i for i in range(30)], height=POINTS[:, 0]), "2**53"),
    ("a.parquet", as_parquet(age=[{"x": 1.0}] * 30, height=POINTS[:, 0]), "'age': text or dates"),
    ("a.csv", "age,height\n" + "".join(f"{2**60 + i},{i}\n" for i in range(9)), "2**53"),
    ("a.csv", "age,height\n" + "".join(f"{2**53 + 1},{i}\n" for i in range(9)), "2**53"),
    (
        "a.csv",
        "age,height\n" + "".join(f".123456789012345678{i},{i}\n" for i in range(9)),
        "'age'",
    ),
    ("a.csv", text(POINTS, HEADER).encode("utf-16"), "no text in UTF-8"),
    ("a.csv", text(POINTS, "age;height", ";").replace(".", ","), "decimal point, not a comma"),
    ("a.csv", text(POINTS, separator=";").replace(".", ","), "decimal point, not a comma"),
    ("a.txt", text(POINTS, separator="\t").replace(".", ","), "decimal point, not a comma"),
    ("a.txt", text(POINTS, separator=" ").replace(".", ","), "decimal point, not a comma"),
    ("a.csv", text(POINTS[:, :1]).replace(".", ","), "like a number with a decimal comma"),
    ("a.csv", text(POINTS).replace(".", ","), "like a number with a decimal comma"),
    ("a.csv", '"age\nyears",height\n' + text(POINTS), "a line break or an open quote"),
    ("a.csv", text(POINTS, ",height"), "column 0 (from 0) has no name"),
    ("a.csv", HEADER + "\n" + "2020-01-01,1\n" * 9, "'age': text or dates"),
    ("a.csv", HEADER + "\n" + "1e400,1\n" * 9, "infinite"),
    ("a.csv", text(POINTS[:1], HEADER), "has 1 row"),
    ("a.csv.gz", text(POINTS), "cannot read '.gz'"),
    ("a.npy", as_npy(POINTS + 1j), "not real numbers"),
    ("a.npy", as_npy(np.full((9, 2), 2**63 + 1, dtype=np.uint64)), "2**53"),
    ("a.dat", text(POINTS), "npz, .csv, .tsv, .txt, .parquet; name text .txt"),
    ("a.txt", "# one two three\n" + text(POINTS, separator=" "), "has 3 cells and the rows 2"),
    ("a.txt", "1 2\n" * 9 + "1 two\n", "column 1: text or dates"),
    ("a.pkl", pickle.dumps(Executed()), "cannot read '.pkl'"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_with_a_file_is_one_line(
    tmp_path, monkeypatch, capsys, name, content, message
):
    monkeypatch.chdir(tmp_path)
    good = write(tmp_path, "good.csv", text(POINTS, HEADER))
    bad = write(tmp_path, name, content)
    before = sorted(tmp_path.iterdir())
    for files in ((good, bad), (bad, good)):
        assert main([str(file) for file in files]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("error: ")
        assert message in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "content", "counts_all"),
    [
        ("a.npy", as_npy(POINTS), True),
        ("a.npz", as_npz(a=POINTS), True),
        ("a.csv", text(POINTS), False),
        ("a.txt", text(POINTS, separator=" "), False),
        ("a.parquet", as_parquet(**{"0": POINTS[:, 0], "1": POINTS[:, 1]}), False),
    ],
)
def test_the_most_numbers_that_fit_are_read_and_one_more_is_refused(
    tmp_path, monkeypatch, name, content, counts_all
):
    path = write(tmp_path, name, content)

    def read(limit, choice=EVERY_COLUMN):
        monkeypatch.setattr(unfit_files, "MOST_NUMBERS", limit)
        return read_table(path, choice).values.numpy()

    assert (read(60) == POINTS).all()
    with pytest.raises(ValueError, match="holds 60 numbers, more than fits"):
        read(59)
    if not counts_all:
        one = Choice.of_text("0", None)
        assert (read(30, one) == POINTS[:, :1]).all()
        with pytest.raises(ValueError, match="holds 30 numbers, more than fits"):
            read(29, one)


def test_files_that_are_none_are_named(tmp_path, capsys):
    good = str(write(tmp_path, "good.csv", text(POINTS)))
    os.mkfifo(tmp_path / "pipe.csv")
    os.symlink("loop.csv", tmp_path / "loop.csv")
    for name in ("none.csv", ".", "pipe.csv", "loop.csv", "a\x00.csv", "x" * 999 + ".csv"):
        assert main([good, str(tmp_path / name)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as ended:
        main([good])
    assert ended.value.code == 2


def test_what_might_be_meant_otherwise_is_said(tmp_path, capsys):
    numbered = write(tmp_path, "a.csv", text(POINTS, "0,1"))
    bare = write(tmp_path, "b.csv", text(POINTS[::-1]))
    counted = np.column_stack([np.arange(30), POINTS[:, 0]])
    for names, files in (("k,v", 1), ("k,v", 2)):
        write(tmp_path, f"c{files}.csv", text(counted, names))
    assert main([str(numbered), str(bare), "--permutations", "19"]) == 0
    out = capsys.readouterr().out
    assert "a.csv: the first line, 0, 1, ..., is taken as names" in out
    assert "a.csv has names of columns and b.csv none" in out
    assert main([str(tmp_path / "c1.csv"), str(tmp_path / "c2.csv"), "--permutations", "19"]) == 0
    assert "column 'k': counts the rows of c1.csv one by one" in capsys.readouterr().out


def test_the_command_prints_the_sentence_and_writes_what_it_found(tmp_path, capsys):
    first = write(tmp_path, "a.csv", text(POINTS, HEADER))
    second = write(tmp_path, "b.csv", text(POINTS[::-1] + np.array([0, 3]), "age,he\x1b[2Jight"))
    moved = POINTS[::-1, ::-1] + np.array([3, 0.01])
    third = write(tmp_path, "c.csv", text(moved, "height,age"))
    assert main([str(first), str(second)]) == 2
    assert "\x1b" not in capsys.readouterr().err
    where = ["--out", str(tmp_path / "out"), "--permutations", "99"]
    assert main([str(first), str(third), *where]) == 0
    out = capsys.readouterr().out
    assert "the samples differ (p = .01)" in out
    assert "mostly in column height" in out
    assert "matched by name" in out
    held = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert held["mostly_in"] == ["height"]


MIXED = "id,age,height,born\n" + "".join(
    f"{i},{a!r},{h!r},{'' if i == 3 else 'May'}\n" for i, (a, h) in enumerate(POINTS.tolist())
)


@pytest.mark.parametrize(
    ("name", "content", "only", "without"),
    [
        ("a.csv", MIXED, "age,height", None),
        ("a.csv", MIXED, None, "id, born"),
        ("a.parquet", as_parquet(age=POINTS[:, 0], id=["a"] * 30, height=POINTS[:, 1]),
         "age,height", None),
        ("a.parquet", as_parquet(age=POINTS[:, 0], id=["a"] * 30, height=POINTS[:, 1]),
         None, "id"),
        ("a.npy", as_npy(np.insert(POINTS, 1, 7, 1)), "0,column 2", None),
        ("a.npz", as_npz(a=np.insert(POINTS, 1, 7, 1)), None, "1"),
        ("a.txt", text(np.insert(POINTS, 1, 7, 1), separator=" "), "0,2", None),
        ("a.csv", text(POINTS, '"age, years",height'), '"age, years",height', None),
        ("a.csv", text(POINTS, 'height,"age, years"'), 'height, "age, years"', None),
    ],
)  # fmt: skip
def test_columns_are_chosen_or_left_out(tmp_path, name, content, only, without):
    found = read_table(write(tmp_path, name, content), Choice.of_text(only, without))
    assert (found.values.numpy() == POINTS).all()
    assert found.names is not None
    assert len(found.names) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--columns", "age,hight"], "has no column 'hight'; did you mean 'height'?"),
        (["--columns", "age,,height"], "a name is empty"),
        (["--columns", '"age'], "names with commas"),
        (["--columns", '"a"ge'], "names with commas"),
        (["--without", "id"], "'born': text or dates, not numbers; encode it as numbers in both"),
        (["--without", "born,hight"], "no file has a column 'hight'; did you mean 'height'?"),
        (["--without", "id,age,height,born"], "no column is left"),
        (["--columns", "age", "--target", "a.csv", "--own-units"], "does not go with --target"),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(tmp_path, capsys, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a.csv", MIXED)
    assert main(["a.csv", "a.csv", *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("name", ["a.npy", "a.csv", "a.parquet"])
def test_what_memory_cannot_hold_is_refused_with_numbers(tmp_path, monkeypatch, capsys, name):
    content = {
        "a.npy": as_npy(POINTS),
        "a.csv": text(POINTS),
        "a.parquet": as_parquet(x=POINTS[:, 0]),
    }
    path = str(write(tmp_path, name, content[name]))
    monkeypatch.setattr("divergences.comparison.unfit_files.available", lambda: 1500)
    assert main([path, path]) == 2
    assert "1.5e-06 GB are available; take about" in capsys.readouterr().err


def test_rows_of_other_lengths_are_seen_where_columns_are_chosen(tmp_path):
    path = write(tmp_path, "a.csv", MIXED + "7,8,9,10,11\n")
    with pytest.raises(ValueError, match="line 32 has 5 cells and the first 4"):
        read_table(path, Choice(only=("age",)))


def test_an_earlier_comparison_is_not_written_over(tmp_path, capsys):
    points = str(write(tmp_path, "a.csv", text(POINTS)))
    out = ["--out", str(tmp_path / "out"), "--permutations", "19"]
    assert main([points, points, *out]) == 0
    page = (tmp_path / "out" / "comparison.html").read_bytes()
    capsys.readouterr()
    assert main([points, points, *out]) == 2
    printed, err = capsys.readouterr()
    assert printed == ""
    assert "holds comparison.html of an earlier comparison; name another folder" in err
    assert (tmp_path / "out" / "comparison.html").read_bytes() == page
    assert main([points, points, "--target", points, *out]) == 0
