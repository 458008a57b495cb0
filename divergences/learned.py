"""What learned estimators share: how a network is trained, read on fresh points, and refused.

A trained critic is only as good as its training, so what it reads is always measured on points
it has not seen, and the network stays available for what else one wants to know about it: its
gradient, its Lipschitz constant.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, final

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from divergences.interface import Estimate, Estimator, check_samples
from divergences.streams import Streams

ROUNDING = 1e-5  # relative difference of two readings that float32 scores can explain


class Source(Protocol):
    """Anything points can be drawn from, for all members at once."""

    def draw(self, streams: Streams, n: int) -> Tensor:
        """Points of shape ``(K, n, d)``."""
        ...


@final
class Empirical:
    """The law that gives each of the given points the same probability.

    Arguments:
        points: Shape ``(K, n, d)``.
    """

    def __init__(self, points: Tensor):
        self.points = points

    def draw(self, streams: Streams, n: int) -> Tensor:
        size = self.points.shape[1]
        index = (streams.rand(n) * size).long().clamp(max=size - 1).to(self.points.device)
        return self.points.gather(1, index[..., None].expand(-1, -1, self.points.shape[-1]))


@final
@dataclass(frozen=True)
class Fit:
    """A trained network and how to read the divergence from it.

    Attributes:
        network: From points ``(K, n, d)`` to scores ``(K, n, 1)``.
        seeds: One per member.
        read: From the scores of two samples to the estimate.
        streams: Where training has left the members' random streams.
    """

    network: nn.Module
    seeds: tuple[int, ...]
    read: Callable[[Tensor, Tensor], Estimate]
    streams: Streams | None = None

    def hand_over(self, network: nn.Module, streams: Streams) -> None:
        """Put the trained weights into a network, and the streams where training left them.

        Raises:
            ValueError: If the network has other weights, or the streams are of other seeds.
        """
        if tuple(streams.seeds) != self.seeds:
            raise ValueError(f"start is of the seeds {self.seeds}, not of {tuple(streams.seeds)}")
        try:
            network.load_state_dict(self.network.state_dict())
        except RuntimeError as error:
            raise ValueError(
                f"start is a network of other sizes ({str(error).splitlines()[-1].strip()}); give "
                "a fit of an estimator with the same settings but steps, optimizer and loss"
            ) from error
        if self.streams is not None:
            streams.load_state_dict(self.streams.state_dict())

    def scores(self, points: Tensor) -> Tensor:
        """The network's scores of shape ``(K, n)`` at points of shape ``(K, n, d)``."""
        return self.network(points).squeeze(-1)

    @torch.no_grad()
    def estimate(self, x: Tensor, y: Tensor) -> Estimate:
        """What the network reads on held-out points of shape ``(K, n, d)`` and ``(K, m, d)``."""
        return self.read(self.scores(x), self.scores(y))

    def held_out(self, p: Source, q: Source, n: int = 4096) -> Estimate:
        """What the network reads on ``n`` fresh points from each side."""
        like = next(self.network.parameters())
        streams = Streams(self.seeds, "held-out", like.device, like.dtype)
        return self.estimate(p.draw(streams, n), q.draw(streams, n))


