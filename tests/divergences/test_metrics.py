import math
import pickle

import pytest
import torch
from torchmetrics import Metric, MetricCollection

from divergences.metrics import DivergenceMetric
from divergences.samples.earth_mover import EarthMover
from divergences.samples.energy_distance_and_mmd import MMD, EnergyDistance
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.ross import RossJS

ESTIMATORS = [EnergyDistance(), MMD(bandwidth=1.0), RossJS(), EarthMover(), HeldOutDual()]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


def batches(*lead, steps=4, n=32, seed=0):
    """Real and fake batches in float64: N(0, I) against N(1, I), with an optional member axis."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(2, steps, *lead, n, 2, generator=generator, dtype=torch.float64)
    return list(zip(points[0], points[1] + 1, strict=True))


def whole(pairs):
    return tuple(torch.cat(side, dim=-2) for side in zip(*pairs, strict=True))


def filled(estimator, pairs):
    metric = DivergenceMetric(estimator)
    for real, fake in pairs:
        metric.update(real, fake)
    return metric


@every_estimator
@pytest.mark.parametrize("lead", [(), (3,)], ids=["one pair", "three members"])
def test_batches_read_what_the_estimator_reads_of_all_points(estimator, lead):
    pairs = batches(*lead)
    value = filled(estimator, pairs).compute()
    assert value.shape == lead
    torch.testing.assert_close(value, estimator(*whole(pairs)).value)


@pytest.mark.parametrize("lead", [(), (3,)], ids=["one pair", "three members"])
def test_two_merged_halves_are_the_whole(lead):
    pairs = batches(*lead)
    first, second = filled(EarthMover(), pairs[:2]), filled(EarthMover(), pairs[2:])
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), filled(EarthMover(), pairs).compute())


def test_states_gathered_from_other_processes_are_concatenated_along_points():
    """What torchmetrics' sync leaves behind: one tensor per state instead of a list."""
    pairs = batches(3)
    metric = filled(EarthMover(), pairs)
    expected = metric.compute()
    for name, reduce in metric._reductions.items():
        setattr(metric, name, reduce(getattr(metric, name)))
    metric._computed = None
    torch.testing.assert_close(metric.compute(), expected)


def test_a_batch_is_kept_as_it_was():
    """Also if the loop that made it writes the next one to the same memory."""
    batches, buffer = torch.randn(2, 3, 16, 2), torch.empty(2, 16, 2)
    reused, fresh = (DivergenceMetric(EnergyDistance()) for _ in range(2))
    for k in range(3):
        buffer.copy_(batches[:, k])
        reused.update(*buffer)
        fresh.update(*batches[:, k])
    assert torch.equal(reused.compute(), fresh.compute())


def test_what_is_merged_after_a_computation_counts():
    points = torch.randn(4, 16, 2)
    first, second, whole = (DivergenceMetric(EnergyDistance()) for _ in range(3))
    first.update(*points[:2])
    second.update(*points[2:])
    first.compute()
    first.merge_state(second)
    whole.update(torch.cat([points[2], points[0]]), torch.cat([points[3], points[1]]))
    torch.testing.assert_close(first.compute(), whole.compute())


def test_points_of_other_dimensions_that_were_merged_are_refused():
    first, second = filled(EnergyDistance(), batches()), DivergenceMetric(EnergyDistance())
    second.update(torch.randn(8, 5), torch.randn(8, 5))
    first.merge_state(second)
    with pytest.raises(ValueError, match=r"merged points have the shapes \[\(2,\), \(5,\)\]"):
        first.compute()


def test_reset_forgets():
    old, new = batches(seed=1), batches(seed=2)
    metric = filled(EnergyDistance(), old)
    metric.compute()
    metric.reset()
    for real, fake in new:
        metric.update(real, fake)
    torch.testing.assert_close(metric.compute(), EnergyDistance()(*whole(new)).value)
    assert metric.estimate().n == (128, 128)


def test_an_update_after_compute_counts():
    first, second = batches(steps=2)
    metric = filled(EnergyDistance(), [first])
    before = metric.compute()
    metric.update(*second)
    assert metric.compute() != before
    assert metric.estimate().value == metric.compute()


def test_forward_returns_the_batch_and_keeps_the_whole():
    pairs = batches()
    metric = DivergenceMetric(EnergyDistance())
    for real, fake in pairs:
        torch.testing.assert_close(metric(real, fake), EnergyDistance()(real, fake).value)
    torch.testing.assert_close(metric.compute(), EnergyDistance()(*whole(pairs)).value)


