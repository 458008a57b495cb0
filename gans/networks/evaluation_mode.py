"""Networks as they are when they do not learn: normalised as they have been on average."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from divergences.random_streams import Streams


@contextmanager
def evaluating(networks: Iterable[nn.Module]) -> Iterator[None]:
    """All networks and their parts in evaluation mode; afterwards as they were.

    Example:
        >>> net = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
        >>> with evaluating([net]):
        ...     net[0].training
        False
        >>> net.training, net[0].training, net[1].training
        (True, True, False)
    """
    before = {part: part.training for network in networks for part in network.modules()}
    try:
        for part in before:
            part.training = False
        yield
    finally:
        for part, training in before.items():
            part.training = training


@torch.no_grad()
def points_of(generator: nn.Module, streams: Streams, n: int) -> Tensor:
    """What a generator makes when it is not learning, ``(K, n, d)``."""
    with evaluating([generator]):
        return generator.draw(streams, n)  # pyright: ignore
