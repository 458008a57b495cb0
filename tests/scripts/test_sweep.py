"""Sweeps: what a file spans, what is left behind, and that no run is done twice or lost."""

import csv
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from matplotlib.figure import Figure
from pyarrow import parquet
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

from divergences.whole_files import plain
from gans.generator_module import NonFiniteLoss
from scripts.lab.checked_files import write_record
from scripts.lab.executors import Local
from scripts.sweep import __main__ as command
from scripts.sweep import joint_training, summary
from scripts.sweep.joint_training import JointTraining, run
from scripts.sweep.plan import jobs, read
from scripts.sweep.sweep_folder import Folder
from tests.engines import Threads

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {
    "model.iterations": [4],
    "model.batch_size": [8],
    "model.critic.hidden": [[8]],
    "readings.every": [2],
    "readings.n": [32],
}


@pytest.fixture
def sweep_file(tmp_path):
    def write(base="segments_wgan_lp", seeds=(0, 1, 2), **axes):
        path = tmp_path / "small.yaml"
        axes = {key.replace("__", "."): values for key, values in axes.items()}
        content = {"base": str(CONFIGS / f"{base}.yaml"), "axes": axes | SMALL, "seeds": [*seeds]}
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


@pytest.fixture(autouse=True)
def _in_this_process_without_drawing(monkeypatch):
    monkeypatch.setattr(command, "engine_of", lambda options: Threads())
    monkeypatch.setattr(summary, "figure", lambda *_: Figure())


draw = summary.figure


def sweep(path, *flags):
    return command.main([str(path), "--out", str(path.parent / "out"), *flags])


def without_times(folder):
    """Everything that records and curves say, but for how long it took."""
    said = {}
    for path in sorted((folder / "records").iterdir()) + sorted((folder / "curves").iterdir()):
        if path.suffix != ".json":
            continue  # set aside
        content = json.loads(path.read_text())
        del content["seconds"], content["digest"]
        said[f"{path.parent.name}/{path.name}"] = content
    return said


def table(folder):
    return list(csv.DictReader((folder / "table.csv").read_text().splitlines()))


# what a file spans


def test_axes_span_their_product_and_seeds_are_packed(sweep_file):
    plan = read(sweep_file(model__n_critic=[1, 5], model__constraint__weight=[1.0, 10.0]))
    assert [s.axes for s in plan.settings] == [
        {"n_critic": n, "weight": w} for n in ("1", "5") for w in ("1.0", "10.0")
    ]
    for setting in plan.settings:
        given = setting.config["model"]["init_args"]
        assert str(given["n_critic"]) == setting.axes["n_critic"]
        assert str(given["constraint"]["init_args"]["weight"]) == setting.axes["weight"]
        assert given["iterations"] == 4
    packed = jobs(list(plan.runs()), members=2)
    assert [job.seeds for job in packed] == [(0, 1), (2,)] * 4
    assert [len(jobs(list(plan.runs()), members)) for members in (1, 3, 10)] == [12, 4, 4]


def test_values_can_be_classes_and_several_keys_can_move_together(sweep_file):
    plan = read(
        sweep_file(
            model__constraint=[
                {"class_path": "divergences.LipschitzPenalty", "init_args": {"weight": 1.0}},
                {"class_path": "divergences.SpectralNorm"},
            ],
            pace={
                "slow": {"model.n_critic": 5, "model.generator_optimizer.lr": 0.001},
                "fast": {"model.n_critic": 1, "model.generator_optimizer.lr": "1e-2"},
            },
        )
    )
    assert [s.label for s in plan.settings] == [
        f"constraint={c} pace={p}"
        for c in ("LipschitzPenalty(weight=1.0)", "SpectralNorm")
        for p in ("slow", "fast")
    ]
    module, _ = joint_training.build(plan.settings[3].config)
    assert type(module.constraint).__name__ == "SpectralNorm"
    assert module.n_critic == 1
    rates = [s.complete["model"]["init_args"]["generator_optimizer"] for s in plan.settings]
    assert [rate["init_args"]["lr"] for rate in rates] == [0.001, 0.01] * 2


