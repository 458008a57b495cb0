"""A generator held fixed, what its gradient is through an opponent, and how that is drawn."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from divergences import Streams
from divergences.learned.sources import Source
from gans import Embedded, Generator, NoiseGenerator, ParallelSegments, Ring, SegmentGenerator

BLUR = 0.5
"""Noise that makes the supports overlap: half the radius of the ring."""


@final
class Noisy:
    """A source whose every point is moved by normal noise of standard deviation ``scale``."""

    def __init__(self, source: Source, scale: float):
        self.source, self.scale = source, scale

    def draw(self, streams: Streams, n: int) -> Tensor:
        points = self.source.draw(streams, n)
        return points + self.scale * streams.randn(n, points.shape[-1])


class Pair(NamedTuple):
    """Two laws, and the parameters of the generator behind the second."""

    real: Source
    fake: Source
    generator: Generator


def segments(seeds: Sequence[int]) -> Pair:
    generator = SegmentGenerator(Streams(seeds, "generator"))
    return Pair(ParallelSegments(0.0), generator, generator)


def random_generator(seeds: Sequence[int]) -> Pair:
    generator = NoiseGenerator(Streams(seeds, "generator"), 2, hidden=(64, 64))
    return Pair(Ring(), generator, generator)


def random_generator_32(seeds: Sequence[int]) -> Pair:
    generator = NoiseGenerator(Streams(seeds, "generator"), 32, hidden=(64, 64))
    return Pair(Embedded(Ring(), 32), generator, generator)


def blurred(seeds: Sequence[int]) -> Pair:
    real, fake, generator = random_generator(seeds)
    return Pair(Noisy(real, BLUR), Noisy(fake, BLUR), generator)


def looks(steps: int, count: int) -> list[int]:
    """About ``count`` steps from 1 to ``steps``, evenly spaced on a logarithmic axis."""
    at = torch.logspace(0, math.log10(steps), count, dtype=torch.float64)
    return at.round().long().unique().tolist()


def generator_gradient(
    network: nn.Module, pair: Pair, loss: Callable[[Tensor], Tensor], streams: Streams, n: int
) -> list[Tensor]:
    """Gradient of ``loss`` of the network's scores on ``n`` fakes, per parameter ``(K, ...)``.

    The network is read as it will be used, in ``eval()`` mode, and left as it was.
    """
    weights, training = list(pair.generator.parameters()), network.training
    pair.generator.requires_grad_(True)
    network.eval()
    scores = network(pair.fake.draw(streams, n)).squeeze(-1)
    gradient = torch.autograd.grad(loss(scores).sum(), weights)
    network.train(training)
    pair.generator.requires_grad_(False)
    return list(gradient)


def geometric_band(
    axes: Axes, steps: Sequence[int], norms: Tensor, colour: str, label: str, style: str = "-"
) -> None:
    """Geometric mean over seeds, the first dimension, with the range over seeds as a band."""
    axes.fill_between(steps, norms.amin(0), norms.amax(0), color=colour, alpha=0.25, lw=0)
    axes.plot(steps, norms.log().mean(0).exp(), style, color=colour, lw=1.6, label=label)
