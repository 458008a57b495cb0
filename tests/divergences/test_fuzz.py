"""Anything at all as input: a refusal in words, or a number that mathematics allows.

``FUZZ_EXAMPLES=2000`` tries more (60 by default); ``python -m tests.coverage_guided NAME`` lets
atheris, if it is installed, look for inputs that reach new lines.
"""

import math
import os
import re
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import distributions as td

import divergences as dv
from divergences import bounds, discrete, exact, f_divergences, numerical
from divergences.estimate import Estimate
from divergences.estimator import check_samples, each_member
from divergences.networks.gradient_penalty import corrected_value, penalised_value
from divergences.networks.layers import MLP, FourierFeatures, Whiten
from divergences.random_streams import Streams

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
TRIED = {"answered": 0, "refused": 0}
REFUSALS = (ValueError, TypeError, NotImplementedError)


def fuzzed(share=1.0):
    """Examples in number, and the rest of what every test here asks of hypothesis."""
    return settings(
        max_examples=max(5, int(EXAMPLES * share)),
        deadline=20_000,  # milliseconds: nothing hangs
        database=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=[*HealthCheck],
    )


def answer(function, *args, **kwargs):
    """What the function says, or ``None`` if it refused with a reason."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # torch's own, of dtypes; ours are in the Estimate
            found = function(*args, **kwargs)
    except REFUSALS as error:
        if len(str(error)) < 10:
            raise AssertionError("refused without a reason") from error
        TRIED["refused"] += 1
        return None
    TRIED["answered"] += 1
    return found


NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 10.0, math.nan, math.inf, -math.inf]),
    st.sampled_from([5e-324, 1e-300, 1e-38, 1e-8, 1e8, 1e38, 1e300, 1 + 2**-52]),
    st.floats(-5, 5),
    st.floats(),
)
SIZES = st.one_of(st.integers(-3, 12), st.sampled_from([2**31, -(2**40)]))
JUNK = st.sampled_from([None, "points.csv", [[0.5, 0.5]], 0.5, np.ones((4, 2)), {}])


@st.composite
def tensors(draw, shape, special=True):
    """Tensors of a shape: smooth, tied, constant, huge, tiny, with NaN, of odd dtypes."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    values = torch.randn([*shape], generator=generator, dtype=torch.float64)
    match draw(st.integers(0, 9)):
        case 0:
            values = values.round()
        case 1:
            values = torch.full_like(values, draw(NUMBERS))
        case 2:
            values = values * draw(NUMBERS)
        case 3:
            values = values + draw(NUMBERS)
        case 4 if values.numel():
            values.view(-1)[draw(st.integers(0, values.numel() - 1))] = draw(NUMBERS)
        case 5 if values.ndim and values.numel():
            values[..., -1] = values[..., :1].mean(-1)  # on a line, or a plane
    kinds = [torch.float64] * 6 + [torch.float32] * 3
    if special:
        kinds += [torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]
    return values.to(draw(st.sampled_from(kinds)))


@st.composite
def vectors(draw):
    """Something like a probability vector, or a batch of them."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    values = draw(tensors(shape))
    if draw(st.booleans()) and values.is_floating_point() and values.ndim and values.shape[-1]:
        values = (values.double().abs() ** draw(st.sampled_from([0, 0.1, 1, 40]))).to(values.dtype)
        values = values / values.sum(-1, keepdim=True)
    return values


@st.composite
def samples(draw):
    """Two samples that mostly fit together."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JUNK), draw(JUNK)
    members, d = draw(st.sampled_from([(), (), (1,), (2,), (0,)])), draw(st.integers(0, 5))
    n, m = (draw(st.sampled_from([0, 1, 2, 4, 11, 16, 40])) for _ in range(2))
    x = draw(tensors((*members, n, d)))
    if draw(st.integers(0, 9)) == 0:
        return x, draw(tensors(draw(st.lists(st.integers(0, 3), max_size=4))))
    y = draw(tensors((*members, m, d))) if draw(st.booleans()) else x.clone()
    return x, y if x.is_complex() != y.is_complex() or not draw(st.integers(0, 9)) else y.to(
        x.dtype
    )


def assert_allowed(values, low=0.0, high=math.inf, slack=1e-5):
    """No NaN, and nothing outside of what the quantity can be, up to rounding."""
    most = torch.tensor(high * (1 + slack) + slack, dtype=torch.float64)
    most = most.to(values.dtype)  # which may lie beyond its numbers
    values = values.double()
    assert not values.isnan().any(), values
    assert (values >= low - slack).all(), values
    assert (values <= most).all(), values


LOG_BASES = st.one_of(st.just(math.e), st.just(2), NUMBERS)


