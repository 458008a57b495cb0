"""TensorBoard's files of a sweep: a run per setting and seed, and one over all seeds."""

# pyright: reportAttributeAccessIssue=false
# protocol buffers make their classes when they are imported

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import hparams

from divergences.whole_files import atomically
from scripts.sweep.joint_training import Curves

FILE = "events.out.tfevents.0.sweep"
CHARTS = {
    "W1": "divergence/w1_EarthMover",
    "JS": "divergence/js_RossJS",
    "modes with 20 samples": "modes/covered_20",
    "generator's gradient": "gradient/generator",
}
"""What is compared between settings: title and tag."""
Band = dict[str, list[float]]
"""``step``, and ``mean``, ``min`` and ``max`` over the seeds."""


def write_run(
    folder: Path, curves: Curves, settings: Mapping[str, Any], final: Mapping[str, float | None]
) -> None:
    """The curves of one seed, with its settings and final readings for the HParams table."""
    read = {tag: math.nan if value is None else float(value) for tag, value in final.items()}
    now = time.time()
    events = [Event(wall_time=now, summary=part) for part in hparams(dict(settings), read)]
    began = now - curves.seconds[-1]
    for i, (step, seconds) in enumerate(zip(curves.step, curves.seconds, strict=True)):
        values = {tag: column[i] for tag, column in curves.values.items()}
        events.append(_scalars(step, values, began + seconds))
    _write(folder, events)


def write_bands(folder: Path, bands: Mapping[str, Mapping[str, Band]]) -> None:
    """The run over all seeds: a band chart per setting, and each reading of all settings in one.

    Arguments:
        folder: Where the run goes.
        bands: Setting to title of :data:`CHARTS` to band.
    """
    now = time.time()
    titles = [title for title in CHARTS if any(title in of for of in bands.values())]
    categories = [
        ("all settings", {t: [(s, t) for s, of in bands.items() if t in of] for t in titles})
    ]
    categories += [(s, {t: [(s, t)] for t in titles if t in of}) for s, of in bands.items()]
    layout = layout_pb2.Layout(
        category=[
            layout_pb2.Category(
                title=title,
                chart=[layout_pb2.Chart(title=t, margin=_margin(of)) for t, of in charts.items()],
            )
            for title, charts in categories
        ]
    )
    events = [Event(wall_time=now, summary=_configuration(layout))]
    for setting, of in bands.items():
        for title, band in of.items():
            tags = dict(zip(("mean", "min", "max"), _tags(setting, title), strict=True))
            for i, step in enumerate(band["step"]):
                values = {tag: band[name][i] for name, tag in tags.items()}
                events.append(_scalars(int(step), values, now))
    _write(folder, events)


def _configuration(layout: layout_pb2.Layout) -> Summary:
    """The layout as TensorBoard's plugin looks for it."""
    plugin = SummaryMetadata.PluginData(plugin_name=custom_scalar.PLUGIN_NAME)
    tensor = TensorProto(
        dtype="DT_STRING", string_val=[layout.SerializeToString()], tensor_shape=TensorShapeProto()
    )
    value = Summary.Value(
        tag=custom_scalar.CONFIG_SUMMARY_TAG,
        tensor=tensor,
        metadata=SummaryMetadata(plugin_data=plugin),
    )
    return Summary(value=[value])


def _tags(setting: str, title: str) -> tuple[str, str, str]:
    """Tags of the mean over seeds and of the two ends of their range."""
    return f"{title}/{setting}", f"range/{title}/{setting}/min", f"range/{title}/{setting}/max"


def _margin(bands: Iterable[tuple[str, str]]) -> Any:
    series = [
        layout_pb2.MarginChartContent.Series(value=mean, lower=low, upper=high)
        for mean, low, high in (_tags(setting, title) for setting, title in bands)
    ]
    return layout_pb2.MarginChartContent(series=series)


def _scalars(step: int, values: Mapping[str, float | None], wall_time: float) -> Event:
    written = [
        Summary.Value(tag=tag, simple_value=value)
        for tag, value in values.items()
        if value is not None
    ]
    return Event(wall_time=wall_time, step=step, summary=Summary(value=written))


def _write(folder: Path, events: Iterable[Event]) -> None:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            writer = RecordWriter(file)
            writer.write(Event(file_version="brain.Event:2").SerializeToString())
            for event in events:
                writer.write(event.SerializeToString())

    atomically(folder / FILE, write)
