"""Files read back: checked against a shape, and against the digest they were written with.

What a command wrote may come back empty, cut off, edited, or from another version. Such a file is
named, set aside under another name, and what it held is made again; or the command ends in a line
that names it. It never becomes a number on the page.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec

from divergences.shown_text import one_line
from divergences.whole_files import plain, write_atomically
from gans.runtime.escaping import tell
from gans.runtime.files import contents

T = TypeVar("T")
DIGEST = "digest"
"""The key under which a record has the digest of everything else in it."""
DIGITS = 18
"""Of an integer, at most: one of more is no count, seed or iteration of ours."""
Number = float | Literal["inf", "-inf"] | None
"""A number as :func:`gans.runtime.files.plain` leaves it: text for an infinity, null for NaN."""
Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[\w.,()=+-]{1,200}\Z")]
"""What may be a file's name, or a place in the page."""


class Damaged(ValueError):
    """A file does not hold what it should; the message names it and says what is wrong."""

    def __init__(self, path: Path, reason: object, remedy: str = "make it again"):
        self.path, self.reason = path, one_line(reason)
        super().__init__(f"{path} is damaged: {self.reason}; {remedy}")


def load(path: Path, shape: type[T], remedy: str = "make it again") -> T:
    """The content of a JSON file that has this shape.

    Raises:
        Damaged: If it has not, or is no JSON.
        OSError: If it cannot be read.
    """
    try:
        value = parsed(contents(path))
        msgspec.convert(value, shape)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise Damaged(path, error, remedy) from None
    return cast(T, value)


def parsed(content: bytes) -> Any:
    """JSON as RFC 8259 has it, without what readers understand differently.

    Raises:
        ValueError: For NaN, a key that is there twice, a number out of range, half a character.

    Example:
        >>> parsed(b'{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ValueError: the key 'a' is there twice
    """
    if not content:
        raise ValueError("it is empty")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not text (byte {error.start})") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_refused,
            parse_int=_integer,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if re.search(r"\\u[dD][89a-fA-F]", text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a pair is no character
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} is there twice")
    return made


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number in JSON")


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"{digits[:20]}... is too large")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large")
    return value


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """The record as JSON has it, with the digest of all of it."""
    bare = plain({key: value for key, value in record.items() if key != DIGEST})
    return bare | {DIGEST: hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()}


def write_record(path: Path, record: dict[str, Any], indent: int | None = 1) -> None:
    """Write a record that :func:`load_record` will know to be whole."""
    write_atomically(path, json.dumps(sealed(record), indent=indent))


def load_record(path: Path, shape: type[T], remedy: str = "make it again") -> T:
    """A record of this shape, every digit as it was written.

    Raises:
        Damaged: If anything in it is another, or it is from before there were digests.
    """
    record: Any = load(path, dict[str, Any], remedy)  # pyright: ignore
    if DIGEST not in record:
        raise Damaged(path, "it has no digest, or is from another version", remedy)
    load(path, shape, remedy)
    try:
        whole = sealed(record) == record
    except RecursionError:
        whole = False
    if not whole:
        raise Damaged(path, "it is not what was written: its digest is another", remedy)
    return record


def digest_of(path: Path) -> str:
    """The digest of a file's bytes."""
    return hashlib.sha256(contents(path)).hexdigest()


def set_aside(damaged: Damaged) -> None:
    """Rename the damaged file, so that another can take its place, and say so on stderr."""
    path = damaged.path
    free = (path.with_name(f"{path.name}.damaged-{i}") for i in range(1, 1_000_000))
    beside = next(new for new in free if not new.exists())
    path.rename(beside)
    tell(f"{path} is damaged: {damaged.reason}; kept as {beside.name}, made again")


def unless_damaged(path: Path, read: Callable[[Path], T]) -> T | None:
    """What is read of a file, ``None`` if there is none; a damaged one is set aside first."""
    if not path.exists():
        return None
    try:
        return read(path)
    except IsADirectoryError:
        set_aside(Damaged(path, "it is a folder"))
    except Damaged as damaged:
        set_aside(damaged)
    return None


def load_or_set_aside(path: Path, shape: type[T]) -> T | None:
    """:func:`load_record`, ``None`` if there is no such record; a damaged one is set aside."""
    return unless_damaged(path, lambda path: load_record(path, shape))
