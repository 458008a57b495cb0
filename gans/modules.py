"""The Lightning modules: one adversarial training loop, and the two games played on it."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

from divergences.checks import whole_number
from divergences.networks.constraint import Constraint, Unconstrained
from divergences.networks.layers import MLP
from divergences.networks.weight_constraints import WeightClipping
from divergences.random_streams import Streams
from gans.generator_module import (
    GeneratorFactory,
    GeneratorModule,
    OptimizerFactory,
    SchedulerFactory,
)
from gans.gradients import Autograd, Compiled
from gans.logits import refuse_sigmoid
from gans.networks import NoiseGenerator, evaluating
from gans.networks.plain import critic_factory
from gans.objectives import NonSaturating, Objective, Wasserstein
from gans.sharing import average_gradients
from gans.targets import Target

CriticFactory = Callable[[Streams, int, int], nn.Module]
"""From the members' streams, the points' dimension and 1 to a critic, as in ``MLP``."""

_ADAM = partial(Adam, lr=2e-4, betas=(0.5, 0.999), fused=True)


class AdversarialModule(GeneratorModule):
    """K generators against K critics; member k depends on ``seeds[k]`` and its own target only.

    A generator iteration has its critic steps inside.

    Arguments:
        target: What the generators should learn, of ``batch_shape`` ``()`` or ``(K,)``.
        objective: What critic and generator minimise.
        constraint: What keeps the critic in its class.
        n_critic: Critic steps per generator iteration.
        generator: Makes the generators; with one seed also a torch module from noise ``(n, m)``
            to points ``(n, d)``, see :class:`~gans.PlainGenerator`.
        critic: Makes the critics; with one seed also a torch module from points ``(n, d)`` to
            scores ``(n, 1)``, see :class:`~gans.PlainCritic`.
        generator_optimizer: Makes the generators' optimizer.
        critic_optimizer: Makes the critics' optimizer.
        warmup: Additional critic steps before the first generator iteration.
        compile_from: Critic steps from which on a run is long enough for its gradients to come
            from a compiled program, see :class:`~gans.gradients.Compiled`; 20000 is about where
            that pays. Never by default.
        scheduler: As in :class:`~gans.generator_module.GeneratorModule`.
        ema: As there.
        batch_size: As there.
        iterations: As there.
        seeds: As there.

    Raises:
        ValueError: If a count is out of range, the target cannot serve the seeds, or objective and
            constraint make no sense together.
    """

    objective: Objective

    def __init__(
        self,
        target: Target,
        objective: Objective,
        constraint: Constraint,
        n_critic: int = 1,
        generator: GeneratorFactory = NoiseGenerator,
        critic: CriticFactory = MLP,
        generator_optimizer: OptimizerFactory = _ADAM,
        critic_optimizer: OptimizerFactory = _ADAM,
        scheduler: SchedulerFactory | None = None,
        ema: float | None = None,
        warmup: int = 0,
        batch_size: int = 128,
        iterations: int = 1000,
        seeds: Sequence[int] = (0,),
        compile_from: int | None = None,
    ):
        whole_number("n_critic", n_critic)
        for name, count in {"warmup": warmup, "compile_from": compile_from or 0}.items():
            whole_number(name, count, least=0)
        objective.check(constraint)
        super().__init__(target, generator, scheduler, ema, batch_size, iterations, seeds)
        self.objective, self.constraint = objective, constraint
        self.n_critic, self.warmup = n_critic, warmup
        make = critic_factory(critic)
        self.critic = self.made("critic", make, self._streams_of("critic"), self.dimension, 1)
        with evaluating([self.critic]), torch.random.fork_rng(devices=()):
            few = math.gcd(batch_size, 2520)  # as many as packs of up to ten points divide
            points = torch.randn(len(self.seeds), few, self.dimension)
            refuse_sigmoid(objective, self.scores, points)
        constraint.parametrize(self.critic)
        players = (self.critic, self.critic_loss), (self.generator, self.generator_loss)
        long = compile_from is not None and n_critic * iterations >= compile_from
        self.critic_gradients, self.generator_gradients = (
            Compiled(*player) if long else Autograd(*player) for player in players
        )
        self.optimizer_factories = (critic_optimizer, generator_optimizer)

    def players(self) -> dict[str, nn.Module]:
        return {"critic": self.critic, **super().players()}

    def scores(self, points: Tensor) -> Tensor:
        """Critic scores of shape ``(K, n)``."""
        return self.critic(points).squeeze(-1)

    def configure_optimizers(self) -> Any:
        for_critic, for_generator = self.optimizer_factories
        return self.scheduled(
            critic_optimizer=(for_critic, self.critic),
            generator_optimizer=(for_generator, self.generator),
        )

    def training_step(self, batch: Any, batch_idx: int) -> None:
        critic_optimizer = self.optimizers(use_pl_optimizer=False)[0]  # pyright: ignore
        generator_optimizer = self.optimizers()[1]  # pyright: ignore  # counts iterations
        steps = self.n_critic + (self.warmup if self.global_step == 0 else 0)
        for real, fake in self.minibatches(steps):
            critic_loss = self.critic_step(critic_optimizer, real, fake)
        generator_loss = self.generator_step(generator_optimizer)
        self.end_iteration(critic=critic_loss, generator=generator_loss)  # pyright: ignore

    def _try_steps(self, *optimizers: Optimizer) -> None:
        several = self.minibatches(self.n_critic)
        for _, (real, fake) in zip(range(2), several, strict=False):
            self.critic_step(optimizers[0], real, fake)
        super()._try_steps(*optimizers)

    def minibatches(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Real and generated points for so many critic steps.

        Real points are drawn for several steps at once. Generated ones are not: a generator may
        normalise over its batch, and the activations of a larger one would leave the cache.
        """
        while steps > 0:
            now = min(steps, self.n_critic)
            with torch.no_grad():
                several = self.target.draw(self.streams, now * self.points)
            for real in several.split(self.points, 1):
                with torch.no_grad():
                    fake = self.generator.draw(self.streams, self.points)
                yield real, fake
            steps -= now

    def critic_loss(
        self, critic: nn.Module, streams: Streams, real: Tensor, fake: Tensor
    ) -> Tensor:
        """Losses of the critics on a minibatch, penalty included."""
        on_real, on_fake = critic(torch.cat([real, fake], dim=1)).squeeze(-1).chunk(2, dim=1)
        penalty = self.constraint.penalty(critic, real, fake, streams)
        return self.objective.critic_loss(on_real, on_fake) + penalty

    def generator_loss(
        self, generator: nn.Module, streams: Streams, noise: Tensor, real: Tensor | None = None
    ) -> Tensor:
        """Losses of the generators against the critics as they stand."""
        on_real = None
        if real is not None:
            with torch.no_grad():
                on_real = self.scores(real)
        return self.objective.generator_loss(self.scores(generator(noise)), on_real)

    def critic_step(self, optimizer: Optimizer, real: Tensor, fake: Tensor) -> Tensor:
        """One step of every critic on a minibatch; returns the losses, penalty included."""
        losses = self.critic_gradients(self.streams, real, fake)
        average_gradients(self.critic.parameters())
        self.constraint.limit(self.critic)
        optimizer.step()
        self.constraint.project(self.critic)
        return losses

    def generator_minibatch(self) -> list[Tensor]:
        noise = self.generator.noise(self.streams, self.points)
        real = [self.target.draw(self.streams, self.points)] if self.objective.pairs else []
        return [noise, *real]


