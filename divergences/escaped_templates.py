"""Templates of pages: every text they are given is escaped and visible, none may be missing."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from divergences.shown_text import visible


def templates(folder: Path, keep: str = "\n", **more: Any) -> Environment:
    """The templates of a folder.

    Arguments:
        folder: Where they are.
        keep: Characters without a picture that stay as they are.
        more: As for ``jinja2.Environment``.
    """

    def shown(value: Any) -> Any:
        """What a template writes: markup as it is, text without what cannot be seen."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return visible(value, keep)
        return value

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
        auto_reload=False,
        **more,
    )
