"""The templates of the page: every text they are given is escaped, none may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gans.runtime.escaping import visible
from scripts.report.markup import RELATIONS, name_of, number, spoken, to_error, with_error

HERE = Path(__file__).parent


def _shown(value: Any) -> Any:
    """What a template writes: markup as it is, text without characters that cannot be seen."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, keep="\n\t")
    return value


def anchor(name: str) -> str:
    """What a link inside the page says of a name, and the id that it leads to."""
    return quote(name, safe="")


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_shown,
    auto_reload=False,
    extensions=["jinja2.ext.do"],
)
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
TEMPLATES.filters |= {
    "anchor": anchor,
    "name_of": name_of,
    "number": number,
    "spoken": spoken,
    "to_error": to_error,
    "with_error": with_error,
}
TEMPLATES.globals |= {"RELATIONS": RELATIONS}


def render(template: str, **given: Any) -> str:
    """The template with what it is given."""
    return TEMPLATES.get_template(template).render(given)
