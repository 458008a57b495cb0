"""The Lightning modules: one adversarial training loop, and the two games played on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple, final

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler

from divergences.checks import entries, shown, whole_number
from divergences.networks.layers import MLP, check_decay, member_norms, move_average
from divergences.networks.lipschitz import Constraint, Unconstrained, WeightClipping
from divergences.random_streams import Streams
from gans.gradients import Autograd, Compiled
from gans.networks import Generator, NoiseGenerator
from gans.networks.plain import critic_factory, generator_factory
from gans.objectives import NonSaturating, Objective, Wasserstein
from gans.sharing import average_gradients
from gans.targets import Target

GeneratorFactory = Callable[[Streams, int], Generator]
"""From the members' streams and the dimension of the points to a generator."""
CriticFactory = Callable[[Streams, int, int], nn.Module]
"""From the members' streams, the points' dimension and 1 to a critic, as in ``MLP``."""
OptimizerFactory = Callable[[Any], Optimizer]
"""From parameters to an optimizer."""
SchedulerFactory = Callable[[Optimizer], LRScheduler]
"""From an optimizer to its learning-rate schedule."""

_ADAM = partial(Adam, lr=2e-4, betas=(0.5, 0.999), fused=True)

LOOK_EVERY = 10
"""Iterations between two looks at whether all numbers are finite; each waits for the device."""


class LastStep(NamedTuple):
    """What the last generator iteration left behind, each of shape ``(K,)``."""

    critic_loss: Tensor
    generator_loss: Tensor


class NonFiniteLoss(RuntimeError):
    """A loss or weight became NaN or infinite; says where, whose, and what can be resumed."""


