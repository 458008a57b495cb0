"""Monitors that a run goes without: ``pictures: null`` in a file, ``--pictures null`` as a flag.

The parser knows a section of settings or none, so it is given ``without: {pictures: true}``.
"""

import functools
import inspect
import re
from typing import Any

import yaml
from jsonargparse import Namespace

from gans.callbacks import MONITORS

KEY = "without"
NOTHING = ("null", "None", "~", "")


def in_tree(tree: dict[str, Any]) -> dict[str, Any]:
    """The content of a file as the parser takes it.

    Example:
        >>> in_tree({"pictures": None, "coverage": {"n": 9}})
        {'coverage': {'n': 9}, 'without': {'pictures': True, 'coverage': False}}
    """
    named = {name: tree[name] is None for name in MONITORS if name in tree}
    kept = {key: value for key, value in tree.items() if not named.get(key)}
    if isinstance(tree.get("fit"), dict):
        kept["fit"] = in_tree(tree["fit"])
    if named:
        before = tree.get(KEY)
        kept[KEY] = (before if isinstance(before, dict) else {}) | named
    return kept


def in_argument(argument: str) -> list[str]:
    """A flag as the parser takes it.

    Example:
        >>> in_argument("--pictures=null"), in_argument("--coverage.n=9")
        (['--without.pictures=true'], ['--without.coverage=false', '--coverage.n=9'])
    """
    found = re.fullmatch(rf"--({'|'.join(MONITORS)})(\.[\w.]+)?(?:=(.*))?", argument, re.S)
    if found and found[2]:
        return [f"--{KEY}.{found[1]}=false", argument]
    return [f"--{KEY}.{found[1]}=true"] if found and found[3] in NOTHING else [argument]


def names(config: Namespace) -> list[str]:
    """The monitors that a parsed configuration goes without."""
    chosen = config.get(KEY) or {}
    return [name for name in MONITORS if chosen.get(name)]


def spelled(config: Namespace) -> tuple[Namespace, list[str]]:
    """A parsed configuration as a file would have it, and the monitors it goes without.

    Where a default is a ``functools.partial`` of a class, which no file can hold, it is the class
    and its arguments.
    """
    config = config.clone()
    section = config["fit"] if isinstance(config.get("fit"), Namespace) else config
    without = names(section)
    section.pop(KEY, None)
    for key, value in list(config.items()):
        if isinstance(value, functools.partial) and inspect.isclass(value.func):
            parameters = inspect.signature(value.func).parameters.values()
            defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
            made = f"{value.func.__module__}.{value.func.__qualname__}"
            arguments = Namespace(**(defaults | value.keywords))
            config[key] = Namespace(class_path=made, init_args=arguments)
    return config, without


def said(text: str, without: list[str]) -> str:
    """The text of a configuration with the monitors that it goes without."""
    if not without:
        return text
    head = [line for line in text.splitlines()[:1] if line.startswith("#")]
    tree = yaml.safe_load(text)
    section = tree["fit"] if isinstance(tree.get("fit"), dict) else tree
    section.update(dict.fromkeys(without))
    return "\n".join([*head, yaml.safe_dump(tree, sort_keys=False)])
