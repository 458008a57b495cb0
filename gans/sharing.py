"""One run on several processes: each takes its share of every minibatch.

Lightning's own wrapper reduces gradients once per step and knows one backward pass of one model; a
game has several of two, with penalties inside. So the processes share what they have drawn and
average gradients themselves, and nothing is wrapped.
"""

import os
import socket
from collections.abc import Iterable
from datetime import timedelta
from typing import final

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, distributed

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses of this machine that no other reaches."""


@final
class SharedBatch(DDPStrategy):
    """Processes that play one game together, for generators that outgrow one device.

    Each draws the numbers of the whole minibatch and keeps its share, ``batch_size / world_size``
    points a side, so that the run equals that of one process up to the order of sums.

    The processes talk over the loopback interface, which no other machine reaches. Where the
    environment variable ``MASTER_ADDR`` names another address, they listen there: whoever reaches
    it then can take part.

    Example:
        ``python -m scripts.train fit --config ... --trainer.devices 2 --trainer.strategy
        gans.SharedBatch --trainer.strategy.process_group_backend gloo``
    """

    def setup_distributed(self) -> None:
        environment = self.cluster_environment
        if not isinstance(environment, ClusterEnvironment):
            raise TypeError(
                f"cluster_environment = {environment!r}: a Trainer gives the processes one, as "
                "Trainer(strategy=SharedBatch(), devices=2) does"
            )
        if environment.main_address in LOOPBACK and not distributed.is_initialized():
            meet_on_loopback(self)
        super().setup_distributed()

    @property
    def backend(self) -> str:
        """What carries tensors between the processes."""
        devices = self.parallel_devices
        if isinstance(devices, list) and devices and isinstance(devices[0], torch.device):
            return self._get_process_group_backend()
        raise ValueError(
            f"parallel_devices = {devices!r}: a Trainer gives the processes their devices, as "
            "Trainer(strategy=SharedBatch(), devices=2) does"
        )

    @property
    def timeout(self) -> timedelta:
        """How long one process waits for another."""
        return timedelta(minutes=30) if self._timeout is None else self._timeout

    def configure_ddp(self) -> None:
        """Leave the module as it is."""


def meet_on_loopback(strategy: SharedBatch) -> None:
    """Start the process group where only this machine can reach it.

    By itself torch listens on all interfaces for processes to come, and lets them exchange tensors
    over the interface that the machine's name stands for.
    """
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "TP_SOCKET_IFNAME"):
        os.environ.setdefault(variable, loopback_interface())
    strategy.set_world_ranks()
    environment = strategy.cluster_environment
    assert environment is not None
    rank, size, port = environment.global_rank(), environment.world_size(), environment.main_port
    listening = -1
    if rank == 0:
        with socket.create_server(("127.0.0.1", port), backlog=size) as server:
            listening = server.detach()  # the store closes it
    store = distributed.TCPStore(  # pyright: ignore[reportPrivateImportUsage]
        "127.0.0.1",
        port,
        size,
        is_master=rank == 0,
        master_listen_fd=listening if rank == 0 else None,
        wait_for_workers=False,
        timeout=strategy.timeout,
    )
    device = strategy.root_device
    distributed.init_process_group(
        strategy.backend,
        store=store,
        rank=rank,
        world_size=size,
        timeout=strategy.timeout,
        device_id=None if device.type == "cpu" else device,
    )


def loopback_interface() -> str:
    """Name of the loopback interface: ``lo`` on Linux, ``lo0`` on a Mac."""
    return next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "lo")


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