class AdversarialModule(pl.LightningModule):
    """K generators against K critics; member k depends on ``seeds[k]`` and its own target only.

    One ``training_step`` is one *generator iteration* with its critic steps inside, so
    ``trainer.global_step``, ``max_steps``, checkpoints and every x-axis count generator
    iterations. The module draws its own minibatches from the members' random streams, whose
    states are part of a checkpoint: a resumed run continues bit for bit.

    Arguments:
        target: What the generators should learn, of ``batch_shape`` ``()`` or ``(K,)``.
        objective: What critic and generator minimise.
        constraint: What keeps the critic in its class.
        generator: Makes the generators; with one seed also a torch module from noise ``(n, m)``
            to points ``(n, d)``, see :class:`~gans.PlainGenerator`.
        critic: Makes the critics; with one seed also a torch module from points ``(n, d)`` to
            scores ``(n, 1)``, see :class:`~gans.PlainCritic`.
        generator_optimizer: Makes the generators' optimizer.
        critic_optimizer: Makes the critics' optimizer.
        scheduler: Makes the learning-rate schedule of either optimizer, stepped once per
            generator iteration; constant rates by default.
        ema: Decay of an exponential moving average of the generators' weights, kept beside them
            as ``generator_ema``; none by default.
        n_critic: Critic steps per generator iteration.
        warmup: Additional critic steps before the first generator iteration.
        batch_size: Points per side, step and member.
        iterations: Generator iterations in all.
        seeds: One per member, each once.
        compile_from: Critic steps from which on a run is long enough for its gradients to come
            from a compiled program, see :class:`~gans.gradients.Compiled`; 20000 is about where
            that pays. Never by default.

    Raises:
        ValueError: If a count is out of range, the target cannot serve the seeds, or objective and
            constraint make no sense together.
    """

    def __init__(
        self,
        target: Target,
        objective: Objective,
        constraint: Constraint,
        generator: GeneratorFactory,
        critic: CriticFactory,
        generator_optimizer: OptimizerFactory,
        critic_optimizer: OptimizerFactory,
        n_critic: int,
        scheduler: SchedulerFactory | None = None,
        ema: float | None = None,
        warmup: int = 0,
        batch_size: int = 128,
        iterations: int = 1000,
        seeds: Sequence[int] = (0,),
        compile_from: int | None = None,
    ):
        super().__init__()
        counts = {"n_critic": n_critic, "batch_size": batch_size, "iterations": iterations}
        for name, count in counts.items():
            whole_number(name, count)
        for name, count in {"warmup": warmup, "compile_from": compile_from or 0}.items():
            whole_number(name, count, least=0)
        check_decay("ema", ema)
        objective.check(constraint)
        self.automatic_optimization = False
        self.objective, self.constraint = objective, constraint
        self.n_critic, self.warmup = n_critic, warmup
        self.batch_size, self.iterations = batch_size, iterations
        self.seeds = tuple(seeds)
        twice = [seed for seed, times in Counter(self.seeds).items() if times > 1]
        if twice:
            raise ValueError(
                f"seeds = {list(self.seeds)!s:.60}: {twice[0]} is there twice; members of one "
                "seed are one run, counted twice"
            )
        self.streams = Streams(self.seeds)
        self.target = target
        dimension = target.draw(Streams(self.seeds, "shape"), 1).shape[-1]
        generator, critic = generator_factory(generator), critic_factory(critic)
        self.generator = generator(Streams(self.seeds, "generator"), dimension)
        self.critic = critic(Streams(self.seeds, "critic"), dimension, 1)
        for name, player in (("generator", self.generator), ("critic", self.critic)):
            if not isinstance(player, nn.Module):
                raise TypeError(f"{name} makes {shown(player)}: it must make a network")
        constraint.parametrize(self.critic)
        players = (self.critic, self.critic_loss), (self.generator, self.generator_loss)
        long = compile_from is not None and n_critic * iterations >= compile_from
        self.critic_gradients, self.generator_gradients = (
            Compiled(*player) if long else Autograd(*player) for player in players
        )
        self.ema = ema
        self.generator_ema = deepcopy(self.generator).requires_grad_(False) if ema else None
        self.optimizer_factories = (critic_optimizer, generator_optimizer)
        self.scheduler_factory = scheduler
        self.last: LastStep | None = None

    def scores(self, points: Tensor) -> Tensor:
        """Critic scores of shape ``(K, n)``."""
        return self.critic(points).squeeze(-1)

    def configure_optimizers(self) -> Any:
        for_critic, for_generator = self.optimizer_factories
        optimizers = (
            for_critic(self.critic.parameters()),
            for_generator(self.generator.parameters()),
        )
        if self.scheduler_factory is None:
            return optimizers
        return list(optimizers), [self.scheduler_factory(o) for o in optimizers]

    @staticmethod
    def check_precision(precision: str) -> None:
        """Refuse float16, whose loss scaling the critic's raw optimizer steps would bypass."""
        if precision in ("16", "16-mixed", "16-true"):
            raise ValueError(
                f"precision = {precision}: float16 needs a loss scaling that critic steps and "
                "gradient penalties bypass; use 32-true, 64-true or bf16-mixed"
            )

    def setup(self, stage: str) -> None:
        self.check_precision(str(self.trainer.precision))
        # Lightning does so after it has restored a checkpoint, in single precision
        self.trainer.precision_plugin.convert_module(self)

    def on_fit_start(self) -> None:
        self.streams.device, self.streams.dtype = self.device, self.dtype  # pyright: ignore
        self.target = self.target.to(self.device, self.streams.dtype)
        world = self.trainer.world_size
        if self.batch_size % world:
            raise ValueError(
                f"batch_size = {self.batch_size} cannot be shared by {world} processes"
            )
        self.streams.share = (self.global_rank, world)

    @property
    def points(self) -> int:
        """Points per side, step and member that this process draws."""
        return self.batch_size // self.streams.share[1]

    def train_dataloader(self) -> range:
        return range(self.iterations)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        critic_optimizer = self.optimizers(use_pl_optimizer=False)[0]  # pyright: ignore
        generator_optimizer = self.optimizers()[1]  # pyright: ignore  # counts iterations
        steps = self.n_critic + (self.warmup if self.global_step == 0 else 0)
        for real, fake in self.minibatches(steps):
            critic_loss = self.critic_step(critic_optimizer, real, fake)
        generator_loss = self.generator_step(generator_optimizer)
        if self.scheduler_factory is not None:
            for schedule in self.lr_schedulers():  # pyright: ignore
                schedule.step()
        self.last = LastStep(critic_loss, generator_loss)  # pyright: ignore
        if self.global_step % LOOK_EVERY == 0:
            self.check_finite()

    def on_train_end(self) -> None:
        self.check_finite()

    def check_finite(self) -> None:
        """Stop a run in which a loss or weight is no number, before it is saved.

        Raises:
            NonFiniteLoss: Names the first such member.
        """
        losses = {} if self.last is None else self.last._asdict()
        watched = {
            **losses,
            "critic weights": member_norms(self.critic.parameters(), len(self.seeds)),
            "generator weights": member_norms(self.generator.parameters(), len(self.seeds)),
        }
        if torch.isfinite(torch.stack(list(watched.values()))).all():
            return
        name, values = next(w for w in watched.items() if not torch.isfinite(w[1]).all())
        member = int((~torch.isfinite(values)).nonzero()[0])
        saved = getattr(self.trainer.checkpoint_callback, "_last_checkpoint_saved", "")
        raise NonFiniteLoss(
            f"iteration {self.global_step}: {name} of member {member} (seed "
            f"{self.seeds[member]}) is {values[member].item()}; last good checkpoint: "
            f"{saved or 'none yet'}; lower the learning rates or strengthen the constraint"
        )

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

    def generator_step(self, optimizer: Optimizer | LightningOptimizer) -> Tensor:
        """One step of every generator against its critic as it stands; returns the losses."""
        points = [self.generator.noise(self.streams, self.points)]
        if self.objective.pairs:
            points.append(self.target.draw(self.streams, self.points))
        losses = self.generator_gradients(self.streams, *points)
        average_gradients(self.generator.parameters())
        optimizer.step()
        if self.generator_ema is not None:
            self.average()
        return losses

    def average(self) -> None:
        """Move the averaged generator a little towards the live one."""
        if self.generator_ema is None or self.ema is None:
            raise ValueError("there is no average to move: set ema, e.g. .999")
        move_average(self.generator_ema, self.generator, self.ema)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.check_finite()
        checkpoint["streams"] = self.streams.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        (streams,) = entries(type(self).__name__, checkpoint, "streams")
        self.streams.load_state_dict(streams)


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
        n_critic: Discriminator steps per generator iteration.
        generator: Makes the generators.
        critic: Makes the discriminators.
        generator_optimizer: Makes the generators' optimizer.
        critic_optimizer: Makes the discriminators' optimizer.
        kwargs: The arguments of :class:`AdversarialModule`.
    """

    def __init__(
        self,
        target: Target,
        objective: Objective | None = None,
        constraint: Constraint | None = None,
        n_critic: int = 1,
        generator: GeneratorFactory = NoiseGenerator,
        critic: CriticFactory = MLP,
        generator_optimizer: OptimizerFactory = _ADAM,
        critic_optimizer: OptimizerFactory = _ADAM,
        **kwargs: Any,
    ):
        super().__init__(
            target=target,
            objective=objective or NonSaturating(),
            constraint=constraint or Unconstrained(),
            generator=generator,
            critic=critic,
            generator_optimizer=generator_optimizer,
            critic_optimizer=critic_optimizer,
            n_critic=n_critic,
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
        generator: Makes the generators.
        critic: Makes the critics.
        generator_optimizer: Makes the generators' optimizer.
        critic_optimizer: Makes the critics' optimizer.
        kwargs: The arguments of :class:`AdversarialModule`.
    """

    def __init__(
        self,
        target: Target,
        constraint: Constraint | None = None,
        n_critic: int = 5,
        generator: GeneratorFactory = NoiseGenerator,
        critic: CriticFactory = MLP,
        generator_optimizer: OptimizerFactory = partial(RMSprop, lr=5e-5),
        critic_optimizer: OptimizerFactory = partial(RMSprop, lr=5e-5),
        **kwargs: Any,
    ):
        super().__init__(
            target=target,
            objective=Wasserstein(),
            constraint=constraint or WeightClipping(),
            generator=generator,
            critic=critic,
            generator_optimizer=generator_optimizer,
            critic_optimizer=critic_optimizer,
            n_critic=n_critic,
            **kwargs,
        )
