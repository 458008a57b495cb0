"""Learned estimators: a discriminator, or a Lipschitz critic, trained to its optimum.

A trained critic is only as good as its training, so what it reads is always measured on points
it has not seen, and the network stays available for what else one wants to know about it: its
gradient, its Lipschitz constant.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Protocol, final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam, Optimizer

from divergences import variational
from divergences.interface import Bound, Estimate, Estimator, check_samples
from divergences.lipschitz import Constraint, SpectralNorm
from divergences.networks import MLP, Whiten
from divergences.streams import Streams


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
        index = (streams.rand(n) * size).long().clamp(max=size - 1)
        return self.points.gather(1, index[..., None].expand(-1, -1, self.points.shape[-1]))


@final
@dataclass(frozen=True)
class Fit:
    """A trained network and how to read the divergence from it."""

    network: nn.Module
    seeds: tuple[int, ...]
    read: Callable[[Tensor, Tensor], Estimate]

    def scores(self, points: Tensor) -> Tensor:
        """The network's scores of shape ``(K, n)`` at points of shape ``(K, n, d)``."""
        return self.network(points).squeeze(-1)

    @torch.no_grad()
    def estimate(self, x: Tensor, y: Tensor) -> Estimate:
        """What the network reads on held-out points of shape ``(K, n, d)`` and ``(K, m, d)``."""
        return self.read(self.scores(x), self.scores(y))

    def held_out(self, p: Source, q: Source, n: int = 4096) -> Estimate:
        """What the network reads on ``n`` fresh points from each side."""
        streams = Streams(self.seeds, "held-out")
        return self.estimate(p.draw(streams, n), q.draw(streams, n))


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

    @abstractmethod
    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        """The untrained network, from ``(K, n, d)`` to ``(K, n, 1)``."""

    @abstractmethod
    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        """What training minimises, shape ``(K,)``."""

    def project(self, network: nn.Module) -> None:
        """What is done to the network after each step."""

    @staticmethod
    @abstractmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        """The divergence that the scores of held-out points show."""

    def fit(
        self,
        p: Source,
        q: Source,
        seeds: Sequence[int],
        observe: Callable[[int, nn.Module], None] | None = None,
    ) -> Fit:
        """Train on fresh minibatches from ``p`` and ``q``, one network per seed.

        Arguments:
            p: Source of the first distribution, such as a target of one or K members.
            q: Source of the second.
            seeds: One per member; a member's result depends on its own seed only.
            observe: Called with the number of steps done and the network, after every step.
        """
        streams = Streams(seeds)
        with torch.no_grad():
            dimension = p.draw(Streams(seeds, "shape"), 1).shape[-1]
        network = self.build(p, q, streams, dimension)
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
        return Fit(network, tuple(seeds), self.read)

    def __call__(self, x: Tensor, y: Tensor) -> Estimate:
        """Train on one half of each sample and read on the other.

        The reading carries a warning, and is not to be used, where the training half reads more
        than the held-out half by more than three of their standard errors: the network has then
        learnt the points instead of the laws.
        """
        start = time.perf_counter()
        members = x.ndim == 3
        x, y = check_samples(x, y, at_least=4)
        halves = [sample.split(-(-sample.shape[1] // 2), dim=1) for sample in (x, y)]
        (x_train, x_held), (y_train, y_held) = halves
        seeds = [self.seeds[k % len(self.seeds)] + k // len(self.seeds) for k in range(len(x))]
        fit = self.fit(Empirical(x_train), Empirical(y_train), seeds)
        seen, held = fit.estimate(x_train, y_train), fit.estimate(x_held, y_held)
        gap = (seen.value - held.value) / (seen.stderr**2 + held.stderr**2).sqrt()
        warnings = held.warnings
        if (gap > 3).any():
            warnings += (
                f"overfitted: the training half reads {seen.value.tolist()}, the held-out half "
                f"{held.value.tolist()}; use more points or fewer steps",
            )
        result = replace(
            held,
            n=(x.shape[1], y.shape[1]),
            seconds=time.perf_counter() - start,
            warnings=warnings,
        )
        if members:
            return result
        low, high = result.ci
        return replace(
            result,
            value=result.value[0],
            stderr=result.stderr[0],
            ci=(low[0], high[0]),
            floor=result.floor[0],
        )


@final
@dataclass(frozen=True, kw_only=True)
class Discriminator(Learned):
    r"""Lower bound on the Jensen-Shannon divergence from a logistic discriminator, in nats.

    Trained on :math:`-E_P[\log\sigma(f)] - E_Q[\log\sigma(-f)]`, whose minimum is
    :math:`2\log 2 - 2\,\mathrm{JS}(P, Q)`.

    References:
        | Generative Adversarial Nets (Goodfellow et al., 2014), Theorem 1
        | https://arxiv.org/abs/1406.2661

    Arguments:
        whiten: Divide each coordinate by its pooled standard deviation first. Without it an
            under-trained discriminator reads a JS that shrinks with the distance between the
            supports, which looks like a Wasserstein distance and is an artefact.

    Example:
        >>> from torch.distributions import Normal
        >>> x, y = torch.randn(512, 1), 8 + torch.randn(512, 1)
        >>> bool(Discriminator(steps=200, hidden=(8,))(x, y).value > 0.6)
        True
    """

    quantity: ClassVar[str] = "js"
    bound: ClassVar[Bound] = "lower"

    whiten: bool = True

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        network = MLP(streams, dimension, 1, self.hidden)
        if not self.whiten:
            return network
        pool = Streams(streams.seeds, "whitening")
        return nn.Sequential(
            Whiten(torch.cat([p.draw(pool, 1024), q.draw(pool, 1024)], dim=1)), *network
        )

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        logits = network(torch.cat([x, y], dim=1)).squeeze(-1)
        on_p, on_q = logits.split([x.shape[1], y.shape[1]], dim=1)
        return softplus(-on_p).mean(-1) + softplus(on_q).mean(-1)

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return variational.jensen_shannon(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class Critic(Learned):
    r"""W1 as a critic sees it: :math:`E_P[f] - E_Q[f]` under a Lipschitz constraint.

    A lower bound on W1 if the constraint truly bounds the Lipschitz constant by 1
    (:class:`~divergences.lipschitz.SpectralNorm`); see the constraint's own page otherwise.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Equation 2
        | https://arxiv.org/abs/1701.07875

    Arguments:
        constraint: What keeps the critic Lipschitz.

    Example:
        >>> x, y = torch.randn(512, 1), 3 + torch.randn(512, 1)
        >>> bool((Critic(steps=300)(x, y).value - 3).abs() < 0.3)
        True
    """

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "none"

    constraint: Constraint = field(default_factory=SpectralNorm)

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        network = MLP(streams, dimension, 1, self.hidden)
        self.constraint.parametrize(network)
        return network

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        scores = network(torch.cat([x, y], dim=1)).squeeze(-1)
        on_p, on_q = scores.split([x.shape[1], y.shape[1]], dim=1)
        return on_q.mean(-1) - on_p.mean(-1) + self.constraint.penalty(network, x, y, streams)

    def project(self, network: nn.Module) -> None:
        self.constraint.project(network)

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return variational.kantorovich_rubinstein(p_scores, q_scores)
