"""Copied rows are told from what laws repeat themselves: counts, rounded values, atoms."""

import numpy as np
import pytest
import torch

from divergences import EarthMover, HistogramJS, RossJS, compare
from divergences.repeated_points import repeated
from divergences.sample_warnings import rounded_apart

N = 300


def twice(r, d):
    return np.repeat(r.normal(size=(N // 2, d)), 2, 0)


def bootstrap(r, d):
    return r.normal(size=(N, d))[r.integers(0, N, N)]


COPIED = {
    "both twice": lambda r, d: (twice(r, d), twice(r, d)),
    "both twice, four digits": lambda r, d: (twice(r, d).round(4), twice(r, d).round(4)),
    "one bootstrap": lambda r, d: (r.normal(size=(N, d)), bootstrap(r, d)),
    "two bootstraps": lambda r, d: (bootstrap(r, d), bootstrap(r, d)),
    "twenty times": lambda r, d: (np.tile(r.normal(size=(40, d)), (20, 1)), twice(r, d) + 1),
    "in another unit": lambda r, d: (1e6 * twice(r, d), 1e6 * twice(r, d)),
}
OWN = {
    "rounded": lambda r, d: (r.normal(size=(N, d)).round(1), r.normal(size=(N, d)).round(1)),
    "rounded on one side": lambda r, d: (r.normal(size=(N, d)).round(1), r.normal(size=(N, d))),
    "counts apart": lambda r, d: (r.poisson(300, (N, d)), r.poisson(3, (N, d))),
    "counts": lambda r, d: (r.poisson(30, (N, d)), r.poisson(33, (N, d))),
    "waiting times": lambda r, d: (r.geometric(0.001, (N, d)), r.geometric(0.5, (N, d))),
    "zeros among values": lambda r, d: [
        r.normal(size=(N, d)) * (r.random((N, 1)) > 0.4) for _ in "xy"
    ],
    "categories": lambda r, d: [r.normal(size=(10, d))[r.integers(0, 10, N)] for _ in "xy"],
}


def said(make, d, seed):
    x, y = (torch.from_numpy(np.asarray(z, float)) for z in make(np.random.default_rng(seed), d))
    return repeated(x, y)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_copied_rows_are_said_and_what_a_law_repeats_is_not(d, seed):
    assert [name for name, make in COPIED.items() if not said(make, d, seed)] == []
    assert [name for name, make in OWN.items() if said(make, d, seed)] == []


@pytest.mark.parametrize("d", [1, 2])
def test_equal_laws_whose_rows_are_all_there_twice_are_not_told_apart(d):
    p_values = []
    for seed in range(8):
        r = np.random.default_rng(seed)
        found = compare(twice(r, d), twice(r, d), permutations=99)
        p_values.append(found.p_value)
        assert sum("different rows of 300" in note for note in found.notes) == 2
    assert sum(p <= 0.05 for p in p_values) <= 2  # 8 draws at .05: more than 2 in .6 % of cases


def test_an_estimator_says_so_of_both_samples():
    r = np.random.default_rng(0)
    warnings = EarthMover(floor=False)(twice(r, 2), twice(r, 2)).warnings
    assert [w[:32] for w in warnings] == [f"{z} holds only 150 different point" for z in "xy"]


@pytest.mark.parametrize("times", [2, 3, 4, 6])
@pytest.mark.parametrize("d", [1, 2, 8])
def test_near_copies_are_said_where_neighbours_are_asked(d, times):
    for seed in range(4):
        r = np.random.default_rng(seed)
        x, y = (np.repeat(r.normal(size=(60, d)), times, 0) for _ in "xy")
        noisy = [torch.from_numpy(z + 1e-6 * r.normal(size=z.shape)) for z in (x, y)]
        warnings = RossJS()(*noisy).warnings
        assert [w[:1] for w in warnings if "near copies" in w] == ["x", "y"]


LAWS = {
    "normal": lambda r, d: r.normal(size=(N, d)),
    "cauchy": lambda r, d: r.standard_cauchy((N, d)),
    "lognormal": lambda r, d: np.exp(3 * r.normal(size=(N, d))),
    "all scales": lambda r, d: r.normal(size=(N, d)) * 10.0 ** r.uniform(-8, 3, (N, 1)),
    "narrow modes": lambda r, d: r.integers(0, 9, (N, 1)) + 1e-4 * r.normal(size=(N, d)),
    "Cantor's set": lambda r, d: (
        2 * r.integers(0, 2, (N, d, 24)) / 3.0 ** np.arange(1, 25)
    ).sum(-1),
}  # fmt: skip


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_no_law_of_many_points_is_taken_for_near_copies(law, d):
    for seed in range(3):
        r = np.random.default_rng(seed)
        x, y = (torch.from_numpy(law(r, d)) for _ in "xy")
        assert not any("near copies" in warning for warning in RossJS()(x, y).warnings)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_half_precision_is_noticed_in_any_type_and_column(kind, dtype):
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(200, 2, generator=draw, dtype=dtype) for _ in range(2))
    rounded = x.clone()
    rounded[:, 1] = x[:, 1].to(kind).to(dtype)
    assert rounded_apart(x, y) == ()
    assert rounded_apart(rounded, rounded.flip(0)) == ()
    for pair, name in (((rounded, y), "x"), ((y, rounded), "y")):
        assert rounded_apart(*pair)[0].startswith(f"{name} is rounded to steps")
    assert any("rounded to steps" in note for note in HistogramJS()(rounded, y).warnings)


@pytest.mark.parametrize("step", [1.0, 0.5, 1 / 16, 1 / 256])
@pytest.mark.parametrize("mean", [0.0, 5.0, 90.0, 180.0, 1500.0])
def test_equal_steps_are_no_rounding_to_half_precision(step, mean):
    draw = torch.Generator().manual_seed(0)
    x, y = (
        mean + max(mean, 1.0) ** 0.5 * torch.randn(300, 1, generator=draw).double()
        for _ in range(2)
    )
    assert rounded_apart((x / step).round() * step, y) == ()
