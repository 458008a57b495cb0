"""The templates of the page: every text they are given is escaped, none may be missing."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from divergences.escaped_templates import templates
from scripts.report.markup import RELATIONS, name_of, number, spoken, to_error, with_error

HERE = Path(__file__).parent


def anchor(name: str) -> str:
    """What a link inside the page says of a name, and the id that it leads to."""
    return quote(name, safe="")


TEMPLATES = templates(HERE / "templates", "\n\t", extensions=["jinja2.ext.do"])
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
TEMPLATES.filters |= {
    "anchor": anchor,
    "name_of": name_of,
    "number": number,
    "spoken": spoken,
    "to_error": to_error,
    "with_error": with_error,
}
TEMPLATES.globals["RELATIONS"] = RELATIONS


def script(name: str) -> Markup:
    """A script of the page, which is ours and is not escaped."""
    return Markup((HERE / name).read_text(encoding="utf-8"))


def render(template: str, **given: Any) -> str:
    """The template with what it is given."""
    return TEMPLATES.get_template(template).render(given)
