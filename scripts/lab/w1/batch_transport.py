"""Critics whose training looks at pairs of a minibatch: transport, c-transform, pair penalty."""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from divergences import MLP, Constraint, Estimate, Streams, bounds
from divergences.checks import positive_number
from divergences.estimate import Bound
from divergences.learned.base import Learned
from divergences.learned.critic import UNCERTIFIED
from divergences.learned.sources import Source
from divergences.networks.mcshane import distances
from divergences.samples.earth_mover import linear_program


@final
class PairPenalty(Constraint):
    r"""Penalises every pair of a minibatch between which the critic is steeper than 1.

    .. math:: \frac{1}{4\varepsilon}\, E_{x, y} \max(0, f(x) - f(y) - \|x - y\|)^2

    the dual of transport with a quadratic regulariser, for one potential on both sides. The dual
    value overshoots W1 the more the larger epsilon is.

    References:
        | Large-Scale Optimal Transport and Mapping Estimation (Seguy et al., 2018), Equation 5
        | https://arxiv.org/abs/1711.02283

    Arguments:
        epsilon: Of the regulariser, greater than 0.
    """

    def __init__(self, epsilon: float = 0.01):
        self.epsilon = positive_number("epsilon", epsilon)

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        excess = _excess(critic, real, fake)
        return excess.clamp_min(0).square().mean((1, 2)) / (4 * self.epsilon)


@final
class EntropicPairPenalty(Constraint):
    r"""Penalises pairs of a minibatch the more, the nearer the critic comes to a slope of 1.

    .. math:: \varepsilon\, E_{x, y} \exp\frac{f(x) - f(y) - \|x - y\|}{\varepsilon}

    the dual of transport with an entropic regulariser, for one potential on both sides. With the
    quadratic one of :class:`PairPenalty` pairs that respect the slope cost nothing; here they pay
    less than epsilon, and a pair that breaks it by much more than epsilon outweighs all others.
    In float32 the exponential overflows at 88 epsilon: training then ends in NaN, which a reading
    says.

    References:
        | Large-Scale Optimal Transport and Mapping Estimation (Seguy et al., 2018), Equation 5
        | https://arxiv.org/abs/1711.02283

    Arguments:
        epsilon: Of the regulariser, in the unit of the data, greater than 0.
    """

    def __init__(self, epsilon: float = 0.1):
        self.epsilon = positive_number("epsilon", epsilon)

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        excess = _excess(critic, real, fake)
        return self.epsilon * (excess / self.epsilon).exp().mean((1, 2))


