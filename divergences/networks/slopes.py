"""Slopes of a critic: its gradient by the point, and that between two samples."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from divergences.random_streams import Streams


def input_gradient(
    critic: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False
) -> Tensor:
    """Gradient of each point's score with respect to that point, shape ``(K, n, d)``.

    Arguments:
        critic: From points ``(K, n, d)`` to scores ``(K, n, 1)``. Where it has a method of this
            name that gives something else than ``None``, that is taken.
        x: The points.
        create_graph: Whether the gradient is to be differentiated with respect to the critic's
            parameters, as a penalty on slopes is.
    """
    in_closed_form = getattr(critic, "input_gradient", None)
    if in_closed_form is not None:
        with nullcontext() if create_graph else torch.no_grad():
            written_out = in_closed_form(x)
        if written_out is not None:
            return written_out
    if torch.compiler.is_compiling():  # derives a derivative's derivative by itself
        return torch.func.grad(lambda points: critic(points).sum())(x)
    if not x.requires_grad:
        x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        scores = critic(x)
        (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=create_graph)
    return gradient


def interpolates(real: Tensor, fake: Tensor, streams: Streams) -> Tensor:
    """Points on the segments between pairs of real and fake points, one coefficient per pair.

    Raises:
        ValueError: If there are not as many of one as of the other.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"points of shape {tuple(real.shape)} and {tuple(fake.shape)}: segments join pairs of "
            "points; give as many of one as of the other, e.g. x[:, :n]"
        )
    epsilon = streams.rand(real.shape[1], 1)
    return epsilon * real + (1 - epsilon) * fake


def lipschitz_audit(
    critic: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, streams: Streams
) -> Tensor:
    r"""Input-gradient norms :math:`\|\nabla f\|` along the segments between ``x`` and ``y``.

    Their maximum is a lower bound on the critic's Lipschitz constant, and the constant that
    matters to the dual value: transport rays run between the two supports.

    Returns:
        Norms of shape ``(K, n)``.

    Example:
        >>> from divergences.networks.layers import Linear
        >>> critic, x = torch.nn.Sequential(Linear(2, 1, Streams([0]))), torch.zeros(1, 9, 2)
        >>> norms = lipschitz_audit(critic, x, x + 1, Streams([0]))
        >>> torch.allclose(norms, critic[0].weight.norm())
        True
    """
    return input_gradient(critic, interpolates(x, y, streams)).norm(dim=-1)
