"""What a sweep consists of: its file, the settings it spans, and the jobs that do them."""

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divergences.checks import seed_number
from divergences.shown_text import one_line as plainly
from divergences.shown_text import shortened
from gans.cli import plain_yaml
from gans.cli.parser_messages import one_line
from scripts.sweep.joint_training import JointTraining, complete

Config = dict[str, Any]
LOOKS = ("divergences", "gradients", "lipschitz", "pictures", "coverage", "checkpoint")
"""Settings of how the training command looks at a run, which a base may have: a sweep looks at all
its runs in its own way, so that they can be compared."""
MOST = 10_000
"""Settings of a sweep: each is built once before any of them runs."""


@dataclass(frozen=True)
class Choice:
    """One value of an axis: how it is called, and the dotted keys it sets."""

    axis: str
    name: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One combination of the axes' values.

    Attributes:
        axes: Axis to the name of its value here.
        label: The axes that have several values, as text; the base's name if none has.
        config: What ``gans.cli.train`` would be given.
        complete: The same with every default filled in.
        modules: Whose classes it may name besides those that are listed.
    """

    axes: dict[str, str]
    label: str
    config: Config
    complete: Config
    modules: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Sixteen digits that no other configuration has: its hash, defaults included."""
        text = json.dumps(self.complete, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def folder(self) -> str:
        """The label as a folder's name, with some digits of the key to tell it from others."""
        words = re.sub(r"[^\w=.,()+-]+", "_", self.label)[:80]
        words = words.encode()[:160].decode(errors="ignore")  # a name has 255 bytes
        return f"{words}-{self.key[:8]}"


@dataclass(frozen=True)
class Plan:
    """All settings of a sweep, and the seeds that each is run with."""

    name: str
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]

    def runs(self) -> Iterator[tuple[Setting, int]]:
        """Every setting with every seed."""
        return itertools.product(self.settings, self.seeds)


def jobs(missing: Sequence[tuple[Setting, int]], members: int) -> list[JointTraining]:
    """The runs as jobs: the seeds of one setting together, at most ``members`` of them."""
    of: dict[str, tuple[Setting, list[int]]] = {}
    for setting, seed in missing:
        of.setdefault(setting.key, (setting, []))[1].append(seed)
    return [
        JointTraining(
            setting.key,
            setting.label,
            setting.config,
            tuple(seeds[i : i + members]),
            setting.modules,
        )
        for setting, seeds in of.values()
        for i in range(0, len(seeds), members)
    ]


def read(path: Path, modules: Sequence[str] = ()) -> Plan:
    """The plan of a sweep file, with every configuration built once.

    Raises:
        ValueError: If anything in it makes no sense; the message names key, value and remedy.
    """
    sweep = plain_yaml.read(path, "a sweep file", kept=["base"])
    unknown = sorted(set(sweep) - {"base", "axes", "seeds"})
    if unknown:
        raise ValueError(f"{path}: {unknown[0]} is no part of a sweep; it has base, axes, seeds")
    if not isinstance(sweep.get("base"), str):
        raise ValueError(
            f"{path}: base = {sweep.get('base')}: name the file of the base configuration, "
            "relative to this one, e.g. base: ../ring_gan.yaml"
        )
    base_path = (path.parent / sweep["base"]).resolve()
    if base_path.exists() and not base_path.is_file():
        raise ValueError(f"{path}: base = {sweep['base']} is no file")
    base = plain_yaml.read(base_path, f"the base of {path.name}", ["base"], shown=False)
    model = base.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("class_path"), str):
        raise ValueError(f"{base_path}: no configuration of gans.cli.train: no class is its model")
    base = {key: value for key, value in base.items() if key not in LOOKS}
    seeds = _seeds(path, sweep.get("seeds"))
    axes = _axes(path, sweep.get("axes") or {})
    if (count := math.prod(len(choices) for choices in axes)) > MOST:
        raise ValueError(f"{path}: axes: {count} settings; give at most {MOST}")
    settings = [
        _setting(path, base, base_path.stem, choices, modules) for choices in _product(axes)
    ]
    twice = [key for key, times in Counter(s.key for s in settings).items() if times > 1]
    if twice:
        alike = [s.label for s in settings if s.key == twice[0]]
        raise ValueError(
            f"{path}: axes: {alike[0]!r} and {alike[1]!r} are the same configuration; leave one "
            "out (an axis that replaces a class comes before axes inside it)"
        )
    for label, times in Counter(s.label for s in settings).items():
        if times > 1:  # as 1 and "1" are, or names that only differ in what cannot be seen
            raise ValueError(
                f"{path}: axes: {times} settings are called {label!r}; give the axis a mapping "
                "from names of its values to the keys they set"
            )
    return Plan(path.stem, tuple(settings), seeds)


