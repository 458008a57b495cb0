"""Whatever holds the same numbers gives the same estimate, to the last bit."""

import numpy as np
import pytest
import torch

import divergences as dv
from divergences.array_likes import as_pair, as_tensor
from tests.every_estimator import KINDS, brief

ROWS = [[0.25, 1.0], [2.0, 3.5], [1.0, 0.0], [0.5, 0.75]]
AS_THEY_COME = {
    "lists": lambda z: z.tolist(),
    "tuples": lambda z: tuple(map(tuple, z.tolist())),
    "list of tensors": lambda z: list(z),
    "array": lambda z: z.numpy(),
    "big-endian": lambda z: z.numpy().astype(">f8"),
    "reversed": lambda z: z.numpy()[::-1].copy()[::-1],
    "fortran": lambda z: np.asfortranarray(z.numpy()),
    "long": lambda z: z.numpy().astype(np.longdouble),
    "negated view": lambda z: torch.complex(z, -z).conj().imag,
}


@pytest.mark.parametrize("made", AS_THEY_COME.values(), ids=AS_THEY_COME)
def test_array_likes_are_the_same_points(made):
    kept = torch.tensor(ROWS, dtype=torch.float64)
    assert torch.equal(as_tensor(made(kept)), kept)
    assert as_tensor(made(kept)).dtype == torch.float64


def whole(n, d, seed):
    """Points that single precision and integers hold; none of an odd seed is of an even one."""
    draw = np.random.default_rng(seed)
    columns = [2 * draw.permutation(16 * n)[:n] - 16 * n + seed % 2 for _ in range(d)]
    return torch.from_numpy(np.stack(columns, 1)).double()


def built(kind, x):
    if kind is dv.KnownDensity:
        return kind(lambda points: -(points.double() / 200).square().sum(-1))
    if kind is dv.DataCopying:
        return kind(x)
    if kind is dv.Sinkhorn:
        return kind(100.0, max_iterations=2000)
    return kind(**brief(kind))


def same(found, expected):
    pairs = zip(
        (found.value, found.stderr, *found.ci, found.floor),
        (expected.value, expected.stderr, *expected.ci, expected.floor),
        strict=True,
    )
    return all(torch.equal(a.nan_to_num(-7.0), b.nan_to_num(-7.0)) for a, b in pairs)


