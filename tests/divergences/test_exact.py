"""The lookup by pairs of types, what it refuses, and how it falls through to torch."""

import copy
import inspect
import math
import pickle

import pytest
import torch
from torch.distributions import (
    Beta,
    Categorical,
    Distribution,
    Exponential,
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    Uniform,
    register_kl,
    transforms,
)

from divergences.exact import (
    ExactDivergence,
    js_divergence,
    kl_divergence,
    total_variation,
    wasserstein,
)

PUBLIC = pytest.mark.parametrize(
    "public",
    [kl_divergence, js_divergence, total_variation, wasserstein],
    ids=lambda public: public.__name__,
)


def f64(*values):
    return torch.tensor(*values, dtype=torch.float64)


def normal(m, s):
    return Normal(f64(m), f64(s))


def uniform(a, b):
    return Uniform(f64(a), f64(b))


def diagonal(m, s):
    return Independent(normal(m, s), 1)


# ------------------------------------------------------------------------------------ dispatch


class Shape(Distribution):
    arg_constraints = {}


class Square(Shape):
    pass


class Cube(Square):
    pass


@pytest.fixture
def measure():
    def measure(p, q):
        """Measures shapes."""
        return fresh.formula(p, q)(p, q)

    fresh = ExactDivergence(measure, "a ruler")
    return fresh


def test_the_most_specific_pair_wins(measure):
    for number, pair in enumerate(
        [(Shape, Shape), (Square, Shape), (Shape, Square), (Cube, Cube)]
    ):
        measure.register(*pair)(lambda p, q, number=number: torch.tensor(number))
    assert measure(Shape(), Shape()) == 0
    assert measure(Cube(), Shape()) == 1
    assert measure(Shape(), Cube()) == 2
    assert measure(Cube(), Cube()) == 3


def test_order_of_registration_does_not_matter(measure):
    for number, pair in enumerate([(Cube, Cube), (Square, Square), (Shape, Shape)]):
        measure.register(*pair)(lambda p, q, number=number: torch.tensor(number))
    assert measure(Cube(), Cube()) == 0
    assert measure(Cube(), Square()) == 1
    assert measure(Square(), Shape()) == 2


def test_an_ambiguous_pair_raises_until_it_is_registered_itself(measure):
    measure.register(Square, Shape)(lambda p, q: torch.tensor(1))
    measure.register(Shape, Square)(lambda p, q: torch.tensor(2))
    with pytest.raises(RuntimeError, match=r"Cube and Square .*\(Square, Shape\) and \(Shape, Sq"):
        measure(Cube(), Square())
    with pytest.raises(RuntimeError, match="ambiguous"):
        measure.knows(Cube(), Square())
    measure.register(Square, Square)(lambda p, q: torch.tensor(3))
    assert measure(Cube(), Square()) == 3


def test_a_later_registration_is_seen_at_once(measure):
    measure.register(Shape, Shape)(lambda p, q: torch.tensor(0))
    assert measure(Cube(), Cube()) == 0
    measure.register(Cube, Square)(lambda p, q: torch.tensor(1))
    assert measure(Cube(), Cube()) == 1


def test_an_unknown_pair_names_both_types_and_the_way_out(measure):
    message = (
        r"measure of Square and Cube has no .* Use a ruler, or .*@measure\.register\(Square, C"
    )
    assert not measure.knows(Square(), Cube())
    with pytest.raises(NotImplementedError, match=message):
        measure(Square(), Cube())
    measure.register(Cube, Square)(lambda p, q: torch.tensor(0))  # the other way round is no help
    assert not measure.knows(Square(), Cube())
    assert measure.knows(Cube(), Square())


def test_a_formula_may_decline(measure):
    @measure.register(Shape, Shape)
    def _(p, q):
        raise NotImplementedError("shapes have no size")

    assert not measure.knows(Shape(), Shape())
    with pytest.raises(
        NotImplementedError, match=r"of Shape and Shape .*: shapes have no size\. "
    ):
        measure(Shape(), Shape())


def test_users_register_types_of_their_own():
    class Segments(Distribution):
        arg_constraints = {}

        def __init__(self, theta):
            self.theta = theta
            super().__init__(theta.shape, (2,))

    a, b = Segments(f64([0.5, -1.0])), Segments(f64(0.0))
    assert not wasserstein.knows(a, b)

    @wasserstein.register(Segments, Segments)
    def distance(p, q, order):
        assert order == 3
        return (p.theta - q.theta).abs()

    assert distance(a, b, 3).tolist() == [0.5, 1.0]  # the decorator returns the function
    assert wasserstein(a, b, order=3).tolist() == [0.5, 1.0]
    assert wasserstein.knows(a, b, order=3)


