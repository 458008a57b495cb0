import io
import math
from functools import partial

import pytest
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from divergences import NearestNeighbours, Streams, exact
from gans.callbacks import (
    Coverage,
    Dashboard,
    Divergences,
    Gradients,
    LipschitzAudit,
    Periodic,
    Pictures,
    dashboard,
)
from gans.callbacks.js_and_w1_curves import Glance
from gans.figures import draw_state
from gans.mode_metrics import ModeCoverage
from gans.modules import VanillaGAN
from gans.monitors import AdversarialGame, exact_divergences, gradient_norms, held_out
from gans.targets import Gaussian, Modes, ParallelSegments
from tests.small_games import ring, segments, trainer


def run(module, folder, *callbacks, **settings):
    logger = TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
    t = trainer(folder, *callbacks, logger=logger, **settings)
    t.fit(module)
    logger.finalize("success")
    return read(folder)


def read(folder):
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    accumulator = EventAccumulator(str(folder), size_guidance=everything)
    accumulator.Reload()
    return accumulator


def curve(events, tag):
    return [(e.step, e.value) for e in events.Scalars(tag)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    module = segments(iterations=7)
    monitor = Divergences(every=3, n=32)
    run(
        module,
        folder,
        monitor,
        Gradients(every=2),
        LipschitzAudit(every=3),
        Pictures(every=7, n=32),
        Dashboard(monitor, {"lr": 0.1}),
    )
    return module, read(folder)


def test_curves_have_their_points_at_generator_iterations(watched):
    _, events = watched
    assert [step for step, _ in curve(events, "divergence/js_exact")] == [0, 3, 6, 7]
    assert [step for step, _ in curve(events, "gradient/input")] == [0, 2, 4, 6, 7]
    assert [step for step, _ in curve(events, "gradient/generator")] == [2, 4, 6, 7]


def test_exact_values_are_those_of_theta(watched):
    module, events = watched
    theta = module.generator.theta.detach()
    last = {tag: curve(events, f"divergence/{tag}")[-1][1] for tag in ("w1_exact", "js_exact")}
    assert last["w1_exact"] == pytest.approx(theta.abs().mean().item(), abs=1e-6)
    assert last["js_exact"] == pytest.approx(math.log(2), abs=1e-6)
    assert curve(events, "divergence/log2")[-1][1] == pytest.approx(math.log(2), abs=1e-6)
    assert curve(events, "generator/theta")[-1][1] == pytest.approx(theta.mean().item(), abs=1e-6)


def test_an_infinite_kl_is_logged_as_such_and_flagged(watched):
    _, events = watched
    assert curve(events, "divergence/kl_exact")[0][1] == math.inf
    assert curve(events, "flag/kl_is_infinite")[0][1] == 1


def test_transport_on_samples_agrees_with_the_exact_value_within_its_floor(watched):
    _, events = watched
    exact_w1 = curve(events, "divergence/w1_exact")[0][1]
    assert curve(events, "divergence/w1_EarthMover")[0][1] == pytest.approx(exact_w1, abs=0.02)
    assert 0 < curve(events, "divergence/w1_floor")[0][1] < 0.3


def test_w1_is_bracketed(watched):
    _, events = watched
    tags = ("w1_HeldOutDual", "w1_exact", "w1_EarthMover")
    low, exact_w1, high = (curve(events, f"divergence/{tag}")[-1][1] for tag in tags)
    assert low - 0.02 < exact_w1 < high + 0.02


def test_members_appear_as_a_band(watched):
    _, events = watched
    for tag in ("divergence/w1_critic", "gradient/generator", "loss/critic"):
        for (_, mean), (_, low), (_, high) in zip(
            curve(events, tag),
            curve(events, f"range/{tag}/min"),
            curve(events, f"range/{tag}/max"),
            strict=True,
        ):
            assert low <= mean <= high


def test_log10_is_that_of_each_member(tmp_path):
    events = run(segments(seeds=(0,), iterations=3), tmp_path, Gradients(every=1))
    for (_, norm), (_, log) in zip(
        curve(events, "gradient/generator"), curve(events, "gradient/generator_log10"), strict=True
    ):
        assert log == pytest.approx(math.log10(norm), abs=1e-5)


def test_final_numbers_are_in_the_hparams(watched):
    _, events = watched
    assert curve(events, "final/W1")[-1][1] == pytest.approx(
        curve(events, "divergence/w1_EarthMover")[-1][1]
    )
    assert "_hparams_/experiment" in events.summary_metadata


def test_figures_are_drawn_of_trained_generators_only(watched):
    _, events = watched
    assert [e.step for e in events.Images("samples and critic")] == [7]


def test_a_long_run_is_looked_at_less_often_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("gans.callbacks.periodic.MOST", 4)
    with pytest.warns(UserWarning, match="Gradients looks every 4 iterations instead of every 2"):
        events = run(segments(seeds=(0,), iterations=13), tmp_path, Gradients(every=2))
    assert [step for step, _ in curve(events, "loss/critic")] == [4, 8, 12, 13]


def test_one_member_has_no_band(tmp_path):
    events = run(segments(seeds=(0,), iterations=2), tmp_path, Gradients(every=1))
    assert not [tag for tag in events.Tags()["scalars"] if tag.startswith("range/")]


def test_watching_does_not_change_the_run(tmp_path):
    plain, watched = segments(VanillaGAN), segments(VanillaGAN)
    trainer(tmp_path).fit(plain)
    run(watched, tmp_path / "tb", Divergences(every=1, n=16), Gradients(1), LipschitzAudit(1))
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(a, b)


def test_points_are_held_out_and_depend_on_the_iteration_alone(tmp_path):
    module = segments(iterations=2)
    trainer(tmp_path).fit(module)
    first, again, other = (held_out(module, 8, p)[0] for p in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_gradient_norms_equal_a_recomputation():
    module = segments()
    z = module.generator.noise(module.streams, 32)
    loss = module.objective.generator_loss(module.scores(module.generator(z)))
    loss.sum().backward()
    norms = gradient_norms(module.generator.parameters())
    for k in range(2):
        (alone,) = torch.autograd.grad(
            module.objective.generator_loss(module.scores(module.generator(z)))[k],
            module.generator.theta,
        )
        assert norms[k].item() == pytest.approx(alone.norm().item())
    assert gradient_norms(segments().critic.parameters()) is None


def test_the_audit_divides_by_the_steepest_slope(tmp_path):
    events = run(segments(seeds=(0,)), tmp_path, LipschitzAudit(every=3))
    for (_, dual), (_, steepest), (_, normalised) in zip(
        *(curve(events, f"critic/{t}") for t in ("dual", "slope_max", "dual_normalised")),
        strict=True,
    ):
        assert normalised == pytest.approx(dual / steepest, rel=1e-5)


def test_exact_divergences_are_those_the_pair_has():
    home, away = ParallelSegments(0.0), ParallelSegments(0.5)
    assert set(exact_divergences(home, away)) == {"kl", "kl_reverse", "js", "tv", "w1"}
    of_gaussians = exact_divergences(Gaussian(0.0), Gaussian(1.0, 2.0))
    assert "js" not in of_gaussians
    assert of_gaussians["kl_reverse"] == exact.kl_divergence(Gaussian(1.0, 2.0), Gaussian(0.0))
    assert exact_divergences(home, None) == {}


def test_an_estimator_without_an_answer_leaves_nan_and_one_warning(tmp_path):
    monitor = Divergences(every=1, n=8, estimators=[NearestNeighbours()])
    with pytest.warns(UserWarning, match="kl_NearestNeighbours has no estimate") as caught:
        events = run(segments(iterations=3), tmp_path, monitor)
    assert math.isnan(curve(events, "divergence/kl_NearestNeighbours")[0][1])
    ours = [w for w in caught if "kl_NearestNeighbours has no estimate" in str(w.message)]
    assert len(ours) == 1


@pytest.mark.parametrize("make", [segments, ring, partial(segments, seeds=(0,))])
def test_every_chart_of_the_layout_finds_its_curves(make, tmp_path):
    import re

    module = make(iterations=2)
    monitor = Divergences(every=1, n=32)
    watching = monitor, Gradients(1), LipschitzAudit(1), Coverage(1, 50), Dashboard(monitor)
    events = run(module, tmp_path, *watching)
    tags = events.Tags()["scalars"]
    modes = isinstance(module.target, Modes)
    for charts in dashboard(len(module.seeds), module.objective.quantity, modes).values():
        for name, (_, patterns) in charts.items():
            for pattern in patterns:
                assert any(re.search(pattern, tag) for tag in tags), (name, pattern)


def test_looks_become_rarer_by_the_count_of_iterations_alone():
    watch = Divergences()
    looks = [i for i in range(1, 10_001) if watch.is_due(i, 10_000)]
    assert looks == [100 * j**2 for j in range(1, 11)]
    assert looks == [i for i in range(1, 10_001) if watch.is_due(i, 10**9)]  # if it goes on
    assert [i for i in range(1, 10) if Divergences(every=3).is_due(i, 10)] == [3, 6, 9]


@pytest.mark.parametrize("callback", [Divergences, Gradients, LipschitzAudit, Pictures])
def test_a_cadence_below_one_is_an_error(callback):
    with pytest.raises(ValueError, match="every = 0"):
        callback(every=0)


@pytest.mark.parametrize("dimension", [1, 2])
def test_a_state_can_be_drawn(dimension, tmp_path):
    module = ring()
    critic = module.critic if dimension == 2 else torch.nn.Linear(1, 1)
    real, fake = torch.randn(2, 2, 50, dimension)
    figure = draw_state(critic, real, fake, 1)
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e38])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_points_that_are_not_finite_are_counted_and_not_drawn(d, bad):
    real, fake = torch.randn(1, 30, d), torch.full((1, 20, d), bad)
    for critic in (None, lambda points: points.sum(-1, keepdim=True)):
        figure = draw_state(critic, real, fake, title="batch 4")
        figure.savefig(io.BytesIO())
        title = figure.axes[0].get_title()
        assert title.startswith("batch 4")
        assert ("20 generated points are not finite" in title) == (not math.isfinite(bad))