def _seeds(path: Path, seeds: Any) -> tuple[int, ...]:
    good = isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)
    if not good:
        raise ValueError(f"{path}: seeds = {seeds}: give a list of integers, e.g. [0, 1, 2]")
    for seed in seeds:
        seed_number(f"{path}: seeds: {str(seed)[:40]}", seed)
    twice = [seed for seed, times in Counter(seeds).items() if times > 1]
    if twice:
        raise ValueError(f"{path}: seeds: {twice[0]} is there twice; name each seed once")
    return tuple(seeds)


def _axes(path: Path, axes: Any) -> list[list[Choice]]:
    """Each axis as its choices.

    An axis is a dotted key with a list of values, or a name of its own with a mapping from the
    names of its values to the dotted keys that each of them sets together.
    """
    if not isinstance(axes, dict):
        raise ValueError(f"{path}: axes = {axes!r:.60}: map each dotted key to its values")
    return [_axis(path, plainly(axis), values) for axis, values in axes.items()]


def _axis(path: Path, axis: str, values: Any) -> list[Choice]:
    if isinstance(values, list) and values:
        choices = [Choice(axis, named(value), {axis: value}) for value in values]
    elif isinstance(values, dict) and values and all(isinstance(v, dict) for v in values.values()):
        choices = [Choice(axis, plainly(name), changes) for name, changes in values.items()]
    else:
        raise ValueError(
            f"{path}: axes: {axis}: {values!r:.60} is not a list of values, nor a mapping of "
            "names to the keys each sets; e.g. [1, 5]"
        )
    for choice in choices:
        for key in choice.changes:
            if key.endswith("seeds"):
                raise ValueError(f"{path}: axes: {key}: seeds are no axis; list them under seeds")
            if "" in str(key).split("."):
                raise ValueError(
                    f"{path}: axes: {key!r} is no dotted key; write e.g. model.n_critic"
                )
    return choices


def _product(axes: list[list[Choice]]) -> Iterator[list[Choice]]:
    shown = {choices[0].axis for choices in axes if len(choices) > 1}
    short = _short(shown)
    for choices in itertools.product(*axes):
        yield [Choice(short.get(c.axis, ""), c.name, c.changes) for c in choices]


def _short(axes: set[str]) -> dict[str, str]:
    """Each axis by the last part of its key, or by all of it where two end alike."""
    ends = Counter(axis.rpartition(".")[2] for axis in axes)
    return {
        axis: end if ends[end] == 1 else axis
        for axis, end in ((axis, axis.rpartition(".")[2]) for axis in axes)
    }


def _setting(
    path: Path, base: Config, name: str, choices: list[Choice], modules: Sequence[str]
) -> Setting:
    axes = {c.axis: c.name for c in choices if c.axis}
    label = shortened(" ".join(f"{axis}={value}" for axis, value in axes.items()) or name)
    try:
        config = changed(base, choices)
        return Setting(axes, label, config, complete(config, modules), tuple(modules))
    except Exception as error:  # torch refuses values with all kinds
        one = next(
            (c for c in choices if _builds(base, [o for o in choices if o is not c], modules)),
            None,
        )
        blamed = [one] if one else choices if _builds(base, [], modules) else []
        told = "; ".join(f"{key} = {value}" for c in blamed for key, value in c.changes.items())
        where = f"axes: {told}" if told else f"its base, {name}.yaml"
        raise ValueError(f"{path}: {where}: {one_line(error)}") from None


def _builds(base: Config, choices: list[Choice], modules: Sequence[str]) -> bool:
    try:
        complete(changed(base, choices), modules)
    except Exception:
        return False
    return True


def changed(base: Config, choices: Sequence[Choice]) -> Config:
    """The base with the choices made, one after the other.

    ``model.constraint.weight`` reaches into the arguments of the class that stands at
    ``model.constraint``, as it does on the command line of ``gans.cli.train``.
    """
    config = deepcopy(base)
    for choice in choices:
        for key, value in choice.changes.items():
            *way, last = str(key).split(".")
            place = config
            for step in way:
                place = _inside(_arguments(place, step).setdefault(step, {}), key, step)
            _arguments(place, last)[last] = deepcopy(value)
    return config


def _arguments(place: Config, step: str) -> Config:
    if "class_path" in place and step not in ("class_path", "init_args"):
        return place.setdefault("init_args", {})
    return place


def _inside(place: Any, key: str, step: str) -> Config:
    if not isinstance(place, dict):
        raise ValueError(f"{key}: {step} is {place!r:.60}, which has nothing inside to set")
    return place


def named(value: Any) -> str:
    """A value as short text: a class by its name and the arguments given."""
    return plainly(_told(value))


def _told(value: Any) -> str:
    if isinstance(value, dict) and "class_path" in value:
        arguments = value.get("init_args") or {}
        if not isinstance(arguments, dict):
            return f"{value['class_path']}({arguments!r:.60})"  # which the parser refuses
        inner = ", ".join(f"{k}={_told(v)}" for k, v in arguments.items())
        return str(value["class_path"]).rpartition(".")[2] + (f"({inner})" if inner else "")
    if isinstance(value, dict):
        return ", ".join(f"{k}={_told(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "[" + " ".join(map(_told, value)) + "]"
    return str(value)
