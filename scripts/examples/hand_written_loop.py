"""A GAN in a plain PyTorch loop, and a monitor.

Run ``python -m scripts.examples.hand_written_loop``.
"""

import sys

import torch
from torch import Tensor, nn

from gans import DivergenceMonitor, NonSaturating


def circle(n: int) -> Tensor:
    """Points near the unit circle, shape ``(n, 2)``."""
    angle = 6.2832 * torch.rand(n)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def main(steps: int = 2000, every: int = 500) -> DivergenceMonitor:
    G = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 2))
    D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    for_g, for_d = (torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.999)) for net in (G, D))
    loss = nn.functional.softplus
    monitor = DivergenceMonitor(
        circle, lambda n: G(torch.randn(n, 2)), critic=D, objective=NonSaturating()
    )
    for step in range(steps + 1):
        if step % every == 0:
            monitor.read(step)
        real, fake = circle(64), G(torch.randn(64, 2))
        for_d.zero_grad()
        (loss(-D(real)) + loss(D(fake.detach()))).mean().backward()
        for_d.step()
        for_g.zero_grad()
        loss(-D(fake)).mean().backward()
        for_g.step()
    return monitor


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
