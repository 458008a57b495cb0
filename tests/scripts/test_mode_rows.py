"""Rows of the mixtures' table: every one plays, and its numbers are means over its seeds."""

import json
import math

import pytest
import pytorch_lightning as pl
import torch

from divergences.random_streams import Streams
from divergences.whole_files import plain
from gans.callbacks import InMemory
from gans.monitors import (
    CoveredModes,
    CriticSlope,
    DivergenceEstimates,
    PlayerGradients,
)
from gans.networks import points_of
from scripts.benchmark.__main__ import main, parse
from scripts.benchmark.mode_rows import (
    Row,
    Spent,
    as_row,
    measure,
    play,
    quality,
    still,
    transport,
)
from scripts.benchmark.modes import rows_of
from scripts.benchmark.published import published
from scripts.lab.mode_table_settings import PROTOCOLS
from scripts.lab.mode_table_settings.base import Mixture
from scripts.lab.mode_table_settings.our_settings import OURS
from scripts.lab.training_monitors import CriticAgainstTransport

ROWS = [(name, row) for name, protocol in PROTOCOLS.items() for row in protocol.rows]
MIXTURES = [
    (name, target)
    for name, protocol in PROTOCOLS.items()
    for target, on in protocol.mixtures.items()
    if isinstance(on, Mixture)
]


@pytest.mark.parametrize(("protocol", "row"), ROWS, ids=map(" ".join, ROWS))
def test_every_row_plays_one_round_and_can_be_drawn(protocol, row):
    job = Row(protocol, row, next(iter(PROTOCOLS[protocol].mixtures)), seeds=2, share=1e-4)
    module = job.module()
    optimizers = module.configure_optimizers()
    *on_critic, on_generator = optimizers[0] if isinstance(optimizers[0], list) else optimizers
    before = [p.detach().clone() for p in module.generator.parameters() if p.requires_grad]
    for one in on_critic:
        assert torch.isfinite(module.critic_step(one, *next(module.minibatches(1)))).all()
    assert torch.isfinite(module.generator_step(on_generator)).all()
    after = [p for p in module.generator.parameters() if p.requires_grad]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    points = points_of(module.generator, module.streams, 12)
    assert still(module, points, points, job).axes


@pytest.mark.parametrize(("protocol", "target"), MIXTURES, ids=map(" ".join, MIXTURES))
def test_a_perfect_sampler_reads_as_perfect(protocol, target):
    mixture = PROTOCOLS[protocol].mixtures[target]
    read = quality(mixture, Perfect(mixture.target), (0, 1))
    modes = len(mixture.modes.centres)
    assert read["covered_1"] == read["covered_20"] == [modes] * 2
    assert read["high_quality"] == pytest.approx(read["high_quality_perfect"], abs=0.01)
    assert read["core_width"] == pytest.approx([1, 1], abs=0.06)


def test_digits_drawn_from_the_target_cover_all_combinations_evenly():
    digits = PROTOCOLS["digits"].mixtures["stacked_digits"]
    read = quality(digits, Perfect(digits.target), (0, 1))
    assert read["covered_1"] == [1000, 1000]
    # 2 n KL is about chi-square with 999 degrees of freedom; the classifier is right for its own
    expected, n = 999 / 2 / digits.samples, digits.samples
    for kl in read["mode_reverse_kl"]:
        assert kl == pytest.approx(expected, abs=5 * (2 * 999) ** 0.5 / 2 / n)
    assert all(share > 0.95**3 for share in read["high_quality"])  # training digits score higher


def test_held_out_digits_are_of_high_quality_as_often_as_is_defined_and_noise_never():
    digits = PROTOCOLS["digits"].mixtures["stacked_digits"]
    streams = Streams([0])
    held = digits.target.held_out(streams, 898)
    sd = (0.95**3 * (1 - 0.95**3) / 898) ** 0.5
    assert digits.judged(held)["high_quality"].item() == pytest.approx(0.95**3, abs=5 * sd)
    noise = 2 * streams.rand(500, digits.target.pixels) - 1
    assert digits.judged(noise)["high_quality"].item() == 0
    assert digits.judged(noise)["covered_1"].item() > 0


