"""What a configuration may name: classes that its slots are made for, and functions of none.

A name is looked up here and nowhere else. The parser checks that a class fits its slot; this list
sees to it that there is nothing to be named whose construction does more than make an object.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning as pl
import torch
from jsonargparse import Namespace
from pytorch_lightning import callbacks, loggers
from pytorch_lightning.strategies import Strategy
from torch import nn
from torch.distributions import Distribution
from torch.optim import Optimizer
from torch.optim import lr_scheduler as schedulers
from torch.optim.lr_scheduler import LRScheduler

import divergences
import gans
from divergences.estimator import Estimator
from divergences.f_divergences import ConvexGenerator
from divergences.networks.constraint import Constraint
from divergences.numerical.integration import Integrator
from gans.callbacks import MONITORS
from gans.cli.lightning_classes import NAMED
from gans.generator_module import ASKS_AGAIN
from gans.objectives import Objective
from gans.targets import Move

SLOTS = (
    *(Constraint, ConvexGenerator, Distribution, Estimator, Integrator, Move, Objective),
    *(LRScheduler, Optimizer, Strategy, nn.Module, pl.Callback),
)
"""The bases of what a configuration can ask for."""


def _public(module: ModuleType, base: type) -> set[type]:
    """The module's public classes of a kind."""
    found = (value for name, value in vars(module).items() if not name.startswith("_"))
    return {value for value in found if inspect.isclass(value) and issubclass(value, base)}


LAYERS = {
    cls
    for cls in _public(nn, nn.Module) - {nn.MultiheadAttention}
    if cls.__module__.removeprefix("torch.nn.modules.")
    in ("activation", "batchnorm", "conv", "dropout", "flatten", "instancenorm", "linear",
        "normalization", "padding", "pixelshuffle", "pooling", "upsampling")
}  # fmt: skip
UNFIT: dict[type, str] = {
    torch.optim.Optimizer: "is the base class of optimizers",
    torch.optim.LBFGS: ASKS_AGAIN,
    torch.optim.SparseAdam: "needs sparse gradients, which no network here has",
    LRScheduler: "is the base class of schedules",
    schedulers.LambdaLR: "needs a function, which no file can hold",
    schedulers.MultiplicativeLR: "needs a function, which no file can hold",
    schedulers.ReduceLROnPlateau: "needs a metric at each step, which no game has",
}
"""Classes of torch that no configuration may name, and why."""
TORCH = (_public(torch.optim, Optimizer) | _public(schedulers, LRScheduler)) - {*UNFIT} | LAYERS
SECTIONS = ("model", "trainer", "checkpoint", "out", "config", "ckpt_path", *MONITORS)
"""What stands at the outermost level of a configuration, or opens a flag."""
LOOKED_UP = ("torch.Size", "torch.Tensor")
"""What the parser imports for annotations; no configuration may hold it."""
REFUSAL = (
    "is none of the classes that a configuration may name, which are layers, optimizers, targets "
    "and so on of gans, divergences, torch.nn and torch.optim, and some loggers and callbacks of "
    "Lightning; if you trust it, add "
    "--allow-import with its module"
)
"""What is said of a name that is not listed."""
COMPILER = "torch.compile"
"""What ``compile_from`` runs: it starts a C++ compiler, which writes to the temporary folder."""
PLAIN = (type(None), bool, int, float, str, Path, torch.dtype)


class Vocabulary:
    """The names of the listed classes, and of modules that the command line allows.

    Arguments:
        modules: Whose classes and functions may be named, too; their code is then run.
    """

    def __init__(self, modules: Sequence[str] = ()):
        self.modules = tuple(modules)

    def names(self) -> list[str]:
        """All that the parser may import."""
        return [*listed(), *LOOKED_UP, *self.modules]

    def check(self, parsed: Any) -> None:
        """Refuse a parsed configuration that holds anything besides plain values and listed names.

        Raises:
            ValueError: Names what is not listed.
        """
        for key, value in _leaves(parsed):
            if key == "compile_from" and value is not None and not self._allowed(COMPILER):
                raise ValueError(
                    f"compile_from = {value} starts a C++ compiler; if that is wanted, add "
                    f"--allow-import {COMPILER}"
                )
            if not self.knows(key, value):
                raise ValueError(refusal(value if isinstance(value, str) else _name(value)))

    def knows(self, key: str, value: Any) -> bool:
        """Whether a value is plain data, or a class that is listed."""
        if key == "class_path":
            return value in listed() or self._allowed(value)
        if isinstance(value, functools.partial):  # a default of ours: no file can hold one
            return value.func in classes()
        if inspect.isclass(value):
            return value in classes() or self._allowed(_name(value))
        return isinstance(value, PLAIN) or self._allowed(_name(value))

    def _allowed(self, name: Any) -> bool:
        return any(f"{name}.".startswith(f"{module}.") for module in self.modules)


def refusal(name: str) -> str:
    """Why a name is not taken, and which it is today if an earlier version knew it.

    Example:
        >>> refusal("divergences.lipschitz.SpectralNorm")
        'divergences.lipschitz.SpectralNorm has moved: write divergences.SpectralNorm'
        >>> refusal("os.mkdir")
        'os.mkdir is none of the classes that a configuration may name, ...'
        >>> refusal("torch.optim.LBFGS")
        'torch.optim.LBFGS evaluates a loss several times for a step; take Adam, or SGD'
    """
    package, last = name.split(".")[0], name.split(".")[-1]
    if package in ("divergences", "gans"):
        for today in (f"divergences.{last}", f"gans.{last}"):
            if today in listed():
                return f"{name} has moved: write {today}"
    for cls, reason in UNFIT.items():
        if last == cls.__name__ and package == "torch":
            return f"{name} {reason}"
    return f"{name} {REFUSAL}"


@functools.cache
def classes() -> frozenset[type]:
    """Every class that may be named."""
    ours = {cls for module in _modules() for cls in vars(module).values() if _is_ours(cls)}
    return frozenset(ours | TORCH | NAMED)


@functools.cache
def named() -> dict[str, type]:
    """Those classes by every name: where each is defined, and where else it can be had from."""
    found = {f"{cls.__module__}.{cls.__qualname__}": cls for cls in classes()}
    for module in [*_modules(), nn, torch.optim, schedulers, callbacks, loggers]:
        for name, value in vars(module).items():
            if inspect.isclass(value) and value in classes() and not name.startswith("_"):
                found[f"{module.__name__}.{name}"] = value
    return found


@functools.cache
def listed() -> frozenset[str]:
    """Every name of those classes."""
    return frozenset(named())


def _modules() -> Iterator[ModuleType]:
    """The public modules of our two packages."""
    for package in (divergences, gans):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "._" not in found.name:
                yield importlib.import_module(found.name)


def _is_ours(value: Any) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, SLOTS)
        and value.__module__.split(".")[0] in ("divergences", "gans")
        and "._" not in f"{value.__module__}.{value.__qualname__}"
    )


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a parsed configuration that is no container, with the key it stands at."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, name)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield key, value


def _name(value: Any) -> str:
    known = hasattr(value, "__module__") and hasattr(value, "__qualname__")
    named = value if known else type(value)
    return f"{named.__module__}.{named.__qualname__}"
