"""One run on several processes: each takes its share of every minibatch.

Lightning's own wrapper reduces gradients once per step and knows one backward pass of one model; a
game has several of two, with penalties inside. So the processes share what they have drawn and
average gradients themselves, and nothing is wrapped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, distributed


@final
class SharedBatch(DDPStrategy):
    """Processes that play one game together, for generators that outgrow one device.

    Each draws the numbers of the whole minibatch and keeps its share, ``batch_size / world_size``
    points a side, so that the run equals that of one process up to the order of sums.

    Example:
        ``python -m scripts.train fit --config ... --trainer.devices 2 --trainer.strategy
        gans.SharedBatch --trainer.strategy.process_group_backend gloo``
    """

    def configure_ddp(self) -> None:
        """Leave the module as it is."""


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace gradients by their means over processes; nothing where there is only one."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    shares = flat.split([g.numel() for g in gradients])
    for gradient, share in zip(gradients, shares, strict=True):
        gradient.copy_(share.view_as(gradient))
