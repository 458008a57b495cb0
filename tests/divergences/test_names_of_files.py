"""Names of columns and files: they print no lines of their own, and years are no measurements."""

import json
import os

import numpy as np
import pyarrow
import pytest

from divergences import closer, compare
from divergences.comparison.command import main
from divergences.comparison.compared_files import read_table
from tests.divergences.test_compared_files import POINTS, as_parquet, text, write

FALSE = "no difference seen (p = .9) with 30 points each"
FEW = ["--permutations", "19"]


def lines_that_begin_with(start, out):
    return [line for line in out.splitlines() if line.startswith(start)]


@pytest.mark.parametrize("end", ["\n\n", "\r\n", "\u2028", "\x0b", "\x85"])
def test_names_of_columns_print_no_line_of_their_own(tmp_path, capsys, end):
    names = f"height{end}{FALSE}", "age"
    for name, points in (("a.parquet", POINTS), ("b.parquet", POINTS[::-1] + np.array([9, 0]))):
        columns = dict(zip(names, points.T, strict=True))
        write(tmp_path, name, as_parquet(**columns))
    files = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    assert main([*files, *FEW]) == 0
    out = capsys.readouterr().out
    assert not lines_that_begin_with("no difference", out)
    assert "height\ufffd" in out


def test_names_of_files_print_no_line_of_their_own(tmp_path, capsys):
    first = write(tmp_path, f"a\n\n{FALSE}.csv", text(POINTS))
    second = write(tmp_path, "b.csv", text(POINTS[::-1] + 9))
    target = write(tmp_path, "t.csv", text(POINTS * 1.01))
    out_dir = tmp_path / f"out\n{FALSE}"
    for more in ([*FEW, "--out", str(out_dir)], ["--target", str(target)]):
        assert main([str(first), str(second), *more]) == 0
        assert not lines_that_begin_with("no difference", capsys.readouterr().out)


def test_a_file_whose_name_is_no_text_is_compared_and_written(tmp_path, capsys):
    name = os.fsencode(tmp_path) + b"/\xff\xfe.csv"
    with open(name, "w") as stream:
        stream.write(text(POINTS))
    second = write(tmp_path, "b.csv", text(POINTS[::-1]))
    out = tmp_path / "out"
    assert main([os.fsdecode(name), str(second), *FEW, "--out", str(out)]) == 0
    assert (
        json.loads((out / "comparison.json").read_text(encoding="utf-8"))["labels"][1] == "b.csv"
    )
    assert (out / "comparison.html").exists()


@pytest.mark.parametrize("length", [2000, 140_000])
def test_a_name_as_long_as_a_text_is_refused_in_one_short_line(tmp_path, capsys, length):
    long = write(tmp_path, "a.csv", text(POINTS, "a" * length + ",b"))
    assert main([str(long), str(long)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert len(err) < 800
    assert "characters" in err


def test_long_names_are_shortened_in_the_sentence():
    name = "a" * 900
    tables = [
        pyarrow.table({name: z[:, 0], "b": z[:, 1]}) for z in (POINTS, POINTS + np.array([9, 0]))
    ]
    found = compare(*tables, permutations=19)
    assert found.where == (name,)
    assert len(found.sentence) < 400
    assert max(map(len, str(found).splitlines())) < 400


HEADERS = [
    ("2019,2020", POINTS),
    ("1,2", POINTS),
    ("2019,2020", np.round(9 * POINTS)),
    ("2019,2024", np.round(9 * POINTS)),
    ("7,7", POINTS),
]


@pytest.mark.parametrize(("header", "points"), HEADERS)
def test_a_first_line_of_numbers_that_may_be_names_is_told(tmp_path, header, points):
    (note,) = read_table(write(tmp_path, "a.csv", text(points, header))).notes
    assert header.split(",")[0] in note
    assert "looks like names" in note


def test_a_first_number_below_or_above_all_others_is_no_name(tmp_path):
    """Of one column it is so once in a few files by chance; all of several columns hardly ever."""
    for first in ("-3", "99"):
        lines = f"{first}\n" + "\n".join(str(number) for number in range(20, 40))
        assert read_table(write(tmp_path, "a.csv", lines)).notes == ()


@pytest.mark.parametrize("points", [POINTS, 2 + np.abs(np.round(50 * POINTS))])
def test_rows_of_one_kind_are_not_taken_for_names(tmp_path, points):
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(points)
        rows[0] = rows[1]
        lines = text(rows).replace(".0,", ",").replace(".0\n", "\n")
        assert read_table(write(tmp_path, "a.csv", lines)).notes == ()


def test_tables_of_pyarrow_are_matched_by_name():
    x, y = POINTS, POINTS[::-1] + np.array([0, 9])
    found = compare(
        pyarrow.table({"a": x[:, 0], "b": x[:, 1]}),
        pyarrow.table({"b": y[:, 1], "a": y[:, 0]}),
        permutations=19,
    )
    assert found.names == ("a", "b")
    assert found.where == ("b",)
    with pytest.raises(ValueError, match="y lacks column 'b' of x"):
        compare(
            pyarrow.table({"a": x[:, 0], "b": x[:, 1]}),
            pyarrow.table({"a": x[:, 0], "c": x[:, 1]}),
        )
    assert closer(*(pyarrow.table({"a": z[:, 0]}) for z in (x, x, y))).names == ("a",)
