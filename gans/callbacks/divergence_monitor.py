"""Measures anybody's GAN: any LightningModule, or a loop written by hand."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import attrgetter
from typing import Any, final

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor, nn

from divergences.available_memory import lack_of_memory
from divergences.checks import entries, shown, whole_number
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from gans.callbacks.dashboard import dashboard, write_layout
from gans.callbacks.js_and_w1_curves import Glance
from gans.callbacks.loggers import log, log_figure
from gans.callbacks.one_fit import OneFit
from gans.callbacks.step_norms import StepNorms
from gans.figures import draw_state
from gans.generator_module import GeneratorModule
from gans.monitors.evidence import State
from gans.monitors.game import AdversarialGame, Game
from gans.monitors.looks import Looks, Seen, summary
from gans.monitors.networks_found import networks_of
from gans.monitors.readings import Readings, log10
from gans.monitors.real_points import RealPoints
from gans.monitors.tally import Tally
from gans.monitors.users_gan import GivenGame
from gans.monitors.without_trace import Evaluation, own_random_numbers, random_generators
from gans.objectives import Objective

STEPS = 64
"""Batches before a look in which gradient norms are taken: optimizers may step less often."""


@final
class DivergenceMonitor(OneFit):
    """JS, KL and W1 of any GAN with 95 % intervals, its gradients, its critic's slope, its state.

    As a callback it measures any LightningModule and writes to all loggers. In a loop of your own,
    call :meth:`read`. Training goes on bit for bit as if nothing had been measured: networks are
    in evaluation mode meanwhile, and random numbers, running moments and modes are put back.

    Arguments:
        real: Real points: a tensor, an array, a dataset, a dataloader, a distribution or a
            function of n. Of tuples and dicts the first entry is taken. By default the trainer's
            own dataloader; points held out from training are better. What comes in an order of
            its own, such as an ``IterableDataset``, is gone through up to 32 n points.
        fake: A function of n that generates points or returns a distribution of them, or the name
            of such a method of the module. Our own modules need neither ``real`` nor ``fake``.
        critic: Scores points: a function, a module, or the name of an attribute of the module.
        every: Batches between two looks. There is a look before the first and after the last
            batch, too.
        n: Points per side.
        features: Maps points, such as images, to vectors ``(n, d)`` first. Otherwise points are
            flattened.
        objective: What is trained, such as ``gans.Wasserstein()`` or ``gans.NonSaturating()``;
            with it the critic's own value is logged and judged. With an objective of a GAN the
            critic must give logits: its output before a sigmoid, not probabilities.
        networks: Networks by the name that their gradients are logged under. By default those of
            the module, or those that ``fake`` and ``critic`` use. Of a module, the norms are those
            when its optimizers last stepped; in a loop of your own, those that parameters hold.
        estimators: What to estimate from samples.
        pictures: Looks between two figures of samples; 0 for none. With them comes a figure of all
            looks at the end.

    Attributes:
        latest: What the last look that has not failed has found, by tag; empty before it.
        states: The states that it has shown.

    Used for another fit, with another trainer or module, it begins with nothing measured.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If a number is too small, real and generated points differ in dimension, or a
            function fails at the first look. Later that is a warning and training goes on, where
            a trainer calls this, whose callbacks keep the value of the look before;
            :meth:`read` raises it at any time.

    Example:
        >>> import torch
        >>> generator = nn.Linear(2, 2)
        >>> monitor = DivergenceMonitor(
        ...     real=torch.randn(400, 2), fake=lambda n: generator(torch.randn(n, 2)), n=100
        ... )
        >>> found = monitor.read(step=0)
        step 0: JS ..., W1 from ... to ...
    """

    def __init__(
        self,
        real: Any = None,
        fake: Callable[[int], Any] | str | None = None,
        critic: Callable[[Any], Any] | str | None = None,
        every: int = 2000,
        n: int = 256,
        features: Callable[[Any], Any] | None = None,
        objective: Objective | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        estimators: Sequence[Estimator] | None = None,
        pictures: int = 10,
    ):
        self.every, self.n = whole_number("every", every), whole_number("n", n, least=8)
        self.pictures = whole_number("pictures", pictures, least=0)
        for name, given in (("fake", fake), ("critic", critic), ("features", features)):
            named = isinstance(given, str) and name != "features"
            if given is not None and not callable(given) and not named:
                raise TypeError(f"{name} = {shown(given)}: it must be a function")
        if objective is not None and not isinstance(objective, Objective):
            raise TypeError(
                f"objective = {shown(objective)}: it must be one of gans, e.g. gans.Wasserstein()"
            )
        for name, network in (networks or {}).items():
            if not isinstance(network, nn.Module):
                raise TypeError(f"networks: {name} is {shown(network)}; it must be a torch module")
        self._given = real, fake, critic
        self._features, self._objective, self._networks = features, objective, networks
        self._estimators = None if estimators is None else tuple(estimators)
        self._real = None if real is None else self._points(real)
        self._norms: StepNorms | None = None
        self.forget()

    def forget(self) -> None:
        real = self._given[0]
        if real is None:
            self._real = None
        elif self._real is not None and self._real.function is not None:
            self._real = self._points(real)  # what it has drawn before
        self._looks, self._tally = Looks(self.n, self._estimators), Tally("step")
        self._found: dict[str, nn.Module] = {}
        self._generators: list[Any] | None = None
        self._seen, self._step = -1, 0
        self._undrawn: Seen | None = None
        self._glance = Glance("batch")
        self.latest: Readings = {}
        self.states: list[State] = []

    # a loop of your own

    def read(self, step: int | None = None) -> Readings:
        """Measure now and print one line; returns the estimates by tag.

        Arguments:
            step: Of the training; by default one more than that of the last call.
        """
        self._step = self._step + 1 if step is None else whole_number("step", step, least=0)
        self._look(self._step, None)
        print(f"step {self._step}: {self.summary()}")
        return self.latest

    def summary(self) -> str:
        """The latest look in one line: JS, W1, gradients, slope, and the state if it has one.

        If looks have failed, their number and the step of the latest one that has not.
        """
        return " ".join(filter(None, [str(self._tally), summary(self.latest, self.states)]))

    # a LightningModule

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        objective, members = self._objective, 1
        ours = isinstance(pl_module, GeneratorModule) and self._given[1] is None
        if isinstance(pl_module, GeneratorModule) and ours:
            objective, members = pl_module.objective, len(pl_module.seeds)
            if any(given is not None for given in (*self._given, self._features)):
                raise TypeError(
                    f"{type(pl_module).__name__} knows its target, generator and critic: leave "
                    "real, fake, critic and features out"
                )
        elif self._given[0] is None:
            loader: Any = trainer.train_dataloader
            if isinstance(loader, (dict, list, tuple)):
                raise TypeError(
                    f"the trainer has {len(loader)} dataloaders, so real is missing: pass points, "
                    "a dataset or one of them"
                )
            self._real = self._points(loader)
        layout = dashboard(members, objective.quantity if objective else "w1")
        with own_random_numbers(0):
            write_layout(trainer.loggers, layout)
        self._close()
        self._tally.unit = "batch"
        if not ours:
            self._norms = StepNorms(lambda: self._named(pl_module), lambda: self._soon(trainer))
            if not pl_module.automatic_optimization:  # optimizers may be torch's own
                self._norms.follow()
        if self._batches(trainer) == 0:
            self._observe(trainer, pl_module)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if self._norms is not None:  # within a closure, so after the gradients are there
            self._norms.take(optimizer)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *rest: Any) -> None:
        if self._batches(trainer) % self.every == 0:
            self._observe(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._observe(trainer, pl_module, last=True)
        if trainer.is_global_zero:
            print(f"after {self._batches(trainer)} batches: {self.summary()}")

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._close()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._close()

    def _close(self) -> None:
        if self._norms is not None:
            self._norms.close()
        self._norms = None

    @staticmethod
    def _batches(trainer: pl.Trainer) -> int:
        return trainer.fit_loop.epoch_loop.total_batch_idx + 1

    def _soon(self, trainer: pl.Trainer) -> bool:
        """Whether a look may come before the next step: by the count of batches, or at the end."""
        seen = self._batches(trainer)  # the batch of this step is counted already
        left: list[float] = [-seen % self.every]
        if trainer.max_steps > 0:
            left.append(trainer.max_steps - trainer.global_step)
        if trainer.max_epochs is not None and trainer.max_epochs > 0:
            left.append(trainer.max_epochs * trainer.num_training_batches - seen)
        return min(left) < STEPS

    def _observe(
        self, trainer: pl.Trainer, module: pl.LightningModule, last: bool = False
    ) -> None:
        with own_random_numbers(0):  # loggers draw names of runs and files
            self._look_and_log(trainer, module, last)

    def _look_and_log(self, trainer: pl.Trainer, module: pl.LightningModule, last: bool) -> None:
        step = self._batches(trainer)
        if step != self._seen:
            self._try(trainer, module, step)
        due = last or step // self.every % self.pictures == 0 if self.pictures else False
        if due and self._undrawn is not None:
            figure = draw_state(
                None, self._undrawn.real, self._undrawn.fake, title=f"batch {step}"
            )
            log_figure(trainer, "samples", figure, step)
            self._undrawn = None
        if last and self.pictures and self._glance.steps:
            self._glance.log(trainer, step)

    def _try(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        self._seen, before, self._undrawn = step, self.states, None
        try:
            self._undrawn = self._look(step, module)
        except (TypeError, ValueError, RuntimeError) as error:
            if not self.latest:
                raise
            # training that has come so far is worth more than a look at it
            rank_zero_warn(f"there is no look at batch {step}: {error}")
            return
        norms = {t: r for t, r in self.latest.items() if t.startswith("gradient/")}
        log(trainer, self.latest | log10(norms), step)
        self._glance.add(step, self.latest)
        if trainer.is_global_zero:
            for state in self.states:
                if state.name not in {known.name for known in before}:
                    print(f"batch {step}: {state}")

    def is_fresh(self, trainer: pl.Trainer) -> bool:
        """Whether the last look was after this batch."""
        return self._tally.last == self._batches(trainer)

    def estimates(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Values and standard errors of the last look, by tag."""
        found = {tag: r for tag, r in self.latest.items() if isinstance(r, Estimate)}
        return {tag: (r.value, r.stderr) for tag, r in found.items()}

    def state_dict(self) -> dict[str, Any]:
        counts = {"good": self._tally.good, "failed": self._tally.failed}
        mine = {"seen": self._seen, "glance": self._glance.state_dict(), "counts": counts}
        return mine | self._looks.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.forget()
        self._seen, glance = entries(type(self).__name__, state_dict, "seen", "glance")
        self._tally = Tally("batch", **state_dict.get("counts", {}))  # not in all checkpoints
        self._glance.load_state_dict(glance)
        self._looks.load_state_dict(state_dict)

    # both

    def _points(self, source: Any) -> RealPoints:
        with own_random_numbers(0, random_generators(source)):
            return RealPoints(source, 8 * self.n)

    def _named(self, module: nn.Module | None) -> dict[str, nn.Module]:
        if self._networks is not None:
            return dict(self._networks)
        return self._found if module is None else networks_of(module)

    def _of(self, module: nn.Module | None, name: str, given: Any) -> Any:
        """A function, from what was given or from an attribute of the module of that name."""
        if not isinstance(given, str):
            return given
        if module is None:
            raise TypeError(f"{name} = {given!r}: in a loop of your own, pass the function itself")
        try:
            found = attrgetter(given)(module)
        except AttributeError:
            found = None
        if not callable(found):
            raise TypeError(f"{name} = {given!r}: {type(module).__name__} has no such method")
        return found

    def _game(self, step: int, module: nn.Module | None) -> Game:
        if isinstance(module, GeneratorModule) and self._given[1] is None:
            return AdversarialGame(module)
        fake = self._of(module, "fake", self._given[1])
        if fake is None:
            raise TypeError("fake is missing: pass a function of n that generates points")
        if self._real is None:
            raise TypeError("real is missing: pass points, a dataset or a function of n")
        critic = self._of(module, "critic", self._given[2])
        if self._generators is None:
            used = (self._given[0], fake, critic, self._features, module)
            self._generators = random_generators(*used)
        norms = self._norms.latest if self._norms is not None else None
        how = self._features, self._objective, norms, self._generators, _context_of(module)
        return GivenGame(self._real, fake, step, critic, self._named(module), *how)

    def _look(self, step: int, module: nn.Module | None) -> Seen:
        try:
            seen = self._measured(step, module)
        except Exception as error:
            self._tally.failed += 1
            lack = lack_of_memory(error, "take fewer points")
            if lack is None:
                raise
            raise ValueError(f"n = {self.n}: {lack}") from error
        self._tally.count(step)
        self._found = seen.networks
        self.latest, self.states = seen.readings, seen.states
        return seen

    def _measured(self, step: int, module: nn.Module | None) -> Seen:
        game, generators = self._game(step, module), self._generators or ()
        known = [*game.networks(), *self._found.values(), *([module] if module else [])]
        with own_random_numbers(step, generators), Evaluation(known) as evaluation:
            return self._looks.look(game, evaluation)


def _context_of(module: nn.Module | None) -> Callable[[], AbstractContextManager[Any]]:
    """The context in which a trainer makes new tensors of the precision it trains in."""
    if not isinstance(module, pl.LightningModule):
        return nullcontext
    plugin = module.trainer.precision_plugin
    return plugin.forward_context if str(plugin.precision).endswith("-true") else nullcontext
