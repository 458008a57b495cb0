r"""Laws made by moving each point of another law along a transport ray, and so knowing W1.

A plan is optimal for the distance :math:`\|x - y\|` if some 1-Lipschitz f falls along every move
by as much as the move is long: :math:`f(x) - f(y) = \|x - y\|` for each pair. Then
:math:`W_1 = E\|x - y\|`, f is a Kantorovich potential, and its slope at x points along the move.
A law that is *made* this way knows all three, in any dimension.

References:
    | Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al., 2022),
      Section 4
    | https://arxiv.org/abs/2206.07767
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self, final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import real_number
from divergences.estimate import Estimate
from divergences.random_streams import Streams
from gans.targets.base import NoiseSource, Target
from gans.targets.representable import length
from gans.targets.uniform import Ball


class Move(NamedTuple):
    """Where points go, and the potential's gradient where they arrive, both ``(..., d)``.

    The gradient is taken from where a point starts: near the tip of a funnel the direction from
    the tip to the point is rounding noise.
    """

    x: Tensor
    slope: Tensor


class Transported(Target):
    """The law of T(y) for y from ``base``, where T moves along transport rays.

    Attributes:
        base: The law that is moved.
    """

    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)
    base: Target

    @abstractmethod
    def transport(self, y: Tensor) -> Move:
        """T(y), and the gradient of the potential there."""

    @abstractmethod
    def potential(self, x: Tensor) -> Tensor:
        """A 1-Lipschitz f with E_P[f] - E_Q[f] = W1(P, Q), for P this law and Q its base."""

    @property
    def w1(self) -> float | None:
        """W1 from the base in closed form, ``None`` where there is none."""
        return None

    def paired(self, streams: Streams, n: int) -> tuple[Tensor, Move]:
        """Points y of the base, ``(K, n, d)``, and where each of them goes."""
        y = self.base.draw(streams, n)
        return y, self.transport(y)

    def measured_w1(self, n: int = 2**16, seed: int = 0) -> Estimate:
        """W1 as the mean length of ``n`` moves, in float64, with its standard error."""
        streams = Streams([seed], "w1", dtype=torch.float64)
        lengths = []
        for done in range(0, n, 2**13):
            y, move = self.paired(streams, min(2**13, n - done))
            lengths.append(length(move.x - y)[0])
        moved = torch.cat(lengths)
        return Estimate(moved.mean(), moved.std() / n**0.5, bound="exact", n=(n, n), seconds=0.0)

    @property
    def mean(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: the mean has no closed form")

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: the variance has no closed form")

    def log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: the density is not implemented")

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same law on ``device``; the type of its points is that of the noise."""
        new = super().to(device)
        new.base = self.base.to(device)
        return new

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return self.base.noise(source, *shape)

    def push(self, *noise: Tensor) -> Tensor:
        return self.transport(self.base.push(*noise)).x


@final
class Shifted(Transported):
    r"""A copy of a law, moved by a vector: :math:`W_p = \|v\|` for every order p.

    Arguments:
        base: What is copied; its ``batch_shape`` must be ``()``.
        by: The vector v, one number per dimension, not 0.

    Raises:
        ValueError: If ``by`` has another dimension than the law, is 0 or not finite.

    Example:
        >>> from gans.targets import Box
        >>> Shifted(Box([0.0, 0.5, 0.0]), [3.0, 0.0, 4.0]).w1  # parallel segments in space
        5.0
    """

    def __init__(
        self, base: Target, by: Sequence[float] | Tensor, validate_args: bool | None = None
    ):
        vector = torch.as_tensor(by, dtype=torch.get_default_dtype())
        if base.batch_shape != Size():
            raise ValueError(f"Shifted: a law of batch_shape {tuple(base.batch_shape)}, not ()")
        if vector.shape != base.event_shape:
            raise ValueError(
                f"Shifted: a vector of shape {tuple(vector.shape)} for points of "
                f"{base.event_shape[0]} dimensions"
            )
        if not (torch.isfinite(vector).all() and vector.any()):
            raise ValueError(f"Shifted: the vector {vector.tolist()} must be finite and not 0")
        self.base, self.by = base, vector
        super().__init__(Size(), base.event_shape, validate_args)

    def transport(self, y: Tensor) -> Move:
        return Move(y + self.by.to(y), self._direction(y).expand_as(y))

    def _direction(self, like: Tensor) -> Tensor:
        unit = self.by.double()
        return (unit / length(unit)).to(like)

    def potential(self, x: Tensor) -> Tensor:
        return x @ self._direction(x)

    @property
    def w1(self) -> float:
        return float(length(self.by.double()))

    def _shared(self) -> dict[str, Tensor]:
        return {"by": self.by}


@final
class OneFunnel(Transported):
    r"""A ball drawn to its centre, :math:`x = R\,t^p\,v` for y = R t v: W1 in closed form.

    .. math:: W_1 = R \left(\frac{D}{D + 1} - \frac{D}{D + p}\right)

    since t has density :math:`D t^{D - 1}`. The potential is :math:`-\|x\|`.

    Arguments:
        dimension: D, at least 1.
        radius: R, greater than 0.
        power: p, greater than 1.

    Raises:
        ValueError: If a parameter is out of range.

    Example:
        >>> OneFunnel(2, radius=2.5).w1
        1.1666666666666665
    """

    def __init__(
        self,
        dimension: int,
        radius: float = 2.5,
        power: float = 8.0,
        validate_args: bool | None = None,
    ):
        self.ball, self.power = Ball(radius, dimension), check_power("OneFunnel", power)
        self.base = self.ball
        super().__init__(Size(), Size([dimension]), validate_args)

    def transport(self, y: Tensor) -> Move:
        far = length(y, keepdim=True)
        outward = y / far
        t = far / self.ball.radius.to(y)
        return Move(self.ball.radius.to(y) * t**self.power * outward, -outward)

    def potential(self, x: Tensor) -> Tensor:
        return -length(x)

    @property
    def w1(self) -> float:
        d = self.event_shape[0]
        return float(self.ball.radius) * (d / (d + 1) - d / (d + self.power))

    def _shared(self) -> dict[str, Tensor]:
        return self.ball._shared()


def check_power(target: str, power: float) -> float:
    """The power, if it draws points inward."""
    if real_number(f"{target}: power", power) <= 1:
        raise ValueError(f"{target}: power = {power} must be a finite number above 1, e.g. 8")
    return float(power)