def test_only_classes_of_distributions_are_registered(measure):
    with pytest.raises(TypeError, match="int"):
        measure.register(Shape, int)
    with pytest.raises(TypeError, match="Shape"):
        measure.register(Shape(), Shape)


def test_results_have_the_broadcast_batch_shape(measure):
    measure.register(Shape, Shape)(lambda p, q: torch.tensor(7.0))
    assert measure(Shape((3, 1)), Shape((4,))).shape == (3, 4)


@PUBLIC
def test_public_divergences_behave_like_functions(public):
    assert pickle.loads(pickle.dumps(public)) is public
    assert copy.deepcopy(public) is public
    assert list(inspect.signature(public).parameters)[:2] == ["p", "q"]
    assert "Example:" in public.__doc__


# ----------------------------------------------------------------------------------- bad input


@PUBLIC
def test_bad_arguments_are_named(public):
    with pytest.raises(TypeError, match=r"q is a Tensor; .*divergences\.discrete"):
        public(normal(0, 1), f64([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"event shape \(\) and q \(2,\)"):
        public(normal(0, 1), diagonal([0, 0], [1, 1]))
    with pytest.raises(ValueError, match=r"batch shape \(2,\) and q \(3,\)"):
        public(uniform([0, 0], [1, 1]), uniform([0, 0, 0], [1, 1, 1]))
    with pytest.raises(TypeError, match="p is a"):
        public.knows("normal", normal(0, 1))


@pytest.mark.parametrize("order", [0.5, 0, -1, math.nan, math.inf])
def test_orders_below_one_are_refused(order):
    with pytest.raises(ValueError, match=f"order is {order}"):
        wasserstein(normal(0, 1), normal(1, 1), order=order)


def test_different_numbers_of_categories_are_refused():
    p, q = Categorical(f64([0.5, 0.5])), Categorical(f64([0.2, 0.3, 0.5]))
    for measure in (kl_divergence, js_divergence, total_variation, wasserstein):
        with pytest.raises(ValueError, match=r"2.* and q .*3"):
            measure(p, q)


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (
            js_divergence,
            {},
            r"MultivariateNormal and Independent\(Normal\).*divergences\.numerical",
        ),
        (total_variation, {}, r"equal covariances.*divergences\.numerical"),
        (wasserstein, {}, r"order 2, not at 1\. .*divergences\.EarthMover"),
        (wasserstein, {"order": 3}, r"order 2, not at 3\. "),
    ],
    ids=["js", "tv", "w1", "w3"],
)
def test_gaussians_without_a_closed_form_say_why(measure, options, message):
    p = MultivariateNormal(f64([0.0, 0.0]), f64([[2.0, 1.0], [1.0, 1.0]]))
    q = diagonal([0, 0], [1, 2])
    assert not measure.knows(p, q, **options)
    with pytest.raises(NotImplementedError, match=message):
        measure(p, q, **options)


def test_other_gaps_say_why():
    with pytest.raises(NotImplementedError, match=r"of Normal and Normal .*numerical"):
        js_divergence(normal(0, 1), normal(1, 1))
    with pytest.raises(NotImplementedError, match=r"different scales .* orders 1 and 2, not at 3"):
        wasserstein(normal(0, 1), normal(1, 2), order=3)
    squares = Independent(uniform([0, 0], [1, 1]), 1)
    with pytest.raises(NotImplementedError, match=r"Independent\(Uniform\).* vectors of Normals"):
        wasserstein(squares, squares)
    matrix = Independent(normal([0, 0], [1, 1]), 1)
    stacked = Independent(diagonal([0, 0], [1, 1]), 0)
    with pytest.raises(NotImplementedError, match="reinterpret different numbers"):
        kl_divergence(matrix, stacked)
    with pytest.raises(NotImplementedError, match=r"kl_divergence of Beta and Laplace .*num"):
        kl_divergence(Beta(f64(2.0), f64(1.0)), Laplace(f64(0.0), f64(1.0)))


# ------------------------------------------------------------------------ whose formulas are used


