import math

import pytest

from gans.monitors import tags
from gans.monitors.readings import value
from scripts.examples import hand_written_loop

pytestmark = pytest.mark.filterwarnings("ignore:estimate|.*does not have many workers|.*fit_loop")


def test_the_hand_written_loop_is_measured(capsys):
    monitor = hand_written_loop.main(steps=40, every=20)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed if line.startswith("step")] == [
        "step 0",
        "step 20",
        "step 40",
    ]
    low, high = (float(value(monitor.latest[t])) for t in (tags.W1_LOWER, tags.W1_UPPER))
    assert 0 < low < high < 1.5
    assert {"gradient/generator", "gradient/critic"} <= monitor.latest.keys()


@pytest.mark.filterwarnings("ignore")
def test_the_digits_are_measured(tmp_path, capsys):
    pytest.importorskip("sklearn")
    from scripts.examples import lightning_digits

    monitor = lightning_digits.main(
        epochs=1, every=10, default_root_dir=tmp_path, logger=False, enable_checkpointing=False,
        enable_progress_bar=False,
    )  # fmt: skip
    assert "after 19 batches: JS" in capsys.readouterr().out
    assert all(math.isfinite(float(value(monitor.latest[t]))) for t in (tags.W1_UPPER, tags.JS))
    assert {"gradient/generator", "gradient/critic"} <= monitor.latest.keys()
    assert [p.name for p in sorted((tmp_path / "figures").iterdir())] == [
        f"samples_{batch:06d}.png" for batch in (0, 19)
    ]
