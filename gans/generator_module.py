"""What all our Lightning modules share: generators in training, their streams, their averages."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from inspect import Parameter, signature
from operator import length_hint
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from divergences.checks import entries, seed_number, shown, whole_number
from divergences.networks.layers import check_decay, member_norms, move_average
from divergences.random_streams import Streams
from gans.networks import Generator, points_of
from gans.networks.plain import generator_factory
from gans.objectives import Objective
from gans.runtime.global_random import continued, global_random_state
from gans.runtime.many_members import MANY, refuse_too_many
from gans.sharing import average_gradients
from gans.targets import Target
from gans.targets.scale_warning import warn_of_units

GeneratorFactory = Callable[[Streams, int], Generator]
"""From the members' streams and the dimension of the points to a generator."""
OptimizerFactory = Callable[[Any], Optimizer]
"""From parameters to an optimizer."""
SchedulerFactory = Callable[[Optimizer], LRScheduler]
"""From an optimizer to its learning-rate schedule."""

LOOK_EVERY = 10
"""Iterations between two looks at whether all numbers are finite; each waits for the device."""


PART = 2**14
"""Points that are made at once where many are asked for, so that memory stays bounded."""


class NonFiniteLoss(RuntimeError):
    """A loss or weight became NaN or infinite; says where, whose, and what can be resumed."""


