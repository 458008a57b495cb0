"""compare(): what it says of pairs whose difference is known, and of samples it cannot compare."""

import json
import math
import os
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from divergences import Comparison, EarthMover, compare
from divergences.comparison.permutation_tests import CombinedTest
from divergences.comparison.permutations import Pooled
from divergences.comparison.remarks import remarks
from divergences.comparison.tables import as_table, matched
from divergences.comparison.terminal_text import table
from divergences.comparison.where import Direction, direction
from divergences.samples.coordinates import standardised
from scripts.benchmark.reliability_of_compare import said
from scripts.lab.staged_pairs import STAGES

PAIRS = int(os.environ.get("COMPARED_PAIRS", "1"))


def normal(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d))


def remarked(x, y):
    """What is remarked on two samples, without their comparison."""
    pair = matched(as_table(x, "x"), as_table(y, "y"))
    return remarks(pair, standardised(pair.x, pair.y))


@pytest.mark.parametrize("name", STAGES)
def test_the_sentence_and_the_column_are_right(name):
    found = said(name, PAIRS)
    least = 0.9 * PAIRS - (PAIRS > 1)
    assert found["right"] >= least
    assert found["named"] == "–" or found["named"] >= least


def test_w1_and_its_columns_are_in_standard_deviations_whatever_the_unit():
    x, y = normal(600, 2, 0), normal(600, 2, 1)
    y[:, 1] += 2
    plain = compare(x, y, permutations=19)
    scaled = compare(x * [1e-3, 1e4] + 5, y * [1e-3, 1e4] + 5, permutations=19)
    for one, other in zip(plain.answers, scaled.answers, strict=True):
        assert one.name == other.name
        assert float(one.estimate.value) == pytest.approx(float(other.estimate.value), rel=1e-6)
    assert plain.tests == scaled.tests
    low, high = plain.columns[0].w1.ci
    assert low < 2 < high
    assert plain.columns[0].shift == pytest.approx(2, abs=0.2)


def test_in_their_own_units_lengths_scale_and_p_values_do_not():
    x, y = normal(50, 2, 0), normal(50, 2, 1) + np.array([0, 1])
    standard = compare(x, y, permutations=19)
    plain, scaled = (compare(c * x, c * y, permutations=19, own_units=True) for c in (1, 1e3))
    assert plain.tests == scaled.tests == standard.tests
    for one, other in zip(plain.answers, scaled.answers, strict=True):
        power = {"units of the data": 1, "squared units of the data": 2}.get(one.unit, 0)
        if one.key not in ("kid",):  # its kernel has a unit
            expected = float(one.estimate.value) * 1e3**power
            assert float(other.estimate.value) == pytest.approx(expected, rel=1e-6)
    assert float(plain.answers[0].estimate.value) == pytest.approx(float(EarthMover()(x, y).value))
    assert plain.columns[0].shift == pytest.approx((y - x)[:, 1].mean())
    assert "units of the data" in plain.sentence
    assert not any("times as wide" in note for note in plain.notes)
    wide = compare(x * [1, 100], y * [1, 100], permutations=19, own_units=True)
    assert any("column 1 spreads 1" in note for note in wide.notes)


def test_beside_each_value_stands_what_equal_laws_give():
    """Where the laws are equal both are draws of one law; where they are not, far from it."""
    n, k = 150, 5
    equal = compare(normal(n, 2, 0), normal(n, 2, 1), permutations=19)
    far = compare(normal(n, 2, 0), normal(n, 2, 1) + 5, permutations=19)
    for one, other in zip(equal.answers, far.answers, strict=True):
        near = one.estimate.value - one.estimate.floor
        spread = max(float(one.estimate.stderr.nan_to_num(0)), 0.02)
        assert abs(float(near)) < 5 * spread, one.name
        if other.estimate is not None and other.key in ("js", "energy", "mmd"):
            assert float(other.estimate.value) > 3 * abs(float(other.estimate.floor)), other.name
    expected = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    floors = {a.key: float(a.estimate.floor) for a in equal.answers}
    assert floors["coverage"] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("floor", "doubts", "said"), [(0.69, 1, 0), (0.3, 1, 1), (0.69, 0, 1)])
