"""Gradients of both players, the critic's slope, and pictures of the two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from divergences.checks import whole_number
from divergences.networks.layers import member_norms
from divergences.networks.lipschitz import input_gradient, lipschitz_audit
from gans.callbacks.periodic import Periodic, held_out, log_members
from gans.figures import draw_state
from gans.modules import AdversarialModule


def gradient_norms(parameters: Iterable[Parameter]) -> Tensor | None:
    """Norm of each member's gradient over all its parameters, or ``None`` before the first."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return member_norms(gradients) if gradients else None


@final
class Gradients(Periodic):
    """Losses and gradient norms of both players as the last iteration left them.

    Logs ``loss/critic`` and ``loss/generator``; ``gradient/generator`` and ``gradient/critic``,
    norms over all parameters of a member; ``gradient/input``, the mean norm of the critic's
    gradient at generated points, which is all a generator ever learns from; and log10 of each.

    Arguments:
        every: Iterations between observations.
        n: Generated points per member for ``gradient/input``.
    """

    def __init__(self, every: int = 50, n: int = 256):
        super().__init__(every)
        self.n = whole_number("n", n)

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        _, fake, _ = held_out(module, self.n, "gradients")
        norms = {
            "generator": gradient_norms(module.generator.parameters()),
            "critic": gradient_norms(module.critic.parameters()),
            "input": input_gradient(module.critic, fake).norm(dim=-1).mean(-1),
        }
        values = {
            f"generator/{name}": value for name, value in module.generator.readings().items()
        }
        for name, norm in norms.items():
            if norm is not None:
                values[f"gradient/{name}"] = norm
                values[f"gradient/{name}_log10"] = norm.log10()
        if module.last is not None:
            values["loss/critic"] = module.last.critic_loss
            values["loss/generator"] = module.last.generator_loss
        log_members(trainer.logger, values, trainer.global_step)


@final
class LipschitzAudit(Periodic):
    """How steep the critic is between the two supports, and what its dual value is worth.

    Logs ``critic/slope_max`` and ``critic/slope_mean``, input-gradient norms between real and
    generated points; ``critic/dual``, the raw difference of mean scores; and
    ``critic/dual_normalised``, the dual value divided by ``slope_max``.

    Arguments:
        every: Iterations between observations.
        n: Points per side and member.
    """

    def __init__(self, every: int = 250, n: int = 512):
        super().__init__(every)
        self.n = whole_number("n", n)

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        real, fake, streams = held_out(module, self.n, "audit")
        slopes = lipschitz_audit(module.critic, real, fake, streams)
        with torch.no_grad():
            dual = module.scores(real).mean(-1) - module.scores(fake).mean(-1)
        steepest = slopes.amax(-1)
        values = {
            "critic/slope_max": steepest,
            "critic/slope_mean": slopes.mean(-1),
            "critic/dual": dual,
            "critic/dual_normalised": dual / steepest,
        }
        log_members(trainer.logger, values, trainer.global_step)


@final
class Pictures(Periodic):
    """Real and generated points over the critic's surface and its gradient, as figures.

    Arguments:
        every: Iterations between figures; each costs about as much as a few hundred curves.
        n: Points per side.
        member: Which member is drawn.
    """

    def __init__(self, every: int = 1000, n: int = 512, member: int = 0):
        super().__init__(every)
        self.n = whole_number("n", n)
        self.member = whole_number("member", member, least=0)

    def observe(self, trainer: pl.Trainer, module: AdversarialModule) -> None:
        if not 0 <= self.member < len(module.seeds):
            raise ValueError(
                f"member = {self.member}: the run has members 0 to {len(module.seeds) - 1}"
            )
        real, fake, _ = held_out(module, self.n, "pictures")
        figure = draw_state(module.critic, real, fake, self.member)
        figure.suptitle(f"iteration {trainer.global_step}, seed {module.seeds[self.member]}")
        writer = trainer.logger.experiment  # pyright: ignore
        writer.add_figure("samples and critic", figure, trainer.global_step)
