"""What learned estimators share: how a network is trained, measured on fresh points, and refused.

A trained critic is only as good as its training, so its divergence is always measured on points
that it was not trained on. The network stays available for what else one wants of it: its
gradient, its Lipschitz constant.
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from divergences.checks import each, real_number, seed_number, whole_number
from divergences.estimate import Estimate
from divergences.estimator import Estimator, check_samples
from divergences.learned.cross_fitting import (
    EarlyStopping,
    Halves,
    halves,
    read_across,
    repeats,
    scaled,
    usable,
)
from divergences.learned.sources import Empirical, Given, Source, as_source, streams_of_both
from divergences.networks.recorded_passes import RecordedPasses
from divergences.random_streams import Streams
from divergences.samples.coordinates import in_one_unit

MOST_STEPS = 10**7  # of training; days on any machine


@final
@dataclass(frozen=True)
class Fit:
    """A trained network and how to read the divergence from it.

    Attributes:
        network: From points ``(K, n, d)`` to scores ``(K, n, 1)``.
        seeds: One per member.
        read: From the scores of two samples to the estimate.
        streams: Where training has left the members' random streams.
        quantity: Which it is, as of :class:`~divergences.Estimate`.
    """

    network: nn.Module
    seeds: tuple[int, ...]
    read: Callable[[Tensor, Tensor], Estimate]
    streams: Streams | None = None
    quantity: str = ""

    def load_into(self, network: nn.Module, streams: Streams) -> None:
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
        """The divergence on held-out points of shape ``(K, n, d)`` and ``(K, m, d)``."""
        return replace(self.read(self.scores(x), self.scores(y)), quantity=self.quantity)

    def held_out(self, p: Given, q: Given, n: int = 4096) -> Estimate:
        """The divergence on ``n`` fresh points from each side."""
        like = next(self.network.parameters())
        streams = Streams(self.seeds, "held-out", like.device, like.dtype)
        return self.estimate(as_source(p).draw(streams, n), as_source(q).draw(streams, n))


def paired_scores(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Scores of shape ``(K, n)`` and ``(K, m)``, in one pass through the network."""
    scores = network(torch.cat([x, y], dim=1)).squeeze(-1)
    return scores.split([x.shape[1], y.shape[1]], dim=1)