class OneDigit(torch.nn.Module):
    """Draws pictures whose three digits are the same picture."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def draw(self, streams, n):
        points = self.target.draw(streams, n)
        return points[..., : self.target.pixels // 3].repeat(1, 1, 3)


def test_a_generator_of_ten_combinations_covers_ten():
    digits = PROTOCOLS["digits"].mixtures["stacked_digits"]
    read = quality(digits, OneDigit(digits.target), (0, 1))
    assert read["covered_1"] == read["covered_20"] == [10, 10]
    # of k of M nearly equal modes covered evenly it is log(M / k)
    assert read["mode_reverse_kl"] == pytest.approx([math.log(100)] * 2, abs=0.05)


class Perfect(torch.nn.Module):
    """Draws from the target itself."""

    def __init__(self, target):
        super().__init__()
        self.draw = target.draw


@pytest.mark.parametrize("target", OURS.mixtures)
def test_our_data_have_unit_spread(target):
    assert OURS.mixtures[target].target.variance.tolist() == pytest.approx([1, 1], abs=0.01)


def test_w1_of_a_perfect_sampler_is_its_floor_within_what_draws_scatter():
    """The floor of the ring is .063 a radius at n = 1000, .089 here; of one draw the sd is .03."""
    mixture = OURS.mixtures["ring"]
    read = transport(mixture, Perfect(mixture.target), (0, 1))
    for values in map(torch.tensor, read.values()):
        assert len(values) == 2
        assert values.mean().item() == pytest.approx(0.089, abs=4 * 0.03 / 8**0.5)


@pytest.mark.parametrize(
    "monitor", [CoveredModes(50), DivergenceEstimates(50), PlayerGradients(50), CriticSlope(50)]
)
@pytest.mark.filterwarnings("ignore:estimate")
def test_what_watches_a_generator_leaves_its_batch_norm_as_it_was(monitor):
    module = Row("pacgan", "GAN", "ring", seeds=2, share=1e-4).module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    seen = InMemory(monitor, every=1)
    seen.on_train_batch_end(type("Trainer", (), {"global_step": 0})(), module)
    assert all(found.shape in ((2,), ()) for found in seen._found[0].values())
    assert module.generator.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_points_are_judged_with_running_moments():
    """A batch of its own would take the difference between generators of far and near points."""
    module = Row("pacgan", "GAN", "ring", seeds=2, share=1e-4).module()
    norms = [m for m in module.generator.modules() if hasattr(m, "running_mean")]
    a = points_of(module.generator, Streams([0, 1]), 20)
    norms[0].running_mean += 3
    b = points_of(module.generator, Streams([0, 1]), 20)
    assert not torch.allclose(a, b)


class Crash(pl.Callback):
    """Fails after an iteration."""

    def __init__(self, at):
        self.at = at

    def on_train_batch_end(self, trainer, *rest):
        if trainer.global_step == self.at:
            raise OSError("power cut")


@pytest.mark.parametrize(
    ("protocol", "row"),
    [
        ("ours", "relativistic, R1 + R2 annealed"),
        pytest.param("pacgan", "GAN", marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")
def test_a_row_goes_on_where_it_was_stopped(protocol, row, tmp_path):
    """To the last bit: weights, moments of batch normalisation, what was read on the way."""
    iterations = 10
    share = iterations / PROTOCOLS[protocol].mixtures["ring"].iterations
    job = Row(protocol, row, "ring", seeds=2, share=share)

    def played(folder, *more):
        module, spent = job.module(), Spent()
        monitors = CriticAgainstTransport(fresh_steps=5), CoveredModes(n=50)
        looks = [InMemory(monitor, 5, first=True) for monitor in monitors]
        play(module, folder, spent, *looks, *more)
        return module.state_dict() | looks[0].readings | looks[1].readings, spent.seconds

    whole, _ = played(tmp_path / "whole")
    with pytest.raises(OSError, match="power cut"):
        played(tmp_path / "cut", Crash(at=7))
    spent = torch.load(tmp_path / "cut" / "checkpoints" / "last.ckpt")["callbacks"]["Spent"]
    continued, seconds = played(tmp_path / "cut")
    assert seconds > spent["seconds"] > 0
    assert continued.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(
            continued[name], value, rtol=0, atol=0, equal_nan=True, msg=name
        )


def test_a_row_is_the_mean_over_seeds_with_its_standard_error():
    numbers = {
        name: [1.0, 3.0]
        for name in (
            "covered_1",
            "covered_20",
            "high_quality",
            "mode_reverse_kl",
            "core_width",
            "w1",
            "w1_floor",
        )
    }
    record = {
        "protocol": "ours",
        "row": "x",
        "target": "ring",
        "iterations": 10,
        "seeds": 2,
        "cpu_seconds": 1.0,
        "live": numbers | {"mode_reverse_kl": [math.nan, 1.0]},
        "ema": numbers,
        "tells": {"own": [0.5, 0.7], "js": [0.1, 0.1]},
    }
    row = as_row(json.loads(json.dumps(plain(record))))
    assert row["w1"] == 2.0
    assert row["w1_stderr"] == pytest.approx(1.0)
    assert row["own_tells"] == pytest.approx(0.6)
    assert math.isnan(row["mode_reverse_kl"])  # a seed without good samples has none: no mean
    alone = as_row(record | {"seeds": 1, "live": {name: [1.0] for name in numbers}})
    assert alone["w1"] == 1.0
    assert math.isnan(alone["w1_stderr"])


def test_a_protocol_without_averaged_weights_has_no_numbers_for_them():
    names = ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width")
    record = {
        "protocol": "alphagan",
        "row": "x",
        "target": "ring",
        "iterations": 10,
        "seeds": 4,
        "cpu_seconds": 1.0,
        "live": {name: [0.0, 2.0, 0.0, 1.0] for name in (*names, "w1", "w1_floor")},
        "ema": None,
        "tells": {"own": [0.5] * 4, "js": [0.1] * 4},
    }
    row = as_row(record)
    assert math.isnan(row["high_quality_ema"])
    assert math.isnan(row["core_width_ema_stderr"])
    assert row["no_mode"] == 0.5


def test_records_of_different_work_have_different_names():
    work = [
        Row(protocol, row, target, k, share)
        for protocol, row in ROWS
        for target in PROTOCOLS[protocol].mixtures
        for k in (5, 10)
        for share in (1.0, 0.5)
    ]
    assert len({job.key for job in work}) == len(work)


def test_the_hundred_modes_are_trained_only_if_named():
    assert {job.target for job in rows_of(parse(["modes"]))} == {"ring", "grid"}
    stacked = rows_of(parse(["modes", "--targets", "stacked_digits"]))
    assert {(job.protocol, job.target) for job in stacked} == {("digits", "stacked_digits")}
    named = rows_of(parse(["modes", "--targets", "grid100", "--rows", "saturating"]))
    assert [(job.target, job.iterations) for job in named] == [("grid100", 80000)]


@pytest.mark.parametrize(
    ("protocol", "row", "iterations", "batch"),
    [
        ("pacgan", "GAN", 400_000, 100),
        ("pacgan", "PacGAN4", 400_000, 400),
        ("gdpp", "WGAN-GP", 25_000, 512),
        ("alphagan", "saturating", 156_400, 128),
    ],
)
def test_published_rows_have_their_length_and_batch(protocol, row, iterations, batch):
    job = Row(protocol, row, "ring", seeds=2)
    module = job.module()
    assert (job.iterations, module.batch_size) == (iterations, batch)
    assert module.target.centres.norm(dim=-1).tolist() == pytest.approx([1] * 8)
    assert module.generator_ema is None
    assert module.scheduler_factory is None


def test_published_rows_name_their_protocol():
    rows = [row for name in ("ring", "grid") for row in published("modes", target=name)]
    assert len(rows) == 22
    assert all("arXiv" in row["source"] and 0 < row["high_quality"] <= 1 for row in rows)
    assert all(row["covered_1"] <= {"ring": 8, "grid": 25}[row["target"]] for row in rows)
    stacked = published("modes", target="stacked_digits")
    assert len(stacked) == 10
    assert all("arXiv" in row["source"] and row["high_quality"] is None for row in stacked)


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["modes", "--rows", "perfect"], "--rows perfect: protocol ours has saturating"),
        (["modes", "--protocol", "gdpp", "--rows", "PacGAN2"], "protocol gdpp has GAN, WGAN-GP"),
        (["modes", "--protocol", "alphagan", "--targets", "grid"], "--targets grid"),
        (["modes", "--protocol", "theirs"], "theirs"),
        (["modes", "--share", "0"], "--share: 0"),
        (["modes", "--seeds", "0"], "--seeds: 0"),
        (["estimators", "--repeats", "1"], "--repeats: 1"),
        (["estimators", "--sizes", "4"], "--sizes: 4"),
        (["estimators", "--workers", "0"], "--workers: 0"),
    ],
)
def test_bad_flags_are_named(flags, names, capsys):
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert names in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "row", "share"),
    [
        ("ours", "relativistic, R1 + R2", 0.05),
        ("pacgan", "PacGAN3", 1e-4),
        ("digits", "relativistic, R1", 2e-3),
    ],
)
def test_a_record_holds_every_seed(protocol, row, share, tmp_path):
    target = next(iter(PROTOCOLS[protocol].mixtures))
    record = measure(str(tmp_path), Row(protocol, row, target, seeds=2, share=share))
    assert len(record["live"]["high_quality"]) == len(record["tells"]["own"]) == 2
    assert len(record["looks"]) == len(record["seen"]["covered_20"][1]) == 21
    assert list((tmp_path / "figures").glob("*.png"))
    assert as_row(plain(record))["w1"] > 0
