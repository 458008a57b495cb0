"""The curves of a resumed run are in order although the clock was set back, or far ahead."""

import os
import time

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gans.callbacks import Checkpoints, Dashboard, Divergences, Gradients, OrderedLogger
from gans.callbacks.checkpoints import newest_good
from tests.commands import curves
from tests.small_games import segments, trainer


def run(folder, iterations):
    """Go on to so many iterations from the newest checkpoint there is."""
    path = newest_good(folder / "checkpoints", print)
    step = -1 if path is None else int(path.stem)
    monitor = Divergences(every=1, n=16)
    callbacks = [monitor, Gradients(every=1, n=16), Dashboard(monitor), Checkpoints(every=4)]
    logger = OrderedLogger(folder, purge_step=step + 1)
    trainer(folder, *callbacks, logger=logger).fit(
        segments(iterations=iterations), ckpt_path=path, weights_only=True
    )
    written = max(folder.glob("events.*"))
    os.utime(written, (time.time(), time.time()))  # as a file system of that clock would


def without_ends(folder):
    """All curves but those that a run only has at its start and its end."""
    return {
        tag: points
        for tag, points in curves(folder).items()
        if not tag.startswith(("_hparams_", "final/", "range/final/", "at_a_glance/"))
    }


HOURS = 3600.0
RARER = (-2,), (-2, -4), (-48, 5, -1), (-400_000,)
pytestmark = pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")


@pytest.mark.parametrize(
    "shifts",
    [(0, -2, 3), (20,), *(pytest.param(s, marks=pytest.mark.slow) for s in RARER)],
    ids=lambda shifts: ",".join(map(str, shifts)),
)
def test_the_clock_has_no_say_in_the_order_of_curves(tmp_path, monkeypatch, shifts):
    clock, ahead = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: clock() + ahead)
    run(tmp_path / "whole", 4 + 4 * len(shifts))
    run(tmp_path / "run", 4)
    for i, shift in enumerate(shifts):
        ahead = shift * HOURS
        # the last checkpoint is lost, as after a crash: its iterations are done and drawn again
        for path in (tmp_path / "run" / "checkpoints").glob("*.ckpt"):
            if i % 2 and path.stem == f"{4 + 4 * i:06d}":
                path.unlink()
        run(tmp_path / "run", 8 + 4 * i)
    assert without_ends(tmp_path / "run") == without_ends(tmp_path / "whole")
    shown = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0})
    shown.Reload()
    for tag in shown.Tags()["scalars"]:
        drawn = shown.Scalars(tag)
        assert [e.step for e in drawn] == sorted({e.step for e in drawn}), tag
        assert [e.wall_time for e in drawn] == sorted(e.wall_time for e in drawn), tag


def test_a_file_from_far_ahead_does_not_end_the_order(tmp_path):
    """A clock that once ran ahead leaves names that the next ones must come after."""
    for _ in range(3):
        logger = OrderedLogger(tmp_path)
        logger.log_metrics({"a": 1.0}, 0)
        logger.experiment.close()
        newest = max(tmp_path.glob("events.*"))
        newest.rename(newest.with_name(newest.name.replace("tfevents.1", "tfevents.8", 1)))
    names = sorted(path.name for path in tmp_path.glob("events.*"))
    assert len(names) == 3
    assert torch.tensor([int(name.split(".")[3]) for name in names]).diff().min() >= 1


def test_curves_after_which_none_can_come_are_named(tmp_path):
    path = tmp_path / "events.out.tfevents.9999999999.host.1.0"
    path.write_bytes(b"precious")
    with pytest.raises(ValueError, match=r"9999999999\.host\.1\.0 says that it was written after"):
        OrderedLogger(tmp_path)
    assert path.read_bytes() == b"precious"
