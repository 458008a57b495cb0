import ast
import math
import re
from pathlib import Path

import pytest
from torch.distributions import Distribution

from gans.monitors import tags
from gans.monitors.readings import value
from scripts.examples import hand_written_loop

ROOT = Path(__file__).parents[2]
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
    assert [p.name for p in sorted((tmp_path / "figures").glob("samples*"))] == [
        f"samples_{batch:06d}.png" for batch in (0, 19)
    ]


def test_a_flow_on_a_table_is_measured(capsys):
    pytest.importorskip("zuko", reason="zuko is not installed: pip install '.[examples]'")
    pytest.importorskip("sklearn")
    before = Distribution._validate_args
    from scripts.examples import tabular_flow

    monitor = tabular_flow.main(steps=20, every=10)
    Distribution.set_default_validate_args(before)  # importing zuko has turned it off
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == ["step 0", "step 10", "step 20"]
    low, high = (float(value(monitor.latest[t])) for t in (tags.W1_LOWER, tags.W1_UPPER))
    assert low < high
    assert "gradient/generator" in monitor.latest
    assert tags.SLOPE_MEAN not in monitor.latest


EXAMPLES = sorted((ROOT / "scripts" / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_a_monitor_is_attached_in_three_statements(path):
    """Making it, reading it or handing it to the trainer."""
    tree = ast.parse(path.read_text())
    simple = (ast.Assign, ast.Expr, ast.Return)
    uses = [
        node
        for node in ast.walk(tree)
        if isinstance(node, simple) and re.search(r"\bmonitor\b", ast.unparse(node))
    ]
    working = [node for node in uses if not isinstance(node, ast.Return)]
    docstrings = [n for n in working if isinstance(getattr(n, "value", None), ast.Constant)]
    if path.stem not in ("__init__", "staged_failures"):
        assert 2 <= len(working) - len(docstrings) <= 3
