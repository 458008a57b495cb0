"""The same scalars in every logger that is installed, alone and together, and without any."""

import csv
import json
import math
import random
import struct
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from gans import DivergenceMonitor
from gans.callbacks.js_and_w1_curves import TITLE
from gans.monitors import tags
from tests.gans.test_any_gan import Augmented, Images, images

pytestmark = pytest.mark.filterwarnings("ignore")

Curves = dict[str, list[tuple[int, float]]]


class TensorBoard:
    @staticmethod
    def logger(folder):
        return TensorBoardLogger(folder, "tb", "")

    @staticmethod
    def curves(folder, logger) -> Curves:
        events = EventAccumulator(str(folder / "tb"), {"scalars": 0, "images": 0}).Reload()
        return {
            tag: [(e.step, e.value) for e in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }

    @staticmethod
    def figures(folder):
        events = EventAccumulator(str(folder / "tb"), {"scalars": 0, "images": 0}).Reload()
        return len(events.Images("samples"))


class CSV:
    @staticmethod
    def logger(folder):
        return CSVLogger(folder, "csv", "")

    @staticmethod
    def curves(folder, logger) -> Curves:
        found: Curves = {}
        text = (folder / "csv" / "metrics.csv").read_text()
        for row in csv.DictReader(text.splitlines()):
            for tag, number in row.items():
                if tag != "step" and number != "":
                    found.setdefault(tag, []).append((int(row["step"]), float(number)))
        return found

    @staticmethod
    def figures(folder):
        return len(list((folder / "csv" / "figures").glob("samples*.png")))


def records(data):
    """Payloads of a log in blocks of 32768 bytes, after a header of 7, as LevelDB writes them."""
    at, whole = 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # complete: in one piece, or with its last piece
            yield whole
            whole = b""


class WeightsAndBiases:
    """Offline: what a later synchronisation would send is read back."""

    @staticmethod
    def logger(folder):
        pytest.importorskip("wandb", reason="wandb is not installed")
        return WandbLogger(save_dir=folder, offline=True, name="run", project="p")

    @staticmethod
    def curves(folder, logger) -> Curves:
        from wandb.proto.wandb_internal_pb2 import Record

        logger.experiment.finish()
        (path,) = folder.rglob("*.wandb")
        found: Curves = {}
        for record in map(Record.FromString, records(path.read_bytes())):
            items = record.history.item
            row = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
            for tag, number in row.items():
                number = {"NaN": math.nan, "Infinity": math.inf}.get(str(number), number)
                if isinstance(number, int | float) and not tag.startswith(
                    ("_", "trainer/", "samples/", f"{TITLE}/")
                ):
                    step = int(row["trainer/global_step"])
                    found.setdefault(tag, []).append((step, float(number)))
        return found

    @staticmethod
    def figures(folder):
        return len(list(folder.rglob("media/images/samples*.png")))


class MLflow:
    @staticmethod
    def logger(folder):
        pytest.importorskip("mlflow", reason="mlflow is not installed")
        return MLFlowLogger("e", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
                            artifact_location=str(folder / "artifacts"))  # fmt: skip

    @staticmethod
    def curves(folder, logger) -> Curves:
        client, run = logger.experiment, logger.run_id
        return {
            tag: [(m.step, m.value) for m in client.get_metric_history(run, tag)]
            for tag in client.get_run(run).data.metrics
        }

    @staticmethod
    def figures(folder):
        pictures = (folder / "artifacts").rglob("*.png")
        return sum("samples" in str(path.relative_to(folder)) for path in pictures)


KINDS = {"TensorBoard": TensorBoard, "CSV": CSV, "W&B": WeightsAndBiases, "MLflow": MLflow}


def fitted(folder: Path, loggers):
    pl.seed_everything(0)
    model = Images()
    model.on_train_start = partial(random.seed, 0)  # loggers draw names when they begin
    monitor = DivergenceMonitor(
        images(), "sample", "scores", every=2, n=24, pictures=1, features=lambda x: x.mean(3)
    )
    pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=loggers, callbacks=[monitor],
        default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False,
    ).fit(model, DataLoader(Augmented(), 32))  # fmt: skip
    return monitor


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    fitted(folder, CSV.logger(folder))
    return CSV.curves(folder, None)


def assert_same(found: Curves, expected: Curves):
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        assert [step for step, _ in found[tag]] == [step for step, _ in points]
        assert [y for _, y in found[tag]] == pytest.approx(
            [y for _, y in points], rel=1e-6, nan_ok=True
        ), tag


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_scalars_are_the_same_in_each_logger_and_it_gets_the_figures(kind, expected, tmp_path):
    logger = kind.logger(tmp_path)
    fitted(tmp_path, logger)
    assert [step for step, _ in expected[tags.JS]] == [0, 2, 3]
    assert_same(kind.curves(tmp_path, logger), expected)
    assert kind.figures(tmp_path) == 3


def test_several_loggers_at_once_get_what_each_gets_alone(expected, tmp_path):
    kinds = [TensorBoard, CSV]
    for name, kind in (("wandb", WeightsAndBiases), ("mlflow", MLflow)):
        try:
            __import__(name)
        except ImportError:
            continue
        kinds.append(kind)
    loggers = [kind.logger(tmp_path) for kind in kinds]
    fitted(tmp_path, loggers)
    for kind, logger in zip(kinds, loggers, strict=True):
        assert_same(kind.curves(tmp_path, logger), expected)
    assert not list(tmp_path.rglob("figures"))  # others take them


def test_without_a_logger_the_same_is_measured_and_figures_are_files(expected, tmp_path):
    monitor = fitted(tmp_path, False)
    assert float(monitor.latest[tags.JS].value) == pytest.approx(expected[tags.JS][-1][1])
    assert len(list((tmp_path / "figures").glob("samples*.png"))) == 3
