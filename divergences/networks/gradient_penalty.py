"""Gradient penalties, two-sided (WGAN-GP) and one-sided (WGAN-LP), and what they measure of W1."""

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from divergences.checks import positive_number
from divergences.networks.constraint import Constraint, check_separate
from divergences.networks.slopes import input_gradient, interpolates
from divergences.random_streams import Streams


class SlopePenalty(Constraint):
    r"""Penalises input-gradient norms, on interpolates of real and fake points by default.

    Arguments:
        weight: :math:`\lambda`, greater than 0.
    """

    def __init__(self, weight: float = 10.0):
        self.weight = positive_number("penalty weight", weight)

    def parametrize(self, critic: nn.Module) -> None:
        check_separate(type(self).__name__, critic)

    @abstractmethod
    def excess(self, norms: Tensor) -> Tensor:
        """How far each norm is from the one that the penalty asks for."""

    def points(self, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        """Where the norms are taken."""
        return interpolates(real, fake, streams)

    def penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
        points = self.points(real, fake, streams)
        gradient = input_gradient(critic, points, create_graph=True)
        return self.weight * self.excess(_safe_norm(gradient)).square().mean(-1)


@final
class GradientPenalty(SlopePenalty):
    r"""Two-sided gradient penalty :math:`\lambda\,E(\|\nabla f(\hat x)\| - 1)^2` (WGAN-GP).

    :math:`\hat x` is uniform on the segment between a real and a fake point. The penalty does not
    make the critic 1-Lipschitz: the dual value overshoots W1, see :func:`penalised_value`. It
    also punishes slopes *between* -1 and 1, which leaves a basin of the wrong sign: a critic that
    starts with slope near -1 must cross a region of higher penalty to turn round.

    References:
        | Improved Training of Wasserstein GANs (Gulrajani et al., 2017), Equation 3
        | https://arxiv.org/abs/1704.00028

    Arguments:
        weight: :math:`\lambda`. The paper's text uses 10, its released toy code 0.1.
    """

    def excess(self, norms: Tensor) -> Tensor:
        return norms - 1


@final
class LipschitzPenalty(SlopePenalty):
    r"""One-sided gradient penalty :math:`\lambda\,E\max(0, \|\nabla f(\hat x)\| - 1)^2` (WGAN-LP).

    Slopes below 1 are free, so there is no basin of the wrong sign; the overshoot is the same as
    that of :class:`GradientPenalty`.

    References:
        | On the regularization of Wasserstein GANs (Petzka et al., 2018), Equation 8
        | https://arxiv.org/abs/1709.08894

    Arguments:
        weight: :math:`\lambda`.
    """

    def excess(self, norms: Tensor) -> Tensor:
        return (norms - 1).clamp(min=0)


def penalised_value(w1: Tensor, weight: float) -> Tensor:
    r"""Dual value that a gradient penalty of weight :math:`\lambda` measures at its optimum.

    Along a potential of slope s the penalised objective is
    :math:`s W_1 - \lambda (s - 1)^2`; its maximum is at :math:`s = 1 + W_1/(2\lambda)`, where the
    dual value (without the penalty) is :math:`s W_1`. Exact where one slope serves all
    interpolates, as between shifted copies of one distribution.

    Example:
        >>> penalised_value(torch.tensor(1.0), weight=10.0)
        tensor(1.0500)
    """
    return w1 * (1 + w1 / (2 * positive_number("weight", weight)))


def corrected_value(dual: Tensor, weight: float) -> Tensor:
    r"""W1 from a penalised dual value, the inverse of :func:`penalised_value`.

    .. math:: W_1 = \lambda (\sqrt{1 + 2\,\mathrm{dual}/\lambda} - 1)

    Raises:
        ValueError: If ``weight`` is not positive, or ``dual`` is below ``-weight / 2``, which no
            penalised critic measures.

    Example:
        >>> corrected_value(torch.tensor(1.05), weight=10.0)
        tensor(1.0000)
    """
    squared = 1 + 2 * dual / positive_number("weight", weight)
    if (squared < 0).any():
        raise ValueError(
            f"dual = {dual.min().item():.4g} is below -weight / 2 = {-weight / 2:.4g}; no critic "
            "under this penalty measures that, is the sign right?"
        )
    return weight * (squared.sqrt() - 1)


def _safe_norm(gradient: Tensor) -> Tensor:
    """Euclidean norm over the last dimension, whose own gradient at 0 is 0 instead of NaN."""
    squared = gradient.square().sum(-1)
    return torch.where(squared > 0, squared, torch.ones_like(squared)).sqrt() * (squared > 0)
