"""A comparison as one page that needs nothing else: no script, no font, no file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from divergences.comparison.sentence import number
from divergences.comparison.text import visible, warnings_of

if TYPE_CHECKING:
    from divergences.comparison.comparison import Comparison


def _shown(value: Any) -> Any:
    """Text without characters that cannot be seen; autoescaping does the rest."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_shown,
    auto_reload=False,
)
TEMPLATES.filters["number"] = lambda value: number(float(value))


def page(found: Comparison) -> str:
    """The page as text."""
    picture = io.BytesIO()
    found.figure().savefig(picture, format="png", dpi=160)
    return TEMPLATES.get_template("page.html").render(
        found=found,
        notes=[*found.notes, *warnings_of(found)],
        picture=base64.b64encode(picture.getvalue()).decode(),
    )