FORMS = {
    "lists": lambda z: z.tolist(),
    "integers": lambda z: z.long(),
    "short integers": lambda z: z.numpy().astype(np.int16),
    "array": lambda z: z.numpy(),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_estimator_takes_what_holds_the_same_numbers(kind):
    x, y = whole(40, 2, 0), whole(44, 2, 1)
    expected = built(kind, x)(x, y)
    assert expected.value.dtype == torch.float64
    trained = bool(brief(kind))
    for name, form in list(FORMS.items())[: 2 if trained else None]:
        assert same(built(kind, form(x))(form(x), form(y)), expected), name
    mixed = built(kind, x)(x.float(), y)
    if kind is not dv.KnownDensity:  # which looks at one sample only
        assert same(mixed, expected)
        assert same(built(kind, x)(x, y.float()), expected)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_estimator_takes_a_vector_for_points_on_the_line(kind):
    x, y = whole(40, 1, 0), whole(44, 1, 1)
    estimator = built(kind, x)
    expected = estimator(x, y)
    assert same(estimator(x[:, 0], y[:, 0]), expected)
    assert same(estimator(x[:, 0].tolist(), y), expected)
    assert expected.value.shape == ()


@pytest.mark.parametrize(
    "kind",
    [k for k in KINDS if not brief(k) and k is not dv.DataCopying],
    ids=lambda k: k.__name__,
)
def test_members_are_those_pairs_one_by_one(kind):
    pairs = [(whole(40, 2, seed), whole(44, 2, seed + 9)) for seed in (0, 1)]
    estimator = built(kind, pairs[0][0])
    together = estimator(*(torch.stack(side).numpy() for side in zip(*pairs, strict=True)))
    for k, (x, y) in enumerate(pairs):
        assert together.value[k].equal(estimator(x, y).value)


@pytest.mark.parametrize(
    "sample",
    [None, "points.csv", {1.0}, np.array([["a"]]), [["a"]], 3.0, torch.eye(2).to_sparse(),
     torch.eye(2) * 1j, torch.eye(2, device="meta"), np.array([[None, 1.0]])],
)  # fmt: skip
def test_what_holds_no_real_numbers_is_refused(sample):
    with pytest.raises(TypeError, match=r"x (is|holds|has)"):
        dv.EnergyDistance()(sample, sample)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1.0], [1.0, 2.0]], ROWS, "x is no array.*every row as many"),
        (ROWS, [torch.ones(2), torch.ones(3)], "y is a list of tensors that do not stack"),
        ([1.0, 2.0], ROWS, r"x is a vector, which is 2 points on the line.*use x\[None\]"),
        (ROWS, torch.ones(2), r"y is a vector.*use y\[None\]"),
        (np.array([[2**53 + 1], [0]]), [0.0, 1.0], r"x holds integers beyond 2\*\*53"),
        ([0.0, 1.0], torch.tensor([[-(2**60)], [0]]), "y holds integers beyond"),
        (torch.ones(9, 3, 8, 8), torch.ones(9, 3, 8, 8), r"flatten it: x\.reshape\(len\(x\), -1"),
        (torch.ones(9, 8, 8), torch.ones(7, 8, 8), "flatten it"),
        (np.ma.masked_array(np.eye(5), np.eye(5) > 0), np.eye(5), "x holds masked values"),
        ([], [], "at least 2 points"),
        (np.longdouble("1e4000") * np.ones((4, 1)), np.ones((4, 1)), "infinite"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_or_lost_is_refused_with_the_remedy(x, y, message):
    with pytest.raises(ValueError, match=message):
        dv.EnergyDistance()(x, y)


def test_the_largest_integers_of_double_precision_are_taken():
    assert as_tensor(np.array([2**53, -(2**53)])).tolist() == [2.0**53, -(2.0**53)]
    assert as_tensor(torch.tensor([True, False])).tolist() == [1.0, 0.0]
    both = as_pair(torch.zeros(2, 1).half(), torch.zeros(2, 1).half())
    assert both[0].dtype == both[1].dtype == torch.float32


@pytest.mark.parametrize("other", [torch.float32, torch.float64, torch.bfloat16])
def test_half_precision_is_not_mixed(other):
    with pytest.raises(TypeError, match=r"round both alike, with x\.to\(y\.dtype\)"):
        as_pair(torch.zeros(2, 1).half(), torch.zeros(2, 1, dtype=other))


def warnings_of(estimator, x, y):
    try:
        return estimator(x, y).warnings
    except (ValueError, RuntimeError):
        return None


@pytest.mark.parametrize(
    "kind",
    [k for k in KINDS if not brief(k) and k not in (dv.DataCopying, dv.KnownDensity)],
    ids=lambda k: k.__name__,
)
def test_a_sample_that_was_rounded_alone_is_refused_or_said(kind):
    """In single precision so far from 0 the points lie on a lattice, as equal laws do not."""
    draw = torch.Generator().manual_seed(0)
    for offset in (1e6, 1e8):
        x, y = (offset + torch.randn(64, 2, generator=draw, dtype=torch.float64) for _ in "xy")
        for pair in ((x.float(), y), (x, y.float()), (x.float().double(), y)):
            found = warnings_of(built(kind, x), *pair)
            assert found is None or any("is rounded to steps" in w for w in found)
        assert not any("is rounded to steps" in w for w in warnings_of(built(kind, x), x, y) or ())


@pytest.mark.parametrize("shape", [(60, 8, 8), (3, 8, 8), (50, 20, 3), (20, 20, 28)])
def test_a_stack_of_matrices_is_taken_for_members_with_a_warning(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    found = dv.EnergyDistance()(images, images.flip(0))
    assert "if each entry is one point, such as an image, flatten it" in found.warnings[-1]


@pytest.mark.parametrize("shape", [(1, 40, 2), (8, 40, 2), (39, 40, 3)])
def test_members_are_taken_without_a_word(shape):
    points = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert not any("flatten" in w for w in dv.EnergyDistance()(points, points.flip(0)).warnings)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_matched_as_compare_does(library):
    frames = pytest.importorskip(library)
    x, y = whole(40, 2, 0), whole(44, 2, 1)
    first = frames.DataFrame({"a": x[:, 0].long().numpy(), "b": x[:, 1].numpy()})
    second = frames.DataFrame({"a": y[:, 0].numpy(), "b": y[:, 1].numpy()})
    assert same(dv.EnergyDistance()(first, second), dv.EnergyDistance()(x, y))
    with pytest.raises(ValueError, match=r"another order; .*y\[list\(x.columns\)\]"):
        dv.EnergyDistance()(first, second[["b", "a"]])
    with pytest.raises(ValueError, match="do not both have column 'b'"):
        dv.EnergyDistance()(first, second[["a"]])
    words = frames.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})
    with pytest.raises(TypeError, match="y: column 'a': text"):
        dv.EnergyDistance()(first, words)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_whole_numbers_that_a_column_beside_them_would_round_are_refused(library):
    frames = pytest.importorskip(library)
    made = frames.table if library == "pyarrow" else frames.DataFrame
    beside = np.linspace(0, 1e30, 9)  # which is rounded as it was given
    as_tensor(made({"a": np.arange(9), "b": beside}))
    with pytest.raises(ValueError, match=r"integers beyond 2\*\*53"):
        as_tensor(made({"a": 2**60 + np.arange(9), "b": beside}))


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_probability_vectors_are_taken_as_they_come(kind):
    p, q = kind([0.75, 0.25]), torch.tensor([0.5, 0.5])
    exact = torch.tensor([0.75, 0.25], dtype=torch.float64), q.double()
    for measure in (dv.discrete.kl_divergence, dv.discrete.js_divergence, dv.discrete.js_distance,
                    dv.discrete.total_variation, dv.discrete.cross_entropy):  # fmt: skip
        torch.testing.assert_close(measure(p, q).double(), measure(*exact))
    assert float(dv.discrete.entropy(kind([1, 0]))) == 0.0
    assert float(dv.discrete.self_information(kind([1, 0])).amax()) == np.inf


def test_the_finer_precision_of_two_probability_vectors_counts():
    half, exact = torch.tensor([0.5, 0.5]), torch.tensor([0.75, 0.25], dtype=torch.float64)
    for pair in ((half, exact), (exact, half)):
        assert dv.discrete.kl_divergence(*pair).dtype == torch.float64
        assert dv.discrete.total_variation(*pair) == 0.25


def test_a_metric_takes_what_its_estimator_takes():
    metric = dv.DivergenceMetric(dv.EnergyDistance())
    x, y = whole(40, 1, 0), whole(44, 1, 1)
    metric.update(x[:, 0].tolist(), y.long())
    assert metric.compute() == dv.EnergyDistance()(x, y).value
