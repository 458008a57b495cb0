"""Two processes that share every minibatch train what one process trains."""

import os
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from divergences.networks.gradient_penalty import GradientPenalty
from divergences.random_streams import Streams
from gans.modules import WGAN
from gans.monitors import CoveredModes
from gans.monitors.game import AdversarialGame
from gans.sharing import SharedBatch, average_gradients
from gans.targets import Ring

ITERATIONS = 20


def game():
    return WGAN(
        Ring(),
        constraint=GradientPenalty(10.0),
        n_critic=2,
        batch_size=32,
        iterations=ITERATIONS,
        seeds=(0, 1),
    )


def trained(**where):
    module = game()
    pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **where,
    ).fit(module)
    return {name: p.detach() for name, p in module.named_parameters()}


@pytest.mark.parametrize("shape", [(6,), (6, 2)], ids=str)
def test_shares_of_what_is_drawn_make_up_the_whole(shape):
    whole = Streams([3, 4])
    shares = [Streams([3, 4]) for _ in range(3)]
    for rank, streams in enumerate(shares):
        streams.share = (rank, 3)
    for _ in range(3):  # over the end of a block, too
        drawn = torch.stack([s.randn(shape[0] // 3, *shape[1:]) for s in shares], 2).flatten(1, 2)
        assert torch.equal(drawn, whole.randn(*shape))


def test_minibatches_of_two_processes_make_up_those_of_one():
    whole, halves = game(), [game(), game()]
    for rank, module in enumerate(halves):
        module.streams.share = (rank, 2)
    batches = [list(module.minibatches(2)) for module in (whole, *halves)]
    for (real, fake), *shares in zip(*batches, strict=True):
        for side, one in enumerate((real, fake)):
            both = torch.stack([share[side] for share in shares], 2).flatten(1, 2)
            torch.testing.assert_close(both, one)


def test_one_process_keeps_its_gradients():
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter.grad = torch.arange(3.0)
    average_gradients([parameter])
    assert torch.equal(parameter.grad, torch.arange(3.0))


def test_a_batch_that_cannot_be_shared_is_refused():
    module = game()
    module.batch_size = 31
    strategy = SharedBatch(process_group_backend="gloo", start_method="spawn")
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy=strategy, logger=False)
    module._trainer = trainer
    with pytest.raises(ValueError, match="batch_size = 31 cannot be shared by 2 processes"):
        module.on_fit_start()


def listening():
    """Addresses on which this process listens, as the kernel writes them."""
    links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    ours = {os.readlink(link) for link in links}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in ours:
                yield address.partition(":")[0]


class Ears(pl.Callback):
    """Refuses to train while a process of the run listens to other machines."""

    def on_train_batch_end(self, *_):
        heard = set(listening())
        assert heard
        assert heard <= {"0100007F", "0" * 24 + "01000000"}, heard


def test_two_processes_train_what_one_trains():
    strategy = SharedBatch(process_group_backend="gloo", start_method="spawn")
    ears = [Ears()] if Path("/proc/net/tcp").exists() else []
    alone, together = trained(), trained(devices=2, strategy=strategy, callbacks=ears)
    start = {name: p.detach() for name, p in game().named_parameters()}
    moved = 0.0
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-4, atol=1e-6)
        moved = max(moved, float((weight - start[name]).abs().max()))
    assert moved > 1e-3  # a thousand times what they may differ by


def test_what_is_read_of_modes_in_one_process_waits_for_no_other(monkeypatch):
    """Monitors may read in one process of several; collecting from the others would not end."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    found = CoveredModes(50).read(AdversarialGame(game()))
    assert found["modes/covered_1"].shape == (2,)
