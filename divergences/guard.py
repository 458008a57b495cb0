"""Errors of wrong arguments, explained where a package's public functions are entered.

What is called with an argument of another kind fails somewhere inside, with an error that speaks
of the inside. Only then are the arguments held against the annotations, so that a call that
succeeds costs nothing: the error that reaches the caller names the argument that does not fit, or
the shapes that torch could not bring together. An error for which no argument is to blame is
passed on as it is.
"""

import inspect
import re
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Real
from pathlib import Path
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import Any, Literal, SupportsIndex, Union, get_args, get_origin

import torch
from torch import Tensor, nn

from divergences.checks import is_bool, shown
from divergences.shown_text import nearest_name

BLAMED_ON_ARGUMENTS = (
    AttributeError, AssertionError, TypeError, ValueError, KeyError, NotImplementedError,
    ZeroDivisionError,
)  # fmt: skip
LinAlgError = torch.linalg.LinAlgError  # pyright: ignore[reportPrivateImportUsage]
BLAMED_ON_SHAPES = (RuntimeError, IndexError, OverflowError, LinAlgError)
TORCH = str(Path(torch.__file__).parent)
SHAPE = re.compile(r"``(\([^`]*\))``")


def guard(package: str) -> None:
    """Let what a package makes public explain its arguments' errors, in place.

    These are the methods of all its public classes, and the functions that it exports itself or in
    a module. Call it where everything has been imported, at the end of ``__init__.py``.
    """
    modules = [
        module for name, module in sys.modules.items()
        if name == package or name.startswith(f"{package}.")
    ]  # fmt: skip
    whole = vars(sys.modules[package])
    exported = [whole.get(name) for name in whole.get("__all__", ())]  # lazy ones are not there
    doors = [sys.modules[package], *(m for m in exported if isinstance(m, ModuleType))]
    for module in modules:
        for name, value in list(vars(module).items()):
            own = getattr(value, "__module__", "").startswith(package)
            if name.startswith("_") or not own:
                continue
            if inspect.isclass(value) and value.__module__ == module.__name__:
                _guard_class(value)
            elif isinstance(value, FunctionType) and module in doors:
                setattr(module, name, explained(value))


def _guard_class(kind: type) -> None:
    if issubclass(kind, BaseException) or getattr(kind, "_is_protocol", False):
        return
    if isinstance(kind.__init__, FunctionType):  # another package's, inherited
        _guard_method(kind, "__init__", kind.__init__)
    for base in kind.__mro__:  # private ones between public ones included
        if base.__module__.split(".")[0] == kind.__module__.split(".")[0]:
            for name, value in list(vars(base).items()):
                if not name.startswith("_") or name in ("__init__", "__call__"):
                    _guard_method(base, name, value)


def _guard_method(kind: type, name: str, value: Any) -> None:
    if isinstance(value, FunctionType):
        setattr(kind, name, explained(value))
    elif isinstance(value, (staticmethod, classmethod)):
        setattr(kind, name, type(value)(explained(value.__func__)))


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with errors that name the argument that does not fit.

    Example:
        >>> def size(x: Tensor) -> int:
        ...     return x.numel()
        >>> explained(size)(3)
        Traceback (most recent call last):
        ...
        TypeError: size: x = 3: it must be a dense tensor of floating-point numbers
    """
    if getattr(function, "explains", False):
        return function

    @wraps(function)
    def explaining(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (*BLAMED_ON_ARGUMENTS, *BLAMED_ON_SHAPES) as error:
            better = explanation(function, args, kwargs, error)
            if better is None:
                raise
            raise better from error

    explaining.explains = True  # pyright: ignore[reportAttributeAccessIssue]
    return explaining


def explanation(
    function: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any], error: Exception
) -> Exception | None:
    """A clearer error for a call that failed, ``None`` where no argument is to blame."""
    if _on_purpose(error):
        return None
    try:
        values = dict(_each_argument(function, args, kwargs))
    except TypeError:  # an argument too many or too few, which Python has said
        return _misspelt(function, args, kwargs)
    hints, name = _hints(function), _name(function, args)
    for key, value in values.items():
        hint = hints.get(key.split("[")[0], Any)
        if not fits(value, hint):
            return TypeError(f"{name}: {key} = {shown(value)}: it must be {_described(hint)}")
    if any(p.kind is p.VAR_POSITIONAL for p in _parameters(function)) and not values:
        return ValueError(f"{name}: nothing was given")
    overflow = isinstance(error, OverflowError)
    if isinstance(error, BLAMED_ON_ARGUMENTS) or not (overflow or values):
        return None
    listed = ", ".join(f"{key} {_with_shape(value)}" for key, value in values.items())
    documented = SHAPE.findall(f"{function.__doc__} {type(args[0]).__doc__ if args else ''}")
    wanted = (
        f"; documented shapes are {', '.join(dict.fromkeys(documented))}" if documented else ""
    )
    return ValueError(f"{name} cannot work with {listed}: {' '.join(str(error).split())}{wanted}")


def _misspelt(
    function: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> TypeError | None:
    """What an unknown keyword may have been meant to be; ``None`` where nothing is like it."""
    known = [p.name for p in _parameters(function) if p.kind is not p.POSITIONAL_ONLY]
    for key in kwargs:
        close = nearest_name(key, known)
        if key not in known and close is not None and close not in kwargs:
            name = _name(function, args)
            return TypeError(f"{name} takes no argument {key!r}; did you mean {close!r}?")
    return None


def _on_purpose(error: Exception) -> bool:
    """Whether it is of a kind of its own, or a ``raise`` outside torch has raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised = (last.line or "").startswith("raise") and not last.filename.startswith(TORCH)
    return raised or type(error) not in (*BLAMED_ON_ARGUMENTS, *BLAMED_ON_SHAPES)


