"""What a learned estimator draws its points from: laws of K members, or of all alike."""

from collections.abc import Sequence
from typing import Any, Protocol, final

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from divergences.array_likes import as_sample
from divergences.checks import shown
from divergences.random_streams import Streams
from divergences.sample_warnings import FLATTEN


class Source(Protocol):
    """Anything points can be drawn from, for all members at once."""

    def draw(self, streams: Streams, n: int) -> Tensor:
        """Points of shape ``(K, n, d)``."""
        ...


@final
class Empirical:
    """The law that gives each of the given points the same probability.

    Arguments:
        points: Of each of K members, shape ``(K, n, d)``; or ``(n, d)``, or a vector of ``n``
            points on the line, for all members alike. Integers become double precision.

    Example:
        >>> Empirical([[0.5, 1.0]]).draw(Streams([0, 1]), 3).shape
        torch.Size([2, 3, 2])
    """

    def __init__(self, points: Any):
        self.points = as_sample(points, "points")
        if self.points.ndim not in (2, 3) or not self.points.numel():
            raise ValueError(
                f"points have shape {tuple(self.points.shape)}; expected (n, d), or (K, n, d) for "
                f"K members; {FLATTEN}"
            )

    def draw(self, streams: Streams, n: int) -> Tensor:
        uniform, points = streams.rand(n).to(self.points.device), self.points
        if points.ndim == 2:
            points = points.expand(len(uniform), -1, -1)
        index = (uniform * points.shape[1]).long().clamp(max=points.shape[1] - 1)
        return points.gather(1, index[..., None].expand(-1, -1, points.shape[-1]))


@final
class Sampled:
    """A distribution of torch, whose points every member draws from its own random numbers.

    Arguments:
        law: Of numbers, which become points ``(n, 1)``, or of vectors.

    Raises:
        ValueError: If it is several distributions, or one of matrices.

    Example:
        >>> from torch.distributions import Normal
        >>> pair, alone = (Sampled(Normal(0.0, 1.0)).draw(Streams(s), 9) for s in ([3, 4], [4]))
        >>> pair.shape, torch.equal(pair[1], alone[0])
        (torch.Size([2, 9, 1]), True)
    """

    def __init__(self, law: Distribution):
        if law.batch_shape or len(law.event_shape) > 1:
            raise ValueError(
                f"{shown(law)} has batch_shape {tuple(law.batch_shape)} and event_shape "
                f"{tuple(law.event_shape)}; give one distribution of numbers or vectors, e.g. "
                "torch.distributions.Independent(law, 1), whose coordinates are independent"
            )
        self.law = law

    def draw(self, streams: Streams, n: int) -> Tensor:
        seeds = (streams.rand(2).double() * 2**24).long() @ torch.tensor([2**24, 1])
        made = []
        with torch.random.fork_rng():
            for seed in seeds.tolist():
                torch.manual_seed(seed)
                made.append(self.law.sample(Size([n])).reshape(n, -1))
        points = torch.stack(made)
        return points if points.is_floating_point() else points.to(streams.dtype)


Given = Source | Distribution
"""What an estimator takes: a law with members, or a distribution of torch."""


def as_source(given: Given) -> Source:
    """A distribution of torch as a source; anything else as it is."""
    has_own = callable(getattr(given, "draw", None))
    return Sampled(given) if isinstance(given, Distribution) and not has_own else given  # pyright: ignore


@torch.no_grad()
def streams_beside(source: Source, seeds: Sequence[int]) -> tuple[Streams, int]:
    """Streams of the source's device and precision, one per seed, and its points' dimension.

    Raises:
        TypeError: If the source cannot draw, or draws no floating-point tensor.
        ValueError: If what it draws has another shape than ``(K, n, d)``, or is not finite.
    """
    if not callable(getattr(source, "draw", None)):
        raise TypeError(
            f"a source is a {type(source).__name__}, which has no draw(streams, n); give points "
            "as divergences.Empirical(points), or an object with that method"
        )
    probe = source.draw(Streams(seeds, "shape"), 1)
    if not (isinstance(probe, Tensor) and probe.is_floating_point()):
        kind = probe.dtype if isinstance(probe, Tensor) else type(probe).__name__
        raise TypeError(f"a source draws {kind}; expected a floating-point tensor")
    if probe.ndim != 3 or len(probe) != len(seeds):
        raise ValueError(
            f"a source draws shape {tuple(probe.shape)} for {len(seeds)} seeds; expected "
            f"({len(seeds)}, n, d)"
        )
    if not probe.isfinite().all():
        raise ValueError("a source draws numbers that are NaN or infinite")
    return Streams(seeds, device=probe.device, dtype=probe.dtype), probe.shape[-1]


def streams_of_both(p: Source, q: Source, seeds: Sequence[int]) -> tuple[Streams, int]:
    """As :func:`streams_beside`, for two laws that must agree in their points' dimension."""
    streams, dimension = streams_beside(p, seeds)
    other, other_dimension = streams_beside(q, seeds)
    if (other.dtype, other.device, other_dimension) != (streams.dtype, streams.device, dimension):
        raise ValueError(
            f"p draws {dimension}-D points of {streams.dtype} on {streams.device}, q "
            f"{other_dimension}-D points of {other.dtype} on {other.device}; they must agree"
        )
    return streams, dimension