def test_formulas_of_torch_are_not_used_on_their_word():
    register_kl(Cube, Cube)(lambda p, q: torch.tensor(7.0))
    assert torch.distributions.kl_divergence(Cube(), Cube()) == 7
    assert not kl_divergence.knows(Cube(), Cube())


def test_a_subclass_with_a_density_of_its_own_is_another_law():
    class Skewed(Normal):
        def log_prob(self, value):
            return super().log_prob(value) + value.sign()

    class Renamed(Normal):
        pass

    p, q = (kind(f64(0.0), f64(1.0)) for kind in (Skewed, Renamed))
    assert kl_divergence(q, normal(1, 1)).item() == 0.5
    for measure in (kl_divergence, total_variation, wasserstein):
        assert not measure.knows(p, q)
    with pytest.raises(NotImplementedError, match=r"Skewed has a log_prob of its own.*numerical"):
        kl_divergence(q, p)


def test_kl_has_the_batch_shape_that_torch_forgets():
    """torch fills its infinite cases in the shape of p alone."""
    p, q = Exponential(f64(1.0)), uniform([0, 0, 0], [1, 2, 3])
    assert torch.distributions.kl_divergence(p, q).shape == ()
    assert kl_divergence(p, q).tolist() == [math.inf] * 3


# ------------------------------------------------------------------------------------ pushforwards


def of_each(*maps):
    return transforms.IndependentTransform(transforms.ComposeTransform(list(maps)), 0)


def pushed(loc, *maps):
    return TransformedDistribution(Normal(f64(loc), f64(1.0)), list(maps))


@pytest.mark.parametrize(
    "maps",
    [
        [],
        [transforms.ExpTransform()],
        [transforms.AffineTransform(3.0, -2.0), transforms.TanhTransform()],
        [transforms.ComposeTransform([transforms.ExpTransform(), transforms.ExpTransform().inv])],
        [transforms.ExpTransform(cache_size=1), transforms.PowerTransform(f64(2.0))],
        [transforms.CumulativeDistributionTransform(Normal(0.0, 1.0))],
        [of_each(transforms.AffineTransform(0.0, 2.0), transforms.ExpTransform())],
        [of_each(transforms.ExpTransform().inv, transforms.AffineTransform(0.0, 2.0)).inv],
    ],
    ids=str,
)
def test_injective_transforms_change_nothing(maps):
    assert kl_divergence(pushed(1.0, *maps), pushed(-1.0, *maps)).item() == 2


@pytest.mark.parametrize(
    "maps",
    [
        [transforms.AbsTransform()],
        [transforms.PowerTransform(f64(2.0))],
        [transforms.AffineTransform(0.0, 0.0)],
        [
            transforms.ComposeTransform([transforms.AffineTransform(0.0, 2.0)] * 2),
            transforms.AbsTransform(),
        ],
        [transforms.CumulativeDistributionTransform(Uniform(0.0, 1.0))],
        [transforms.ExpTransform(), transforms.PowerTransform(f64(0.0))],
        [of_each(transforms.AffineTransform(0.0, 0.0), transforms.ExpTransform())],
        [of_each(transforms.AffineTransform(0.0, 0.0), transforms.ExpTransform()).inv],
    ],
    ids=str,
)
def test_other_transforms_are_refused_unless_the_bases_are_one_law(maps):
    with pytest.raises(NotImplementedError, match=r"not injective.*numerical"):
        kl_divergence(pushed(1.0, *maps), pushed(-1.0, *maps))
    assert kl_divergence(pushed(1.0, *maps), pushed(1.0, *maps)) == 0


def test_the_softmax_and_different_transforms_are_refused():
    p, q = (
        TransformedDistribution(normal([m, m, m], [1, 1, 1]), transforms.SoftmaxTransform())
        for m in (0, 2)
    )
    assert not kl_divergence.knows(p, q)
    double, triple = (transforms.AffineTransform(0.0, f64([c, 1.0])) for c in (2.0, 3.0))
    with pytest.raises(NotImplementedError, match="transforms differ"):
        kl_divergence(pushed([0.0, 0.0], double), pushed([1.0, 1.0], triple))


@pytest.mark.parametrize("fold", [transforms.AbsTransform(), of_each(transforms.AbsTransform())])
def test_folding_a_symmetric_law_loses_nothing(fold):
    p, q = (TransformedDistribution(Normal(f64(0.0), f64(s)), fold) for s in (1.0, 2.0))
    assert kl_divergence(p, q).item() == kl_divergence(normal(0, 1), normal(0, 2)).item()
