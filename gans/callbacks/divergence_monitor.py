"""Measures anybody's GAN: any LightningModule, or a loop written by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from divergences.checks import shown, whole_number
from divergences.estimate import Estimator
from divergences.networks.lipschitz import input_gradient
from divergences.random_streams import Streams
from gans.callbacks.dashboard import dashboard, write_layout
from gans.callbacks.sinks import log, log_figure
from gans.figures import draw_state
from gans.monitors import tags
from gans.monitors.divergences import DivergenceEstimates
from gans.monitors.game import evaluating
from gans.monitors.given_game import (
    GivenGame,
    batch_statistics,
    networks_in,
    networks_of,
    own_random_numbers,
)
from gans.monitors.gradient_norms import PlayerGradients, norm_of_one
from gans.monitors.readings import Readings, interval_of_mean, log10, value
from gans.monitors.real_cloud import RealCloud
from gans.monitors.real_points import RealPoints
from gans.monitors.slopes import CriticSlope
from gans.monitors.states import Look, State, States
from gans.objectives import Objective, Wasserstein

PROBE = 256
"""Points from the same noise at every look, by which a generator is seen to move."""


@final
class DivergenceMonitor(pl.Callback):
    """JS, KL and W1 of any GAN with 95 % intervals, its gradients, its critic's slope, its state.

    As a callback it measures any LightningModule and writes to all loggers. In a loop of your own,
    call :meth:`read`. All networks are in evaluation mode meanwhile, and random numbers go on as
    if nothing had been measured.

    Arguments:
        real: Real points: a tensor, an array, a dataset, a dataloader or a function of n. Of
            tuples and dicts the first entry is taken. By default the trainer's own dataloader;
            points held out from training are better.
        fake: A function of n that generates points, or the name of such a method of the module.
        critic: Scores points: a function, a module, or the name of an attribute of the module.
        every: Batches between two looks.
        n: Points per side.
        features: Maps points, such as images, to vectors ``(n, d)`` first. Otherwise points are
            flattened.
        objective: What is trained, such as ``gans.Wasserstein()`` or ``gans.NonSaturating()``;
            with it the critic's own value is logged and judged.
        networks: Networks by the name that their gradients are logged under. By default those of
            the module, or those that ``fake`` and ``critic`` use.
        estimators: What to estimate from samples.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If a number is too small, or real and generated points differ in dimension.

    Example:
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
        every: int = 500,
        n: int = 256,
        features: Callable[[Any], Any] | None = None,
        objective: Objective | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        estimators: Sequence[Estimator] | None = None,
    ):
        self.every, self.n = whole_number("every", every), whole_number("n", n, least=8)
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
        self._given = real
        self._fake, self._critic, self._features = fake, critic, features
        self._objective, self._networks = objective, networks
        self._monitors = (DivergenceEstimates(n, estimators), PlayerGradients(n), CriticSlope(n))
        self._real = None if real is None else RealPoints(real, 8 * n)
        self._states, self._seen, self._step = States(), -1, 0
        self._norms: dict[str, Tensor] = {}
        self._cloud: RealCloud | None = None
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
        """The latest look in one line: JS, W1, gradients, slope, and the state if it has one."""
        js, lower, upper = (self._interval(tag) for tag in (tags.JS, tags.W1_LOWER, tags.W1_UPPER))
        parts = []
        if js[0] == js[0]:
            parts.append(f"JS {self._number(tags.JS):.2f} [{js[0]:.2f}, {js[1]:.2f}]")
        if upper[1] == upper[1]:
            parts.append(f"W1 from {max(0.0, lower[0]):.3g} to {upper[1]:.3g}")
        norms = [tag for tag in self.latest if tag.startswith("gradient/")]
        parts += [f"{tag.replace('/', ' of ')} {self._number(tag):.2g}" for tag in norms]
        if tags.SLOPE_MEAN in self.latest:
            parts.append(f"critic's slope {self._number(tags.SLOPE_MEAN):.2g}")
        return ", ".join(parts) + "".join(f"; {state}" for state in self.states)

    def _number(self, tag: str) -> float:
        return float(value(self.latest[tag]).mean())

    def _interval(self, tag: str) -> tuple[float, float]:
        found: Any = self.latest.get(tag)
        return interval_of_mean(found) if hasattr(found, "ci") else (math.nan, math.nan)

    # a LightningModule

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._real is None:
            self._real = RealPoints(trainer.train_dataloader, 8 * self.n)
        quantity = self._objective.quantity if self._objective else "w1"
        write_layout(trainer.loggers, dashboard(1, quantity))
        if self._batches(trainer) == 0:
            self._observe(trainer, pl_module)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if self._batches(trainer) % self.every == 0:  # the batch of this step is counted already
            stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
            for name, network in self._named(pl_module).items():
                norm = norm_of_one(p for p in network.parameters() if id(p) in stepped)
                if norm is not None:
                    self._norms[name] = norm

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *rest: Any) -> None:
        if self._batches(trainer) % self.every == 0:
            self._observe(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._observe(trainer, pl_module)
        if trainer.is_global_zero:
            print(f"after {self._batches(trainer)} batches: {self.summary()}")

    @staticmethod
    def _batches(trainer: pl.Trainer) -> int:
        return trainer.fit_loop.epoch_loop.total_batch_idx + 1

    def _observe(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        step = self._batches(trainer)
        if step == self._seen:
            return
        self._seen, before = step, self.states
        real, fake = self._look(step, module)
        norms = {t: r for t, r in self.latest.items() if t.startswith("gradient/")}
        log(trainer, self.latest | log10(norms), step)
        figure = draw_state(None, real, fake)
        figure.suptitle(f"batch {step}")
        log_figure(trainer, "samples", figure, step)
        if trainer.is_global_zero:
            for state in self.states:
                if state.name not in {known.name for known in before}:
                    print(f"batch {step}: {state}")

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self._seen} | self._monitors[0].state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._seen = state_dict["seen"]
        self._monitors[0].load_state_dict(state_dict)

    # both

    def _named(self, module: nn.Module | None) -> dict[str, nn.Module]:
        if self._networks is not None:
            return dict(self._networks)
        if module is not None:
            return networks_of(module)
        found = networks_in(self._fake)
        critic = {"critic": self._critic} if isinstance(self._critic, nn.Module) else {}
        others = critic or ({} if self._critic is None else networks_in(self._critic))
        return {**{k: v for k, v in found.items() if k not in others}, **others}

    def _of(self, module: nn.Module | None, name: str, given: Any) -> Any:
        """A function, from what was given or from an attribute of the module of that name."""
        if not isinstance(given, str):
            return given
        if not callable(getattr(module, given, None)):
            raise TypeError(f"{name} = {given!r}: {type(module).__name__} has no such method")
        return getattr(module, given)

    def _look(self, step: int, module: nn.Module | None) -> tuple[Tensor, Tensor]:
        fake = self._of(module, "fake", self._fake)
        if fake is None:
            raise TypeError("fake is missing: pass a function of n that generates points")
        if self._real is None:
            raise TypeError("real is missing: pass points, a dataset or a function of n")
        critic, named = self._of(module, "critic", self._critic), self._named(module)
        game = GivenGame(
            self._real, fake, step, critic, named, self._features, self._objective, self._norms
        )
        self._norms = {}
        whole = [*game.networks(), *([module] if module is not None else [])]
        with own_random_numbers(step), evaluating(whole):
            self.latest = {}
            for monitor in self._monitors:
                self.latest |= monitor.read(game)
            real, held, streams = game.held_out(4 * self.n, "state")
            seen = self._seen_by(game, real, held, named.get("generator"))
            with torch.no_grad():
                probe = self._probe(game, streams)
                with batch_statistics(whole) as any_there:
                    training = self._probe(game, streams) if any_there else None
        self.states = self._states.judge(Look(probe=probe, training=training, **seen))
        return game.described(real[:, : self.n]), game.described(held[:, : self.n])

    @staticmethod
    def _probe(game: GivenGame, streams: Streams) -> Tensor:
        with own_random_numbers(0):
            return game.described(game.fake(PROBE, streams))[0]

    def _seen_by(
        self, game: GivenGame, real: Tensor, fake: Tensor, generator: nn.Module | None
    ) -> dict[str, Any]:
        scores, saturating = None, math.nan
        if game.critic is not None:
            with torch.no_grad():
                scores = game.scores(real)[0], game.scores(fake)[0]
            gradient = input_gradient(game.critic, fake)[0].norm(dim=-1)
            saturating = float((torch.sigmoid(scores[1]) * gradient).mean())
            within = torch.cat(scores)
            if not self._wasserstein() and 0 <= float(within.min()) <= float(within.max()) <= 1:
                saturating = float((gradient / (1 - scores[1]).clamp(min=1e-7)).mean())
        weights = None
        if generator is not None:
            weights = torch.cat([p.detach().reshape(-1).cpu() for p in generator.parameters()])
        with torch.no_grad():
            return {
                "readings": self.latest,
                "real": self._cloud_of(game.described(game.pool())[0]),
                "fake": game.described(fake)[0],
                "scores": scores,
                "saturating": saturating,
                "weights": weights,
                "wasserstein": self._wasserstein(),
            }

    def _cloud_of(self, points: Tensor) -> RealCloud:
        """The real points; those of the look before, if they are the same."""
        if self._cloud is None or not torch.equal(self._cloud.points, points):
            self._cloud = RealCloud(points)
        return self._cloud

    def _wasserstein(self) -> bool | None:
        return None if self._objective is None else isinstance(self._objective, Wasserstein)