def test_keys_that_end_alike_are_told_apart(sweep_file):
    rates = {f"model__{who}_optimizer__lr": [0.1, 0.2] for who in ("generator", "critic")}
    assert list(read(sweep_file(**rates)).settings[0].axes) == [
        "model.generator_optimizer.lr",
        "model.critic_optimizer.lr",
    ]


def test_the_key_is_that_of_the_complete_configuration(sweep_file):
    """A default that is written out is the same setting; another number is another."""
    default, again, other = (
        read(sweep_file(model__warmup=[n], **more)).settings[0].key
        for n, more in ((0, {}), (0, {"readings__samples": [2500]}), (1, {}))
    )
    assert default == again != other


def test_no_default_is_known_by_where_it_lay_in_memory(sweep_file):
    """Else the key would be another in every process, and nothing be found again."""
    (setting,) = read(sweep_file("ring_gan")).settings
    assert " at 0x" not in json.dumps(setting.complete)


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "sweeps").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_sweep_can_be_read_and_opens_with_its_claim(path):
    assert path.read_text().startswith("# Claim: ")
    assert len(read(path).settings) > 1


BAD = {
    "no mapping": ("[1, 2]", ["a sweep file is a mapping"]),
    "no YAML": ("axes: [1", ["is not YAML"]),
    "unknown key": ("base: B\nseed: [0]", ["seed is no part of a sweep", "base, axes, seeds"]),
    "no base": ("seeds: [0]", ["base = None", "../ring_gan.yaml"]),
    "base is not there": ("base: nowhere.yaml\nseeds: [0]", ["nowhere.yaml", "cannot be read"]),
    "no seeds": ("base: B", ["seeds = None", "[0, 1, 2]"]),
    "seeds no list": ("base: B\nseeds: 5", ["seeds = 5", "[0, 1, 2]"]),
    "seed twice": ("base: B\nseeds: [0, 1, 1]", ["seeds: 1 is there twice"]),
    "seed no integer": ("base: B\nseeds: [0, x]", ["seeds = [0, 'x']"]),
    "axis no list": ("base: B\naxes: {model.n_critic: 3}\nseeds: [0]", ["model.n_critic", "3"]),
    "arguments as a list": (
        "base: B\naxes: {model.critic: [{class_path: gans.MLP, init_args: [1]}]}\nseeds: [0]",
        ["init_args"],
    ),
    "a value that torch stumbles over": (
        "base: B\naxes: {model.target: [{class_path: gans.Grid, init_args: {side: 100000}}]}\n"
        "seeds: [0]",
        ["axes: model.target"],
    ),
    "axis empty": ("base: B\naxes: {model.n_critic: []}\nseeds: [0]", ["model.n_critic", "[]"]),
    "axis of seeds": ("base: B\naxes: {model.seeds: [[0]]}\nseeds: [0]", ["seeds are no axis"]),
    "unknown argument": (
        "base: B\naxes: {model.n_critic: [1], model.n_crtic: [2]}\nseeds: [0]",
        ["model.n_crtic = 2", "not accepted"],
    ),
    "bad number": ("base: B\naxes: {model.n_critic: [5, 0]}\nseeds: [0]", ["model.n_critic = 0"]),
    "bad class": (
        "base: B\naxes: {model.constraint: [{class_path: Nope}]}\nseeds: [0]",
        ["model.constraint = {'class_path': 'Nope'}", "no class is named Nope"],
    ),
    "class of another package": (
        "base: B\naxes: {model.constraint: [{class_path: subprocess.Popen}]}\nseeds: [0]",
        ["model.constraint", "subprocess.Popen"],
    ),
    "bad only together": (
        "base: B\naxes: {model.constraint: [{class_path: divergences.SpectralNorm}], "
        "model.constraint.weight: [1.0]}\nseeds: [0]",
        ["axes: model.constraint", "weight"],
    ),
    "inside a number": (
        "base: B\naxes: {model.n_critic.deep: [1]}\nseeds: [0]",
        ["model.n_critic.deep", "nothing inside"],
    ),
    "the same twice": (
        "base: B\naxes: {model.warmup: [0, 1, 0]}\nseeds: [0]",
        ["'warmup=0' and 'warmup=0' are the same"],
    ),
    "base that builds nothing": (
        "base: bad.yaml\nseeds: [0]",
        ["bad.yaml: no configuration of gans.cli.train", "no class is its model"],
    ),
    "trainer": (
        "base: B\naxes: {trainer.max_steps: [3]}\nseeds: [0]",
        ["trainer.max_steps = 3"],
    ),
}