@dataclass(frozen=True, kw_only=True)
class Learned(Estimator):
    """Trains one network per member on P and Q and measures a divergence from its scores.

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
        each("hidden", self.hidden, whole_number)
        whole_number("steps", self.steps, most=MOST_STEPS)
        whole_number("batch", self.batch)
        if not callable(self.optimizer):
            raise TypeError(
                f"optimizer = {self.optimizer!r}: it must make an optimizer from the parameters, "
                "e.g. partial(torch.optim.Adam, lr=1e-3)"
            )
        if not 0 <= real_number("cooldown", self.cooldown) <= 1:
            raise ValueError(f"cooldown = {self.cooldown} is a share of the steps, from 0 to 1")
        if not each("seeds", self.seeds, seed_number):
            raise ValueError("seeds is empty; give at least one, such as (0,)")

    @abstractmethod
    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        """The untrained network, from ``(K, n, d)`` to ``(K, n, 1)``."""

    @abstractmethod
    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        """What training minimises, shape ``(K,)``."""

    def limit(self, network: nn.Module) -> None:
        """What is done to the gradients before each step."""

    def project(self, network: nn.Module) -> None:
        """What is done to the network after each step."""

    @abstractmethod
    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        """The divergence that the scores of held-out points show."""

    def fit(
        self,
        p: Given,
        q: Given,
        seeds: Sequence[int],
        observe: Callable[[int, nn.Module], bool | None] | None = None,
        start: Fit | None = None,
    ) -> Fit:
        """Train on fresh minibatches from ``p`` and ``q``, one network per seed.

        Arguments:
            p: Source of the first law: a target of one or K members, a distribution of torch, or
                points as :class:`~divergences.Empirical`.
            q: Source of the second.
            seeds: One per member; a member's result depends on its own seed only.
            observe: Called with the number of steps done and the network, after every step;
                training ends where it returns true.
            start: What to go on from, such as the fit to laws that have moved since: its weights
                and its streams, but not its optimizer's momentum.

        Raises:
            ValueError: If ``start`` is of other seeds or of a network of other sizes.
        """
        one, other = as_source(p), as_source(q)
        streams, dimension = streams_of_both(one, other, seeds)
        with torch.no_grad():  # sources may be trainable; the network's parameters still are
            network = self.build(one, other, streams, dimension)
        if start is not None:
            start.load_into(network, streams)
        optimizer = self.optimizer(network.parameters())
        first_of_cooldown = self.steps * (1 - self.cooldown)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min(1.0, (self.steps - step) / max(1.0, self.steps - first_of_cooldown)),
        )
        for step in range(1, self.steps + 1):
            with torch.no_grad():
                x, y = one.draw(streams, self.batch), other.draw(streams, self.batch)
            with RecordedPasses(network.parameters()) as passes:
                loss = self.loss(network, x, y, streams).sum()
            passes.backward(loss)
            self.limit(network)
            optimizer.step()
            schedule.step()
            self.project(network)
            if observe is not None and observe(step, network):
                break
        network.eval().requires_grad_(False)
        return Fit(network, tuple(seeds), self.read, streams, self.quantity)

    @property
    def stops_early(self) -> bool:
        """Whether the loss on points kept back tells when to stop training on a sample."""
        return True

    def prepared(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both samples in the coordinates to train in, and by what to multiply the reading.

        Here: shifted and scaled by one number per member, as a length allows; the distance of the
        median point from the coordinates' medians becomes 1. The factor has the shape ``(K,)``.
        """
        return in_one_unit(x, y)

    def judge(self, fit: Fit, parts: Halves) -> Callable[[Tensor], Tensor]:
        """How points ``(2K, n, d)`` that networks have not seen are scored, ``(2K, n)``."""
        return fit.scores

    def width(self, points: Tensor) -> int:
        """Most numbers that a layer puts out per point."""
        return max(points.shape[-1], *self.hidden)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        """Train on one half of each sample and read on the other, then the other way round.

        Both networks stop learning where the loss on a fifth of their half, kept back from
        training, is least; the value is the mean of what they read on each other's half. The
        halves are drawn at random, so that the order of the points does not matter.

        The estimate is refused, with a value of ``nan`` and a warning that holds both readings,
        where training has diverged or a reading has no usable error.

        Raises:
            TypeError: As :func:`~divergences.estimator.check_samples`.
            ValueError: As :func:`~divergences.estimator.check_samples`, for fewer than 4 points.
        """
        start = time.perf_counter()
        members = isinstance(x, Tensor) and x.ndim == 3
        x, y = check_samples(x, y, at_least=4)
        x, y = x.detach(), y.detach()
        seeds = [self.seeds[k % len(self.seeds)] + k // len(self.seeds) for k in range(len(x))]
        inner_x, inner_y, unit = self.prepared(x, y)
        parts = halves(inner_x, inner_y, Streams(seeds, "halves"))
        with torch.enable_grad():
            fit, diverged = self._fit_halves(parts, [*seeds, *seeds])
        with torch.no_grad():
            score = self.judge(fit, parts)
            on_x, on_y = (read_across(score, s, self.width(s)) for s in (parts.x, parts.y))
        first, second = (scaled(self.read(a, b), unit) for a, b in zip(on_x, on_y, strict=True))
        result = replace(
            usable(first, second, diverged),
            n=(x.shape[1], y.shape[1]),
            seconds=time.perf_counter() - start,
        )
        warnings = (*result.warnings, *repeats(x, y))
        result = replace(
            result,
            warnings=warnings
            if members
            else tuple(w.removeprefix("member 0: ") for w in warnings),
        )
        return result if members else result.of_only_member()

    def _fit_halves(self, parts: Halves, seeds: Sequence[int]) -> tuple[Fit, Tensor]:
        """Networks trained on both halves, and which of them have diverged."""
        streams = Streams(seeds, "kept back", parts.x.device, parts.x.dtype)
        stopping = EarlyStopping(
            lambda network: self.loss(network, parts.x_kept, parts.y_kept, streams), len(seeds)
        )
        observe = stopping if self.stops_early else None
        fit = self.fit(Empirical(parts.x_train), Empirical(parts.y_train), seeds, observe)
        if self.stops_early:
            stopping.restore(fit.network)
        return fit, stopping.diverged