def paired_scores(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Scores of shape ``(K, n)`` and ``(K, m)``, in one pass through the network."""
    scores = network(torch.cat([x, y], dim=1)).squeeze(-1)
    return scores.split([x.shape[1], y.shape[1]], dim=1)


@torch.no_grad()
def streams_beside(source: Source, seeds: Sequence[int]) -> tuple[Streams, int]:
    """Streams of the source's device and precision, one per seed, and its points' dimension."""
    probe = source.draw(Streams(seeds, "shape"), 1)
    return Streams(seeds, device=probe.device, dtype=probe.dtype), probe.shape[-1]


@dataclass(frozen=True, kw_only=True)
class Learned(Estimator):
    """Trains one network per member on P and Q and reads a divergence from its scores.

    Arguments:
        hidden: Widths of the hidden layers.
        steps: Optimizer steps.
        batch: Fresh points per side and step.
        optimizer: Makes the optimizer from the parameters.
        cooldown: Share of the steps, at the end, over which the step size falls linearly to 0.
        seeds: Seeds of the members when called on samples; repeated if there are more samples.
    """

    hidden: Sequence[int] = (64, 64)
    steps: int = 1000
    batch: int = 128
    optimizer: Callable[[Any], Optimizer] = partial(Adam, lr=1e-3, fused=True)
    cooldown: float = 0.0
    seeds: Sequence[int] = (0,)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1:
            raise ValueError(f"steps={self.steps} and batch={self.batch} must be at least 1")
        if not 0 <= self.cooldown <= 1:
            raise ValueError(f"cooldown={self.cooldown} is a share of the steps, from 0 to 1")
        if not self.seeds:
            raise ValueError("seeds is empty; give at least one, such as (0,)")

    @abstractmethod
    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        """The untrained network, from ``(K, n, d)`` to ``(K, n, 1)``."""

    @abstractmethod
    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        """What training minimises, shape ``(K,)``."""

    def project(self, network: nn.Module) -> None:
        """What is done to the network after each step."""

    @abstractmethod
    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        """The divergence that the scores of held-out points show."""

    def fit(
        self,
        p: Source,
        q: Source,
        seeds: Sequence[int],
        observe: Callable[[int, nn.Module], None] | None = None,
        start: Fit | None = None,
    ) -> Fit:
        """Train on fresh minibatches from ``p`` and ``q``, one network per seed.

        Arguments:
            p: Source of the first distribution, such as a target of one or K members.
            q: Source of the second.
            seeds: One per member; a member's result depends on its own seed only.
            observe: Called with the number of steps done and the network, after every step.
            start: What to go on from, such as the fit to laws that have moved since: its weights
                and its streams, but not its optimizer's momentum.

        Raises:
            ValueError: If ``start`` is of other seeds or of a network of other sizes.
        """
        streams, dimension = streams_beside(p, seeds)
        with torch.no_grad():  # sources may be trainable; the network's parameters still are
            network = self.build(p, q, streams, dimension)
        if start is not None:
            start.hand_over(network, streams)
        optimizer = self.optimizer(network.parameters())
        first_of_cooldown = self.steps * (1 - self.cooldown)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min(1.0, (self.steps - step) / max(1.0, self.steps - first_of_cooldown)),
        )
        for step in range(1, self.steps + 1):
            with torch.no_grad():
                x, y = p.draw(streams, self.batch), q.draw(streams, self.batch)
            optimizer.zero_grad()
            self.loss(network, x, y, streams).sum().backward()
            optimizer.step()
            schedule.step()
            self.project(network)
            if observe is not None:
                observe(step, network)
        network.eval().requires_grad_(False)
        return Fit(network, tuple(seeds), self.read, streams)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        """Train on one half of each sample and read on the other.

        The estimate is refused, with a value of ``nan`` and a warning that holds both readings,
        where the two halves differ by more than three of their combined standard errors: the
        network has then learnt the points instead of the laws. So it is where training has
        diverged, and where the reading has no usable error.

        Raises:
            TypeError: As :func:`~divergences.interface.check_samples`.
            ValueError: As :func:`~divergences.interface.check_samples`, for fewer than 4 points.
        """
        start = time.perf_counter()
        members = isinstance(x, Tensor) and x.ndim == 3
        x, y = check_samples(x, y, at_least=4)
        x, y = x.detach(), y.detach()
        halves = [sample.split(-(-sample.shape[1] // 2), dim=1) for sample in (x, y)]
        (x_train, x_held), (y_train, y_held) = halves
        seeds = [self.seeds[k % len(self.seeds)] + k // len(self.seeds) for k in range(len(x))]
        with torch.enable_grad():
            fit = self.fit(Empirical(x_train), Empirical(y_train), seeds)
        seen, held = fit.estimate(x_train, y_train), fit.estimate(x_held, y_held)
        result = replace(
            _refuse_disagreement(seen, held),
            n=(x.shape[1], y.shape[1]),
            seconds=time.perf_counter() - start,
        )
        return result if members else result.of_only_member()


def _refuse_disagreement(seen: Estimate, held: Estimate) -> Estimate:
    """The held-out reading, ``nan`` for members whose training half reads something else."""
    error = 3 * (seen.stderr**2 + held.stderr**2).sqrt()
    rounding = ROUNDING * (seen.value.abs() + held.value.abs())
    agree = (seen.value - held.value).abs() <= torch.maximum(error, rounding)  # never for NaN
    refused = ~agree | ~torch.isfinite(held.value)
    warnings = list(held.warnings)
    for k in refused.nonzero().flatten().tolist():
        readings = (
            f"the training half reads {seen.value[k]:.4g} ± {seen.stderr[k]:.2g}, the held-out "
            f"half {held.value[k]:.4g} ± {held.stderr[k]:.2g}"
        )
        if not torch.isfinite(seen.value[k]):
            reason = "training diverged; use a smaller learning rate or the logistic loss"
        elif not torch.isfinite(seen.stderr[k] + held.stderr[k]):
            reason = "a mean rests on too few points; use more points or the logistic loss"
        else:
            reason = (
                "the network has learnt the points (use more of them, or fewer steps), or they "
                "come in an order (shuffle them)"
            )
        warnings.append(f"member {k} refused: {readings}: {reason}")
    value = torch.where(refused, math.nan, held.value)
    stderr = torch.where(refused, math.nan, held.stderr)
    low, high = (torch.where(refused, math.nan, end) for end in held.ci)
    return replace(held, value=value, stderr=stderr, ci=(low, high), warnings=tuple(warnings))