def test_the_legend_of_a_plane_stays_where_it_is_whatever_the_points_are():
    places = []
    corner = torch.cat([torch.rand(400, 2) / 4, torch.eye(2), torch.ones(1, 2)])
    for points in (corner, 1 - corner, torch.rand(50, 2)):
        figure = draw_state(None, points[None], points[None])
        figure.canvas.draw()
        places.append(figure.axes[0].get_legend().get_window_extent().bounds)
    assert places[0] == places[1] == places[2]


def test_callbacks_take_as_many_points_as_their_monitors_do_by_themselves():
    for callback in (Divergences(), Gradients(), LipschitzAudit(), Coverage()):
        assert callback.monitor.n == type(callback.monitor)().n


def test_before_a_fit_nothing_is_measured_and_a_checkpoint_says_so():
    for kind in (Divergences, Gradients, LipschitzAudit, Coverage, Pictures):
        held = kind().state_dict()
        kind().load_state_dict(held)
        assert held["seen"] == -1
    assert Divergences().readings() == Divergences().estimates() == {}


def test_points_of_space_are_projected_to_where_the_real_ones_vary_most():
    """Variances 9, 4 and 1, rotated: two of the axes hold 13/14."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0))).Q
    steps = torch.linspace(-1, 1, 101)
    square = torch.cartesian_prod(3 * steps, 2 * steps)
    real = torch.cat([square, 0 * square[:, :1]], 1)
    edges = torch.tensor([-1.0, 1.0]).repeat(len(real) // 2 + 1)[: len(real)]
    real = torch.cat([real[:, :2], edges[:, None] / 3**0.5], 1)
    figure = draw_state(None, (real @ turn)[None], (real @ turn)[None] + 1, title="batch 4")
    (axes,) = figure.axes
    assert axes.get_title() == "batch 4: two components hold 93 % of the real variance"
    assert axes.get_xlabel() == "first principal component"
    drawn = torch.as_tensor(axes.lines[0].get_xydata()).var(0)
    expected = real.var(0)[:2]
    torch.testing.assert_close(drawn.float(), expected, rtol=1e-3, atol=0)


def test_coverage_is_logged_of_the_live_and_the_averaged_generator(tmp_path):
    module = ring(iterations=6, ema=0.5)
    events = run(module, tmp_path, Coverage(every=3, n=200))
    for group in ("modes", "modes_ema"):
        assert [step for step, _ in curve(events, f"{group}/high_quality")] == [3, 6]
    metric = ModeCoverage.of(module.target)
    streams = Streams(module.seeds, "modes_ema at 6", ahead=1)
    with torch.no_grad():
        metric.update(module.generator_ema.draw(streams, 200))
    expected = float(metric.compute()["core_width"].mean())
    assert curve(events, "modes_ema/core_width")[-1][1] == pytest.approx(expected, rel=1e-5)


def test_a_perfect_generator_reads_as_one(tmp_path):
    module = ring(iterations=1)
    module.generator.draw = module.target.draw
    events = run(module, tmp_path, Coverage(every=1, n=2500), max_steps=0)
    module.trainer.callbacks[0].observe(module.trainer, AdversarialGame(module))
    module.trainer.logger.finalize("success")
    events = read(tmp_path)
    assert curve(events, "modes/covered_20")[-1][1] == 8
    assert curve(events, "modes/high_quality")[-1][1] == pytest.approx(0.989, abs=0.01)


def test_targets_without_modes_have_no_coverage(tmp_path):
    events = run(segments(iterations=2), tmp_path, Coverage(every=1))
    assert not [tag for tag in events.Tags()["scalars"] if tag.startswith("modes")]
    with pytest.raises(ValueError, match="n = 0"):
        Coverage(n=0)


def kinds_of(kind):
    return [kind, *(deeper for sub in kind.__subclasses__() for deeper in kinds_of(sub))]


OBSERVERS = [
    k for k in kinds_of(Periodic) if k.__module__.startswith("gans.") and "__final__" in vars(k)
]


@pytest.mark.parametrize("kind", OBSERVERS, ids=lambda kind: kind.__name__)
def test_settings_and_states_of_another_kind_are_refused(kind):
    for name in ("every", "n"):
        with pytest.raises(TypeError, match=rf"{name} = 2\.5: it must be an integer"):
            kind(**{name: 2.5})
        with pytest.raises(ValueError, match=f"{name} = 0: it must be at least 1"):
            kind(**{name: 0})
    with pytest.raises(ValueError, match=f"{kind.__name__}: the saved state has no 'seen'"):
        kind().load_state_dict({"a": 1})
    with pytest.raises(TypeError, match="must be a dict"):
        kind().load_state_dict(None)


def test_all_looks_are_in_one_figure_of_each_quantity(watched):
    _, events = watched
    assert [e.step for e in events.Images("at_a_glance/js")] == [7]
    tags = events.Tags()["scalars"] + events.Tags()["images"]
    assert min(tags).startswith("at_a_glance/")  # the first in TensorBoard's list
    assert max(t for t in tags if "/" in t).startswith("range/")


def test_a_glance_goes_on_after_a_resume_without_what_came_later():
    whole, resumed = Glance("batch"), Glance("batch")
    for step in range(9):
        whole.add(step, {"divergence/log2": torch.tensor([1.0 * step])})
    resumed.load_state_dict(whole.state_dict())
    for step in range(5, 9):
        resumed.add(step, {"divergence/log2": torch.tensor([1.0 * step])})
    assert resumed.state_dict() == whole.state_dict()
    resumed.add(9, {"divergence/js_exact": torch.tensor([0.5])})
    assert resumed.curves["divergence/js_exact"][-2:] == [
        pytest.approx(math.nan, nan_ok=True),
        0.5,
    ]
    (axes,) = resumed.draw("js").axes
    assert [line.get_label() for line in axes.lines] == ["exact", "log 2"]
    assert list(axes.lines[1].get_xdata()) == list(range(10))


def test_a_glance_is_due_after_four_times_as_many_looks_each_time():
    glance, due = Glance("batch"), []
    for step in range(1000):
        glance.add(step, {})
        due += [step + 1] * glance.is_due
    assert due == [32, 128, 512]
