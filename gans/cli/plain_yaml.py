"""YAML files as plain values, within bounds, that name what is listed; no other file is shown."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from gans.cli.allowed_classes import listed
from gans.runtime.escaping import printable
from gans.runtime.files import contents, inside

LARGEST = 100_000
"""Bytes of a configuration file."""
VALUES, LETTERS, LEVELS = 10_000, 1_000_000, 40
"""Size of a configuration, with what aliases repeat and other files add."""
LONGEST = 1000
"""Values of a list. The time of the parser grows with the square of its length."""
CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")


def read(
    path: Path, what: str = "a configuration", kept: Sequence[str] = (), shown: bool = True
) -> dict[str, Any]:
    """The mapping in a YAML file, with the files beside it that it names in their places.

    Text that ends in ``.yaml`` or ``.yml`` stands for the class and arguments in that file, which
    must be in the same folder or below it. No message shows what is in any other file.

    Arguments:
        path: The file.
        what: It is, for messages.
        kept: Keys of the outermost level whose text stays what it is.
        shown: Whether messages may show its keys, as the command line has named it.

    Raises:
        ValueError: If it is not a mapping of plain values; the message names file and remedy.
    """
    content = _loaded(path, what, shown)
    if not isinstance(content, dict):
        kind = "nothing" if content is None else type(content).__name__
        raise ValueError(f"{path}: {what} is a mapping of keys to values; this is {kind}")
    return _Plain(path, kept).copy(content, 0)


class _Plain:
    """Copies what YAML holds as plain values, without aliases, and counts them.

    A text or a file that is there often is read once.
    """

    def __init__(self, path: Path, kept: Sequence[str]):
        self.path, self.kept, self.count, self.letters = path, kept, 0, 0
        self.spelled: dict[str, Any] = {}
        self.parts: dict[Path, Any] = {}

    def copy(self, value: Any, level: int) -> Any:
        self.count += 1
        self.letters += len(value) if isinstance(value, str) else 0
        if self.count > VALUES or self.letters > LETTERS or level > LEVELS:
            raise ValueError(
                f"{self.path}: more than {VALUES} values, {LETTERS} letters or {LEVELS} levels, "
                "with what aliases repeat and other files add; write less"
            )
        if isinstance(value, dict):
            self._check_class(value)
            return {self._key(k): self._inner(k, v, level) for k, v in value.items()}
        if isinstance(value, list):
            if len(value) > LONGEST:
                raise ValueError(
                    f"{self.path}: a list of {len(value)} values; give at most {LONGEST}, such as "
                    "fewer seeds in each of several runs"
                )
            return [self.copy(inner, level + 1) for inner in value]
        if isinstance(value, str):
            return self._text(value, level)
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError(
                f"{self.path}: an integer of {value.bit_length()} bits; give at most 63"
            )
        if not isinstance(value, int | float | None):
            raise ValueError(f"{self.path}: a {type(value).__name__} is no plain value; quote it")
        return value

    def _inner(self, key: str, value: Any, level: int) -> Any:
        return value if level == 0 and key in self.kept else self.copy(value, level + 1)

    def _check_class(self, mapping: dict[Any, Any]) -> None:
        beside = [key for key in mapping if key not in CLASS_KEYS]
        if "class_path" in mapping and beside:
            raise ValueError(
                f"{self.path}: {printable(beside[0])} stands beside class_path; the settings of a "
                "class stand below it, under init_args"
            )

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise ValueError(f"{self.path}: the key {printable(key)} is no text; quote it")
        self.letters += len(key)
        return key

    def _text(self, text: str, level: int) -> Any:
        """The text, or what is in the file that it names, or the list or mapping it spells."""
        if text.endswith((".yaml", ".yml")) and "\n" not in text:
            beside = inside(self.path.parent, text)
            if not beside.is_file():
                raise ValueError(f"{self.path}: {printable(text)} is no file beside it")
            if beside not in self.parts:
                self.parts[beside] = _loaded(beside, f"a part of {self.path.name}")
            part = self.parts[beside]
            if not isinstance(part, dict) or not {*part} <= {"class_path", "init_args"}:
                raise ValueError(
                    f"{beside}: a part of {self.path.name} has class_path and init_args; this "
                    "has not, or more"
                )
            return self.copy(part, level + 1)
        outer = next((part for part in _beginnings(text) if part in listed()), None)
        if outer is not None:  # the parser looks into it before anybody can refuse it
            raise ValueError(f"{self.path}: {printable(text)} is a part of {outer}; name that")
        if text not in self.spelled:
            self.spelled[text] = self._spelled(text)
        spelled = self.spelled[text]
        return self.copy(spelled, level + 1) if isinstance(spelled, dict | list) else text

    def _spelled(self, text: str) -> Any:
        """What a text is, read as YAML; itself where it is none."""
        try:
            text.encode()
            return _parsed(text)
        except UnicodeEncodeError:
            raise ValueError(f"{self.path}: half a character in {printable(text):.60}") from None
        except RepeatedKey as error:
            raise ValueError(f"{self.path}: in a text, {error}") from None
        except Exception:
            return text


def _beginnings(name: str) -> Iterator[str]:
    """``a.b`` and ``a`` of ``a.b.c``."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


class RepeatedKey(ValueError):
    """A mapping says one thing twice, and a reader would take one of both."""

    def __init__(self, first: yaml.ScalarNode, second: yaml.ScalarNode):
        self.key = printable(first.value)
        lines = [node.start_mark.line + 1 for node in (first, second)]
        super().__init__(f"a key of line {lines[0]} is there again in line {lines[1]}; keep one")


class _Loader(yaml.SafeLoader):
    """Plain values, every key of a mapping once."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], yaml.ScalarNode] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                before = seen.setdefault((key.tag, key.value), key)
                if before is not key:
                    raise RepeatedKey(before, key)
        return node


def _parsed(text: str) -> Any:
    """The plain values of a YAML document."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _loaded(path: Path, what: str, shown: bool = False) -> Any:
    """What is in a YAML file."""
    try:
        content = contents(path, LARGEST)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        reason = "it is not text" if isinstance(error, UnicodeDecodeError) else told
        raise ValueError(f"{path}: {what} cannot be read: {reason}") from None
    if len(content) > LARGEST:
        raise ValueError(f"{path}: {what} has at most {LARGEST} bytes; this has more")
    try:
        return _parsed(text)
    except RepeatedKey as error:
        named = f"{error.key}: " if shown else ""
        raise ValueError(f"{path}: {named}{error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    except Exception:  # a tag whose text cannot be what it says, a character that YAML has not
        where = ""
    raise ValueError(f"{path}: {what} is not YAML of plain values{where}; see yaml.org") from None
