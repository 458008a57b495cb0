"""The training command: every configuration, bad input, and its curves over HTTP."""

import json
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from jsonargparse import Namespace
from tensorboard import program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gans.callbacks import MONITORS, dashboard
from gans.cli import trainer_settings
from gans.cli.train import main

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SMALL = [
    "--model.iterations=4",
    "--model.batch_size=8",
    "--model.seeds=[0,1]",
    "--divergences.every=2",
    "--divergences.n=32",
    "--gradients.every=1",
    "--samples.n=32",
    "--samples.steps=5",
    "--checkpoint.every=2",
]
BASE = next(c for c in CONFIGS if c.stem == "segments_wgan_lp")

pytestmark = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
]


@pytest.fixture(autouse=True)
def _alone_on_the_command_line(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.chdir(tmp_path)


def fit(out, *flags, config=BASE):
    main(["fit", "--config", str(config), "--out", str(out), *SMALL, *flags])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_runs_and_so_does_what_it_has_saved(config, tmp_path):
    warmup = ["--model.warmup=2"] if "warmup" in config.read_text() else []
    fit("first", *warmup, config=config)
    off = [f"--{monitor}=null" for monitor in MONITORS]
    main(["fit", "--config=first/config.yaml", "--out=second", *off])
    first, second = (
        torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)
        for run in ("first", "second")
    )
    assert first["global_step"] == second["global_step"] == 4
    assert first["state_dict"].keys() == second["state_dict"].keys()
    for name, value in first["state_dict"].items():
        assert torch.equal(value, second["state_dict"][name]), name
    saved = [yaml.safe_load(Path(run, "config.yaml").read_text()) for run in ("first", "second")]
    assert saved[1] == saved[0] | dict.fromkeys(MONITORS)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_opens_with_its_claim(config):
    assert config.read_text().startswith("# Claim: ")


def test_the_default_folder_is_named_after_the_configuration(tmp_path):
    main(["fit", "--config", str(BASE), *SMALL])
    assert (tmp_path / "runs" / "segments_wgan_lp" / "config.yaml").is_file()


