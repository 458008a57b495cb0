"""Twelve small GANs, eleven of which fail, each in its own way: which states are named?

Run ``python -m scripts.examples.staged_failures 100 101 102``: a table with one row for each GAN,
and how often the state was named on these seeds.
"""

import contextlib
import io
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gans import DivergenceMonitor, NonSaturating, Objective, Wasserstein

CENTRES = 2 * torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
RESOLVED = "W1 below what the sample resolves"
"""No failure: training has come as close as the monitor's points can show."""


def blobs(n: int, modes: int = 4) -> Tensor:
    """Points of the first modes of four, shape ``(n, 2)``."""
    return CENTRES[torch.randint(modes, (n,))] + 0.3 * torch.randn(n, 2)


def perceptron(d_in: int, d_out: int, middle: Callable[[], nn.Module] = nn.Identity) -> nn.Module:
    layers = nn.Linear(d_in, 64), middle(), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2)
    return nn.Sequential(*layers, nn.Linear(64, d_out))


class Table(nn.Module):
    """A generator with one learned point for each of 64 values of its noise."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Embedding(64, 2)

    def forward(self, noise: Tensor) -> Tensor:
        return self.points((noise[:, 0].sigmoid() * 64).long().clamp(max=63))


@dataclass(frozen=True)
class Staged:
    """One GAN and what is wrong with it.

    Attributes:
        state: The name that it should be given, or ``""``.
        modes: How many of the four modes the training points are of.
        points: So many training points; the monitor compares with these if there are few.
        generator: Makes the generator.
        loss: ``"-log D"``, ``"log(1 - D)"``, ``"w1"`` or ``"nearest"``, the distances of
            training points and generated ones to the nearest of the others.
        sign: -1 swaps the labels of real and generated points for the critic.
        clip: Largest weight of the critic.
        r1: Weight of the squared slope at real points.
        critic_steps: For each step of the generator.
        rates: Learning rates of generator and critic.
        scale: What training points are multiplied by before training.
        start: Where the generator's points lie at first.
        steps: Of the generator.
    """

    state: str
    modes: int = 4
    points: int = 4000
    generator: Callable[[], nn.Module] = lambda: perceptron(4, 2)
    loss: str = "-log D"
    sign: float = 1.0
    clip: float | None = None
    r1: float = 0.1
    critic_steps: int = 1
    rates: tuple[float, float] = (5e-4, 5e-4)
    scale: float = 1.0
    start: float = 0.0
    steps: int = 1500

    @property
    def objective(self) -> Objective | None:
        return Wasserstein() if self.loss == "w1" else NonSaturating()


def normalised() -> nn.Module:
    """Its running moments hardly move in the time of training, and start far from the batches'."""
    network = perceptron(4, 2, lambda: nn.BatchNorm1d(64, momentum=1e-5))
    nn.init.normal_(next(network.parameters()), std=3.0)
    return network


FAILURES = {
    "healthy": Staged("", steps=3000),
    "saturated discriminator": Staged(
        "JS at log 2", loss="log(1 - D)", r1=0, critic_steps=10, rates=(1e-5, 1e-3), start=6.0,
        steps=400,
    ),
    "flat, clipped critic": Staged(
        "critic too flat", loss="w1", clip=0.01, r1=0, critic_steps=5, rates=(5e-5, 5e-5),
        steps=600,
    ),
    "exploding critic": Staged(
        "exploding critic", loss="w1", r1=0, critic_steps=5, rates=(1e-4, 1e-2), steps=400
    ),
    "one mode of four": Staged("missing regions", modes=1),
    "two modes of four": Staged("missing regions", modes=2),
    "memorised training set": Staged(
        "copies of training points", points=64, generator=Table, loss="nearest", rates=(1e-2, 0),
        steps=1500,
    ),
    "generator's learning rate 0": Staged("generator does not move", rates=(0.0, 5e-4), steps=400),
    "labels swapped": Staged("labels swapped", sign=-1, steps=600),
    "generator and data on different scales": Staged("another scale", scale=100.0, steps=300),
    "NaN": Staged("not finite", loss="w1", r1=0, rates=(1e18, 1e18), steps=60),
    "batch normalisation": Staged("batch normalisation", generator=normalised, steps=800),
}  # fmt: skip


def train(staged: Staged, seed: int, looks: int = 4) -> list[str]:
    """Names of the states after the last of several looks."""
    torch.manual_seed(seed)
    data = staged.scale * blobs(staged.points, staged.modes)
    real = data if staged.points < 100 else staged.scale * blobs(2000)
    generator, critic = staged.generator(), perceptron(2, 1)
    monitor = DivergenceMonitor(
        real,
        lambda n: generator(torch.randn(n, 4)) + staged.start,
        critic,
        objective=staged.objective,
    )
    for_g, for_d = (
        torch.optim.Adam(net.parameters(), rate, (0.5, 0.999))
        for net, rate in zip((generator, critic), staged.rates, strict=True)
    )
    with contextlib.redirect_stdout(io.StringIO()):
        for step in range(staged.steps):
            if step % (staged.steps // looks) == 0:
                monitor.read(step)
            _step(staged, data, generator, critic, for_g, for_d)
        monitor.read(staged.steps)
    return [state.name for state in monitor.states]


def _step(
    staged: Staged, data: Tensor, generator: nn.Module, critic: nn.Module, for_g: Any, for_d: Any
) -> None:
    soft = (lambda x: x) if staged.loss == "w1" else nn.functional.softplus

    def drawn() -> tuple[Tensor, Tensor]:
        return data[torch.randint(len(data), (64,))], generator(torch.randn(64, 4)) + staged.start

    if staged.loss == "nearest":
        apart = torch.cdist(data, generator(torch.randn(512, 4)))
        loss = apart.amin(0).square().mean() + apart.amin(1).square().mean()
    else:
        for _ in range(staged.critic_steps):
            real, fake = drawn()
            real.requires_grad_(True)
            on_real, on_fake = staged.sign * critic(real), staged.sign * critic(fake.detach())
            loss = (soft(-on_real) + soft(on_fake)).mean()
            if staged.r1:
                (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
                loss = loss + staged.r1 * slope.square().sum(1).mean()
            _descend(for_d, loss)
            if staged.clip is not None:
                for weight in critic.parameters():
                    weight.data.clamp_(-staged.clip, staged.clip)
        on_fake = critic(drawn()[1])
        loss = (soft(-on_fake) if staged.loss != "log(1 - D)" else -soft(on_fake)).mean()
    _descend(for_g, loss)


def _descend(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def main(*seeds: int) -> None:
    """Print which states are named on these seeds, and how often."""
    right = 0
    print("| GAN | should be named | named right | also named |\n|---|---|---|---|")
    for name, staged in FAILURES.items():
        found = [train(staged, seed) for seed in seeds]
        named = [[state for state in states if state != RESOLVED] for states in found]
        hits = sum(staged.state in states if staged.state else not states for states in named)
        others = Counter(s for states in named for s in states if s != staged.state)
        also = ", ".join(f"{other} ({count})" for other, count in others.items()) or ""
        right += hits == len(seeds)
        print(
            f"| {name} | {staged.state or 'nothing'} | {hits} of {len(seeds)} | {also} |",
            flush=True,
        )
    print(f"\n{right} of {len(FAILURES)} are named right on all seeds {list(seeds)}")


if __name__ == "__main__":
    main(*(map(int, sys.argv[1:]) if sys.argv[1:] else (0,)))