def test_a_pickled_metric_goes_on():
    pairs = batches()
    metric = pickle.loads(pickle.dumps(filled(EarthMover(), pairs[:2])))
    for real, fake in pairs[2:]:
        metric.update(real, fake)
    torch.testing.assert_close(metric.compute(), filled(EarthMover(), pairs).compute())


def test_a_state_dict_restores_persistent_states():
    pairs = batches()
    metric = filled(EnergyDistance(), pairs)
    metric.persistent(True)
    other = DivergenceMetric(EnergyDistance())
    other.persistent(True)
    other.load_state_dict(metric.state_dict())
    other.update(*pairs[0])
    torch.testing.assert_close(other.compute(), EnergyDistance()(*whole([*pairs, pairs[0]])).value)


def test_a_collection_shares_the_points_and_keeps_the_numbers_apart():
    pairs = batches()
    collection = MetricCollection(
        {"w1": DivergenceMetric(EarthMover()), "energy": DivergenceMetric(EnergyDistance())}
    )
    for real, fake in pairs:
        collection.update(real, fake)
    values = collection.compute()
    torch.testing.assert_close(values["w1"], EarthMover()(*whole(pairs)).value)
    torch.testing.assert_close(values["energy"], EnergyDistance()(*whole(pairs)).value)


def test_the_samples_may_differ_in_size():
    metric = DivergenceMetric(EnergyDistance())
    metric.update(torch.randn(10, 2), torch.randn(30, 2))
    metric.update(torch.randn(1, 2), torch.randn(3, 2))
    assert metric.estimate().n == (11, 33)


def test_the_estimate_comes_with_its_error():
    pairs = batches()
    read, direct = filled(RossJS(), pairs).estimate(), RossJS()(*whole(pairs))
    assert float(read.stderr) == float(direct.stderr) > 0
    assert read.bound == direct.bound


def test_no_gradient_is_kept():
    real = torch.randn(8, 2, requires_grad=True)
    metric = filled(EnergyDistance(), [(real, torch.randn(8, 2))])
    assert not metric.compute().requires_grad


def test_declared_facts():
    metric = DivergenceMetric(RossJS())
    assert isinstance(metric, Metric)
    assert metric.higher_is_better is False
    assert metric.is_differentiable is False
    assert metric.full_state_update is False
    assert (metric.plot_lower_bound, metric.plot_upper_bound) == (0, math.log(2))
    assert DivergenceMetric(EarthMover()).plot_upper_bound is None


@pytest.mark.parametrize("lead", [(), (3,)], ids=["one pair", "three members"])
def test_plot_draws_the_values(lead):
    figures = pytest.importorskip("matplotlib.figure")
    metric = filled(EnergyDistance(), batches(*lead))
    ax = figures.Figure().subplots()
    metric.plot(ax=ax)
    drawn = torch.tensor([float(y) for line in ax.lines for y in line.get_ydata()])
    torch.testing.assert_close(drawn, metric.compute().flatten().float())


@pytest.mark.parametrize(
    ("real", "fake", "error", "match"),
    [
        (torch.zeros(4, 2), torch.zeros(4, 3), ValueError, "must agree"),
        (torch.full((4, 2), math.nan), torch.zeros(4, 2), ValueError, "4 points with NaN"),
        (torch.zeros(4, 2) * 1j, torch.zeros(4, 2), TypeError, "x holds torch.complex64"),
        (torch.zeros(4, 3), torch.zeros(4, 3), ValueError, "after one of \\(8, 2\\)"),
        (torch.zeros(2, 4, 2), torch.zeros(2, 4, 2), ValueError, "members and dimension"),
    ],
    ids=["dimensions", "nan", "complex numbers", "later dimension", "later members"],
)
def test_a_bad_batch_is_named_when_it_comes(real, fake, error, match):
    metric = filled(EnergyDistance(), [(torch.randn(8, 2), torch.randn(8, 2))])
    with pytest.raises(error, match=match):
        metric.update(real, fake)
    assert math.isfinite(metric.compute())
    assert metric.estimate().n == (8, 8)


def test_no_points_is_an_error():
    metric = DivergenceMetric(EnergyDistance())
    with (
        pytest.warns(UserWarning, match="before the ``update``"),
        pytest.raises(ValueError, match="no points yet"),
    ):
        metric.compute()
