"""What a configuration can reach: listed classes, files beside it, and the folder of its run."""

import contextlib
import http.server
import inspect
import json
import os
import random
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import _stubs_resolver
from jsonargparse._util import import_object

import divergences
import gans
from gans.cli import plain_yaml
from gans.cli.allowed_classes import Vocabulary, classes, listed
from gans.cli.configuration import Parser, limit_imports
from gans.cli.errors import raised_in
from gans.cli.lightning_classes import CALLBACKS, LOGGERS, ON_THE_COMMAND_LINE
from gans.cli.plain_yaml import VALUES, read
from gans.cli.train import main
from scripts.sweep.__main__ import main as sweep

CONFIG = Path(__file__).parents[2] / "configs" / "segments_wgan_lp.yaml"
EVERY = int(os.environ.get("REACHABLE_EVERY", "6"))
"""Of the names that can be reached, one in so many is tried, others each time."""
SHORT = ["--model.iterations=1", "--model.batch_size=8", "--model.seeds=[0]", "--divergences.n=16"]


@pytest.fixture(autouse=True)
def _alone_in_a_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.chdir(tmp_path)


def refusal(settings, capsys, *flags):
    """What the training command says of a file with these settings, over those of CONFIG."""
    text = settings if isinstance(settings, str) else json.dumps(settings)
    Path("stranger.yaml").write_text(text)
    before = set(Path.cwd().rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main(["fit", f"--config={CONFIG}", "--config=stranger.yaml", "--out=run", *SHORT, *flags])
    printed = capsys.readouterr()
    assert caught.value.code == 2, printed.err
    assert printed.err.count("\n") == 1
    assert set(Path.cwd().rglob("*")) == before
    return printed.err


def reachable():
    """Every name of something callable in the packages whose classes may be named.

    Two levels of attributes, private ones included: modules are reached through modules, too.
    """
    roots = ("gans", "divergences", "torch.nn", "torch.optim")
    modules = [
        (name, module)
        for name, module in sorted(sys.modules.items())
        if f"{name}.".startswith(tuple(f"{root}." for root in roots))
    ]
    for name, module in modules:
        for first, value in list(vars(module).items()):
            if callable(value) or inspect.ismodule(value):
                yield f"{name}.{first}"
            if inspect.isclass(value) or inspect.ismodule(value):
                for second in [*dir(value), "mro", "__subclasses__"]:
                    yield f"{name}.{first}.{second}"


def test_of_all_that_can_be_reached_only_listed_classes_can_be_had():
    known, chance = limit_imports(), random.Random(os.getpid())
    names = sorted({name for name in reachable() if name.isascii()})
    assert len(names) > 20_000
    names = {*names[chance.randrange(EVERY) :: EVERY], *listed()}
    had = set()
    for name in names:
        try:
            found = import_object(name)
        except (ImportError, AttributeError, ValueError):
            continue
        for kept in ({"class_path": name}, {"activation": found}, [found]):
            try:
                known.check(kept)
            except ValueError:
                continue
            if callable(found):  # of what is no class, only defaults that hold a listed one
                assert (found.func if isinstance(found, partial) else found) in classes(), name
                had |= {name} if isinstance(kept, dict) and "class_path" in kept else set()
    assert {"gans.WGAN", "torch.nn.LeakyReLU", "torch.optim.Adam", "divergences.MLP"} <= had
    assert had <= listed()


HOMES = (
    *("gans.", "divergences.", "torch.nn.", "torch.optim"),
    *("pytorch_lightning.callbacks.", "pytorch_lightning.loggers."),
)


def test_no_listed_class_is_private_or_from_elsewhere():
    for cls in classes():
        assert not cls.__name__.startswith("_")
        assert cls.__module__.startswith(HOMES)
    assert not any(issubclass(cls, torch.nn.parallel.DistributedDataParallel) for cls in classes())


def test_every_public_class_of_ours_that_fits_a_slot_is_listed():
    for package in (gans, divergences):
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value) and issubclass(value, gans.Target | gans.Objective):
                assert f"{package.__name__}.{name}" in listed()


