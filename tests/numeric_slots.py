"""A configuration for every number that can be set in one, with what it should not be."""

import copy
import inspect
import math
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from divergences.estimator import Estimator
from divergences.networks.constraint import Constraint
from gans.callbacks import MONITORS, Checkpoints
from gans.cli.allowed_classes import classes
from gans.modules import AdversarialModule
from gans.networks import Generator
from gans.objectives import Objective
from gans.targets import Target

WRONG = (
    *(2**62, 2**31, -1, 0, 1e308, -1e308, 1e-308, math.nan, math.inf, -math.inf),
    *(True, "x", "nan", None, [], {}, 0.5),
)
RING = {"class_path": "gans.Ring"}
PENALTY = {"class_path": "divergences.GradientPenalty"}
BASE = {
    "model": {
        "class_path": "gans.VanillaGAN",
        "init_args": {
            "target": RING,
            "constraint": PENALTY,
            "generator": {"class_path": "gans.NoiseGenerator", "init_args": {"hidden": [4]}},
            "critic": {"class_path": "divergences.MLP", "init_args": {"hidden": [4]}},
            "batch_size": 8,
            "iterations": 2,
        },
    },
    **{name: {"every": 100, "n": 16} for name in MONITORS},
    "divergences": {"every": 100, "n": 16, "estimators": []},
}
NEEDED = {
    "Target": RING,
    "Constraint": PENALTY,
    "Iterable[Constraint]": [PENALTY],
    "int": 4,
    "float": 0.5,
    "Sequence[float] | Tensor": [0.5, 0.5],
    "Tensor | float": 0.5,
    "float | list[float]": 0.5,
    "Iterable[int]": [1],
}
"""What stands for other arguments that must be there, by annotation."""
SMALL = {"hidden": [4], "steps": 2, "batch": 4}
"""What makes the work of a class small."""
GIVEN = {"params", "optimizer", "streams", "in_features", "out_features", "validate_args"}
"""What no configuration gives."""
WORDS = ("int", "float")


def numbers(signature, given=GIVEN):
    """The names of arguments that are numbers, or made of them."""
    for name, parameter in signature.parameters.items():
        kind = str(parameter.annotation)
        if name not in given and any(word in kind for word in WORDS) and "Callable" not in kind:
            yield name


def needed(cls, given):
    """The arguments that must be there, or ``None`` if they cannot be said in a file."""
    found = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY,
        ) and name not in given:  # fmt: skip
            if str(parameter.annotation) not in NEEDED:
                return None
            found[name] = NEEDED[str(parameter.annotation)]
        elif name in SMALL:
            found[name] = SMALL[name]
    return found


def place(cls):
    """Where in the configuration an object of the class stands."""
    networks = {"streams", "in_features", "out_features"} <= {*inspect.signature(cls).parameters}
    slots = {
        Target: "target", Objective: "objective", Constraint: "constraint",
        Generator: "generator", Optimizer: "critic_optimizer", LRScheduler: "scheduler",
    }  # fmt: skip
    found = [slot for base, slot in slots.items() if issubclass(cls, base)]
    return found[0] if found else "critic" if networks else None


def slots() -> Iterator[tuple[dict[str, Any], tuple[Any, ...]]]:
    """Every number that can be set, as the configuration's tree and the way to the number."""
    for cls in sorted(classes(), key=lambda c: (c.__module__, c.__qualname__)):
        generator = issubclass(cls, Generator)
        given = GIVEN | ({"dimension"} if generator else set())
        others = needed(cls, given)
        if inspect.isabstract(cls) or others is None:
            continue
        spec = {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": others}
        tree = copy.deepcopy(BASE)
        if issubclass(cls, Estimator):
            tree["divergences"]["estimators"] = [spec]
            way = ("divergences", "estimators", 0, "init_args")
        elif (slot := place(cls)) is not None:
            tree["model"]["init_args"][slot] = spec
            way = ("model", "init_args", slot, "init_args")
        else:
            continue
        for name in numbers(inspect.signature(cls), given):
            yield tree, (*way, name)
    for name in numbers(inspect.signature(AdversarialModule)):
        yield BASE, ("model", "init_args", name)
    for section, cls in {**MONITORS, "checkpoint": Checkpoints, "trainer": pl.Trainer}.items():
        for name in numbers(inspect.signature(cls)):
            yield BASE, (section, name)
    yield BASE, ("seed_everything",)


def cases():
    """Every slot with every wrong value, as the name of the case and its tree."""
    for tree, way in slots():
        for value in WRONG:
            for wrong in (value, [value]) if not isinstance(value, list | dict) else (value,):
                changed = copy.deepcopy(tree)
                inner: Any = changed
                for key in way[:-1]:
                    inner = inner[key] if isinstance(inner, list) else inner.setdefault(key, {})
                inner[way[-1]] = wrong
                yield f"{'/'.join(map(str, way))} = {wrong}", changed