def _excess(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """How much further each pair's scores are apart than its points, shape ``(K, n, m)``."""
    on_real, on_fake = critic(real), critic(fake)
    return on_real - on_fake.mT - distances(real, fake)


@dataclass(frozen=True, kw_only=True)
class BatchLearned(Learned):
    """A perceptron trained on minibatches as if they were the laws; nothing bounds its slope."""

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "none"

    @property
    def stops_early(self) -> bool:
        return False  # what is minimised hangs on how many points a minibatch has

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        return MLP(streams, dimension, 1, self.hidden)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        reading = bounds.kantorovich_rubinstein(p_scores, q_scores)
        return replace(reading, bound="none", warnings=(*reading.warnings, UNCERTIFIED))


@final
@dataclass(frozen=True, kw_only=True)
class CTransform(BatchLearned):
    r"""W1 by a critic on Q and its c-transform on P, taken within the minibatch (MM:B).

    .. math:: E_{x \sim P}\Big[\min_j \|x - y_j\| + f(y_j)\Big] - E_{y \sim Q}[f(y)]

    is maximised, and on P the critic regresses on its c-transform. The minimum over a minibatch is
    above the one over all y, so that what is maximised is close to the transport between
    *samples*, which in many dimensions is far larger than W1 of the laws, with other potentials.

    References:
        | (q, p)-Wasserstein GANs: Comparing Ground Metrics for Wasserstein GANs (Mallasto et al.,
          2019), Section 3
        | https://arxiv.org/abs/1902.03642

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1] + 3, points[:, 1:]
        >>> bool((CTransform(steps=300)(x, y).value - 3).abs() < 0.5)
        True
    """

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_y = network(y)
        transformed = (distances(x, y) + on_y.mT).amin(-1)
        regression = (network(x).squeeze(-1) - transformed.detach()).square().mean(-1)
        return on_y.squeeze(-1).mean(-1) - transformed.mean(-1) + regression


@final
@dataclass(frozen=True, kw_only=True)
class ComparedTransforms(BatchLearned):
    r"""W1 by the plain dual, or by a c-transform within the minibatch where that is less (MM:Bv2).

    Of the three readings of one minibatch

    .. math::
        J_1 &= E_{x \sim P}[f(x)] - E_{y \sim Q}[f(y)] \\
        J_2 &= E_{x \sim P}[f(x)] + E_{y \sim Q}\Big[\min_i \|x_i - y\| - f(x_i)\Big] \\
        J_3 &= E_{x \sim P}\Big[\min_j \|x - y_j\| + f(y_j)\Big] - E_{y \sim Q}[f(y)]

    a step raises :math:`J_2` where it is below :math:`J_1`, else :math:`J_3` where that is, else
    :math:`J_1`. A critic that is nowhere steeper than 1 between the two samples has
    :math:`J_1 \le J_2, J_3`. One that is too steep everywhere feels next to nothing: the scores
    that :math:`J_2` adds and subtracts are of the same points. Use small steps: between segments
    1 apart Adam at 1e-3 overshoots to 1.25 and stays there, at 2e-4 to 1.04.

    References:
        | Training Wasserstein GANs without gradient penalties (Kwon et al., 2021)
        | https://arxiv.org/abs/2110.14150

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1] + 3, points[:, 1:]
        >>> bool((ComparedTransforms(steps=300)(x, y).value - 3).abs() < 0.5)
        True
    """

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_x, on_y = network(x), network(y)
        cost = distances(x, y)
        p, q = on_x.mean((1, 2)), on_y.mean((1, 2))
        plain = p - q
        from_p = p + (cost - on_x).amin(1).mean(1)
        from_q = (cost + on_y.mT).amin(2).mean(1) - q
        least = torch.where(from_q < plain, from_q, plain)
        return -torch.where(from_p < plain, from_p, least)


@final
@dataclass(frozen=True, kw_only=True)
class BatchTransport(BatchLearned):
    r"""W1 by regression on the potentials of exact transport between minibatches.

    .. math:: \min_f \sum_i (f(x_i) - u_i)^2 + \sum_j (f(y_j) + v_j)^2

    with the potentials u and v of each minibatch, shifted to the critic's own mean. The critic
    learns their average, which is smooth where a single one is not; what they have in common is
    the noise of matching a sample, too.

    References:
        | Wasserstein GAN With Quadratic Transport Cost (Liu, Gu & Samaras, 2019), Section 3.3, and
          its predecessor A Two-Step Computation of the Exact GAN Wasserstein Distance (2018),
          Section 3, http://proceedings.mlr.press/v80/liu18d.html

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1] + 3, points[:, 1:]
        >>> bool((BatchTransport(steps=300, batch=64)(x, y).value - 3).abs() < 0.5)
        True
    """

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        wanted = [_potentials(a, b) for a, b in zip(x, y, strict=True)]
        wanted = torch.stack(wanted).to(x)
        scores = network(torch.cat([x, y], 1)).squeeze(-1)
        wanted = wanted - wanted.mean(1, keepdim=True) + scores.detach().mean(1, keepdim=True)
        return (scores - wanted).square().mean(1)


def _potentials(x: Tensor, y: Tensor) -> Tensor:
    """A potential on the points of x and y: u, and -v, of the transport between them."""
    plan = linear_program(x, y, 1, 10_000_000)
    return torch.cat([plan.u, -plan.v])