@final
class VanillaGAN(AdversarialModule):
    """Goodfellow's GAN, or any other objective: one critic step per generator iteration.

    References:
        | Generative Adversarial Nets (Goodfellow et al., 2014), Algorithm 1
        | https://arxiv.org/abs/1406.2661

    Arguments:
        target: What the generators should learn.
        objective: Any of :mod:`gans.objectives`; ``NonSaturating()`` by default.
        constraint: Any constraint or penalty on the discriminator; none by default.
        kwargs: The arguments of :class:`AdversarialModule`.
    """

    def __init__(
        self,
        target: Target,
        objective: Objective | None = None,
        constraint: Constraint | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            target=target,
            objective=objective or NonSaturating(),
            constraint=constraint or Unconstrained(),
            **kwargs,
        )


@final
class WGAN(AdversarialModule):
    """Wasserstein GAN: a Lipschitz critic, several steps of it per generator iteration.

    The defaults are the paper's own: weight clipping at .01, RMSprop at 5e-5, five critic steps.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Algorithm 1
        | https://arxiv.org/abs/1701.07875

    Arguments:
        target: What the generators should learn.
        constraint: What keeps the critic Lipschitz; the paper's weight clipping by default.
        n_critic: Critic steps per generator iteration.
        generator_optimizer: Makes the generators' optimizer.
        critic_optimizer: Makes the critics' optimizer.
        kwargs: The arguments of :class:`AdversarialModule`.
    """

    def __init__(
        self,
        target: Target,
        constraint: Constraint | None = None,
        n_critic: int = 5,
        generator_optimizer: OptimizerFactory = partial(RMSprop, lr=5e-5),
        critic_optimizer: OptimizerFactory = partial(RMSprop, lr=5e-5),
        **kwargs: Any,
    ):
        super().__init__(
            target=target,
            objective=Wasserstein(),
            constraint=constraint or WeightClipping(),
            n_critic=n_critic,
            generator_optimizer=generator_optimizer,
            critic_optimizer=critic_optimizer,
            **kwargs,
        )