@fuzzed(3)
@given(p=st.one_of(vectors(), JUNK), q=st.one_of(st.none(), vectors()), base=LOG_BASES)
def test_discrete(p, q, base):
    q = p if q is None else q
    slack = 1e-5
    if isinstance(p, torch.Tensor) and p.is_floating_point():
        slack = 50 * torch.finfo(p.dtype).eps ** 0.75
    unit = abs(math.log(base)) if 0 < base < math.inf and base != 1 else 1
    scaled = slack / unit + slack
    for function, arguments, high in (
        (discrete.self_information, (p, base), math.inf),
        (discrete.entropy, (p, base), None),
        (discrete.cross_entropy, (p, q, base), math.inf),
        (discrete.kl_divergence, (p, q, base), math.inf),
        (discrete.js_divergence, (p, q, base), math.log(2) / unit),
        (discrete.js_distance, (p, q, base), math.sqrt(math.log(2) / unit)),
        (discrete.total_variation, (p, q), 1),
    ):
        found = answer(function, *arguments)
        if found is not None:
            largest = math.log(max(np.shape(p)[-1], 1)) / unit if high is None else high
            sign = -1 if base < 1 and function is not discrete.total_variation else 1
            rooted = function is discrete.js_distance
            assert_allowed(sign * found, 0, largest, scaled**0.5 if rooted else scaled)


def estimator(kind, least=0.0, most=math.inf, **parameters):
    """A way to build an estimator from fuzzed parameters, and what its values may be."""
    given_parameters = st.fixed_dictionaries({}, optional=parameters)
    return st.tuples(st.just(kind), given_parameters, st.just((least, most)))


FREE = (-math.inf, math.inf)
ESTIMATORS = st.one_of(
    estimator(dv.HistogramKL, bins=SIZES),
    estimator(dv.HistogramJS, -math.inf, math.inf, bins=SIZES),
    estimator(dv.HistogramTV, -math.inf, math.inf, bins=SIZES),
    estimator(dv.NearestNeighbours, *FREE, k=SIZES, check_support=st.booleans()),
    estimator(dv.RossJS, *FREE, k=SIZES),
    estimator(dv.EnergyDistance, *FREE),
    estimator(dv.MMD, *FREE, bandwidth=st.one_of(st.none(), NUMBERS)),
    estimator(dv.EarthMover, order=st.integers(-1, 3), floor=st.booleans()),
    estimator(dv.HeldOutDual, *FREE),
    estimator(dv.Sliced, order=st.integers(-1, 3), projections=st.integers(-1, 8)),
    estimator(dv.Sinkhorn, *FREE, regularisation=NUMBERS, max_iterations=st.integers(-1, 50)),
    estimator(partial(dv.KnownDensity, lambda x: -x.square().sum(-1)), *FREE, k=SIZES),
)


def unless_exhausted(function, *args):
    """As :func:`answer`; a solver may also say that it did not get there in its steps."""
    try:
        return answer(function, *args)
    except RuntimeError as error:
        if not re.search("iterations|evaluations|tolerance", str(error)):
            raise
        return None


def check_estimate(found, least, most):
    assert isinstance(found, Estimate)
    for value, stderr in zip(found.value.reshape(-1), found.stderr.reshape(-1), strict=True):
        if value.isnan() or value.isinf():
            assert found.warnings, f"{value} without a warning"
        else:
            assert_allowed(value, least, most)
        assert not stderr < 0
    low, high = found.ci
    assert not (low > high).any(), found


@fuzzed(3)
@given(given_estimator=ESTIMATORS, pair=samples())
def test_estimators(given_estimator, pair):
    kind, parameters, (least, most) = given_estimator
    built = answer(kind, **parameters)
    if built is None:
        return
    found = unless_exhausted(built, *pair)
    if found is not None:
        check_estimate(found, least, most)


@fuzzed()
@given(
    kind=st.sampled_from([dv.HistogramJS(), dv.RossJS(k=2), dv.EnergyDistance()]), pair=samples()
)
def test_metrics(kind, pair):
    metric = dv.DivergenceMetric(kind)
    if answer(lambda: metric.update(*pair) or True):
        answer(metric.compute)


SCORES = {
    "js": (bounds.jensen_shannon, math.log(2)),
    "kantorovich": (bounds.kantorovich_rubinstein, math.inf),
    "dv": (bounds.donsker_varadhan, math.inf),
    "nwj": (bounds.nwj, math.inf),
    **{
        kind.__name__: (kind().estimate, math.inf)
        for kind in (
            f_divergences.KullbackLeibler,
            f_divergences.ReverseKullbackLeibler,
            f_divergences.Pearson,
            f_divergences.SquaredHellinger,
            f_divergences.JensenShannon,
            f_divergences.TotalVariation,
        )
    },
}


@fuzzed(2)
@given(
    name=st.sampled_from(sorted(SCORES)),
    shape=st.lists(st.integers(0, 12), max_size=2),
    data=st.data(),
)
def test_bounds_from_scores(name, shape, data):
    function, most = SCORES[name]
    p, q = data.draw(tensors(shape)), data.draw(tensors(shape))
    found = answer(function, p, q)
    if found is not None:
        check_estimate(found, -math.inf, most)