def test_a_doubtful_js_is_in_the_sentence_only_above_that_of_equal_laws(floor, doubts, said):
    found = compare(normal(50, 1, 0), normal(50, 1, 1) + 2, permutations=19)
    assert found.pattern is None  # of one column
    (js,) = (a for a in found.answers if a.key == "js")
    ends = torch.tensor(0.68), torch.tensor(0.693)
    doubted = replace(js.estimate, ci=ends, floor=torch.tensor(floor), warnings=("few",) * doubts)
    answers = tuple(replace(a, estimate=doubted) if a is js else a for a in found.answers)
    assert ("[.68, .69]" in replace(found, answers=answers).sentence) == said


@pytest.mark.parametrize("value", [1007.0, 7.0000001])
def test_a_shift_of_a_column_without_spread_is_not_counted_in_standard_deviations(value):
    x, y = normal(50, 2, 0), normal(50, 2, 1)
    x[:, 1], y[:, 1] = 7, value
    found = compare(x, y, permutations=19)
    assert "column 1 is constant in each of them, at another value" in found.sentence
    assert "standard deviations" not in found.sentence
    own = compare(x, y, permutations=19, own_units=True)
    assert float(own.columns[0].w1.value) == pytest.approx(value - 7, rel=1e-6)
    assert "is constant" not in own.sentence


@pytest.mark.parametrize("step", [0.01, 0.5])
def test_columns_that_are_rounded_to_few_values_are_named_and_no_others(step):
    r = np.random.default_rng(0)
    x, y = r.normal(size=(2, 400, 3))
    for sample in (x, y):
        sample[:, 1] = step * (sample[:, 1] / step).round()
    rough = [note.split(":")[0] for note in remarked(x, y) if "rounded to few values" in note]
    assert rough == (["column 1"] if step > 0.1 else [])


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_rows_of_few_values_that_are_independent_are_no_series(share):
    r = np.random.default_rng(0)
    notes = remarked(*((r.random((400, 2)) < share).astype(float) for _ in range(2)))
    assert not any("like the one before" in note for note in notes)


def test_the_samples_may_change_places():
    x, y = normal(300, 3, 0), normal(200, 3, 1) + np.array([0, 0.3, 0])
    there, back = compare(x, y, permutations=99), compare(y, x, permutations=99)
    one, other = ({a.key: a.estimate for a in found.answers} for found in (there, back))
    assert float(one["kl"].value) == float(other["kl_reverse"].value)
    assert float(one["energy"].value) == pytest.approx(float(other["energy"].value), abs=1e-12)


def test_tables_tensors_and_lists_are_the_same():
    x, y = normal(40, 2, 0), normal(30, 2, 1)
    expected = compare(x, y, permutations=19)
    for kind in (torch.from_numpy, np.ndarray.tolist, np.asfortranarray):
        found = compare(kind(x), kind(y), permutations=19)
        assert found.tests == expected.tests
        assert [float(a.estimate.value) for a in found.answers] == [
            float(a.estimate.value) for a in expected.answers
        ]


class Frame:
    """As much of a data frame as is looked at."""

    def __init__(self, columns, values, dtypes=None):
        self.columns, self.values = columns, np.asarray(values)
        self.dtypes = dtypes or ["float64"] * len(columns)

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_columns_of_frames_are_matched_by_name():
    x, y = normal(60, 2, 0), normal(60, 2, 1) + np.array([0, 3])
    found = compare(Frame(["a", "b"], x), Frame(["b", "a"], y[:, ::-1]), permutations=99)
    assert found.where == ("b",)
    assert any("matched by name" in note for note in found.notes)


class Gaps(Frame):
    """Columns that can lack values, as those of pandas: an array of objects unless asked."""

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(object)

    def to_numpy(self, dtype, na_value):
        return np.where(self.values == -99, na_value, self.values.astype(dtype))


@pytest.mark.parametrize("kind", ["Float64", "Int64", "double[pyarrow]", "Sparse[float64, nan]"])
def test_columns_that_can_lack_values_are_numbers_where_they_do_not(kind):
    x, y = normal(30, 2, 0).round(1) * 10, normal(30, 2, 1).round(1) * 10
    expected = compare(x, y, permutations=19)
    found = compare(*(Gaps(["a", "b"], z, [kind] * 2) for z in (x, y)), permutations=19)
    assert found.tests == expected.tests
    x[3, 1] = -99
    with pytest.raises(ValueError, match=r"1 value is missing .* row 3 .* of column 'b'"):
        compare(Gaps(["a", "b"], x, [kind] * 2), Gaps(["a", "b"], y, [kind] * 2))


