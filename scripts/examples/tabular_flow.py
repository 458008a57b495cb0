"""A normalizing flow of zuko on a table of ten columns, and a monitor.

Install ``.[examples]``, then run ``python -m scripts.examples.tabular_flow``.
"""

import sys

import torch
import zuko  # pyright: ignore[reportMissingImports]  # of the group examples
from sklearn.datasets import load_breast_cancer
from torch import Tensor

from gans import DivergenceMonitor


def table() -> Tensor:
    """Logarithms of ten measurements of 569 cell nuclei, standardised, shape ``(569, 10)``."""
    numbers = torch.as_tensor(load_breast_cancer().data[:, :10])  # pyright: ignore
    logarithms = (numbers + 0.01).log().float()
    order = torch.randperm(len(logarithms), generator=torch.Generator().manual_seed(0))
    return ((logarithms - logarithms.mean(0)) / logarithms.std(0))[order]


def main(steps: int = 1000, every: int = 250) -> DivergenceMonitor:
    points = table()
    training, held_out = points[:369], points[369:]
    flow = zuko.flows.NSF(features=10, transforms=3, hidden_features=(64, 64))
    optimizer = torch.optim.Adam(flow.parameters(), 1e-3)
    monitor = DivergenceMonitor(held_out, lambda n: flow())
    for step in range(steps + 1):
        if step % every == 0:
            monitor.read(step)
        loss = -flow().log_prob(training[torch.randint(len(training), (128,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return monitor


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*map(int, sys.argv[1:]))
