"""The checkpoint at which an estimate was least, and those that cannot be told from it."""

import csv

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from gans import DivergenceMonitor, Divergences
from gans.callbacks import Checkpoints
from gans.callbacks.best import Best, Measured
from gans.monitors import tags
from tests.gans.test_any_gan import Augmented, Images, images
from tests.small_games import segments, trainer

pytestmark = pytest.mark.filterwarnings("ignore")


def run(folder, monitor=tags.W1_UPPER, iterations=9, resume=None):
    torch.manual_seed(0)
    module = segments(iterations=iterations, n_critic=1)
    callbacks = [Divergences(every=2, n=48), Checkpoints(every=3, monitor=monitor)]
    t = trainer(folder, *callbacks, logger=CSVLogger(folder, "", ""))
    t.fit(module, ckpt_path=resume)
    return module, callbacks[1]


def load(path):
    return torch.load(path, weights_only=True)


def test_the_best_checkpoint_is_that_of_the_least_estimate(tmp_path, capsys):
    module, saver = run(tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    curve = {int(row["step"]): float(row[tags.W1_UPPER]) for row in rows if row[tags.W1_UPPER]}
    del curve[0]
    assert sorted(curve) == [2, 4, 6, 8, 9]
    best = min(curve, key=lambda step: curve[step])
    assert load(tmp_path / "checkpoints" / "best.ckpt")["global_step"] == best
    assert saver.best.least.value == pytest.approx(curve[best], rel=1e-6)
    assert f"best checkpoint by {tags.W1_UPPER}: iteration {best} (" in capsys.readouterr().out
    plain, _ = run(tmp_path / "plain", monitor=None)
    assert not (tmp_path / "plain" / "checkpoints" / "best.ckpt").exists()
    for a, b in zip(module.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_resumed_run_knows_what_was_best_before(tmp_path):
    whole, saver = run(tmp_path / "whole")
    resumed, again = run(
        tmp_path / "again", resume=tmp_path / "whole" / "checkpoints" / "000006.ckpt"
    )
    assert again.best.all == saver.best.all
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    for name in ("streams", "optimizer_states", "state_dict", "callbacks"):
        a, b = (load(tmp_path / f / "checkpoints" / "000009.ckpt") for f in ("whole", "again"))
        assert str(a[name]) == str(b[name])


@pytest.mark.parametrize(
    ("monitor", "error"),
    [
        ("divergence/w1", "divergence/w1: no monitor estimates that; .* divergence/w1_EarthMover"),
        (tags.W1_EXACT, "no monitor estimates that"),
    ],
)
def test_a_tag_without_an_error_is_refused(monitor, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        run(tmp_path, monitor)
    with pytest.raises(ValueError, match="there is no Divergences"):
        trainer(tmp_path / "none", Checkpoints(monitor=monitor)).fit(segments())


def test_anybodys_module_has_a_best_checkpoint_too(tmp_path):
    watch = DivergenceMonitor(images(), "sample", every=1, n=24, pictures=0)
    saver = Checkpoints(every=4, monitor=tags.JS)
    t = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, default_root_dir=tmp_path,
        callbacks=[watch, saver], enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    t.fit(Images(), DataLoader(Augmented(), 32))
    assert [m.step for m in saver.best.all] == [2, 4, 6]  # two steps for each batch
    kept = load(tmp_path / "checkpoints" / "best.ckpt")
    assert kept["global_step"] == saver.best.least.step


def looks(*measured):
    best = Best("w1")
    for step, (value, stderr) in enumerate(measured):
        best.consider(Measured(step, value, stderr))
    return best.sentence()


def test_what_cannot_be_told_from_the_best_is_said():
    # 1.96 * hypot(.03, .04) = .098
    assert "iteration 2 (0.597 ± 0.078) cannot be told" in looks(
        (0.7, 0.1), (0.5, 0.03), (0.597, 0.04), (0.7, 0.04)
    )
    assert looks((0.5, 0.03), (0.599, 0.04)).endswith(
        "all later ones are larger beyond their errors"
    )
    assert "2 later ones, up to iteration 3 (0.51 ± 0.039), cannot" in looks(
        (0.5, 0.02), (0.5, 0.02), (0.9, 0.02), (0.51, 0.02)
    )
    assert looks((0.9, 0.1), (0.5, 0.1)).endswith("the least of 2 estimates)")
    assert looks((float("nan"), 0.1)) is None
    assert "iteration 1 (0.3" in looks((float("nan"), 0.1), (0.3, 0.1))
