"""Where a result comes from: a digest of an experiment's source and arguments, and of the library.

:func:`origin` sees the function, every function, class and constant of ``scripts`` that it names,
directly or through others, and the values of its arguments. It does not see comments, docstrings
and annotations of functions, nor what is found in other ways than by name. ``divergences``,
``gans`` and torch are seen by :func:`fingerprint` alone, because any change there would make every
result one of other code; a result of another fingerprint is kept, and the command says so.
"""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import Tensor

LIBRARY = ("divergences", "gans")
OURS = "scripts"
DIGITS = 12


@cache
def fingerprint(*packages: str) -> str:
    """Twelve digits of all sources of the packages (the library, unless named) and of torch."""
    digest = hashlib.sha256(torch.__version__.encode())
    for package in packages or LIBRARY:
        root = Path(str(importlib.import_module(package).__file__)).parent
        for source in sorted(root.rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()[:DIGITS]


def origin(*values: Any) -> str:
    """Twelve digits of what the values are: of functions and classes of ours their source.

    Raises:
        TypeError: For a value that cannot be told from others, such as an open file.
    """
    return hashlib.sha256("\n".join(_described(values)).encode()).hexdigest()[:DIGITS]


def _described(value: Any) -> Iterator[str]:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | range):
        yield repr(value)
    elif isinstance(value, type | FunctionType | BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
        if _is_ours(value.__module__):
            yield from source(value.__module__, value.__qualname__.partition(".")[0])
    elif isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)} {value.tolist()}"
    elif isinstance(value, Mapping):
        for item in value.items():
            yield from _described(item)
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} of {len(value)}"
        for item in value:
            yield from _described(item)
    elif isinstance(value, set | frozenset):
        yield from sorted("\n".join(_described(item)) for item in value)
    else:  # what a copy of it would be made from
        yield from _described([type(value), *value.__reduce_ex__(4)])


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in (OURS, "tests")


@cache
def source(module: str, name: str) -> tuple[str, ...]:
    """The statements that define a name of a module and all names of ours that they use."""
    seen: dict[tuple[str, str], str] = {}
    waiting = [(module, name)]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        statements, imports = _contents(place[0])
        if place[1] not in statements and place[1] in imports:  # it is only passed on
            waiting.append(imports[place[1]])
            continue
        nodes = statements.get(place[1], ())
        seen[place] = "\n".join(map(ast.unparse, nodes))
        for used in {name for node in nodes for name in _used(node)}:
            waiting += _places(place[0], used)
    return tuple(f"{place}: {text}" for place, text in sorted(seen.items()))


def _places(module: str, used: str) -> Iterator[tuple[str, str]]:
    """What a name, or ``module.name``, that is used in a module stands for, if that is ours."""
    statements, imports = _contents(module)
    first, _, rest = used.partition(".")
    if first in statements:
        yield module, first
    elif first in imports:
        whence, what = imports[first]
        if what and _is_module(f"{whence}.{what}"):
            whence, what = f"{whence}.{what}", rest
        if what and _is_ours(whence):
            yield whence, what


@cache
def _is_module(name: str) -> bool:
    if not _is_ours(name):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # it is a name in a module
        return False


Statements = dict[str, list[ast.stmt]]


@cache
def _contents(module: str) -> tuple[Statements, dict[str, tuple[str, str]]]:
    """The statements of a module by the names that they define, and whence others come."""
    if not _is_ours(module):
        return {}, {}
    text = inspect.getsource(sys.modules.get(module) or importlib.import_module(module))
    tree = _bare(ast.parse(text or "pass"))
    statements: Statements = {}
    for node in tree.body:
        for name in _defined(node):
            statements.setdefault(name, []).append(node)
    imports = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return statements, imports


DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _bare(tree: ast.Module) -> ast.Module:
    """The tree without annotations of functions, and without docstrings that no figure shows."""
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS | ast.Module) and _docstring_is_dropped(node):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return tree


def _docstring_is_dropped(node: DEFINITIONS | ast.Module) -> bool:
    """Whether it has one, and that is no caption, see :func:`.plotting.captioned`."""
    captioned = "captioned" in map(ast.unparse, getattr(node, "decorator_list", ()))
    return ast.get_docstring(node) is not None and not captioned


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, DEFINITIONS):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return set()
    return _stored([node]) | {
        inner.name for inner in ast.walk(node) if isinstance(inner, DEFINITIONS)
    }


def _stored(nodes: Sequence[ast.AST]) -> set[str]:
    return {
        inner.id
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }


def _used(node: ast.stmt) -> set[str]:
    """Names and ``name.attribute`` that a statement reads, but for a function's own variables."""
    reads = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    names = {n.id for n in reads}
    names |= {
        f"{n.value.id}.{n.attr}"
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    if not isinstance(node, ast.FunctionDef):
        return names
    own = _stored([node]) | {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return {name for name in names if name.partition(".")[0] not in own}
