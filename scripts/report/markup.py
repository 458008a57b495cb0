"""Numbers and names as a reader wants them, and templates that escape what they are given."""

import math
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from divergences.escaped_templates import templates
from divergences.shown_text import visible

WORDS = {"inf": "∞", "-inf": "−∞"}
DECIMALS = 7  # beyond that, powers of ten
RELATIONS = {"=": "=", "<=": "≤", ">=": "≥"}


def number(value: float | str | None) -> str:
    """Four digits; JSON has infinities as text and, where there is no number, null."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return WORDS.get(value, value)
    return f"{value:.4g}".replace("-", "−")


def with_error(value: float | str | None, stderr: float | str | None) -> str:
    """A measurement and its standard error, if it has one."""
    return number(value) if stderr is None else " ± ".join(to_error(value, stderr))


def to_error(value: float | str | None, stderr: float | str | None) -> tuple[str, str]:
    """A measurement to its standard error's second digit, and that error."""
    if not isinstance(value, int | float) or not isinstance(stderr, int | float) or stderr <= 0:
        return number(value), number(stderr)
    decimals = max(0, 1 - math.floor(math.log10(stderr)))
    if decimals > DECIMALS:
        return number(value), number(float(f"{stderr:.2g}"))
    return f"{value:.{decimals}f}".replace("-", "−"), f"{stderr:.{decimals}f}"


def name_of(quantity: str) -> Markup:
    """The name of a quantity, its one-letter indices set as indices."""
    parts = re.split(r"_(\w)\b", visible(quantity))
    return Markup("").join(
        Markup("<sub>{}</sub>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def spoken(name: str) -> str:
    """An argument's name in words."""
    words = {"wgan": "WGAN", "d": "D", "vs": "against"}
    return " ".join(words.get(word, word) for word in name.split("_"))


def short(text: str) -> str:
    """A cell of a CSV file; its numbers with six digits."""
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return text


def same_length(where: str, lengths: dict[str, int], expected: int) -> None:
    """Check that every list has one entry per step.

    Raises:
        ValueError: If one has not; names it.
    """
    for name, length in lengths.items():
        if length != expected:
            raise ValueError(
                f"{where}: {name} has {length} entries, expected {expected}; "
                "run the argument that writes this file again"
            )


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
