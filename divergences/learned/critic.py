"""W1 from a critic under a Lipschitz constraint."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

from torch import Tensor, nn

from divergences import bounds
from divergences.checks import each, positive_number
from divergences.estimate import Bound, Estimate
from divergences.learned.base import Fit, Learned, paired_scores
from divergences.learned.sources import Given, Source
from divergences.networks.constraint import Constraint
from divergences.networks.layers import (
    MLP,
    FourierFeatures,
    FullSort,
    MaxMin,
    check_decay,
    move_average,
)
from divergences.networks.weight_constraints import SpectralNorm
from divergences.random_streams import Streams

SLOPE_AT_MOST_1 = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Softplus, FullSort, MaxMin)
"""Activations that are 1-Lipschitz as torch makes them by default. SiLU and GELU are not."""

UNCERTIFIED = (
    "nothing bounds this critic's slope by 1: its value is W1 up to an unknown factor; audit the "
    "slope, or use SpectralNorm or Orthogonal"
)


@final
@dataclass(frozen=True, kw_only=True)
class Critic(Learned):
    r"""W1 by a critic: :math:`E_P[f] - E_Q[f]` under a Lipschitz constraint.

    A lower bound on W1, and its estimates say so, if the constraint truly bounds the Lipschitz
    constant by 1 (:class:`~divergences.SpectralNorm`,
    :class:`~divergences.Orthogonal`) and so does the activation; see the constraint's
    own page otherwise.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Equation 2
        | https://arxiv.org/abs/1701.07875

    Arguments:
        constraint: What keeps the critic Lipschitz.
        activation: Class of the nonlinearity between layers;
            :class:`~divergences.MaxMin` and, in many dimensions,
            :class:`~divergences.FullSort` go with ``Orthogonal``.
        fourier: As in :class:`~divergences.Discriminator`. Waves are steep: no constraint on the
            layers behind them bounds the critic's slope by 1, and the estimate is no lower bound.
        ema: Decay of an exponential moving average of the weights, which is then what is read;
            none by default. An average of matrices of norm 1 at most is one, so that a lower
            bound stays one.
        first: Trained before, on the same laws and streams; this critic goes on from its weights.
            Orthonormal layers find directions that a penalty alone does not, and a penalty then
            lets slopes rise to 1 where such layers cannot.

    Example:
        >>> import torch
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
        each("fourier", self.fourier, positive_number)
        check_decay("ema", self.ema)
        if not isinstance(self.constraint, Constraint):
            raise TypeError(f"constraint = {self.constraint!r}: it must be one, as SpectralNorm()")
        if not (isinstance(self.activation, type) and issubclass(self.activation, nn.Module)):
            raise TypeError(f"activation = {self.activation!r}: it must be a class, as nn.ReLU")
        if not (self.first is None or isinstance(self.first, Learned)):
            raise TypeError(f"first = {self.first!r}: it must be an estimator that is trained")

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        network: nn.Module
        if self.fourier:
            waves = FourierFeatures(streams, dimension, self.fourier)
            layers = MLP(streams, waves.out_features, 1, self.hidden, self.activation)
            network = nn.Sequential(waves, layers)
        else:
            network = MLP(streams, dimension, 1, self.hidden, self.activation)
        self.constraint.parametrize(network)
        return network

    def fit(
        self,
        p: Given,
        q: Given,
        seeds: Sequence[int],
        observe: Callable[[int, nn.Module], bool | None] | None = None,
        start: Fit | None = None,
    ) -> Fit:
        if start is None and self.first is not None:
            start = self.first.fit(p, q, seeds)
        decay = self.ema
        if decay is None:
            return super().fit(p, q, seeds, observe, start)
        average: nn.Module | None = None

        def follow(step: int, network: nn.Module) -> bool | None:
            nonlocal average
            if average is None:
                average = deepcopy(network)
            move_average(average, network, decay)
            return observe is not None and observe(step, network)

        fitted = super().fit(p, q, seeds, follow, start)
        assert average is not None
        return replace(fitted, network=average.eval().requires_grad_(False))

    @property
    def stops_early(self) -> bool:
        return self.ema is None  # an average is no better where the live weights are best

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = paired_scores(network, x, y)
        return on_q.mean(-1) - on_p.mean(-1) + self.constraint.penalty(network, x, y, streams)

    def limit(self, network: nn.Module) -> None:
        self.constraint.limit(network)

    def project(self, network: nn.Module) -> None:
        self.constraint.project(network)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        reading = bounds.kantorovich_rubinstein(p_scores, q_scores)
        certified = self.constraint.certified and not self.fourier
        if certified and self.activation in SLOPE_AT_MOST_1:
            return reading
        return replace(reading, bound="none", warnings=(*reading.warnings, UNCERTIFIED))
