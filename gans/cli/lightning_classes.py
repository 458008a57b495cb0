"""Which of Lightning's own loggers and callbacks a configuration may name, and how.

Each was reviewed for what a stranger's file could do with it. A file may name those of
:data:`IN_FILES`, with harmless settings only. Where they write is not the file's to say: it is the
run's folder. What can send data to a host, write elsewhere, call functions, or change or shorten
training is named on the command line, or not at all.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jsonargparse import Namespace
from pytorch_lightning import callbacks, loggers
from torch.utils.tensorboard.writer import SummaryWriter

from gans.runtime.escaping import printable

HERE = ""
"""Stands for the run's folder until that is known."""


class Harmless(NamedTuple):
    """What a file may set of a class, and what it is always given."""

    settings: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = {}


LOGGERS: dict[type, Harmless] = {
    loggers.CSVLogger: Harmless(
        ("prefix", "flush_logs_every_n_steps"), {"save_dir": HERE, "name": "csv"}
    ),
    loggers.TensorBoardLogger: Harmless(
        ("prefix",), {"save_dir": HERE, "name": "", "version": "", "default_hp_metric": False}
    ),
}
CALLBACKS: dict[type, Harmless] = {
    callbacks.DeviceStatsMonitor: Harmless(("cpu_stats",)),
    callbacks.LearningRateMonitor: Harmless(
        ("logging_interval", "log_momentum", "log_weight_decay")
    ),
    callbacks.ModelSummary: Harmless(("max_depth",)),
    callbacks.RichModelSummary: Harmless(("max_depth",)),
    callbacks.RichProgressBar: Harmless(("refresh_rate", "leave")),
    callbacks.TQDMProgressBar: Harmless(("refresh_rate", "process_position", "leave")),
}
IN_FILES = {"logger": LOGGERS, "callbacks": CALLBACKS}
ON_THE_COMMAND_LINE = (loggers.MLFlowLogger, loggers.WandbLogger)
"""They reach a host that their settings name, with the user's credentials."""
NAMED = frozenset({*LOGGERS, *CALLBACKS, *ON_THE_COMMAND_LINE})


def _known(section: str, named: Any) -> type | None:
    for cls in IN_FILES[section]:
        if named in (cls.__name__, f"{cls.__module__}.{cls.__name__}", _short(cls)):
            return cls
    return None


def _short(cls: type) -> str:
    """The name that Lightning documents."""
    return f"{'.'.join(cls.__module__.split('.')[:2])}.{cls.__name__}"


def taken(section: str, value: Any) -> Any:
    """What a file says of the trainer's loggers or callbacks, as the parser is given it.

    Raises:
        ValueError: If it names what a file may not name, or sets what it may not set.

    Example:
        >>> taken("logger", [{"class_path": "CSVLogger"}])
        [{'class_path': 'pytorch_lightning.loggers.CSVLogger', 'init_args': {'save_dir': '', ...
    """
    if isinstance(value, list):
        return [_one(section, item) for item in value]
    return _one(section, value)


def _one(section: str, value: Any) -> dict[str, Any]:
    value = value if isinstance(value, dict) else {"class_path": value}
    named = value.get("class_path")
    cls = _known(section, named)
    if cls is None:
        listed = ", ".join(cls.__name__ for cls in IN_FILES[section])
        raise ValueError(
            f"trainer.{section} = {printable(named):.80} is not taken from a file, which may name "
            f"{listed}; give --trainer.{section} on the command line"
        )
    given = value.get("init_args") or {}
    more = {key: value[key] for key in value if key not in ("class_path", "init_args")}
    harmless, defaults = IN_FILES[section][cls], _defaults(cls)
    settings = given if isinstance(given, dict) else {"init_args": given}
    prefix = settings.get("prefix", "")
    if not (isinstance(prefix, str) and re.fullmatch(r"(?!-)[\w./-]{0,40}", prefix, re.ASCII)):
        raise ValueError(
            f"trainer.{section}: {cls.__name__}.prefix = {printable(prefix):.60} is not "
            "taken from a file, which may give at most 40 letters, digits and any of ._-/, no - "
            "at its start, because it stands in tables"
        )
    for key, setting in {**settings, **more}.items():
        usual = harmless.fixed.get(key, defaults.get(key, Ellipsis))
        plain = isinstance(setting, str | bool | int | float | None)
        if not (key in harmless.settings and plain) and setting != usual:
            raise ValueError(
                f"trainer.{section}: {cls.__name__}.{printable(key):.40} is not taken from a "
                f"file, which may set {', '.join(harmless.settings)}"
            )
    return {"class_path": _short(cls), "init_args": {**given, **harmless.fixed}}


def in_argument(argument: str) -> str:
    """A flag whose logger, given by name, writes to the run's folder.

    Example:
        >>> in_argument("--trainer.logger=CSVLogger")
        '--trainer.logger={"class_path": "pytorch_lightning.loggers.CSVLogger", "init_args": ...
    """
    name = argument.removeprefix("--trainer.logger=")
    known = name != argument and _known("logger", name)
    return f"--trainer.logger={json.dumps(_one('logger', name))}" if known else argument


def _defaults(cls: type) -> dict[str, Any]:
    """What its settings are if nobody says so, with those that it passes on to a writer."""
    passed_on = (SummaryWriter,) if cls is loggers.TensorBoardLogger else ()
    parameters = [p for c in (*passed_on, cls) for p in inspect.signature(c).parameters.values()]
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {"dict_kwargs": {}} | defaults


def _loggers(trainer: Namespace) -> Iterator[Namespace]:
    named = trainer.get("logger")
    for one in named if isinstance(named, list) else [named]:
        if isinstance(one, Namespace) and isinstance(one.get("init_args"), Namespace):
            yield one.init_args


def write_to(trainer: Namespace, folder: str) -> None:
    """Let the loggers of a parsed configuration that have no folder of their own write there."""
    for settings in _loggers(trainer):
        if settings.get("save_dir") == HERE:
            settings["save_dir"] = folder


def forget(trainer: Namespace, folder: str) -> None:
    """Undo :func:`write_to`, so that the configuration can be given back."""
    for settings in _loggers(trainer):
        if settings.get("save_dir") == folder:
            settings["save_dir"] = HERE
