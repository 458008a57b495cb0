"""What was measured belongs to one fit: later ones, and failed looks, repeat none of it."""

from functools import partial
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

from gans import VanillaGAN
from gans.callbacks import Checkpoints, DivergenceMonitor, Divergences, InMemory
from gans.callbacks.dashboard import Dashboard
from gans.cli.training_cli import TrainCLI
from gans.monitors import tags
from gans.monitors.divergences import DivergenceEstimates
from gans.monitors.readings import value
from gans.networks import NoiseGenerator
from gans.targets import Ring
from tests.small_games import segments
from tests.small_games import trainer as quiet

pytestmark = pytest.mark.filterwarnings("ignore")
NOISE = partial(NoiseGenerator, hidden=(8,))


class Any(pl.LightningModule):
    """A generator of points of some dimension that fails after so many batches."""

    def __init__(self, dim, good=99, scale=1.0):
        super().__init__()
        self.net, self.good, self.scale, self.batches = nn.Linear(dim, dim), good, scale, 0

    def sample(self, n):
        if self.batches > self.good:
            raise KeyError("boom")
        return self.scale * self.net(torch.randn(n, self.net.in_features))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)

    def training_step(self, batch, batch_idx):
        self.batches += 1
        return self.net(batch).square().mean()


def points(dim, scale=1.0):
    return scale * torch.randn(48, dim, generator=torch.Generator().manual_seed(0))


def trainer(*callbacks, **settings):
    return pl.Trainer(
        **{"max_epochs": 1, "logger": False, "enable_checkpointing": False, **settings},
        accelerator="cpu",
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def fit(monitor, model, data):
    trainer(monitor).fit(model, DataLoader(data, 16))
    return {tag: value(reading) for tag, reading in monitor.latest.items()}


def test_a_second_fit_measures_what_a_new_monitor_does(capsys):
    settings = {"fake": "sample", "every": 2, "n": 16, "pictures": 0}
    reused = DivergenceMonitor(**settings)
    fit(reused, Any(3), points(3))
    data, said, found = points(2, 100.0), [], []
    for monitor in (reused, DivergenceMonitor(**settings)):
        torch.manual_seed(0)
        found.append(fit(monitor, Any(2, scale=100.0), data))
        said.append(capsys.readouterr().out.splitlines()[-1])
    assert said[0] == said[1]
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][tag], found[1][tag]) for tag in found[0])


def test_a_second_fit_that_cannot_be_measured_keeps_nothing_of_the_first():
    monitor = DivergenceMonitor(points(3), "sample", every=2, n=16, pictures=0)
    fit(monitor, Any(3), points(3))
    with pytest.raises(ValueError, match="real points have 3 numbers each and fake ones 2"):
        fit(monitor, Any(2), points(2))
    assert monitor.latest == {}
    assert monitor.states == []
    assert monitor.summary() == "nothing was measured: 1 of 1 looks have failed"


def test_a_trainer_that_goes_on_keeps_what_was_measured():
    monitor = DivergenceMonitor(points(2), "sample", every=1, n=16, pictures=0)
    model, twice = Any(2), trainer(monitor)
    twice.fit(model, DataLoader(points(2), 16))
    floor, seen = monitor.latest[tags.W1_FLOOR], list(monitor._glance.steps)
    twice.fit_loop.max_epochs = 2
    twice.fit(model, DataLoader(points(2), 16))
    assert monitor.latest[tags.W1_FLOOR] is floor
    assert monitor._glance.steps == [*seen, 4, 5, 6]


def test_the_closing_line_names_the_last_look_that_has_not_failed(capsys):
    monitor = DivergenceMonitor(points(2), "sample", every=1, n=16, pictures=0)
    ended = trainer(monitor)
    ended.fit(Any(2, good=1), DataLoader(points(2), 16))
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("after 3 batches: 2 of 4 looks have failed, and this is of batch 1: JS")
    assert not monitor.is_fresh(ended)  # or a checkpoint would be called best by it


def test_a_summary_in_a_loop_names_the_step_of_its_look(capsys):
    model = Any(2, good=0)
    monitor = DivergenceMonitor(points(2), model.sample, n=16)
    assert monitor.summary() == "nothing was measured"
    monitor.read(5)
    assert "failed" not in capsys.readouterr().out
    model.batches = 1
    with pytest.raises(ValueError, match="boom"):
        monitor.read(6)
    said = "1 of 2 looks have failed, and this is of step 5: "
    assert monitor.summary().startswith(said)


def run(callbacks, scale, folder):
    """What callbacks of our modules hold after a run on a target of some scale."""
    divergences, dashboard, kept, saved = callbacks
    game = segments(
        VanillaGAN,
        target=Ring(2.0 * scale, 0.02 * scale),
        generator=NOISE,
        iterations=2,
        seeds=(0,),
    )
    quiet(folder, *callbacks, logger=CSVLogger(folder)).fit(game)
    floor = float(divergences.latest[tags.W1_FLOOR])
    return floor, dashboard.glance.steps, kept.iterations, [m.step for m in saved.best.all]


def test_callbacks_of_our_modules_begin_anew(tmp_path, capsys):
    """The closing line of the command is of the last iteration, too, or there is none."""
    divergences = Divergences(1, 16)
    kept, saved = InMemory(DivergenceEstimates(16), 1), Checkpoints(monitor=tags.W1_UPPER)
    callbacks = divergences, Dashboard(divergences), kept, saved
    first, second = (run(callbacks, scale, tmp_path / str(scale)) for scale in (1.0, 100.0))
    assert second[0] == pytest.approx(100 * first[0], rel=1e-4)
    assert second[1:] == first[1:] == ([0, 1, 2], [1, 2], [1, 2])
    assert float(kept.readings[tags.W1_FLOOR][0, -1]) > 10 * first[0]
    capsys.readouterr()
    for iteration, said in ((2, "W1 is"), (3, "")):  # as if it had gone on without a logger
        ended = SimpleNamespace(global_step=iteration, is_global_zero=True)
        TrainCLI.tell_bracket(SimpleNamespace(monitor=divergences, trainer=ended))
        assert capsys.readouterr().out[:5] == said


@pytest.mark.parametrize(("more", "due"), [({}, [4, 8, 12]), ({"first": True}, [1, 4, 8, 12])])
def test_what_is_kept_is_of_every_so_many_iterations_and_of_the_first_if_asked(more, due):
    kept = InMemory(DivergenceEstimates(16), 4, **more)
    assert [k for k in range(1, 13) if kept.is_due(k)] == due
