"""What a configuration may name, and its errors in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jsonargparse import set_parsing_settings

from scripts.errors import printable

ALLOWED = ("gans", "divergences", "torch.nn", "torch.optim", "torch.Size", "torch.Tensor")
"""What a configuration may name: importing is running, so nothing else without being asked."""


def limit_imports(more: Sequence[str] = ()) -> None:
    """Let configurations name nothing but :data:`ALLOWED`, and ``more``, in this process."""
    set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[*ALLOWED, *more])


def one_line(error: Exception) -> str:
    """The parser's nested message reduced to what the user typed and what is wrong with it."""
    message = " ".join(str(error).split())
    noise = (
        r"Does not validate against any of the Union subtypes Subtypes: \[.*?\] Errors: ",
        r"- Expected a path but \S+ either not accessible or invalid ",
        r"- Expected a <class 'NoneType'>",
        r"Given value type: .*",
        r"Type collections\.abc\.Callable.* expects a function or a callable class: ",
    )
    for pattern in noise:
        message = re.sub(pattern, "", message)
    message = re.sub(
        r"- Expected a dot import path string: (\S+)",
        r"no class is named \1; give an import path such as divergences.GradientPenalty",
        message,
    )
    given = re.search(r"Given value type: .*? Given value: (\S+)", " ".join(str(error).split()))
    if given and "Expected a" in message:
        message += f" (given: {given[1]})"
    message = re.sub(
        r"Importing '(\S+)' is not allowed, .*? to allow it\.",
        r"\1 is outside of gans, divergences, torch.nn and torch.optim; if you trust it, add "
        r"--allow-import with its module",
        message,
    )
    message = " ".join(message.replace(" - ", " ").replace(": - ", ": ").split())
    return printable(message)
