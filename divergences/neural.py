"""Learned estimators: discriminators and critics, one short class per loss beside its equation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from divergences import variational
from divergences.fdivergence import ConvexGenerator, KullbackLeibler
from divergences.interface import Bound, Estimate
from divergences.learned import Fit, Learned, Source
from divergences.lipschitz import Constraint, SpectralNorm
from divergences.networks import (
    MLP,
    FourierFeatures,
    FullSort,
    MaxMin,
    Whiten,
    check_decay,
    move_average,
)
from divergences.streams import Streams

SLOPE_AT_MOST_1 = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Softplus, FullSort, MaxMin)
"""Activations that are 1-Lipschitz as torch makes them by default. SiLU and GELU are not."""

UNCERTIFIED = (
    "nothing bounds this critic's slope by 1: its value is W1 up to an unknown factor; audit the "
    "slope, or use SpectralNorm or Orthogonal"
)


def _scores(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Scores of shape ``(K, n)`` and ``(K, m)``, in one pass through the network."""
    scores = network(torch.cat([x, y], dim=1)).squeeze(-1)
    return scores.split([x.shape[1], y.shape[1]], dim=1)


@dataclass(frozen=True, kw_only=True)
class RatioLearned(Learned):
    """Reads a divergence that depends on the density ratio only, so inputs may be rescaled.

    Arguments:
        whiten: Divide each coordinate by its pooled standard deviation first. Without it an
            under-trained discriminator reads a JS that shrinks with the distance between the
            supports, which looks like a Wasserstein distance and is an artefact.
        fourier: Scales of the random waves put beside the points, see
            :class:`~divergences.networks.FourierFeatures`; none by default. Laws with several
            modes need them: without, a divergence of .15 between two rings reads 0.
    """

    whiten: bool = True
    fourier: Sequence[float] = ()

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        before: list[nn.Module] = []
        if self.whiten:
            pool = Streams(streams.seeds, "whitening", streams.device, streams.dtype)
            before += [Whiten(torch.cat([p.draw(pool, 1024), q.draw(pool, 1024)], dim=1))]
        if self.fourier:
            features = FourierFeatures(streams, dimension, self.fourier)
            before, dimension = [*before, features], features.out_features
        return nn.Sequential(*before, *MLP(streams, dimension, 1, self.hidden))


def _logistic(on_p: Tensor, on_q: Tensor) -> Tensor:
    return softplus(-on_p).mean(-1) + softplus(on_q).mean(-1)