def test_a_resumed_run_ends_where_the_uninterrupted_one_did(tmp_path):
    fit(tmp_path / "run")
    straight = torch.load(tmp_path / "run" / "checkpoints" / "000004.ckpt", weights_only=True)
    middle = tmp_path / "run" / "checkpoints" / "000002.ckpt"
    fit(tmp_path / "run", "--ckpt_path", str(middle))
    resumed = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    for name, value in straight["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name


BAD = {
    "unknown key": (["--model.clop=3"], "clop"),
    "unknown class": (["--model.constraint=Nope"], "no class is named Nope"),
    "theta NaN": (["--model.target.theta=.nan"], "theta = nan"),
    "start NaN": (["--model.generator.theta=.nan"], "theta = nan"),
    "batch size 0": (["--model.batch_size=0"], "batch_size = 0: it must be at least 1"),
    "n_critic 0": (["--model.n_critic=0"], "n_critic = 0: it must be at least 1"),
    "clip 0": (
        ["--model.constraint=WeightClipping", "--model.constraint.c=0"],
        "clip value c = 0.0",
    ),
    "penalty -1": (["--model.constraint.weight=-1"], "penalty weight = -1.0"),
    "float16": (["--trainer.precision=16-mixed"], "use 32-true"),
    "no seeds": (["--model.seeds=[]"], "seeds is empty"),
    "not a number": (["--model.iterations=abc"], "abc"),
    "cadence 0": (["--divergences.every=0"], "every = 0"),
    "no checkpoint": (["--ckpt_path=nowhere.ckpt"], "nowhere.ckpt: no such file"),
    "no config": (["--config=nowhere.yaml"], "nowhere.yaml"),
    "a picture of nothing": (["--pictures.n=0"], "n = 0: it must be at least 1"),
    "readings of nothing": (["--divergences.n=0"], "n = 0: it must be at least 1"),
    "no end": (["--trainer.max_epochs=-1"], "one epoch of all its model.iterations"),
    "accumulated steps": (["--trainer.accumulate_grad_batches=2"], "set model.batch_size"),
    "averaged twice": (
        [
            "--allow-import=pytorch_lightning",
            "--trainer.callbacks=pytorch_lightning.callbacks.StochasticWeightAveraging",
            "--trainer.callbacks.swa_lrs=.1",
            "--trainer.callbacks.device=cpu",
        ],
        "StochasticWeightAveraging: it averages one network",
    ),
    "learning rate -1": (["--model.critic_optimizer.lr=-1"], "critic_optimizer: Invalid learning"),
    "schedule of no length": (
        ["--model.scheduler=gans.ConstantThenLinear", "--model.scheduler.iterations=0"],
        "iterations = 0",
    ),
    "nan in words": (["--model.target.theta=nan"], 'Parser key "theta": nan is no number'),
    "optimizer with a closure": (
        ["--model.critic_optimizer=torch.optim.LBFGS"],
        "LBFGS evaluates a loss several times",
    ),
    "line into the plane": (["--model.target=gans.Gaussian"], "plane"),
}


@pytest.mark.parametrize(("flags", "names"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_leaves_nothing(flags, names, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        fit(tmp_path / "run", *flags)
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 400
    assert names in printed.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("setting", [{"max_epochs": 5}, {"gradient_clip_val": 1.0}])
def test_settings_that_no_game_has_are_refused(setting):
    plain = {name: only.values[0] for name, only in trainer_settings.SETTINGS.items()}
    trainer_settings.check(Namespace(precision="32-true", **plain), [None])
    with pytest.raises(ValueError, match=f"trainer.{next(iter(setting))} = "):
        trainer_settings.check(Namespace(**plain | setting), None)


def test_a_learning_rate_of_0_is_said(tmp_path):
    with pytest.warns(UserWarning, match="generator_optimizer: its learning rate is 0") as told:
        fit(tmp_path / "run", "--model.generator_optimizer.lr=0")
    assert not any("critic_optimizer" in str(warning.message) for warning in told)


def test_a_name_of_a_folder_moves_no_cursor(tmp_path, capsys):
    out = tmp_path / "a\x1b[2J\u202eb"
    (out / "checkpoints").mkdir(parents=True)
    (out / "checkpoints" / "000001.ckpt").write_text("x")
    with pytest.raises(SystemExit) as caught:
        fit(out, "--resume")
    told = capsys.readouterr().err
    assert caught.value.code == 2
    assert "truncated" in told
    assert not {"\x1b", "\u202e"} & {*told}


def test_an_existing_run_is_never_overwritten(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.txt").write_text("precious")
    with pytest.raises(SystemExit) as caught:
        fit(tmp_path / "run")
    assert caught.value.code == 2
    assert "exists and is not empty" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["result.txt"]


def test_a_loss_that_explodes_ends_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        fit(
            tmp_path / "run",
            "--model.critic_optimizer=torch.optim.SGD",
            "--model.critic_optimizer.lr=1e38",
            "--model.iterations=40",
        )
    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert "iteration" in error
    assert "last good checkpoint" in error


TYPOS = {
    "--model.iteration=5": "did you mean iterations?",
    "--modle.iterations=5": "did you mean model?",
    "--divergence.every=3": "did you mean divergences?",
    "--model.constraint=WeightCliping": "did you mean WeightClipping?",
    "--model.seed=[0]": "did you mean seeds?",
    "--trainer.max_epoch=1": "did you mean max_epochs?",  # a beginning is no flag
    "--seed=3": "unrecognized arguments: --seed=3",
    "--divergences.evry=3": "did you mean every?",
    "--model.critic_optimzer.lr=1": "did you mean critic_optimizer?",
    "--batch_size=3": "did you mean model.batch_size?",
    "--model=gans.VanilaGAN": "did you mean gans.VanillaGAN?",
    "--model.target=Rign": "did you mean Ring?",
    "--allow-imports=os": "did you mean allow-import?",
}


@pytest.mark.parametrize(("flag", "hint"), TYPOS.items())
def test_a_typo_is_answered_with_the_nearest_name(flag, hint, tmp_path, capsys):
    with pytest.raises(SystemExit):
        fit(tmp_path / "run", flag)
    assert capsys.readouterr().err.endswith(f"{hint}\n")


SHORT = ["--model.iterations=2", "--model.batch_size=8", "--model.seeds=[0]", "--divergences.n=16"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model.target=SwisRoll"], "no class is named SwisRoll;.* did you mean SwissRoll"),
        (["--model.objective=Foo"], "objective takes one of .*Hinge, LeastSquares, NonSaturating"),
        (["--model.objective=FGAN", "--model.objective.f=KL"], "f takes one of .*Pearson"),
    ],
    ids=["close", "far", "deeper"],
)
def test_a_class_that_is_none_is_answered_with_those_that_fit(flags, said, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        fit(tmp_path / "run", *flags, config=BASE.with_name("ring_gan.yaml"))
    error = capsys.readouterr().err
    assert re.search(said, error)
    assert "NestedArg" not in error


def test_what_a_class_keeps_of_the_one_that_it_replaces_is_said(tmp_path, capsys):
    ring = BASE.with_name("ring_gan.yaml")
    fit(tmp_path / "kept", "--model.target=gans.Grid", config=ring)
    assert capsys.readouterr().err.splitlines()[0] == (
        "note: model.target is Grid instead of Ring and keeps its scale = 0.01; "
        "--model.target.scale sets it"
    )
    fit(tmp_path / "set", "--model.target=gans.Grid", "--model.target.scale=.05", config=ring)
    assert "keeps" not in capsys.readouterr().err


@pytest.mark.parametrize("logger", ["CSVLogger", "TensorBoardLogger", "false"])
def test_a_logger_is_chosen_by_name_and_writes_to_the_run(logger, tmp_path, capsys):
    fit(tmp_path / "run", f"--trainer.logger={logger}")
    assert ("tensorboard --logdir" in capsys.readouterr().out) == (logger == "TensorBoardLogger")
    assert (tmp_path / "run" / "csv").exists() == (logger == "CSVLogger")
    assert any((tmp_path / "run").glob("events*")) == (logger == "TensorBoardLogger")


def test_what_a_run_has_saved_of_settings_by_default_can_be_given_back():
    Path("defaults.yaml").write_text(
        "model: {class_path: gans.WGAN, init_args: {target: gans.Ring}}"
    )
    off = ["--pictures=null", "--lipschitz", "null"]
    main(["fit", "--config=defaults.yaml", "--out=first", *SHORT, *off])
    main(["fit", "--config=first/config.yaml", "--out=second"])
    main(["fit", "--config=first/config.yaml", "--out=first", "--resume"])
    first, second = (
        torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for run in ("first", "second")
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    saved = [yaml.safe_load(Path(run, "config.yaml").read_text()) for run in ("first", "second")]
    assert saved[0] == saved[1]
    assert saved[0]["pictures"] is None
    assert saved[0]["lipschitz"] is None


def test_points_of_five_dimensions_are_trained_on_without_any_monitor(tmp_path, capsys):
    torch.manual_seed(0)
    np.save("points.npy", torch.randn(60, 5).numpy())
    target = {"class_path": "gans.PointCloud", "init_args": {"points": "points.npy"}}
    model = {"class_path": "gans.WGAN", "init_args": {"target": target}}
    off = dict.fromkeys(MONITORS)
    Path("five.yaml").write_text(yaml.safe_dump({"model": model} | off))
    main(["fit", "--config=five.yaml", "--out=run", *SHORT[:3]])
    tags = EventAccumulator("run").Reload().Tags()["scalars"]
    assert not [tag for tag in tags if tag.split("/")[0] in ("divergence", "gradient", "critic")]
    told = capsys.readouterr().out
    assert told.startswith("this run is in run; watch it with: tensorboard --logdir run\n")
    assert "products" not in told


def test_a_later_flag_switches_a_monitor_on_again(tmp_path):
    fit(tmp_path / "run", "--gradients=null", "--gradients.every=1", "--divergences=null")
    tags = EventAccumulator(str(tmp_path / "run")).Reload().Tags()["scalars"]
    assert "gradient/generator" in tags
    assert not [tag for tag in tags if tag.startswith("divergence/")]


def test_help_names_the_flags_people_need(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fit", "--help"])
    assert caught.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert "The flags people need" in lines[2]
    assert next(i for i, line in enumerate(lines) if line.startswith("  --resume  ")) < 50
    assert max(map(len, lines[:50])) < 100


def test_tensorboard_serves_layout_curves_and_hparams(tmp_path):
    fit(tmp_path / "logs" / "run")
    server = program.TensorBoard()
    server.configure(argv=[None, "--logdir", str(tmp_path / "logs"), "--port", "0",
                           "--load_fast", "false", "--host", "127.0.0.1"])  # fmt: skip
    url = server.launch()

    def get(path, **query):
        address = f"{url}data/plugin/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.loads(answer.read())

    deadline = time.monotonic() + 60
    while not get("scalars/tags").get("run") and time.monotonic() < deadline:
        time.sleep(0.2)
    tags = get("scalars/tags")["run"]
    assert {"divergence/js_exact", "divergence/w1_EarthMover", "gradient/input"} <= set(tags)
    js = get("scalars/scalars", run="run", tag="divergence/js_exact")
    assert [step for _, step, _ in js] == [0, 2, 4]
    layout = get("custom_scalars/layout")
    served = {category["title"]: [chart["title"] for chart in category["chart"]]
              for category in layout["category"]}  # fmt: skip
    assert served == {name: list(charts) for name, charts in dashboard(2, "w1").items()}
