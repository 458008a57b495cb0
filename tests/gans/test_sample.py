"""Points of trained generators, from a run's folder."""

import re
import sys

import numpy as np
import pytest
import torch
import yaml

from gans import MinimumDistance, NoiseGenerator, Ring, VanillaGAN
from gans.callbacks.checkpoint_digests import sealed
from gans.cli.command import main
from gans.cli.sample import restored

SETTINGS = ("--model.iterations=6", "--checkpoint.every=2", "--trainer.accelerator=cpu")
SMALL = """
model:
  class_path: gans.VanillaGAN
  init_args:
    target: gans.Ring
    generator: {class_path: gans.NoiseGenerator, init_args: {hidden: [8], bits: 1}}
    generator_optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}
    ema: 0.5
    batch_size: 16
    seeds: [5, 6]
pictures: null
divergences: null
lipschitz: null
coverage: null
gradients: null
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of six iterations, and its folder."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "small.yaml").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["gans"])
        main(
            [
                "fit",
                "--config",
                str(folder / "small.yaml"),
                "--out",
                str(folder / "run"),
                *SETTINGS,
            ]
        )
    return folder / "run"


def sampled(run, out, *flags):
    main(["sample", str(run), "--out", str(out), "-n", "50", *flags])
    return np.load(out) if out.suffix == ".npy" else np.loadtxt(out, delimiter=",", ndmin=2)


def test_the_points_are_those_of_the_checkpoint(run, tmp_path, capsys):
    state = torch.load(run / "checkpoints" / "000006.ckpt", weights_only=True)["state_dict"]
    alone = VanillaGAN(
        Ring(),
        generator=lambda streams, d: NoiseGenerator(streams, d, hidden=[8], bits=1),
        ema=0.5,
        seeds=[5, 6],
    )
    alone.load_state_dict(state)
    points = sampled(run, tmp_path / "points.npy", "--member", "1", "--seed", "3")
    assert np.array_equal(points, alone.sample(50, seed=3)[1].numpy())
    assert "seed 6 after iteration 6, averaged weights" in capsys.readouterr().out


def test_each_choice_gives_other_points_and_the_same_choice_the_same(run, tmp_path):
    choices = [
        (),
        ("--member", "1"),
        ("--seed", "1"),
        ("--live",),
        ("--checkpoint", "000002.ckpt"),
    ]
    found = [sampled(run, tmp_path / f"{i}.npy", *flags) for i, flags in enumerate(choices)]
    assert len({points.tobytes() for points in found}) == len(choices)
    assert np.array_equal(sampled(run, tmp_path / "again.npy"), found[0])


def test_a_text_file_reads_back_the_same(run, tmp_path):
    text, binary = sampled(run, tmp_path / "a.csv"), sampled(run, tmp_path / "a.npy")
    assert np.array_equal(text.astype(np.float32), binary)


def test_a_damaged_checkpoint_is_named_and_passed_over(run, tmp_path, capsys):
    newest = run / "checkpoints" / "000006.ckpt"
    whole = newest.read_bytes()
    newest.write_bytes(whole[: len(whole) // 2])
    try:
        sampled(run, tmp_path / "a.npy")
    finally:
        newest.write_bytes(whole)
    said = capsys.readouterr()
    assert "000006.ckpt is damaged" in said.err
    assert "after iteration 4" in said.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--member", "2"), "this run has members 0 to 1"),
        (("--member", "-1"), "this run has members 0 to 1"),
        (("-n", "0"), "n = 0"),
        (("--checkpoint", "no.ckpt"), "no such file"),
        (("--out", "points.txt"), "ends in .npy or .csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(flags, said, run, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["sample", str(run), "--out", str(tmp_path / "a.npy"), *flags])
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_stays(run, tmp_path, capsys):
    (tmp_path / "a.npy").write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        sampled(run, tmp_path / "a.npy")
    assert (tmp_path / "a.npy").read_text() == "mine"


@pytest.mark.parametrize(
    "model", [None, 3, {"class_path": "os.system"}, {"class_path": "gans.Ring"}]
)
def test_a_configuration_that_describes_no_module_builds_nothing(model, run, tmp_path, capsys):
    other = tmp_path / "run"
    (other / "checkpoints").mkdir(parents=True)
    (other / "checkpoints" / "000006.ckpt").symlink_to(run / "checkpoints" / "000006.ckpt")
    (other / "config.yaml").write_text(yaml.safe_dump({"model": model}))
    with pytest.raises(SystemExit, match="2"):
        sampled(other, tmp_path / "a.npy")
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_of_another_model_is_refused(run, tmp_path):
    other = tmp_path / "config.yaml"
    other.write_text((run / "config.yaml").read_text().replace("- 8\n", "- 9\n"))
    with pytest.raises(ValueError, match="is not of the model that"):
        restored(tmp_path, str(run / "checkpoints" / "000006.ckpt"), ())


def test_many_points_are_made_in_parts_that_differ():
    module = MinimumDistance(Ring(), seeds=[0])
    points = module.sample(40_000)[0]
    assert points.shape == (40_000, 2)
    assert len(points.unique(dim=0)) == 40_000


@pytest.mark.parametrize(
    "state", [{}, {1: torch.ones(2)}, {"generator": 3}, {"x": None}, {"a": {"b": 1}}], ids=str
)
def test_a_checkpoint_without_the_generator_s_weights_is_refused(state, run, tmp_path, capsys):
    whole = torch.load(run / "checkpoints" / "000006.ckpt", weights_only=True)
    path = tmp_path / "000006.ckpt"
    torch.save(sealed({**whole, "state_dict": state}), path)
    with pytest.raises(SystemExit, match="2"):
        sampled(run, tmp_path / "a.npy", "--checkpoint", str(path))
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "000006.ckpt" in error


def test_without_a_number_it_makes_the_thousand_points_that_its_help_says(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["sample", "--help"])
    [said] = re.findall(r"-n N +points \(default:? (\d+)\)", capsys.readouterr().out)
    main(["sample", str(run), "--out", str(tmp_path / "points.npy")])
    assert len(np.load(tmp_path / "points.npy")) == int(said) == 1000
