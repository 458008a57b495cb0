"""What a user would write otherwise: a plain loop, and the usual Lightning module.

One model at a time: K members take K times as long, so these run with one member.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, final

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam
from torch.utils.data import DataLoader

from scripts.benchmark.racing.tasks import DIMENSION, LATENT, PENALTY, RATE, Size, Steps, Task
from scripts.lab.training import quiet_trainer


def perceptron(inputs: int, size: Size, outputs: int) -> nn.Sequential:
    widths = (inputs, *size.hidden)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


class Model:
    """A generator and a critic, their losses, and points of the ring."""

    def __init__(self, task: Task, size: Size):
        self.task, self.batch = task, size.batch
        self.generator = perceptron(LATENT, size, DIMENSION)
        self.critic = perceptron(DIMENSION, size, 1)
        angles = torch.arange(8) * (2 * math.pi / 8)
        self.centres = torch.stack([angles.cos(), angles.sin()], -1)

    def real(self) -> Tensor:
        which = torch.randint(8, (self.batch,))
        return self.centres[which] + 0.01 * torch.randn(self.batch, DIMENSION)

    def fake(self) -> Tensor:
        return self.generator(torch.randn(self.batch, LATENT))

    def critic_loss(self) -> Tensor:
        real = self.real()
        with torch.no_grad():
            fake = self.fake()
        on_real, on_fake = self.critic(torch.cat([real, fake])).chunk(2)
        if not self.task.wasserstein:
            return softplus(-on_real).mean() + softplus(on_fake).mean()
        share = torch.rand(self.batch, 1)
        between = (share * real + (1 - share) * fake).requires_grad_(True)
        scores = self.critic(between)
        (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        penalty = PENALTY * (slope.norm(dim=1) - 1).square().mean()
        return on_fake.mean() - on_real.mean() + penalty

    def generator_loss(self) -> Tensor:
        on_fake = self.critic(self.fake())
        return -on_fake.mean() if self.task.wasserstein else softplus(-on_fake).mean()


def plain_loop(task: Task, size: Size) -> Steps:
    """A loop without a framework, as fast as it is written by hand: fused Adam, one pass."""
    model = Model(task, size)
    on_critic = Adam(model.critic.parameters(), lr=RATE, fused=True)
    on_generator = Adam(model.generator.parameters(), lr=RATE, fused=True)

    def steps(n: int) -> int:
        for _ in range(n):
            for _ in range(task.n_critic):
                on_critic.zero_grad()
                model.critic_loss().backward()
                on_critic.step()
            if task.game:
                on_generator.zero_grad()
                model.generator_loss().backward()
                on_generator.step()
        return n

    return steps


@final
class UsualModule(pl.LightningModule):
    """A GAN as Lightning's own examples have it: manual optimisation, toggled optimizers."""

    def __init__(self, task: Task, size: Size, log: bool):
        super().__init__()
        self.automatic_optimization = False
        self.task, self.model, self.log_every_step = task, Model(task, size), log
        self.generator, self.critic = self.model.generator, self.model.critic

    def configure_optimizers(self) -> Any:
        return [Adam(net.parameters(), lr=RATE) for net in (self.critic, self.generator)]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        on_critic, on_generator = self.optimizers()  # pyright: ignore
        for _ in range(self.task.n_critic):
            self.play(on_critic, self.model.critic_loss, "critic")
        if self.task.game:
            self.play(on_generator, self.model.generator_loss, "generator")

    def play(self, optimizer: Any, loss: Callable[[], Tensor], name: str) -> None:
        self.toggle_optimizer(optimizer)
        value = loss()
        if self.log_every_step:
            self.log(name, value)
        optimizer.zero_grad()
        self.manual_backward(value)
        optimizer.step()
        self.untoggle_optimizer(optimizer)


def usual_module(task: Task, size: Size, log: bool = False) -> Steps:
    """Steps of the usual module, through a trainer and a loader."""
    module = UsualModule(task, size, log)

    def steps(n: int) -> int:
        quiet_trainer(devices=1).fit(module, DataLoader(range(n)))  # pyright: ignore
        return n

    return steps