class Arrow(Frame):
    """Its columns are the numbers, and their names stand elsewhere."""

    def __init__(self, names, values):
        super().__init__(list(values.T), values, [])
        self.column_names = names


def test_columns_of_tables_that_keep_names_apart_are_matched_by_name():
    x, y = normal(30, 2, 0), normal(30, 2, 1)
    found = compare(Arrow(["a", "b"], x), Arrow(["b", "a"], y[:, ::-1]), permutations=19)
    assert found.names == ("a", "b")
    assert found.tests == compare(x, y, permutations=19).tests


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_others_are_the_same_as_their_numbers(library):
    frames = pytest.importorskip(library)
    x, y = normal(40, 2, 0), normal(30, 2, 1)
    expected = compare(x, y, permutations=19)
    found = compare(*(frames.DataFrame({"a": z[:, 0], "b": z[:, 1]}) for z in (x, y)),
                    permutations=19)  # fmt: skip
    assert found.tests == expected.tests
    assert found.names == ("a", "b")


TWO = np.eye(5)[:, :2]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (Frame(["a", "b"], TWO), Frame(["a", "c"], TWO), "lacks column 'b'"),
        (Frame(["a", "a"], TWO), Frame(["a", "a"], TWO), "more than once"),
        (Frame(["a", "b"], TWO, ["float64", "object"]), TWO, "column 'b': text, not numbers"),
        (Frame(["a", "b"], TWO, ["float64", "datetime64[s]"]), TWO, "datetime64.*not numbers"),
        (Gaps(["a"], np.full((5, 1), 2.0**60), ["Int64"]), np.eye(5)[:, :1], "beyond 2"),
        (np.eye(5), np.eye(5)[:, :3], "has 5 columns and y 3"),
        (np.eye(5)[:1], np.eye(5), "x has 1 row and 5 columns: at least 4 rows"),
        (np.ones((5, 0)), np.ones((5, 0)), "at least 1 column is"),
        (np.ones((5, 5000)), np.ones((5, 5000)), "more than 4096"),
        (np.array([["a"], ["b"]]), np.eye(2), "not real numbers"),
        (np.eye(5) * 1j, np.eye(5), "not real numbers"),
        (np.ones((5, 2)), np.ones((5, 2)), "nothing to compare"),
        (np.ones((5, 2, 2)), np.ones((5, 2)), "has shape"),
        (np.array([[2**60], [2**60 + 1]] * 3), np.ones((6, 1)), "beyond 2"),
        ("a.csv", np.eye(5), "x is a str"),
        ([[1.0, 2.0], [3.0]], np.eye(5), "every row as many"),
        (None, np.eye(5), "x is a NoneType"),
        (np.ma.masked_array(np.eye(5), np.eye(5) > 0), np.eye(5), "masked values"),
        (torch.eye(5).to_sparse(), np.eye(5), "pass a dense one"),
        (torch.empty(5, 5, device="meta"), np.eye(5), "x is a meta tensor"),
        (torch.eye(5) * 1j, np.eye(5), "not real numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_named(x, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        compare(x, y)


@pytest.mark.parametrize("value", [1e300, 1.7e308, 1e-310])
@pytest.mark.parametrize("column", ["all", "one"])
def test_a_column_beyond_what_can_be_computed_with_is_refused(value, column):
    x, y = normal(50, 2, 0), normal(50, 2, 1)
    x[:, 1] = np.where((np.arange(50) == 3) | (column == "all"), value, 0)
    for pair in ((x, y), (y, x)):
        with pytest.raises(ValueError, match=r"column 1 has values of up to .* another unit"):
            compare(*pair)


@pytest.mark.parametrize("value", [9e74, 3e-75])
def test_a_column_just_within_it_is_compared(value):
    # warnings are errors
    x, y = normal(50, 2, 0), normal(50, 2, 1)
    x[3, 1] = y[:, 1][y[:, 1] > 0] = value
    found = compare(x, y, permutations=19, own_units=True)
    assert found.names == ("column 0", "column 1")
    assert all(math.isfinite(float(column.w1.value)) for column in found.columns)


def test_a_missing_value_is_found():
    x = normal(9, 2, 0)
    x[4, 1] = np.nan
    with pytest.raises(ValueError, match=r"y: 1 value is missing .* row 4 .* column 1; remove"):
        compare(normal(9, 2, 1), x)
    x[5, 0] = np.inf
    with pytest.raises(ValueError, match="2 values are missing or infinite"):
        compare(normal(9, 2, 1), x)


def test_peculiar_columns_are_named():
    x, y = normal(50, 4, 0), normal(50, 4, 1)
    x[:, 0] = y[:, 0] = 3
    x[:, 1] = 0
    x[:, 3], y[:, 3] = x[:, 2], y[:, 2]
    found = compare(x, y, permutations=19)
    assert found.names == ("column 1", "column 2", "column 3")
    notes = "\n".join(found.notes)
    assert "column 0: one and the same number in both, left out" in notes
    assert "column 1: constant in x" in notes
    assert "column 3 = column 2" in notes
    assert "'column" not in notes


def test_no_p_value_is_zero_and_each_is_a_share_of_the_labellings():
    found = compare(normal(30, 2, 0), normal(30, 2, 1) + 9, permutations=49)
    assert found.p_value == pytest.approx(1 / 50)
    assert min(found.tests.values()) >= 1 / 50 - 1e-12
    assert min(c.p_value for c in found.columns) >= 1 / 50 - 1e-12


def test_a_table_has_all_rows_below_its_heads():
    rows = [("quantity", "value"), ("W1", ".5"), ("JS", "at most .1")]
    heads, line, *others = table(rows).splitlines()
    assert set(line) == {"-"}
    assert [tuple(re.split("  +", row)) for row in (heads, *others)] == rows


def test_a_record_holds_what_was_found():
    found = compare(normal(60, 3, 0), normal(50, 3, 1) + np.array([0, 2, 0]), permutations=199)
    assert isinstance(found, Comparison)
    held = json.loads(found.to_json())
    assert held["p_value"] == found.p_value
    assert held["mostly_in"] == ["column 1"]
    assert held["columns"][0]["name"] == "column 1"
    assert held["n"] == [60, 50]
    w1 = next(row for row in held["estimates"] if row["measure"] == "W1")
    assert w1["low"] <= w1["value"] <= w1["high"]
    text = str(found)
    assert text.endswith(found.sentence)
    assert "mostly in column 1" in text
    assert all(name in text for name in found.tests)


def test_the_text_has_a_row_for_each_column_and_the_direction_in_terms_of_them():
    """Where x is y but for a shift along (1, -3) / sqrt(10), in columns of unit deviation."""
    x, y = normal(150, 2, 0), normal(150, 2, 1) + np.array([0.3, -0.9])
    found = compare(x, y, permutations=19)
    text = str(found)
    for column in found.columns:
        [row] = [line for line in text.splitlines() if line.startswith(column.name)]
        _, w1, interval, *_, spread = re.split("  +", row)
        low, high = map(float, interval.split(" to "))
        assert low <= float(w1) <= high
        assert float(w1) == pytest.approx(float(column.w1.value), rel=0.05)
        assert float(spread) == pytest.approx(column.spread, rel=0.05)
    [said] = re.findall("largest difference of the mean along (.*): W1", text)
    first, one, second, other = re.fullmatch(r"(\S+) (.+) ([+-]\S+) (.+)", said).groups()
    assert (one, other) == ("column 1", "column 0")
    assert float(second) / float(first) == pytest.approx(-1 / 3, abs=0.2)
    assert math.hypot(float(first), float(second)) == pytest.approx(1, abs=0.01)


def test_a_direction_is_said_by_its_largest_terms():
    weights = torch.tensor([0.1, -0.8, 0.0, 0.59])
    along = Direction(weights, EarthMover()(torch.zeros(4, 1), torch.ones(4, 1)), "mean")
    assert along.said("abcd", most=2) == "-0.80 b +0.59 d + ..."
    assert along.said("abcd", most=4) == "-0.80 b +0.59 d +0.10 a +0.00 c"


def test_the_w1_of_one_column_is_that_of_the_earth_mover():
    x, y = normal(50, 1, 0), normal(80, 1, 1) + 1
    found = compare(x, y, permutations=19)
    scale = found.answers[0].estimate.value / EarthMover()(x, y).value
    assert float(found.columns[0].w1.value) == pytest.approx(
        float(found.answers[0].estimate.value)
    )
    assert 0.7 < float(scale) < 1.4


def test_labellings_are_all_there_are_where_they_are_few():
    """Of 5 points 2 and 3: of the 10 labellings one has the least and the greatest distance."""
    x, y = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[7.0], [8.0], [9.0]]).double()
    pooled = Pooled.of(x, y, 3999, 0)
    p = CombinedTest(permutations=3999).each(pooled)["energy distance"]
    assert p == pytest.approx(0.1, abs=0.02)


