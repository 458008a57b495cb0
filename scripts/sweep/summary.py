"""What a sweep found, put together: table, figure, and the TensorBoard run over all seeds."""

import importlib.util
import math
import statistics
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from divergences.whole_files import atomically, write_atomically
from gans.runtime.escaping import as_label
from gans.runtime.files import as_csv
from scripts.sweep.plan import Plan, Setting
from scripts.sweep.sweep_folder import Folder, RunRecord
from scripts.sweep.tensorboard import CHARTS, Band, write_bands

DRAWN = 8
"""Settings whose curves one chart bears."""


def gather(plan: Plan, folder: Folder) -> list[dict[str, Any]]:
    """Write table, figure and bands of all records there are; the table's rows."""
    records = [(s, r) for s, seed in plan.runs() if (r := folder.read(s, seed)) is not None]
    if not records:
        return []
    rows = [_row(setting, record) for setting, record in records]
    columns = dict.fromkeys(column for row in rows for column in row)
    rows = [{column: row.get(column) for column in columns} for row in rows]
    write_atomically(folder.path / "table.csv", as_csv(rows))
    if importlib.util.find_spec("pyarrow"):
        atomically(folder.path / "table.parquet", partial(_write_parquet, rows))
    seeds: dict[str, list[int]] = {}
    for setting, record in records:
        seeds.setdefault(setting.key, []).append(record["seed"])
    bands = {
        setting.label: _bands(setting, seeds[setting.key], folder)
        for setting in plan.settings
        if setting.key in seeds
    }
    write_bands(folder.path / "tensorboard" / "all-seeds", bands)
    drawn = figure(bands, rows)
    for ending in ("png", "svg"):
        atomically(folder.path / f"figure.{ending}", partial(drawn.savefig, format=ending))
    return rows


def _row(setting: Setting, record: RunRecord) -> dict[str, Any]:
    """The record on one line: what it is, what was read, what it took."""
    told = {"setting": setting.label} | setting.axes | {"seed": record["seed"]}
    read = {tag: _number(value) for tag, value in record["readings"].items()}
    taken = {key: record[key] for key in ("seconds", "members", "code")}
    return told | read | taken | {"key": setting.key}


def _number(value: Any) -> float:
    """What a record says: null is NaN, "inf" infinite."""
    return math.nan if value is None else float(value)


def _write_parquet(rows: list[dict[str, Any]], path: Any) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _bands(setting: Setting, seeds: list[int], folder: Folder) -> dict[str, Band]:
    """Mean and range over the seeds, of each reading that is charted."""
    curves = [folder.curves(setting, seed) for seed in seeds]
    bands = {}
    for title, tag in CHARTS.items():
        if any(tag not in of["values"] for of in curves):
            continue
        columns = zip(*(of["values"][tag] for of in curves), strict=True)
        read = [
            (step, [_number(v) for v in values])
            for step, values in zip(curves[0]["step"], columns, strict=True)
            if None not in values
        ]
        bands[title] = {
            "step": [step for step, _ in read],
            "mean": [statistics.fmean(values) for _, values in read],
            "min": [min(values) for _, values in read],
            "max": [max(values) for _, values in read],
        }
    return bands


def figure(bands: dict[str, dict[str, Band]], rows: list[dict[str, Any]]) -> Figure:
    """Curves of the settings with their range over seeds, and every seed's final readings."""
    titles = [t for t in CHARTS if any(t in of and of[t]["step"] for of in bands.values())]
    few = len(bands) <= DRAWN
    height = max(2.4, 0.8 + 0.28 * len(bands))
    drawn = Figure(figsize=(3.2 * len(titles), height + (2.6 if few else 0)), layout="constrained")
    axes = drawn.subplots(
        1 + few, len(titles), squeeze=False, height_ratios=[2.6, height] if few else [height]
    )
    for column, title in enumerate(titles):
        if few:
            _draw_curves(axes[0][column], title, bands)
        _draw_finals(axes[-1][column], title, bands, rows)
        axes[-1][column].tick_params(axis="y", labelleft=column == 0)
    return drawn


def _draw_curves(axes: Any, title: str, bands: dict[str, dict[str, Band]]) -> None:
    for i, of in enumerate(bands.values()):
        if title in of:
            band = of[title]
            axes.fill_between(
                band["step"], band["min"], band["max"], color=f"C{i}", alpha=0.2, lw=0
            )
            axes.plot(band["step"], band["mean"], color=f"C{i}", lw=1.3)
    axes.set(xlabel="generator iteration", title=title)


def _draw_finals(
    axes: Any, title: str, bands: dict[str, dict[str, Band]], rows: list[dict[str, Any]]
) -> None:
    for i, setting in enumerate(bands):
        finals = [
            r[CHARTS[title]]
            for r in rows
            if r["setting"] == setting and math.isfinite(_number(r.get(CHARTS[title])))
        ]
        colour = f"C{i}" if len(bands) <= DRAWN else "C0"
        axes.plot(finals, [i] * len(finals), "o", color=colour, ms=4, alpha=0.6)
        if finals:
            axes.plot(statistics.fmean(finals), i, "|", color=colour, ms=14, mew=2)
    axes.set_yticks(range(len(bands)), list(map(as_label, bands)), fontsize=8)
    axes.set(xlabel=f"{title}, at the end", ylim=(len(bands) - 0.5, -0.5))