FUNCTIONS = {
    "imports a module": ("torch.nn.attention._fa4.register_flash_attention_fa4", "module_path"),
    "imports a module, behind a private name": (
        "torch.nn.attention._fa4._fa4_import_module", "module_path",
    ),
    "imports a module, for old names": (
        "torch.nn.utils._deprecation_utils.lazy_deprecated_import", "old_name",
    ),
    "deletes files": ("gans.runtime.files.clear_partial", "folder"),
    "makes folders": ("gans.runtime.files.atomically", "path"),
    "loads a checkpoint": ("gans.WGAN.load_from_checkpoint", "checkpoint_path"),
    "starts processes": ("torch.nn.parallel.DistributedDataParallel", "module"),
    "a method of every class": ("torch.nn.LeakyReLU.mro", "x"),
    "a class that is in no slot": ("gans.callbacks.AtomicCheckpointIO", "x"),
}  # fmt: skip
PLACES = {
    "class path": lambda name, argument: {"class_path": name, "init_args": {argument: "evil"}},
    "bare name": lambda name, argument: name,
    "in text": lambda name, argument: json.dumps(
        {"class_path": name, "init_args": {argument: "evil"}}
    ),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize(("name", "argument"), FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_no_function_is_called_and_nothing_is_imported(
    name, argument, place, tmp_path, monkeypatch, capsys
):
    (tmp_path / "evil.py").write_text("open('it-ran', 'w')")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / ".partial-1-precious").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = {"init_args": {"critic": place(name, argument)}}
    refusal({"model": model}, capsys)
    base = yaml.safe_load(CONFIG.read_text())
    base["model"]["init_args"] |= model["init_args"]
    Path("base.yaml").write_text(yaml.safe_dump(base))
    Path("sweep.yaml").write_text("{base: base.yaml, seeds: [0]}")
    assert sweep(["sweep.yaml", "--dry-run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "it-ran").exists()
    assert (tmp_path / "evil" / ".partial-1-precious").exists()
    assert "evil" not in sys.modules


@pytest.fixture
def no_process(monkeypatch):
    """The parser can start an interpreter in the current folder that tells it where stubs are."""
    started = []  # an error here would be caught by the parser

    def start(*args, **_):
        started.append(args)
        raise OSError("no process")

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(_stubs_resolver, "stubs_resolver", None)
    yield
    assert started == []


def test_no_process_is_started_for_the_signature_of_a_listed_class(no_process):
    limit_imports()
    for cls in classes():
        parser = Parser(exit_on_error=False)
        with contextlib.suppress(ValueError):  # what takes a parser has no settings
            parser.add_class_arguments(cls, "it")


@pytest.mark.parametrize("name", ["gans.WGAN.setup", "torch.optim.Adam.step", "gans.Ring.x.y"])
def test_no_signature_inside_a_class_is_looked_up(name, no_process, capsys):
    given = {"class_path": name, "init_args": {"activation": 1}}
    printed = refusal({"model": {"init_args": {"generator_optimizer": given}}}, capsys)
    assert f"{name} is a part of {name.partition('.')[0]}." in printed


# addresses and files


@pytest.fixture
def server():
    """An HTTP server on this machine, and the requests it has had."""
    had = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            had.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", had
        running.shutdown()
        thread.join()


SECRET = "daemon:x:0:0:precious"
TOKEN = "{daemon: precious}"


@pytest.mark.parametrize(
    "where",
    [
        lambda text: {"model": text},
        lambda text: {"divergences": text},
        lambda text: {"trainer": text},
        lambda text: {"config": text},
        lambda text: {"fit": text},
        lambda text: {"model": {"init_args": {"critic": text}}},
        lambda text: {"model": {"init_args": {"target": text}}},
        lambda text: {"model": {"init_args": {"seeds": text}}},
        lambda text: {"model": {"init_args": {"critic": {"class_path": text}}}},
        lambda text: {"divergences": {"estimators": text}},
        lambda text: {"divergences": {"estimators": [text]}},
        lambda text: {"trainer": {"strategy": text}},
    ],
    ids=range(12),
)
def test_no_address_is_asked_and_no_file_is_shown(where, server, capsys):
    address, had = server
    Path("secret").write_text(SECRET)
    Path("secret.yaml").write_text(SECRET)
    for text in [f"{address}/x.yaml", str(Path("secret").absolute()), "secret.yaml", "-"]:
        assert "daemon" not in refusal(where(text), capsys)
        assert not had
    Path("secret.yaml").write_text(TOKEN)
    assert "daemon" not in refusal(where("secret.yaml"), capsys)


def test_a_part_of_a_configuration_is_read_from_the_file_beside_it(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "critic.yaml").write_text(
        "{class_path: divergences.MLP, init_args: {hidden: [3]}}"
    )
    (tmp_path / "model.yaml").write_text("init_args: {critic: parts/critic.yaml}")
    (tmp_path / "whole.yaml").write_text("model: model.yaml\ndivergences: {every: 1}")
    args = ["fit", f"--config={CONFIG}", "--config=whole.yaml", "--out=run", *SHORT]
    main(args)
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["model"]["init_args"]["critic"]["init_args"]["hidden"] == [3]
    main(["fit", "--config=run/config.yaml", "--out=again"])  # what was saved is one file


@pytest.mark.parametrize("how", ["..", "absolute", "link", "linked folder"])
def test_a_part_from_elsewhere_is_refused(how, tmp_path, capsys):
    (tmp_path / "here").mkdir()
    (tmp_path / "secret.yaml").write_text(SECRET)
    name = {"..": "../secret.yaml", "absolute": str(tmp_path / "secret.yaml")}.get(how, "x.yaml")
    if how == "link":
        (tmp_path / "here" / "x.yaml").symlink_to(tmp_path / "secret.yaml")
    if how == "linked folder":
        (tmp_path / "here" / "folder").symlink_to(tmp_path)
        name = "folder/secret.yaml"
    (tmp_path / "here" / "whole.yaml").write_text(json.dumps({"model": name}))
    with pytest.raises(ValueError, match="leads out of") as caught:
        read(tmp_path / "here" / "whole.yaml")
    assert "precious" not in str(caught.value)


@pytest.mark.parametrize("text", ["{password: precious}", "{model: precious}", "precious"])
def test_a_base_that_is_no_configuration_is_not_shown(text, tmp_path, capsys):
    (tmp_path / "secret.yaml").write_text(text)
    Path("sweep.yaml").write_text("{base: secret.yaml, seeds: [0]}")
    assert sweep(["sweep.yaml", "--dry-run"]) == 2
    printed = capsys.readouterr().err
    assert "secret.yaml" in printed
    assert "pre" not in printed
    assert "pass" not in printed


NO_CONFIGURATION = {
    "empty": "",
    "a list": "[1, 2]",
    "text": SECRET,
    "no YAML": "model: [precious",
    "an undefined alias": "model: *precious",
    "python": "!!python/object/apply:os.mkdir ['precious']",
    "a tag that does not fit": "model: {x: !!timestamp precious}",
    "an empty integer": "x: !!int ''",
    "bytes": "model: !!binary cHJlY2lvdXM=",
    "a date": "model: {init_args: {iterations: 2020-01-01}}",
    "no date": "model: {init_args: {iterations: 2020-13-41}}",
    "a set": "model: !!set {precious}",
    "a key that is no text": "model: {1: precious}",
    "a key that is a list": "{[model]: precious}",
    "an integer beyond 64 bits": f"model: {{init_args: {{iterations: {10**30}}}}}",
    "an integer of 5000 digits": f"model: {{init_args: {{iterations: {'9' * 5000}}}}}",
    "itself": "class_path: stranger.yaml",
    "an alias of itself": "model: &a {x: *a}",
    "aliases of aliases": "\n".join(
        ["a0: &a0 [1, 1]", *(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}]" for n in range(30))]
    ),
    "text of text of text": "model: " + json.dumps("[" * 500),
    "a thousand levels": "model: " + "[" * 1000 + "]" * 1000,
    "too many values": f"model: {list(range(VALUES))}",
    "too many bytes": "model: " + "precious" * 20_000,
    "nul": "model: \0precious",
    "control characters": "model: \x1b[2Jprecious",
    "a section that is a number": "trainer: 3",
    "a section that is nothing": "trainer:",
    "a model that is nothing": "model:",
    "a list for a section": "divergences: [1]",
    "a key twice": "model: {class_path: precious}\nmodel: {}",
    "a key twice, once quoted": "model: {init_args: {seeds: precious, 'seeds': [0]}}",
    "a key twice in text": "model: '{init_args: {seeds: precious, seeds: [0]}}'",
    "a dotted key": "model.init_args.critic: precious",
}


@pytest.mark.parametrize("text", NO_CONFIGURATION.values(), ids=NO_CONFIGURATION.keys())
def test_what_is_no_configuration_is_one_line_that_shows_none_of_it(text, capsys):
    printed = refusal(text, capsys)
    assert "precious" not in printed.replace("= precious", "") or text.startswith('model: "[')
    assert len(printed) < 500
    assert "\x1b" not in printed


def test_a_key_that_is_there_twice_is_named_with_its_lines(tmp_path, capsys):
    assert "stranger.yaml: seeds: a key of line 3 is there again in line 5; keep one" in refusal(
        "model:\n  init_args:\n    seeds: [0]\n    n_critic: 1\n    seeds: [1]\n", capsys
    )
    Path("sweep.yaml").write_text(f"base: {CONFIG}\nseeds: [0]\nseeds: [1]")
    assert sweep(["sweep.yaml", "--dry-run"]) == 2
    assert "seeds: a key of line 2 is there again in line 3" in capsys.readouterr().err
    Path("base.yaml").write_text("precious: 1\nprecious: 2")  # which may be anybody's
    Path("sweep.yaml").write_text("base: base.yaml\nseeds: [0]")
    assert sweep(["sweep.yaml", "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert "base.yaml: a key of line 1 is there again in line 2" in told
    assert "precious" not in told


def test_a_key_may_be_said_again_over_one_that_is_merged(tmp_path):
    text = "model: &a {x: 1, y: 2}\ndata: {<<: *a, y: 3}"
    (tmp_path / "merged.yaml").write_text(text)
    assert read(tmp_path / "merged.yaml")["data"] == {"x": 1, "y": 3}


ENDLESS = {
    "pipe": os.mkfifo,
    "device": lambda path: os.symlink("/dev/zero", path),
    "folder": os.mkdir,
    "other bytes": lambda path: Path(path).write_bytes(b"model: \xff\xfe"),
}


@pytest.mark.skipif(os.name == "nt", reason="no pipes that are files")
@pytest.mark.parametrize("make", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_never_ends_is_not_read(make, tmp_path, capsys):
    make("endless.yaml")
    read_by = {
        "part.yaml": "{model: endless.yaml}",
        "plan.yaml": "{base: endless.yaml, seeds: [0]}",
    }
    for name, text in read_by.items():
        Path(name).write_text(text)
    for name in ("endless.yaml", "part.yaml"):
        with pytest.raises(SystemExit) as caught:
            main(["fit", f"--config={CONFIG}", f"--config={name}", "--out=run", *SHORT])
        assert caught.value.code == 2
    for name in ("endless.yaml", "plan.yaml"):
        assert sweep([name, "--dry-run"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4
    assert all("endless.yaml" in line for line in told)
    assert not Path("run").exists()


# folders


@pytest.mark.parametrize("name", ["out", "ckpt_path"])
def test_only_the_command_line_says_where_a_run_goes_and_what_it_continues(name, capsys):
    Path("stranger.yaml").write_text(json.dumps({name: "/tmp/elsewhere/run"}))
    with pytest.raises(SystemExit) as caught:
        main(["fit", f"--config={CONFIG}", "--config=stranger.yaml", *SHORT])
    assert caught.value.code == 2
    assert "only the command line says so" in capsys.readouterr().err
    assert [p.name for p in Path.cwd().iterdir()] == ["stranger.yaml"]


def test_a_saved_configuration_with_its_folder_is_read_where_another_is_given():
    saved = yaml.safe_load(CONFIG.read_text()) | {"out": "run"}
    Path("config.yaml").write_text(yaml.safe_dump(saved))
    main(["fit", "--config=config.yaml", "--out=other", *SHORT])
    assert not Path("run").exists()
    assert yaml.safe_load(Path("other/config.yaml").read_text())["out"] is None


NOT_IN_FILES = (
    *(
        "BackboneFinetuning",
        "BaseFinetuning",
        "BasePredictionWriter",
        "BatchSizeFinder",
        "Callback",
    ),
    *("Checkpoint", "EMAWeightAveraging", "EarlyStopping", "GradientAccumulationScheduler"),
    *("LambdaCallback", "LearningRateFinder", "ModelCheckpoint", "ModelPruning"),
    *("OnExceptionCheckpoint", "ProgressBar", "SpikeDetection", "StochasticWeightAveraging"),
    *("ThroughputMonitor", "Timer", "WeightAveraging"),
)
"""They call functions, write elsewhere, change or shorten training, or are abstract."""


def test_every_callback_of_lightning_was_reviewed():
    in_files = {cls.__name__ for cls in CALLBACKS}
    assert {*NOT_IN_FILES} | in_files == {*pl.callbacks.__all__}
    assert not {*NOT_IN_FILES} & in_files
    by_hand = {cls.__name__ for cls in (*LOGGERS, *ON_THE_COMMAND_LINE)}
    assert by_hand <= {*pl.loggers.__all__}


@pytest.mark.parametrize(
    "settings",
    [
        {"logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "/tmp"}}},
        {"logger": {"class_path": "CSVLogger", "init_args": {"name": "../x"}}},
        {"logger": {"class_path": "CSVLogger", "init_args": {"version": "../../x"}}},
        {"logger": {"class_path": "TensorBoardLogger", "init_args": {"sub_dir": "../x"}}},
        {"logger": {"class_path": "TensorBoardLogger", "init_args": {"comment": "x"}}},
        {"logger": {"class_path": "TensorBoardLogger", "init_args": {"log_graph": True}}},
        {"logger": {"class_path": "TensorBoardLogger", "init_args": {"prefix": ["x"]}}},
        {"logger": {"class_path": "TensorBoardLogger", "dict_kwargs": {"log_dir": "/tmp"}}},
        {"callbacks": {"class_path": "TQDMProgressBar", "init_args": {"theme": "x"}}},
        {"callbacks": [{"class_path": "LearningRateMonitor", "init_args": ["x"]}]},
    ],
)
def test_a_file_sets_of_loggers_and_callbacks_only_what_is_harmless(settings, capsys):
    assert "taken from a file, which may" in refusal({"trainer": settings}, capsys)


@pytest.mark.filterwarnings("ignore")
def test_a_file_may_name_loggers_that_write_to_the_run_s_folder(tmp_path):
    settings = {
        "logger": [
            {"class_path": "pytorch_lightning.loggers.CSVLogger"},
            {"class_path": "TensorBoardLogger", "init_args": {"prefix": "x"}},
        ],
        "callbacks": [{"class_path": "pytorch_lightning.callbacks.LearningRateMonitor"}],
    }
    Path("mine.yaml").write_text(json.dumps({"trainer": settings}))
    main(["fit", f"--config={CONFIG}", "--config=mine.yaml", "--out=run", *SHORT])
    assert Path("run/csv/version_0/metrics.csv").is_file()
    assert list(Path("run").glob("events.out.tfevents.*"))
    main(["fit", "--config=run/config.yaml", "--out=again"])  # as it was saved
    assert {p.name for p in Path.cwd().iterdir()} == {"mine.yaml", "run", "again"}
    numbers = [Path(f"{run}/csv/version_0/metrics.csv").read_text() for run in ("run", "again")]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_root_dir", "/tmp/elsewhere"),
        ("profiler", "simple"),
        ("profiler", "pytorch"),
        ("strategy", "ddp"),
        ("strategy", "deepspeed"),
        ("strategy", {"class_path": "pytorch_lightning.strategies.DDPStrategy"}),
        ("logger", {"class_path": "pytorch_lightning.loggers.WandbLogger"}),
        ("logger", [{"class_path": "MLFlowLogger", "init_args": {"tracking_uri": "http://x"}}]),
        ("logger", {"class_path": "CometLogger"}),
        ("logger", "tensorboard"),
        ("logger", "CSVLogger"),
        *(("callbacks", [{"class_path": name}]) for name in NOT_IN_FILES),
        ("callbacks", [{"class_path": "gans.Coverage"}]),
        ("plugins", "x"),
        ("model_registry", "x"),
        ("num_nodes", 2),
    ],
)
def test_what_reaches_beyond_the_run_is_not_taken_from_a_file(name, value, capsys):
    printed = refusal({"trainer": {name: value}}, capsys)
    assert f"give --trainer.{name} on the command line" in printed


def test_what_is_allowed_on_the_command_line_is_known_to_no_one_else():
    assert Vocabulary(["friendly"]).knows("class_path", "friendly.segments")
    assert not Vocabulary(["friendly"]).knows("class_path", "friendlyfire.segments")
    assert not Vocabulary().knows("class_path", "friendly.segments")


def test_hostile_configurations_do_nothing_outside_the_run_s_folder_and_end_in_time(tmp_path):
    """HOSTILE_CONFIGURATIONS at random; files, sockets, imports and processes are watched.

    And HOSTILE_NUMBERS with a number that cannot be, which is refused before it costs much.
    """
    counts = [os.environ.get(f"HOSTILE_{kind}", "8") for kind in ("CONFIGURATIONS", "NUMBERS")]
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary" / "x.yaml").write_text(SECRET)
    (tmp_path / "in").mkdir()
    with (tmp_path / "told").open("w+") as told:  # as it comes: a process that hangs tells, too
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.hostile", *counts],
            cwd=tmp_path / "in",
            env=os.environ | {"PYTHONPATH": str(CONFIG.parents[1]), "OMP_NUM_THREADS": "1"},
            stdout=told,
            check=True,
        )
        told.seek(0)
        lines = [line for line in told if not line.startswith("[rank")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("seen 0 ")
    assert {p.name for p in tmp_path.rglob("*") if "canary" in str(p)} == {"canary", "x.yaml"}


def test_a_class_that_has_moved_is_named_with_its_name_of_today(tmp_path, capsys):
    tree = yaml.safe_load(CONFIG.read_text())
    tree["model"]["init_args"]["critic"] = {"class_path": "divergences.networks.MLP"}
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(SystemExit):
        main(["fit", f"--config={tmp_path / 'old.yaml'}", f"--out={tmp_path / 'run'}"])
    assert "networks.MLP has moved: write divergences.MLP" in capsys.readouterr().err


def test_a_text_that_is_there_often_is_parsed_once(tmp_path, monkeypatch):
    parsed, parse = [], plain_yaml._parsed
    monkeypatch.setattr(plain_yaml, "_parsed", lambda text: parsed.append(1) or parse(text))
    row = "[" + ",".join("1" * 300) + "]"
    (tmp_path / "many.yaml").write_text(f"a: &a '{row}'\nb: [{', '.join(['*a'] * 30)}]\n")
    assert read(tmp_path / "many.yaml")["b"] == [[1] * 300] * 30
    assert len(parsed) == 2  # the file, and the text
    (tmp_path / "part.yaml").write_text("class_path: gans.Ring\n")
    (tmp_path / "parts.yaml").write_text("a: [" + ", ".join(["part.yaml"] * 50) + "]\n")
    parsed.clear()
    assert read(tmp_path / "parts.yaml")["a"] == [{"class_path": "gans.Ring"}] * 50
    assert len(parsed) <= 3


@pytest.mark.parametrize("what", ["value", "key"])
def test_what_aliases_make_of_a_long_text_is_counted(tmp_path, what):
    text = "x" * 1000
    often = ", ".join(["*a"] * 600)
    held = {"value": f"a: &a {text}\n", "key": f"a: &a {{{text}: 1}}\n"}[what]
    (tmp_path / "long.yaml").write_text(f"{held}b: [{often}]\nc: [{often}]\n")
    with pytest.raises(ValueError, match=r"more than .* 1000000 letters"):
        read(tmp_path / "long.yaml")


def test_a_list_that_would_be_read_for_minutes_is_refused(tmp_path):
    (tmp_path / "seeds.yaml").write_text(f"model: {{seeds: {list(range(1001))}}}\n")
    with pytest.raises(ValueError, match="a list of 1001 values; give at most 1000"):
        read(tmp_path / "seeds.yaml")


def test_half_a_character_is_named(tmp_path):
    (tmp_path / "half.yaml").write_text('a: "x\\ud800"\n')
    with pytest.raises(ValueError, match="half a character"):
        read(tmp_path / "half.yaml")


@pytest.mark.parametrize("cls", ["CSVLogger", "TensorBoardLogger"])
@pytest.mark.parametrize(
    "prefix", ["=cmd|' /C calc'!A0", "-1+1", "@x", "+1", "a,b", "a\nb", "x" * 41]
)
def test_a_prefix_from_a_file_is_no_formula_in_a_table(cls, prefix, capsys):
    logger = {"class_path": cls, "init_args": {"prefix": prefix}}
    assert "at most 40 letters" in refusal({"trainer": {"logger": logger}}, capsys)


def test_an_error_that_is_its_own_context_ends():
    first, second = ValueError("one"), ValueError("other")
    first.__context__, second.__context__ = second, first
    assert raised_in(first, ["gans"]) == ""