def test_columns_that_do_not_vary_have_no_part_in_a_direction():
    r = np.random.default_rng(0)
    x, y = r.normal(size=(200, 3)), r.normal([1.0, 1.0, 0.0], size=(200, 3))
    plain = compare(x, y, permutations=19).direction
    held = [np.insert(z, 1, value, axis=1) for z, value in ((x, 0.0), (y, 3.0))]
    found = compare(*held, permutations=19).direction
    torch.testing.assert_close(found.weights[[0, 2, 3]], plain.weights)
    assert found.weights[1] == 0
    torch.testing.assert_close(found.w1.value, plain.w1.value)
    ones = np.ones((40, 2))
    assert compare(ones, 2 * ones, permutations=99).p_value <= 0.05


@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_a_direction_of_another_spread_is_found_whichever_sample_is_wider(spread):
    along = np.array([0.6, 0.8, 0.0])
    x, y = normal(400, 3, 0), normal(400, 3, 1)
    y = y + (spread - 1) * np.outer(y @ along, along)
    found = direction(torch.from_numpy(x), torch.from_numpy(y))
    assert found.kind == "spread"
    assert abs(found.weights.numpy() @ along) > 0.95


def test_a_direction_has_the_unit_of_the_columns():
    """Across a plane that both samples lie in nearly, no length is larger for that."""
    r = np.random.default_rng(0)
    x, y = (r.normal(size=(400, 2)) for _ in "xy")
    x, y = (np.c_[z, z.sum(1) + far] for z, far in ((x, 0.0), (y, 5.0)))
    found = compare(x, y, permutations=19)
    [column] = [c for c in found.columns if c.index == 2]
    assert float(found.direction.w1.value) < float(column.w1.value) * 3**0.5


