"""Text from files, made fit for where it goes: a terminal, a page, a figure, a spreadsheet.

A run's name or a record's note may come from anybody. Whatever prints or draws such text takes it
from here, so that it is shown and does nothing: no escape code moves the cursor, no bidirectional
control turns a line around, no cell is a formula, no ``$`` opens mathematics.
"""

import sys
from contextlib import suppress
from typing import Any

from divergences.shown_text import one_line, shortened, visible

LABEL = 100
"""Characters of a name that a figure has room for."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What the cells begin with that spreadsheets compute."""


def say(text: object) -> None:
    """Print text that may be of files; its line breaks are kept, so split names off before.

    Raises:
        OSError: If it cannot be written; the message names the standard output.
    """
    flush(visible(text, keep="\n") + "\n")


def flush(more: str = "") -> None:
    """Write what was printed, and more, or raise ``OSError`` that names the standard output."""
    try:
        print(more, end="", flush=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def tell(text: object) -> None:
    """:func:`say` on stderr; what cannot be written there is no reason to end."""
    with suppress(OSError):
        print(visible(text, keep="\n"), file=sys.stderr, flush=True)


def as_label(text: object) -> str:
    """The text as matplotlib is to draw it: letter by letter, in one line, not without end.

    Example:
        >>> as_label("$x_{$")
        '\\\\$x_{\\\\$'
    """
    text = one_line(text)
    text = text if len(text) <= LABEL else f"{text[: LABEL - 1]}…"
    return text.replace("$", r"\$")


def as_cell(value: Any) -> Any:
    """The value as a spreadsheet may have it: numbers as they are, text never as a formula.

    Example:
        >>> [as_cell(value) for value in ("=1+1", "-inf", -2.0, "word")]
        ["'=1+1", '-inf', -2.0, 'word']
    """
    if not isinstance(value, str):
        return value
    text = visible(value, keep="\n\t\r")
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and text == text.strip()


def printable(message: object) -> str:
    """The message on one line, without control characters or what would fill a screen."""
    text = " ".join(str(message).split()) or type(message).__name__
    text = "".join(c if c.isprintable() else "?" for c in text)
    return shortened(text)