def _each_argument(
    function: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> Iterable[tuple[str, Any]]:
    """Names and values of what was given, but ``self``; ``terms[0]`` for one of ``*terms``."""
    signature = inspect.signature(function)
    for key, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[key].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{key}[{i}]", item) for i, item in enumerate(value))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        elif key != "self":
            yield key, value


def _parameters(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    return inspect.signature(function).parameters.values()


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:  # a name that only type checkers import
        return {}


def _name(function: Callable[..., Any], args: tuple) -> str:
    method = args and "self" in inspect.signature(function).parameters
    if not method:
        return function.__name__
    kind = type(args[0]).__name__
    return kind if function.__name__ in ("__init__", "__call__") else f"{kind}.{function.__name__}"


def _with_shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"of shape {tuple(value.shape)} and {value.dtype}"
    return f"= {shown(value)}"


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the kind that an annotation asks for.

    A number may be a scalar of NumPy or a tensor of one element; a bool is no number. Annotations
    that say nothing that can be seen from a value are always met.

    Example:
        >>> fits(3, float), fits(True, float), fits([1, "a"], typing.Sequence[int])
        (True, False, False)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, option) for option in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if hint is None or hint is NoneType:
        return value is None
    if hint in (int, float):
        return _is_number(value, hint)
    if hint is Tensor:
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return floating and value.layout == torch.strided
    if origin is type:
        return isinstance(value, type) and issubclass(value, inner[0])
    kind = origin or hint
    if kind is Callable or getattr(kind, "__name__", "") == "Callable":
        return callable(value)
    if not isinstance(kind, type) or kind in (object, Any):  # Any is a class from 3.11 on
        return True
    if getattr(kind, "_is_protocol", False):
        methods = [name for name in vars(kind) if not name.startswith("_")]
        return all(callable(getattr(value, name, None)) for name in methods)
    if issubclass(kind, Iterable) and origin is not None and not issubclass(kind, Mapping):
        return _is_sequence(value) and all(
            fits(item, inner[min(i, len(inner) - 1)] if inner[-1] is not ... else inner[0])
            for i, item in enumerate(value)
        )
    return isinstance(value, kind)


def _is_number(value: Any, kind: type) -> bool:
    if is_bool(value):
        return False
    if kind is int:
        return isinstance(value, SupportsIndex) and not isinstance(value, Tensor)
    return isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping, nn.Module))


def _described(hint: Any) -> str:
    known = {
        int: "an integer",
        float: "a number",
        Tensor: "a dense tensor of floating-point numbers",
    }
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_described(option) for option in inner)
    if hint is None or hint is NoneType:
        return "None"
    if hint in known:
        return known[hint]
    if origin is None and isinstance(hint, type):
        return f"a {hint.__name__}"
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(hint))