@final
@dataclass(frozen=True, kw_only=True)
class Discriminator(RatioLearned):
    r"""Lower bound on the Jensen-Shannon divergence from a logistic discriminator, in nats.

    Trained on :math:`-E_P[\log\sigma(f)] - E_Q[\log\sigma(-f)]`, whose minimum is
    :math:`2\log 2 - 2\,\mathrm{JS}(P, Q)`.

    References:
        | Generative Adversarial Nets (Goodfellow et al., 2014), Theorem 1
        | https://arxiv.org/abs/1406.2661

    Arguments:
        whiten: As in :class:`RatioLearned`.
        fourier: As in :class:`RatioLearned`.

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1], 8 + points[:, 1:]
        >>> bool(Discriminator(steps=400, hidden=(32,))(x, y).value > 0.6)
        True
    """

    quantity: ClassVar[str] = "js"
    bound: ClassVar[Bound] = "lower"

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        return _logistic(*_scores(network, x, y))

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return variational.jensen_shannon(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class DiscriminatorKL(RatioLearned):
    r"""KL(P||Q) from the log density ratio that a logistic discriminator learns, in nats.

    The logistic loss is bounded below for every sample, so training is as safe as for JS; its
    logit tends to :math:`\log p/q`, and the held-out points are read with
    :func:`~divergences.variational.donsker_varadhan`, which forgives a constant offset.

    References:
        | Density Ratio Estimation in Machine Learning (Sugiyama et al., 2012), Chapter 4,
          https://doi.org/10.1017/CBO9781139035613
        | MINE: Mutual Information Neural Estimation (Belghazi et al., 2018), Theorem 1,
          https://arxiv.org/abs/1801.04062

    Arguments:
        whiten: As in :class:`RatioLearned`.
        fourier: As in :class:`RatioLearned`.

    Example:
        >>> points = torch.randn(4096, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1], 1 + points[:, 1:]
        >>> bool((DiscriminatorKL(steps=200, hidden=(32,))(x, y).value - 0.5).abs() < 0.1)
        True
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "none"

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        return _logistic(*_scores(network, x, y))

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return variational.donsker_varadhan(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class DonskerVaradhan(RatioLearned):
    r"""KL(P||Q) by maximising :math:`E_P[f] - \log E_Q[e^f]`, in nats.

    The loss is unbounded on a finite sample, where f may rise on points of P that no point of Q
    stands by: on about a thousand points it overfits, and the estimate is refused.
    :class:`DiscriminatorKL` reads the same bound from a safer loss.

    References:
        | MINE: Mutual Information Neural Estimation (Belghazi et al., 2018), Equation 5
        | https://arxiv.org/abs/1801.04062

    Arguments:
        whiten: As in :class:`RatioLearned`.
        fourier: As in :class:`RatioLearned`.

    Example:
        >>> points = torch.randn(4096, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1], 1 + points[:, 1:]
        >>> bool((DonskerVaradhan(steps=200, hidden=(32,))(x, y).value - 0.5).abs() < 0.1)
        True
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "none"

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = _scores(network, x, y)
        return on_q.logsumexp(-1) - math.log(on_q.shape[-1]) - on_p.mean(-1)

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return variational.donsker_varadhan(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class NWJ(RatioLearned):
    r"""Lower bound on KL(P||Q) by maximising :math:`E_P[f] - E_Q[e^{f - 1}]`, in nats.

    Overfits as :class:`DonskerVaradhan` does, and diverges sooner, since one point of Q with a
    large score outweighs all others.

    References:
        | Estimating divergence functionals and the likelihood ratio by convex risk minimization
          (Nguyen, Wainwright & Jordan, 2010), Equation 9
        | https://arxiv.org/abs/0809.0853

    Arguments:
        whiten: As in :class:`RatioLearned`.
        fourier: As in :class:`RatioLearned`.

    Example:
        >>> points = torch.randn(4096, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1], 1 + points[:, 1:]
        >>> bool((NWJ(steps=400, hidden=(32,))(x, y).value - 0.5).abs() < 0.1)
        True
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "lower"

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = _scores(network, x, y)
        return (on_q - 1).exp().mean(-1) - on_p.mean(-1)

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return variational.nwj(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class FDivergence(RatioLearned):
    r"""Lower bound on any f-divergence by maximising :math:`E_P[g_f(v)] - E_Q[f^*(g_f(v))]`.

    References:
        | f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization
          (Nowozin et al., 2016), Equation 6
        | https://arxiv.org/abs/1606.00709

    Arguments:
        f: Which divergence, one of those in :mod:`divergences.fdivergence`.
        whiten: As in :class:`RatioLearned`.
        fourier: As in :class:`RatioLearned`.

    Example:
        >>> from divergences.fdivergence import TotalVariation
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> estimator = FDivergence(f=TotalVariation(), steps=200, hidden=(32,))
        >>> estimator.quantity, bool(estimator(points[:, :1], 8 + points[:, 1:]).value > 0.9)
        ('tv', True)
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "lower"

    f: ConvexGenerator = field(default_factory=KullbackLeibler)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "quantity", self.f.quantity)

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = _scores(network, x, y)
        return self.f.conjugate_at(on_q).mean(-1) - self.f.activation(on_p).mean(-1)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return self.f.estimate(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class Critic(Learned):
    r"""W1 as a critic sees it: :math:`E_P[f] - E_Q[f]` under a Lipschitz constraint.

    A lower bound on W1, and its estimates say so, if the constraint truly bounds the Lipschitz
    constant by 1 (:class:`~divergences.lipschitz.SpectralNorm`,
    :class:`~divergences.lipschitz.Orthogonal`) and so does the activation; see the constraint's
    own page otherwise.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Equation 2
        | https://arxiv.org/abs/1701.07875

    Arguments:
        constraint: What keeps the critic Lipschitz.
        activation: Class of the nonlinearity between layers;
            :class:`~divergences.networks.MaxMin` and, in many dimensions,
            :class:`~divergences.networks.FullSort` go with ``Orthogonal``.
        fourier: As in :class:`RatioLearned`. Waves are steep: no constraint on the layers behind
            them bounds the critic's slope by 1, and the estimate is no lower bound.
        ema: Decay of an exponential moving average of the weights, which is then what is read;
            none by default. An average of matrices of norm 1 at most is one, so that a lower
            bound stays one.
        first: Trained before, on the same laws and streams; this critic goes on from its weights.
            Orthonormal layers find directions that a penalty alone does not, and a penalty then
            lets slopes rise to 1 where such layers cannot.

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> bool((Critic(steps=300)(points[:, :1], 3 + points[:, 1:]).value - 3).abs() < 0.3)
        True
    """

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "none"

    constraint: Constraint = field(default_factory=SpectralNorm)
    activation: type[nn.Module] = nn.ReLU
    fourier: Sequence[float] = ()
    ema: float | None = None
    first: Learned | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_decay("ema", self.ema)

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        network: nn.Module
        if self.fourier:
            waves = FourierFeatures(streams, dimension, self.fourier)
            layers = MLP(streams, waves.out_features, 1, self.hidden, self.activation)
            network = nn.Sequential(waves, *layers)
        else:
            network = MLP(streams, dimension, 1, self.hidden, self.activation)
        self.constraint.parametrize(network)
        return network

    def fit(
        self,
        p: Source,
        q: Source,
        seeds: Sequence[int],
        observe: Callable[[int, nn.Module], None] | None = None,
        start: Fit | None = None,
    ) -> Fit:
        if start is None and self.first is not None:
            start = self.first.fit(p, q, seeds)
        decay = self.ema
        if decay is None:
            return super().fit(p, q, seeds, observe, start)
        average: nn.Module | None = None

        def follow(step: int, network: nn.Module) -> None:
            nonlocal average
            if average is None:
                average = deepcopy(network)
            move_average(average, network, decay)
            if observe is not None:
                observe(step, network)

        fitted = super().fit(p, q, seeds, follow, start)
        assert average is not None
        return replace(fitted, network=average.eval().requires_grad_(False))

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = _scores(network, x, y)
        return on_q.mean(-1) - on_p.mean(-1) + self.constraint.penalty(network, x, y, streams)

    def project(self, network: nn.Module) -> None:
        self.constraint.project(network)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        reading = variational.kantorovich_rubinstein(p_scores, q_scores)
        certified = self.constraint.certified and not self.fourier
        if certified and self.activation in SLOPE_AT_MOST_1:
            return reading
        return replace(reading, bound="none", warnings=(*reading.warnings, UNCERTIFIED))