@st.composite
def laws(draw):
    """Distributions torch accepts, some of them extreme; ``None`` where it refuses."""
    numbers = st.one_of(st.sampled_from([1e-30, 1e-8, 1e8, 1e30]), st.floats(-3, 3))
    a, b, c = (torch.tensor(draw(numbers), dtype=torch.float64) for _ in range(3))
    makers = {
        "normal": lambda: td.Normal(a, b.abs()),
        "uniform": lambda: td.Uniform(a, a + b.abs()),
        "bernoulli": lambda: td.Bernoulli(a.abs()),
        "categorical": lambda: td.Categorical(torch.stack([a, b, c]).abs()),
        "plane": lambda: td.Independent(td.Normal(torch.stack([a, c]), b.abs()), 1),
        "correlated": lambda: td.MultivariateNormal(
            torch.stack([a, b]), torch.eye(2, dtype=torch.float64) * c.abs()
        ),
        "exponential": lambda: td.Exponential(a.abs()),
        "laplace": lambda: td.Laplace(a, b.abs()),
        "mixture": lambda: td.MixtureSameFamily(
            td.Categorical(torch.ones(2, dtype=torch.float64)),
            td.Normal(torch.stack([a, c]), b.abs()),
        ),
    }
    return answer(makers[draw(st.sampled_from(sorted(makers)))])


@fuzzed(3)
@given(p=laws(), q=laws(), order=NUMBERS)
def test_exact(p, q, order):
    for function, most in (
        (exact.kl_divergence, math.inf),
        (exact.js_divergence, math.log(2)),
        (exact.total_variation, 1.0),
        (partial(exact.wasserstein, order=order), math.inf),
        (exact.wasserstein, math.inf),
    ):
        found = answer(function, p, q)
        if found is not None:
            assert_allowed(found, 0, most, slack=1e-6)


@fuzzed(0.5)
@given(p=laws(), q=laws(), n=st.integers(-1, 50), fine=st.booleans())
def test_numerical(p, q, n, fine):
    by = answer(dv.MonteCarlo, n) if fine else dv.Quadrature(max_evaluations=2**14)
    if by is None:
        return
    for function, least, most in (
        (numerical.kl_divergence, -math.inf, math.inf),
        (numerical.js_divergence, -math.inf, math.inf),
        (numerical.total_variation, -math.inf, 1.0),
    ):
        found = unless_exhausted(function, p, q, by)
        if found is not None and not found.value.isposinf().any():  # exact, of a KL
            check_estimate(found, least, most)


@fuzzed(0.2)
@given(
    kind=st.sampled_from(
        [dv.Discriminator, dv.DiscriminatorKL, dv.DonskerVaradhan, dv.NWJ, dv.Critic]
    ),
    parameters=st.fixed_dictionaries(
        {"steps": st.integers(-1, 3)},
        optional={
            "batch": st.integers(-1, 8),
            "hidden": st.lists(st.integers(-1, 6), max_size=3),
            "cooldown": NUMBERS,
            "seeds": st.lists(st.integers(), max_size=3),
        },
    ),
    pair=samples(),
)
def test_learned(kind, parameters, pair):
    built = answer(kind, **parameters)
    found = None if built is None else answer(built, *pair)
    if found is not None:
        check_estimate(found, -math.inf, math.inf)


@fuzzed()
@given(value=NUMBERS, count=st.integers(-2, 20), w1=tensors((3,), special=False))
def test_constraints(value, count, w1):
    for kind in (dv.WeightClipping, dv.GradientPenalty, dv.LipschitzPenalty):
        answer(kind, value)
    answer(dv.Orthogonal, count)
    small = w1.isfinite() & (w1.abs() < 1e10)
    for function in (penalised_value, corrected_value):
        found = answer(function, w1, value)
        if found is not None and 1e-30 < value < 1e30:
            assert not found[small].isnan().any()


@fuzzed()
@given(
    seeds=st.lists(st.integers(), max_size=3),
    sizes=st.lists(st.integers(-1, 5), min_size=2, max_size=2),
    hidden=st.lists(st.integers(-1, 5), max_size=3),
    points=tensors((2, 4, 3)),
    number=NUMBERS,
)
def test_networks(seeds, sizes, hidden, points, number):
    streams = answer(Streams, seeds)
    if streams is None:
        return
    answer(streams.randn, *sizes)
    network = answer(MLP, streams, *sizes, hidden=hidden)
    if network is not None:
        answer(network, torch.zeros(len(seeds), 2, sizes[0]))
    answer(Whiten, points)
    answer(FourierFeatures, streams, sizes[0], sizes[1], number)


@fuzzed()
@given(pair=samples(), at_least=st.integers(-1, 50))
def test_checks(pair, at_least):
    found = answer(check_samples, *pair, at_least)
    if found is not None:
        assert all(s.ndim == 3 and s.isfinite().all() for s in found)
    gap = lambda x, y: Estimate(x.mean() - y.mean(), torch.tensor(0.0), n=(1, 1))  # noqa: E731
    answer(each_member, gap, *pair)


def test_most_of_it_was_tried_and_both_happened():
    if not TRIED["answered"]:
        pytest.skip("the tests above did not run in this process")
    print(f"tried {sum(TRIED.values())} inputs: {TRIED}")
    assert min(TRIED.values()) > sum(TRIED.values()) / 20
