"""What holds on the processor holds on a GPU; skipped, with the reason, where there is none."""

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from divergences import LipschitzPenalty, Streams
from gans import WGAN, Convolutions, Images, NoiseGenerator, UpConvolutions
from gans.callbacks import Checkpoints
from gans.runtime.matmul_precision import errors_of, take_accurate_products

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="needs a GPU; torch.cuda.is_available() is False"
    ),
]
SHAPE = (1, 8, 8)


def game(iterations=4, seeds=(0, 1)):
    pictures = np.random.default_rng(0).integers(0, 17, (40, 8, 8))
    up = partial(UpConvolutions, shape=SHAPE)
    return WGAN(
        Images(pictures, levels=17),
        LipschitzPenalty(),
        generator=partial(NoiseGenerator, latent=5, hidden=(6, 4), network=up),
        critic=partial(Convolutions, shape=SHAPE, hidden=(4, 6)),
        iterations=iterations,
        seeds=seeds,
        batch_size=8,
    )


def trained(folder, accelerator, drawn_on=None, **settings):
    module = game(**settings.pop("game", {}))
    module.streams.drawn_on = drawn_on
    trainer = pl.Trainer(
        max_epochs=1, accelerator=accelerator, devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        callbacks=[Checkpoints(every=2)], deterministic=True,
    )  # fmt: skip
    trainer.fit(module, weights_only=True, **settings)
    return {name: value.cpu() for name, value in module.state_dict().items()}


def test_a_run_is_that_of_the_processor_up_to_rounding(tmp_path):
    here = trained(tmp_path / "a", "cpu")
    there = trained(tmp_path / "b", "gpu", torch.device("cpu"))
    for name, value in here.items():
        torch.testing.assert_close(there[name], value, rtol=1e-2, atol=1e-3, msg=name)


def test_a_resumed_run_continues_bit_for_bit(tmp_path):
    whole = trained(tmp_path / "a", "gpu")
    path = tmp_path / "a" / "checkpoints" / "step=2.ckpt"
    resumed = trained(tmp_path / "b", "gpu", ckpt_path=path)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_numbers_of_the_processor_are_the_same_wherever_they_are_wanted():
    here, there = Streams([0, 1]), Streams([0, 1], device="cuda")
    there.drawn_on = torch.device("cpu")
    assert torch.equal(here.randn(5, 2), there.randn(5, 2).cpu())


def test_numbers_drawn_on_the_device_do_not_depend_on_neighbours():
    alone, among = Streams([7], device="cuda"), Streams([1, 7, 3], device="cuda")
    for _ in range(200):
        assert torch.equal(alone.rand(64, 2)[0], among.rand(64, 2)[1])
        assert torch.equal(alone.randn(64)[0], among.randn(64)[1])
    assert all(g.device.type == "cuda" for c in among._channels.values() for g in c.generators)


def test_streams_of_the_device_continue_bit_for_bit():
    straight = Streams([0, 5], device="cuda")
    for _ in range(200):
        straight.rand(512)
    resumed = Streams([0, 5])  # a checkpoint is read before a run is on its device
    resumed.load_state_dict(straight.state_dict())
    resumed.device = torch.device("cuda")
    for _ in range(150):
        assert torch.equal(straight.rand(512), resumed.rand(512))


def test_numbers_of_the_device_are_uniform_and_normal():
    streams = Streams(range(4), device="cuda", dtype=torch.float64)
    uniform = torch.stack([streams.rand(1000) for _ in range(50)]).flatten()
    normal = torch.stack([streams.randn(1000) for _ in range(50)]).flatten()
    n = uniform.numel()
    assert abs(uniform.mean() - 0.5) < 5 * (1 / 12 / n) ** 0.5
    assert abs(normal.mean()) < 5 / n**0.5
    assert abs(normal.var() - 1) < 5 * (2 / n) ** 0.5


def test_products_are_as_accurate_as_float32_where_they_are_taken():
    before = torch.get_float32_matmul_precision()
    try:
        take_accurate_products("cuda")
        assert errors_of(lambda x, w: (x.cuda() @ w.cuda()).cpu()).are_rounding
    finally:
        torch.set_float32_matmul_precision(before)