def test_the_unit_of_answers_0_and_1_is_their_standard_deviation():
    """A fair coin against one of .7: the mass that moves, over the mean deviation of both."""
    x, y = (np.repeat([0.0, 1.0], [n, 200 - n])[:, None] for n in (100, 60))
    found = compare(x, y, permutations=19)
    deviation = (0.5 + (0.3 * 0.7) ** 0.5) / 2
    [column] = found.columns
    assert float(column.w1.value) == pytest.approx(0.2 / deviation, rel=1e-6)


@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_a_far_mode_is_in_the_standard_deviation_that_lengths_have(unit):
    """A fifth and a tenth of the points at 10, the others near 0: W1 is 1, quartiles are .01."""
    r = np.random.default_rng(0)
    at = np.repeat([10.0, 0.0, 10.0, 0.0], [40, 160, 20, 180])
    x, y = unit * (at + 0.01 * r.normal(size=400)).reshape(2, 200, 1)
    [column] = compare(x, y, permutations=19).columns
    assert float(column.w1.value) == pytest.approx(unit / ((x.std() + y.std()) / 2), rel=0.02)


def test_rows_that_depend_on_the_row_before_are_said():
    r = np.random.default_rng(0)
    series = np.zeros((400, 2))
    for i in range(1, 400):
        series[i] = 0.9 * series[i - 1] + r.normal(size=2)
    plain = r.normal(size=(400, 2))
    for x, y, named in ((series, plain, ["x"]), (plain, series, ["y"]), (plain, plain[::-1], [])):
        notes = remarked(x, y)
        assert [
            note.split()[3][1:-1] for note in notes if "independent draws, and p-values" in note
        ] == named


@pytest.mark.parametrize(("code", "unit"), [(-999.0, 1.0), (9999.0, 1e-9)])
def test_values_that_may_stand_for_missing_ones_are_remarked_on(code, unit):
    r = np.random.default_rng(0)
    x, y = r.normal(size=(2, 80, 2))
    counts = r.poisson(3, size=(2, 80, 2)).astype(float)
    rare = (r.random((2, 80, 2)) < 0.05).astype(float)
    for plain in ((x, y), counts, rare):
        notes = remarked(plain[0] * unit, plain[1] * unit)
        assert not any("missing values" in note for note in notes)
    x[:20, 1] = code
    found = [n for n in remarked(x * unit, y * unit) if "missing" in n]
    assert len(found) == 1
    assert found[0].startswith("column 1")
    assert "occurs 20 times" in found[0]
