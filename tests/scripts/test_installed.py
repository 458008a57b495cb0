"""The installed commands: what they list, find and copy, from a wheel and from any folder."""

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import torch
import yaml

from gans.cli import shipped
from gans.cli.command import main

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_every_configuration_is_listed_with_what_it_shows(capsys):
    main(["configs"])
    printed = capsys.readouterr().out
    names = [path.stem for path in sorted((ROOT / "configs").glob("*.yaml"))]
    assert [line for line in printed.splitlines() if line in names] == names
    assert (
        "    on a ring of 8 modes the discriminator's JS stays near log 2 while W1 falls"
        in printed
    )


def test_configurations_are_copied_and_nothing_is_overwritten(tmp_path, capsys):
    main(["configs", "ring_gan", "segments_wgan_lp.yaml", "--to", "mine"])
    assert capsys.readouterr().out.split() == ["mine/ring_gan.yaml", "mine/segments_wgan_lp.yaml"]
    assert (tmp_path / "mine/ring_gan.yaml").read_text() == (
        ROOT / "configs/ring_gan.yaml"
    ).read_text()
    for names, reason in (
        (["segments_wgan_gp", "ring_gan"], "mine/ring_gan.yaml is there already"),
        (["segments_wgan_gp", "../x"], "there is no configuration ../x"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["configs", *names, "--to", "mine"])
        assert caught.value.code == 2
        assert reason in capsys.readouterr().err
    assert len(list((tmp_path / "mine").iterdir())) == 2


def test_a_file_of_one_s_own_comes_before_a_shipped_one(tmp_path):
    assert shipped.found("ring_gan.yaml") == ROOT / "configs" / "ring_gan.yaml"
    assert shipped.found("configs/ring_gan.yaml") == ROOT / "configs" / "ring_gan.yaml"
    assert shipped.found("elsewhere/ring_gan.yaml") == Path("elsewhere/ring_gan.yaml")
    assert shipped.found("../ring_gan.yaml") == Path("../ring_gan.yaml")
    assert shipped.found("ring_gan.txt") == Path("ring_gan.txt")
    (tmp_path / "ring_gan.yaml").touch()
    assert shipped.found("ring_gan.yaml") == Path("ring_gan.yaml")


def test_help_of_the_command_is_a_line_for_each_part(capsys):
    for arguments in ([], ["--help"]):
        main(arguments)
        printed = capsys.readouterr().out
        assert "gans fit --config NAME" in printed
        assert re.findall(r"gans (\w+) ", printed)[:4] == ["fit", "fit", "sample", "configs"]
        assert printed.count("\n") == 3


def test_the_wheel_takes_the_configurations_along():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"configs": "gans/configs"}
    assert PROJECT["project"]["scripts"] == {
        "divergences": "divergences.comparison.command:main",
        "gans": "gans.cli.command:main",
    }


@pytest.mark.slow
def test_a_wheel_offers_its_commands_in_any_folder(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"],
        cwd=ROOT,
        check=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    installed = [entry for entry in sys.path if entry.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(installed))
    bin, work = tmp_path / "env" / "bin", tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command):
        return subprocess.run(
            [str(part) for part in command],
            cwd=work, env=environment, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    run(bin / "python", "-m", "pip", "install", "--no-index", "--no-deps", wheel)
    where = run(bin / "python", "-c", "import gans; print(gans.__file__)")
    assert Path(where.strip()).is_relative_to(packages)
    assert "segments_wgan_lp" in run(bin / "gans", "configs")
    run(bin / "gans", "configs", "ring_gan")
    assert yaml.safe_load((work / "ring_gan.yaml").read_text())["model"]
    short = ["--model.iterations=2", "--model.seeds=[0]", "--model.batch_size=8"]
    run(bin / "gans", "fit", "--config", "segments_wgan_lp", *short)
    assert (work / "runs" / "segments_wgan_lp" / "checkpoints" / "000002.ckpt").is_file()
    torch.manual_seed(0)
    for name in "ab":
        rows = [",".join(map(str, row)) for row in torch.randn(60, 2).tolist()]
        (work / f"{name}.csv").write_text("\n".join(["x,y", *rows]))
    assert "W1" in run(bin / "divergences", "a.csv", "b.csv")
