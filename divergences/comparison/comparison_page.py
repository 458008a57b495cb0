"""A comparison as one page that needs nothing else: no script, no font, no file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from divergences.comparison.sentence import number
from divergences.comparison.terminal_text import between_equal_laws, warnings_of
from divergences.escaped_templates import templates

if TYPE_CHECKING:
    from divergences.comparison.comparison import Comparison


TEMPLATES = templates(Path(__file__).parent / "templates")
TEMPLATES.filters["number"] = lambda value: number(float(value))
TEMPLATES.filters["between_equal_laws"] = between_equal_laws


def page(found: Comparison) -> str:
    """The page as text."""
    picture = io.BytesIO()
    found.figure().savefig(picture, format="png", dpi=160)
    return TEMPLATES.get_template("page.html").render(
        found=found,
        notes=[*found.notes, *warnings_of(found)],
        picture=base64.b64encode(picture.getvalue()).decode(),
    )
