"""Regularisers of a discriminator, beside its Lipschitz constraints: one short class each."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, final

import torch
from torch import Tensor, nn

from divergences.checks import positive_number, real_number, shown, whole_number
from divergences.networks.constraint import Constraint, check_separate
from divergences.networks.gradient_penalty import SlopePenalty
from divergences.networks.layers import member_norms
from divergences.networks.slopes import input_gradient
from divergences.random_streams import Streams
from gans.networks.plain import Plain


class ZeroCentred(Constraint):
    r"""Penalty :math:`\frac{\gamma}{2}\,E\|\nabla f\|^2` on points of one side.

    Arguments:
        weight: :math:`\gamma`, greater than 0.
    """

    def __init__(self, weight: float = 0.1):
        self.weight = positive_number("penalty weight", weight)

    def parametrize(self, critic: nn.Module) -> None:
        check_separate(type(self).__name__, critic)

    @abstractmethod
    def side(self, real: Tensor, fake: Tensor) -> Tensor:
        """The points at which the critic is to be flat."""

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        gradient = input_gradient(critic, self.side(real, fake), create_graph=True)
        return self.weight / 2 * gradient.square().sum(-1).mean(-1)


@final
class R1(ZeroCentred):
    r"""Penalty :math:`\frac{\gamma}{2}\,E_{real}\|\nabla f\|^2`: flat where the data are.

    With it the Dirac-GAN comes to rest, which neither clipping nor a gradient penalty achieves.

    References:
        | Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018),
          Equation 9
        | https://arxiv.org/abs/1801.04406

    Arguments:
        weight: :math:`\gamma`.
    """

    def side(self, real: Tensor, fake: Tensor) -> Tensor:
        return real


@final
class R2(ZeroCentred):
    r"""Penalty :math:`\frac{\gamma}{2}\,E_{fake}\|\nabla f\|^2`: flat where the generator is.

    References:
        | Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018),
          Equation 10
        | https://arxiv.org/abs/1801.04406

    Arguments:
        weight: :math:`\gamma`.
    """

    def side(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake


@final
class DRAGAN(SlopePenalty):
    r"""Penalty :math:`\lambda\,E(\|\nabla f(x + \delta)\| - 1)^2` around real points only, with
    :math:`\delta \sim N(0, c^2 I)`.

    References:
        | On Convergence and Stability of GANs (Kodali et al., 2017), Section 2.3
        | https://arxiv.org/abs/1705.07215

    Arguments:
        weight: :math:`\lambda`.
        scale: Standard deviation c of the noise, in the data's own length.
    """

    def __init__(self, weight: float = 10.0, scale: float = 0.1):
        super().__init__(weight)
        self.scale = positive_number("DRAGAN: scale", scale)

    def excess(self, norms: Tensor) -> Tensor:
        return norms - 1

    def points(self, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        return real + self.scale * streams.randn(*real.shape[1:])


@final
class GradientClipping(Constraint):
    """Shortens each member's gradient to norm ``most`` where it is longer, before every step.

    Bounds how far a step goes, not how steep the critic becomes.

    Arguments:
        most: Largest norm over all parameters of a member.
    """

    @property
    def bounds_slope(self) -> bool:
        return False

    def __init__(self, most: float = 1.0):
        self.most = positive_number("GradientClipping: most", most)

    @torch.no_grad()
    def limit(self, critic: nn.Module) -> None:
        gradients = [p.grad for p in critic.parameters() if p.grad is not None]
        members = 1 if isinstance(critic, Plain) else None
        factors = (self.most / member_norms(gradients, members)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))


def _constraint(user: str, value: Any) -> Constraint:
    if not isinstance(value, Constraint):
        raise TypeError(f"{user}: {shown(value)} is no constraint; give one, such as R1(0.1)")
    return value


@final
class Combined(Constraint):
    """Several constraints at once, such as R1 and R2.

    Certified is a network whose layers are kept by the way they are computed, as by
    ``SpectralNorm``, or by whichever constraint moves its weights last. Clipping entries may
    raise the norm of an orthonormal matrix, so ``[Orthogonal(), WeightClipping()]`` certifies
    nothing.

    Arguments:
        constraints: In the order in which they are applied, at least one, and at most one that
            certifies the layers.

    Raises:
        ValueError: If there is none, or several set the weights of the layers.

    Example:
        >>> Combined([R1(0.1), R2(0.1)]).bounds_slope
        True
    """

    def __init__(self, constraints: Iterable[Constraint]):
        self.constraints = tuple(_constraint("Combined", c) for c in constraints)
        if not self.constraints:
            raise ValueError("Combined: name at least one constraint, or use Unconstrained()")
        names = [type(c).__name__ for c in self.constraints if c.certified]
        if len(names) > 1:
            raise ValueError(
                f"Combined: {' and '.join(names)} would both set the weights of every layer; "
                "name one of them"
            )

    @property
    def certified(self) -> bool:
        moving = [c for c in self.constraints if c.moves_weights]
        computed = any(c.certified for c in self.constraints if not c.moves_weights)
        return computed or (len(moving) > 0 and moving[-1].certified)

    @property
    def moves_weights(self) -> bool:
        return any(c.moves_weights for c in self.constraints)

    @property
    def bounds_slope(self) -> bool:
        return any(c.bounds_slope for c in self.constraints)

    def parametrize(self, critic: nn.Module) -> None:
        for constraint in self.constraints:
            constraint.parametrize(critic)

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        penalties = [c.penalty(critic, real, fake, streams) for c in self.constraints]
        return torch.stack(penalties).sum(0)

    def limit(self, critic: nn.Module) -> None:
        for constraint in self.constraints:
            constraint.limit(critic)

    def project(self, critic: nn.Module) -> None:
        for constraint in self.constraints:
            constraint.project(critic)


@final
class Annealed(Constraint):
    r"""Another constraint's penalty times a factor that falls geometrically from 1 to ``last``.

    A zero-centred penalty of weight :math:`\gamma` keeps a critic from seeing structure finer than
    about :math:`\sqrt\gamma`: a bump of height 1 and width :math:`\sigma` costs
    :math:`\gamma / 2\sigma^2`. Without the penalty the players lose modes early on; with it they
    keep modes narrower than the data's. Critic steps, which are calls of ``project``, are counted
    in the critic's own buffer ``annealed``, so that a resumed run goes on where it was.

    References:
        | The GAN is dead; long live the GAN! A Modern GAN Baseline (Huang et al., 2025), in whose
          released code the weights of R1 and R2 fall along a cosine
        | https://arxiv.org/abs/2501.05441

    Arguments:
        constraint: Whose penalty is annealed.
        last: The factor in the end, greater than 0.
        steps: Critic steps of the whole run.
        start: Share of the steps at full weight.
        end: Share of the steps after which the factor is ``last``.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> from gans.discriminator_regularisers import R1
        >>> annealed = Annealed(R1(0.1), last=1e-4, steps=100)
        >>> [f"{annealed.factor(torch.tensor(s)):.4f}" for s in (0, 25, 50, 75, 100)]
        ['1.0000', '1.0000', '0.0100', '0.0001', '0.0001']
    """

    def __init__(
        self,
        constraint: Constraint,
        last: float,
        steps: int,
        start: float = 0.25,
        end: float = 0.75,
    ):
        self.steps = whole_number("Annealed: steps", steps)
        start = real_number("Annealed: start", start)
        end = real_number("Annealed: end", end)
        if not 0 <= start < end <= 1:
            raise ValueError(f"Annealed: start = {start} and end = {end} are shares, in order")
        self.constraint = _constraint("Annealed", constraint)
        self.start, self.end = start, end
        self.last = positive_number("Annealed: last", last)

    @property
    def certified(self) -> bool:
        return self.constraint.certified

    @property
    def moves_weights(self) -> bool:
        return self.constraint.moves_weights

    @property
    def bounds_slope(self) -> bool:
        return self.constraint.bounds_slope

    def factor(self, step: Tensor) -> Tensor:
        """What the penalty is multiplied by at a critic step."""
        share = (step / self.steps - self.start) / (self.end - self.start)
        return self.last ** share.clamp(0, 1)

    def parametrize(self, critic: nn.Module) -> None:
        self.constraint.parametrize(critic)
        critic.register_buffer("annealed", torch.zeros((), dtype=torch.long))

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        factor = self.factor(self._steps_of(critic)).to(real)
        return factor * self.constraint.penalty(critic, real, fake, streams)

    def limit(self, critic: nn.Module) -> None:
        self.constraint.limit(critic)

    def project(self, critic: nn.Module) -> None:
        self._steps_of(critic).add_(1)
        self.constraint.project(critic)

    @staticmethod
    def _steps_of(critic: nn.Module) -> Tensor:
        try:
            return critic.get_buffer("annealed")
        except AttributeError:
            raise ValueError(
                "Annealed: call parametrize(critic) first, which counts its steps"
            ) from None
