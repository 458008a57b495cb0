"""Gradients: of both players' parameters, and of the losses at generated points."""

from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from divergences.checks import whole_number
from divergences.networks.layers import member_norms
from divergences.networks.slopes import input_gradient
from gans.monitors import tags
from gans.monitors.game import Game
from gans.monitors.readings import Monitor, Readings


def gradient_norms(parameters: Iterable[Parameter], members: int | None = None) -> Tensor | None:
    """Norm of each member's gradient over all its parameters, or ``None`` before the first."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return member_norms(gradients, members) if gradients else None


def norm_of_one(parameters: Iterable[Parameter]) -> Tensor | None:
    """The same of networks without a member axis, shape ``(1,)``."""
    gradients = [p.grad.detach().reshape(-1).float() for p in parameters if p.grad is not None]
    return torch.cat(gradients).norm()[None].cpu() if gradients else None


@final
class PlayerGradients(Monitor):
    """Gradient norms as the last iteration left them, and what the game reports, such as losses.

    Arguments:
        n: Generated points per member at which the critic's gradient is taken.
    """

    def __init__(self, n: int = 256):
        self.n = whole_number("n", n)

    def read(self, game: Game) -> Readings:
        groups, members = game.groups().items(), len(game.seeds)
        norms = {tags.gradient(name): gradient_norms(p, members) for name, p in groups}
        if game.critic is not None:
            _, fake, _ = game.held_out(self.n, "gradients")
            at_points = input_gradient(game.critic, fake)
            norms[tags.INPUT_GRADIENT] = at_points.norm(dim=-1).mean(-1)
        found: Readings = {tag: norm for tag, norm in norms.items() if norm is not None}
        return {**game.reported(), **found}


def descent_at(game: Game, points: Tensor) -> Tensor:
    """Where the generator's loss would move a generated point: minus its gradient, ``(K, n, d)``.

    The gradient is of one point's own loss, so it does not shrink with the number of points.
    """
    assert game.objective is not None
    points = points.detach().requires_grad_(True)
    real = None
    if game.objective.pairs:
        real = game.scores(game.held_out(points.shape[1], "pulls").real).detach()
    loss = game.objective.generator_loss(game.scores(points), real)
    return -points.shape[1] * torch.autograd.grad(loss.sum(), points)[0]


@final
class PointDescent(Monitor):
    """Mean size of :func:`descent_at` over held-out generated points, as ``descent``.

    Arguments:
        n: Generated points per member.
        purpose: Names the streams that the points come from.
    """

    def __init__(self, n: int, purpose: str):
        self.n, self.purpose = whole_number("n", n), purpose

    def read(self, game: Game) -> Readings:
        fake = game.held_out(self.n, self.purpose).fake
        return {"descent": descent_at(game, fake).norm(dim=-1).mean(-1).double()}
