"""What is measured of generated pictures, on generators whose faults are known."""

from functools import cache

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from divergences import Streams
from gans import Images, Samples, StackedDigits, VanillaGAN
from gans.monitors import Game
from gans.monitors.kernel_classifier import KernelClassifier
from gans.monitors.picture_quality import (
    PictureQuality,
    class_of,
    classifier_of,
    copies,
    within_classes,
)
from gans.targets import Ring


@cache
def digits(**settings):
    return Images("digits", **settings)


class Made(Game):
    """Two members of a generator that is a function of a law, n and streams."""

    seeds, iteration = (0, 1), 7

    def __init__(self, law, make):
        self.law, self.make = law, make

    def real(self, n, streams):
        return self.law.held_out(streams, n)

    def again(self, n, streams):
        return self.law.draw(streams, n)

    def fake(self, n, streams):
        return self.make(self.law, n, streams)

    def pictures(self):
        return self.law

    def networks(self):
        return []


def memorised(law, n, streams):
    return law.draw(streams, n)


def one_digit(law, n, streams):
    rows = law.points[law.labels == 3]
    noise = 0.3 * streams.randn(n, rows.shape[1])
    return rows[(streams.rand(n) * len(rows)).long()] + noise


def nothing(law, n, streams):
    return 2 * streams.rand(n, law.pixels) - 1


def measured(make, **settings):
    found = PictureQuality(n=150, steps=20).read(Made(digits(**settings), make))
    return {tag: getattr(value, "value", value) for tag, value in found.items()}


def test_a_generator_that_knows_its_training_by_heart_copies():
    found = measured(memorised)
    assert found["pictures/copies"].tolist() == [1.0, 1.0]
    assert (found["pictures/copies_floor"] < 0.05).all()
    assert found["pictures/classes"].tolist() == [10.0, 10.0]
    assert (found["pictures/precision"] - found["pictures/precision_floor"]).abs().max() < 0.15


def test_averaged_weights_are_measured_beside_the_live_ones():
    game = Made(digits(), nothing)
    game.averaged = lambda: Made(digits(), memorised)
    found = PictureQuality(n=150, steps=20).read(game)
    assert found["pictures/copies"].tolist() == [0.0, 0.0]
    assert found["pictures_ema/copies"].tolist() == [1.0, 1.0]
    assert (found["pictures/precision"].value < found["pictures_ema/precision"].value).all()
    assert "pictures_ema/copies_floor" not in found  # one floor for both


def test_one_digit_is_precise_and_recalls_little():
    found = measured(one_digit)
    assert (found["pictures/classes"] < 4).all()
    assert (found["pictures/recall"] < 0.4 * found["pictures/recall_floor"]).all()
    assert (found["pictures/copies"] < 0.2).all()


def only_threes(law, n, streams):
    rows = law.points[law.labels == 3] + law.width / 2
    return rows[(streams.rand(n) * len(rows)).long()]


def test_w1_of_scores_is_the_distance_of_classes_times_the_share_in_the_wrong_one():
    """Scores of a class are near a unit vector, and those of two classes the root of 2 apart."""
    found = measured(only_threes)
    law = digits()
    others = (law.kept_labels != 3).double().mean() * 2**0.5
    lower, upper = (found[f"w1/scores_{name}"] for name in ("HeldOutDual", "EarthMover"))
    assert (lower < upper).all()
    # 75 held-out digits a side: the share scatters by .035, scores by the floor
    room = 3 * 0.035 * 2**0.5 + found["w1/scores_floor"]
    assert (lower - room < others).all()
    assert (others < upper + room).all()
    assert (upper - lower < 2 * room).all()


def test_scores_of_the_law_itself_are_as_near_as_the_floor():
    found = measured(lambda law, n, streams: law.held_out(streams, n))
    floor = found["w1/scores_floor"]
    assert (found["w1/scores_HeldOutDual"] < floor / 2).all()
    assert (found["w1/scores_EarthMover"] < 1.5 * floor).all()


