"""The settings of a run that are not usual, under names that fit into a table."""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

FIRST = ("game", "target", "objective", "constraint")


def what_varies(model: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Settings that differ from their defaults, with the names of the classes that are set.

    TensorBoard shows the first five in the order of the alphabet, so all but game, target,
    objective and constraint begin with *with*.

    Arguments:
        model: A class with its arguments, as a configuration has it.

    Example:
        >>> ring = {"class_path": "gans.Ring", "init_args": {"radius": 2.0}}
        >>> model = {"target": ring, "iterations": 5, "ema": None, "seeds": [0, 1]}
        >>> what_varies({"class_path": "gans.VanillaGAN", "init_args": model})
        {'game': 'VanillaGAN', 'target': 'Ring', 'target.radius': 2.0, 'with iterations': 5, ...}
    """
    named = dict(_of_class("game", model))
    return {k if k.split(".")[0] in FIRST else f"with {k}": v for k, v in named.items()}


def _of_class(name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    module, _, short = str(given.get("class_path")).rpartition(".")
    yield name, short
    defaults = _defaults(module, short)
    for key, value in (given.get("init_args") or {}).items():
        full = key if name == "game" else f"{name}.{key}"
        if isinstance(value, Mapping) and "class_path" in value:
            yield from _of_class(full, value)
        elif value is not None and _plain(value) != _plain(defaults.get(key)):
            yield full, _plain(value)


def _plain(value: Any) -> bool | int | float | str:
    if isinstance(value, (list, tuple)):
        return " ".join(str(_plain(item)) for item in value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _defaults(module: str, name: str) -> dict[str, Any]:
    """What the arguments of a class are if they are not given; the class was imported before."""
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return {}
    return {p.name: p.default for p in inspect.signature(cls).parameters.values()}