class GeneratorModule(pl.LightningModule, ABC):
    """K generators in training; member k depends on ``seeds[k]`` and its own target only.

    One ``training_step`` is one *generator iteration*, whatever it takes, so
    ``trainer.global_step``, ``max_steps``, checkpoints and every x-axis count generator
    iterations. The module draws its own minibatches from the members' random streams, whose
    states are part of a checkpoint: a resumed run continues bit for bit.

    Arguments:
        target: What the generators should learn, of ``batch_shape`` ``()`` or ``(K,)``.
        generator: Makes the generators; with one seed also a torch module from noise ``(n, m)``
            to points ``(n, d)``, see :class:`~gans.PlainGenerator`.
        scheduler: Makes the learning-rate schedule of each optimizer, stepped once per
            generator iteration; constant rates by default.
        ema: Decay of an exponential moving average of the generators' weights, kept beside them
            as ``generator_ema``; none by default.
        batch_size: Points per side, step and member.
        iterations: Generator iterations in all.
        seeds: One per member, each once.

    Raises:
        ValueError: If a count is out of range, or the target cannot serve the seeds.
    """

    objective: Objective | None = None
    """What a critic and the generator minimise, where there is a critic."""
    generator_gradients: Callable[..., Tensor]
    """From streams and a minibatch to losses, ``(K,)``, with gradients left in the generators."""

    def __init__(
        self,
        target: Target,
        generator: GeneratorFactory,
        scheduler: SchedulerFactory | None = None,
        ema: float | None = None,
        batch_size: int = 128,
        iterations: int = 1000,
        seeds: Sequence[int] = (0,),
    ):
        super().__init__()
        for name, count in {"batch_size": batch_size, "iterations": iterations}.items():
            whole_number(name, count)
        check_decay("ema", ema)
        self.automatic_optimization = False
        self.batch_size, self.iterations = batch_size, iterations
        refuse_too_many(length_hint(seeds))
        self.seeds = tuple(seeds)
        twice = [seed for seed, times in Counter(self.seeds).items() if times > 1]
        if twice:
            raise ValueError(
                f"seeds = {list(self.seeds)!s:.60}: {twice[0]} is there twice; members of one "
                "seed are one run, counted twice"
            )
        self.streams = Streams(self.seeds)
        self.target = target
        warn_of_units(target)
        self.dimension = target.draw(Streams(self.seeds, "shape"), 1).shape[-1]
        make = generator_factory(generator)
        self.generator = self.made(
            "generator", make, self._streams_of("generator"), self.dimension
        )
        self.ema = ema
        self.generator_ema = self._copied() if ema else None
        self.scheduler_factory = scheduler
        self.last: dict[str, Tensor] = {}
        self._go_on: Callable[[torch.device], None] | None = None

    def _copied(self) -> Generator:
        """The generator that averages begin with."""
        try:
            return deepcopy(self.generator).requires_grad_(False)
        except RuntimeError as error:  # of weights that a hook computes
            raise ValueError(
                f"ema = {self.ema}: the generator cannot be copied ({str(error)[:60]}...). Where "
                "it has torch.nn.utils.spectral_norm or weight_norm, take those of "
                "torch.nn.utils.parametrizations; or ema=None"
            ) from error

    def _streams_of(self, player: str) -> Streams:
        return Streams(self.seeds, player)

    @staticmethod
    def made(name: str, make: Callable[..., Any], *given: Any) -> Any:
        """The network that a factory makes of streams and dimensions.

        Raises:
            TypeError: If it makes none, or takes other arguments.
            ValueError: If there is too little memory for so many members.
        """
        try:
            if (members := len(given[0])) > MANY:
                refuse_too_many(members, make(Streams(given[0].seeds[:1]), *given[1:]))
            player = make(*given)
        except TypeError as error:
            raise TypeError(
                f"{name}: {error}; it is called with random streams and {given[1:]}, the "
                f"dimensions: put a torch module into gans.Plain{name.capitalize()} as its network"
            ) from error
        if not isinstance(player, nn.Module):
            raise TypeError(f"{name} makes {shown(player)}: it must make a network")
        return player

    def sample(self, n: int, seed: int = 0, averaged: bool = True) -> Tensor:
        """``n`` points of every generator, ``(K, n, d)``, in evaluation mode.

        Arguments:
            n: Points per member.
            seed: Of the noise; the same points come for the same seed and ``n``.
            averaged: Take the averaged weights where ``ema`` keeps them.

        Raises:
            ValueError: If ``n`` or ``seed`` is out of range.

        Example:
            >>> from gans import Ring, VanillaGAN
            >>> VanillaGAN(Ring(), seeds=[3, 4]).sample(5).shape
            torch.Size([2, 5, 2])
        """
        purpose = f"sample {seed_number('seed', seed)}"
        weight = next(self.generator.parameters())
        streams = Streams(self.seeds, purpose, weight.device, weight.dtype, ahead=1)
        kept = self.generator_ema if averaged else None
        generator = self.generator if kept is None else kept
        whole_number("n", n)
        parts = [points_of(generator, streams, min(PART, n - i)) for i in range(0, n, PART)]
        return torch.cat(parts, 1)

    def players(self) -> dict[str, nn.Module]:
        """The networks that are trained, by the names that their gradients are logged under."""
        return {"generator": self.generator}

    @abstractmethod
    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One generator iteration, which ends with :meth:`end_iteration`."""

    def try_steps(self) -> None:
        """At most two steps of each player without a trainer, as a trial of what they take."""
        self._follow()
        made: Any = self.configure_optimizers()
        self._try_steps(*(made[0] if isinstance(made[0], list) else made))

    def _try_steps(self, *optimizers: Optimizer) -> None:
        for _ in range(2):
            self.generator_step(optimizers[-1])

    @abstractmethod
    def generator_minibatch(self) -> list[Tensor]:
        """What the generators' loss is taken of: noise, and real points where it needs them."""

    def generator_step(self, optimizer: Optimizer | LightningOptimizer) -> Tensor:
        """One step of every generator on a minibatch; returns the losses."""
        losses = self.generator_gradients(self.streams, *self.generator_minibatch())
        average_gradients(self.generator.parameters())
        optimizer.step()
        if self.generator_ema is not None:
            self.average()
        return losses

    @staticmethod
    def check_precision(precision: str) -> None:
        """Refuse float16, whose loss scaling raw optimizer steps would bypass."""
        if precision in ("16", "16-mixed", "16-true"):
            raise ValueError(
                f"precision = {precision}: float16 needs a loss scaling that critic steps and "
                "gradient penalties bypass; use 32-true, 64-true or bf16-mixed"
            )

    def scheduled(self, **players: tuple[Callable[..., Optimizer], nn.Module]) -> Any:
        """Optimizers, with their schedules if there are any, as Lightning takes them.

        Arguments:
            players: What makes each optimizer, under the name of its argument, and whose.

        Raises:
            ValueError: Names the optimizer that cannot be made, and why.
        """
        optimizers = []
        for name, (make, player) in players.items():
            try:
                optimizers.append(_fit_for_a_game(make(player.parameters())))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name}: {error}") from error
        make_schedule = self.scheduler_factory
        schedules = [make_schedule(o) for o in optimizers] if make_schedule else []
        for name, optimizer in zip(players, optimizers, strict=True):
            if all(_is_still(group) for group in optimizer.param_groups):
                rank_zero_warn(f"{name}: its learning rate is 0, so that nothing is learned by it")
        return (optimizers, schedules) if make_schedule else tuple(optimizers)

    def setup(self, stage: str) -> None:
        self.check_precision(str(self.trainer.precision))
        # Lightning does so after it has restored a checkpoint, in single precision
        self.trainer.precision_plugin.convert_module(self)

    def on_fit_start(self) -> None:
        self._follow()
        world = self.trainer.world_size
        if self.batch_size % world:
            raise ValueError(
                f"batch_size = {self.batch_size} cannot be shared by {world} processes"
            )
        self.streams.share = (self.global_rank, world)

    def _follow(self) -> None:
        """Have random numbers and target where the networks are, and of their type."""
        self.streams.device, self.streams.dtype = self.device, self.dtype  # pyright: ignore
        self.target = self.target.to(self.device, self.streams.dtype)

    @property
    def points(self) -> int:
        """Points per side, step and member that this process draws."""
        return self.batch_size // self.streams.share[1]

    def train_dataloader(self) -> range:
        return range(self.iterations)

    def end_iteration(self, **losses: Tensor) -> None:
        """Keep each player's losses, ``(K,)``, lower the rates, see that all is finite."""
        if self.scheduler_factory is not None:
            schedules: Any = self.lr_schedulers()
            for schedule in schedules if isinstance(schedules, list) else [schedules]:
                schedule.step()
        self.last = losses
        if self.global_step % LOOK_EVERY == 0:
            self.check_finite()

    def on_train_end(self) -> None:
        self.check_finite()

    def check_finite(self) -> None:
        """Stop a run in which a loss or weight is no number, before it is saved.

        Raises:
            NonFiniteLoss: Names the first such member.
        """
        watched = {f"{name}_loss": losses for name, losses in self.last.items()}
        for name, player in self.players().items():
            watched[f"{name} weights"] = member_norms(player.parameters(), len(self.seeds))
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

    def average(self) -> None:
        """Move the averaged generator a little towards the live one."""
        if self.generator_ema is None or self.ema is None:
            raise ValueError("there is no average to move: set ema, e.g. .999")
        move_average(self.generator_ema, self.generator, self.ema)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.check_finite()
        checkpoint["streams"] = self.streams.state_dict()
        checkpoint["global_random"] = global_random_state(self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        (streams,) = entries(type(self).__name__, checkpoint, "streams")
        self.streams.load_state_dict(streams)
        if "global_random" in checkpoint:  # those of older versions have none
            self._go_on = continued(checkpoint["global_random"])

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Go on with the global random numbers of the checkpoint, which a network may draw."""
        if self._go_on is not None:
            self._go_on(self.device)
            self._go_on = None


ASKS_AGAIN = "evaluates a loss several times for a step; take Adam, or SGD"
"""What keeps LBFGS out of a game."""


def _fit_for_a_game(optimizer: Optimizer) -> Optimizer:
    """The optimizer, unless a game cannot be played with it."""
    kind = type(optimizer).__name__
    if signature(optimizer.step).parameters["closure"].default is Parameter.empty:
        raise ValueError(f"{kind} {ASKS_AGAIN}")
    if any(group.get("maximize") for group in optimizer.param_groups):
        raise ValueError(f"{kind} has maximize=True, but objectives are to be minimised")
    return optimizer


def _is_still(group: dict[str, Any]) -> bool:
    """Whether an optimizer's learning rate is 0, and not by a schedule that begins there."""
    rates = [group[name] for name in ("lr", "initial_lr", "max_lr") if name in group]
    return bool(rates) and not any(rates)
