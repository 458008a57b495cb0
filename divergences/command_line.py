"""A parser of command lines whose refusals are one line, with what may have been meant."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, final

from divergences.shown_text import nearest_name, one_line, shortened


def suggestion(word: str, options: Sequence[str]) -> str:
    """The option that was meant, as the end of a message, or nothing.

    Example:
        >>> suggestion("dirak", ["dirac", "images"]), suggestion("zzz", ["dirac"])
        ('; did you mean dirac?', '')
    """
    close = nearest_name(word, options)
    return f"; did you mean {close}?" if close else ""


@final
class Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        message = shortened(one_line(message)) + self._meant(message)
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")

    def flag(self, name: str, what: str, **settings: Any) -> None:
        """Add a flag whose help ends with its default; a list as default takes several values."""
        default = settings.get("default")
        if isinstance(default, list):
            settings["nargs"], default = "+", ", ".join(map(str, default))
        self.add_argument(name, help=f"{what} (default: {default})", **settings)

    def _meant(self, message: str) -> str:
        """The flag or choice that a misspelt one is most like."""
        if message.startswith("unrecognized arguments: "):
            flags = [flag for parser in self._parsers() for flag in parser._option_string_actions]
            return suggestion(message.split()[2].partition("=")[0], flags)
        wrong, _, choices = message.partition(" (choose from ")
        word = wrong.rpartition("invalid choice: ")[2].strip("'")
        return suggestion(word, choices.rstrip(")").replace("'", "").split(", "))

    def _parsers(self) -> "list[Parser]":
        """This one and those of its commands."""
        inner = [a.choices for a in self._actions if isinstance(a, argparse._SubParsersAction)]
        return [self, *(parser for commands in inner for parser in commands.values())]
