"""Text from files, made fit to be shown: it moves no cursor, turns no line, fills no screen."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from divergences.checks import shown

HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories of characters that have no picture of their own: controls, surrogates, separators."""


LISTED = 5  # names that a message shows


def visible(text: object, keep: str = "") -> str:
    """The text with every character that cannot be seen, but for those to keep, as ``\ufffd``.

    Example:
        >>> visible("a\\x1b[2Jb\\u202e")
        'a\ufffd[2Jb\ufffd'
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(c) in HIDDEN and c not in keep else c for c in text
    )


def one_line(text: object) -> str:
    """The text without line breaks or anything else that moves a cursor.

    Example:
        >>> one_line("two\\nlines")
        'two lines'
    """
    return visible(" ".join(str(text).split()))


def shortened(text: str) -> str:
    """The text, or its beginning and end where it is longer than a message may be."""
    return text if len(text) <= 600 else f"{text[:450]} ... {text[-140:]}"


def nearest_name(word: str, options: Iterable[str]) -> str | None:
    """The option that a misspelt word is most like, whatever its case, or ``None``.

    Example:
        >>> nearest_name("saturatng", ["Saturating", "Hinge"]), nearest_name("zzz", ["Hinge"])
        ('Saturating', None)
    """
    plain = {option.lower(): option for option in options}
    close = difflib.get_close_matches(word.lower(), plain, 1, 0.7)
    return plain[close[0]] if close else None


def parted_by_a_comma(whole: str, part: str) -> bool:
    """Whether two cells of whole numbers look like one number with a decimal comma.

    Example:
        >>> parted_by_a_comma("1", "0876"), parted_by_a_comma("-0", "5")
        (True, True)
        >>> parted_by_a_comma("1", "876"), parted_by_a_comma("0", "0")
        (False, False)
    """
    return whole.strip() == "-0" or re.fullmatch(r"\s*0\d+\s*", part) is not None


def is_number(cell: str) -> bool:
    """Whether a cell of a table holds a number, as files spell it.

    Example:
        >>> [is_number(cell) for cell in ("1e3", "nan", "1_000", "one")]
        [True, True, False, False]
    """
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def listed(names: Sequence[str]) -> str:
    """Names in quotes, not more than a few.

    Example:
        >>> listed(["age", "height"]), listed(["column 3"])
        ("columns 'age', 'height'", 'column 3')
    """
    if all(re.fullmatch(r"column \d{1,9}", name) for name in names):  # of no names
        plain = ", ".join(names[:LISTED])
        return f"{plain} and {len(names) - LISTED} more" if len(names) > LISTED else plain
    some = ", ".join(shown(name) for name in names[:LISTED])
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"column{'s' if len(names) > 1 else ''} {some}{more}"
