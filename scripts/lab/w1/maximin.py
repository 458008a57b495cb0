"""Critics whose rival is a network that moves points: max-min solvers for W1."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from divergences import MLP, Streams
from divergences.checks import whole_number
from divergences.learned.sources import Source
from divergences.networks.recorded_passes import unrecorded
from scripts.lab.w1.batch_transport import BatchLearned


@final
class Rivals(nn.Module):
    """A critic, whose scores are what comes out, and the mover that plays against it.

    Arguments:
        critic: From points ``(K, n, d)`` to scores ``(K, n, 1)``.
        displacement: From points to where the mover takes them, less where they are.
        optimizer: Of the mover's weights.
    """

    def __init__(self, critic: MLP, displacement: MLP, optimizer: Optimizer):
        super().__init__()
        self.critic, self.displacement, self.optimizer = critic, displacement, optimizer

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(x)

    def moved(self, x: Tensor) -> Tensor:
        """T(x), of the shape of ``x``."""
        return x + self.displacement(x)

    def cost(self, x: Tensor, sign: int) -> Tensor:
        r"""The mover's :math:`\|x - T(x)\| + sign\,f(T(x))`, shape ``(K, n)``.

        At the best mover it is the c-transform of f, with the sign -1 that of -f.
        """
        move = self.displacement(x)
        return torch.linalg.vector_norm(move, dim=-1) + sign * self(x + move).squeeze(-1)

    def follow(self, x: Tensor, sign: int, steps: int) -> Tensor:
        """Train the mover to minimise the mean of its cost.

        Returns:
            Where the points are taken afterwards, without a gradient.
        """
        weights = list(self.displacement.parameters())
        for _ in range(steps):
            self.optimizer.zero_grad()
            with unrecorded():
                self.cost(x, sign).mean(1).sum().backward(inputs=weights)
            self.optimizer.step()
        self.optimizer.zero_grad()  # what is left would reach the critic's own optimizer
        with torch.no_grad():
            return self.moved(x)


@dataclass(frozen=True, kw_only=True)
class MaximinLearned(BatchLearned):
    """A critic against a mover, both perceptrons; nothing bounds the critic's slope.

    Arguments:
        inner: Steps of the mover before each step of the critic, at least 1.
    """

    inner: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("inner", self.inner)

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> Rivals:
        critic = MLP(streams, dimension, 1, self.hidden)
        displacement = MLP(streams, dimension, dimension, self.hidden)
        return Rivals(critic, displacement, self.optimizer(displacement.parameters()))

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        if not isinstance(network, Rivals):
            raise TypeError(f"network is a {type(network).__name__}; it must be what it trained")
        on_p, on_q = self.sides(network, x, y)
        return (network(on_q) - network(on_p)).mean((1, 2))

    @abstractmethod
    def sides(self, network: Rivals, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Where the critic is to rise and where it is to fall."""


@final
@dataclass(frozen=True, kw_only=True)
class Maximin(MaximinLearned):
    r"""W1 by a critic on Q and a mover from P that looks for its c-transform (MM).

    .. math:: \max_f \min_T\; E_{x \sim P}\big[\|x - T(x)\| + f(T(x))\big] - E_{y \sim Q}[f(y)]

    In place of a minimum over a minibatch, as in
    :class:`~scripts.lab.w1.batch_transport.CTransform` (MM:B), one over a network.
    f is trained on Q and on T(x), which comes to lie on Q; nothing trains it
    on P, where its value and gradient are read, nor between the laws: between two segments it
    measures one and a half times the distance, while what is maximised comes near the distance
    itself. A mover that has not found the minimum leaves that too high, so that no bound is left:
    between two normal laws on a line, one and a half standard deviations apart, one seed in two
    was a third too high after 250 steps.

    References:
        | Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al.,
          2022), Section 3, where it is MM
        | https://arxiv.org/abs/2206.07767
        | Three-Player Wasserstein GAN via Amortised Duality (Nhan Dam et al., 2019), Section 3
        | https://doi.org/10.24963/ijcai.2019/305

    Arguments:
        inner: As in :class:`MaximinLearned`.

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1] + 3, points[:, 1:]
        >>> Maximin(steps=20, inner=2)(x, y).bound
        'none'
    """

    def sides(self, network: Rivals, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return network.follow(x, 1, self.inner), y


@final
@dataclass(frozen=True, kw_only=True)
class ReversedMaximin(MaximinLearned):
    r"""W1 by a critic on P and a mover from Q: :class:`Maximin` with the roles swapped (MM:R).

    .. math:: \max_f \min_T\; E_{x \sim P}[f(x)] + E_{y \sim Q}\big[\|y - T(y)\| - f(T(y))\big]

    f is trained on P, where a generator needs its gradient.

    References:
        | Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al.,
          2022), Section 3, where it is MM:R
        | https://arxiv.org/abs/2206.07767

    Arguments:
        inner: As in :class:`MaximinLearned`.

    Example:
        >>> points = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
        >>> x, y = points[:, :1] + 3, points[:, 1:]
        >>> ReversedMaximin(steps=20, inner=2)(x, y).bound
        'none'
    """

    def sides(self, network: Rivals, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, network.follow(y, -1, self.inner)
