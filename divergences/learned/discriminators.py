"""Discriminators trained to their optimum: what depends on the density ratio, from its loss."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from divergences import bounds
from divergences.checks import boolean, each, positive_number
from divergences.estimate import Bound, Estimate
from divergences.f_divergences import ConvexGenerator, KullbackLeibler
from divergences.learned.base import Fit, Learned, paired_scores
from divergences.learned.cross_fitting import Halves, in_parts
from divergences.learned.sources import Source
from divergences.networks.layers import FREQUENCIES, MLP, FourierFeatures, Whiten
from divergences.random_streams import Streams
from divergences.samples.coordinates import evened


@dataclass(frozen=True, kw_only=True)
class RatioLearned(Learned):
    """Reads a divergence that depends on the density ratio only, so inputs may be rescaled.

    Arguments:
        whiten: Divide each coordinate by its pooled standard deviation first. Without it an
            under-trained discriminator measures a JS that shrinks with the distance between the
            supports, which looks like a Wasserstein distance and is an artefact.
        fourier: Scales of the random waves put beside the points, see
            :class:`~divergences.FourierFeatures`; none by default. Laws with several
            modes need them: without, a divergence of .15 between two rings measures 0.
    """

    whiten: bool = True
    fourier: Sequence[float] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        boolean("whiten", self.whiten)
        each("fourier", self.fourier, positive_number)

    def prepared(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both samples in evened coordinates, where the divergence is the same, or raw."""
        unit = x.new_ones(len(x), dtype=torch.float64)
        if not self.whiten:
            return x, y, unit
        x, y = evened(x, y)
        return x.float(), y.float(), unit

    def judge(self, fit: Fit, parts: Halves) -> Callable[[Tensor], Tensor]:
        """Scores no larger than all of P's, nor less than all of Q's, that training has seen.

        Where a network has to extrapolate, a single point could otherwise carry a mean of
        exponentials. A function that is cut off bounds a divergence as well.
        """
        high = in_parts(fit.scores, parts.x_train, self.width(parts.x)).amax(1, keepdim=True)
        low = in_parts(fit.scores, parts.y_train, self.width(parts.y)).amin(1, keepdim=True)
        return lambda points: fit.scores(points).clamp(torch.minimum(low, high), high)

    def width(self, points: Tensor) -> int:
        waves = FREQUENCIES * 2 * len(self.fourier)
        return max(super().width(points), waves + points.shape[-1])

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        before: list[nn.Module] = []
        if self.whiten:
            pool = Streams(streams.seeds, "whitening", streams.device, streams.dtype)
            before += [Whiten(torch.cat([p.draw(pool, 1024), q.draw(pool, 1024)], dim=1))]
        if self.fourier:
            features = FourierFeatures(streams, dimension, self.fourier)
            before, dimension = [*before, features], features.out_features
        return nn.Sequential(*before, MLP(streams, dimension, 1, self.hidden))


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
        return _logistic(*paired_scores(network, x, y))

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return bounds.jensen_shannon(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class DiscriminatorKL(RatioLearned):
    r"""KL(P||Q) from the log density ratio that a logistic discriminator learns, in nats.

    The logistic loss is bounded below for every sample, so training is as safe as for JS; its
    logit tends to :math:`\log p/q`, and the held-out points are read with
    :func:`~divergences.bounds.donsker_varadhan`, which forgives a constant offset.

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
        return _logistic(*paired_scores(network, x, y))

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return bounds.donsker_varadhan(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class DonskerVaradhan(RatioLearned):
    r"""KL(P||Q) by maximising :math:`E_P[f] - \log E_Q[e^f]`, in nats.

    The loss is unbounded on a finite sample, where f may rise on points of P that no point of Q
    stands by: it overfits soon, and where one point carries a mean the estimate is refused.
    :class:`DiscriminatorKL` measures the same bound from a safer loss.

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
        on_p, on_q = paired_scores(network, x, y)
        return on_q.logsumexp(-1) - math.log(on_q.shape[-1]) - on_p.mean(-1)

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return bounds.donsker_varadhan(p_scores, q_scores)


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
        on_p, on_q = paired_scores(network, x, y)
        return (on_q - 1).exp().mean(-1) - on_p.mean(-1)

    @staticmethod
    def read(p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return bounds.nwj(p_scores, q_scores)


@final
@dataclass(frozen=True, kw_only=True)
class FDivergence(RatioLearned):
    r"""Lower bound on any f-divergence by maximising :math:`E_P[g_f(v)] - E_Q[f^*(g_f(v))]`.

    References:
        | f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization
          (Nowozin et al., 2016), Equation 6
        | https://arxiv.org/abs/1606.00709

    Arguments:
        f: Which divergence, one of those in :mod:`divergences.f_divergences`.
        whiten: As in :class:`RatioLearned`.
        fourier: As in :class:`RatioLearned`.

    Example:
        >>> from divergences.f_divergences import TotalVariation
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> estimator = FDivergence(f=TotalVariation(), steps=400, hidden=(32,))
        >>> estimator.quantity, bool(estimator(points[:, :1], 8 + points[:, 1:]).value > 0.9)
        ('tv', True)
    """

    quantity: ClassVar[str] = "kl"
    bound: ClassVar[Bound] = "lower"

    f: ConvexGenerator = field(default_factory=KullbackLeibler)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.f, ConvexGenerator):
            raise TypeError(f"f = {self.f!r}: it must be a ConvexGenerator, e.g. Pearson()")
        object.__setattr__(self, "quantity", self.f.quantity)

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = paired_scores(network, x, y)
        return self.f.conjugate_at(on_q).mean(-1) - self.f.activation(on_p).mean(-1)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return self.f.estimate(p_scores, q_scores)