def test_noise_is_told_from_digits_at_once():
    found = measured(nothing)
    assert (found["pictures/precision"] < 0.02).all()
    assert (found["pictures/c2st_fresh"] > 0.95).all()
    assert (found["pictures/c2st_fresh_floor"] < 0.75).all()


def test_nothing_is_measured_of_points_that_are_no_pictures():
    game = Made(digits(), memorised)
    game.pictures = lambda: None
    assert PictureQuality().read(game) == {}


def test_transport_within_a_class_is_how_far_its_pictures_have_moved():
    law = digits(label_scale=2.0)
    held = law.held_out(Streams([0]), 200)
    width = law.width
    moved = held.clone()
    moved[..., : law.pixels] += width  # one grey level each
    found = within_classes(law, held, moved)
    assert len(found) == 10
    for tag, value in found.items():
        assert 0 < value <= width * law.pixels**0.5 + 1e-6, tag
    assert max(within_classes(law, held, held).values()) < 1e-6
    quality = measured(memorised, label_scale=2.0)
    assert (quality["pictures/right_class"] > 0.97).all()
    assert "w1/class_7" in quality


def test_held_out_digits_are_classified_as_well_as_is_said():
    law = digits()
    found = classifier_of(law)(law.kept_back + law.width / 2)
    assert (found == law.kept_labels).double().mean() >= 0.98


def test_ridge_regression_is_that_of_scikit_learn():
    ridge = pytest.importorskip("sklearn.kernel_ridge")
    x = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 3
    ours = KernelClassifier(x, labels, 3, gamma=2.0, weight=1e-2)
    theirs = ridge.KernelRidge(alpha=0.3, kernel="rbf", gamma=ours.rate)
    theirs.fit(x.numpy(), np.eye(3)[labels.numpy()])
    new = torch.randn(2, 5, 4, dtype=torch.float64)
    expected = torch.from_numpy(theirs.predict(new.flatten(0, 1).numpy())).view(2, 5, 3)
    torch.testing.assert_close(ours.scores(new), expected)


@pytest.mark.parametrize(("points", "labels"), [((6, 2), (5,)), ((6,), (6,)), ((1, 6, 2), (6,))])
def test_points_and_labels_that_do_not_fit_are_refused(points, labels):
    with pytest.raises(ValueError, match=r"give \(n, d\) and \(n,\)"):
        KernelClassifier(torch.rand(*points), torch.zeros(*labels, dtype=torch.long), 2)


def test_combinations_of_digits_are_numbered():
    law = StackedDigits()
    which = torch.tensor([[1, 20, 300], [7, 7, 8]])
    rows = (law.points + law.width / 2)[which].flatten(1)[None]
    a, b, c = law.labels[which].unbind(1)
    assert class_of(law, classifier_of(law), rows)[0].tolist() == (a + 10 * b + 100 * c).tolist()


def test_copies_do_not_depend_on_the_unit():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    near = torch.cat([x[:10] + 1e-3, x[10:20] + 5])
    for unit in (1e-4, 1.0, 1e4):
        assert copies(unit * near, unit * x) == copies(near, x) >= 0.5


@pytest.mark.parametrize("target", [digits(), Ring()], ids=["digits", "ring"])
def test_a_run_leaves_grids_of_its_samples(tmp_path, target):
    samples = Samples(every=2, n=40, shown=10, steps=3)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=CSVLogger(tmp_path), callbacks=[samples],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(VanillaGAN(target, iterations=2, batch_size=8))
    pictures = sorted(path.name for path in tmp_path.rglob("*.png"))
    logged = next(tmp_path.rglob("metrics.csv"), None)
    if isinstance(target, Ring):
        assert not pictures
        return
    assert pictures == ["pictures_000002.png"]
    assert "pictures/recall" in logged.read_text().splitlines()[0]
