"""What was meant by a key, flag or class that nobody knows."""

import inspect
import re
import sys
from collections.abc import Sequence

import pytorch_lightning as pl

from divergences.shown_text import nearest_name
from gans.callbacks import MONITORS, Checkpoints
from gans.cli.allowed_classes import SECTIONS, SLOTS, classes, named
from gans.minimum_distance import MinimumDistance
from gans.modules import VanillaGAN

SETTINGS: dict[str, type] = {"trainer": pl.Trainer, "checkpoint": Checkpoints, **MONITORS}
"""The class whose settings a section holds."""
OUTERMOST = (*SECTIONS, "resume", "debug", "allow-import", "print_config", "seed_everything")
GIVEN = {"self", "streams", "in_features", "out_features", "dimension", "params", "optimizer"}
"""Arguments that no configuration gives."""
MOST, MOST_CLASSES = 12, 14
"""Names that are listed where none is near: of arguments, of classes."""
UNKNOWN = re.compile(r"unrecognized arguments: --([\w.-]+)|(?:[Oo]ption|[Kk]ey) '([\w.-]+)'")
UNNAMED = re.compile(
    r"no class is named ([\w.]+)|([\w.]+) is none of the classes|module '[\w.]+' has no attribute "
    r"'(\w+)'"
)
CLASS = re.compile(r"class_path[ =]'([\w.]+)'")


def meant(message: str) -> str:
    r"""What the unknown name in an error may have been meant to be, to be added to it, or nothing.

    Example:
        >>> meant("unrecognized arguments: --modle.iterations=5")
        '; did you mean model?'
        >>> meant("unrecognized arguments: --divergences.evry=5")
        '; did you mean every?'
        >>> meant("Problem with given class_path 'gans.Ring': Option 'sdd' is not accepted")
        '; gans.Ring takes radius, scale, modes, weights, validate_args'
        >>> meant("given class_path 'gans.FGAN': Parser key \"f\": no class is named KL")
        '; f takes one of JensenShannon, KullbackLeibler, Pearson, ReverseKullbackLeibler, ...
    """
    found = UNNAMED.search(message)
    if found is not None:
        return _class(next(filter(None, found.groups())), message) or _fitting(message)
    found = UNKNOWN.search(message)
    if found is None:
        return ""
    path = [part for part in (found[1] or found[2]).split(".") if part != "init_args"]
    classes = CLASS.findall(message)
    if classes:
        return _among(path[0], settings(_known(classes[-1])), classes[-1])
    if path[0] in SETTINGS and len(path) > 1:
        return _among(path[1], settings(SETTINGS[path[0]]), path[0])
    of_model = [name for model in (VanillaGAN, MinimumDistance) for name in settings(model)]
    if path[0] in of_model:
        return f"; did you mean model.{path[0]}?"
    return _among(path[0], OUTERMOST)


def settings(cls: type | None) -> list[str]:
    """Names of the arguments that a class is made with, those of its bases included."""
    found: dict[str, None] = {}
    for base in cls.__mro__ if cls is not None else ():
        if "__init__" in vars(base):
            arguments = inspect.signature(base.__init__).parameters.values()
            named_ones = [
                one
                for one in arguments
                if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
            ]
            found |= dict.fromkeys(one.name for one in named_ones if one.name not in GIVEN)
            if not any(one.kind is one.VAR_KEYWORD for one in arguments):
                break  # it passes nothing on that it does not name
    return list(found)


def _known(name: str) -> type | None:
    module, _, last = name.rpartition(".")
    found = named().get(name) or getattr(sys.modules.get(module), last, None)
    return found if inspect.isclass(found) else None


def _class(name: str, message: str) -> str:
    package, _, last = name.rpartition(".")
    module = re.search(r"module '([\w.]+)' has", message)
    if module is not None:
        return _among(last, [n for n in vars(sys.modules.get(module[1], re)) if n[0] != "_"])
    close = nearest_name(last, sorted({cls.__name__ for cls in named().values()}))
    full = f"{package}.{close}"
    return f"; did you mean {full if full in named() else close}?" if close else ""


def _among(word: str, options: Sequence[str], owner: str | None = None) -> str:
    close = None if word in options else nearest_name(word, options)
    if close:
        return f"; did you mean {close}?"
    if owner is None or word in options or not 0 < len(options) <= MOST:
        return ""
    return f"; {owner} takes {', '.join(options)}"


def _fitting(message: str) -> str:
    """The classes that an argument takes where a message says that it was given none."""
    found = re.search(r".*class_path '([\w.]+)':.*Parser key \"(\w+)\": no class is", message)
    owner = found and named().get(found[1])
    if not found or owner is None:
        return ""
    argument = inspect.signature(owner).parameters.get(found[2])
    if argument is None:  # it is one of a class that a setting of the owner names
        return ""
    hints = str(argument.annotation)
    bases = tuple(base for base in SLOTS if re.search(rf"\b{base.__name__}\b", hints))
    fit = {c.__name__ for c in classes() if issubclass(c, bases) and not inspect.isabstract(c)}
    if not 0 < len(fit) <= MOST_CLASSES:
        return ""
    return f"; {found[2]} takes one of {', '.join(sorted(fit))}"