@pytest.mark.parametrize(("content", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_line_and_nothing_runs(content, told, tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text(content.replace("base: B", f"base: {CONFIGS / 'segments_wgan_lp.yaml'}"))
    assert sweep(path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert len(error) < 700
    for words in (*told, "bad.yaml"):
        assert words in error
    assert [p.name for p in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--members=0"],
        ["--retries=-1"],
        ["--limit=0"],
        ["--workers=0"],
        ["--patience=-1"],
        ["--timeout=0"],
        ["--timeout=nan"],
        ["--timeout=inf"],
    ],
)
def test_a_bad_flag_ends_with_code_2(flags, sweep_file):
    with pytest.raises(SystemExit) as caught:
        sweep(sweep_file(), *flags)
    assert caught.value.code == 2


# what is left behind


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small sweep of the ring, run once."""
    folder = tmp_path_factory.mktemp("finished")
    path = folder / "ring.yaml"
    axes = {"model.n_critic": [1, 2], "model.ema": [0.5]} | SMALL
    content = {"base": str(CONFIGS / "ring_gan.yaml"), "axes": axes, "seeds": [3, 4]}
    path.write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "engine_of", lambda options: Threads())
        assert sweep(path) == 0
    return path, folder / "out"


def test_a_record_holds_the_final_readings_of_its_seed(finished):
    path, out = finished
    plan, folder = read(path), Folder(out)
    setting = plan.settings[1]
    module, readings = joint_training.build(joint_training.with_seeds(setting.config, (4,)))
    del module
    record, curves = folder.read(setting, 4), folder.curves(setting, 4)
    assert record["seed"] == 4
    assert record["axes"] == {"n_critic": "2"}
    assert curves["step"] == [0, 2, 4]
    assert {
        "divergence/w1_EarthMover", "divergence/js_RossJS", "loss/critic", "loss/generator",
        "gradient/generator", "gradient/critic", "gradient/input", "critic/slope_max",
        "modes/covered_20", "modes_ema/high_quality",
    } <= set(record["readings"])  # fmt: skip
    for tag, value in record["readings"].items():
        assert curves["values"][tag][-1] == value
    assert curves["values"]["loss/critic"][0] is None  # before the first step there was none
    assert readings.every == 2


def test_the_record_s_configuration_can_be_trained_again(finished, tmp_path):
    path, out = finished
    setting = read(path).settings[0]
    record = Folder(out).read(setting, 3)
    again = run(JointTraining(setting.key, "", record["config"], (3, 4)))
    assert plain(again[0].curves.final()) == record["readings"]


def test_exact_divergences_are_those_of_theta(sweep_file):
    path = sweep_file(seeds=[0, 7])
    assert sweep(path) == 0
    for row in table(path.parent / "out"):
        theta = float(row["generator/theta"])
        assert float(row["divergence/w1_exact"]) == pytest.approx(abs(theta), abs=1e-6)
        assert float(row["divergence/js_exact"]) == pytest.approx(math.log(2), abs=1e-6)
        assert float(row["divergence/kl_exact"]) == math.inf


def test_the_tables_have_a_row_per_run_and_agree(finished):
    _, out = finished
    rows = table(out)
    assert [(row["n_critic"], row["seed"]) for row in rows] == [
        ("1", "3"), ("1", "4"), ("2", "3"), ("2", "4")
    ]  # fmt: skip
    stored = parquet.read_table(out / "table.parquet").to_pylist()
    assert [{k: str(v) for k, v in row.items()} for row in stored] == rows


def events(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def test_every_run_has_its_curves_in_tensorboard(finished):
    path, out = finished
    folder = Folder(out)
    for setting, seed in read(path).runs():
        written, curves = events(folder.run_of(setting, seed)), folder.curves(setting, seed)
        assert "_hparams_/experiment" in written.summary_metadata
        for tag, column in curves["values"].items():
            seen = [
                (s, float(v)) for s, v in zip(curves["step"], column, strict=True) if v is not None
            ]
            points = [(e.step, e.value) for e in written.Scalars(tag)]
            points = [(step, value) for step, value in points if not math.isnan(value)]
            assert [s for s, _ in points] == [s for s, _ in seen], tag
            assert [v for _, v in points] == pytest.approx([v for _, v in seen], rel=1e-6)


def test_the_run_over_all_seeds_has_a_band_chart_per_setting(finished):
    path, out = finished
    folder, plan = Folder(out), read(path)
    written = events(out / "tensorboard" / "all-seeds")
    layout = layout_pb2.Layout.FromString(
        written.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    )
    titles = [category.title for category in layout.category]
    assert titles == ["all settings", "n_critic=1", "n_critic=2"]
    tags = set(written.Tags()["scalars"])
    charted = {
        tag
        for category in layout.category
        for chart in category.chart
        for series in chart.margin.series
        for tag in (series.value, series.lower, series.upper)
    }
    assert charted == tags
    assert len(layout.category[0].chart[0].margin.series) == 2
    for setting in plan.settings:
        columns = [
            folder.curves(setting, seed)["values"]["divergence/w1_EarthMover"]
            for seed in plan.seeds
        ]
        tag = f"W1/{setting.label}"
        for name, over in (
            (tag, lambda v: sum(v) / len(v)), (f"range/{tag}/min", min), (f"range/{tag}/max", max)
        ):  # fmt: skip
            expected = [over(values) for values in zip(*columns, strict=True)]
            assert [e.value for e in written.Scalars(name)] == pytest.approx(expected, rel=1e-6)


def test_the_figure_shows_every_seed_of_every_setting(finished):
    _, out = finished
    band = {"step": [0.0, 4.0], "mean": [1.0, 0.5], "min": [1.0, 0.4], "max": [1.0, 0.6]}
    rows = [
        {"setting": label, "divergence/w1_EarthMover": value}
        for label, value in [("a", 0.4), ("a", 0.6), ("b", math.nan), ("b", 0.0)]
    ]
    curves, finals = draw({"a": {"W1": band}, "b": {"W1": band}}, rows).axes
    assert [list(line.get_ydata()) for line in curves.lines] == [band["mean"]] * 2
    dots = [(list(line.get_xdata()), line.get_ydata()[0]) for line in finals.lines[::2]]
    assert dots == [([0.4, 0.6], 0), ([0.0], 1)]  # a reading that is no number has no dot
    assert (out / "figure.png").stat().st_size > 5000
    assert (out / "figure.svg").stat().st_size > 5000


def test_a_member_s_result_does_not_depend_on_its_neighbours(sweep_file):
    setting = read(sweep_file("ring_gan")).settings[0]
    together = run(JointTraining(setting.key, "", setting.config, (0, 1, 2)))
    for seed, outcome in enumerate(together):
        (alone,) = run(JointTraining(setting.key, "", setting.config, (seed,)))
        for tag, value in alone.curves.final().items():
            if tag != "divergence/kl_NearestNeighbours":  # of a set of points, not smooth in them
                assert outcome.curves.final()[tag] == pytest.approx(
                    value, rel=1e-4, abs=1e-6, nan_ok=True
                ), tag


# no run is done twice or lost


def test_a_dry_run_lists_and_leaves_nothing(sweep_file, capsys):
    path = sweep_file(model__n_critic=[1, 2])
    assert sweep(path, "--dry-run", "--members=2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "n_critic=1: seeds 0, 1",
        "n_critic=1: seeds 2",
        "n_critic=2: seeds 0, 1",
        "n_critic=2: seeds 2",
        "2 settings x 3 seeds = 6 runs, 0 of them finished; would start 4 jobs for 6 runs",
    ]
    assert [p.name for p in path.parent.iterdir()] == ["small.yaml"]


def test_a_limited_sweep_goes_on_where_it_stopped(sweep_file, capsys):
    path = sweep_file(model__n_critic=[1, 2])
    out = path.parent / "out"
    assert sweep(path, "--limit=1", "--members=2") == 0
    first = {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()}
    assert len(first) == 2
    assert "2 of 6 runs finished" in capsys.readouterr().out
    assert sweep(path, "--members=2") == 0
    assert len(list((out / "records").iterdir())) == len(table(out)) == 6
    assert {p: p.stat().st_mtime_ns for p in first} == first
    assert "6 of 6 runs finished, 0 failed" in capsys.readouterr().out


def test_what_is_finished_is_not_run_again(sweep_file, monkeypatch):
    path = sweep_file()
    assert sweep(path) == 0
    monkeypatch.setattr(command, "run", None)  # would fail if it were called
    assert sweep(path) == 0


def test_more_seeds_and_values_keep_what_is_there(sweep_file):
    out = sweep_file().parent / "out"
    assert sweep(sweep_file(seeds=[0], model__n_critic=[1, 2])) == 0
    before = {p: p.read_bytes() for p in (out / "records").iterdir()}
    assert sweep(sweep_file(seeds=[0, 1], model__n_critic=[2, 3])) == 0
    assert {p: p.read_bytes() for p in before} == before
    assert len(list((out / "records").iterdir())) == 5
    assert len(table(out)) == 4  # of the settings that the file names now


def test_a_record_of_another_configuration_is_never_overwritten(sweep_file, capsys):
    path = sweep_file(seeds=[0])
    assert sweep(path) == 0
    (record,) = (path.parent / "out" / "records").iterdir()
    content = json.loads(record.read_text().replace('"n_critic": 5', '"n_critic": 6'))
    write_record(record, content)
    foreign = record.read_text()
    assert sweep(path) == 2
    assert "was made under another configuration" in capsys.readouterr().err
    assert record.read_text() == foreign


def test_a_damaged_record_is_made_again(sweep_file):
    path = sweep_file(seeds=[0, 1])
    out = path.parent / "out"
    assert sweep(path) == 0
    before = without_times(out)
    damaged = next((out / "records").iterdir())
    damaged.write_text(damaged.read_text()[:100])
    assert sweep(path, "--members=2") == 0
    after = without_times(out)
    assert set(after) == set(before)
    members = after[f"records/{damaged.name}"].pop("members")
    assert members == 1  # only the one that was damaged


def test_what_a_killed_sweep_was_writing_is_cleared_away(sweep_file):
    path = sweep_file(seeds=[0])
    torso = path.parent / "out" / "records" / ".partial-99-x.json"
    torso.parent.mkdir(parents=True)
    torso.write_text("{")
    assert sweep(path) == 0
    assert [p.suffix for p in torso.parent.iterdir()] == [".json"]
    assert not torso.exists()


def test_a_folder_with_something_else_is_refused(sweep_file, capsys):
    path = sweep_file()
    (path.parent / "out").mkdir()
    (path.parent / "out" / "thesis.tex").write_text("precious")
    assert sweep(path) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [p.name for p in (path.parent / "out").iterdir()] == ["thesis.tex"]


def test_two_sweeps_do_not_write_to_one_folder(sweep_file, capsys):
    path = sweep_file()
    with Folder(path.parent / "out").locked():
        assert sweep(path) == 2
    assert "is writing there; wait for it" in capsys.readouterr().err
    assert sweep(path, "--limit=1") == 0


def test_failures_are_retried_listed_and_end_with_code_1(sweep_file, monkeypatch, capsys):
    path = sweep_file(seeds=[0, 1, 2])
    asked = []

    def explodes_for_1(job):
        asked.append(job.seeds)
        if 1 in job.seeds:
            raise NonFiniteLoss(f"iteration 3: critic loss of member 0 (seed {job.seeds}) is nan")
        return run(job)

    monkeypatch.setattr(command, "run", explodes_for_1)
    assert sweep(path, "--retries=1") == 1
    assert asked == [(0, 1, 2), (0,), (1,), (2,), (1,)]
    printed = capsys.readouterr()
    assert "2 of 3 runs finished, 1 failed" in printed.out
    assert "seed 1: NonFiniteLoss: iteration 3" in printed.err
    out = path.parent / "out"
    (failure,) = json.loads((out / "failures.json").read_text())
    assert failure["seed"] == 1
    assert "explodes_for_1" in failure["traceback"]
    monkeypatch.setattr(command, "run", run)
    assert sweep(path) == 0
    assert not (out / "failures.json").exists()
    assert len(table(out)) == 3


def test_seeds_that_explode_are_each_named(sweep_file, capsys):
    rate = {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e38}}
    path = sweep_file(seeds=[0, 1], model__critic_optimizer=[rate])
    assert sweep(path, "--retries=0") == 1
    printed = capsys.readouterr()
    assert "0 of 2 runs finished, 2 failed" in printed.out
    for seed in (0, 1):
        assert f"seed {seed}: " in printed.err
    assert "nan" in printed.err


def test_records_of_other_code_are_kept_and_told(sweep_file, monkeypatch, capsys):
    path = sweep_file(seeds=[0])
    assert sweep(path) == 0
    monkeypatch.setattr(command, "fingerprint", lambda: "another")
    assert sweep(path) == 0
    assert "1 runs were made by other code" in capsys.readouterr().err


def test_processes_find_what_this_process_finds(sweep_file, monkeypatch):
    path = sweep_file(seeds=[0, 1, 2])  # two members of one job, and one alone
    assert sweep(path, "--members=2") == 0
    serial = without_times(path.parent / "out")
    os.rename(path.parent / "out", path.parent / "serial")
    monkeypatch.setattr(command, "engine_of", lambda options: Local(1))
    assert sweep(path, "--members=2") == 0
    assert without_times(path.parent / "out") == serial
    assert torch.get_num_threads() == 1


def test_a_run_s_folder_has_a_name_that_every_disk_takes(sweep_file):
    (setting,) = read(sweep_file()).settings
    for letter in ("a", "ß", "本", "\U0001d4d0"):
        long = replace(setting, label=letter * 300)
        assert 80 <= len(long.folder.encode()) <= 200
        assert long.folder.startswith(letter * 40)


def test_a_long_name_does_not_fill_the_screen(sweep_file):
    names = [first + "x" * 10_000 for first in "ab"]
    plan = read(
        sweep_file(weight={name: {"model.n_critic": n} for n, name in enumerate(names, 1)})
    )
    assert [len(setting.label) < 700 for setting in plan.settings] == [True, True]
    assert len({setting.label for setting in plan.settings}) == 2


def test_more_settings_than_can_ever_be_built_are_refused_at_once(sweep_file, capsys):
    axes = {f"model__x{i}": list(range(10)) for i in range(12)}
    assert sweep(sweep_file(**axes), "--dry-run") == 2
    assert "1000000000000 settings; give at most 10000" in capsys.readouterr().err
